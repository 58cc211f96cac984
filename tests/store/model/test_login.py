"""Login: the code that people carry from one computer to Slack."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.errors import Invalid
from store.model.identity import ALPHABET
from store.model.login import login_code, parse_login_code, poll_hash, spelled


@pytest.mark.parametrize(
    ("randomness", "code"),
    [
        (bytes(5), "00000000"),
        (b"\xff" * 5, "ZZZZZZZZ"),
        (b"\0\0\0\0\1", "10000000"),  # the lowest bits first
        (b"\xf8\0\0\0\0", "0000000Z"),
        (b"\0\0\0\0\1\xff", "10000000"),  # five bytes, of whatever there are
    ],
)
def test_a_code_is_forty_random_bits(randomness: bytes, code: str) -> None:
    assert login_code(randomness) == code


@given(st.binary(min_size=5, max_size=5), st.binary(min_size=5, max_size=5))
def test_no_two_of_them_have_one_code(one: bytes, other: bytes) -> None:
    assert (login_code(one) == login_code(other)) == (one == other)


def test_a_code_is_spelled_in_two_halves() -> None:
    assert spelled("7Q2M4XK9") == "7Q2M-4XK9"


@pytest.mark.parametrize(
    "typed",
    [
        "7Q2M4XK9",
        "7Q2M-4XK9",
        "7q2m-4xk9",
        " 7Q2M-4XK9 ",
        "`7Q2M-4XK9`",
        " `7q2m 4xk9` ",
        "7-Q-2-M-4-X-K-9",
        "7 Q 2 M 4 X K 9",
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert parse_login_code(typed) == "7Q2M4XK9"


@pytest.mark.parametrize(
    ("typed", "code"), [("ILOI-LOIL", "11011011"), ("ilo0-0000", "11000000"), ("X000-000X", "X000000X")]
)
def test_letters_are_read_as_they_look(typed: str, code: str) -> None:
    assert parse_login_code(typed) == code


@given(st.text(ALPHABET, min_size=8, max_size=8))
def test_what_is_spelled_is_read(code: str) -> None:
    assert parse_login_code(spelled(code)) == parse_login_code(f"`{spelled(code).lower()}`") == code


@pytest.mark.parametrize(
    "typed", ["", "7Q2M-4XK", "7Q2M-4XK9T", "7Q2M-4XKU", "7Q2M_4XK9", "7Q2M\t4XK9", "<7Q2M4XK9>", "７Q2M-4XK9"]
)
def test_what_is_no_code_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_login_code(typed)
    shown = typed.replace("\t", "�")
    assert (caught.value.sentence, caught.value.detail) == (
        f"“{shown}” is not a login code. Codes have eight letters and digits, like 7Q2M-4XK9.", "bad_code",
    )  # fmt: skip


def test_what_the_computer_shows_is_kept_as_a_hash() -> None:
    assert poll_hash("é") == hashlib.sha256("é".encode()).hexdigest()
