"""Sweep: every timer comes to its end, once, in bounded time, whatever stands beside it."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from scheduler.metrics import Metrics
from scheduler.sweep import MOST, PUT_OFF_MS, Sweep
from store.model.command import Activate, Command
from store.model.errors import Conflict, Unavailable
from store.model.policy import HOUR, MINUTE, Access, Circle, Escalation
from store.model.request import Request
from store.redis import projection
from store.redis.requests import Outcome
from store.redis.scripts import Scripts
from tests import builders
from tests.builders import ONCALL, OWNER, REQ, policy, smash, soft
from tests.lengths import length
from tests.scheduler.measured import measured
from tests.store.redis.corridor import Corridor, Gate, command_for

MANY: Final = length(1_000, 5_000, 5_000)
WITHIN_S: Final = 60.0


@pytest.fixture
def sweep(corridor: Corridor, metrics: Metrics) -> Sweep:
    return Sweep(corridor.timers, corridor.requests, metrics)


class Corridors:
    """The requests of a corridor, but that some commands meet what the test says."""

    def __init__(self, corridor: Corridor, meets: Callable[[str], Exception | None]) -> None:
        self._corridor = corridor
        self._meets = meets
        self.asked = 0

    async def apply(self, request_id: str, command: Command) -> Outcome:
        self.asked += 1
        if (error := self._meets(request_id)) is not None:
            raise error
        return await self._corridor.requests.apply(request_id, command)

    async def get(self, request_id: str) -> Any:
        return await self._corridor.requests.get(request_id)


def swept(corridor: Corridor, metrics: Metrics, meets: Callable[[str], Exception | None]) -> Sweep:
    return Sweep(corridor.timers, Corridors(corridor, meets), metrics)  # type: ignore[arg-type]  # what a sweep uses of it


async def due_ms(corridor: Corridor, asked: Request, name: str = "deadline") -> int | None:
    score = await corridor.redis.zscore(corridor.keys.due, f"{asked.id}/{name}")
    return None if score is None else int(score)


async def active(corridor: Corridor) -> Request:
    return await corridor.do(await corridor.approved(), Activate(id=corridor.id(), actor=REQ))


# -- each timer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
async def test_what_nobody_answered_lapses_at_its_hour_and_no_earlier(corridor, sweep, by_ms):
    asked = await corridor.ask()
    corridor.skew_ms += 8 * HOUR + by_ms
    assert await sweep.tick() == (0 if by_ms < 0 else 1)
    assert await corridor.state(asked) == ("pending" if by_ms < 0 else "expired")


async def test_access_is_warned_of_and_then_ends(corridor, sweep, metrics):
    asked = await active(corridor)
    lease = asked.lease
    assert lease is not None
    corridor.skew_ms = lease.warning_ms - corridor.now_ms
    assert await sweep.tick() == 1
    assert await corridor.state(asked) == "active"
    corridor.skew_ms += lease.until_ms - corridor.now_ms
    assert await sweep.tick() == 1
    assert await corridor.state(asked) == "ended"
    assert await sweep.tick() == 0
    assert [event for event in await corridor.events() if event.startswith("grant.")] == [
        "grant.activated",
        "grant.warned",
        "grant.ended",
    ]
    assert measured(metrics, "timers_total", timer="warning", outcome="done") == 1
    assert measured(metrics, "timers_total", timer="deadline", outcome="done") == 1


async def test_what_waits_is_reminded_of_escalated_and_then_lapses(corridor, sweep, metrics):
    heads = Circle(users=frozenset({OWNER}))
    rule = policy(remind=(MINUTE, HOUR), escalate=(Escalation(after_ms=2 * HOUR, to=heads),))
    await corridor.enact(rule)
    asked = await corridor.ask()
    for after_ms in (MINUTE, HOUR, 2 * HOUR, 8 * HOUR):
        corridor.skew_ms = after_ms - 1
        assert await sweep.tick() == 0
        corridor.skew_ms = after_ms
        assert await sweep.tick() == 1
    assert await corridor.state(asked) == "expired"
    assert await corridor.timers.waiting() == 0
    told = [event for event in await corridor.events() if event.startswith("request.")]
    assert told[1:] == ["request.reminded", "request.reminded", "request.escalated", "request.expired"]
    assert measured(metrics, "timers_total", timer="remind", outcome="done") == 2
    assert measured(metrics, "timers_total", timer="escalate", outcome="done") == 1


async def test_what_was_missed_for_longer_than_it_waited_lapses_and_alarms_nobody(corridor, sweep, metrics):
    await corridor.enact(policy(remind=(MINUTE,)))
    asked = await corridor.ask()
    corridor.skew_ms = 9 * HOUR
    while await sweep.tick():
        pass
    assert await corridor.state(asked) == "expired"
    assert await corridor.timers.waiting() == 0
    assert "request.reminded" not in await corridor.events()
    assert measured(metrics, "alarms_total", kind="timer") == 0


async def test_a_debt_falls_overdue(corridor, sweep):
    await corridor.enact(soft())
    asked = await corridor.ask()
    await corridor.do(asked, smash(asked, ONCALL))
    debt = (await corridor.requests.get(asked.id)).debt
    assert debt is not None
    corridor.skew_ms += debt.due_ms - corridor.now_ms
    while await sweep.tick():
        pass
    after = (await corridor.requests.get(asked.id)).debt
    assert after is not None
    assert after.state == "overdue"


async def test_lateness_is_from_due_to_worked_off(corridor, sweep, metrics):
    await corridor.ask()
    corridor.skew_ms += 8 * HOUR + 2_500
    await sweep.tick()
    assert measured(metrics, "timer_lateness_seconds_sum") == 2.5
    assert measured(metrics, "timer_lateness_seconds_count") == 1


# -- several at once --------------------------------------------------------------------------------------------------


async def test_replicas_that_sweep_at_the_same_time_make_one_transition_of_each_timer(any_redis: Redis, metrics):
    corridor = Corridor(any_redis)
    await corridor.enact()
    asked = [await corridor.ask() for _ in range(3)]
    corridor.skew_ms += 8 * HOUR
    corridor.scripts.gate = Gate(12)  # all have read before the first one writes
    replicas = [Sweep(corridor.timers, corridor.replica(), metrics) for _ in range(4)]
    assert await asyncio.gather(*(sweep.tick() for sweep in replicas)) == [3] * 4
    assert [await corridor.state(each) for each in asked] == ["expired"] * 3
    assert (await corridor.events()).count("request.expired") == 3
    assert await corridor.timers.waiting() == 0


@pytest.mark.search
async def test_thousands_at_once_all_come_to_their_end(corridor, metrics):
    """The scheduler's own store ran none of as many (docs/decisions/0002-clock.md)."""
    await _crowd(corridor, MANY)
    before = int(await corridor.redis.get(corridor.keys.audit_number))
    corridor.skew_ms += 8 * HOUR
    sweeps = [Sweep(corridor.timers, corridor.replica(), metrics) for _ in range(2)]
    rounds = 0
    async with asyncio.timeout(WITHIN_S):
        while sum(await asyncio.gather(*(sweep.tick() for sweep in sweeps))):
            rounds += 1
    assert rounds <= MANY // MOST + 1
    assert await corridor.timers.waiting() == 0
    assert int(await corridor.redis.get(corridor.keys.audit_number)) == before + MANY  # one transition each
    assert await corridor.outbox.depth("slack") == 2 * MANY  # its card, and the news


