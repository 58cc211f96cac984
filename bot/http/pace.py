"""Pace: how often one token may be shown. A program that has lost its way slows down itself, and nobody else."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from store.model.errors import Unavailable
from store.model.token import Bearer

A_SECOND: Final = 200.0
AT_ONCE: Final = 400.0
REMEMBERED: Final = 4_096  # tokens


class Pace:
    """A bucket for each token, by id and hash: who only knows an id empties a bucket of their own. `monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float], a_second: float = A_SECOND, at_once: float = AT_ONCE) -> None:
        self._monotonic = monotonic
        self._a_second = a_second
        self._at_once = at_once
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def demand(self, bearer: Bearer) -> None:
        """Raises `Unavailable` (`too_many`), with when to come again."""
        now = self._monotonic()
        key = (bearer.id, bearer.hash)
        left, at = self._left.pop(key, (self._at_once, now))
        left = min(self._at_once, left + (now - at) * self._a_second)
        taken = left >= 1
        self._left[key] = (left - 1 if taken else left, now)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if not taken:
            again_ms = int((1 - left) / self._a_second * 1000) + 1
            raise Unavailable(
                f"This token asks too often: {self._a_second:g} times a second are enough.",
                code="too_many",
                retry_after_ms=again_ms,
            )
