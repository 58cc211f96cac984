"""Heard: which messages of receivers have come already, so that none counts twice."""

import hashlib
from typing import Final

from redis.asyncio import Redis

from store.redis.keys import Keys

KEPT_MS: Final = 900_000  # longer than a signature is taken for


class Heard:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def take(self, sender: str, message: str) -> bool:
        """False where it was taken before."""
        return bool(await self._redis.set(self._key(sender, message), "", nx=True, px=KEPT_MS))

    async def leave(self, sender: str, message: str) -> None:
        """Nothing came of it: it may come once more."""
        await self._redis.delete(self._key(sender, message))

    def _key(self, sender: str, message: str) -> str:
        return self._keys.heard(hashlib.sha256(f"{sender}\n{message}".encode()).hexdigest())
