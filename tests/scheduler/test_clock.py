"""Clock: a nudge looks at once, a tick goes on after trouble, and a stop waits for what runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from scheduler import clock as clocking
from scheduler.clock import Clock
from scheduler.metrics import Metrics
from scheduler.relay import Again, Relay
from scheduler.sweep import MOST, Sweep
from store.model.effect import Lane, ShowCard
from store.model.errors import Unavailable
from store.model.policy import HOUR
from store.redis.outbox import Claimed, Outbox
from store.redis.timers import Timer
from tests.store.redis.corridor import Corridor

WITHIN_S = 10.0


class Rooms:
    """Where the clock goes: how often it came, and what it meets there."""

    def __init__(self) -> None:
        self.came: dict[str, int] = {}
        self.meets: dict[str, Callable[[], object]] = {}
        self.holds: dict[str, asyncio.Event] = {}
        self.ended: list[str] = []
        self._changed = asyncio.Condition()

    async def come(self, name: str) -> None:
        self.came[name] = self.came.get(name, 0) + 1
        async with self._changed:
            self._changed.notify_all()
        if name in self.holds:
            await self.holds[name].wait()
        if name in self.meets:
            self.meets[name]()
        self.ended.append(name)

    async def have(self, name: str, times: int) -> None:
        async with asyncio.timeout(WITHIN_S), self._changed:
            await self._changed.wait_for(lambda: self.came.get(name, 0) >= times)


class Lanes(Outbox):
    """An outbox that tells the rooms of each claim."""

    rooms: Rooms

    async def claim(self, lane: Lane, *, most: int, lease_ms: int) -> list[Claimed]:
        claimed = await super().claim(lane, most=most, lease_ms=lease_ms)
        await self.rooms.come(lane)
        return claimed


@pytest.fixture
def rooms() -> Rooms:
    return Rooms()


@pytest.fixture
def performed() -> list[str]:
    return []


@pytest.fixture
async def clock(
    corridor: Corridor, metrics: Metrics, rooms: Rooms, performed: list[str], relay: Relay
) -> AsyncIterator[Clock]:
    async def gauges() -> None:
        await rooms.come("gauges")

    async def watch() -> None:
        await rooms.come("watch")

    async def leavers() -> None:
        await rooms.come("leavers")

    async def expiries() -> None:
        await rooms.come("expiries")

    async def retention() -> None:
        await rooms.come("retention")

    jobs: dict[str, Any] = {"watch": watch, "gauges": gauges, "leavers": leavers}
    jobs |= {"expiries": expiries, "retention": retention}
    clock = Clock(relay, Sweep(corridor.timers, corridor.requests, metrics), **jobs)
    corridor.scripts.on_put = clock.nudge
    yield clock
    await clock.stop()


@pytest.fixture
async def relay(corridor: Corridor, metrics: Metrics, rooms: Rooms, performed: list[str]) -> AsyncIterator[Relay]:
    async def perform(effect: ShowCard, _: Claimed) -> Again | None:
        performed.append(effect.request)
        await rooms.come("performed")
        return None

    outbox = Lanes(corridor.redis, corridor.keys, corridor.scripts, skew=corridor.skew)
    outbox.rooms = rooms
    relay = Relay(outbox, {ShowCard: perform}, metrics, lambda: 1.0)
    yield relay
    await relay.drain(WITHIN_S)


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tick comes by itself: what happens, happens by a nudge."""
    for name in ("SWEEP_S", "RELAY_S", "GAUGES_S", "WATCH_S", "LEAVERS_S"):
        monkeypatch.setattr(clocking, name, 3_600.0)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWEEP_S", "RELAY_S", "GAUGES_S", "WATCH_S", "LEAVERS_S"):
        monkeypatch.setattr(clocking, name, 0.02)


