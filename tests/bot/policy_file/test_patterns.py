"""Ticket patterns: what is refused, and that what is accepted is quick."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy_file.patterns import LONGEST, LONGEST_TICKET, check


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]+-[0-9]+$",
        r"^(?:PROJ|OPS)-\d+$",
        r"https://example\.com/browse/[A-Z]+-\d+",
        "[A-Z]{2,5}-[0-9]{1,6}",
        "([A-Z]{2}-){3}[0-9]+",
        r"\(a\+\)+",
        "[(a+)+]+",
        "(?:-[0-9]+)?",
        "a+?b+?c+?",
    ],
)
def test_accepts(pattern):
    assert check(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "0 characters"),
        ("a" * (LONGEST + 1), "201 characters"),
        ("[A-Z", "not a regular expression"),
        ("(a+)+", "around another"),
        ("(a*)*", "around another"),
        ("((a+))+", "around another"),
        ("(a?){50}", "around another"),
        ("(?:a|aa)+", "around another"),
        ("(a|a){30}", "around another"),
        ("(a{1,3}){9}", "around another"),
        ("a*a*a*a*", "at most 3"),
        ("a?" * 30 + "a" * 30, "at most 3"),
        ("(a|aa)" * 20, "at most 3"),
        ("a{201}", "more than 200 times"),
        (r"(a)\1", "back"),
        ("(?=a)", "looks around"),
        ("(?!a)", "looks around"),
        ("(?<=a)b", "looks around"),
        ("(?P<x>a)", "looks around"),
        ("(?i)a", "looks around"),
        ("(?>a)", "looks around"),
        ("(?#x)", "looks around"),
    ],
)
def test_refuses(pattern, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        check(pattern)


@given(
    pattern=st.lists(
        st.sampled_from(["a", "(", "(?:", ")", "*", "+", "?", "|", "{2}", "{3,9}", "{20}", ".", "[ab]", "aa", r"\w"]),
        max_size=40,
    ).map("".join)
)
def test_what_is_accepted_is_quick(pattern):
    try:
        check(pattern)
    except ValueError:
        return
    compiled = re.compile(pattern)
    begin = time.process_time()
    compiled.fullmatch("a" * LONGEST_TICKET)
    compiled.fullmatch("a" * (LONGEST_TICKET - 1) + "!")
    assert time.process_time() - begin < 2  # the worst seen is 0.02 s; what is refused takes years
