"""Uses: when each token was last shown, and from where. Kept to the minute, and never waited for."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from store.model.errors import Unavailable
from store.model.token import DAY_MS, Bearer, TokenKind, Use
from store.redis.commit import text
from store.redis.keys import Keys

MINUTE_MS: Final = 60_000
KEPT_MS: Final[dict[TokenKind, int]] = {"person": 31 * DAY_MS, "machine": 400 * DAY_MS}  # longer than any lives
KNOWN_MOST: Final = 10_000  # tokens of which is remembered that they were just noted

log = structlog.stdlib.get_logger(__name__)


class Uses:
    def __init__(self, redis: Redis, keys: Keys, now_ms: Callable[[], int]) -> None:
        self._redis = redis
        self._keys = keys
        self.now_ms = now_ms
        self._noted: dict[str, int] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, shown: Bearer, address: str) -> None:
        """Of a token that was let in. At most once a minute and token, behind the back of who asks."""
        now_ms = self.now_ms()
        if now_ms - self._noted.get(shown.id, -MINUTE_MS) < MINUTE_MS:
            return
        if len(self._noted) >= KNOWN_MOST:
            self._noted.clear()
        self._noted[shown.id] = now_ms
        task = asyncio.get_running_loop().create_task(self._write(shown, Use(now_ms, address)))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def of(self, tokens: Iterable[str]) -> dict[str, Use]:
        wanted = list(tokens)
        if not wanted:
            return {}
        found = await self._redis.mget([self._keys.used(token) for token in wanted])
        known = {
            token: text(body).partition(" ") for token, body in zip(wanted, found, strict=True) if body is not None
        }
        return {token: Use(int(at), address) for token, (at, _, address) in known.items()}

    async def drain(self) -> None:
        if self._writing:
            await asyncio.wait(self._writing)

    async def _write(self, shown: Bearer, use: Use) -> None:
        try:
            await self._redis.set(self._keys.used(shown.id), f"{use.at_ms} {use.address}", px=KEPT_MS[shown.kind])
        except (RedisError, OSError, Unavailable) as error:
            log.info("last use not kept", token=shown.id, error=type(error).__name__)
