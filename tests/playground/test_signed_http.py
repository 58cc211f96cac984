"""Signed HTTP delivery into Bolt behind aiohttp."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request

from tests.playground.small import actions, bolt, button, modal


@asynccontextmanager
async def listening(workspace, app):
    """A Bolt app behind a request URL. Yields the requests it got."""
    got: list[web.Request] = []

    async def receive(request):
        got.append(request)
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    server = web.Application()
    server.router.add_post("/slack/events", receive)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    workspace.delivery.http.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        yield got
    finally:
        workspace.delivery.http.url = None
        await runner.cleanup()


@pytest.fixture
async def card(workspace, api):
    return (await api.chat_postMessage(channel="C0OPEN", text="card", blocks=[actions(button())]))["ts"]


async def test_commands_modals_clicks_and_events_go_over_http_as_over_a_socket(workspace, card):
    app = bolt(workspace)
    heard = []

    @app.command("/ask")
    async def ask(ack, body, client):
        await client.views_open(trigger_id=body["trigger_id"], view=modal())
        await ack("One moment.")

    @app.view("sent")
    async def sent(ack, view):
        heard.append(view["state"]["values"]["field"]["text"]["value"])
        await ack()

    @app.action("press")
    async def press(ack, action):
        heard.append(action["value"])
        await ack()

    @app.event("user_change")
    async def changed(event):
        heard.append(event["user"]["id"])

    async with listening(workspace, app):
        assert await workspace.delivery.http.verify_url()
        assert (await workspace.slash("U0ANA", "C0OPEN", "/ask", "für 2h & mehr")).acked
        assert workspace.ephemerals("U0ANA")[0].text == "One moment."
        assert (await workspace.submit("U0ANA", workspace.modal("U0ANA").id, {"field": {"text": "é"}})).ok
        assert (await workspace.click("U0ANA", "C0OPEN", card, "press")).acked
        workspace.set_kind("U0BEN", "guest")
        await workspace.wait_for(lambda: len(heard) == 3)
    assert heard == ["é", "V1", "U0BEN"]


@pytest.mark.parametrize("spoil", ["secret", "clock"])
async def test_a_wrong_signature_or_an_old_one_is_seen_as_no_answer(workspace, card, spoil):
    app = bolt(workspace)
    async with listening(workspace, app):
        if spoil == "secret":
            workspace.signing_secret = "another-signing-secret-0123456789"
        else:
            workspace.delivery.http.skew_s = -301
        assert not (await workspace.click("U0ANA", "C0OPEN", card, "press")).acked


async def test_an_event_is_repeated_with_its_number_and_reason(workspace):
    app = bolt(workspace)
    async with listening(workspace, app) as got:  # nothing listens to user_change: Bolt answers 404
        workspace.set_kind("U0BEN", "guest")
        await workspace.wait_for(lambda: len(workspace.envelopes) == 4)
        await workspace.wait_for(lambda: len(got) == 4)
    numbers = [
        (request.headers.get("X-Slack-Retry-Num"), request.headers.get("X-Slack-Retry-Reason")) for request in got
    ]
    assert numbers == [(None, None), *((str(number), "http_error") for number in (1, 2, 3))]
