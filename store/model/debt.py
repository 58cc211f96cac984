"""Debt: what a break-glass owes, a countersignature by another eligible approver."""

from typing import Literal

from store.model.identity import RequestId, UserId
from store.model.record import Record


class Debt(Record):
    """Open until somebody else has looked, or `due_ms` has passed."""

    request: RequestId
    by: UserId
    opened_ms: int
    due_ms: int
    state: Literal["open", "countersigned", "disputed", "overdue"] = "open"
    closed_by: UserId | None = None
    closed_ms: int | None = None
    reason: str | None = None
