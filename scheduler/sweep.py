"""Sweep: remind of what waits, lapse what nobody answered, warn before the end, end what ran out."""

import asyncio
from typing import Final, get_args

import structlog

from scheduler.metrics import Metrics
from store.model.command import Due, Overdue
from store.model.errors import AccessError, Conflict, Unavailable
from store.model.request import CLOCK
from store.model.request import Timer as TimerName
from store.redis.requests import Requests
from store.redis.timers import Timer, Timers

MOST: Final = 200  # timers a round
AT_ONCE: Final = 16
PUT_OFF_MS: Final = 60_000
ITS_OWN: Final = frozenset(
    {"newer_schema", "unreadable", "tampered", "policy_missing"}
)  # faults of what it is about, not of the store
NAMES: Final[dict[str, TimerName]] = {name: name for name in get_args(TimerName)}

log = structlog.stdlib.get_logger(__name__)


class Sweep:
    """Any number of replicas may sweep: a timer's command has one id, and its commit is guarded like any other."""

    def __init__(self, timers: Timers, requests: Requests, metrics: Metrics) -> None:
        self._timers = timers
        self._requests = requests
        self._metrics = metrics
        self._room = asyncio.Semaphore(AT_ONCE)

    async def tick(self) -> int:
        """Works off what is due; answers how many are done. `MOST` of them means that there are more. Raises `Unavailable`."""
        due = await self._timers.due(most=MOST)
        outcomes = await asyncio.gather(*(self._one(timer) for timer in due), return_exceptions=True)
        for timer, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, Unavailable):
                # Whatever one trips over, the ends of the others must come.
                log.error("timer failed", timer=timer.member, exc_info=outcome)
                await self._put_off(timer)
        for outcome in outcomes:
            if isinstance(outcome, Unavailable):
                raise outcome
        return outcomes.count("done")

    async def _one(self, timer: Timer) -> str:
        async with self._room:
            outcome = await self._work_off(timer)
        self._metrics.timers.labels(timer.name, outcome).inc()
        self._metrics.timer_lateness.observe(max(0, timer.now_ms - timer.at_ms) / 1000)
        return outcome

    async def _work_off(self, timer: Timer) -> str:
        try:
            try:
                await self._requests.apply(timer.request, _command(timer, timer.at_ms))
            except Conflict as error:
                # One that was put off stands at another time than the record says.
                own_ms = await self._own_ms(timer)
                if error.detail != "nothing_new" or own_ms is None or not own_ms < timer.at_ms:
                    raise
                await self._requests.apply(timer.request, _command(timer, own_ms))
        except Unavailable as error:
            log.warning("timer not worked off", timer=timer.member, why=error.sentence)
            if error.detail in ITS_OWN:
                return await self._put_off(timer)
            return "unavailable"
        except AccessError as error:
            # Moved meanwhile by somebody else: then it is no longer due. If it still is, it must not block the others.
            log.info("timer had moved", timer=timer.member, code=error.detail)
            if error.detail != "contended" and await self._timers.at_ms(timer) == timer.at_ms:
                return await self._put_off(timer)
            return "moved"
        return "done"

    async def _own_ms(self, timer: Timer) -> int | None:
        """When the record says that it is due."""
        world = await self._requests.get(timer.request)
        if timer.name == "debt":
            return world.debt.due_ms if world.debt is not None else None
        return {str(name): at_ms for name, at_ms in world.request.timers.items()}.get(timer.name)

    async def _put_off(self, timer: Timer) -> str:
        self._metrics.alarms.labels("timer").inc()
        log.error("timer put off", timer=timer.member)
        await self._timers.put_off(timer, until_ms=timer.now_ms + PUT_OFF_MS)
        return "put_off"


def _command(timer: Timer, at_ms: int) -> Due | Overdue:
    command_id = f"due:{timer.member}:{at_ms}"
    if timer.name == "debt":
        return Overdue(id=command_id, actor=CLOCK, at_ms=at_ms)
    return Due(id=command_id, actor=CLOCK, timer=NAMES.get(timer.name, "deadline"), at_ms=at_ms)
