"""Durations: the four forms, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy_file.durations import LONGEST_MS, compact, parse, words


@pytest.mark.parametrize(
    ("text", "seconds", "in_words"),
    [
        ("2h", 7200, "2 hours"),
        ("1h30m", 5400, "1 hour 30 minutes"),
        ("1h05m", 3900, "1 hour 5 minutes"),
        ("45m", 2700, "45 minutes"),
        ("90m", 5400, "1 hour 30 minutes"),
        ("7200s", 7200, "2 hours"),
        ("1s", 1, "1 second"),
        ("8784h", 366 * 86400, "8784 hours"),
    ],
)
def test_reads(text, seconds, in_words):
    assert parse(text) == seconds * 1000
    assert words(parse(text)) == in_words


NOT_DURATIONS = """
 2h|2h |2 h|2H|2|02:00|1d|1w|PT2H|1.5h|-1h|+1h|1m30s|1h30|30m1h|1h60m|0h|0s|00m|8785h|99999h|٢h|h|1h1h|""".lstrip("\n")


@pytest.mark.parametrize("text", [*NOT_DURATIONS.split("|"), "2h\n"])
def test_refuses(text):
    with pytest.raises(ValueError, match="write"):
        parse(text)


@given(st.integers(1, LONGEST_MS // 1000))
def test_round_trip(seconds):
    assert parse(compact(seconds * 1000)) == seconds * 1000


@given(st.from_regex(r"[0-9]{1,4}h[0-5][0-9]m|[0-9]{1,6}m|[0-9]{1,8}s", fullmatch=True))
def test_a_canonical_form_means_the_same(text):
    try:
        duration_ms = parse(text)
    except ValueError:
        return
    assert parse(compact(duration_ms)) == duration_ms
