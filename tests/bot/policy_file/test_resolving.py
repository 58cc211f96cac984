"""Names into ids: what is unknown is an error with its place, and what is known becomes the store's records."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.policy_file import PolicyFileInvalid, parse, resolve
from store.model import policy as model
from store.model.errors import Unavailable

SOUND = (Path(__file__).parent / "sound.yml").read_text(encoding="utf-8")
MINIMAL = """
version: 1
owners: {users: [U0OWNER]}
targets: {"role:x": {connector: c, group: g}}
connectors: {c: {type: scim, url: "https://scim.example.com", credentials: a/b}}
policies:
  - name: x
    targets: ["role:x"]
    actions: [access]
    requesters: {users: [U0ASKS]}
    approvals: [{from: {users: [U0DECIDES]}}]
"""

Names = Mapping[str, str]
FEW: Names = {}


class Workspace:
    """A lookup over three small lists. It takes names and ids, and counts what it was asked."""

    def __init__(self, *, users: Names = FEW, groups: Names = FEW, channels: Names = FEW) -> None:
        self.users = users
        self.groups = groups
        self.channels = channels
        self.asked: list[str] = []

    async def user(self, email_or_id: str, /) -> tuple[str, str] | None:
        self.asked.append(email_or_id)
        return next(((key, name) for name, key in self.users.items() if email_or_id in (name, key)), None)

    async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
        self.asked.append(handle_or_id)
        return next(((key, name) for name, key in self.groups.items() if handle_or_id in (name, key)), None)

    async def channel(self, name_or_id: str, /) -> str | None:
        self.asked.append(name_or_id)
        return next((key for name, key in self.channels.items() if name_or_id in (name, key)), None)


GROUPS = {"admins": "S0ADMINS", "dev": "S0DEV", "leads": "S0LEADS", "oncall": "S0ONCALL", "heads": "S0HEADS"}
USERS = {"ana@example.com": "U0ANA", "ben@example.com": "W0BEN"}
CHANNELS = {"#audit": "C0AUDIT00", "#payments": "C024BE91L"}


def workspace(**changes: Names) -> Workspace:
    return Workspace(**({"users": USERS, "groups": GROUPS, "channels": CHANNELS} | changes))


async def test_every_part_of_the_file_reaches_the_store():
    text = SOUND.replace("targets: [payments/prod]", "targets: [acme/payments/prod]").replace("leads]", '"@leads"]')
    found = await resolve(parse(text.encode()), workspace(), number=7)
    rule = found.policies[0]
    assert found.number == 7
    assert found.owners == model.Circle(groups=frozenset({"S0ADMINS"}))
    assert found.organization == "acme"
    assert found.allow_private == ("127.0.0.1:9000",)
    assert found.targets["payments/prod"] == model.TargetConfig(
        channel="C024BE91L", secure=True, hooks=(model.Hook(name="api", url="https://deploy.example.com/api"),)
    )
    assert found.targets["role:aws-admin"] == model.TargetConfig(connector="okta", group="aws-admins")
    assert found.connectors["okta"] == model.ConnectorConfig(
        type="scim", url="https://example.okta.com/scim", credentials="countersign/connectors"
    )
    assert rule.targets == ("payments/prod",)
    assert rule.actions == {"change", "open", "deploy"}
    assert rule.approvals == (
        model.Threshold(count=1, circle=model.Circle(groups=frozenset({"S0LEADS"}))),
        model.Threshold(count=2, circle=model.Circle(users=frozenset({"U0ANA", "W0BEN"}))),
    )
    assert rule.enforcement == "soft"
    assert rule.bypassers.groups == {"S0ONCALL"}
    assert rule.remind == (15 * model.MINUTE, model.HOUR)
    assert rule.escalate == (model.Escalation(after_ms=2 * model.HOUR, to=model.Circle(groups=frozenset({"S0HEADS"}))),)
    assert rule.ticket == model.Ticket(pattern="^[A-Z]+-[0-9]+$")
    assert rule.notify.channels == ("C0AUDIT00",)
    assert found.names["U0ANA"] == "ana@example.com"
    assert found.names["S0LEADS"] == "@leads"
    assert found.names["C0AUDIT00"] == "#audit"
    assert type(found).from_json(found.to_json()) == found


async def test_what_the_file_leaves_out_is_what_the_store_leaves_out():
    people = Workspace(users={"Olga": "U0OWNER", "Ada": "U0ASKS", "Dan": "U0DECIDES"})
    found = await resolve(parse(MINIMAL.encode()), people)
    assert found.policies == (
        model.Policy(
            name="x",
            targets=("role:x",),
            actions=frozenset({"access"}),
            requesters=model.Circle(users=frozenset({"U0ASKS"})),
            approvals=(model.Threshold(circle=model.Circle(users=frozenset({"U0DECIDES"}))),),
        ),
    )
    assert found.names == {"U0OWNER": "Olga", "U0ASKS": "Ada", "U0DECIDES": "Dan"}


async def test_ids_may_stand_for_names():
    text = SOUND.replace("ana@example.com", "U0ANA").replace("[leads]", "[S0LEADS]").replace("#audit", "C0AUDIT00")
    found = await resolve(parse(text.encode()), workspace())
    assert found.policies[0].notify.channels == ("C0AUDIT00",)
    assert found.names["S0LEADS"] == "@leads"


async def test_every_unknown_name_is_told_with_its_place():
    groups = {name: key for name, key in GROUPS.items() if name != "leads"}
    with pytest.raises(PolicyFileInvalid) as raised:
        await resolve(
            parse(SOUND.encode(), "p.yml"), workspace(users={"ana@example.com": "U0ANA"}, groups=groups, channels={})
        )
    assert [str(problem) for problem in raised.value.problems] == [
        "p.yml:7:14: the channel “C024BE91L” cannot be found; write its id, which Slack shows at the end of the channel's details.",
        "p.yml:22:36: Slack knows no user group “@leads”; check the handle, or write the group's id.",
        "p.yml:23:52: Slack knows nobody as “ben@example.com”; check the address, or write the person's user id.",
        "p.yml:31:25: the channel “#audit” cannot be found; write its id, which Slack shows at the end of the channel's details.",
        "p.yml:36:34: Slack knows no user group “@leads”; check the handle, or write the group's id.",
    ]


async def test_each_name_is_looked_up_once():
    people = workspace()
    await resolve(parse(SOUND.encode()), people)
    assert len(people.asked) == len(set(people.asked))


async def test_one_person_under_two_names_is_not_two():
    text = SOUND.replace("ben@example.com", "U0ANA")
    with pytest.raises(PolicyFileInvalid) as raised:
        await resolve(parse(text.encode(), "p.yml"), workspace())
    assert str(raised.value) == "p.yml:23:52: “U0ANA” is “ana@example.com” under another name; list one of the two."


async def test_one_person_under_two_names_cannot_fill_two_thresholds():
    text = SOUND.replace("{count: 1, from: {groups: [leads]}}", "{from: {users: [U0ANA]}}").replace(
        "{count: 2, from: {users: [ana@example.com, ben@example.com]}}", "{from: {users: [ana@example.com]}}"
    )
    with pytest.raises(PolicyFileInvalid) as raised:
        await resolve(parse(text.encode(), "p.yml"), workspace())
    assert str(raised.value) == "p.yml:22:7: different names here are the same people, and too few; list more."


async def test_a_lookup_that_does_not_answer_decides_nothing():
    class Silent(Workspace):
        async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
            raise Unavailable("Slack does not answer.")

    with pytest.raises(Unavailable):
        await resolve(parse(SOUND.encode()), Silent(users=USERS, channels=CHANNELS))
