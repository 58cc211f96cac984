"""The Web API answers what Slack answers, with Slack's error codes."""

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.playground.small import MANIFEST, home, make_workspace, modal, refused, section, serving


async def raw(workspace, method, *, token=None, headers=None, **kwargs) -> Any:
    token = workspace.bot_token if token is None else token
    headers = (headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{workspace.base_url}/api/{method}", headers=headers, **kwargs) as answer,
    ):
        return await answer.json()


async def test_the_bot_is_told_who_it_is(workspace, api):
    answer = await api.auth_test()
    assert "users:read.email" in answer.headers["x-oauth-scopes"].split(",")
    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == (
        workspace.bot_user_id,
        workspace.bot_id,
        workspace.team_id,
    )


@pytest.mark.parametrize(
    ("token", "method", "code"),
    [
        ("", "auth.test", "not_authed"),
        ("xoxb-other", "auth.test", "invalid_auth"),
        ("xapp-playground", "chat.postMessage", "not_allowed_token_type"),
        ("xoxb-playground", "apps.connections.open", "not_allowed_token_type"),
        ("xoxb-playground", "chat.delete", "unknown_method"),
        ("", "chat.delete", "unknown_method"),
    ],
)
async def test_tokens(workspace, token, method, code):
    assert (await raw(workspace, method, token=token))["error"] == code


async def test_arguments_come_as_form_json_or_query_and_the_token_among_them(workspace):
    body = {"channel": "C0OPEN", "text": "hello", "blocks": json.dumps([section()])}
    assert (await raw(workspace, "chat.postMessage", data=body))["ok"]
    assert (await raw(workspace, "chat.postMessage", json=body))["ok"]
    assert (await raw(workspace, "chat.postMessage", params=body))["ok"]
    assert (await raw(workspace, "chat.postMessage", token="", data=body | {"token": workspace.bot_token}))["ok"]
    assert (await raw(workspace, "chat.postMessage", data="{", headers={"Content-Type": "application/json"})) == {
        "ok": False,
        "error": "invalid_json",
    }
    assert len(workspace.messages("C0OPEN")) == 4
    assert "token" not in workspace.calls[-1].args


@pytest.mark.parametrize(
    "method",
    ["chat_postMessage", "chat_update", "users_info", "conversations_open", "usergroups_list", "users_lookupByEmail"],
)
async def test_each_method_needs_its_scope_from_the_manifest(method):
    manifest = MANIFEST | {"oauth_config": {"scopes": {"bot": ["commands"]}}}
    arguments = {
        "chat_postMessage": {"channel": "C0OPEN", "text": "x"},
        "chat_update": {"channel": "C0OPEN", "ts": "1.000000", "text": "x"},
        "users_info": {"user": "U0ANA"},
        "conversations_open": {"users": "U0ANA"},
        "usergroups_list": {},
        "users_lookupByEmail": {"email": "x@example.com"},
    }[method]
    async with serving(make_workspace(manifest=manifest)) as server:
        client = AsyncWebClient(token=server.workspace.bot_token, base_url=server.api_url)
        async with refused("missing_scope") as answer:
            await getattr(client, method)(**arguments)
    assert answer["provided"] == "commands"
    assert answer["needed"]


async def test_an_unknown_or_missing_argument_is_refused(workspace):
    answer = await raw(workspace, "chat.postMessage", json={"channel": "C0OPEN", "text": "x", "colour": "red"})
    assert (answer["error"], answer["response_metadata"]["messages"]) == (
        "invalid_arguments",
        ["[ERROR] unknown argument: colour [json-pointer:/colour]"],
    )
    assert (await raw(workspace, "chat.update", json={"channel": "C0OPEN"}))["error"] == "invalid_arguments"


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("C0NONE", "channel_not_found"),
        ("C0HIDDEN", "channel_not_found"),
        ("C0AWAY", "not_in_channel"),
        ("#nowhere", "channel_not_found"),
    ],
)
async def test_where_the_bot_cannot_write(api, channel, code):
    async with refused(code):
        await api.chat_postMessage(channel=channel, text="x")


