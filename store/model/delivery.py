"""Delivery: how telling one hook of one version goes, a receipt for each try."""

from typing import Literal

from store.model.identity import RequestId, TargetId
from store.model.record import Part, Record


class Receipt(Part):
    """`status` is the HTTP status, None where there was no answer. `said` is what the receiver answered, or why there was none."""

    at_ms: int
    status: int | None = None
    latency_ms: int = 0
    said: str = ""


class Delivery(Record):
    """The id of the message is the same over all tries."""

    request: RequestId
    environment: TargetId
    hook: str
    version: int
    message_id: str
    state: Literal["waiting", "delivered", "failed", "overtaken"] = "waiting"
    attempts: int = 0
    next_ms: int | None = None
    receipts: tuple[Receipt, ...] = ()  # the newest twenty
