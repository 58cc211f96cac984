"""Relay: at least once, one hand at a time, and one effect's trouble is nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from scheduler import relay as relaying
from scheduler.metrics import Metrics
from scheduler.patience import Patience
from scheduler.relay import (
    ALARM_AFTER,
    AT_ONCE,
    LEASE_MS,
    LONGEST_PAUSE_MS,
    OF_HOOKS,
    POISON_PAUSE_MS,
    REFUSED_PAUSE_MS,
    SETTLE_TIMES,
    Again,
    Performer,
    Relay,
)
from store.model.effect import Align, Count, Lane, ShowCard
from store.model.errors import Conflict, Forbidden, NotFound, Unavailable
from store.model.grant import Membership
from store.redis.outbox import Claimed, Outbox
from tests.scheduler.measured import measured
from tests.store.redis.corridor import Corridor

Act = Callable[[], Awaitable[Again | None]]
WITHIN_S = 10.0


def card(number: int = 1) -> ShowCard:
    return ShowCard(request=f"REQVEST{number:03}")


class Performance:
    """A performer that does for each effect what it was told to, in turn, and remembers who came and how many at once."""

    def __init__(self) -> None:
        self.came: list[Claimed] = []
        self.told: dict[str, list[Act]] = {}
        self.now = self.most = 0
        self._changed = asyncio.Condition()

    def tell(self, effect: ShowCard | Align, *acts: Act) -> None:
        self.told[effect.key] = list(acts)

    async def perform(self, effect: ShowCard | Align, claimed: Claimed) -> Again | None:
        self.came.append(claimed)
        self.now += 1
        self.most = max(self.most, self.now)
        async with self._changed:
            self._changed.notify_all()
        try:
            acts = self.told.get(effect.key)
            return await acts.pop(0)() if acts else None
        finally:
            self.now -= 1

    async def have_come(self, count: int) -> None:
        async with asyncio.timeout(WITHIN_S), self._changed:
            await self._changed.wait_for(lambda: len(self.came) >= count)

    @property
    def members(self) -> list[str]:
        return [claimed.member for claimed in self.came]


def raises(error: Exception) -> Act:
    async def act() -> Again | None:
        raise error

    return act


def answers(again: Again | None) -> Act:
    async def act() -> Again | None:
        return again

    return act


class Held:
    """A performance that lasts until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self) -> Again | None:
        await self.go.wait()
        return None


@pytest.fixture
def performance() -> Performance:
    return Performance()


@pytest.fixture
async def relay(corridor: Corridor, performance: Performance, metrics: Metrics) -> AsyncIterator[Relay]:
    relay = another(corridor, performance, metrics)
    yield relay
    await relay.drain(0)


def another(
    corridor: Corridor,
    performance: Performance,
    metrics: Metrics,
    *,
    outbox: Outbox | None = None,
    jitter: float = 1.0,
    **performers: Performer,
) -> Relay:
    by_class: dict[type, Performer] = {ShowCard: performers.get("card", performance.perform)}
    return Relay(outbox or corridor.outbox, by_class, metrics, lambda: jitter)


async def put(corridor: Corridor, *effects: Any) -> None:
    await corridor.outbox.put(effects, command_id=corridor.id())


async def run(relay: Relay, lane: Lane = "slack") -> int:
    """One tick, and all that comes of it."""
    async with asyncio.timeout(WITHIN_S):
        took = await relay.tick(lane)
        await relay.settled()
    return took


async def next_in_ms(corridor: Corridor, effect: ShowCard | Align) -> int | None:
    score = await corridor.redis.zscore(corridor.keys.lane(effect.lane), effect.key)
    return None if score is None else int(score) - corridor.now_ms


async def test_what_is_done_is_done_once_and_gone(corridor, relay, performance, metrics):
    await put(corridor, card())
    assert await run(relay) == 1
    assert await run(relay) == 0
    assert performance.members == [card().key]
    assert await corridor.outbox.depth("slack") == 0
    assert measured(metrics, "effects_total", lane="slack", effect="ShowCard", outcome="done") == 1


