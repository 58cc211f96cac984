"""Probes: what a client could send to each door that Slack brings, made of the very buttons and forms that are drawn.

A button or form that is drawn anywhere in the storybook is tried here without anybody doing anything for it.
"""

import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from bot.slack import samples
from bot.slack.storybook import stories
from playground import seed
from playground.house import House
from playground.slack import payloads
from playground.slack.elements import state_values
from playground.slack.shapes import channel_in_payload
from tests.bot.slack.pieces import walk
from tests.doors.table import DOORS

Json = dict[str, Any]
SAMPLE: Final = samples.request("open").reference
SAMPLE_LOCK: Final = (samples.EVE, samples.CHO)
TYPED: Final = "INC-7: the nightly settlement stopped"
# Of `/countersign`, one line for each thing that it can be read as; ID is a request's.
LINES: Final = (
    "", "pending", "mine", "request open payments/prod for 15m because INC-7", "request access", "open payments/staging", "show ID", "why ID",
    "why open payments/prod", "cancel ID", "done ID", "done", "unlock", f"unlock <@{seed.OMAR}|omar> because INC-7", "nonsense",
    "request", "payments/prod for 15m because INC-7", f"request open payments/prod for 15m for <@{seed.ROSA}|rosa> because INC-7", "extend",
    "extend ID for 15m because INC-7", "done ID because INC-7", "audit", "audit ID", "login", "login 7Q2M-4XK9",
    "delete payments/old", "deploy payments/prod#api v1.2.3 because INC-7", "cancel ID because INC-7",
)  # fmt: skip
EVENTS: Final[dict[str, Json]] = {
    "app_home_opened": {"user": "USER", "channel": "D0X", "tab": "home"},
    "user_change": {"user": {"id": "USER"}},
    "subteam_updated": {"subteam": {"id": "S0LEADS"}},
    "subteam_members_changed": {"subteam_id": "S0LEADS"},
    "app_uninstalled": {},
    "tokens_revoked": {"tokens": {"bot": ["U0BOT"]}},
    "member_left_channel": {"user": "USER", "channel": seed.APPROVALS},
}


CHOOSERS: Final = ("static_select", "users_select")  # in a form: it is told at once, where a door listens


@cache
def drawn() -> dict[str, Json]:
    """`action …`, `menu …`, `view …` → the element or the view, one of each, as the storybook draws it."""
    found: dict[str, Json] = {}
    for story in stories():
        payload = story["payload"]
        if payload.get("submit"):
            found.setdefault(f"view {payload['callback_id']}", payload)
        for node in walk(payload):
            if node.get("type") == "button" and "value" in node:
                found.setdefault(f"action {node['action_id']}", node)
            if node.get("type") in CHOOSERS and "blocks" in payload and f"action {node['action_id']}" in DOORS:
                found.setdefault(f"action {node['action_id']}", {**node, "view": payload})
            if node.get("type") == "overflow":
                for option in node["options"]:
                    found.setdefault(f"menu {option['value'].partition('|')[0]}", {**node, "chosen": option})
    return found


def made_for(house: House, user: str, about: str, lock: str) -> dict[str, Callable[[], Json]]:
    """Each door's name, and what makes what this person's client would send of it about this request (`R:1:digest`)."""
    workspace, person = house.workspace, house.workspace.people[user]
    where = workspace.channels[seed.APPROVALS]
    url = "http://127.0.0.1:1/"

    def drawn_so(sample: Json) -> Json:
        return _interaction(house, user, _about(sample, about, lock))

    def shortcut(callback: str) -> Json:
        return payloads.shortcut_payload(workspace, person, callback)

    def message_shortcut(callback: str) -> Json:
        asked = payloads.common(workspace, "message_action", person, workspace.new_trigger(user))
        message = {"ts": "17.1", "text": f"/countersign show {about}", "blocks": []}
        named = {"callback_id": callback, "action_ts": workspace.next_ts(), "message_ts": "17.1", "response_url": url}
        return asked | named | {"message": message, "channel": channel_in_payload(where)}

    def typed(line: str) -> Json:
        text = line.replace("ID", about.partition(":")[0])
        return payloads.slash_payload(workspace, person, where, "/countersign", text, url)

    def options() -> Json:
        asked = payloads.common(workspace, "block_suggestion", person, "")
        return asked | {"action_id": "target", "block_id": "target", "value": "pay", "view": form()}

    def form() -> Json:
        return _form(house, user, drawn()["view ask_open"])

    made = {name: partial(drawn_so, sample) for name, sample in drawn().items()}
    for each in workspace.manifest.shortcuts:
        taken = shortcut if each["type"] == "global" else message_shortcut
        made[f"shortcut {each['callback_id']}"] = partial(taken, each["callback_id"])
    made |= {f"command {line}": partial(typed, line) for line in LINES}
    return {**made, "options target": options}


