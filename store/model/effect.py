"""Effect: what the world must be told, because of something that is already true.

State effects are keyed by thing: they coalesce, and act on what is true when they run. Announcements are keyed by event.
"""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from store.model.grant import Membership
from store.model.identity import RequestId, UserId
from store.model.policy import Circle
from store.model.record import Record

Lane = Literal["slack", "connector", "hook"]
News = Literal[
    "requested", "approved", "denied", "expired", "stale", "merged", "active", "warning", "ended", "failed", "broken",
    "countersigned", "disputed", "overdue", "no_rule", "trouble", "locked", "unlocked",
    "reminder", "escalated", "edited", "extended", "withdrawn",
]  # fmt: skip


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

    @property
    def key(self) -> str:
        return f"tell:{self.request}:{self.news}:{self.at_ms}:{self.to}"


class Announce(_Effect):
    """Everybody concerned (approvers, owners, the channel) learns of it. It becomes one `Tell` a person."""

    lane: ClassVar[Lane] = "slack"
    type: Literal["announce"] = "announce"
    request: RequestId
    news: News
    at_ms: int
    to: Circle | None = None  # who is told besides, where that is not always the same

    @property
    def key(self) -> str:
        return f"announce:{self.request}:{self.news}:{self.at_ms}"


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


Effect: TypeAlias = Annotated[
    ShowCard | Tell | Announce | Count | Depart | Align | Redeploy, Field(discriminator="type")
]
