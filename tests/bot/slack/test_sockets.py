"""Sockets: a connection that hears nothing is made anew once, and then somebody is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack import sockets as sockets_module
from bot.slack.app import Identity, Running, bolt
from bot.slack.sockets import Sockets
from bot.slack.wire import Slack, SlackRefused
from playground.slack.workspace import Workspace
from store.model.errors import Unavailable

DEAF_S: Final = 0.3
WITHIN_S: Final = 10.0
Open = Callable[..., Sockets]


@pytest.fixture
async def app(town: Workspace) -> AsyncApp:
    client = AsyncWebClient(token=town.bot_token, base_url=f"{town.base_url}/api/")
    identity = Identity(Slack(client), town.bot_token)
    await identity.learn()
    return bolt(client, identity, Running())


@pytest.fixture
async def deaf() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def sockets(town: Workspace, app: AsyncApp, deaf: asyncio.Event) -> AsyncIterator[Open]:
    opened: list[Sockets] = []

    def make(*, token: str | None = None, deaf_s: float = DEAF_S) -> Sockets:
        made = Sockets(app, token or town.app_token, f"{town.base_url}/api/", deaf.set, deaf_s=deaf_s)
        opened.append(made)
        return made

    yield make
    for made in opened:
        await made.close()


def connects(town: Workspace) -> int:
    return sum(call.method == "apps.connections.open" for call in town.calls)


async def test_it_connects_and_says_so(town, sockets):
    one = sockets(deaf_s=60)
    await one.check()
    assert not await one.connected()
    await one.connect()
    await town.wait_for(lambda: town.bot_connected)
    assert await one.connected()


async def test_a_token_that_is_none_is_refused_and_not_tried_for_ever(town, sockets):
    with pytest.raises(SlackRefused):
        await sockets(token="xapp-wrong").check()


async def test_a_slack_that_opens_no_socket_is_unavailable_and_may_be_asked_again(town, sockets, monkeypatch, caplog):
    monkeypatch.setattr(sockets_module, "CONNECT_S", 0.1)
    town.faults.status("apps.connections.open", 503, times=3)
    one = sockets(deaf_s=60)
    with pytest.raises(Unavailable) as raised:
        await one.connect()
    assert raised.value.detail == "slack_silent"
    town.faults.clear()
    monkeypatch.setattr(sockets_module, "CONNECT_S", WITHIN_S)
    await one.connect()
    await town.wait_for(lambda: town.bot_connected)


async def test_one_that_hears_nothing_connects_anew_once_and_then_says_that_it_is_deaf(town, sockets, deaf):
    """No ping comes in so short a time, and nobody does anything: the hello of each connection is all that is heard."""
    one = sockets()
    await one.connect()
    await town.wait_for(lambda: connects(town) == 2)
    assert not deaf.is_set()  # a new connection is given its time
    async with asyncio.timeout(WITHIN_S):
        await deaf.wait()
    await town.wait_for(lambda: connects(town) == 3)  # and it goes on trying


async def test_one_that_is_answered_pings_is_left_alone(town, sockets, deaf, monkeypatch):
    monkeypatch.setattr(sockets_module, "PING_S", 0.05)
    one = sockets(deaf_s=1)
    await one.connect()
    await town.wait_for(lambda: town.bot_connected)
    await asyncio.sleep(1.5)  # time itself is what is tested
    assert connects(town) == 1
    assert not deaf.is_set()


async def test_one_that_gets_messages_is_left_alone(town, sockets, deaf):
    one = sockets(deaf_s=1)
    await one.connect()
    await town.wait_for(lambda: town.bot_connected)
    for number in range(15):
        town.set_group("S0LEADS", ["U0ANA"] if number % 2 else ["U0BEN"])
        await asyncio.sleep(0.1)
    assert connects(town) == 1
    assert not deaf.is_set()


async def test_a_slack_that_lets_nobody_connect_ends_with_deaf_and_not_with_a_dead_watch(town, sockets, deaf):
    one = sockets()
    await one.connect()
    town.faults.error("apps.connections.open", "internal_error", times=1_000)
    async with asyncio.timeout(WITHIN_S):
        await deaf.wait()
    await one.close()  # which raises nothing of what the watch has met


async def test_a_connection_that_cannot_be_made_anew_does_not_hold_up_the_watch(town, sockets, deaf, monkeypatch):
    one = sockets()
    await one.connect()
    monkeypatch.setattr(sockets_module, "CONNECT_S", 0.05)
    town.faults.hang("apps.connections.open", times=1_000)
    async with asyncio.timeout(WITHIN_S):
        await deaf.wait()
    town.faults.clear()


async def test_a_connection_that_broke_is_made_anew(town, sockets, monkeypatch):
    monkeypatch.setattr(sockets_module, "PING_S", 0.05)
    one = sockets(deaf_s=60)
    await one.connect()
    await town.wait_for(lambda: town.bot_connected)
    await town.sockets.drop()
    await town.wait_for(lambda: connects(town) == 2 and town.bot_connected)


@pytest.mark.parametrize(
    ("before", "now", "heard"),
    [
        ((0, "a", None), (0, "a", None), False),
        ((0, "a", None), (1, "a", None), True),
        ((0, "a", None), (0, "a", 1.0), False),  # the library has asked, and nobody has answered
        ((0, "a", 1.0), (0, "a", 1.0), False),
        ((0, "a", 1.0), (0, "a", 2.0), True),
        ((0, "a", 1.0), (0, "a", None), False),  # the library has given up
        ((0, "a", 1.0), (0, "b", 2.0), False),  # and has asked on a new connection
        ((0, "a", 1.0), (1, "b", 2.0), True),
    ],
)
def test_what_counts_as_heard(before, now, heard):
    assert sockets_module._heard(before, now) is heard
