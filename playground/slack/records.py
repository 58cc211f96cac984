"""The records a workspace is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["member", "guest", "single_channel_guest", "deactivated", "stranger", "bot"]
ChannelKind = Literal["public", "private", "im"]


@dataclass(slots=True)
class Person:
    """`id` begins with U or W. `tz` an IANA name. A stranger comes through Slack Connect and is of `team_id`."""

    id: str
    name: str
    real_name: str = ""
    email: str = ""
    kind: Kind = "member"
    tz: str = "Europe/Stockholm"
    team_id: str | None = None
    admin: bool = False
    updated: int = 0

    def __post_init__(self) -> None:
        self.real_name = self.real_name or self.name.replace(".", " ").title()
        self.email = self.email or f"{self.name}@example.com"


@dataclass(slots=True)
class Group:
    """A user group. `id` begins with S; `handle` is what people mention, without the @."""

    id: str
    handle: str
    users: list[str] = field(default_factory=list)
    name: str = ""
    disabled: bool = False
    updated: int = 0

    def __post_init__(self) -> None:
        self.name = self.name or self.handle.replace("-", " ").title()


@dataclass(slots=True)
class Channel:
    """`id` begins with C, or with D for an IM, whose `user` is the person and whose other end is the bot.

    `members` None: everybody of the home workspace who is not a guest.
    """

    id: str
    name: str
    kind: ChannelKind = "public"
    members: set[str] | None = None
    user: str | None = None
    bot_is_member: bool = True
    archived: bool = False
    created: int = 0


@dataclass(slots=True)
class Message:
    """`ts` is Slack's decimal string of seconds, unique in the workspace, and the message's id. `to`: only addressee of an ephemeral."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    edited_ts: str | None = None
    to: str | None = None
    metadata: Json | None = None
    from_bot: bool = False


@dataclass(slots=True)
class View:
    """A modal or an App Home as one person has it. `values` is what was chosen or typed so far: block id → action id → state."""

    id: str
    user: str
    payload: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    values: dict[str, Json] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Json]:
        return list(self.payload["blocks"])


@dataclass(slots=True)
class Trigger:
    user: str
    issued_ms: int
    view_id: str | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One Web API call as it was answered. `answer` None: the caller never got one."""

    method: str
    args: Mapping[str, Any]
    at_ms: int
    status: int
    answer: Json | None

    @property
    def ok(self) -> bool:
        return bool(self.answer and self.answer.get("ok"))

    @property
    def error(self) -> str | None:
        return None if self.answer is None else self.answer.get("error")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What Slack sends to the app, the same over a socket and over HTTP."""

    id: str
    type: Literal["interactive", "slash_commands", "events_api"]
    payload: Json
    accepts_response_payload: bool
    retry_attempt: int = 0
    retry_reason: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """`ok` False: nothing came in time, or not a 200; `reason` is Slack's word for it in `retry_reason`."""

    ok: bool
    payload: Json = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person saw of what they did.

    `sentence` is what the client showed when something went wrong; `errors` block id → text under a field;
    `action` the response_action of a submitted view; `envelope` can be delivered again.
    """

    ok: bool
    acked: bool = False
    sentence: str | None = None
    action: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    envelope: Envelope | None = None


class NotPossible(Exception):  # it is a sentence about the person, not about the program
    """A client would not have let this person do that: no such button, a modal that is not on top, a guest in a private channel."""


class SlackError(Exception):
    """An answer with `ok: false`. `code` is Slack's, `more` the fields beside it."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.more = more
