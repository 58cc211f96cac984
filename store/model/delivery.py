"""Delivery: how telling one hook of one event goes, a receipt for each try."""

from typing import Literal, TypeAlias

from store.model.identity import RequestId, TargetId
from store.model.policy import HookEvent
from store.model.record import Part, Record

COALESCED: frozenset[str] = frozenset({"change", "rollback"})  # of which a hook hears only the newest version

State: TypeAlias = Literal["waiting", "delivered", "failed", "overtaken"]


class Receipt(Part):
    """`status` is the HTTP status, None where there was no answer. `said` is what the receiver answered, or why there was none."""

    at_ms: int
    status: int | None = None
    latency_ms: int = 0
    said: str = ""


class Delivery(Record):
    """The id of the message is the same over all tries."""

    request: RequestId
    environment: TargetId  # the target of the request
    hook: str
    event: HookEvent = "change"
    version: int  # of the environment; 0 where the event has none
    message_id: str
    at_ms: int = 0  # when it happened, what is told; 0 in records that are older than this field
    until_ms: int | None = None  # of an access that has begun: until when it is given, as far as was known then
    state: State = "waiting"
    attempts: int = 0
    counted_from: int = 0  # attempts before somebody had it tried anew: the schedule counts from here
    next_ms: int | None = None
    receipts: tuple[Receipt, ...] = ()  # the newest twenty

    @property
    def place(self) -> str:
        """What tells it from the others of its request: `api`, `api:deploy`."""
        return self.hook if self.event in COALESCED else f"{self.hook}:{self.event}"
