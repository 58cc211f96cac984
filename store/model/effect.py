"""Effect: what the world must be told, because of something that is already true.

State effects are keyed by thing: they coalesce, and act on what is true when they run. Announcements are keyed by event.
"""

import hashlib
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, StringConstraints

from store.model.grant import Membership
from store.model.identity import RequestId, TargetId, UserId
from store.model.policy import Circle, HookEvent
from store.model.record import Record
from store.model.request import Gate
from store.model.sealed import HolderName
from store.model.token import TokenId

Lane = Literal["slack", "connector", "hook", "mail"]
News = Literal[
    "requested", "approved", "denied", "expired", "stale", "merged", "active", "warning", "ended", "failed", "broken",
    "countersigned", "disputed", "overdue", "no_rule", "trouble", "locked", "unlocked",
    "reminder", "escalated", "edited", "extended", "withdrawn", "undelivered", "channel_closed", "refused",
    "running", "succeeded", "cancelled", "superseded",
]  # fmt: skip
Decided = Literal[
    "approved", "denied", "broken", "countersigned", "disputed", "overdue", "succeeded", "failed", "cancelled"
]  # what the routes of a rule hear of: decisions, and how a deploy ended


class _Effect(Record):
    lane: ClassVar[Lane]


class ShowCard(_Effect):
    """Every copy of the request's card shows what is true."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["show_card"] = "show_card"
    request: RequestId

    @property
    def key(self) -> str:
        return f"card:{self.request}"


class Tell(_Effect):
    """One person learns one piece of news, once."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["tell"] = "tell"
    request: RequestId
    news: News
    to: UserId
    at_ms: int
    detail: str | None = None  # what the outside said, for news of that

    @property
    def key(self) -> str:
        return f"tell:{self.request}:{self.news}:{self.at_ms}:{self.to}{_apart(self.detail)}"


class Announce(_Effect):
    """Everybody concerned (approvers, owners, the channel) learns of it. It becomes one `Tell` a person."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["announce"] = "announce"
    request: RequestId
    news: News
    at_ms: int
    to: Circle | None = None  # who is told besides, where that is not always the same
    detail: str | None = None  # what the outside said, for news of that

    @property
    def key(self) -> str:
        return f"announce:{self.request}:{self.news}:{self.at_ms}{_apart(self.detail)}"


class Count(_Effect):
    """A vote was cast whose facts were missing: get them, then count."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["count"] = "count"
    request: RequestId

    @property
    def key(self) -> str:
        return f"count:{self.request}"


class Depart(_Effect):
    """Slack has said that somebody is gone: ask it whether that is so, and take back what they hold."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["depart"] = "depart"
    user: UserId

    @property
    def key(self) -> str:
        return f"depart:{self.user}"


class Align(_Effect):
    """The outside membership becomes what the live grants say."""

    lane: ClassVar[Lane] = "connector"
    type: Literal["align"] = "align"
    membership: Membership

    @property
    def key(self) -> str:
        return f"member:{self.membership.key}"


class Redeploy(_Effect):
    """One hook hears of an environment's newest version. `version` is what it must at least be."""

    lane: ClassVar[Lane] = "hook"
    type: Literal["redeploy"] = "redeploy"
    environment: str  # target id, `payments/prod`
    environment_id: str
    hook: str
    version: int
    request: RequestId
    at_ms: int

    @property
    def key(self) -> str:
        return f"redeploy:{self.environment_id}/{self.hook}"


class Fire(_Effect):
    """One hook hears of one event of a request: that it shall deploy, that access has begun or is over."""

    lane: ClassVar[Lane] = "hook"
    type: Literal["fire"] = "fire"
    request: RequestId
    hook: str
    event: HookEvent
    at_ms: int
    target: TargetId | None = None  # of the request

    @property
    def key(self) -> str:
        return f"fire:{self.request}/{self.hook}/{self.event}"


class Knock(_Effect):
    """A job at GitHub waits to be let into an environment: ask for it. What GitHub said is kept here until somebody is asked."""

    lane: ClassVar[Lane] = "hook"
    type: Literal["knock"] = "knock"
    gate: Gate
    version: str
    ref: str
    at_ms: int

    @property
    def key(self) -> str:
        return f"knock:{self.gate.repository}/{self.gate.run}/{self.gate.deployment}"


