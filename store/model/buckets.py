"""Buckets: how often somebody may ask. Each has a bucket that an asking empties by one and time fills again."""

from collections.abc import Callable, Hashable
from typing import Final

from store.model.recent import Recent

REMEMBERED: Final = 4_096


class Buckets:
    """`a_second` in the long run, and `at_once` after a rest. Of more than are remembered, who asked longest ago is forgotten. `monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float], a_second: float, at_once: float) -> None:
        self._monotonic = monotonic
        self._a_second = a_second
        self._at_once = at_once
        self._left: Recent[Hashable, tuple[float, float]] = Recent(REMEMBERED)

    def wait_s(self, who: Hashable) -> float:
        """0 where they may go on, and this one is counted; else how long until the next one may."""
        now = self._monotonic()
        left, at = self._left.get(who, (self._at_once, now))
        left = min(self._at_once, left + (now - at) * self._a_second)
        taken = left >= 1
        self._left[who] = (left - 1 if taken else left, now)
        return 0.0 if taken else (1 - left) / self._a_second
