"""A restart loses no card."""

import json

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.playground.small import Clock, actions, button, home, make_workspace, section, serving


async def test_messages_homes_and_channels_outlive_a_restart(tmp_path):
    path, clock = tmp_path / "deep" / "transcript.json", Clock()
    async with serving(make_workspace(transcript=path, clock=clock)) as server:
        workspace = server.workspace
        api = AsyncWebClient(token=workspace.bot_token, base_url=server.api_url)
        card = (await api.chat_postMessage(channel="C0OPEN", text="card", blocks=[actions(button())]))["ts"]
        await api.chat_postMessage(channel="C0OPEN", text="reply", thread_ts=card)
        await api.chat_postMessage(channel="U0ANA", text="dm")
        await api.chat_postEphemeral(channel="C0OPEN", user="U0ANA", text="psst")
        published = (await api.views_publish(user_id="U0ANA", view=home(section("mine"))))["view"]
        workspace.archive("C0PRIV")
        before = [workspace.messages("C0OPEN"), workspace.dm("U0ANA")]

    async with serving(make_workspace(transcript=path, clock=clock)) as server:
        workspace = server.workspace
        assert [workspace.messages("C0OPEN"), workspace.dm("U0ANA")] == before
        home_now = workspace.homes["U0ANA"]
        assert (home_now.id, home_now.hash) == (published["id"], published["hash"])
        assert workspace.channels["C0PRIV"].archived
        assert workspace.ephemerals("U0ANA") == []
        api = AsyncWebClient(token=workspace.bot_token, base_url=server.api_url)
        assert (await api.chat_postMessage(channel="C0OPEN", text="next"))["ts"] > before[1][-1].ts
        await api.chat_update(channel="C0OPEN", ts=card, text="changed")


async def test_it_is_on_disk_soon_after_the_change_and_whole(tmp_path):
    path = tmp_path / "transcript.json"
    async with serving(make_workspace(transcript=path)) as server:
        await server.workspace.say("U0ANA", "C0OPEN", "kept")
        assert server.workspace.transcript is not None
        await server.workspace.transcript.written.wait()
        assert [message["text"] for message in json.loads(path.read_text())["messages"]] == ["kept"]
        assert list(tmp_path.iterdir()) == [path]


async def test_a_newer_schema_is_left_alone(tmp_path):
    path = tmp_path / "transcript.json"
    path.write_text(json.dumps({"schema": 99}))
    with pytest.raises(ValueError, match="schema 99"):
        make_workspace(transcript=path)
    assert json.loads(path.read_text()) == {"schema": 99}
