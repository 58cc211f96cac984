"""Pulse: wakes whoever waits for a record to move. One look a beat at all that is waited for, and none where nobody waits."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from redis.asyncio import Redis

from store.model.errors import Unavailable

BEAT_S: Final = 0.25


class Bell:
    """Rings when one of some records has moved since it was hung up, or when nobody is to wait any more."""

    def __init__(self, seen: dict[str, bytes | None]) -> None:
        self.seen = seen
        self._rung = asyncio.Event()

    def look(self, versions: dict[str, bytes | None]) -> None:
        for record, version in self.seen.items():
            if record in versions and versions[record] != version:
                self.seen[record] = versions[record]
                self._rung.set()

    def ring(self) -> None:
        self._rung.set()

    async def heard(self, within_s: float) -> None:
        """Returns when it has rung, or after `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._rung.wait()
        self._rung.clear()


class Pulse:
    """Records are keys of hashes with a `version` that every commit counts up."""

    def __init__(self, redis: Redis, *, beat_s: float = BEAT_S) -> None:
        self._redis = redis
        self._beat_s = beat_s
        self._bells: set[Bell] = set()
        self._beating: asyncio.Task[None] | None = None
        self._closed = False

    @asynccontextmanager
    async def bell(self, records: Iterable[str]) -> AsyncIterator[Bell]:
        """Whoever waits hangs it up, looks, and then listens: so nothing moves in between unheard. Raises `Unavailable`."""
        bell = Bell(await self._look(records))
        self._bells.add(bell)
        try:
            if self._closed:
                bell.ring()
            elif self._beating is None or self._beating.done():
                self._beating = asyncio.create_task(self._beat())
            yield bell
        finally:
            self._bells.discard(bell)

    def close(self) -> None:
        """Everybody who waits is told at once, and whoever comes later does not wait."""
        self._closed = True
        self.ring()

    def ring(self) -> None:
        """Everybody who waits looks again."""
        for bell in self._bells:
            bell.ring()

    def over(self) -> bool:
        """Whether nobody is to wait any more."""
        return self._closed

    async def _beat(self) -> None:
        while self._bells and not self._closed:
            await asyncio.sleep(self._beat_s)
            with suppress(Unavailable):  # whoever waits looks again by itself, and is told
                versions = await self._look({record for bell in self._bells for record in bell.seen})
                for bell in self._bells:
                    bell.look(versions)

    async def _look(self, records: Iterable[str]) -> dict[str, bytes | None]:
        listed = list(records)
        async with self._redis.pipeline(transaction=False) as pipe:
            for record in listed:
                pipe.hget(record, "version")
            found = await pipe.execute() if listed else []
        return dict(zip(listed, found, strict=True))