async def test_a_message_and_its_thread(workspace, api):
    posted = await api.chat_postMessage(channel="#general", text="card", blocks=[section()], unfurl_links=False)
    assert posted["channel"] == "C0OPEN"
    assert posted["message"]["bot_id"] == workspace.bot_id
    await api.chat_postMessage(channel="C0OPEN", text="reply", thread_ts=posted["ts"])
    assert [message.text for message in workspace.thread("general", posted["ts"])] == ["card", "reply"]
    async with refused("thread_not_found"):
        await api.chat_postMessage(channel="C0OPEN", text="x", thread_ts="1.000001")
    async with refused("invalid_thread_ts"):
        await api.chat_postMessage(channel="C0OPEN", text="x", thread_ts="now")
    link = await api.chat_getPermalink(channel="C0OPEN", message_ts=posted["ts"])
    assert link["permalink"].endswith(posted["ts"].replace(".", ""))
    async with refused("message_not_found"):
        await api.chat_getPermalink(channel="C0OPEN", message_ts="1.000001")


async def test_timestamps_are_unique_while_the_clock_stands(api):
    stamps = [(await api.chat_postMessage(channel="C0OPEN", text="x"))["ts"] for _ in range(5)]
    assert stamps == sorted(set(stamps))


async def test_an_update_replaces_and_refuses(workspace, api):
    posted = await api.chat_postMessage(channel="C0OPEN", text="card", blocks=[section()])
    await api.chat_update(channel="C0OPEN", ts=posted["ts"], text="changed", blocks=[section("other", "said2")])
    [message] = workspace.messages("C0OPEN")
    assert (message.text, message.blocks[0]["block_id"], message.edited_ts is not None) == ("changed", "said2", True)
    async with refused("message_not_found"):
        await api.chat_update(channel="C0OPEN", ts="1.000001", text="x")
    async with refused("msg_too_long"):
        await api.chat_update(channel="C0OPEN", ts=posted["ts"], text="x" * 4001)
    assert (await raw(workspace, "chat.update", json={"channel": "C0OPEN", "ts": posted["ts"], "text": " "}))[
        "error"
    ] == "no_text"
    said = await workspace.say("U0ANA", "C0OPEN", "mine")
    async with refused("cant_update_message"):
        await api.chat_update(channel="C0OPEN", ts=said.ts, text="x")
    workspace.archive("C0OPEN")
    async with refused("is_archived"):
        await api.chat_update(channel="C0OPEN", ts=posted["ts"], text="x")
    async with refused("is_archived"):
        await api.chat_postMessage(channel="C0OPEN", text="x")


async def test_an_ephemeral_is_its_addressees_only(workspace, api):
    await api.chat_postEphemeral(channel="C0SHARED", user="U0ANA", text="psst")
    assert [message.text for message in workspace.ephemerals("U0ANA")] == ["psst"]
    assert workspace.ephemerals("U0GUS") == workspace.messages("C0SHARED") == []
    async with refused("user_not_in_channel"):
        await api.chat_postEphemeral(channel="C0SHARED", user="U0BEN", text="psst")


async def test_an_im_opens_once_and_not_with_everybody(workspace, api):
    first, second = await api.conversations_open(users="W0SOL"), await api.conversations_open(users=["W0SOL"])
    assert first["channel"]["id"] == second["channel"]["id"]
    assert second["already_open"]
    await api.chat_postMessage(channel=first["channel"]["id"], text="hello")
    await api.chat_postMessage(channel="W0SOL", text="again")
    assert [message.text for message in workspace.dm("W0SOL")] == ["hello", "again"]
    for users, code in (
        ("U0DEA", "user_disabled"),
        ("U0NONE", "user_not_found"),
        ("", "users_list_not_supplied"),
        (workspace.bot_user_id, "cannot_dm_bot"),
    ):
        async with refused(code):
            await api.conversations_open(users=users)


