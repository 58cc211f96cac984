"""Channels: those that are closed to us, since when, and whether the owners know."""

import json
from dataclasses import dataclass

from redis.asyncio import Redis

from store.redis.commit import text
from store.redis.keys import Keys


@dataclass(frozen=True, slots=True)
class Closing:
    """`why` is Slack's own word for it."""

    channel: str
    why: str
    since_ms: int
    told: bool = False


class Channels:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def closed(self, channel: str, why: str, now_ms: int) -> Closing:
        """The first to see it says since when. Raises `Unavailable`."""
        await self._redis.hsetnx(self._keys.closed, channel, json.dumps([why, now_ms, False]))
        return await self.of(channel) or Closing(channel, why, now_ms)

    async def of(self, channel: str) -> Closing | None:
        """None for one that is open, as far as we know."""
        body = await self._redis.hget(self._keys.closed, channel)
        return None if body is None else Closing(channel, *json.loads(body))

    async def all(self) -> list[Closing]:
        """Every one that is closed to us, the longest first."""
        kept = await self._redis.hgetall(self._keys.closed)
        closings = [Closing(text(channel), *json.loads(body)) for channel, body in kept.items()]
        return sorted(closings, key=lambda closing: (closing.since_ms, closing.channel))

    async def told(self, closing: Closing) -> None:
        await self._redis.hset(self._keys.closed, closing.channel, json.dumps([closing.why, closing.since_ms, True]))

    async def opened(self, channel: str) -> None:
        await self._redis.hdel(self._keys.closed, channel)
