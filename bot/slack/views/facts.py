"""Facts: what a view is drawn from, and what it comes out as."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from store.model.debt import Debt
from store.model.delivery import Delivery
from store.model.lock import Lock
from store.model.policy import HOUR, Threshold, Ticket
from store.model.request import Kind, Request
from store.model.standing import Rules

Block: TypeAlias = dict[str, Any]
View: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is what notifications and screen readers read: all of it in words."""

    text: str
    blocks: list[Block]


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
    decides: bool = False  # for a call that somebody must decide: whether who reads it may
    lock: Lock | None = None  # for news of a lock: of the person who reads it


@dataclass(frozen=True, slots=True)
class WhoIsAsked:
    """Who would decide, as the requester sees it before asking. `refusal`: a sentence why it cannot be asked."""

    thresholds: tuple[Threshold, ...] = ()
    channel: str | None = None
    refusal: str | None = None


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


@dataclass(frozen=True, slots=True)
class Prefill:
    """What is known before the form opens. `target` None, or one that is not offered: nothing is selected."""

    target: str | None = None
    duration_ms: int | None = None
    reason: str = ""
    ticket: str = ""
    channel: str | None = None  # where an answer goes
    whom: str | None = None  # for whom, where it is not for who asks


@dataclass(frozen=True, slots=True)
class Offer:
    """Something this person may ask for."""

    kind: Kind
    target: str


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What one person's App Home shows. `health` is None for who is no owner."""

    user: str
    waiting: tuple[CardFacts, ...] = ()  # for this person to decide, or to countersign
    mine: tuple[CardFacts, ...] = ()  # asked by or for this person, not over, not live
    grants: tuple[CardFacts, ...] = ()  # granting, active, revoking, for this person
    offers: tuple[Offer, ...] = ()
    health: tuple[str, ...] | None = None
    more: dict[str, int] = field(
        default_factory=dict
    )  # "waiting", "mine", "locks" -> how many more there are than are given
    locks: tuple[Lock, ...] = ()  # for owners: whose break-glass is locked
