"""What the page shows to one person, as JSON."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from playground.slack.records import Channel, Json, Message, Person, View
from playground.slack.shapes import view_object
from playground.slack.state import wall_clock_ms
from playground.slack.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Panel:
    """`rows` is asked each time the page is drawn; it must not block.

    hooks: {time_ms, name, event, status, verified, body}; groups: {group, members}; text: anything that prints.
    """

    title: str
    kind: Literal["hooks", "groups", "text"]
    rows: Callable[[], list[Any]]


@dataclass(slots=True)
class Beside:
    """What stands beside the workspace: panels, and the time that the program believes in."""

    panels: list[Panel] = field(default_factory=list)
    now_ms: Callable[[], int] = wall_clock_ms
    skew_ms: Callable[[], int] = lambda: 0


def page_state(workspace: Workspace, user: str, beside: Beside, *, can_advance: bool) -> Json:
    own = workspace.channels_of(user)
    home = workspace.home(user)
    return {
        "me": user,
        "team": {"name": workspace.team_name, "id": workspace.team_id},
        "bot": {"id": workspace.bot_user_id, "name": workspace.manifest.name},
        "people": [
            _person(workspace, person) for person in workspace.people.values() if person.id != workspace.bot_user_id
        ],
        "groups": [
            {"id": group.id, "handle": group.handle, "name": group.name, "users": list(group.users)}
            for group in workspace.groups.values()
            if not group.disabled
        ],
        "channels": [_channel(workspace, channel, user) for channel in own],
        "messages": {channel.id: _messages(workspace, channel, user) for channel in own},
        "home": _view(workspace, home) if home is not None else None,
        "modals": [_view(workspace, view) for view in workspace.modals(user)],
        "commands": [
            {
                "command": one["command"],
                "usage_hint": one.get("usage_hint", ""),
                "description": one.get("description", ""),
            }
            for one in workspace.manifest.commands
        ],
        "shortcuts": [
            {"name": one["name"], "callback_id": one["callback_id"], "type": one["type"]}
            for one in workspace.manifest.shortcuts
        ],
        "panels": [{"title": panel.title, "kind": panel.kind, "rows": panel.rows()} for panel in beside.panels],
        "clock": {"now_ms": beside.now_ms(), "skew_ms": beside.skew_ms(), "can_advance": can_advance},
        "bot_connected": workspace.bot_connected,
        "notice": workspace.notice,
    }


def _person(workspace: Workspace, person: Person) -> Json:
    return {
        "id": person.id,
        "name": person.name,
        "real_name": person.real_name,
        "email": person.email,
        "tz": person.tz,
        "kind": person.kind,
        "groups": [
            group.handle for group in workspace.groups.values() if person.id in group.users and not group.disabled
        ],
    }


def _channel(workspace: Workspace, channel: Channel, user: str) -> Json:
    return {
        "id": channel.id,
        "name": workspace.manifest.name if channel.kind == "im" else channel.name,
        "kind": "im" if channel.kind == "im" else "channel",
        "archived": channel.archived,
        "unread": workspace.unread(user, channel.id),
    }


def _messages(workspace: Workspace, channel: Channel, user: str) -> list[Json]:
    messages = workspace.messages(channel.id)
    replies: dict[str, int] = {}
    for message in messages:
        if message.thread_ts:
            replies[message.thread_ts] = replies.get(message.thread_ts, 0) + 1
    own = [message for message in workspace.ephemerals(user) if message.channel == channel.id]
    return [
        _message(workspace, message, replies.get(message.ts, 0))
        for message in sorted([*messages, *own], key=lambda message: message.ts)
    ]


def _message(workspace: Workspace, message: Message, replies: int) -> Json:
    return {
        "ts": message.ts,
        "user": "bot" if message.user == workspace.bot_user_id else message.user,
        "text": message.text,
        "blocks": message.blocks,
        "edited": message.edited_ts is not None,
        "thread_ts": message.thread_ts,
        "reply_count": replies,
        "ephemeral": message.to is not None,
    }


def _view(workspace: Workspace, view: View) -> Json:
    return view_object(workspace, view) | {"errors": view.errors}
