"""Facts about people, shared between replicas for as long as they are fresh."""

from collections.abc import Iterable

from redis.asyncio import Redis

from store.model.people import FRESH_MS, Group, Person
from store.redis.commit import text
from store.redis.keys import Keys


class Facts:
    """Each body carries when it was known, ms."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def get(self, principals: Iterable[str]) -> dict[str, tuple[int, str]]:
        """id -> (known at ms, body)."""
        wanted = list(principals)
        if not wanted:
            return {}
        found = await self._redis.mget([self._keys.facts(principal) for principal in wanted])
        known = {principal: text(body) for principal, body in zip(wanted, found, strict=True) if body is not None}
        return {principal: (int(body.partition(" ")[0]), body.partition(" ")[2]) for principal, body in known.items()}

    async def put(self, fact: Person | Group, known_ms: int) -> None:
        await self._redis.set(self._keys.facts(fact.id), f"{known_ms} {fact.to_json()}", px=FRESH_MS)

    async def drop(self, principal: str) -> None:
        await self._redis.delete(self._keys.facts(principal))