# -- one hand at a time -----------------------------------------------------------------------------------------------


async def test_what_dies_in_our_hands_is_done_by_another_when_the_lease_ends(corridor, relay, performance, metrics):
    performance.tell(card(), Held())
    await put(corridor, card())
    await relay.tick("slack")
    await performance.have_come(1)
    await relay.drain(0)  # cut off in the middle, as by a power failure

    other = another(corridor, performance, metrics)
    corridor.skew_ms += LEASE_MS - 1
    assert await run(other) == 0
    corridor.skew_ms += 1
    assert await run(other) == 1
    assert await corridor.outbox.depth("slack") == 0


async def test_a_hand_that_lost_its_lease_settles_nothing_of_the_next_one(corridor, performance, metrics):
    slow, next_one = Held(), Held()
    performance.tell(card(), slow, next_one)
    first, second = another(corridor, performance, metrics), another(corridor, performance, metrics)
    await put(corridor, card())
    await first.tick("slack")
    await performance.have_come(1)
    corridor.skew_ms += LEASE_MS
    await second.tick("slack")
    await performance.have_come(2)
    slow.go.set()
    await first.settled()
    assert await next_in_ms(corridor, card()) == LEASE_MS  # still in the second hand
    next_one.go.set()
    await second.settled()
    assert await corridor.outbox.depth("slack") == 0


class Silent(Outbox):
    """Does not answer so many times."""

    def __init__(self, corridor: Corridor, times: int) -> None:
        super().__init__(corridor.redis, corridor.keys, corridor.scripts, skew=corridor.skew)
        self.times = times

    async def settle(self, claimed: Claimed, *, again_in_ms: int | None = None) -> str:
        self.times -= 1
        if self.times >= 0:
            raise Unavailable("Redis does not answer.", code="unknown")
        return await super().settle(claimed, again_in_ms=again_in_ms)


async def test_a_silence_that_ends_is_settled(corridor, performance, metrics, monkeypatch):
    """So that what was put anew meanwhile does not wait for the end of the lease."""
    monkeypatch.setattr(relaying, "SETTLE_PAUSE_S", 0.0)
    await put(corridor, card())
    with capture_logs() as logs:
        await run(another(corridor, performance, metrics, outbox=Silent(corridor, SETTLE_TIMES - 1)))
    assert [entry["event"] for entry in logs] == ["effect not settled"]
    assert await corridor.outbox.depth("slack") == 0


async def test_what_could_not_be_settled_is_done_again(corridor, performance, metrics, monkeypatch):
    monkeypatch.setattr(relaying, "SETTLE_PAUSE_S", 0.0)
    silent = Silent(corridor, SETTLE_TIMES)
    await put(corridor, card())
    with capture_logs() as logs:
        await run(another(corridor, performance, metrics, outbox=silent))
    assert "effect not settled" in [entry["event"] for entry in logs]
    corridor.skew_ms += LEASE_MS
    await run(another(corridor, performance, metrics))
    assert performance.members == [card().key] * 2
    assert await corridor.outbox.depth("slack") == 0


async def test_what_is_put_anew_while_it_is_performed_is_performed_again_at_once(corridor, relay, performance):
    held = Held()
    performance.tell(card(), held)
    await put(corridor, card())
    await relay.tick("slack")
    await performance.have_come(1)
    await put(corridor, card())
    assert await run_only_tick(relay) == 0  # not by a second hand meanwhile
    held.go.set()
    async with asyncio.timeout(WITHIN_S):
        await relay.settled()  # and no tick
    assert [claimed.generation for claimed in performance.came] == [1, 2]
    assert await corridor.outbox.depth("slack") == 0


async def run_only_tick(relay: Relay) -> int:
    return await relay.tick("slack")


