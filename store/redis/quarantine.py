"""Quarantine: outside groups that nobody writes to for a while, because a write had done what nobody asked for."""

from redis.asyncio import Redis

from store.redis.commit import text
from store.redis.keys import Keys
from store.redis.scripts import Scripts


class Quarantine:
    """A `group` is `connector/group`. Times are those of the store's clock."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

    async def begin(self, group: str, sentence: str, *, now_ms: int, for_ms: int) -> None:
        """Raises `Unavailable`."""
        why = f"{now_ms + for_ms} {sentence}"
        await self._scripts.run("quarantine", [self._keys.quarantine(group)], [why, for_ms], frees=True)

    async def why(self, group: str, *, now_ms: int) -> str | None:
        """The sentence it began with; None where it is over."""
        stored = await self._redis.get(self._keys.quarantine(group))
        if stored is None:
            return None
        until_ms, _, sentence = text(stored).partition(" ")
        return sentence if now_ms < int(until_ms) else None
