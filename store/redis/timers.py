"""Timers: what is due. They are set and removed by the commits of what they belong to."""

from dataclasses import dataclass

from redis.asyncio import Redis

from store.redis.clock import Skew
from store.redis.commit import text
from store.redis.keys import Keys
from store.redis.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Timer:
    """`name` is a timer of the request, or `debt`."""

    member: str
    request: str
    name: str
    at_ms: int
    now_ms: int


class Timers:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def due(self, *, most: int) -> list[Timer]:
        """Raises `Unavailable`."""
        now, *found = await self._scripts.run("due", [self._keys.due], [self._skew(), most])
        members = [text(part) for part in found]
        return [
            _timer(member, int(float(at)), int(now)) for member, at in zip(members[::2], members[1::2], strict=True)
        ]

    async def at_ms(self, timer: Timer) -> int | None:
        """When it is due as of now; None when it is gone."""
        score = await self._redis.zscore(self._keys.due, timer.member)
        return None if score is None else int(score)

    async def put_off(self, timer: Timer, *, until_ms: int) -> None:
        """For one that cannot be worked off: it must not stand in the way of the others, and must not be forgotten."""
        await self._redis.zadd(self._keys.due, {timer.member: until_ms}, xx=True)

    async def waiting(self) -> int:
        return int(await self._redis.zcard(self._keys.due))


def _timer(member: str, at_ms: int, now_ms: int) -> Timer:
    request, _, name = member.partition("/")
    return Timer(member, request, name, at_ms, now_ms)
