"""Lock: one person's break-glass, closed to them because of what came of a glass that they broke."""

from typing import Annotated, Literal

from pydantic import Field

from store.model.identity import RequestId, UserId
from store.model.record import Part, Record


class Cause(Part):
    """A debt that was disputed, or that nobody countersigned in time."""

    request: RequestId
    why: Literal["disputed", "overdue"]
    at_ms: int


class Opening(Part):
    """An owner has looked at it, and lets the person break the glass again."""

    by: UserId
    at_ms: int
    reason: str


class Lock(Record):
    """It holds from its first cause on until an owner has opened it. Later causes are added to one that holds."""

    user: UserId
    causes: Annotated[tuple[Cause, ...], Field(min_length=1)]  # oldest first
    opened: Opening | None = None

    @property
    def holds(self) -> bool:
        return self.opened is None

    @property
    def since_ms(self) -> int:
        return self.causes[0].at_ms

    @property
    def newest(self) -> Cause:
        return self.causes[-1]