# -- again ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jitter", [0.0, 1.0])
async def test_the_pause_doubles_up_to_the_longest(corridor, performance, metrics, jitter):
    relay = another(corridor, performance, metrics, jitter=jitter)
    performance.tell(card(), *[raises(Unavailable("Not now."))] * 10)
    await put(corridor, card())
    pauses = []
    for _ in range(10):
        assert await run(relay) == 1
        pause = await next_in_ms(corridor, card())
        assert pause is not None
        pauses.append(pause)
        corridor.skew_ms += pause - 1
        assert await run(relay) == 0
        corridor.skew_ms += 1
    whole = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, *[LONGEST_PAUSE_MS] * 3]
    assert pauses == [int(pause * (0.5 + jitter / 2)) for pause in whole]
    assert await run(relay) == 1
    assert await corridor.outbox.depth("slack") == 0


async def test_what_slack_keeps_refusing_is_alarmed_told_and_tried_ever_more_rarely(corridor, performance, metrics):
    told = []

    async def refused(claimed, error):
        told.append((claimed.member, error.sentence))

    relay = Relay(corridor.outbox, {ShowCard: performance.perform}, metrics, lambda: 1.0, refused)
    performance.tell(card(), *[raises(Forbidden("No."))] * 15)
    await put(corridor, card())
    pauses = []
    for _ in range(15):
        assert await run(relay) == 1
        pauses.append(await next_in_ms(corridor, card()))
        corridor.skew_ms += pauses[-1]
    assert pauses[:4] == [500, 1_000, 2_000, 4_000]
    assert pauses[-2:] == [REFUSED_PAUSE_MS, REFUSED_PAUSE_MS]
    tries = 15 - (ALARM_AFTER - 1)
    assert told == [(card().key, "No.")] * tries
    assert metrics.registry.get_sample_value("countersign_alarms_total", {"kind": "refused"}) == tries
    assert await run(relay) == 1
    assert await corridor.outbox.depth("slack") == 0


async def test_only_what_slack_refuses_is_put_off_for_long(corridor, performance, metrics):
    """What the outside system of a revocation refuses is tried each minute."""
    membership = Membership(connector="okta", group="admins", user="UREQ", account="req@example.com")
    effect = Align(membership=membership)
    relay = Relay(corridor.outbox, {Align: performance.perform}, metrics, lambda: 1.0)
    performance.tell(effect, *[raises(Forbidden("No."))] * 12)
    await put(corridor, effect)
    for _ in range(12):
        await relay.tick("connector")
        await relay.settled()
        pause = await next_in_ms(corridor, effect)
        assert pause is not None
        assert pause <= LONGEST_PAUSE_MS
        corridor.skew_ms += pause


@pytest.mark.parametrize(
    ("act", "pause_ms"),
    [
        (raises(Unavailable("Wait.", retry_after_ms=7_000)), 7_000),
        (raises(Unavailable("Somebody is at it.", retry_after_ms=0)), 0),
        (raises(Unavailable("Wait long.", retry_after_ms=10 * LONGEST_PAUSE_MS)), 10 * LONGEST_PAUSE_MS),
        (raises(Unavailable("Not now.")), 500),
        (raises(Forbidden("No.")), 500),
        (raises(Conflict("It moved.")), 500),
        (raises(NotFound("Gone.")), 500),
        (answers(Again(1_234)), 1_234),
        (raises(KeyError("a mistake of ours")), 4_000),
    ],
)
async def test_nothing_is_dropped_and_each_failure_has_its_pause(corridor, relay, performance, act, pause_ms):
    performance.tell(card(), act)
    await put(corridor, card(), card(2))
    await run(relay)
    assert await next_in_ms(corridor, card()) == pause_ms
    assert await next_in_ms(corridor, card(2)) is None  # the other one is done
    corridor.skew_ms += pause_ms
    assert await run(relay) == 1
    assert await corridor.outbox.depth("slack") == 0


