"""Command: what somebody, the clock or an outside system asks of a request."""

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from store.model.request import Amendment, Timer, Touch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """`id` is the same whenever the same wish arrives again: its answer is kept for a day."""

    id: str
    actor: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything but the id: another content under the same id is a conflict."""
        content = [(name, getattr(self, name)) for name in self.__dataclass_fields__ if name != "id"]
        return hashlib.sha256(repr((type(self).__name__, content)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict(_Command):
    """A verdict is bound to what the person saw."""

    revision: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve(_Verdict):
    """`deploys`: and start the deploy, if this decides it and they may."""

    cap_ms: int | None = None
    deploys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny(_Verdict):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Break(_Verdict):
    """Break glass."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersign(_Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute(_Command):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(_Verdict):
    """To ask something else under the same id. A change is asked again on top of what is there now, with the same sealed values.

    It is made under the policy of now: that number and rule are those of the request from then on, with a new time to decide.
    `reason` and `ticket` are what they are to be; `duration_ms` None keeps the length that was asked, `touches` None the change, `amendment` None the policies.
    """

    reason: str
    ticket: str | None = None
    duration_ms: int | None = None
    touches: tuple[Touch, ...] | None = None
    amendment: Amendment | None = None

    @property
    def fingerprint(self) -> str:
        """Sealing the same values again gives other entries, so a change is known by its names and what goes."""
        known = None if self.touches is None else [(touch.name, touch.entry is None) for touch in self.touches]
        content = [(name, getattr(self, name)) for name in self.__dataclass_fields__ if name not in ("id", "touches")]
        return hashlib.sha256(repr((type(self).__name__, content, known)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(_Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate(_Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(_Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy(_Command):
    """Start what was approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(_Command):
    """Of a deploy that was approved or runs: it shall not, or no more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(_Command):
    """The receiver says how a deploy goes. The actor is `machine:…` or `relay`."""

    outcome: Literal["running", "succeeded", "failed"]
    stage: str | None = None
    log: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End(_Command):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally(_Command):
    """Count again, now that the facts about people are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due(_Command):
    """The clock: this timer of the request is up. `at_ms` tells it from an earlier one of the same name."""

    timer: Timer
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue(_Command):
    """The clock: nobody countersigned in time."""

    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Present(_Command):
    """The outside was read: the person is a member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent(_Command):
    """The outside was read: the person is not a member, or (`kept_by`) another live grant keeps them there."""

    kept_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(_Command):
    """The outside will not do it. `absent`: it was read, and the person is not a member."""

    sentence: str
    absent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble(_Command):
    """The outside does not do what it says. The card shows it; nothing else changes."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(_Command):
    """Slack is said to know that somebody whom this concerns may do nothing here any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlock(_Command):
    """An owner lets `user` break the glass again: of a person, not of a request. `seen_ms`: the newest cause they saw."""

    user: str
    reason: str
    seen_ms: int | None = None


Command: TypeAlias = (
    Approve | Deny | Break | Countersign | Dispute | Edit | Withdraw | Activate | Merge | Deploy | Cancel | Report | End
    | Tally | Due | Overdue | Present | Absent | Refused | Trouble | Leave
)  # fmt: skip
