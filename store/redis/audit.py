"""The audit log: entries numbered in the commit of what they tell, read in order."""

from typing import Any

from redis.asyncio import Redis

from store.model.audit import Audit
from store.redis.commit import text
from store.redis.keys import Keys


class AuditLog:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def after(self, number: int, *, most: int) -> list[tuple[int, Audit]]:
        """Entries with a higher number, oldest first."""
        found = await self._redis.xrange(self._keys.audit, min=f"({number}-0", count=most)
        return [_entry(row) for row in found or ()]

    async def newest(self, *, most: int) -> list[tuple[int, Audit]]:
        return [_entry(row) for row in await self._redis.xrevrange(self._keys.audit, count=most) or ()]

    async def number(self) -> int:
        return int(await self._redis.get(self._keys.audit_number) or 0)


def _entry(row: Any) -> tuple[int, Audit]:
    number, fields = row
    body = next(iter(fields.values()))
    return int(text(number).partition("-")[0]), Audit.from_json(body)
