"""Facts: what a view is drawn from, and what it comes out as."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from store.model.caution import Caution
from store.model.debt import Debt
from store.model.delivery import Delivery
from store.model.explain import Explanation
from store.model.lock import Lock
from store.model.lockout import Danger
from store.model.policy import HOUR, Threshold, Ticket
from store.model.request import Kind, Request
from store.model.slots import Landed
from store.model.standing import Rules

Block: TypeAlias = dict[str, Any]
View: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is what notifications and screen readers read: all of it in words."""

    text: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is another in other policies: a rule, a target, a connector or a key at the top. The words may quote a file."""

    kind: str  # added removed moved renamed changed
    about: str
    head: str
    lines: tuple[str, ...] = ()  # key by key


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a change of the policies would put into force, told by what is another than in version `base`."""

    base: int
    changes: tuple[Said, ...]
    named: tuple[str, ...] = ()  # users and groups that only the new policies name
    unnamed: tuple[str, ...] = ()  # and those that only the old ones do
    dangers: tuple[Danger, ...] = ()
    now: int | None = None  # the version in force, where that is another than `base` and this is not decided


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything a card of one request may say."""

    request: Request
    rules: Rules | None = None  # None: no rule covers it any more
    debt: Debt | None = None
    needed: tuple[Threshold, ...] = ()  # places still open under the rule of now
    shows: bool = False  # this target shows values in Slack
    deliveries: tuple[Delivery, ...] = ()
    asked: tuple[str, ...] = ()  # users and groups who are asked
    decides: bool | None = None  # for a call that somebody must decide: whether who reads it may; None: not known
    passes: bool | None = (
        None  # whether the one person who reads it may break the glass; None: not known, or many read it
    )
    proposed: Proposed | None = None  # of a change of the policies; None where what lies there is not what was asked
    cautions: tuple[Caution, ...] | None = ()  # about the values of a change; None: they could not be worked out
    waits: str | None = None  # the request for more time of it that nobody has decided yet
    starts_ms: int | None = None  # of a deploy that was approved: from when on the rule lets it start
    frozen: tuple[int, str] | None = (
        None  # of a deploy that has not started: until when, ms, and what that time is called
    )
    back_to: Landed | None = None  # of a deploy that is over: the last that succeeded, but for itself
    lock: Lock | None = None  # for news of a lock: of the person who reads it
    undelivered: str | None = None  # for news of what did not arrive: where, and why
    closed: tuple[str, str] | None = None  # for news of a channel: which, and Slack's word for why
    refused: tuple[str, str] | None = None  # for news of a message: of what kind, and Slack's word for why


@dataclass(frozen=True, slots=True)
class WhoIsAsked:
    """Who would decide, as the requester sees it before asking. `refusal`: a sentence why it cannot be asked; `not_for`: for whom.

    `asking`: Slack is being asked for what `explained` does not know, and the form is drawn again with it.
    """

    explained: Explanation | None = None
    refusal: str | None = None
    asking: bool = False
    not_for: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rule says about asking for one target. `enters` and `names` (what is there now) are for a change."""

    who: WhoIsAsked = WhoIsAsked()
    default_ms: int = HOUR
    max_ms: int = 4 * HOUR
    grant_expiration_ms: int = 8 * HOUR
    reason_required: bool = True
    ticket: Ticket | None = None
    enters: bool = False
    names: tuple[str, ...] = ()
    frozen: tuple[int, str] | None = None  # for a deploy: until when, ms, and what that time is called


@dataclass(frozen=True, slots=True)
class Prefill:
    """What is known before the form opens. `target` None, or one that is not offered: nothing is selected."""

    target: str | None = None
    duration_ms: int | None = None
    reason: str = ""
    ticket: str = ""
    channel: str | None = None  # where an answer goes
    whom: str | None = None  # for whom, where it is not for who asks
    kinds: tuple[Kind, ...] = ()  # what this person may ask for at all, to choose from
    version: str = ""  # of a deploy, and what it is for ever
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something this person may ask for."""

    kind: Kind
    target: str
