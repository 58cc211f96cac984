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
            user=user,
            action=action["action_id"],
            value=value,
            command_id=f"click:{user}:{about}:{action['action_id']}:{action['action_ts']}",
            trigger=body["trigger_id"],
            channel=(body.get("channel") or {}).get("id"),
            ts=message["ts"] if message else None,
            view=view["id"] if view else None,
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
            body["user"]["id"],
            view["id"],
            view["callback_id"],
            view["state"]["values"],
            view.get("private_metadata", ""),
        )
    except (KeyError, TypeError, AttributeError):
        raise Invalid("This form is not one of ours.", code="bad_payload") from None