@pytest.fixture
def sweeping(rarely: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the sweep comes by itself."""
    monkeypatch.setattr(clocking, "SWEEP_S", 0.02)


async def put(corridor: Corridor, number: int = 1) -> str:
    identity = f"REQVEST{number:03}"
    await corridor.outbox.put([ShowCard(request=identity)], command_id=corridor.id())
    return identity


@pytest.mark.usefixtures("rarely")
async def test_a_nudge_looks_into_every_lane_at_once(corridor, clock, relay, rooms, performed):
    clock.start()
    identity = await put(corridor)
    clock.nudge()
    for lane in ("slack", "connector", "hook", "mail"):
        await rooms.have(lane, 1)
    await clock.stop()
    await relay.settled()
    assert performed == [identity]


@pytest.mark.usefixtures("rarely")
async def test_whoever_puts_something_has_its_lane_looked_into_and_no_other(corridor, clock, relay, rooms, performed):
    clock.start()
    identity = await put(corridor)
    await rooms.have("slack", 1)
    async with asyncio.timeout(WITHIN_S):
        await clock.settled()
    assert performed == [identity]
    assert set(rooms.came) == {"slack", "performed"}


@pytest.mark.usefixtures("rarely")
async def test_it_has_settled_when_nobody_looks_and_nothing_is_in_hand(corridor, clock, rooms, performed):
    rooms.holds["slack"] = asyncio.Event()
    clock.start()
    identity = await put(corridor)
    await rooms.have("slack", 1)
    settled = asyncio.create_task(clock.settled())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not settled.done()
    rooms.holds["slack"].set()
    async with asyncio.timeout(WITHIN_S):
        await settled
    assert performed == [identity]


@pytest.mark.usefixtures("rarely")
async def test_what_is_committed_while_it_looks_is_looked_at_as_well(corridor, clock, relay, rooms, performed):
    clock.start()
    rooms.holds["slack"] = asyncio.Event()
    clock.nudge()
    await rooms.have("slack", 1)  # it has looked there, and found nothing
    late = await put(corridor)
    for _ in range(5):
        clock.nudge()
    rooms.holds["slack"].set()
    await rooms.have("slack", 2)
    await rooms.have("hook", 2)
    await clock.stop()
    await relay.settled()
    assert performed == [late]
    assert rooms.came["hook"] == 2  # once more, not once for each nudge


@pytest.mark.usefixtures("rarely")
async def test_a_nudge_in_the_very_turn_in_which_it_stops_looking_is_not_lost(clock, rooms):
    clock.start()
    clock.nudge()
    await rooms.have("hook", 1)
    looking = clock._looking
    assert looking is not None
    while not looking.done():
        await asyncio.sleep(0)
    clock.nudge()
    await rooms.have("hook", 2)
    await clock.stop()


async def test_before_the_start_and_after_the_stop_a_nudge_does_nothing(clock, rooms):
    clock.nudge()
    await asyncio.sleep(0)
    clock.start()
    await clock.stop()
    clock.nudge()
    await asyncio.sleep(0)
    assert clock._looking is None
    assert rooms.came == {}


@pytest.mark.usefixtures("often")
async def test_ticks_go_on_after_redis_was_silent(corridor, clock, relay, rooms, performed):
    def silent() -> None:
        raise Unavailable("Redis does not answer.")

    rooms.meets = dict.fromkeys(("slack", "gauges"), silent)
    clock.start()
    await rooms.have("slack", 3)
    await rooms.have("gauges", 3)
    rooms.meets.clear()
    identity = await put(corridor)
    before = rooms.came["slack"]
    await rooms.have("slack", before + 2)
    await clock.stop()
    await relay.settled()
    assert performed == [identity]


@pytest.mark.usefixtures("often")
async def test_only_a_sweep_that_came_to_its_end_is_one(corridor, clock, rooms, monkeypatch):
    whole = corridor.timers.due

    async def silent(*, most: int) -> list[Timer]:
        await rooms.come("sweep")
        raise Unavailable("Redis does not answer.")

    monkeypatch.setattr(corridor.timers, "due", silent)
    clock.start()
    await rooms.have("sweep", 3)
    assert clock.swept_s_ago() is None

    async def answers(*, most: int) -> Any:
        await rooms.come("sweep again")
        return await whole(most=most)

    monkeypatch.setattr(corridor.timers, "due", answers)
    await rooms.have("sweep again", 3)
    assert clock.swept_s_ago() < WITHIN_S


@pytest.mark.usefixtures("rarely")
async def test_a_lane_that_cannot_be_looked_into_keeps_a_nudge_from_no_other(clock, rooms):
    def silent() -> None:
        raise Unavailable("Redis does not answer.")

    rooms.meets["slack"] = silent
    clock.start()
    clock.nudge()
    await rooms.have("hook", 1)
    await clock.stop()


@pytest.mark.usefixtures("often")
async def test_a_mistake_in_one_job_stops_neither_it_nor_the_others(clock, rooms):
    def broken() -> None:
        raise ZeroDivisionError

    rooms.meets["gauges"] = broken
    clock.start()
    await rooms.have("gauges", 3)
    await rooms.have("hook", 3)
    await clock.stop()


@pytest.mark.usefixtures("rarely", "sweeping")
async def test_what_is_due_happens_by_itself_and_is_told_at_once(corridor, clock, relay, rooms, performed):
    asked = await corridor.ask()
    corridor.skew_ms += 8 * HOUR
    clock.start()
    await rooms.have("performed", 1)
    await clock.stop()
    assert await corridor.state(asked) == "expired"


@pytest.mark.usefixtures("rarely")
async def test_one_tick_works_off_more_than_one_round(corridor, clock):
    assert MOST < 250
    asked = await corridor.ask()
    async with corridor.redis.pipeline(transaction=False) as pipe:
        for number in range(250):
            pipe.zadd(corridor.keys.due, {f"REQW{number:06}/deadline": 1})
            other = asked.model_copy(update={"id": f"REQW{number:06}", "timers": {"deadline": 1}})
            pipe.hset(corridor.keys.request(other.id), mapping={"body": other.to_json(), "version": 1})
        await pipe.execute()
    clock.start()
    await clock._swept()
    assert await corridor.timers.waiting() == 1  # the one that is not due
    await clock.stop()


@pytest.mark.usefixtures("often")
async def test_a_stop_waits_for_the_tick_that_runs_and_begins_none(clock, rooms):
    rooms.holds["gauges"] = asyncio.Event()
    clock.start()
    await rooms.have("gauges", 1)
    await rooms.have("watch", 1)
    before = dict(rooms.came)
    stopping = asyncio.create_task(clock.stop())
    done, _ = await asyncio.wait([stopping], timeout=0.2)
    assert not done
    rooms.holds["gauges"].set()
    async with asyncio.timeout(WITHIN_S):
        await stopping
    assert "gauges" in rooms.ended  # it was not cut off where it stood
    assert all(count <= before.get(name, 0) + 1 for name, count in rooms.came.items())  # those that had begun
    assert not clock._scheduler.running


@pytest.mark.usefixtures("rarely")
async def test_a_stop_waits_for_a_look(clock, rooms):
    rooms.holds["connector"] = asyncio.Event()
    clock.start()
    clock.nudge()
    await rooms.have("connector", 1)
    stopping = asyncio.create_task(clock.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    rooms.holds["connector"].set()
    async with asyncio.timeout(WITHIN_S):
        await stopping
    assert "connector" in rooms.ended
    assert "hook" not in rooms.came