async def _crowd(corridor: Corridor, count: int) -> None:
    """One that went through the corridor, and as many of its kind as are wanted beside it."""
    asked = await corridor.ask()
    async with corridor.redis.pipeline(transaction=False) as pipe:
        for number in range(1, count):
            other = asked.model_copy(update={"id": f"REQW{number:06}"})
            body: dict[Any, Any] = {"body": other.to_json(), "version": 1, **projection.fields(other)}
            pipe.hset(corridor.keys.request(other.id), mapping=body)
            pipe.zadd(corridor.keys.due, projection.timers(other))
        await pipe.execute()
    await corridor.redis.delete(corridor.keys.lane("slack"))


# -- what stands in the way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("Written by a newer Countersign.", code="newer_schema"),
        Unavailable("It cannot be read.", code="unreadable"),
        Unavailable("It was altered.", code="tampered"),
        Unavailable("Policy set 7 is missing.", code="policy_missing"),
        Conflict("It will not.", code="too_late"),
        ZeroDivisionError("a mistake of ours"),
    ],
    ids=lambda error: getattr(error, "detail", "mistake"),
)
async def test_one_that_cannot_be_worked_off_is_put_off_and_alarmed_and_the_others_go_on(corridor, metrics, error):
    first, stuck, last = [await corridor.ask() for _ in range(3)]
    at_ms = await due_ms(corridor, stuck)
    corridor.skew_ms += 8 * HOUR + 7
    sweep = swept(corridor, metrics, lambda request: error if request == stuck.id else None)
    assert await sweep.tick() == 2
    assert [await corridor.state(each) for each in (first, last)] == ["expired"] * 2
    assert await due_ms(corridor, stuck) == corridor.now_ms + PUT_OFF_MS
    assert at_ms is not None
    assert measured(metrics, "alarms_total", kind="timer") == 1
    assert await sweep.tick() == 0

    corridor.skew_ms += PUT_OFF_MS
    await sweep.tick()
    assert measured(metrics, "alarms_total", kind="timer") == 2  # as long as it stands there


