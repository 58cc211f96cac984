"""Grants: the outside memberships become what the live grants say. Look, act, read back, report."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from scheduler.connectors.contract import Connector, Quarantined, Refused
from scheduler.metrics import Metrics
from scheduler.relay import Again
from store.model.command import Absent, Command, Present, Trouble
from store.model.command import Refused as NotGranted
from store.model.effect import Align
from store.model.errors import Conflict, Unavailable
from store.model.grant import Membership
from store.model.policy import HOUR, MINUTE
from store.model.request import RELAY, Request
from store.redis.outbox import Claimed
from store.redis.quarantine import Quarantine
from store.redis.requests import Requests
from store.redis.turns import Turn, Turns

MOST: Final = 100  # grants of one membership
TURN_MS: Final = 60_000
# For all that is said to the outside at one try: the relay's patience is longer, and does not alarm.
WITHIN_S: Final = 40.0
BUSY_MS: Final = 300
# Of a write without an answer nobody knows whether it is still on its way. Until it cannot be any more nobody else reads
# this group: they would take for the last word what is about to change.
UNANSWERED: Final = frozenset({"timeout", "broken_off"})
ALARM_AFTER_MS: Final = (2 * MINUTE, 15 * MINUTE)
PERSON_NEEDED_MS: Final = 5 * MINUTE  # until a person has looked, trying often is of no use
QUARANTINE_MS: Final = HOUR  # in which such a group is read, and never written to

log = structlog.stdlib.get_logger(__name__)

Connectors = Callable[[str], Awaitable[Connector]]  # by name; raises `Refused` for one that is not configured


class Grants:
    def __init__(
        self,
        requests: Requests,
        connectors: Connectors,
        turns: Turns,
        quarantine: Quarantine,
        metrics: Metrics,
        fit: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`fit` answers why nobody may be let in now, None where they may: an end that is forgotten never comes."""
        self._requests = requests
        self._connectors = connectors
        self._turns = turns
        self._quarantine = quarantine
        self._metrics = metrics
        self._fit = fit

    async def align(self, effect: Align, claimed: Claimed) -> Again | None:
        """What is asked of the outside is what is true now, not what was true when the effect was put."""
        of = effect.membership
        async with self._turns.turn(_group(of), lease_ms=TURN_MS, busy_for_ms=BUSY_MS) as turn:
            grants = await self._requests.listed(f"member:{of.key}", most=MOST)
            holding = [grant for grant in grants if _holds(grant, claimed.now_ms)]
            try:
                async with asyncio.timeout(WITHIN_S):
                    present = await self._make(of, turn, wanted=bool(holding), now_ms=claimed.now_ms)
            except TimeoutError:
                slow = Unavailable(f"{of.connector} answers too slowly.", code="timeout")
                await self._alarm(grants, slow, claimed)
                raise slow from None
            except (Refused, Quarantined) as error:
                return await self._refused(grants, of, error, claimed)
            except Unavailable as error:
                await self._alarm(grants, error, claimed)
                raise
            await self._report(grants, holding, claimed, present=present)
            return None

    async def _make(self, of: Membership, turn: Turn, *, wanted: bool, now_ms: int) -> bool:
        connector = await self._connectors(of.connector)
        if await connector.has(of.group, of.account) is wanted:
            return wanted
        if wanted and (why := self._fit()) is not None:
            raise Unavailable(why, code="degraded")
        if (why := await self._quarantine.why(_group(of), now_ms=now_ms)) is not None:
            raise Quarantined(why)
        try:
            if wanted:
                await connector.add(of.group, of.account)
            else:
                await connector.remove(of.group, of.account)
        except asyncio.CancelledError:
            turn.keep()
            raise
        except Unavailable as error:
            if error.detail in UNANSWERED:
                turn.keep()
            raise
        except Quarantined as error:
            await self._quarantine.begin(_group(of), error.sentence, now_ms=now_ms, for_ms=QUARANTINE_MS)
            raise
        present = await connector.has(of.group, of.account)
        if present is not wanted:
            raise Unavailable(f"{of.connector} said yes, but {of.group} does not show it yet.", code="not_shown")
        return present

    async def _report(self, grants: list[Request], holding: list[Request], claimed: Claimed, *, present: bool) -> None:
        for grant in grants:
            tag = f"{grant.id}:{claimed.generation}:{claimed.fence}"
            if grant.state == "granting" and present:
                await self._tell(grant, Present(id=f"present:{tag}", actor=RELAY))
            elif grant.state == "revoking" and not present:
                await self._tell(grant, Absent(id=f"absent:{tag}", actor=RELAY))
            elif grant.state == "revoking" and holding:
                await self._tell(grant, Absent(id=f"absent:{tag}", actor=RELAY, kept_by=holding[0].id))

    async def _refused(
        self, grants: list[Request], of: Membership, error: Refused | Quarantined, claimed: Claimed
    ) -> Again | None:
        """The outside will not. What is being granted has failed if it can be read that nothing is there."""
        self._metrics.alarms.labels(error.code).inc()
        log.error("connector refused", connector=of.connector, group=of.group, why=error.sentence, code=error.detail)
        absent = await self._is_absent(of)
        for grant in grants:
            tag = f"{grant.id}:{claimed.generation}:{claimed.fence}"
            if grant.state == "granting":
                await self._tell(
                    grant, NotGranted(id=f"refused:{tag}", actor=RELAY, sentence=error.sentence, absent=absent)
                )
            elif grant.state == "revoking" and absent:
                await self._tell(grant, Absent(id=f"absent:{tag}", actor=RELAY))
            else:
                await self._tell(grant, Trouble(id=f"trouble:{tag}", actor=RELAY, sentence=error.sentence))
        left = [grant for grant in grants if grant.state == "revoking"]
        if not left or absent:
            return None
        return Again(QUARANTINE_MS if isinstance(error, Quarantined) else PERSON_NEEDED_MS)

    async def _is_absent(self, of: Membership) -> bool:
        try:
            return not await (await self._connectors(of.connector)).has(of.group, of.account)
        except (Refused, Quarantined, Unavailable):
            return False

    async def _alarm(self, grants: list[Request], error: Unavailable, claimed: Claimed) -> None:
        """Access that should be gone and may still be there: said loudly after two minutes and after fifteen."""
        for grant in grants:
            age_ms = claimed.now_ms - grant.since_ms
            passed = [after for after in ALARM_AFTER_MS if age_ms >= after]
            if grant.state != "revoking" or not passed:
                continue
            minutes = passed[-1] // MINUTE
            sentence = f"Not confirmed as taken back for over {minutes} minutes. {error.sentence}"
            if await self._tell(grant, Trouble(id=f"trouble:{grant.id}:{minutes}", actor=RELAY, sentence=sentence)):
                self._metrics.alarms.labels("revoking").inc()
                log.error("not taken back yet", request=grant.id, minutes=minutes, why=error.sentence)

    async def _tell(self, grant: Request, command: Command) -> bool:
        """Whether it was news."""
        try:
            return (await self._requests.apply(grant.id, command)).news
        except Conflict as error:
            # It moved meanwhile, and that commit put this effect anew; or it is known already.
            log.info("report came late", request=grant.id, report=type(command).__name__, code=error.detail)
            return False


def _group(of: Membership) -> str:
    return f"{of.connector}/{of.group}"


def _holds(grant: Request, now_ms: int) -> bool:
    return grant.state in ("granting", "active") and grant.lease is not None and grant.lease.covers(now_ms)
