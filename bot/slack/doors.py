"""Doors: what arrives from Slack, as who is speaking, about what, and under which id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.slack.ids import Reference, parse_reference
from store.model.errors import Invalid


@dataclass(frozen=True, slots=True)
class Click:
    """One press of a button. `command_id` is the same when Slack delivers it twice. `value` has come back from a client.

    `ts` is that of a message which can be drawn again: not of one that only this person sees.
    """

    user: str
    action: str
    value: str
    command_id: str
    trigger: str
    channel: str | None = None
    ts: str | None = None
    view: str | None = None
    block: str = ""  # in which it stands

    @property
    def reference(self) -> Reference:
        """Raises `Invalid`."""
        return parse_reference(self.value)

    @property
    def at_home(self) -> bool:
        return self.view is not None

    @property
    def in_passing(self) -> bool:
        """On a message that only this person sees, and that nobody can change any more."""
        return self.view is None and self.ts is None


def click(body: Mapping[str, Any]) -> Click:
    """Raises `Invalid` for what is no click of ours."""
    try:
        action = body["actions"][0]
        user = body["user"]["id"]
        message, view = body.get("message"), body.get("view")
        about = view["id"] if view else message["ts"] if message else body["container"]["message_ts"]
        value = action.get("value") or (action.get("selected_option") or {}).get("value") or ""
        return Click(
            user=_text(user),
            action=_text(action["action_id"]),
            value=_text(value),
            command_id=f"click:{user}:{about}:{action['action_id']}:{action['action_ts']}",
            trigger=_text(body["trigger_id"]),
            channel=_maybe((body.get("channel") or {}).get("id")),
            ts=_text(message["ts"]) if message else None,
            view=_text(view["id"]) if view else None,
            block=_text(action.get("block_id") or ""),
        )
    except (KeyError, TypeError, IndexError, AttributeError):
        raise Invalid("This click is not one of ours.", code="bad_payload") from None


@dataclass(frozen=True, slots=True)
class Submission:
    """A modal that was sent off. The id of its view makes it one wish, however often it arrives."""

    user: str
    view: str
    callback: str
    values: Mapping[str, Any]
    metadata: str

    @property
    def command_id(self) -> str:
        return f"view:{self.view}"


def submission(body: Mapping[str, Any]) -> Submission:
    """Raises `Invalid` for what is no form of ours."""
    try:
        view = body["view"]
        return Submission(
            _text(body["user"]["id"]),
            _text(view["id"]),
            _text(view["callback_id"]),
            {_text(block): fields for block, fields in view["state"]["values"].items()},
            _text(view.get("private_metadata", "")),
        )
    except (KeyError, TypeError, AttributeError):
        raise Invalid("This form is not one of ours.", code="bad_payload") from None


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that was chosen in a form which is still open. `shown` is Slack's hash of it as it was seen; `at_s` Slack's time."""

    form: Submission
    action: str
    value: str
    shown: str
    at_s: float


def choice(body: Mapping[str, Any]) -> Choice:
    """Raises `Invalid` for what is no choice in a form of ours."""
    form = submission(body)
    try:
        action = body["actions"][0]
        value = (action.get("selected_option") or {}).get("value") or action.get("value") or ""
        chosen_s = float(_text(action.get("action_ts", "0")))
        return Choice(form, _text(action["action_id"]), _text(value), _text(body["view"]["hash"]), chosen_s)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        raise Invalid("This choice is not one of ours.", code="bad_payload") from None


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody typed after `/countersign`, or a shortcut they took: then `text` is its callback id and they are nowhere."""

    user: str
    text: str
    trigger: str
    channel: str | None = None


def line(body: Mapping[str, Any]) -> Line:
    """Raises `Invalid` for what is no command of ours."""
    try:
        text = body.get("text") or ""
        return Line(_text(body["user_id"]), _text(text), _text(body["trigger_id"]), _text(body["channel_id"]))
    except (KeyError, TypeError, AttributeError):
        raise Invalid("This command is not one of ours.", code="bad_payload") from None


def shortcut(body: Mapping[str, Any]) -> Line:
    """Raises `Invalid` for what is no shortcut of ours."""
    try:
        return Line(_text(body["user"]["id"]), _text(body["callback_id"]), _text(body["trigger_id"]))
    except (KeyError, TypeError):
        raise Invalid("This shortcut is not one of ours.", code="bad_payload") from None


@dataclass(frozen=True, slots=True)
class About:
    """The shortcut of a message."""

    user: str
    channel: str
    ts: str
    trigger: str


def about(body: Mapping[str, Any]) -> About:
    """Raises `Invalid` for what is no shortcut of ours."""
    try:
        user, channel, ts = body["user"]["id"], body["channel"]["id"], body["message"]["ts"]
        return About(_text(user), _text(channel), _text(ts), _text(body["trigger_id"]))
    except (KeyError, TypeError):
        raise Invalid("This shortcut is not one of ours.", code="bad_payload") from None


def speaker(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Who is to be answered, and in which channel, as far as it can be told of whatever has arrived."""
    user, channel = body.get("user"), body.get("channel")
    who = user.get("id") if isinstance(user, Mapping) else body.get("user_id")
    where = channel.get("id") if isinstance(channel, Mapping) else body.get("channel_id")
    return who if isinstance(who, str) else None, where if isinstance(where, str) else None


def _text(found: Any) -> str:
    """Raises `TypeError`: what comes back from a client may be anything."""
    if not isinstance(found, str):
        raise TypeError(type(found))
    return found


def _maybe(found: Any) -> str | None:
    return None if found is None else _text(found)
