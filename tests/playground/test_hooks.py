"""The hook receiver believes a signature, not a sender."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from playground.hooks import HookReceiver
from playground.server import PlaygroundServer
from playground.slack.state import wall_clock_ms
from tests.playground.small import make_workspace

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


class Sender:
    def __init__(self, server: PlaygroundServer, receiver: HookReceiver, session: aiohttp.ClientSession) -> None:
        self.server, self.receiver, self.session = server, receiver, session

    async def post(self, name="api", *, secret=SECRET, late_s=0, headers=None) -> int:
        """One signed delivery, `late_s` seconds old; `headers` over those that are right."""
        sent = datetime.fromtimestamp(wall_clock_ms() // 1000 - late_s, UTC)
        text = json.dumps({"type": "deploy.requested", "version": 3})
        signed = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": Webhook(secret).sign("msg_1", sent, text),
        }
        url = f"{self.server.base_url}/hooks/{name}"
        async with self.session.post(url, data=text, headers=signed | (headers or {})) as response:
            return response.status


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    workspace = make_workspace()
    receiver = HookReceiver({"api": SECRET}, changed=workspace.changed)
    server = PlaygroundServer(workspace, routes=receiver.routes())
    server.page.add_panel("Hooks", "hooks", receiver.rows)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Sender(server, receiver, session)
    await server.stop()


async def test_a_signed_delivery_is_kept_and_shown(sender):
    assert await sender.post() == 204
    [delivery] = sender.receiver.deliveries
    assert (delivery.name, delivery.id, delivery.event, delivery.verified) == ("api", "msg_1", "deploy.requested", True)
    async with sender.session.get(f"{sender.server.base_url}/page/state?as=U0ANA") as response:
        [panel] = (await response.json())["panels"]
    assert panel["kind"] == "hooks"
    [row] = panel["rows"]
    assert (row["name"], row["event"], row["status"], row["verified"]) == ("api", "deploy.requested", 204, True)
    assert "version" in row["body"]


@pytest.mark.parametrize(
    "more",
    [
        {"secret": "whsec_" + base64.b64encode(b"x" * 32).decode()},
        {"late_s": 360},
        {"late_s": -360},
        {"headers": {"webhook-signature": "v1,bm90IGl0"}},
        {"headers": {"webhook-signature": "v1,*"}},
        {"headers": {"webhook-timestamp": "soon"}},
        {"headers": {"webhook-id": "msg_2"}},
    ],
)
async def test_what_does_not_verify_is_refused_and_shown_as_such(sender, more):
    assert await sender.post(**more) == 401
    assert [delivery.verified for delivery in sender.receiver.deliveries] == [False]


async def test_an_unknown_hook_is_not_there(sender):
    assert await sender.post("other") == 404


async def test_it_fails_as_told_and_only_so_often(sender):
    sender.receiver.answer("api", 503, times=2, headers={"Retry-After": "7"})
    assert [await sender.post(), await sender.post(), await sender.post()] == [503, 503, 204]
    sender.receiver.answer("api", 0)
    with pytest.raises(aiohttp.ClientError):
        await sender.post()
    assert [delivery.status for delivery in sender.receiver.deliveries] == [503, 503, 204, 0]
