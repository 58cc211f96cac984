"""What the playground's tests share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from playground.server import PlaygroundServer
from playground.slack.workspace import Workspace
from tests.playground.small import Clock, connected_to, make_workspace, serving


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[PlaygroundServer]:
    async with serving(make_workspace(clock=clock, retries_after_s=(0.0, 0.0, 0.0), ack_within_s=0.5)) as one:
        yield one


@pytest.fixture
def workspace(server: PlaygroundServer) -> Workspace:
    return server.workspace


@pytest.fixture
def api(workspace: Workspace) -> AsyncWebClient:
    return AsyncWebClient(token=workspace.bot_token, base_url=f"{workspace.base_url}/api/")


@pytest.fixture
async def connect(workspace: Workspace) -> AsyncIterator[Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]]:
    async with AsyncExitStack() as stack:

        async def _connect(app: AsyncApp) -> AsyncSocketModeHandler:
            return await stack.enter_async_context(connected_to(workspace, app))

        yield _connect
