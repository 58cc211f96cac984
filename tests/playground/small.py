"""A small workspace on a real port, and Bolt apps on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from playground.server import PlaygroundServer
from playground.slack.records import Channel, Group, Json, Person
from playground.slack.workspace import Workspace

MANIFEST: Json = {
    "features": {
        "bot_user": {"display_name": "Tester"},
        "app_home": {"home_tab_enabled": True},
        "slash_commands": [{"command": "/ask", "description": "Ask", "usage_hint": "what", "should_escape": True}],
        "shortcuts": [
            {"name": "Ask", "type": "global", "callback_id": "ask", "description": "Ask"},
            {"name": "Quote", "type": "message", "callback_id": "quote", "description": "Quote"},
        ],
    },
    "oauth_config": {
        "scopes": {
            "bot": [
                "chat:write",
                "commands",
                "im:write",
                "users:read",
                "users:read.email",
                "usergroups:read",
                "channels:read",
                "groups:read",
            ]
        }
    },
    "settings": {
        "event_subscriptions": {
            "bot_events": [
                "app_home_opened",
                "user_change",
                "subteam_members_changed",
                "subteam_updated",
                "member_left_channel",
                "tokens_revoked",
            ]
        }
    },
}


class Clock:
    """Milliseconds that pass when told to."""

    def __init__(self) -> None:
        self.now_ms = 1_760_000_000_000

    def __call__(self) -> int:
        return self.now_ms


def make_workspace(**more) -> Workspace:
    people = [
        Person("U0ANA", "ana"),
        Person("U0BEN", "ben"),
        Person("U0GUS", "gus", kind="guest"),
        Person("W0SOL", "sol", kind="single_channel_guest"),
        Person("U0DEA", "dea", kind="deactivated"),
        Person("U0EVE", "eve", kind="stranger", team_id="T0OTHER"),
    ]
    channels = [
        Channel("C0OPEN", "general"),
        Channel("C0SHARED", "shared", members={"U0ANA", "U0GUS", "U0EVE"}),
        Channel("C0PRIV", "board", "private", members={"U0ANA"}),
        Channel("C0AWAY", "away", bot_is_member=False),
        Channel("C0HIDDEN", "hidden", "private", members={"U0BEN"}, bot_is_member=False),
    ]
    return Workspace(
        people=people,
        groups=[Group("S0LEADS", "leads", ["U0BEN"])],
        channels=channels,
        **({"manifest": MANIFEST} | more),
    )


@asynccontextmanager
async def serving(workspace: Workspace) -> AsyncIterator[PlaygroundServer]:
    server = PlaygroundServer(workspace)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected_to(workspace: Workspace, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    """`app` on one more socket of this workspace."""
    before = len(workspace.sockets.connected)
    handler = AsyncSocketModeHandler(
        app, workspace.app_token, web_client=AsyncWebClient(base_url=f"{workspace.base_url}/api/"), ping_interval=1
    )
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it bare
    await workspace.wait_for(lambda: len(workspace.sockets.connected) > before)
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt leaves it bare


def bolt(workspace: Workspace) -> AsyncApp:
    client = AsyncWebClient(token=workspace.bot_token, base_url=f"{workspace.base_url}/api/")
    return AsyncApp(
        name="small",  # else Bolt looks for it through every module
        client=client,
        signing_secret=workspace.signing_secret,
        process_before_response=True,
        ignoring_self_events_enabled=False,
    )


def section(text: str = "words", block_id: str = "said") -> Json:
    return {"type": "section", "block_id": block_id, "text": {"type": "plain_text", "text": text}}


def button(action_id: str = "press", **more) -> Json:
    return {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": "Press"},
        "value": "V1",
    } | more


def actions(*elements: Json, block_id: str = "acts") -> Json:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def field(element: Json, block_id: str = "field", **more) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": "Field"},
        "element": element,
    } | more


def text_input(**more) -> Json:
    return {"type": "plain_text_input", "action_id": "text"} | more


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value.title()}, "value": value}


def modal(*blocks: Json, **more) -> Json:
    title = {"type": "plain_text", "text": "Title"}
    view = {
        "type": "modal",
        "title": title,
        "submit": title,
        "callback_id": "sent",
        "blocks": list(blocks) or [field(text_input())],
    }
    return view | more


def home(*blocks: Json) -> Json:
    return {"type": "home", "blocks": list(blocks) or [section()]}


@asynccontextmanager
async def refused(code: str) -> AsyncIterator[Json]:
    """Slack's answer to the call inside, which must be this error."""
    answer: Json = {}
    with pytest.raises(SlackApiError) as caught:
        yield answer
    assert caught.value.response["error"] == code
    answer |= caught.value.response.data
