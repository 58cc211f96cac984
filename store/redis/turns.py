"""Turns: one at a time over all replicas, for at most the length of a lease."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from store.model.errors import Unavailable
from store.redis.keys import Keys
from store.redis.scripts import Scripts


class Turn:
    """One that was taken."""

    def __init__(self) -> None:
        self.kept = False

    def keep(self) -> None:
        """Until its lease ends, although we are done: what we began may still come to pass."""
        self.kept = True


class Turns:
    def __init__(self, keys: Keys, scripts: Scripts, random: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._scripts = scripts
        self._random = random

    @asynccontextmanager
    async def turn(self, name: str, *, lease_ms: int, busy_for_ms: int) -> AsyncIterator[Turn]:
        """Raises `Unavailable`, to be tried again in `busy_for_ms`, while somebody else has it."""
        token = self._random(8).hex()
        if not await self._scripts.run("take", [self._keys.turn(name)], [token, lease_ms], frees=True):
            raise Unavailable("Somebody else is at it.", code="busy", retry_after_ms=busy_for_ms)
        turn = Turn()
        try:
            yield turn
        finally:
            if not turn.kept:
                await self._scripts.run("release", [self._keys.turn(name)], [token], frees=True)
