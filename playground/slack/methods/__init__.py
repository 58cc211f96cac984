"""The Web API methods this workspace answers, and what each needs before it runs."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from playground.slack.methods import chat, conversations, people, views
from playground.slack.records import Json
from playground.slack.state import State

Method = Callable[[State, Json], Json]


def _nothing(_state: State, args: Json) -> Json:
    return {"args": args}


METHODS: Final[dict[str, Method]] = {
    "api.test": _nothing,
    "auth.test": people.auth_test,
    "chat.postMessage": chat.post_message,
    "chat.update": chat.update,
    "chat.postEphemeral": chat.post_ephemeral,
    "chat.getPermalink": chat.get_permalink,
    "conversations.open": conversations.open_im,
    "conversations.info": conversations.info,
    "conversations.members": conversations.members,
    "users.conversations": conversations.own,
    "users.info": people.info,
    "users.lookupByEmail": people.lookup_by_email,
    "usergroups.list": people.groups,
    "usergroups.users.list": people.group_users,
    "views.open": views.open_modal,
    "views.push": views.push,
    "views.update": views.update,
    "views.publish": views.publish,
}


@cache
def needs() -> Json:
    """method → {arguments, required, scope?, token?}, of the method reference on docs.slack.dev."""
    table: Json = json.loads(Path(__file__).with_name("methods.json").read_bytes())
    return table
