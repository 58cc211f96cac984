"""Locks of break-glass in Redis: written with what caused them, guarded, and opened by one owner once."""

import asyncio

import pytest

from store.model.command import Dispute, Overdue, Unlock
from store.model.errors import Conflict, Forbidden
from store.model.lock import Lock
from store.model.people import FRESH_MS
from store.model.request import Request
from store.redis.locks import Locks
from tests.builders import ANA, BOB, ONCALL, OWNER, REQ, smash, soft
from tests.store.redis.corridor import Corridor, Gate, command_for


@pytest.fixture
async def corridor(corridor: Corridor) -> Corridor:
    """The rule is soft."""
    await corridor.enact(soft())
    return corridor


@pytest.fixture
def locks(corridor: Corridor) -> Locks:
    return Locks(
        corridor.redis,
        corridor.keys,
        corridor.scripts,
        corridor.policies,
        corridor.crowd,
        corridor.skew,
        lambda: corridor.now_ms,
    )


async def broken(corridor: Corridor) -> Request:
    asked = await corridor.ask()
    return await corridor.do(asked, command_for(asked, smash, ONCALL))


async def dispute(corridor: Corridor, asked: Request, by: str = ANA) -> None:
    await corridor.do(asked, command_for(asked, Dispute, by, reason="Nothing was down."))


def told(by: str = OWNER, **changed) -> Unlock:
    return Unlock(**{"id": f"unlock:{by}", "actor": by, "user": ONCALL, "reason": "We talked.", **changed})


async def test_a_dispute_and_its_lock_are_one_commit(corridor, locks):
    asked = await broken(corridor)
    assert await locks.of(ONCALL) is None
    await dispute(corridor, asked)
    lock = await locks.of(ONCALL)
    assert lock is not None
    assert (lock.holds, lock.newest.request, lock.newest.why) == (True, asked.id, "disputed")
    assert await locks.holding(most=5) == ([lock], 0)


async def test_an_overdue_debt_locks_by_the_clock(corridor, locks):
    asked = await broken(corridor)
    debt = (await corridor.requests.get(asked.id)).debt
    corridor.skew_ms = debt.due_ms - debt.opened_ms
    await corridor.do(asked, Overdue(id="o", actor="clock", at_ms=debt.due_ms))
    assert (await locks.of(ONCALL)).newest.why == "overdue"


@pytest.mark.parametrize("remembered", [True, False])
async def test_who_is_locked_breaks_none_however_the_request_was_read(corridor, remembered):
    wrong, other = await broken(corridor), await corridor.ask()
    await corridor.requests.get(other.id)
    await dispute(corridor, wrong)
    requests = corridor.requests if remembered else corridor.replica()
    with pytest.raises(Forbidden) as refusal:
        await requests.apply(other.id, smash(other, id="again"))
    assert refusal.value.detail == "locked"
    assert await corridor.state(other) == "pending"
    assert "attempt.refused" in await corridor.events()
    assert (await corridor.requests.apply(other.id, smash(other, REQ, id="req"))).request.state == "approved"


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_lock_that_comes_between_reading_and_committing_holds(corridor, remembered):
    """The lock is only looked at by the break, so nothing but its own guard stands in the way."""
    wrong, other = await broken(corridor), await corridor.ask()
    requests = corridor.replica()
    if remembered:
        await requests.get(other.id)

    async def meanwhile() -> None:
        corridor.scripts.gate = None
        await dispute(corridor, wrong)

    corridor.scripts.gate = Gate(1, meanwhile)
    with pytest.raises(Forbidden) as refusal:
        await requests.apply(other.id, smash(other, id="again"))
    assert refusal.value.detail == "locked"
    assert await corridor.state(other) == "pending"


async def test_two_debts_at_once_are_both_written_down(corridor, locks):
    first, second = await broken(corridor), await broken(corridor)
    corridor.scripts.gate = Gate(2)
    await asyncio.gather(dispute(corridor, first), dispute(corridor, second, BOB))
    lock = await locks.of(ONCALL)
    assert {cause.request for cause in lock.causes} == {first.id, second.id}


async def test_an_owner_unlocks_once_and_the_glass_can_be_broken_again(corridor, locks):
    await dispute(corridor, await broken(corridor))
    answer = await locks.unlock(told())
    assert await locks.unlock(told()) == answer  # the same click, delivered twice
    assert await locks.holding(most=5) == ([], 0)
    assert (await corridor.events()).count("glass.unlocked") == 1
    with pytest.raises(Conflict, match="not locked"):
        await locks.unlock(told(id="late"))
    assert (await broken(corridor)).state == "approved"


async def test_an_id_unlocks_one_person_only(corridor, locks):
    await dispute(corridor, await broken(corridor))
    await locks.unlock(told())
    with pytest.raises(Conflict, match="something else"):
        await locks.unlock(told(user=ANA))


@pytest.mark.parametrize("by", [ANA, ONCALL])
async def test_who_may_not_unlock_leaves_a_trace(corridor, locks, by):
    await dispute(corridor, await broken(corridor))
    with pytest.raises(Forbidden):
        await locks.unlock(told(by))
    _, entry = (await corridor.log.newest(most=1))[0]
    assert (entry.event, entry.actor, entry.details["command"]) == ("attempt.refused", by, "unlock")
    assert (await locks.of(ONCALL)).holds


async def test_what_was_locked_again_meanwhile_stays_locked(corridor, locks):
    """The owner looked at one cause; the other came between reading and committing."""
    first, second = await broken(corridor), await broken(corridor)
    await dispute(corridor, first)
    seen_ms = (await locks.of(ONCALL)).newest.at_ms

    async def meanwhile() -> None:
        corridor.scripts.gate = None
        corridor.skew_ms = 1_000
        await dispute(corridor, second)

    corridor.scripts.gate = Gate(1, meanwhile)
    with pytest.raises(Conflict, match="something else since"):
        await locks.unlock(told(seen_ms=seen_ms))
    lock = await locks.of(ONCALL)
    assert lock.holds
    assert len(lock.causes) == 2


async def test_who_is_owner_is_asked_of_the_policies_in_force(corridor, locks):
    await dispute(corridor, await broken(corridor))

    async def meanwhile() -> None:
        corridor.scripts.gate = None
        await corridor.enact(soft(), owners={"users": [ANA]})

    corridor.scripts.gate = Gate(1, meanwhile)
    with pytest.raises(Forbidden):
        await locks.unlock(told())
    assert (await locks.of(ONCALL)).holds


async def test_an_unlocking_is_no_later_than_what_is_known_of_its_owner(corridor, locks):
    await dispute(corridor, await broken(corridor))

    async def meanwhile() -> None:
        corridor.scripts.gate = None
        corridor.skew_ms += FRESH_MS
        corridor.crowd.changed = {OWNER: {"active": False}}

    corridor.scripts.gate = Gate(1, meanwhile)
    with pytest.raises(Forbidden):
        await locks.unlock(told())
    assert (await locks.of(ONCALL)).holds


async def test_the_longest_locked_are_listed_first_and_the_others_counted(corridor, locks):
    await dispute(corridor, await broken(corridor))
    corridor.skew_ms = 1_000
    asked = await corridor.ask()
    await corridor.do(asked, command_for(asked, smash, REQ))
    await dispute(corridor, asked, BOB)
    [lock], more = await locks.holding(most=1)
    assert (lock.user, more) == (ONCALL, 1)
    assert isinstance(lock, Lock)