class Retire(_Effect):
    """The former secret of a hook goes, once its time is over."""

    lane: ClassVar[Lane] = "hook"
    type: Literal["retire"] = "retire"
    target: TargetId
    hook: str
    at_ms: int

    @property
    def key(self) -> str:
        return f"retire:{self.target}/{self.hook}"


class Recovered(_Effect):
    """Other policies were put into force, or a roster of key holders was begun anew, without anybody's approval. It becomes one message an owner."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["recovered"] = "recovered"
    number: int  # of the version that is in force since; of the roster, where it is about `holders`
    to: Annotated[str, StringConstraints(pattern=r"^[UWCG][A-Z0-9]{2,20}$")] | None = None  # a person, or a channel
    holders: tuple[HolderName, ...] | None = None  # names of a roster that was begun anew
    by: UserId | None = None  # who did that, and why
    reason: str | None = None

    @property
    def key(self) -> str:
        what = "recovered" if self.holders is None else "recovered-roster"
        return f"{what}:{self.number}" if self.to is None else f"{what}:{self.number}:{self.to}"


class TellToken(_Effect):
    """One person learns what became of a token of theirs. What it was is said here: the token may be gone by then."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["tell_token"] = "tell_token"
    news: Literal["logged_in", "expires"]
    to: UserId
    token: TokenId
    name: str  # of the computer, or of the machine
    at_ms: int  # when it happened, or will
    address: str | None = None
    fingerprint: str | None = None

    @property
    def key(self) -> str:
        return f"token:{self.token}:{self.news}:{self.at_ms}"


class Entrust(_Effect):
    """The roster of key holders has moved, or the policies have: who is new learns every key, and what became secure moves under a secure one."""

    lane: ClassVar[Lane] = "connector"
    type: Literal["entrust"] = "entrust"

    @property
    def key(self) -> str:
        return "entrust"


class _Notice(_Effect):
    """A decision, or the end of a deploy, told where the rule says. What it was is said here, so that it is the same at every try."""

    request: RequestId
    news: Decided
    at_ms: int
    by: tuple[UserId, ...] = ()  # who decided; of a deploy who cancelled it


class Post(_Notice):
    """A channel hears of it."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["post"] = "post"
    channel: str

    @property
    def key(self) -> str:
        return f"post:{self.request}:{self.news}:{self.at_ms}:{self.channel}"


class Signal(_Notice):
    """A receiver of signed webhooks hears of it."""

    lane: ClassVar[Lane] = "hook"
    type: Literal["signal"] = "signal"
    url: str

    @property
    def key(self) -> str:
        return f"signal:{self.request}:{self.news}:{self.at_ms}:{route(self.url)}"


class Mail(_Notice):
    """One person, or one address that the rule names, hears of it by e-mail."""

    lane: ClassVar[Lane] = "mail"
    type: Literal["mail"] = "mail"
    to: UserId | None = None
    address: str | None = None  # where it is no person

    @property
    def key(self) -> str:
        return f"mail:{self.request}:{self.news}:{self.at_ms}:{self.to or self.address}"


class MailApprovers(_Notice):
    """Every approver hears of it by e-mail, in Slack or not. It becomes one `Mail` a person."""

    lane: ClassVar[Lane] = "mail"
    type: Literal["mail_approvers"] = "mail_approvers"

    @property
    def key(self) -> str:
        return f"mail-approvers:{self.request}:{self.news}:{self.at_ms}"


def route(url: str) -> str:
    """A name for a receiver that is known by its URL alone: 32 hexadecimal digits."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def _apart(detail: str | None) -> str:
    return "" if detail is None else f":{route(detail)}"


Effect: TypeAlias = Annotated[
    ShowCard | Tell | Announce | Count | Depart | Align | Redeploy | Fire | Knock | Retire | Post | Signal | Mail | MailApprovers | Recovered
    | TellToken | Entrust,
    Field(discriminator="type"),
]  # fmt: skip
