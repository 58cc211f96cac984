"""The audit log: entries numbered in the commit of what they tell, read in order."""

import contextlib
from typing import Any

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.errors import AccessError, Conflict, Unavailable
from store.redis.clock import Skew
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts


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


class Attempts:
    """What was refused leaves a trace."""

    def __init__(self, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def refused(
        self,
        refusal: AccessError,
        command: str,
        command_id: str,
        *,
        actor: str,
        at_ms: int,
        request: str | None = None,
        target: str | None = None,
        **details: str,
    ) -> None:
        """Once for this command. That it cannot be left now changes nothing for the person."""
        commit = Commit(self._keys, f"refused:{command_id}", fingerprint=refusal.detail, frees=True)
        entry = Audit(
            event="attempt.refused", actor=actor, at_ms=at_ms, request=request, target=target,
            details={"command": command, "code": refusal.detail, **details},
        )  # fmt: skip
        commit.audit([entry])
        with contextlib.suppress(Conflict, Unavailable):
            await commit.run(self._scripts, self._skew())


def _entry(row: Any) -> tuple[int, Audit]:
    number, fields = row
    body = next(iter(fields.values()))
    return int(text(number).partition("-")[0]), Audit.from_json(body)
