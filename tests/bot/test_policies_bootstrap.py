"""Bootstrap: the first policies come from the file, once. No later start applies one."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from bot.policies import Bootstrap
from bot.policy_file import PolicyFileInvalid
from bot.slack.wire import SlackRefused
from store.model.errors import AccessError, Invalid, Unavailable
from store.redis.audit import AuditLog
from store.redis.clock import Dial, no_skew
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.scripts import Scripts
from tests.builders import INSTALLATION

FILE: Final = """\
version: 1
owners: {users: [ana@example.com]}
targets:
  payments/prod: {}
policies:
  - name: production
    targets: [payments/prod]
    actions: [open]
    requesters: {groups: [dev]}
    approvals: [{count: 1, from: {groups: [leads]}}]
    request_ttl: 8h
"""


class Names:
    """Who there is; `down`: what is raised instead."""

    def __init__(self) -> None:
        self.users = {"ana@example.com": ("U0ANA", "Ana")}
        self.groups = {"dev": ("S0DEV", "dev"), "leads": ("S0LEADS", "leads")}
        self.down: AccessError | None = None
        self.asked = 0
        self.together: asyncio.Barrier | None = None  # where who asks waits for the others

    async def user(self, email_or_id: str, /) -> tuple[str, str] | None:
        self._ask()
        if self.together is not None:
            await self.together.wait()
        return self.users.get(email_or_id)

    async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
        self._ask()
        return self.groups.get(handle_or_id)

    async def channel(self, name_or_id: str, /) -> str | None:
        self._ask()
        return None

    def _ask(self) -> None:
        self.asked += 1
        if self.down is not None:
            raise self.down


class Installation:
    def __init__(self, redis: Redis, path: Path) -> None:
        keys, scripts = Keys(INSTALLATION), Scripts(redis)
        self.path = path
        self.names = Names()
        self.policies = Policies(redis, keys, scripts)
        self.log = AuditLog(redis, keys)
        self.bootstrap = Bootstrap(path, self.policies, self.names, Dial(redis, no_skew, lambda: 0.0), no_skew)

    async def events(self) -> list[str]:
        return [entry.event for _, entry in await self.log.after(0, most=100)]


@pytest.fixture
def here(real_redis: Redis, tmp_path: Path) -> Installation:
    here = Installation(real_redis, tmp_path / "policies.yml")
    here.path.write_text(FILE, encoding="utf-8")
    return here


@pytest.fixture
def another(real_redis: Redis, tmp_path: Path) -> Installation:
    """One more process, with a file of its own."""
    other = Installation(real_redis, tmp_path / "others.yml")
    other.path.write_text(FILE.replace("8h", "1h"), encoding="utf-8")
    return other


async def test_the_first_start_takes_the_file_in_and_writes_it_down(here):
    await here.bootstrap.policies()
    policies = await here.policies.current()
    assert policies.number == 1
    assert policies.owners.users == {"U0ANA"}
    assert policies.policies[0].request_ttl_ms == 8 * 3_600_000
    assert await here.events() == ["policy.created"]


async def test_no_later_start_applies_a_file(here, another):
    await here.bootstrap.policies()
    await another.bootstrap.policies()
    assert another.names.asked == 0  # nor does it ask Slack for it
    assert (await here.policies.current()).policies[0].request_ttl_ms == 8 * 3_600_000
    assert await here.events() == ["policy.created"]


async def test_of_two_first_starts_at_once_one_takes_its_file_in(here, another):
    here.names.together = another.names.together = asyncio.Barrier(2)  # both have seen that there are none
    async with asyncio.timeout(10):
        await asyncio.gather(here.bootstrap.policies(), another.bootstrap.policies())
    assert await here.policies.number() == 1
    assert await here.events() == ["policy.created"]


async def test_without_a_file_it_says_what_to_do(here):
    here.path.unlink()
    with pytest.raises(Invalid, match=r"no file .*policies\.yml\. Copy policies\.starter\.yml") as raised:
        await here.bootstrap.policies()
    assert raised.value.detail == "no_policies"


async def test_without_a_file_but_with_policies_it_starts(here):
    await here.bootstrap.policies()
    here.path.unlink()
    await here.bootstrap.policies()


async def test_a_file_that_is_wrong_is_not_taken_in(here):
    here.path.write_text(FILE.replace("count: 1", "count: 0"), encoding="utf-8")
    with pytest.raises(PolicyFileInvalid):
        await here.bootstrap.policies()
    assert await here.policies.number() == 0


async def test_every_name_that_stands_for_nothing_is_told_at_once(here):
    here.names.groups.clear()
    with pytest.raises(PolicyFileInvalid) as raised:
        await here.bootstrap.policies()
    assert "dev" in raised.value.sentence
    assert "leads" in raised.value.sentence
    assert await here.policies.number() == 0


async def test_while_slack_is_silent_nothing_is_taken_in_and_later_it_is(here):
    here.names.down = Unavailable("Slack does not answer.", code="slack_silent")
    with pytest.raises(Unavailable):
        await here.bootstrap.policies()
    assert await here.policies.number() == 0
    here.names.down = None
    await here.bootstrap.policies()
    assert await here.policies.number() == 1


# -- the difference ---------------------------------------------------------------------------------------------------


async def test_a_file_that_says_the_same_makes_no_difference(here):
    await here.bootstrap.policies()
    assert await here.bootstrap.difference() is None
    here.path.write_text(FILE + "# a remark\n", encoding="utf-8")
    assert await here.bootstrap.difference() is None


async def test_a_file_that_says_something_else_is_told_and_not_applied(here, another):
    await here.bootstrap.policies()
    assert "differs from the policies in force (version 1)" in (await another.bootstrap.difference() or "")
    assert (await here.policies.current()).policies[0].request_ttl_ms == 8 * 3_600_000


async def test_what_keeps_the_difference_from_being_told_is_told(here):
    assert "no policies yet" in (await here.bootstrap.difference() or "")
    await here.bootstrap.policies()
    here.names.down = SlackRefused("usergroups.list", "missing_scope")
    assert await here.bootstrap.difference() == "Slack refused usergroups.list: missing_scope."
    here.path.write_text("version: 2\n", encoding="utf-8")
    assert await here.bootstrap.difference()
    here.path.unlink()
    assert await here.bootstrap.difference() is None
