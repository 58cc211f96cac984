"""The queue: all that waits for one person and nothing else, the earliest deadline first, however much lies in front of it."""

from typing import Any

import pytest
from redis.asyncio import Redis

from bot.slack import queue
from bot.slack.queue import Queue
from store.model.command import Countersign, Withdraw
from store.model.policy import HOUR, MINUTE, Circle, Threshold
from tests.builders import ANA, BOB, CAT, LEADS, ONCALL, OWNER, REQ, STRANGER, approve, leads, policy, smash, soft
from tests.store.redis.corridor import Corridor


@pytest.fixture
async def corridor(any_redis: Redis) -> Corridor:
    corridor = Corridor(any_redis)
    await corridor.enact(soft(approvals=(leads(2),)))
    return corridor


async def waiting(corridor: Corridor, user: str, *, upto: int = 10) -> Queue:
    policies = await corridor.policies.current()
    people = await corridor.crowd.people(queue.wanted(user, policies))
    return await queue.of(user, people, corridor.requests, corridor.policies, policies, upto=upto)


async def test_it_waits_for_those_who_may_decide_and_have_not_yet(corridor: Any) -> None:
    first, second = await corridor.ask(), await corridor.ask("access")
    for user, ids in ((ANA, (first.id, second.id)), (STRANGER, ()), (REQ, ()), (OWNER, ())):
        assert await waiting(corridor, user) == Queue(ids)
    await corridor.do(first, approve(first, ANA))
    assert (await waiting(corridor, ANA)).ids == (second.id,)
    assert (await waiting(corridor, BOB)).ids == (first.id, second.id)
    await corridor.do(first, approve(first, BOB))
    await corridor.do(second, Withdraw(id="w", actor=REQ))
    assert await waiting(corridor, BOB) == Queue()


async def test_the_earliest_deadline_comes_first_and_not_the_oldest_request(corridor: Any) -> None:
    late = await corridor.ask()
    corridor.skew_ms += MINUTE
    await corridor.enact(soft(approvals=(leads(2),), request_ttl_ms=HOUR))
    soon = await corridor.ask()
    assert (await waiting(corridor, ANA)).ids == (soon.id, late.id)


async def test_what_one_may_decide_under_one_policy_only_does_not_wait_for_them(corridor: Any) -> None:
    asked = await corridor.ask()
    await corridor.enact(policy(approvals=(Threshold(circle=Circle(users=frozenset({ONCALL}))),)))
    assert await waiting(corridor, ANA) == Queue()
    assert await waiting(corridor, ONCALL) == Queue()
    await corridor.enact(policy(approvals=(leads(1),)))
    assert (await waiting(corridor, ANA)).ids == (asked.id,)


async def test_a_broken_glass_waits_for_all_but_who_broke_it_also_for_who_had_voted(corridor: Any) -> None:
    corridor.crowd.members[LEADS] = {ANA, BOB, CAT, ONCALL}
    asked = await corridor.ask()
    await corridor.do(asked, approve(asked, ANA))
    await corridor.do(asked, smash(asked, ONCALL))
    assert (await waiting(corridor, ANA)).ids == (asked.id,)
    assert await waiting(corridor, ONCALL) == Queue()
    await corridor.do(asked, Countersign(id="c", actor=ANA))
    assert await waiting(corridor, BOB) == Queue()


async def test_while_a_fact_is_missing_it_is_neither_theirs_nor_nobodys(corridor: Any) -> None:
    asked = await corridor.ask()
    corridor.crowd.without = {LEADS}
    assert await waiting(corridor, ANA) == Queue((), unsure=1)
    assert (await waiting(corridor, ANA)).words == "not known yet"
    corridor.crowd.without = set()
    assert (await waiting(corridor, ANA)).ids == (asked.id,)


async def test_what_is_not_theirs_hides_nothing(corridor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LOOKED_AT", 2)
    voted = [await corridor.ask() for _ in range(3)]
    for each in voted:
        await corridor.do(each, approve(each, ANA, id=each.id))
    behind = [await corridor.ask() for _ in range(3)]
    assert set((await waiting(corridor, ANA, upto=1)).ids) == {each.id for each in behind}


async def test_what_was_not_looked_at_is_said_to_be_there(corridor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LOOKED_AT", 2)
    for _ in range(5):
        await corridor.ask()
    few = await waiting(corridor, ANA, upto=2)
    assert (len(few.ids), few.left, few.words) == (2, 3, "more than 2")
    every = await waiting(corridor, ANA, upto=5)
    assert (len(every.ids), every.left, every.words) == (5, 0, "5")
    assert Queue().words == ""
