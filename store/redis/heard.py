"""Heard: which messages of receivers were refused, so that none counts later. One that was taken is known by its command."""

import hashlib
from typing import Final

from redis.asyncio import Redis

from store.redis.keys import Keys

KEPT_MS: Final = 900_000  # longer than a signature is taken for


class Heard:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def known(self, sender: str, message: str) -> bool:
        return bool(await self._redis.exists(self._key(sender, message)))

    async def note(self, sender: str, message: str) -> None:
        await self._redis.set(self._key(sender, message), "", px=KEPT_MS)

    def _key(self, sender: str, message: str) -> str:
        return self._keys.heard(hashlib.sha256(f"{sender}\n{message}".encode()).hexdigest())
