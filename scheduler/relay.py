"""Relay: takes effects out of their lanes and has them performed, again and again until they are settled."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, Literal, get_args

import structlog

from scheduler.metrics import Metrics
from scheduler.patience import Patience
from store.model.effect import Lane
from store.model.errors import AccessError, Unavailable
from store.redis.outbox import Claimed, Outbox

LEASE_MS: Final = 60_000
PATIENCE_S: Final = 45.0  # for one performance: well within its lease
AT_ONCE: Final = 32  # performances of one lane in this process
OF_HOOKS: Final = 128  # of that lane: they mostly wait for others, and each host has a bound of its own
FIRST_PAUSE_MS: Final = 500
SETTLE_TIMES: Final = 12
SETTLE_PAUSE_S: Final = 0.5
LONGEST_PAUSE_MS: Final = 60_000
REFUSED_PAUSE_MS: Final = 3_600_000  # the longest for what Slack says no to: it will say so again
ALARM_AFTER: Final = 3  # such answers
POISON_PAUSE_MS: Final = 60_000

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """Not done: try again after this long. Where nothing is said, the pause doubles from one attempt to the next."""

    in_ms: int


@dataclass(frozen=True, slots=True)
class Settled:
    """The commit that says what came of it has ended its claim, too."""

    outcome: Literal["done", "again"]


Performer = Callable[[Any, Claimed], Awaitable[Again | Settled | None]]
Refusal = Callable[[Claimed, AccessError], Awaitable[None]]


class Relay:
    """`performers` by class of effect. `jitter` answers a number from 0 to 1. `refused` hears of what Slack keeps refusing."""

    def __init__(
        self,
        outbox: Outbox,
        performers: Mapping[type, Performer],
        metrics: Metrics,
        jitter: Callable[[], float],
        refused: Refusal | None = None,
    ) -> None:
        self._outbox = outbox
        self._performers = performers
        self._metrics = metrics
        self._counted = cache(metrics.effects.labels)  # looking a label up is dearer than counting
        self._jitter = jitter
        self._refused = refused
        self._patience = Patience(PATIENCE_S)
        self._busy: dict[Lane, set[asyncio.Task[None]]] = {lane: set() for lane in get_args(Lane)}
        self._claiming = {lane: asyncio.Lock() for lane in self._busy}  # two ticks at a time would take the same room
        # Lanes in which more is due: there was no room for it, or it was put anew meanwhile.
        self._more: set[Lane] = set()
        self._ticks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return tuple(self._busy)

    async def tick(self, lane: Lane) -> int:
        """Starts what is due, as far as there is room; answers how much that was. Raises `Unavailable`."""
        busy = self._busy[lane]
        async with self._claiming[lane]:
            room = (OF_HOOKS if lane == "hook" else AT_ONCE) - len(busy)
            if room <= 0 or self._closed:
                return 0
            claimed = await self._outbox.claim(lane, most=room, lease_ms=LEASE_MS)
            if len(claimed) == room:
                self._more.add(lane)
            lateness = self._metrics.effect_lateness.labels(lane)
            for each in claimed:
                lateness.observe(each.late_ms / 1000)
                task = asyncio.create_task(self._one(each))
                busy.add(task)
                task.add_done_callback(partial(self._ended, lane))
        return len(claimed)

    async def drain(self, within_s: float) -> None:
        """Takes nothing new, and lets what runs come to its end; what does not keeps its lease and is done again later."""
        self._closed = True
        for claiming in self._claiming.values():
            async with claiming:  # what is being claimed now is in our hand, and is still performed
                pass
        await asyncio.gather(*self._ticks)
        if running := self.running():
            _, late = await asyncio.wait(running, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def settled(self) -> None:
        """Until nothing that this process took is running."""
        while running := self.running():
            await asyncio.wait(running)

    def running(self) -> set[asyncio.Task[None]]:
        return self._ticks.union(*self._busy.values())

    async def _one(self, claimed: Claimed) -> None:
        came = await self._perform(claimed)
        outcome, again_in_ms = (came.outcome, None) if isinstance(came, Settled) else came
        name = type(claimed.effect).__name__ if claimed.effect else "unreadable"
        self._counted(claimed.lane, name, outcome).inc()
        if not isinstance(came, Settled):
            await self._settle(claimed, again_in_ms)

    async def _settle(self, claimed: Claimed, again_in_ms: int | None) -> None:
        """Says so until it is heard: what was put anew meanwhile waits for it. At worst the lease ends by itself, and it is
        done again: performers look before they act."""
        for attempt in range(SETTLE_TIMES):
            if attempt:
                await asyncio.sleep(SETTLE_PAUSE_S)
            try:
                if await self._outbox.settle(claimed, again_in_ms=again_in_ms) == "again":
                    self._more.add(claimed.lane)
                return
            except Unavailable as error:
                if attempt == 0:
                    log.warning("effect not settled", lane=claimed.lane, effect=claimed.member, why=error.sentence)

    def _ended(self, lane: Lane, task: asyncio.Task[None]) -> None:
        """There is room again: where more is due, it does not wait for the next tick."""
        self._busy[lane].discard(task)
        if lane in self._more and not self._closed:
            self._more.discard(lane)
            tick = asyncio.create_task(self._quietly(lane))
            self._ticks.add(tick)
            tick.add_done_callback(self._ticks.discard)

    async def _quietly(self, lane: Lane) -> None:
        with contextlib.suppress(Unavailable):  # the next tick says so
            await self.tick(lane)

    async def _perform(self, claimed: Claimed) -> tuple[str, int | None] | Settled:
        performer = self._performers.get(type(claimed.effect))
        if claimed.effect is None or performer is None:
            self._metrics.alarms.labels("poison").inc()
            log.error("effect cannot be read", **_where(claimed))
            return "poison", POISON_PAUSE_MS
        try:
            with self._patience:
                again = await performer(claimed.effect, claimed)
        except AccessError as error:
            if claimed.lane == "slack" and not isinstance(error, Unavailable):
                await self._says_no(claimed, error)
                return "refused", self._pause(claimed.attempts, REFUSED_PAUSE_MS)
            retry = error.retry_after_ms if isinstance(error, Unavailable) else None
            log.warning("effect not done", why=error.sentence, code=error.detail, **_where(claimed))
            return "failed", retry if retry is not None else self._pause(claimed.attempts)
        except TimeoutError:
            log.warning("effect took too long", **_where(claimed))
            return "timeout", self._pause(claimed.attempts)
        except Exception as error:
            # The one broad except: whatever a performer trips over, its effect must neither be lost nor stop the lane.
            self._metrics.alarms.labels("performer").inc()
            log.exception("effect failed", error=type(error).__name__, **_where(claimed))
            return "broken", self._pause(claimed.attempts + 3)
        match again:
            case None:
                return "done", None
            case Again(in_ms):
                return "again", in_ms
            case Settled():
                return again

    async def _says_no(self, claimed: Claimed, error: AccessError) -> None:
        """Slack will hardly say anything else to the same words: somebody must look at it."""
        where = _where(claimed)
        if claimed.attempts + 1 < ALARM_AFTER:
            log.warning("effect refused", why=error.sentence, code=error.detail, **where)
            return
        self._metrics.alarms.labels("refused").inc()
        log.error("effect is refused again and again", why=error.sentence, code=error.detail, **where)
        if self._refused is not None:
            with contextlib.suppress(AccessError):  # the next try tells it
                await self._refused(claimed, error)

    def _pause(self, attempts: int, most_ms: int = LONGEST_PAUSE_MS) -> int:
        longest = min(most_ms, FIRST_PAUSE_MS * 2 ** min(attempts, 13))
        return int(longest * (0.5 + self._jitter() / 2))


def _where(claimed: Claimed) -> dict[str, Any]:
    return {"lane": claimed.lane, "effect": claimed.member, "attempt": claimed.attempts + 1}
