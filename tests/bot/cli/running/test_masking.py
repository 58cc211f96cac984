"""No value passes, wherever the stream is cut, and nothing waits that need not."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.running.masking import Masker, forms, unmasked

VALUE = b'pa"ss/w\xc3\xb6rd+123 x'
KEY = b"-----BEGIN KEY-----\nMIIEow+IBAAKC/AQEA7\nq8Zk2vN0\n-----END KEY-----\n"


def masked(values: list[bytes], *chunks: bytes) -> bytes:
    masker = Masker(values)
    return b"".join([*(masker.feed(chunk) for chunk in chunks), masker.end()])


PRINTED = {
    "as it is": VALUE,
    "in JSON": json.dumps({"x": VALUE.decode()}).encode()[7:-2],
    "in JSON as UTF-8": json.dumps(VALUE.decode(), ensure_ascii=False).encode()[1:-1],
    "in an address": quote(VALUE, safe="").encode(),
    "in an address, its slashes left": quote(VALUE).encode(),
    "in a form": quote_plus(VALUE).encode(),
    "in an address, in small letters": quote(VALUE, safe="").lower().encode(),
    "in base64": base64.b64encode(VALUE),
    "in base64 for addresses": base64.urlsafe_b64encode(VALUE),
}


@pytest.mark.parametrize("printed", PRINTED.values(), ids=PRINTED)
def test_each_way_of_printing_it_is_masked(printed: bytes):
    assert b"***" in masked([VALUE], b"it is " + printed + b".\n")
    assert printed[4:-4] not in masked([VALUE], b"it is " + printed + b".\n")


@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd"])
def test_behind_a_name_in_base64_it_is_masked(name: str):
    printed = base64.b64encode(name.encode() + b":" + VALUE)
    assert len(masked([VALUE], printed)) < 16


def test_a_line_of_a_value_is_masked():
    assert masked([KEY], b"> MIIEow+IBAAKC/AQEA7\r\n") == b"> ***\r\n"


def test_the_longest_is_masked_and_what_overlaps_too():
    assert masked([b"abcdef", b"abcdefgh", b"ghijkl"], b"-abcdefghijkl-abcdefg-") == b"-***-***g-"


def test_a_value_of_three_characters_is_not_masked_and_named():
    assert masked([b"abc"], b"abc") == b"abc"
    assert forms(b"abc") == set()
    assert unmasked({"B": b"abc", "A": b"x", "C": b"abcd", "D": b""}) == ["A", "B"]


def test_what_is_no_beginning_of_a_value_leaves_at_once():
    masker = Masker([b"secret"])
    assert masker.feed(b"Password: ") == b"Password: "
    assert masker.feed(b"a se") == b"a "
    assert masker.feed(b"ven") == b"seven"


def test_a_prompt_that_looks_like_a_beginning_leaves_when_nothing_comes_and_the_rest_is_masked():
    masker = Masker([b"$ecret-of-ours"])
    assert masker.feed(b"sh$") == b"sh"
    assert masker.idle() == b"$"
    assert masker.idle() == b""
    assert masker.feed(b"ec") == b""
    assert masker.idle() == b"ec"
    assert masker.feed(b"ret") == b""
    assert masker.idle() == b"", "as much as a whole value could be"
    assert masker.feed(b"-of-ours!") == b"***!"


def test_a_longer_value_that_does_not_come_leaves_the_shorter_one_masked():
    assert masked([b"abcd", b"xabcdyz"], b"-xabcd") == b"-x***"
    assert masked([b"abcd", b"xabcdyz"], b"-xabcd", b"!") == b"-x***!"


def test_what_repeats_itself_is_held_in_little_memory():
    masker = Masker([b"aaaa"])
    out = b"".join(masker.feed(b"a" * 1000) for _ in range(50)) + masker.end()
    assert set(out) == {ord("*")}
    assert len(masker._seen) < 8


ALPHABET = st.sampled_from([b"a", b"b", b"ab", b"\n"])
WORD = st.lists(ALPHABET, max_size=12).map(b"".join)


@given(
    values=st.lists(WORD.filter(lambda value: len(value.strip()) >= 4), min_size=1, max_size=4),
    parts=st.lists(WORD, max_size=8),
    idle=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_cut_anywhere_it_is_masked_the_same(values: list[bytes], parts: list[bytes], idle: list[bool]):
    """And what leaves when nothing came for a while is at most three characters of a value more."""
    whole = b"".join(parts)
    assert masked(values, *parts).replace(b"*", b"") == masked(values, whole).replace(b"*", b"")
    hidden = _hidden(values, whole)
    assert masked(values, whole).replace(b"*", b"") == bytes(
        b for b, hide in zip(whole, hidden, strict=True) if not hide
    )
    masker = Masker(values)
    out = b""
    for part, wait in zip(parts, idle, strict=False):
        out += masker.feed(part) + (masker.idle() if wait else b"")
    out += masker.end()
    for value in values:
        assert value.strip() not in out.replace(b"*", b"\0")


def _hidden(values: list[bytes], whole: bytes) -> list[bool]:
    """The plain rule: a byte is hidden if it lies in any form of any value."""
    hidden = [False] * len(whole)
    for form in {form for value in values for form in forms(value)}:
        for at in range(len(whole)):
            if whole.startswith(form, at):
                hidden[at : at + len(form)] = [True] * len(form)
    return hidden
