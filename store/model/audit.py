"""Audit: one numbered entry for each thing that was done, or was tried and refused."""

from store.model.record import Record


class Audit(Record):
    """`event` is in the past tense, `request.approved`. `actor` is a user id, `clock` or `relay`. Never a value."""

    event: str
    actor: str
    at_ms: int
    request: str | None = None
    target: str | None = None
    details: dict[str, str | int | None] = {}
