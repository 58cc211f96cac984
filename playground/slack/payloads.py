"""Payloads of what people do, as Slack sends them to an app."""

from typing import Final

from playground.slack.elements import chosen, state_values
from playground.slack.records import Channel, Json, Message, NotPossible, Person, View
from playground.slack.shapes import channel_in_payload, message_object, team_in_payload, user_in_payload, view_object
from playground.slack.state import State

VERIFICATION_TOKEN: Final = "playground-verification-token"  # noqa: S105  # Slack's deprecated token, in each payload still
_BUTTONS: Final = {"button", "workflow_button", "icon_button"}


def common(state: State, kind: str, person: Person, trigger_id: str) -> Json:
    return {
        "type": kind,
        "user": user_in_payload(state, person),
        "api_app_id": state.app_id,
        "token": VERIFICATION_TOKEN,
        "trigger_id": trigger_id,
        "team": team_in_payload(state),
        "enterprise": None,
        "is_enterprise_install": False,
    }


def action(
    state: State, block: Json, element: Json, given: object, fetched: list[Json] | None
) -> tuple[Json, Json | None]:
    """The one entry of `actions`, and what the surface's state then holds of the element. Raises `NotPossible`."""
    kind = element["type"]
    shape: Json = {
        "type": kind,
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": state.next_ts(),
    }
    if kind in _BUTTONS:
        if given not in (None, "", element.get("value")):
            raise NotPossible("A button has the value that the app gave it.")
        shape |= {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        return shape, None
    held = chosen(element, given, fetched)
    shape |= held | {key: element[key] for key in ("placeholder", "confirm") if key in element}
    return shape, None if kind == "overflow" else held


def message_action_payload(
    state: State,
    person: Person,
    channel: Channel,
    message: Message,
    acted: Json,
    response_url: str,
    values: dict[str, Json],
) -> Json:
    ephemeral = message.to is not None
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id, "is_ephemeral": ephemeral}
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload = common(state, "block_actions", person, state.new_trigger(person.id)) | {
        "container": container,
        "channel": channel_in_payload(channel),
        "response_url": response_url,
        "state": {"values": state_values(message.blocks, values)},
        "actions": [acted],
    }
    return payload if ephemeral else payload | {"message": message_object(state, message)}


def view_action_payload(state: State, person: Person, view: View, acted: Json) -> Json:
    return common(state, "block_actions", person, state.new_trigger(person.id, view.id)) | {
        "container": {"type": "view", "view_id": view.id},
        "view": view_object(state, view),
        "actions": [acted],
    }


def submission_payload(state: State, person: Person, view: View) -> Json:
    payload = common(state, "view_submission", person, state.new_trigger(person.id, view.id))
    return payload | {"view": view_object(state, view), "response_urls": []}


def closed_payload(state: State, person: Person, view: View, *, cleared: bool) -> Json:
    payload = common(state, "view_closed", person, "") | {"view": view_object(state, view), "is_cleared": cleared}
    del payload["trigger_id"]
    return payload


def shortcut_payload(state: State, person: Person, callback_id: str) -> Json:
    return common(state, "shortcut", person, state.new_trigger(person.id)) | {
        "callback_id": callback_id,
        "action_ts": state.next_ts(),
    }


def message_shortcut_payload(
    state: State, person: Person, callback_id: str, channel: Channel, message: Message, response_url: str
) -> Json:
    return common(state, "message_action", person, state.new_trigger(person.id)) | {
        "callback_id": callback_id,
        "action_ts": state.next_ts(),
        "message_ts": message.ts,
        "message": message_object(state, message),
        "channel": channel_in_payload(channel),
        "response_url": response_url,
    }


def slash_payload(state: State, person: Person, channel: Channel, command: str, text: str, response_url: str) -> Json:
    where = channel_in_payload(channel)
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": state.team_of(person),
        "team_domain": state.team_name.lower(),
        "channel_id": where["id"],
        "channel_name": where["name"],
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": state.app_id,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": state.new_trigger(person.id),
    }


def suggestion_payload(
    state: State, person: Person, view: View | None, message: Message | None, block_id: str, action_id: str, query: str
) -> Json:
    payload = common(state, "block_suggestion", person, "") | {
        "action_id": action_id,
        "block_id": block_id,
        "value": query,
    }
    del payload["trigger_id"]
    if view is not None:
        return payload | {"container": {"type": "view", "view_id": view.id}, "view": view_object(state, view)}
    if message is not None:
        container = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": message.to is not None,
        }
        return payload | {
            "container": container,
            "channel": {"id": message.channel},
            "message": message_object(state, message),
        }
    return payload


def event_payload(state: State, event: Json) -> Json:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": state.team_id,
        "context_team_id": state.team_id,
        "context_enterprise_id": None,
        "api_app_id": state.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": state.new_id("Ev"),
        "event_time": state.clock() // 1000,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": state.team_id,
                "user_id": state.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }
