"""Enactment: when and how a version of the policies came into force."""

from typing import Literal

from store.model.identity import RequestId, UserId
from store.model.record import Record


class Enactment(Record):
    """`first`: taken in from the file by the first start. `request`: asked by `by` and approved by others. `recovered`: by an owner alone, at the machine."""

    how: Literal["first", "request", "recovered"]
    by: str  # a person, or the clock
    at_ms: int
    request: RequestId | None = None
    approved_by: tuple[UserId, ...] = ()
    restored: int | None = None  # the older version that it is again
    reason: str = ""
