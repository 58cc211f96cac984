"""How one waits for something to change."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

LOOK_S: Final = 0.05

T = TypeVar("T")


class Changes:
    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._on_change: list[Callable[[], None]] = []

    def changed(self) -> None:
        """Wakes who waits and calls who listens."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()
        for listener in self._on_change:
            listener()

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` after each change. Returns what ends that."""
        self._on_change.append(listener)
        return lambda: self._on_change.remove(listener)

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:  # noqa: ASYNC109  # a test says how long it will wait
        """The first true answer of `predicate`, asked again after each change and each API call, and every so often: what it
        asks about may lie outside of the workspace. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while not (answer := predicate()):
                waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(waiting)
                await asyncio.wait({waiting}, timeout=LOOK_S)
                self._waiting.discard(waiting)
        return answer
