"""Clock: APScheduler ticks, Redis keeps what is due. Every replica ticks; none is the leader."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from scheduler.relay import Relay
from scheduler.sweep import MOST, Sweep
from store.model.effect import Lane
from store.model.errors import Unavailable

SWEEP_S: Final = 0.5
RELAY_S: Final = 0.5  # for what other replicas have put, and for what is tried again; our own is nudged
GAUGES_S: Final = 5.0
WATCH_S: Final = 60.0
LEAVERS_S: Final = 15.0
EXPIRIES_S: Final = 60.0
RETENTION_S: Final = 3600.0

log = structlog.stdlib.get_logger(__name__)

Job = Callable[[], Awaitable[object]]


class Clock:
    """`watch` looks once a minute whether Redis still keeps what it is told; `gauges` measures what waits; `leavers` looks around, `expiries` at what ends; `retention` drops old versions."""

    def __init__(
        self,
        relay: Relay,
        sweep: Sweep,
        *,
        watch: Job,
        gauges: Job,
        leavers: Job,
        expiries: Job,
        retention: Job,
    ) -> None:
        self._relay = relay
        self._sweep = sweep
        self._jobs: dict[str, tuple[Job, float]] = {
            "sweep": (self._swept, SWEEP_S),
            **{f"relay {lane}": (self._relayed(lane), RELAY_S) for lane in relay.lanes},
            "gauges": (gauges, GAUGES_S),
            "watch": (watch, WATCH_S),
            "leavers": (leavers, LEAVERS_S),
            "expiries": (expiries, EXPIRIES_S),
            "retention": (retention, RETENTION_S),
        }
        # Nothing is pickled and nothing is missed: the jobs live in memory, and what is due lies in Redis.
        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()}, job_defaults=defaults, timezone="UTC"
        )
        self._nudged: set[Lane] = set()
        self._looking: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._swept_s: float | None = None  # by the loop's clock

    def swept_s_ago(self) -> float | None:
        """Since this process last looked for what is due, and worked it off. None: not yet."""
        return None if self._swept_s is None else asyncio.get_running_loop().time() - self._swept_s

    def start(self) -> None:
        for name, (job, seconds) in self._jobs.items():
            self._scheduler.add_job(self._tick, "interval", seconds=seconds, args=[name, job], id=name)
        self._scheduler.start()

    def nudge(self, lanes: Iterable[Lane] | None = None) -> None:
        """Something was put into these lanes, or nobody knows into which: look at once instead of at the next tick."""
        self._nudged.update(self._relay.lanes if lanes is None else lanes)
        looks = self._looking is not None and not self._looking.done()
        if not looks and not self._stopped and self._scheduler.running:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def settled(self) -> None:
        """Until nobody looks, and nothing that was found is in hand."""
        while running := self._under_way() | self._relay.running():
            await asyncio.wait(running)

    async def sweep(self) -> None:
        """What is due happens now, and not at the next tick: the time has jumped."""
        await self._tick("sweep", self._swept)

    async def stop(self) -> None:
        """Begins nothing new, and waits for the ticks that run: the scheduler would cut them off where they stand."""
        self._stopped = True
        if running := self._under_way():
            await asyncio.wait(running)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # which it does at the loop's next turn

    def _under_way(self) -> set[asyncio.Task[None]]:
        return {task for task in (*self._running, self._looking) if task is not None and not task.done()}

    async def _look(self) -> None:
        while self._nudged:  # once more for what was put while we looked
            nudged, self._nudged = self._nudged, set()
            for lane in self._relay.lanes:
                if lane in nudged:
                    await self._tick(f"relay {lane}", self._relayed(lane))

    async def _swept(self) -> None:
        done = MOST
        while done == MOST and not self._stopped:  # one round after the other, as long as there are more
            done = await self._sweep.tick()
        self._swept_s = asyncio.get_running_loop().time()

    def _relayed(self, lane: Lane) -> Job:
        async def tick() -> None:
            while not self._stopped and await self._relay.tick(lane):
                pass

        return tick

    async def _tick(self, name: str, job: Job) -> None:
        task = asyncio.current_task()
        if self._stopped or task is None:
            return
        self._running.add(task)
        try:
            await job()
        except Unavailable as error:
            log.warning("tick skipped", job=name, why=error.sentence, code=error.detail)
        finally:
            self._running.discard(task)
