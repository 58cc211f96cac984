"""Sweep: lapse what nobody answered, warn before the end, end what ran out."""

import asyncio
from typing import Final, get_args

import structlog

from scheduler.metrics import Metrics
from store.model.command import Due, Overdue
from store.model.errors import AccessError, Unavailable
from store.model.request import CLOCK
from store.model.request import Timer as TimerName
from store.redis.requests import Requests
from store.redis.timers import Timer, Timers

MOST: Final = 200  # timers a round
AT_ONCE: Final = 16
PUT_OFF_MS: Final = 60_000
NAMES: Final = frozenset(get_args(TimerName))

log = structlog.stdlib.get_logger(__name__)


class Sweep:
    """Any number of replicas may sweep: a timer's command has one id, and its commit is guarded like any other."""

    def __init__(self, timers: Timers, requests: Requests, metrics: Metrics) -> None:
        self._timers = timers
        self._requests = requests
        self._metrics = metrics
        self._room = asyncio.Semaphore(AT_ONCE)

    async def tick(self) -> int:
        """Works off what is due; answers how much that was. Raises `Unavailable`."""
        due = await self._timers.due(most=MOST)
        await asyncio.gather(*(self._one(timer) for timer in due))
        return len(due)

    async def _one(self, timer: Timer) -> None:
        async with self._room:
            outcome = await self._work_off(timer)
        self._metrics.timers.labels(timer.name, outcome).inc()
        self._metrics.timer_lateness.observe(max(0, timer.now_ms - timer.at_ms) / 1000)

    async def _work_off(self, timer: Timer) -> str:
        try:
            await self._requests.apply(timer.request, _command(timer))
        except Unavailable as error:
            log.warning("timer not worked off", timer=timer.member, why=error.sentence)
            if error.detail in ("newer_schema", "unreadable"):
                return await self._put_off(timer)
            return "unavailable"
        except AccessError as error:
            # Moved meanwhile by somebody else: then it is no longer due. If it still is, it must not block the others.
            log.info("timer had moved", timer=timer.member, code=error.detail)
            if error.detail != "contended" and await self._timers.at_ms(timer) == timer.at_ms:
                return await self._put_off(timer)
            return "moved"
        return "done"

    async def _put_off(self, timer: Timer) -> str:
        self._metrics.alarms.labels("timer").inc()
        log.error("timer put off", timer=timer.member)
        await self._timers.put_off(timer, until_ms=timer.now_ms + PUT_OFF_MS)
        return "put_off"


def _command(timer: Timer) -> Due | Overdue:
    command_id = f"due:{timer.member}:{timer.at_ms}"
    if timer.name == "debt":
        return Overdue(id=command_id, actor=CLOCK, at_ms=timer.at_ms)
    if timer.name == "warning":
        return Due(id=command_id, actor=CLOCK, timer="warning", at_ms=timer.at_ms)
    return Due(id=command_id, actor=CLOCK, timer="deadline", at_ms=timer.at_ms)
