"""Patience: how long what is performed may take, with one timer for all of it."""

import asyncio
from types import TracebackType
from typing import Any


class Patience:
    """`with` it, a task is cancelled after `within_s` and told `TimeoutError`, as by `asyncio.timeout`, of which one for each
    costs more than most of what it guards. Not twice at a time in one task."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._until: dict[asyncio.Task[Any], float] = {}  # by the loop's clock, s: the oldest first
        self._late: set[asyncio.Task[Any]] = set()
        self._watch: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._within_s
        self._until[_current()] = until_s
        if self._watch is None:
            self._watch = loop.call_at(until_s, self._look)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        task = _current()
        if task not in self._late:
            del self._until[task]
            return
        self._late.discard(task)
        if task.uncancel() == 0 and kind is asyncio.CancelledError:  # nobody else cancelled it
            raise TimeoutError

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = None
        while self._until:
            task, until_s = next(iter(self._until.items()))
            if until_s > loop.time():
                self._watch = loop.call_at(until_s, self._look)
                return
            del self._until[task]
            self._late.add(task)
            task.cancel()


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("There is no task whose patience could end.")
    return task
