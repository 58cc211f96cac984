"""The condition: what owners see on Health, part by part, whatever of it cannot be looked at."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from bot import condition as looking
from bot.condition import Condition
from bot.doctor import store as stores
from bot.doctor.finding import Word
from bot.outside import Outside
from scheduler.metrics import Metrics
from store.model.effect import Redeploy
from store.model.errors import Unavailable
from store.model.policy import HOUR, Hook, TargetConfig
from store.redis.clock import no_skew
from store.redis.epochs import Epochs
from store.redis.inspection import Inspection
from store.redis.rosters import Rosters
from tests.builders import ONCALL, smash, soft
from tests.store.redis.corridor import Corridor

HOOKED: Final = TargetConfig(hooks=(Hook(name="api", url="https://deploy.example.com/hook"),))


class Bootstrap:
    """The file, as far as it is compared. `slow`: Slack does not answer."""

    def __init__(self) -> None:
        self.said: str | None = None
        self.asked = 0
        self.slow = False

    async def difference(self) -> str | None:
        self.asked += 1
        if self.slow:
            await asyncio.Event().wait()
        return self.said


class Clock:
    def __init__(self) -> None:
        self.swept_s: float | None = 0.2

    def swept_s_ago(self) -> float | None:
        return self.swept_s


class Seen:
    """A condition, and all that it looks at."""

    def __init__(self, corridor: Corridor) -> None:
        self.corridor = corridor
        self.inspection = Inspection(corridor.redis, corridor.keys)
        self.bootstrap, self.clock, self.metrics = Bootstrap(), Clock(), Metrics()
        self.monotonic_s = 1_000.0
        epochs = Epochs(corridor.redis, corridor.keys, corridor.scripts, corridor.ring, corridor.policies, no_skew)
        self.rosters = Rosters(corridor.redis, corridor.keys, corridor.scripts, corridor.ring, epochs, {}, no_skew)
        self.outside = Outside(corridor.policies, corridor.environments)
        self.condition = Condition(
            redis=corridor.redis,  # type: ignore[arg-type]  # any client: it is only inspected
            inspection=self.inspection,
            policies=corridor.policies,
            environments=corridor.environments,
            ring=corridor.ring,
            rosters=self.rosters,
            faults=(),
            outside=self.outside,
            bootstrap=self.bootstrap,  # type: ignore[arg-type]  # all that is asked of it
            clock=self.clock,  # type: ignore[arg-type]  # the same
            metrics=self.metrics,
            disk=Path("/"),
            versions=100,
            now_ms=lambda: corridor.now_ms,
            monotonic_s=lambda: self.monotonic_s,
        )

    async def told(self, about: str, word: Word) -> list[str]:
        """Looked at anew."""
        self.monotonic_s += 1_000
        return [found.sentence for found in await self.condition.look() if (found.about, found.word) == (about, word)]


@pytest.fixture
async def seen(real_redis: Redis) -> AsyncIterator[Seen]:
    corridor = Corridor(real_redis)
    await corridor.enact(soft(), targets={"payments/prod": HOOKED})
    seen = Seen(corridor)
    yield seen
    await seen.outside.close()


async def test_a_roster_that_cannot_be_followed_and_a_holder_that_cannot_be_used_are_failures(seen: Seen) -> None:
    seen.rosters.fault = "No key holder of the roster works here: it lists a, b."
    seen.condition._faults = ("The key file /a.key does not exist.",)
    told = await seen.told("keys", Word.FAIL)
    assert "No key holder of the roster works here: it lists a, b." in told
    assert "A key holder cannot be used. The key file /a.key does not exist." in told


async def test_where_all_is_well_every_part_says_so(seen: Seen) -> None:
    found = await seen.condition.look()
    assert {each.about for each in found} == {
        "redis", "policies", "clock", "timers", "lane slack", "lane connector", "lane hook", "lane mail", "alarms", "hooks", "debts",
        "memory", "disk",
    }  # fmt: skip
    assert [each for each in found if each.word is Word.FAIL] == []


async def test_a_clock_that_stands_is_said(seen: Seen) -> None:
    assert await seen.told("clock", Word.OK) == ["This process last looked 0 s ago for what is due."]
    seen.clock.swept_s = looking.SWEPT_S + 0.1
    assert "access may outlast its time" in (await seen.told("clock", Word.FAIL))[0]
    seen.clock.swept_s = None
    assert len(await seen.told("clock", Word.WARN)) == 1


async def test_alarms_are_told_by_kind_and_count(seen: Seen) -> None:
    assert await seen.told("alarms", Word.OK) == ["None since this process started."]
    for kind, times in (("poison", 3), ("quarantined", 1)):
        seen.metrics.alarms.labels(kind).inc(times)
    poison, other = await seen.told("alarms", Word.WARN)
    assert poison.startswith("An effect could not be read")
    assert "3 times since this process started" in poison
    assert other.startswith("A connector said quarantined. 1 time since this process started")


async def test_every_alarm_of_ours_has_its_words() -> None:
    kinds = set()
    for file in (Path(__file__).parents[2] / "scheduler").rglob("*.py"):
        pieces = file.read_text(encoding="utf-8").split('alarms.labels("')[1:]
        kinds |= {piece.partition('"')[0] for piece in pieces}
    assert kinds == looking.ALARMS.keys()


async def test_a_file_that_says_something_else_is_told_and_not_compared_at_each_look(seen: Seen) -> None:
    seen.bootstrap.said = "policies.yml differs."
    assert await seen.told("policies", Word.WARN) == ["policies.yml differs."]
    seen.monotonic_s += looking.SLOW_KEPT_S - 1
    await seen.condition.look()
    assert seen.bootstrap.asked == 1
    seen.monotonic_s += 1
    await seen.condition.look()
    assert seen.bootstrap.asked == 2


async def test_a_part_that_takes_too_long_is_said_to_and_holds_up_no_other(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PATIENCE_S", 0.2)
    seen.bootstrap.slow = True
    assert "not looked at in time" in (await seen.told("policies", Word.WARN))[0]
    assert await seen.told("debts", Word.OK) == ["No broken glass waits to be countersigned."]


async def test_what_cannot_be_read_is_a_finding(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise Unavailable("Redis does not answer.")

    monkeypatch.setattr(seen.inspection, "debts", away)
    assert await seen.told("debts", Word.FAIL) == ["Redis does not answer."]


async def test_debts_are_counted_and_one_that_is_overdue_is_said(seen: Seen) -> None:
    for _ in range(2):
        asked = await seen.corridor.ask()
        await seen.corridor.do(asked, smash(asked, ONCALL, id=asked.id))
    assert await seen.told("debts", Word.WARN) == ["2 broken glasses wait to be countersigned."]
    seen.corridor.skew_ms += 100 * HOUR
    assert await seen.told("debts", Word.FAIL) == ["2 broken glasses wait to be countersigned. One is overdue."]


async def test_a_hook_that_is_still_tried_is_named_with_its_tries(seen: Seen) -> None:
    corridor = seen.corridor
    waits: dict[str, Any] = {"environment": "payments/prod", "environment_id": "E1", "hook": "api", "version": 4}
    await corridor.outbox.put([Redeploy(**waits, request="REQVEST001", at_ms=1)], command_id="put")
    assert await seen.told("hooks", Word.WARN) == []
    (claimed,) = await corridor.outbox.claim("hook", most=1, lease_ms=1)
    await corridor.outbox.settle(claimed, again_in_ms=1_000)
    assert await seen.told("hooks", Word.WARN) == ["payments/prod, hook api, has not taken version 4 in 1 time."]


async def test_a_hook_that_was_given_up_is_told_as_long_as_the_policies_name_it(seen: Seen) -> None:
    corridor = seen.corridor
    index = corridor.keys.index("dead")
    await corridor.redis.zadd(index, {"payments/prod#api": 1, "payments/prod#gone": 2, "team/gone#api": 3})
    [given_up] = await seen.told("hooks", Word.FAIL)
    assert given_up == (
        "payments/prod, hook api, was given up: it has not heard of the newest version. "
        "Retry it on its card, or with countersign hooks retry."
    )


async def test_only_so_many_of_one_kind_are_listed(seen: Seen) -> None:
    seen.bootstrap.said = "\n".join(f"Line {number}." for number in range(9))
    told = await seen.told("policies", Word.WARN)
    assert told[-1] == "And 4 more."
    assert len(told) == looking.SHOWN + 1


async def test_how_many_versions_are_left(seen: Seen) -> None:
    for number in range(3):
        await seen.corridor.approved("change", A=f"a{number}")
    [told] = await seen.told("versions", Word.OK)
    assert told.startswith("1 environment in 4 versions, ")
    assert told.endswith("payments/prod has the most, 4 of 100 that are kept: 96 left.")


async def test_versions_that_nothing_drops(seen: Seen) -> None:
    for number in range(23):
        await seen.corridor.approved("change", A=f"a{number}")
    found = [each async for each in stores.versions(seen.inspection, 3)]
    assert [each.word for each in found] == [Word.WARN]
    assert "24 of 3 that are kept: 0 left. Nothing drops the older ones" in found[0].sentence
