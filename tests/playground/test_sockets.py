"""Socket Mode: one socket for each envelope, acknowledgement in time, redelivery of events, and how it ends."""

import asyncio
import json
from contextlib import AsyncExitStack

import aiohttp
import pytest

from playground.slack.records import Json
from tests.playground.small import actions, bolt, button, connected_to, refused


class Listener:
    """A socket without Bolt: keeps the frames it gets, and acknowledges while `answering`."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws, self.answering = ws, True
        self.frames: list[Json] = []
        self._came = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self.ws:
            message = json.loads(frame.data)
            self.frames.append(message)
            self._came.set()
            if self.answering and "envelope_id" in message:
                await self.ws.send_json({"envelope_id": message["envelope_id"]})

    async def until(self, count: int) -> list[Json]:
        async with asyncio.timeout(3):
            while len(self.frames) < count:
                self._came.clear()
                await self._came.wait()
        return self.frames

    def of(self, kind: str) -> list[Json]:
        return [frame for frame in self.frames if frame["type"] == kind]


@pytest.fixture
async def listen(workspace):
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def _listen():
            url = workspace.sockets.new_url()
            listener = Listener(await stack.enter_async_context(session.ws_connect(url)))
            await listener.until(1)
            return listener

        yield _listen


@pytest.fixture
async def card(workspace, api):
    return (await api.chat_postMessage(channel="C0OPEN", text="card", blocks=[actions(button())]))["ts"]


async def test_hello_comes_first_and_a_ticket_works_once(workspace):
    url = workspace.sockets.new_url()
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        hello = await ws.receive_json()
        assert (hello["type"], hello["num_connections"], hello["connection_info"]["app_id"]) == (
            "hello",
            1,
            workspace.app_id,
        )
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_each_envelope_goes_to_exactly_one_of_several_sockets(workspace, listen, card):
    sockets = [await listen() for _ in range(3)]
    seen = await workspace.concurrently(*(workspace.click("U0BEN", "C0OPEN", card, "press") for _ in range(30)))
    assert all(one.acked for one in seen)
    assert [len(socket.of("interactive")) for socket in sockets] == [10, 10, 10]
    ids = [frame["envelope_id"] for socket in sockets for frame in socket.of("interactive")]
    assert len(set(ids)) == 30


async def test_ten_sockets_and_no_more(workspace, listen, api):
    for _ in range(10):
        await listen()
    async with refused("too_many_websockets"):
        await api.apps_connections_open(app_token=workspace.app_token)


async def test_who_gets_no_answer_sees_that(workspace, listen, card):
    assert (
        await workspace.click("U0BEN", "C0OPEN", card, "press")
    ).sentence == "Tester did not respond in time."  # nobody is connected
    assert (
        await workspace.slash("U0BEN", "C0OPEN", "/ask")
    ).sentence == "/ask failed with the error “dispatch_failed”."
    socket = await listen()
    socket.answering = False
    workspace.delivery.ack_within_s = 0.05
    assert not (await workspace.click("U0BEN", "C0OPEN", card, "press")).acked
    assert (
        await workspace.slash("U0BEN", "C0OPEN", "/ask")
    ).sentence == "/ask failed with the error “operation_timeout”."
    assert len(socket.frames) == 3  # people's acts are not repeated


async def test_an_event_comes_again_until_it_is_acknowledged(workspace, listen):
    socket = await listen()
    socket.answering = False
    workspace.delivery.ack_within_s = 0.05
    workspace.set_kind("U0BEN", "deactivated")
    await socket.until(5)
    events = socket.of("events_api")
    assert [frame["retry_attempt"] for frame in events] == [0, 1, 2, 3]
    assert [frame["retry_reason"] for frame in events] == ["", "timeout", "timeout", "timeout"]
    assert len({frame["payload"]["event_id"] for frame in events}) == 1
    socket.answering = True
    workspace.set_kind("U0BEN", "member")
    await socket.until(6)
    assert [envelope.payload["event"]["user"]["deleted"] for envelope in workspace.envelopes] == [True] * 4 + [False]


async def test_lost_acks_and_duplicates_are_faults_to_switch_on(workspace, listen, card):
    socket = await listen()
    workspace.faults.ignore_acks()
    assert not (await workspace.click("U0BEN", "C0OPEN", card, "press")).acked
    workspace.faults.duplicate()
    seen = await workspace.click("U0BEN", "C0OPEN", card, "press")
    await socket.until(4)
    assert [frame["envelope_id"] for frame in socket.frames[2:]] == [seen.envelope.id] * 2
    assert (await workspace.deliver(seen.envelope)).ok
    assert socket.frames[-1]["payload"] == seen.envelope.payload


async def test_bolt_follows_a_disconnect_frame_to_a_new_socket(workspace, card):
    app = bolt(workspace)

    @app.action("press")
    async def press(ack):
        await ack()

    async with connected_to(workspace, app):
        [before] = workspace.sockets.connected
        await workspace.sockets.disconnect("refresh_requested")
        await workspace.wait_for(lambda: workspace.sockets.connected and before not in workspace.sockets.connected)
        assert (await workspace.click("U0BEN", "C0OPEN", card, "press")).acked


async def test_bolt_comes_back_after_a_dropped_socket(workspace, card):
    async with connected_to(workspace, bolt(workspace)):
        await workspace.sockets.drop()
        await workspace.wait_for(lambda: not workspace.bot_connected)
        await workspace.wait_for(lambda: workspace.bot_connected)


async def test_a_draining_socket_gets_nothing_new(workspace, listen, card):
    old, new = await listen(), await listen()
    await workspace.sockets.disconnect("warning", workspace.sockets.connected[0])
    await workspace.click("U0BEN", "C0OPEN", card, "press")
    await workspace.click("U0BEN", "C0OPEN", card, "press")
    assert [frame["type"] for frame in old.frames] == ["hello", "disconnect"]
    assert len(new.of("interactive")) == 2


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda w: w.set_group("S0LEADS", ["U0ANA"]), ["subteam_members_changed", "subteam_updated"]),
        (lambda w: w.set_kind("U0BEN", "guest"), ["user_change"]),
        (lambda w: w.rename("U0BEN", name="benny", email="benny@example.com"), ["user_change"]),
        (lambda w: w.remove_bot("C0OPEN"), ["member_left_channel"]),
        (lambda w: w.revoke_tokens(), ["tokens_revoked"]),
        (lambda w: w.archive("C0OPEN"), []),  # the manifest does not subscribe to channel_archive
    ],
)
async def test_administration_is_told_to_the_app(workspace, listen, act, expected):
    socket = await listen()
    act(workspace)
    frames = await socket.until(1 + len(expected))
    assert [frame["payload"]["event"]["type"] for frame in frames[1:]] == expected
    assert all(frame["payload"]["authorizations"][0]["user_id"] == workspace.bot_user_id for frame in frames[1:])


async def test_who_entered_and_who_left_a_group_is_said(workspace, listen):
    socket = await listen()
    workspace.set_group("S0LEADS", ["U0ANA"])
    event = (await socket.until(2))[1]["payload"]["event"]
    assert (event["subteam_id"], event["added_users"], event["removed_users"]) == ("S0LEADS", ["U0ANA"], ["U0BEN"])