def event(house: House, name: str, user: str) -> Json:
    made = json.loads(json.dumps(EVENTS[name]).replace("USER", user))
    return payloads.event_payload(house.workspace, {"type": name, "event_ts": house.workspace.next_ts(), **made})


def _about(sample: Json, about: str, lock: str) -> Json:
    text = json.dumps(sample).replace(SAMPLE, about)
    for user in SAMPLE_LOCK:
        text = text.replace(f"{user}:{samples.NOW_MS}", lock)
    changed: Json = json.loads(text)
    return changed


def _interaction(house: House, user: str, drawn_so: Json) -> Json:
    if "blocks" in drawn_so:
        view = _form(house, user, drawn_so)
        person = house.workspace.people[user]
        trigger = house.workspace.new_trigger(user)
        return payloads.common(house.workspace, "view_submission", person, trigger) | {
            "view": view,
            "response_urls": [],
        }
    if "view" in drawn_so:
        listed = drawn_so.get("options")
        chosen = {"selected_option": listed[0]} if listed else {"selected_user": seed.OMAR}
        acted: Json = {"type": drawn_so["type"], "action_id": drawn_so["action_id"], **chosen}
        return _at(house, user, _form(house, user, drawn_so["view"]), acted)
    if option := drawn_so.get("chosen"):
        acted = {"type": "overflow", "selected_option": option}
    else:
        acted = {key: drawn_so[key] for key in ("type", "value", "text")}
    acted |= {"action_id": drawn_so["action_id"], "block_id": "b", "action_ts": house.workspace.next_ts()}
    where = channel_in_payload(house.workspace.channels[seed.APPROVALS])
    return _clicked(house, user) | {
        "container": {"type": "message", "message_ts": "17.1", "channel_id": seed.APPROVALS, "is_ephemeral": False},
        "channel": where,
        "message": {"ts": "17.1", "blocks": []},
        "actions": [acted],
    }


def _at(house: House, user: str, view: Json, acted: Json) -> Json:
    acted = {"block_id": acted["action_id"], "action_ts": house.workspace.next_ts(), **acted}
    return _clicked(house, user) | {
        "container": {"type": "view", "view_id": view["id"]},
        "view": view,
        "actions": [acted],
    }


def _clicked(house: House, user: str) -> Json:
    workspace = house.workspace
    return payloads.common(workspace, "block_actions", workspace.people[user], workspace.new_trigger(user))


def _form(house: House, user: str, view: Json) -> Json:
    """Filled in: what the program put in, and words where it put none."""
    values = state_values(view["blocks"], {})
    for fields in values.values():
        for action, held in fields.items():
            if held["type"] == "plain_text_input" and not held["value"]:
                held["value"] = "A=1" if action == "set" else TYPED
            if held["type"] == "static_select" and not held["selected_option"]:
                held["selected_option"] = _first(view, action)
    return {
        "id": house.workspace.new_id("V"),
        "type": "modal",
        "callback_id": view["callback_id"],
        "private_metadata": view.get("private_metadata", ""),
        "state": {"values": values},
        "blocks": view["blocks"],
        "hash": "1.x",
        "team_id": house.workspace.team_id,
    }


def _first(view: Json, action: str) -> Json | None:
    return next(
        (node["options"][0] for node in walk(view) if node.get("action_id") == action and node.get("options")), None
    )
