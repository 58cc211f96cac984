"""What a person sees and can do: their own messages, what is on them now, and nothing that a client would not allow."""

import aiohttp
import pytest

from playground.slack.records import NotPossible
from playground.slack.response_urls import LIVES_MS
from playground.slack.sight import actions_of, text_of
from tests.playground.small import (
    MANIFEST,
    actions,
    bolt,
    button,
    connected_to,
    home,
    make_workspace,
    option,
    refused,
    section,
    serving,
)


@pytest.fixture
async def heard(workspace, connect):
    """An app that acknowledges everything; the payloads it got."""
    app = bolt(workspace)
    got = []

    @app.middleware
    async def keep(body, next):  # noqa: A002  # the name is Bolt's
        got.append(body)
        await next()

    @app.action({"type": "block_actions"})
    @app.shortcut("ask")
    @app.shortcut("quote")
    @app.command("/ask")
    async def everything(ack):
        await ack()

    @app.action("press")
    async def press(ack):
        await ack()

    @app.action("pick")
    async def pick(ack):
        await ack()

    @app.event("app_home_opened")
    async def opened():
        pass

    await connect(app)
    return got


async def post(api, *blocks, channel="C0OPEN", **more) -> str:
    return str((await api.chat_postMessage(channel=channel, text="card", blocks=list(blocks), **more))["ts"])


async def test_a_click_is_told_as_slack_tells_it(workspace, api, heard):
    parent = await post(api, section())
    ts = await post(api, actions(button()), thread_ts=parent)
    assert (await workspace.click("U0BEN", "general", ts, "press")).acked
    [body] = heard
    assert body["type"] == "block_actions"
    assert body["user"] == {"id": "U0BEN", "username": "ben", "name": "ben", "team_id": workspace.team_id}
    assert body["team"]["id"] == workspace.team_id
    assert body["api_app_id"] == workspace.app_id
    assert body["channel"] == {"id": "C0OPEN", "name": "general"}
    assert body["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": "C0OPEN",
        "is_ephemeral": False,
        "thread_ts": parent,
    }
    assert (body["message"]["ts"], body["message"]["thread_ts"], body["message"]["bot_id"]) == (
        ts,
        parent,
        workspace.bot_id,
    )
    [action] = body["actions"]
    assert {key: action[key] for key in ("type", "block_id", "action_id", "value")} == {
        "type": "button",
        "block_id": "acts",
        "action_id": "press",
        "value": "V1",
    }
    assert action["action_ts"] > ts
    assert body["state"] == {"values": {}}
    assert body["response_url"].startswith(workspace.base_url)
    assert body["trigger_id"] in workspace.triggers


async def test_a_stranger_brings_the_team_they_are_of(workspace, api, heard):
    ts = await post(api, actions(button()), channel="C0SHARED")
    await workspace.click("U0EVE", "C0SHARED", ts, "press")
    assert (heard[0]["user"]["team_id"], heard[0]["team"]["id"]) == ("T0OTHER", workspace.team_id)


async def test_what_is_not_there_cannot_be_clicked(workspace, api, heard):
    ts = await post(api, actions(button(), button("other"), block_id="one"), actions(button("other"), block_id="two"))
    private = await post(api, actions(button()), channel="C0PRIV")
    impossible = [
        ("U0BEN", "C0OPEN", "1.000001", "press", {}),
        ("U0BEN", "C0OPEN", ts, "gone", {}),
        ("U0BEN", "C0OPEN", ts, "other", {}),  # in two blocks
        ("U0BEN", "C0OPEN", ts, "press", {"block_id": "two"}),
        ("U0BEN", "C0OPEN", ts, "press", {"value": "forged"}),
        ("U0BEN", "C0PRIV", private, "press", {}),
        ("U0GUS", "C0OPEN", ts, "press", {}),  # a guest is where he was let in
        ("U0DEA", "C0OPEN", ts, "press", {}),
        ("U0BOTUSER", "C0OPEN", ts, "press", {}),
        ("U0NONE", "C0OPEN", ts, "press", {}),
    ]
    for user, channel, at, action_id, more in impossible:
        with pytest.raises(NotPossible):
            await workspace.click(user, channel, at, action_id, **more)
    await api.chat_update(channel="C0OPEN", ts=ts, text="done", blocks=[section()])
    with pytest.raises(NotPossible):
        await workspace.click("U0BEN", "C0OPEN", ts, "press")
    assert heard == []


async def test_a_dialog_has_to_be_confirmed(workspace, api, heard):
    word = {"type": "plain_text", "text": "Sure"}
    ts = await post(api, actions(button(confirm={"title": word, "text": word, "confirm": word, "deny": word})))
    with pytest.raises(NotPossible, match="confirmation"):
        await workspace.click("U0BEN", "C0OPEN", ts, "press", confirmed=False)
    assert (await workspace.click("U0BEN", "C0OPEN", ts, "press")).acked


async def test_a_select_on_a_card_is_in_the_action_and_in_the_state(workspace, api, heard):
    pick = {"type": "static_select", "action_id": "pick", "options": [option("a"), option("b")]}
    ts = await post(api, actions(pick, button()))
    await workspace.click("U0BEN", "C0OPEN", ts, "pick", value="b")
    await workspace.click("U0BEN", "C0OPEN", ts, "press")
    await workspace.click("U0ANA", "C0OPEN", ts, "press")
    assert heard[0]["actions"][0]["selected_option"]["value"] == "b"
    chosen = [body["state"]["values"]["acts"]["pick"]["selected_option"] for body in heard]
    assert chosen == [option("b"), option("b"), None]  # Ana chose nothing