async def test_one_that_was_put_off_comes_to_its_end_as_soon_as_it_can(corridor, metrics):
    """A record of a newer schema, met by an old process in the middle of an upgrade."""
    ends, lapses, owed = await _one_of_each(corridor)
    newer = Unavailable("Written by a newer Countersign.", code="newer_schema")
    corridor.skew_ms += 48 * HOUR
    assert await swept(corridor, metrics, lambda _: newer).tick() == 0
    corridor.skew_ms += PUT_OFF_MS
    healthy = Sweep(corridor.timers, corridor.requests, metrics)
    while await healthy.tick():
        pass
    assert await corridor.state(ends) == "ended"
    assert await corridor.state(lapses) == "expired"
    debt = (await corridor.requests.get(owed.id)).debt
    assert debt is not None
    assert debt.state == "overdue"
    assert await corridor.timers.waiting() == 1  # the hundred hours of what the broken glass gave


async def _one_of_each(corridor: Corridor) -> tuple[Request, Request, Request]:
    ends, lapses = await active(corridor), await corridor.ask()
    await corridor.enact(soft(access=Access(grant_expiration_ms=100 * HOUR)))
    owed = await corridor.ask()
    await corridor.do(owed, smash(owed, ONCALL))
    return ends, lapses, owed


@pytest.mark.parametrize(
    "error",
    [
        Conflict("Too many act on it.", code="contended"),
        Unavailable("Not confirmed yet.", code="unknown"),
        Unavailable("Redis does not answer."),
        Unavailable("Redis is full.", code="redis_refused"),
    ],
    ids=lambda error: error.detail,
)
async def test_contention_and_a_silent_store_put_nothing_off(corridor, metrics, error):
    asked = await corridor.ask()
    at_ms = await due_ms(corridor, asked)
    corridor.skew_ms += 8 * HOUR
    assert await swept(corridor, metrics, lambda _: error).tick() == 0
    assert await due_ms(corridor, asked) == at_ms
    assert measured(metrics, "alarms_total", kind="timer") == 0
    assert await Sweep(corridor.timers, corridor.requests, metrics).tick() == 1
    assert await corridor.state(asked) == "expired"


async def test_one_that_somebody_moves_meanwhile_is_left_to_its_new_time(corridor, metrics):
    asked = await corridor.ask()
    old_ms = await due_ms(corridor, asked)
    corridor.skew_ms += 8 * HOUR - 1
    listed = Listed(corridor)
    sweep = Sweep(listed, corridor.requests, metrics)  # type: ignore[arg-type]  # what a sweep uses of it
    corridor.skew_ms += 1
    await listed.look()
    corridor.skew_ms -= 1
    for lead in (builders.ANA, builders.BOB):
        await corridor.do(asked, command_for(asked, builders.approve, lead))
    corridor.skew_ms += 1
    assert await sweep.tick() == 0
    assert await corridor.state(asked) == "approved"
    assert await due_ms(corridor, asked) != old_ms
    assert measured(metrics, "timers_total", timer="deadline", outcome="moved") == 1
    assert measured(metrics, "alarms_total", kind="timer") == 0


class Listed:
    """Timers as they were when somebody looked, as a slow replica has them."""

    def __init__(self, corridor: Corridor) -> None:
        self._timers = corridor.timers
        self._found: list[Any] = []

    async def look(self) -> None:
        self._found = await self._timers.due(most=MOST)

    async def due(self, *, most: int) -> list[Any]:
        return self._found[:most]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._timers, name)


async def test_a_silent_redis_is_said_to_whoever_ticks(corridor, metrics):
    class Down(Scripts):
        async def run(self, name: str, *_: Any, **__: Any) -> Any:
            raise Unavailable("Redis does not answer.")

    corridor.timers._scripts = Down(corridor.redis)
    with pytest.raises(Unavailable):
        await Sweep(corridor.timers, corridor.requests, metrics).tick()
