"""Caution: what is told of one value, and never the value."""

import pytest

from store.model.caution import Caution, of_value
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
    twice = of_value("A", Secret(b" x"), None, Secret(b" x"))
    assert twice == [Caution("A", "white_space"), Caution("A", "unchanged")]
    assert of_value("A", Secret(b""), None, Secret(b"")) == [Caution("A", "empty"), Caution("A", "unchanged")]
    assert of_value("A", Secret(b"x"), None, None) == []
