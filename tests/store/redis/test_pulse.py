"""Pulse: whoever waits for a record is woken when it moves, and nothing is asked while nobody waits."""

import asyncio

from redis.asyncio import Redis

from store.redis.pulse import Pulse


class Counted:
    """The same Redis, and how often it is asked."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.asked = 0

    def pipeline(self, *, transaction: bool):
        self.asked += 1
        return self._redis.pipeline(transaction=transaction)


async def test_it_rings_when_one_of_them_has_moved(any_redis):
    pulse = Pulse(any_redis, beat_s=0.01)
    async with pulse.bell(["a", "b"]) as one, pulse.bell(["c"]) as other:
        await any_redis.hset("b", "version", 1)
        await one.heard(30)
        assert not other._rung.is_set()
        waiting = asyncio.create_task(one.heard(30))
        await any_redis.hset("b", "version", 2)
        await waiting


async def test_what_moves_between_hanging_it_up_and_looking_is_heard(any_redis):
    pulse = Pulse(any_redis, beat_s=0.01)
    async with pulse.bell(["a"]) as first:
        await any_redis.hset("a", "version", 1)
        async with pulse.bell(["a"]) as second:  # this one has seen it
            await first.heard(30)
            await any_redis.hset("a", "version", 2)
            await second.heard(30)


async def test_it_stops_asking_when_nobody_waits_any_more(any_redis):
    counted = Counted(any_redis)
    pulse = Pulse(counted, beat_s=0.001)  # type: ignore[arg-type]  # what it uses of it
    async with pulse.bell(["a"]):
        pass
    assert pulse._beating is not None
    await asyncio.wait_for(pulse._beating, 30)
    asked = counted.asked
    await asyncio.sleep(0.02)
    assert counted.asked == asked


async def test_at_the_end_everybody_is_told_at_once(any_redis):
    pulse = Pulse(any_redis)
    async with pulse.bell(["a"]) as bell:
        waiting = asyncio.create_task(bell.heard(30))
        pulse.close()
        async with asyncio.timeout(5):
            await waiting
    async with pulse.bell(["a"]) as late, asyncio.timeout(5):
        await late.heard(30)
    assert pulse.over()
