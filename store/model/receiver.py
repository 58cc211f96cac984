"""Receiver: what is known of one hook beside what the policies say of it."""

from store.model.record import Part, Record


class Pause(Part):
    """`by` is a person, or the owner of the machine."""

    by: str
    at_ms: int
    reason: str = ""


class Receiver(Record):
    """`former_until_ms`: until when its deliveries are signed with the former secret too. `shown_ms`: when somebody was shown its secret."""

    paused: Pause | None = None
    former_until_ms: int | None = None
    shown_ms: int | None = None
