"""Pace: one token asks so often and no oftener; another is not slowed down by it."""

import pytest

from bot.http.answers import refused
from bot.http.pace import Pace
from store.model.buckets import REMEMBERED
from store.model.errors import Unavailable
from store.model.token import Bearer


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


ONE, OTHER = Bearer("0" * 10, "person", "a" * 64), Bearer("0" * 10, "person", "b" * 64)


def test_so_many_at_once_and_then_so_many_a_second():
    clock = Clock()
    pace = Pace(clock, a_second=2, at_once=3)
    for _ in range(3):
        pace.demand(ONE)
    with pytest.raises(Unavailable) as refusal:
        pace.demand(ONE)
    told = refused(refusal.value)
    assert (told.status, told.headers["Retry-After"]) == (429, "1")
    pace.demand(OTHER)  # who only knows the id has a bucket of their own
    clock.s += 0.5
    pace.demand(ONE)
    with pytest.raises(Unavailable):
        pace.demand(ONE)
    clock.s += 1_000
    for _ in range(3):
        pace.demand(ONE)
    with pytest.raises(Unavailable):
        pace.demand(ONE)


def test_it_remembers_so_many_tokens():
    pace = Pace(Clock())
    for number in range(REMEMBERED + 5):
        pace.demand(Bearer(f"{number:010}", "person", "a" * 64))
    assert len(pace._left) == REMEMBERED
