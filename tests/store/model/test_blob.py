"""Blob: what a reference to a sealed value looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.blob import PREFIX, parse
from store.model.identity import ALPHABET


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sealed:7Q2M4XK9TB", "7Q2M4XK9TB"),
        (" SEALED:7q2m4xk9tb ", "7Q2M4XK9TB"),
        ("sealed:7Q2M4XK9Tl", "7Q2M4XK9T1"),
        ("sealed:7Q2M4XK9T", None),
        ("sealed: 7Q2M4XK9TB", None),
        ("7Q2M4XK9TB", None),
        ("xsealed:7Q2M4XK9TB", None),
        ("sealed:7Q2M4XK9TB!", None),
    ],
)
def test_what_a_reference_looks_like(typed, found):
    assert parse(typed) == found


@given(st.text(ALPHABET, min_size=10, max_size=10))
def test_what_is_printed_is_read(blob_id: str) -> None:
    assert parse(f"{PREFIX}{blob_id}") == parse(f" {PREFIX}{blob_id.lower()}\n") == blob_id


@given(st.text())
def test_any_other_text_is_none(text: str) -> None:
    assert parse(text) is None or text.strip().lower().startswith(PREFIX)
