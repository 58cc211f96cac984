"""Places: where each person is on App Home, for as long as they may still be looking."""

from typing import Final

from redis.asyncio import Redis

from store.redis.commit import text
from store.redis.keys import Keys

KEPT_S: Final = 3_600


class Places:
    """Slack tells it on no redraw and to no other replica, so it lies where all of them look. Losing it opens Home at its first page."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def keep(self, user: str, place: str) -> None:
        await self._redis.set(self._keys.place(user), place, ex=KEPT_S)

    async def of(self, user: str) -> str | None:
        found = await self._redis.get(self._keys.place(user))
        return text(found) if found is not None else None
