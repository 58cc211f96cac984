"""Waiting: requests that are answered when something has happened, at the latest after half a minute."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Final, TypeVar

from aiohttp import web
from pydantic import Field

from store.model.errors import Unavailable
from store.redis.pulse import Pulse

LONGEST_S: Final = 30
AGAIN_S: Final = 5.0  # whoever waits is looked at again, also where nothing has moved
MOST: Final = 1_000  # at once
MOST_OF_ONE: Final = 50  # of one token, or of one address that shows none
FULL_MS: Final = 5_000

Wait = Annotated[int, Field(ge=0, le=LONGEST_S, description="Seconds to wait for news, at the most.")]

T = TypeVar("T")


class Waiting:
    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._of: Counter[str] = Counter()
        self._jumps = 0

    async def until(
        self,
        look: Callable[[], Awaitable[T]],
        *,
        news: Callable[[T], bool],
        records: Callable[[T], Iterable[str]],
        wait_s: int,
        who: str,
        request: web.Request,
    ) -> T:
        """What `look` finds when that is `news`, or when it has waited long enough, or the process ends.

        `look` decides anew each time whether whoever waits may be told. `records` of what it found are those that can move.
        """
        found = await look()
        if news(found) or not wait_s or self._pulse.over():
            return found
        loop = asyncio.get_running_loop()
        until, jumps = loop.time() + wait_s, self._jumps
        async with self._room(who), self._pulse.bell(records(found)) as bell:
            while True:
                found = await look()
                left = until - loop.time()
                if news(found) or left <= 0 or jumps != self._jumps or self._pulse.over() or _gone(request):
                    return found
                await bell.heard(min(left, AGAIN_S))

    def jumped(self) -> None:
        """For a clock that is moved, as the playground and tests do: whoever waits is answered now, and learns of it by that."""
        self._jumps += 1
        self._pulse.ring()

    def close(self) -> None:
        """Whoever waits is answered now, and nobody waits any more."""
        self._pulse.close()

    @asynccontextmanager
    async def _room(self, who: str) -> AsyncIterator[None]:
        if self._of.total() >= MOST or self._of[who] >= MOST_OF_ONE:
            raise Unavailable(
                "Too many wait here already. Ask again without waiting.", code="too_many", retry_after_ms=FULL_MS
            )
        self._of[who] += 1
        try:
            yield
        finally:
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]


def _gone(request: web.Request) -> bool:
    """Nobody hears the answer any more."""
    return request.transport is None or request.transport.is_closing()
