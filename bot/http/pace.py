"""Pace: how often one token may be shown. A program that has lost its way slows down itself, and nobody else."""

from collections.abc import Callable
from typing import Final

from store.model.buckets import Buckets
from store.model.errors import Unavailable
from store.model.token import Bearer

A_SECOND: Final = 200.0
AT_ONCE: Final = 400.0


class Pace(Buckets):
    """By id and hash: who only knows an id empties a bucket of their own. `monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float], a_second: float = A_SECOND, at_once: float = AT_ONCE) -> None:
        super().__init__(monotonic, a_second, at_once)

    def demand(self, bearer: Bearer) -> None:
        """Raises `Unavailable` (`too_many`), with when to come again."""
        if wait_s := self.wait_s((bearer.id, bearer.hash)):
            raise Unavailable(
                f"This token asks too often: {self._a_second:g} times a second are enough.",
                code="too_many",
                retry_after_ms=int(wait_s * 1000) + 1,
            )
