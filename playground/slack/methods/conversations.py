"""conversations.*: which channels the bot can see, and who is in them."""

from typing import Final, TypeVar

from playground.slack.records import Channel, Json, SlackError
from playground.slack.shapes import channel_object
from playground.slack.state import State

T = TypeVar("T")

_TYPES: Final = {"public_channel": "public", "private_channel": "private", "im": "im"}
_SCOPES: Final = {"public": "channels:read", "private": "groups:read", "im": "im:read"}


def visible(state: State, name: str) -> Channel:
    """By id, or by #name. A private channel without the bot is not there for it. Raises `SlackError`."""
    channel = state.channels.get(name) or next(
        (
            channel
            for channel in state.channels.values()
            if channel.kind != "im" and channel.name == name.removeprefix("#")
        ),
        None,
    )
    if channel is None or (channel.kind == "private" and not channel.bot_is_member):
        raise SlackError("channel_not_found")
    return channel


def open_im(state: State, args: Json) -> Json:
    if channel_id := args.get("channel"):
        channel = visible(state, str(channel_id))
        if channel.kind != "im":
            raise SlackError("method_not_supported_for_channel_type")
        return {"channel": {"id": channel.id}, "no_op": True, "already_open": True}
    users = [user.strip() for user in _listed(args.get("users")) if user.strip()]
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        raise SlackError("missing_scope", needed="mpim:write", provided=",".join(sorted(state.manifest.scopes)))
    person = state.person(users[0])
    if person.id == state.bot_user_id or person.kind == "bot":
        raise SlackError("cannot_dm_bot")
    if person.kind == "deactivated":
        raise SlackError("user_disabled")
    known = f"D{person.id[1:]}" in state.channels
    channel = state.im(person.id)
    return {"channel": {"id": channel.id}} | ({"no_op": True, "already_open": True} if known else {})


def info(state: State, args: Json) -> Json:
    channel = _readable(state, str(args["channel"]))
    shape = channel_object(state, channel)
    if str(args.get("include_num_members")).lower() in ("1", "true"):
        shape["num_members"] = len(state.members(channel))
    return {"channel": shape}


def own(state: State, args: Json) -> Json:
    """Those the bot is in, for which it has the scope."""
    kinds = {_TYPES[each] for each in str(args.get("types") or "public_channel").split(",") if each in _TYPES}
    if lacking := sorted(_SCOPES[kind] for kind in kinds if _SCOPES[kind] not in state.manifest.scopes):
        raise SlackError("missing_scope", needed=lacking[0], provided=",".join(sorted(state.manifest.scopes)))
    without_archived = str(args.get("exclude_archived")).lower() in ("1", "true")
    found = [
        channel_object(state, channel)
        for channel in state.channels.values()
        if channel.kind in kinds and channel.bot_is_member and not (channel.archived and without_archived)
    ]
    page, following = _page(found, args)
    return {"channels": page, "response_metadata": {"next_cursor": following}}


def members(state: State, args: Json) -> Json:
    channel = _readable(state, str(args["channel"]))
    page, following = _page(state.members(channel), args)
    return {"members": page, "response_metadata": {"next_cursor": following}}


def _page(everything: list[T], args: Json) -> tuple[list[T], str]:
    """And where the next one begins, empty at the end."""
    try:
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
    except ValueError:
        raise SlackError("invalid_cursor") from None
    if not 1 <= limit <= 1000:
        raise SlackError("invalid_limit")
    return everything[start : start + limit], str(start + limit) if start + limit < len(everything) else ""


def _readable(state: State, name: str) -> Channel:
    channel = visible(state, name) if name in state.channels else None  # by id only
    if channel is None:
        raise SlackError("channel_not_found")
    needed = _SCOPES[channel.kind]
    if needed not in state.manifest.scopes:
        raise SlackError("missing_scope", needed=needed, provided=",".join(sorted(state.manifest.scopes)))
    return channel


def _listed(users: object) -> list[str]:
    return [str(user) for user in users] if isinstance(users, list) else str(users or "").split(",")
