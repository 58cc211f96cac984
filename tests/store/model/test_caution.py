"""Caution: what is told of one value, and never the value."""

import pytest

from store.model.caution import of_value
from store.model.secret import Secret


@pytest.mark.parametrize(
    ("value", "mode", "words"),
    [
        (b"", None, ["empty"]),
        (b"", 0o600, ["empty"]),
        (b" x", None, ["white_space"]),
        (b"x\n", None, ["white_space"]),
        (b"x\n", 0o600, []),
        (b"a b", None, []),
        (b"old", None, ["unchanged"]),
    ],
)
def test_of_one_value(value, mode, words):
    assert [found.word for found in of_value("A", Secret(value), mode, Secret(b"old"))] == words


def test_several_at_once_and_by_name() -> None:
    found = of_value("A", Secret(b" x"), None, Secret(b" x"))
    assert [(one.name, one.word) for one in found] == [("A", "white_space"), ("A", "unchanged")]
    assert of_value("A", Secret(b"x"), None, None) == []
