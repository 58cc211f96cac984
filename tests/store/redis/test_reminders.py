"""Reminders and escalations in Redis: one entry each, moved on in one commit, and gone with the decision."""

import asyncio
from typing import Any

import pytest

from store.model.command import Due, Withdraw
from store.model.errors import Conflict
from store.model.policy import HOUR, MINUTE, Circle, Escalation
from store.model.request import Request
from store.redis.commit import text
from tests.builders import ANA, BOB, NOW, ONCALL, OWNER, REQ, approve, policy, smash, soft
from tests.store.redis.corridor import Corridor, Gate, command_for

CALLS = {
    "remind": (15 * MINUTE, HOUR),
    "escalate": (Escalation(after_ms=2 * HOUR, to=Circle(users=frozenset({OWNER}))),),
}
BEGINS = {"deadline": NOW + 8 * HOUR, "remind": NOW + 15 * MINUTE, "escalate": NOW + 2 * HOUR}


@pytest.fixture
async def asked(corridor: Corridor) -> Request:
    await corridor.enact(policy(**CALLS))
    return await corridor.ask()


async def entries(corridor: Corridor) -> dict[str, int]:
    found: Any = await corridor.redis.zrange(corridor.keys.due, 0, -1, withscores=True)
    return {text(member).partition("/")[2]: int(score) for member, score in found}


def due(asked: Request, name, at_ms: int) -> Due:
    return Due(id=f"due:{asked.id}/{name}:{at_ms}", actor="clock", timer=name, at_ms=at_ms)


async def put(corridor: Corridor) -> list[str]:
    """Which calls wait to be sent."""
    members = [text(member) for member in await corridor.redis.zrange(corridor.keys.lane("slack"), 0, -1)]
    return sorted(member for member in members if member.startswith("announce:"))


async def test_each_has_one_entry_that_moves_on(corridor, asked):
    assert await entries(corridor) == BEGINS
    corridor.skew_ms = 15 * MINUTE
    [timer] = await corridor.timers.due(most=9)
    assert (timer.name, timer.at_ms) == ("remind", BEGINS["remind"])
    await corridor.do(asked, due(asked, "remind", timer.at_ms))
    assert await entries(corridor) == {**BEGINS, "remind": NOW + HOUR}
    corridor.skew_ms = HOUR
    await corridor.do(asked, due(asked, "remind", NOW + HOUR))
    assert await entries(corridor) == {"deadline": BEGINS["deadline"], "escalate": BEGINS["escalate"]}
    corridor.skew_ms = 2 * HOUR
    await corridor.do(asked, due(asked, "escalate", BEGINS["escalate"]))
    assert await entries(corridor) == {"deadline": BEGINS["deadline"]}
    assert (await corridor.events())[-3:] == ["request.reminded", "request.reminded", "request.escalated"]
    assert [key.split(":")[2] for key in await put(corridor)] == ["escalated", "reminder", "reminder"]


async def test_replicas_that_see_it_at_the_same_time_call_once(corridor, asked):
    corridor.skew_ms = 15 * MINUTE
    command = due(asked, "remind", BEGINS["remind"])
    corridor.scripts.gate = Gate(3)
    replicas = [corridor.replica() for _ in range(3)]
    outcomes = await asyncio.gather(*(replica.apply(asked.id, command) for replica in replicas))
    assert sorted(outcome.news for outcome in outcomes) == [False, False, True]
    assert (await corridor.events()).count("request.reminded") == 1
    assert len(await put(corridor)) == 1


async def test_after_a_long_sleep_only_the_latest_is_sent(corridor, asked):
    corridor.skew_ms = HOUR + MINUTE
    await corridor.do(asked, due(asked, "remind", BEGINS["remind"]))
    assert "remind" not in await entries(corridor)
    with pytest.raises(Conflict, match="moved"):
        await corridor.apply(asked, due(asked, "remind", NOW + HOUR))
    assert len(await put(corridor)) == 1


async def test_they_are_gone_with_the_decision(corridor, asked):
    for user in (ANA, BOB):
        await corridor.do(asked, command_for(asked, approve, user))
    assert (await entries(corridor)).keys() == {"deadline"}
    other = await corridor.ask()
    await corridor.do(other, command_for(other, Withdraw, REQ))
    assert (await entries(corridor)).keys() == {"deadline"}
    await corridor.enact(soft(**CALLS))
    glass = await corridor.ask()
    await corridor.do(glass, command_for(glass, smash, ONCALL))
    assert (await entries(corridor)).keys() == {"deadline", "debt"}


async def test_a_decision_that_comes_first_calls_nobody(corridor, asked):
    """The clock has read the request as pending; it is decided before the clock's commit arrives."""
    corridor.skew_ms = 15 * MINUTE

    async def meanwhile() -> None:
        corridor.scripts.gate = None
        await corridor.do(asked, command_for(asked, Withdraw, REQ))

    corridor.scripts.gate = Gate(1, meanwhile)
    with pytest.raises(Conflict, match="moved"):
        await corridor.apply(asked, due(asked, "remind", BEGINS["remind"]))
    assert await put(corridor) == []
    assert await entries(corridor) == {}
