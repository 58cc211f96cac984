"""Deciding on what was read a moment ago: one turn where it still holds, and the same decisions where it does not."""

import pytest

from store.model.command import Activate, Withdraw
from store.model.errors import Conflict, Forbidden
from store.model.request import Request
from store.redis import requests
from tests.builders import ANA, BOB, NOW, REQ, approve, deny, leads, policy
from tests.store.redis.corridor import Corridor, command_for


async def read(corridor: Corridor, asked: Request) -> int:
    """As a card is drawn. Answers the turns there were so far."""
    await corridor.requests.get(asked.id)
    return int(corridor.scripts.round_trips)


@pytest.fixture
async def asked(corridor: Corridor) -> Request:
    """Asked and read; scripts and policies are known."""
    warm = await corridor.approved()
    assert warm.state == "approved"
    warm = await corridor.ask()
    await corridor.apply(warm, deny(warm, ANA, id="warm"))
    return await corridor.ask()


async def test_what_was_drawn_is_decided_in_one_turn(corridor, asked):
    before = await read(corridor, asked)
    await corridor.apply(asked, approve(asked, ANA))
    assert corridor.scripts.round_trips - before == 1


async def test_what_moved_meanwhile_is_decided_in_two(corridor, asked):
    before = await read(corridor, asked)
    await corridor.replica().apply(asked.id, approve(asked, ANA, id="ana"))
    before = corridor.scripts.round_trips
    outcome = await corridor.apply(asked, approve(asked, BOB, id="bob"))
    assert outcome.request.state == "approved"
    assert corridor.scripts.round_trips - before == 2


async def test_an_answer_given_elsewhere_is_given_again(corridor, asked):
    await read(corridor, asked)
    first = await corridor.replica().apply(asked.id, approve(asked, ANA, id="ana"))
    again = await corridor.apply(asked, approve(asked, ANA, id="ana"))
    assert (again.answer, again.news) == (first.answer, False)


async def test_an_answer_is_not_given_to_another_command(corridor, asked):
    await corridor.apply(asked, approve(asked, ANA, id="ana"))
    replica = corridor.replica()
    assert not (await replica.apply(asked.id, approve(asked, ANA, id="ana"))).news
    outcome = await replica.apply(asked.id, approve(asked, BOB, id="bob"))
    assert outcome.request.state == "approved"


async def test_nobody_is_refused_for_what_is_over(corridor, asked):
    """Remembered as pending, approved since: activating is not refused."""
    await read(corridor, asked)
    for user in (ANA, BOB):
        await corridor.replica().apply(asked.id, approve(asked, user, id=user))
    outcome = await corridor.apply(asked, Activate(id="go", actor=REQ))
    assert outcome.request.state == "active"


async def test_nobody_is_let_through_for_what_was(corridor, asked):
    await read(corridor, asked)
    await corridor.replica().apply(asked.id, Withdraw(id="w", actor=REQ))
    with pytest.raises(Conflict):
        await corridor.apply(asked, approve(asked, ANA))
    assert await corridor.state(asked) == "withdrawn"


async def test_a_policy_since_decides(corridor, asked):
    """A guard of its own, also where a decision has no date: to deny needs no facts to be fresh for long."""
    await read(corridor, asked)
    await corridor.enact(policy(approvals=(leads(3),)))
    for user in (ANA, BOB):
        await corridor.apply(asked, approve(asked, user, id=user))
    assert await corridor.state(asked) == "pending"


async def test_a_policy_since_decides_on_the_last_vote_as_well(corridor, asked):
    """Read under the policy of then, and enough under it: what is committed must be guarded by the policy, too."""
    await corridor.apply(asked, approve(asked, ANA, id="ana"))
    await read(corridor, asked)
    await corridor.enact(policy(approvals=(leads(3),)))
    await corridor.apply(asked, approve(asked, BOB, id="bob"))
    assert await corridor.state(asked) == "pending"


@pytest.mark.parametrize("off_ms", [-requests.BEHIND_MS, requests.AHEAD_MS + 1, -3_600_000, 3_600_000])
@pytest.mark.parametrize("by", [approve, deny])
async def test_a_clock_that_is_off_decides_nothing(corridor, asked, off_ms, by):
    await read(corridor, asked)
    corridor.drift_ms = off_ms
    before = corridor.scripts.round_trips
    outcome = await corridor.apply(asked, by(asked, ANA))
    [review] = outcome.request.reviews
    assert review.at_ms == corridor.now_ms == NOW
    assert corridor.scripts.round_trips - before == 2


async def test_a_deadline_that_this_clock_has_not_seen_holds(corridor, asked):
    await corridor.apply(asked, approve(asked, ANA, id="ana"))
    await read(corridor, asked)
    corridor.skew_ms = asked.timers["deadline"] - NOW
    corridor.drift_ms = -corridor.skew_ms
    with pytest.raises(Conflict) as refusal:
        await corridor.apply(asked, deny(asked, BOB))
    assert refusal.value.detail == "out_of_time"


async def test_a_debt_since_is_looked_at(corridor):
    """Every version that was looked at is guarded, not only those that are written."""
    broken = await corridor.ask()
    await read(corridor, broken)
    await corridor.redis.hset(corridor.keys.debt(broken.id), mapping={"version": 1})
    before = corridor.scripts.round_trips
    await corridor.apply(broken, approve(broken, ANA))
    assert corridor.scripts.round_trips - before == 2


async def test_only_so_many_are_remembered(corridor, asked, monkeypatch):
    monkeypatch.setattr(requests, "RECENT", 2)
    corridor.requests = corridor.replica()
    other, new = [await corridor.ask() for _ in range(2)]
    for one in (asked, other, asked):
        await read(corridor, one)
    before = await read(corridor, new)
    for one in (asked, new):
        await corridor.apply(one, approve(one, ANA, id=one.id))
    assert corridor.scripts.round_trips - before == 2
    await corridor.apply(other, approve(other, ANA, id="forgotten"))
    assert corridor.scripts.round_trips - before == 4


async def test_a_refusal_is_written_down_once(corridor, asked):
    await read(corridor, asked)
    with pytest.raises(Forbidden):
        await corridor.apply(asked, command_for(asked, approve, REQ))
    assert (await corridor.events()).count("attempt.refused") == 1
