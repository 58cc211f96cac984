"""The page's contract: one person's state, live; acts; and nothing for anybody elsewhere."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from playground import page_api
from playground.server import PlaygroundServer
from tests.playground.small import actions, bolt, button, home, modal, section

STATE: dict[str, Any] = {
    "me": str, "team": dict, "bot": dict, "people": list, "groups": list, "channels": list, "messages": dict, "home": (dict, type(None)), "modals": list,
    "commands": list, "shortcuts": list, "panels": list, "clock": dict, "bot_connected": bool, "notice": (str, type(None)),
}  # fmt: skip


class Browser:
    def __init__(self, server: PlaygroundServer, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session

    async def state(self, user="U0ANA") -> Any:
        async with self.session.get(f"{self.server.base_url}/page/state?as={user}") as response:
            return await response.json()

    async def act(self, kind: str, user="U0ANA", **more) -> tuple[int, Any]:
        async with self.session.post(
            f"{self.server.base_url}/page/act", json={"as": user, "type": kind} | more
        ) as response:
            return response.status, await response.json()


@pytest.fixture
async def browser(server):
    async with aiohttp.ClientSession() as session:
        yield Browser(server, session)


async def test_the_state_has_the_form_of_the_contract(workspace, browser, api):
    parent = (await api.chat_postMessage(channel="C0OPEN", text="card", blocks=[section()]))["ts"]
    await api.chat_postMessage(channel="C0OPEN", text="reply", thread_ts=parent)
    await api.chat_postEphemeral(channel="C0OPEN", user="U0ANA", text="psst")
    await api.views_publish(user_id="U0ANA", view=home())
    await api.views_open(trigger_id=workspace.new_trigger("U0ANA"), view=modal())
    state = await browser.state()
    assert set(state) == set(STATE)
    assert all(isinstance(state[key], kind) for key, kind in STATE.items())
    shown = [
        (one["text"], one["user"], one["reply_count"], one["thread_ts"], one["ephemeral"])
        for one in state["messages"]["C0OPEN"]
    ]
    assert shown == [
        ("card", "bot", 1, None, False),
        ("reply", "bot", 0, parent, False),
        ("psst", "bot", 0, None, True),
    ]
    assert [(one["name"], one["kind"]) for one in state["channels"]] == [
        *((name, "channel") for name in ("general", "shared", "board", "away")),
        ("Tester", "im"),
    ]
    assert state["home"]["type"] == "home"
    assert [view["errors"] for view in state["modals"]] == [{}]
    assert state["people"][1] | {"tz": ""} == {
        "id": "U0BEN", "name": "ben", "real_name": "Ben", "email": "ben@example.com", "tz": "", "kind": "member", "groups": ["leads"],
    }  # fmt: skip
    assert state["commands"] == [{"command": "/ask", "usage_hint": "what", "description": "Ask"}]
    assert state["shortcuts"][0] == {"name": "Ask", "callback_id": "ask", "type": "global"}
    assert not state["clock"]["can_advance"]

    other = await browser.state("U0BEN")
    assert "psst" not in json.dumps(other)
    assert (other["home"], other["modals"]) == (None, [])
    assert "C0PRIV" not in other["messages"]
    assert (await browser.state("U0DEA"))["me"] == "U0ANA"  # who cannot sign in is somebody else


async def test_unread_counts_what_others_said_until_it_is_read(workspace, browser, api):
    await api.chat_postMessage(channel="C0OPEN", text="one")
    await workspace.say("U0ANA", "C0OPEN", "mine")

    async def unread(user: str) -> Any:
        return {one["id"]: one["unread"] for one in (await browser.state(user))["channels"]}["C0OPEN"]

    assert (await unread("U0ANA"), await unread("U0BEN")) == (1, 2)
    assert await browser.act("read", channel="C0OPEN") == (200, {"ok": True})
    assert (await unread("U0ANA"), await unread("U0BEN")) == (0, 2)


async def test_changes_come_by_themselves(workspace, server, browser, api):
    async with browser.session.get(f"{server.base_url}/page/events?as=U0ANA") as stream:
        assert stream.content_type == "text/event-stream"

        async def event() -> Any:
            async with asyncio.timeout(3):
                lines = [(await stream.content.readline()).decode() for _ in range(3)]
            assert (lines[0], lines[2]) == ("event: state\n", "\n")
            return json.loads(lines[1].removeprefix("data: "))

        assert (await event())["messages"]["C0OPEN"] == []
        for _ in range(20):
            await api.chat_postMessage(channel="C0OPEN", text="x")
        seen, states = 0, 0
        while seen < 20:
            seen, states = len((await event())["messages"]["C0OPEN"]), states + 1
        assert states < 20  # several changes, one state


async def test_a_stream_ends_when_the_server_stops(server, browser, monkeypatch):
    monkeypatch.setattr(page_api, "_NOT_OFTENER_S", 0.0)
    async with browser.session.get(f"{server.base_url}/page/events") as stream:
        await stream.content.readline()
        await browser.state()  # by now the stream waits for a change
        async with asyncio.timeout(0.9):
            await server.stop()


async def test_acts_do_what_a_person_does(workspace, browser, api, connect):
    app = bolt(workspace)

    @app.command("/ask")
    async def ask(ack, body, client):
        await client.views_open(trigger_id=body["trigger_id"], view=modal())
        await ack()

    @app.view("sent")
    async def sent(ack):
        await ack(response_action="errors", errors={"field": "No."})

    @app.action("press")
    async def press(ack, body, client):
        await ack()

    await connect(app)
    assert await browser.act("slash", channel="C0OPEN", text="/ask  something") == (200, {"ok": True})
    assert workspace.envelopes[-1].payload["text"] == "something"
    [view] = (await browser.state())["modals"]
    assert await browser.act("submit", view_id=view["id"], values={"field": {"text": ""}}) == (
        200,
        {"ok": False, "errors": {"field": "Please complete this required field."}},
    )
    assert (await browser.act("submit", view_id=view["id"], values={"field": {"text": "x"}}))[1] == {
        "ok": False,
        "errors": {"field": "No."},
    }
    assert (await browser.state())["modals"][0]["errors"] == {"field": "No."}
    assert (await browser.act("close", view_id=view["id"]))[1]["ok"]
    ts = (await api.chat_postMessage(channel="C0OPEN", text="card", blocks=[actions(button())]))["ts"]
    click = {"channel": "C0OPEN", "ts": ts, "block_id": "acts", "action_id": "press", "value": "V1", "confirmed": False}
    assert (await browser.act("click", **click))[1] == {"ok": True}
    assert (await browser.act("click", **click | {"action_id": "gone"}))[1]["error"].startswith("There is no gone")
    assert (await browser.act("say", channel="C0OPEN", text="hello", thread_ts=ts))[1] == {"ok": True}
    assert [message.text for message in workspace.thread("C0OPEN", ts)] == ["card", "hello"]
    workspace.delivery.ack_within_s = 0.01
    assert (await browser.act("open_home"))[1] == {
        "ok": False,
        "error": "We had some trouble connecting. Try again?",
    }  # no listener
    assert (await browser.act("dance"))[1]["error"] == "There is no act dance."
    assert (await browser.act("close"))[0] == 400


async def test_the_clock_moves_where_it_can(server, browser):
    assert (await browser.act("advance_clock", ms=60_000))[0] == 409
    moved = []

    async def advance(ms):
        moved.append(ms)

    server.page.set_clock(now_ms=lambda: 5, skew_ms=lambda: sum(moved), advance=advance)
    assert await browser.act("advance_clock", ms=60_000) == (200, {"ok": True})
    assert (await browser.state())["clock"] == {"now_ms": 5, "skew_ms": 60_000, "can_advance": True}


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/", 200, "text/html"),
        ("/page/index.html", 200, "text/html"),
        ("/page/style.css", 200, "text/css"),
        ("/style.css", 200, "text/css"),
        ("/page/app.js", 200, "text/javascript"),
        ("/page/..%2fserver.py", 404, None),
        ("/page/..%2fslack%2fblocks.schema.json", 404, None),
        ("/page/none.js", 404, None),
    ],
)
async def test_files(server, browser, path, status, kind):
    async with browser.session.get(f"{server.base_url}{path}") as response:
        assert response.status == status
        if kind:
            assert (response.content_type, response.headers["Cache-Control"]) == (kind, "no-store")


async def test_a_permalink_leads_to_its_channel(server, browser, api):
    ts = (await api.chat_postMessage(channel="C0OPEN", text="card"))["ts"]
    link = (await api.chat_getPermalink(channel="C0OPEN", message_ts=ts))["permalink"]
    async with browser.session.get(link, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/#at=C0OPEN")
    async with browser.session.get(link.replace("C0OPEN", "C0NONE")) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "playground.evil.example"}, 403),
        ({"Host": "localhost.evil.example:80"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({}, 200),
        ({"Host": "localhost"}, 200),
    ],
)
async def test_only_this_machines_own_page_may_act(workspace, server, browser, headers, status):
    body = {"as": "U0ANA", "type": "say", "channel": "C0OPEN", "text": "x"}
    async with browser.session.post(f"{server.base_url}/page/act", json=body, headers=headers) as response:
        assert response.status == status
    assert len(workspace.messages("C0OPEN")) == (status == 200)
    async with browser.session.get(
        f"{server.base_url}/page/state", headers={"Host": headers.get("Host", "localhost")}
    ) as response:
        assert response.status == (403 if headers.get("Host", "localhost") != "localhost" else 200)


async def test_the_page_of_this_server_may_act(server, browser):
    async with browser.session.post(
        f"{server.base_url}/page/act",
        json={"as": "U0ANA", "type": "say", "channel": "C0OPEN", "text": "x"},
        headers={"Origin": server.base_url},
    ) as response:
        assert response.status == 200


async def test_a_form_of_another_page_is_no_act(server, browser):
    async with browser.session.post(
        f"{server.base_url}/page/act", data='{"as": "U0ANA"}', headers={"Content-Type": "text/plain"}
    ) as response:
        assert response.status == 415


async def test_it_listens_on_loopback_only(server):
    with pytest.raises(ValueError, match="loopback"):
        await server.start("0.0.0.0")
