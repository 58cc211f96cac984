"""A small workspace on a real port, and the wire to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.wire import Slack
from playground.server import PlaygroundServer
from playground.slack.records import Channel, Group, Person
from playground.slack.workspace import Workspace

MANIFEST = Path(__file__).parent.parent.parent.parent / "manifest.yml"


@pytest.fixture
async def town() -> AsyncIterator[Workspace]:
    workspace = Workspace(
        people=[
            Person("U0ANA", "ana", "Ana Costa"),
            Person("U0BEN", "ben"),
            Person("U0GIL", "gil", kind="guest"),
            Person("U0GUS", "gus", kind="single_channel_guest"),
            Person("U0DORA", "dora", kind="deactivated"),
            Person("U0SAM", "sam", kind="stranger", team_id="T0PARTNER"),
            Person("U0TIM", "tim", team_id="T0OTHER"),
            Person("U0ROBO", "robo", kind="bot"),
        ],
        groups=[Group("S0LEADS", "leads", ["U0ANA", "U0BEN"]), Group("S0GONE", "gone", ["U0ANA"], disabled=True)],
        channels=[Channel("C0PAY", "payments"), Channel("C0AWAY", "away", bot_is_member=False)],
        manifest=MANIFEST,
    )
    server = PlaygroundServer(workspace)
    await server.start()
    yield workspace
    await server.stop()


@pytest.fixture
def slack(town: Workspace) -> Slack:
    return Slack(AsyncWebClient(token=town.bot_token, base_url=f"{town.base_url}/api/", timeout=5))