async def test_an_ephemerals_button_works_for_its_addressee(workspace, api, heard):
    await api.chat_postEphemeral(channel="C0OPEN", user="U0ANA", text="psst", blocks=[actions(button())])
    [psst] = workspace.ephemerals("U0ANA")
    assert (await workspace.click("U0ANA", "C0OPEN", psst.ts, "press")).acked
    assert heard[0]["container"]["is_ephemeral"]
    assert "message" not in heard[0]
    with pytest.raises(NotPossible):
        await workspace.click("U0BEN", "C0OPEN", psst.ts, "press")


async def test_a_command_with_its_mentions_escaped(workspace, heard):
    await workspace.slash("U0ANA", "C0OPEN", "/ask", "@ben @leads #general @nobody")
    [body] = heard
    assert body["text"] == "<@U0BEN|ben> <!subteam^S0LEADS|@leads> <#C0OPEN|general> @nobody"
    assert (body["command"], body["user_id"], body["channel_name"], body["api_app_id"]) == (
        "/ask",
        "U0ANA",
        "general",
        workspace.app_id,
    )
    with pytest.raises(NotPossible):
        await workspace.slash("U0ANA", "C0OPEN", "/unknown")


async def test_shortcuts_of_the_manifest(workspace, api, heard):
    ts = await post(api, section())
    assert (await workspace.shortcut("U0ANA", "ask")).acked
    assert (await workspace.message_shortcut("U0ANA", "quote", "C0OPEN", ts)).acked
    assert [(body["type"], body["callback_id"]) for body in heard] == [("shortcut", "ask"), ("message_action", "quote")]
    assert heard[1]["message"]["ts"] == ts
    with pytest.raises(NotPossible):
        await workspace.shortcut("U0ANA", "quote")


async def test_home_is_opened_and_used(workspace, api, heard):
    with pytest.raises(NotPossible):
        await workspace.home_action("U0ANA", "press")
    assert (await workspace.open_home("U0ANA")).acked
    await api.views_publish(user_id="U0ANA", view=home(actions(button())))
    assert (await workspace.home_action("U0ANA", "press")).acked
    assert heard[0]["event"]["tab"] == "home"
    assert heard[1]["view"]["type"] == "home"
    assert heard[1]["container"] == {"type": "view", "view_id": workspace.home("U0ANA").id}


async def test_a_response_url_works_five_times_in_half_an_hour(workspace, api, clock, heard):
    ts = await post(api, actions(button()))
    seen = await workspace.click("U0BEN", "C0OPEN", ts, "press")
    url = seen.envelope.payload["response_url"]

    async def answer(**body) -> int:
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            return response.status

    assert await answer(text="to you") == 200
    assert await answer(text="to all", response_type="in_channel") == 200
    assert await answer(text="instead", replace_original=True) == 200
    assert await answer(text="bad", blocks=[{"type": "no"}]) == 400
    assert await answer(delete_original=True) == 200
    assert await answer(text="sixth") == 404
    assert [message.text for message in workspace.ephemerals("U0BEN")] == ["to you"]
    assert [message.text for message in workspace.messages("C0OPEN")] == ["to all"]
    url = (await workspace.slash("U0BEN", "C0OPEN", "/ask")).envelope.payload["response_url"]
    clock.now_ms += LIVES_MS + 1
    assert await answer(text="late") == 404


async def test_what_a_person_says_is_a_message_that_the_bot_may_not_change(workspace, api):
    said = await workspace.say("U0ANA", "C0OPEN", "hello <@U0BOTUSER>")
    assert workspace.messages("general") == [said]
    async with refused("cant_update_message"):
        await api.chat_update(channel="C0OPEN", ts=said.ts, text="x")
    with pytest.raises(NotPossible):
        await workspace.say("U0GUS", "C0OPEN", "let me in")
    workspace.archive("C0OPEN")
    with pytest.raises(NotPossible):
        await workspace.say("U0ANA", "C0OPEN", "too late")


async def test_words_and_actions_of_what_is_shown(workspace, api):
    ts = await post(api, section("the reason"), actions(button(), button("other")))
    [card] = workspace.messages("C0OPEN")
    assert card.ts == ts
    assert text_of(card) == "card\nthe reason\nPress\nPress"
    assert actions_of(card) == ["press", "other"]


async def test_waiting_ends_with_a_change_or_in_time(workspace, api):
    with pytest.raises(TimeoutError):
        await workspace.wait_for(lambda: workspace.messages("C0OPEN"), timeout=0.02)
    ts = await post(api, section())
    assert [message.ts for message in await workspace.wait_for(lambda: workspace.messages("C0OPEN"))] == [ts]


@pytest.mark.parametrize(
    ("channel", "subscription", "kind"),
    [("C0OPEN", "message.channels", "channel"), ("C0PRIV", "message.groups", "group"), ("D0ANA", "message.im", "im")],
)
async def test_what_is_said_reaches_an_app_that_subscribed_to_it(channel, subscription, kind):
    manifest = MANIFEST | {"settings": {"event_subscriptions": {"bot_events": [subscription]}}}
    async with serving(make_workspace(manifest=manifest)) as server:
        workspace, heard = server.workspace, []
        app = bolt(workspace)

        @app.event("message")
        async def message(event):
            heard.append((event["channel"], event["channel_type"], event["user"], event["text"]))

        async with connected_to(workspace, app):
            for where in ("C0OPEN", "C0PRIV", "D0ANA"):
                await workspace.say("U0ANA", where, "hello")
            await workspace.wait_for(lambda: heard)
            assert len(workspace.envelopes) == 1
    assert heard == [(channel, kind, "U0ANA", "hello")]
