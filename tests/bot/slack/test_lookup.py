"""Names of the policy file, looked up in a workspace."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack import lookup
from bot.slack.lookup import SlackLookup
from bot.slack.wire import Slack, SlackRefused
from playground.server import PlaygroundServer
from playground.slack.records import Channel, Group, Person
from playground.slack.workspace import Workspace

MANIFEST = Path(__file__).parent.parent.parent.parent / "manifest.yml"


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    workspace = Workspace(
        people=[Person("U0ANA", "ana", "Ana Costa"), Person("U0BEN", "ben")],
        groups=[Group("S0LEADS", "leads", ["U0BEN"]), Group("S0GONE", "gone", [], disabled=True)],
        channels=[
            *(Channel(f"C0NUMBER{number}", f"number-{number}") for number in range(5)),
            Channel("C0SECRET", "secret", kind="private", members={"U0ANA"}),
            Channel("C0OTHERS", "others", bot_is_member=False),
            Channel("C0OLD", "old", archived=True),
        ],
        manifest=MANIFEST,
    )
    server = PlaygroundServer(workspace)
    await server.start()
    yield workspace
    await server.stop()


@pytest.fixture
def names(workspace: Workspace) -> SlackLookup:
    return SlackLookup(Slack(AsyncWebClient(token=workspace.bot_token, base_url=f"{workspace.base_url}/api/")))


async def test_people_by_address_and_by_id(names: SlackLookup):
    assert await names.user("ana@example.com") == ("U0ANA", "Ana Costa")
    assert await names.user("U0ANA") == ("U0ANA", "Ana Costa")
    assert await names.user("zoe@example.com") is None
    assert await names.user("U0ZOE") is None


async def test_groups_by_handle_and_by_id(names: SlackLookup, workspace: Workspace):
    assert await names.group("leads") == await names.group("@leads") == await names.group("S0LEADS")
    assert await names.group("gone") is None
    assert [call.method for call in workspace.calls] == ["usergroups.list"], "the list is asked for once"


async def test_a_plan_without_user_groups_knows_none(names: SlackLookup, workspace: Workspace):
    workspace.paid = False
    assert await names.group("leads") is None
    assert await names.user("U0ANA") == ("U0ANA", "Ana Costa")


async def test_channels_by_id_and_by_name_where_the_bot_is(
    names: SlackLookup, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lookup, "PAGE", 2)
    assert await names.channel("C0NUMBER3") == "C0NUMBER3"
    assert await names.channel("C0NOWHERE") is None
    before = len(workspace.calls)
    found = [await names.channel(name) for name in ("#number-4", "#secret", "#others", "#old", "#nowhere")]
    assert found == ["C0NUMBER4", "C0SECRET", None, None, None]
    assert len(workspace.calls) - before == 3, "six channels in pages of two, asked for once"


async def test_what_slack_refuses_is_raised(names: SlackLookup, workspace: Workspace):
    workspace.faults.error("usergroups.list", "missing_scope")
    with pytest.raises(SlackRefused, match="missing_scope"):
        await names.group("leads")