async def test_people_are_shown_as_what_they_are(api):
    users = {
        user: (await api.users_info(user=user))["user"]
        for user in ("U0ANA", "U0GUS", "W0SOL", "U0DEA", "U0EVE", "U0BOTUSER")
    }
    flags = ("deleted", "is_restricted", "is_ultra_restricted", "is_stranger", "is_bot")
    assert {user: [flag for flag in flags if shape.get(flag)] for user, shape in users.items()} == {
        "U0ANA": [],
        "U0GUS": ["is_restricted"],
        "W0SOL": ["is_restricted", "is_ultra_restricted"],
        "U0DEA": ["deleted"],
        "U0EVE": ["is_stranger"],
        "U0BOTUSER": ["is_bot"],
    }
    assert users["U0EVE"]["team_id"] == "T0OTHER"
    assert (await api.users_lookupByEmail(email="ANA@example.com"))["user"]["id"] == "U0ANA"
    async with refused("user_not_found"):
        await api.users_info(user="U0NONE")
    for email in ("dea@example.com", "no@example.com"):
        async with refused("users_not_found"):
            await api.users_lookupByEmail(email=email)


async def test_an_email_needs_its_own_scope():
    scopes = [scope for scope in MANIFEST["oauth_config"]["scopes"]["bot"] if scope != "users:read.email"]
    async with serving(make_workspace(manifest=MANIFEST | {"oauth_config": {"scopes": {"bot": scopes}}})) as server:
        answer = await raw(server.workspace, "users.info", data={"user": "U0ANA"})
        assert answer["user"]["name"] == "ana"
        assert "email" not in answer["user"]["profile"]


async def test_user_groups_and_the_plan_they_need(workspace, api):
    [group] = (await api.usergroups_list(include_users=True))["usergroups"]
    assert (group["handle"], group["users"], group["user_count"]) == ("leads", ["U0BEN"], 1)
    assert (await api.usergroups_users_list(usergroup="S0LEADS"))["users"] == ["U0BEN"]
    async with refused("no_such_subteam"):
        await api.usergroups_users_list(usergroup="S0NONE")
    workspace.paid = False
    async with refused("plan_upgrade_required"):
        await api.usergroups_list()
    async with refused("plan_upgrade_required"):
        await api.usergroups_users_list(usergroup="S0LEADS")


async def test_channels_and_their_members(api):
    private = (await api.conversations_info(channel="C0PRIV"))["channel"]
    assert (private["is_private"], private["is_member"], private["is_archived"]) == (True, True, False)
    assert not (await api.conversations_info(channel="C0AWAY"))["channel"]["is_member"]
    async with refused("channel_not_found"):
        await api.conversations_info(channel="C0HIDDEN")
    async with refused("missing_scope") as answer:  # im:read is not granted
        await api.conversations_info(channel=(await api.conversations_open(users="U0ANA"))["channel"]["id"])
    assert answer["needed"] == "im:read"
    first = await api.conversations_members(channel="C0SHARED", limit=2)
    rest = await api.conversations_members(
        channel="C0SHARED", limit=2, cursor=first["response_metadata"]["next_cursor"]
    )
    assert [*first["members"], *rest["members"]] == ["U0ANA", "U0GUS", "U0EVE", "U0BOTUSER"]
    assert (await api.conversations_members(channel="C0OPEN"))["members"] == ["U0ANA", "U0BEN", "U0BOTUSER"]


async def test_home_is_published_to_one_person(workspace, api):
    first = await api.views_publish(user_id="U0ANA", view=home())
    second = await api.views_publish(user_id="U0ANA", view=home(section("new")), hash=first["view"]["hash"])
    assert first["view"]["id"] == second["view"]["id"]
    assert workspace.home("U0BEN") is None
    async with refused("hash_conflict"):
        await api.views_publish(user_id="U0ANA", view=home(), hash=first["view"]["hash"])
    async with refused("invalid_arguments"):
        await api.views_publish(user_id="U0ANA", view=modal())