async def test_a_mistake_in_a_performer_is_alarmed_and_stops_nobody(corridor, relay, performance, metrics):
    performance.tell(card(), raises(ZeroDivisionError()), raises(RuntimeError()))
    await put(corridor, card(), card(2), card(3))
    await run(relay)
    assert measured(metrics, "alarms_total", kind="performer") == 1
    assert measured(metrics, "effects_total", lane="slack", effect="ShowCard", outcome="broken") == 1
    assert measured(metrics, "effects_total", lane="slack", effect="ShowCard", outcome="done") == 2


async def test_a_performance_that_does_not_end_is_cut_off_within_its_lease(
    corridor, relay, performance, metrics, monkeypatch
):
    assert relaying.PATIENCE_S * 1_000 < LEASE_MS
    monkeypatch.setattr(relay, "_patience", Patience(0.01))
    performance.tell(card(), Held())
    await put(corridor, card())
    await run(relay)
    assert measured(metrics, "effects_total", lane="slack", effect="ShowCard", outcome="timeout") == 1
    assert await next_in_ms(corridor, card()) == 500


POISON = [
    "",
    "{",
    "[]",
    "null",
    '{"type":"show_card"}',
    '{"schema":1,"type":"unheard_of"}',
    '{"schema":99,"type":"tell"}',
]


@pytest.mark.parametrize("body", POISON)
async def test_poison_is_pushed_back_and_alarmed_while_the_rest_goes_on(corridor, relay, performance, metrics, body):
    await put(corridor, card(1), card(2), card(3))
    await corridor.redis.hset(corridor.keys.effect("slack", card(2).key), "body", body)
    await run(relay)
    assert performance.members == [card(1).key, card(3).key]
    assert await next_in_ms(corridor, card(2)) == POISON_PAUSE_MS
    assert measured(metrics, "alarms_total", kind="poison") == 1
    corridor.skew_ms += POISON_PAUSE_MS
    assert await run(relay) == 1
    assert measured(metrics, "alarms_total", kind="poison") == 2


async def test_an_effect_that_nobody_here_performs_is_kept_for_one_who_does(corridor, relay, metrics):
    await put(corridor, Count(request="REQVEST001"))
    await run(relay)
    assert measured(metrics, "alarms_total", kind="poison") == 1
    assert await corridor.outbox.depth("slack") == 1


# -- how many at once -------------------------------------------------------------------------------------------------


async def test_no_more_run_at_once_than_there_is_room_for_however_many_ticks_come_together(
    corridor, relay, performance
):
    helds = [Held() for _ in range(3 * AT_ONCE)]
    for number, held in enumerate(helds):
        performance.tell(card(number), held)
    await put(corridor, *(card(number) for number in range(3 * AT_ONCE)))
    took = await asyncio.gather(*(relay.tick("slack") for _ in range(4)))
    assert sum(took) == AT_ONCE
    await performance.have_come(AT_ONCE)
    assert await relay.tick("slack") == 0
    for held in helds:
        held.go.set()
    await performance.have_come(3 * AT_ONCE)
    await relay.settled()
    assert performance.most == AT_ONCE


async def test_a_full_lane_goes_on_without_waiting_for_the_next_tick(corridor, relay, performance):
    count = 5 * AT_ONCE + 7
    await put(corridor, *(card(number) for number in range(count)))
    assert await relay.tick("slack") == AT_ONCE
    await performance.have_come(count)
    await relay.drain(WITHIN_S)
    assert await corridor.outbox.depth("slack") == 0


async def test_a_full_lane_goes_on_although_redis_was_silent_once(corridor, performance, metrics):
    class SilentOnce(Outbox):
        said = 0

        async def settle(self, claimed: Claimed, *, again_in_ms: int | None = None) -> str:
            self.said += 1
            if self.said == 1:
                raise Unavailable("Redis does not answer.", code="unknown")
            return await super().settle(claimed, again_in_ms=again_in_ms)

    outbox = SilentOnce(corridor.redis, corridor.keys, corridor.scripts, skew=corridor.skew)
    relay = another(corridor, performance, metrics, outbox=outbox)
    await put(corridor, *(card(number) for number in range(AT_ONCE + 1)))
    await relay.tick("slack")
    await performance.have_come(AT_ONCE + 1)
    await relay.drain(WITHIN_S)


