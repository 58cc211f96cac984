"""Grants: the outside memberships become what the live grants say. Look, act, read back, report."""

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
from store.model.policy import MINUTE
from store.model.request import RELAY, Request
from store.redis.outbox import Claimed
from store.redis.requests import Requests
from store.redis.turns import Turns

MOST: Final = 100  # grants of one membership
TURN_MS: Final = 60_000
BUSY_MS: Final = 300
ALARM_AFTER_MS: Final = (2 * MINUTE, 15 * MINUTE)
PERSON_NEEDED_MS: Final = 5 * MINUTE  # until a person has looked, trying often is of no use

log = structlog.stdlib.get_logger(__name__)

Connectors = Callable[[str], Awaitable[Connector]]  # by name; raises `Refused` for one that is not configured


class Grants:
    def __init__(
        self,
        requests: Requests,
        connectors: Connectors,
        turns: Turns,
        metrics: Metrics,
        fit: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`fit` answers why nobody may be let in now, None where they may: an end that is forgotten never comes."""
        self._requests = requests
        self._connectors = connectors
        self._turns = turns
        self._metrics = metrics
        self._fit = fit

    async def align(self, effect: Align, claimed: Claimed) -> Again | None:
        """What is asked of the outside is what is true now, not what was true when the effect was put."""
        of = effect.membership
        async with self._turns.turn(f"{of.connector}/{of.group}", lease_ms=TURN_MS, busy_for_ms=BUSY_MS):
            grants = await self._requests.listed(f"member:{of.key}", most=MOST)
            holding = [grant for grant in grants if _holds(grant, claimed.now_ms)]
            try:
                present = await self._make(of, wanted=bool(holding))
            except (Refused, Quarantined) as error:
                return await self._refused(grants, of, error, claimed)
            except Unavailable as error:
                await self._alarm(grants, error, claimed)
                raise
            await self._report(grants, holding, claimed, present=present)
            return None

    async def _make(self, of: Membership, *, wanted: bool) -> bool:
        connector = await self._connectors(of.connector)
        present = await connector.has(of.group, of.account)
        if wanted and not present:
            if (why := self._fit()) is not None:
                raise Unavailable(why, code="degraded")
            await connector.add(of.group, of.account)
        elif present and not wanted:
            await connector.remove(of.group, of.account)
        else:
            return present
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
        return Again(PERSON_NEEDED_MS) if left and not absent else None

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
            self._metrics.alarms.labels("revoking").inc()
            await self._tell(grant, Trouble(id=f"trouble:{grant.id}:{minutes}", actor=RELAY, sentence=sentence))

    async def _tell(self, grant: Request, command: Command) -> None:
        try:
            await self._requests.apply(grant.id, command)
        except Conflict as error:
            # It moved meanwhile, and that commit put this effect anew.
            log.info("report came late", request=grant.id, report=type(command).__name__, code=error.detail)


def _holds(grant: Request, now_ms: int) -> bool:
    return grant.state in ("granting", "active") and grant.lease is not None and grant.lease.covers(now_ms)
