"""Records as the JSON that Slack makes of them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from playground.slack.elements import state_values
from playground.slack.records import Channel, Group, Json, Message, Person, View
from playground.slack.state import State


def user_object(state: State, person: Person, *, email: bool) -> Json:
    zone = datetime.fromtimestamp(state.clock() / 1000, UTC).astimezone(ZoneInfo(person.tz))
    offset = zone.utcoffset()
    profile: Json = {
        "real_name": person.real_name,
        "display_name": person.name,
        "real_name_normalized": person.real_name,
        "team": state.team_of(person),
    }
    if email and person.kind != "bot":
        profile["email"] = person.email
    shape: Json = {
        "id": person.id,
        "team_id": state.team_of(person),
        "name": person.name,
        "deleted": person.kind == "deactivated",
        "profile": profile,
        "is_bot": person.kind == "bot",
        "is_app_user": False,
        "updated": person.updated,
    }
    if person.kind == "deactivated":
        return shape
    shape |= {
        "real_name": person.real_name,
        "tz": person.tz,
        "tz_label": zone.tzname() or "",
        "tz_offset": int(offset.total_seconds()) if offset is not None else 0,
        "is_admin": person.admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": person.kind in ("guest", "single_channel_guest"),
        "is_ultra_restricted": person.kind == "single_channel_guest",
        "is_email_confirmed": True,
    }
    if person.kind == "stranger":
        shape["is_stranger"] = True
    return shape


def channel_object(state: State, channel: Channel) -> Json:
    shape: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_im": channel.kind == "im",
        "is_org_shared": False,
    }
    if channel.kind == "im":
        return shape | {
            "user": channel.user,
            "is_user_deleted": state.people[channel.user or ""].kind == "deactivated",
            "is_open": True,
        }
    return shape | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": channel.kind == "public",
        "is_group": channel.kind == "private",
        "is_mpim": False,
        "is_private": channel.kind == "private",
        "is_general": False,
        "is_member": channel.bot_is_member,
        "is_shared": False,
        "is_ext_shared": False,
        "is_pending_ext_shared": False,
        "unlinked": 0,
        "context_team_id": state.team_id,
        "creator": state.bot_user_id,
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "previous_names": [],
    }


def channel_in_payload(channel: Channel) -> Json:
    """The two fields that interaction payloads carry."""
    return {
        "id": channel.id,
        "name": {"im": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name),
    }


def group_object(state: State, group: Group, *, users: bool = False, count: bool = False) -> Json:
    shape: Json = {
        "id": group.id,
        "team_id": state.team_id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": "",
        "handle": group.handle,
        "is_external": False,
        "date_create": 0,
        "date_update": group.updated,
        "date_delete": group.updated if group.disabled else 0,
        "auto_type": None,
        "created_by": state.bot_user_id,
        "updated_by": state.bot_user_id,
        "deleted_by": None,
        "prefs": {"channels": [], "groups": []},
    }
    if users:
        shape["users"] = list(group.users)
    if users or count:
        shape["user_count"] = len(group.users)
    return shape


def message_object(state: State, message: Message) -> Json:
    shape: Json = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "text": message.text,
        "team": state.team_id,
    }
    if message.from_bot:
        shape |= {"bot_id": state.bot_id, "app_id": state.app_id}
    if message.blocks:
        shape["blocks"] = message.blocks
    if message.attachments:
        shape["attachments"] = message.attachments
    if message.thread_ts:
        shape["thread_ts"] = message.thread_ts
    if message.metadata:
        shape["metadata"] = message.metadata
    if message.edited_ts:
        shape["edited"] = {"user": message.user, "ts": message.edited_ts}
    return shape


def view_object(state: State, view: View) -> Json:
    payload = view.payload
    shape: dict[str, Any] = {
        "id": view.id,
        "team_id": state.team_id,
        "type": payload["type"],
        "blocks": payload["blocks"],
        "private_metadata": payload.get("private_metadata", ""),
        "callback_id": payload.get("callback_id", ""),
        "state": {"values": state_values(view.blocks, view.values)},
        "hash": view.hash,
        "title": payload.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": payload.get("clear_on_close", False),
        "notify_on_close": payload.get("notify_on_close", False),
        "close": payload.get("close"),
        "submit": payload.get("submit"),
        "previous_view_id": view.previous_id,
        "root_view_id": view.root_id,
        "app_id": state.app_id,
        "external_id": payload.get("external_id", ""),
        "app_installed_team_id": state.team_id,
        "bot_id": state.bot_id,
    }
    return shape


def user_in_payload(state: State, person: Person) -> Json:
    return {"id": person.id, "username": person.name, "name": person.name, "team_id": state.team_of(person)}


def team_in_payload(state: State) -> Json:
    return {"id": state.team_id, "domain": state.team_name.lower()}
