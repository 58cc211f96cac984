"""Condition: how the program is, for its owners, from what `doctor` and `/metrics` look at as well. Nothing that costs a person a wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Final

from bot.doctor import outside as outsides
from bot.doctor import store as stores
from bot.doctor.finding import Finding, fail, ok, warn
from bot.outside import Outside
from bot.policies import Bootstrap
from scheduler.clock import SWEEP_S, Clock
from scheduler.metrics import Metrics
from store.keys.ring import Keyring
from store.model.errors import AccessError
from store.model.identity import Target
from store.model.policy import DAY, MINUTE
from store.redis.client import Client
from store.redis.environments import Environments
from store.redis.inspection import Inspection
from store.redis.policies import Policies
from store.redis.rosters import Rosters

KEPT_S: Final = 5.0  # a look serves every owner, and every redraw, for so long
SLOW_KEPT_S: Final = 120.0  # and what asks Slack, or opens keys
PATIENCE_S: Final = 5.0  # for one part; what takes longer is said to
SWEPT_S: Final = 20 * SWEEP_S
SOON_MS: Final = 5 * MINUTE
SHOWN: Final = 5  # of one kind; the rest are counted

ALARMS: Final = {
    "poison": "An effect could not be read; it is kept, and tried again every minute",
    "performer": "An effect ran into an error of ours; it is tried again",
    "revoking": "A membership could not be confirmed as taken back for a while; it is tried until it is",
    "hook": "A deploy hook was given up",
    "mail": "A mail was given up",
    "webhook": "A webhook that a rule names was given up",
    "refused": "Slack keeps saying no to a message; it is tried ever more rarely",
    "timer": "A timer could not be worked off; it was put off by a minute",
}

Part = Callable[[], Coroutine[Any, Any, list[Finding]]]


class Condition:
    """`monotonic_s` and `now_ms`: the machine's clock for lengths of time, and the store's. `disk`: the folder of a server of ours; `versions`: how many are kept."""

    def __init__(
        self,
        *,
        redis: Client,
        inspection: Inspection,
        policies: Policies,
        environments: Environments,
        ring: Keyring,
        rosters: Rosters,
        faults: Iterable[str],
        outside: Outside,
        bootstrap: Bootstrap,
        clock: Clock,
        metrics: Metrics,
        disk: Path | None,
        versions: int,
        now_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._redis = redis
        self._inspection = inspection
        self._policies = policies
        self._environments = environments
        self._ring = ring
        self._rosters = rosters
        self._faults = tuple(faults)
        self._outside = outside
        self._bootstrap = bootstrap
        self._clock = clock
        self._metrics = metrics
        self._disk = disk
        self._versions = versions
        self._now_ms = now_ms
        self._monotonic_s = monotonic_s
        self._found: dict[str, tuple[float, list[Finding]]] = {}
        self._looking = asyncio.Lock()

    async def look(self) -> tuple[Finding, ...]:
        """Every part, one after the other as they are listed. Never raises `AccessError`: what cannot be looked at is a finding."""
        parts: tuple[tuple[str, Part, float], ...] = (
            ("redis", self._durable, KEPT_S),
            ("keys", self._keys, SLOW_KEPT_S),
            ("policies", self._in_force, SLOW_KEPT_S),
            ("clock", self._swept, 0.0),
            ("lanes", self._waiting, KEPT_S),
            ("alarms", self._alarmed, 0.0),
            ("hooks", self._hooks, KEPT_S),
            ("deploys", self._deploys, KEPT_S),
            ("debts", self._debts, KEPT_S),
            ("versions", self._held, SLOW_KEPT_S),
            ("memory", self._room, KEPT_S),
        )
        async with self._looking:
            return tuple(
                [finding for about, part, kept_s in parts for finding in await self._part(about, part, kept_s)]
            )

    async def _part(self, about: str, part: Part, kept_s: float) -> list[Finding]:
        at, found = self._found.get(about, (-kept_s, []))
        if found and self._monotonic_s() - at < kept_s:
            return found
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await part()
        except AccessError as error:
            found = [fail(about, error.sentence)]
        except TimeoutError:
            return [warn(about, "This was not looked at in time. countersign doctor looks without hurry.")]
        self._found[about] = self._monotonic_s(), found
        return found

    async def _durable(self) -> list[Finding]:
        return await _all(stores.redis(self._redis, "Redis"))

    async def _keys(self) -> list[Finding]:
        answers = await self._ring.challenge_all()
        findings = [
            fail("keys", f"A key holder does not work. {error.sentence}") for error in answers.values() if error
        ]
        findings += [fail("keys", f"A key holder cannot be used. {fault}") for fault in self._faults]
        findings += stores.roster(self._rosters, self._ring)
        policies = await self._policies.current()
        return findings + await _all(stores.wraps(policies, self._environments, self._inspection, self._ring))

    async def _in_force(self) -> list[Finding]:
        policies = await self._policies.current()
        told = f"{len(policies.policies):,} rules for {len(policies.targets):,} targets"
        difference = (await self._bootstrap.difference() or "").splitlines()
        return [ok("policies", f"Version {policies.number} is in force: {told}."), *_some("policies", difference)]

    async def _swept(self) -> list[Finding]:
        """The clock ends what is over: it is the one thing that must go on whatever happens."""
        ago_s = self._clock.swept_s_ago()
        if ago_s is None:
            return [warn("clock", "Nothing has looked for what is due since this process started.")]
        told = f"This process last looked {ago_s:,.0f} s ago for what is due."
        if ago_s <= SWEPT_S:
            return [ok("clock", told)]
        return [fail("clock", f"{told} It should every {SWEEP_S} s: access may outlast its time. The log says why.")]

    async def _waiting(self) -> list[Finding]:
        return await _all(stores.waiting(self._inspection, self._now_ms(), serving=True))

    async def _alarmed(self) -> list[Finding]:
        counts = {
            sample.labels["kind"]: int(sample.value)
            for metric in self._metrics.alarms.collect()
            for sample in metric.samples
            if sample.name == "countersign_alarms_total" and sample.value
        }
        if not counts:
            return [ok("alarms", "None since this process started.")]
        return [
            warn("alarms", f"{ALARMS.get(kind, f'A connector said {kind}')}. {_times(count)} since this process started; the log says more.")
            for kind, count in sorted(counts.items())
        ]  # fmt: skip

    async def _hooks(self) -> list[Finding]:
        """Those that are refused, those that are still tried, and those that were given up."""
        policies = await self._policies.current()
        findings = await _all(outsides.hooks(self._outside, policies))
        retried = [
            f"{effect.environment}, hook {effect.hook}, has not taken version {effect.version} in {_times(tries)}."
            for effect, tries in await self._inspection.retried_hooks(most=50)
        ]
        given_up = []
        for environment, hook, what in await self._inspection.dead_hooks(most=50):
            config = policies.target(Target.parse(environment))
            if config is not None and any(known.name == hook for known in config.hooks):
                given_up.append(
                    f"{environment}, hook {hook}, was given up: it has not heard of {what}. Retry it on its card, or with countersign hooks retry."
                )
        return [*findings, *_some("hooks", retried), *_some("hooks", given_up, fail)]

    async def _deploys(self) -> list[Finding]:
        """Those that run out of time, and those that did."""
        now_ms = self._now_ms()
        running = await self._inspection.running(most=50)
        soon = [
            f"{request.target}, deploy {request.id}, ends as failed in {stores.spoken(left_ms)} unless its receiver reports."
            for request in running
            if (left_ms := request.timers.get("deadline", now_ms) - now_ms) < SOON_MS
        ]
        silent = [
            f"{request.target}, deploy {request.id}, ended without a report: nobody knows how it went."
            for request in await self._inspection.silent(now_ms - DAY, most=50)
        ]
        well = [ok("deploys", f"{len(running)} running; each has time to report.")] if running and not soon else []
        return [*well, *_some("deploys", soon), *_some("deploys", silent)]

    async def _debts(self) -> list[Finding]:
        owed = await self._inspection.debts()
        if not owed.count:
            return [ok("debts", "No broken glass waits to be countersigned.")]
        told = f"{owed.count:,} broken {'glass waits' if owed.count == 1 else 'glasses wait'} to be countersigned."
        late = owed.oldest_ms is not None and owed.oldest_ms < self._now_ms()
        return [fail("debts", f"{told} One is overdue.") if late else warn("debts", told)]

    async def _held(self) -> list[Finding]:
        return await _all(stores.versions(self._inspection, self._versions))

    async def _room(self) -> list[Finding]:
        return stores.room(await self._inspection.room(), self._now_ms(), self._disk)


async def _all(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]


def _some(about: str, sentences: Iterable[str], word: Callable[[str, str], Finding] = warn) -> list[Finding]:
    listed = list(sentences)
    left = len(listed) - SHOWN
    return [word(about, sentence) for sentence in listed[:SHOWN]] + (
        [word(about, f"And {left} more.")] if left > 0 else []
    )


def _times(count: int) -> str:
    return "1 time" if count == 1 else f"{count:,} times"
