"""Expiries: who asked for a machine's token hears in time that it ends."""

from collections.abc import Callable
from typing import Final

from store.redis.tokens import Tokens

MOST: Final = 20  # at one look


class Expiries:
    def __init__(self, tokens: Tokens, now_ms: Callable[[], int]) -> None:
        self._tokens = tokens
        self._now_ms = now_ms

    async def look(self) -> None:
        for token in await self._tokens.expiring(self._now_ms(), most=MOST):
            await self._tokens.warned(token)
