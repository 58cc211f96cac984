"""Seed: the people, groups, channels, policies and first secrets of the playground."""

from typing import Final

from bot.app import App
from bot.outside import token_name
from playground.slack.records import Channel, Group, Person
from store.model.command import Approve
from store.model.identity import Target
from store.model.people import Wanted
from store.model.secret import Secret
from store.redis.environments import Value

ROSA: Final = "U0ROSA"  # asks
OMAR: Final = "U0OMAR"  # asks, and may break the glass
BEN: Final = "U0BEN"  # decides
INES: Final = "U0INES"  # decides
ANA: Final = "U0ANA"  # owns
APPROVALS: Final = "C0APPROVALS"
GENERAL: Final = "C0GENERAL"
ROLE_GROUP: Final = "database-admins"
SCIM_TOKEN: Final = "playground-scim-token"  # noqa: S105 - of a server on loopback that holds nothing


def people() -> list[Person]:
    return [
        Person(ROSA, "rosa", "Rosa Lind"),
        Person(OMAR, "omar", "Omar Haddad"),
        Person(BEN, "ben", "Ben Okafor", tz="Europe/London"),
        Person(INES, "ines", "Ines Vidal", tz="America/New_York"),
        Person(ANA, "ana", "Ana Costa", tz="Europe/Lisbon", admin=True),
        Person("U0GIL", "gil", "Gil Moreau (guest)", kind="guest"),
        Person("U0SAM", "sam", "Sam Park (partner)", kind="stranger", team_id="T0PARTNER"),
        Person("U0DORA", "dora", "Dora Kim (left)", kind="deactivated"),
        Person("U0ROBO", "robo", "Robo", kind="bot"),
    ]


def groups() -> list[Group]:
    return [
        Group("S0DEV", "payments-dev", [ROSA, OMAR], "Payments developers"),
        Group("S0LEADS", "payments-leads", [BEN, INES], "Payments leads"),
    ]


def channels() -> list[Channel]:
    return [Channel(APPROVALS, "payments-approvals"), Channel(GENERAL, "general")]


def policies(*, hooks: str, scim: str, allow: tuple[str, ...]) -> str:
    """The file. `hooks` and `scim` are addresses on loopback, which `allow` vouches for."""
    return POLICIES.format(hooks=hooks, scim=scim, allow=", ".join(f'"{place}"' for place in allow))


POLICIES: Final = """\
# The playground's policies. Everything is explained in docs/policy.md.
version: 1
owners: {{users: [ana@example.com]}}
allow_private: [{allow}]              # receivers on this machine; in production there are none
targets:
  payments/prod:
    channel: C0APPROVALS
    values_in_slack: enter_and_show
    hooks:
      - {{name: api, url: "{hooks}/api", on: [change, deploy]}}
  payments/staging:
    channel: C0APPROVALS
    values_in_slack: enter_and_show
  role:database-admin:
    channel: C0APPROVALS
    connector: directory
    group: database-admins
  policy:main: {{channel: C0APPROVALS}}   # this file, and the machines that are let in
  countersign/connectors:
    channel: C0APPROVALS
    values_in_slack: enter
connectors:
  directory: {{type: scim, url: "{scim}", credentials: countersign/connectors}}
policies:
  - name: change production
    targets: [payments/prod]
    actions: [change]
    requesters: {{groups: [payments-dev]}}
    approvals:                        # two different people
      - {{count: 1, from: {{groups: [payments-leads]}}}}
      - {{count: 1, from: {{groups: [payments-leads], users: [ana@example.com]}}}}
  - name: open production
    targets: [payments/prod]
    actions: [open]
    requesters: {{groups: [payments-dev]}}
    approvals: [{{count: 1, from: {{groups: [payments-leads]}}}}]
    enforcement: soft
    bypassers: {{users: [omar@example.com]}}
    break_glass: {{max_duration: 30m, review_within: 24h}}
    access: {{default: 15m, max: 4h, grant_expiration: 1h}}
  - name: staging
    targets: [payments/staging]
    actions: [open, change]
    requesters: {{groups: [payments-dev]}}
    approvals: [{{count: 1, from: {{groups: [payments-leads, payments-dev]}}}}]
    access: {{default: 1h, max: 8h, grant_expiration: 8h}}
  - name: database administrators
    targets: ["role:database-admin"]
    actions: [access]
    requesters: {{groups: [payments-dev]}}
    approvals: [{{count: 1, from: {{groups: [payments-leads]}}}}]
    access: {{default: 15m, max: 2h, grant_expiration: 1h}}
  - name: deploy production           # payments/prod#api: the hook above is called api
    targets: [payments/prod]
    actions: [deploy]
    requesters: {{groups: [payments-dev]}}
    approvals: [{{count: 1, from: {{groups: [payments-leads]}}}}]
    enforcement: soft
    bypassers: {{users: [omar@example.com]}}
    report_within: 30m
  - name: Countersign itself
    targets: ["policy:main", countersign/connectors]
    actions: [policy, change]
    requesters: {{users: [ana@example.com]}}
    approvals: [{{count: 1, from: {{groups: [payments-leads]}}}}]
"""

SECRETS: Final = {
    "payments/prod": {
        "DATABASE_URL": "postgres://payments:prod-3rtq9w@db.internal/payments",
        "STRIPE_KEY": "sk_live_playground_51Hxyz",
        "SESSION_SECRET": "b2f1c0de-playground",
    },
    "payments/staging": {
        "DATABASE_URL": "postgres://payments:staging@db.internal/payments",
        "STRIPE_KEY": "sk_test_playground_42",
    },
}


async def first_secrets(app: App) -> None:
    """By the same corridor as everything else: somebody asks, others approve."""
    # A click would not wait so long for Slack. Here a machine that is busy starting may take its time.
    await app.directory.people(Wanted(frozenset({ROSA, BEN, INES, ANA}), frozenset({"S0DEV", "S0LEADS"})), patient=True)
    by = {"payments/prod": (ROSA, [BEN, INES]), "payments/staging": (ROSA, [BEN])}
    for target, values in SECRETS.items():
        requester, approvers = by[target]
        await _change(app, target, values, requester, approvers)
    await _change(app, "countersign/connectors", {token_name("directory"): SCIM_TOKEN}, ANA, [BEN])


async def _change(app: App, target: str, values: dict[str, str], requester: str, approvers: list[str]) -> None:
    sealed = {name: Value(Secret(value.encode())) for name, value in values.items()}
    outcome = await app.asking.change(
        requester,
        Target.parse(target),
        sealed,
        reason="The playground's first secrets. Version 1 was the environment without any.",
        ticket=None,
        command_id=f"seed:{target}",
    )
    if not outcome.news or outcome.request is None:
        return  # seeded before
    asked = outcome.request
    for approver in approvers:
        command_id = f"seed:{target}:{approver}"
        await app.requests.apply(
            asked.id, Approve(id=command_id, actor=approver, revision=asked.revision, digest=asked.digest)
        )