async def test_a_lane_that_is_full_delays_no_other(corridor, performance, metrics):
    async def hangs(effect: Count, claimed: Claimed) -> Again | None:
        await asyncio.Event().wait()
        return None

    class Hooks(Count):
        lane = "hook"

    relay = Relay(corridor.outbox, {ShowCard: performance.perform, Count: hangs}, metrics, lambda: 1.0)
    await put(corridor, *(Hooks(request=f"REQVEST{number:03}") for number in range(2 * OF_HOOKS)), card())
    assert await relay.tick("hook") == OF_HOOKS
    assert await relay.tick("slack") == 1
    await performance.have_come(1)
    await relay.drain(0.01)


# -- the end ----------------------------------------------------------------------------------------------------------


async def test_a_drain_takes_nothing_new_and_lets_run_out_what_runs(corridor, relay, performance):
    held = Held()
    performance.tell(card(), held)
    await put(corridor, card())
    await relay.tick("slack")
    await performance.have_come(1)
    draining = asyncio.create_task(relay.drain(WITHIN_S))
    await put(corridor, card(2))
    assert await relay.tick("slack") == 0
    assert not draining.done()
    held.go.set()
    await draining
    assert performance.members == [card().key]
    assert await corridor.outbox.depth("slack") == 1


async def test_what_was_just_being_claimed_when_the_drain_began_is_performed(corridor, performance, metrics):
    class Slow(Outbox):
        taken, go = asyncio.Event(), asyncio.Event()

        async def claim(self, lane: Lane, *, most: int, lease_ms: int) -> list[Claimed]:
            claimed = await super().claim(lane, most=most, lease_ms=lease_ms)
            self.taken.set()
            await self.go.wait()
            return claimed

    outbox = Slow(corridor.redis, corridor.keys, corridor.scripts, skew=corridor.skew)
    relay = another(corridor, performance, metrics, outbox=outbox)
    await put(corridor, card())
    ticking = asyncio.create_task(relay.tick("slack"))
    await outbox.taken.wait()
    draining = asyncio.create_task(relay.drain(WITHIN_S))
    await asyncio.sleep(0)
    outbox.go.set()
    async with asyncio.timeout(WITHIN_S):
        await draining
    assert performance.members == [card().key]
    await ticking
    assert await corridor.outbox.depth("slack") == 0


async def test_what_is_late_when_the_drain_ends_keeps_its_lease_and_is_done_by_another(
    corridor, relay, performance, metrics
):
    performance.tell(card(), Held())
    await put(corridor, card())
    await relay.tick("slack")
    await performance.have_come(1)
    await relay.drain(0.01)
    assert performance.now == 0  # cut off, not left running
    assert await next_in_ms(corridor, card()) == LEASE_MS
    corridor.skew_ms += LEASE_MS
    assert await run(another(corridor, performance, metrics)) == 1
    assert await corridor.outbox.depth("slack") == 0


# -- how late ---------------------------------------------------------------------------------------------------------


async def test_lateness_is_measured_from_due_to_claimed(corridor, relay, metrics):
    await put(corridor, card())
    corridor.skew_ms += 2_500
    await run(relay)
    assert measured(metrics, "effect_lateness_seconds_sum", lane="slack") == 2.5


async def test_a_lane_is_not_ticked_while_redis_is_silent(corridor, performance, metrics):
    class Down(Outbox):
        async def claim(self, lane: Lane, *, most: int, lease_ms: int) -> list[Claimed]:
            raise Unavailable("Redis does not answer.", code="unknown")

    relay = another(
        corridor,
        performance,
        metrics,
        outbox=Down(corridor.redis, corridor.keys, corridor.scripts, skew=corridor.skew),
    )
    with pytest.raises(Unavailable):
        await relay.tick("slack")
    await relay.drain(WITHIN_S)
