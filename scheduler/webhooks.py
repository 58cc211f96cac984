"""Webhooks: each hook of an environment hears of its newest version, signed, over three days if need be."""

import json
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from scheduler.connectors import hook as wire
from scheduler.connectors.outgoing import Outgoing
from scheduler.metrics import Metrics
from scheduler.relay import Again
from store.model.delivery import Delivery, Receipt
from store.model.effect import Redeploy
from store.model.environment import Environment
from store.model.errors import Conflict, Unavailable
from store.model.identity import Target
from store.model.policy import Hook, PolicySet
from store.model.request import Request
from store.redis.deliveries import Deliveries
from store.redis.environments import Environments
from store.redis.outbox import Claimed
from store.redis.policies import Policies
from store.redis.requests import Requests

RECEIPTS: Final = 20
SCHEMA: Final = 1  # of the body a receiver gets

log = structlog.stdlib.get_logger(__name__)


class Webhooks:
    """`outgoing` answers the client that may reach what these policies allow."""

    def __init__(
        self,
        deliveries: Deliveries,
        environments: Environments,
        policies: Policies,
        requests: Requests,
        outgoing: Callable[[PolicySet], Awaitable[Outgoing]],
        metrics: Metrics,
        jitter: Callable[[], float],
    ) -> None:
        self._deliveries = deliveries
        self._environments = environments
        self._policies = policies
        self._requests = requests
        self._outgoing = outgoing
        self._metrics = metrics
        self._jitter = jitter

    async def redeploy(self, effect: Redeploy, claimed: Claimed) -> Again | None:
        """One try. Only the newest version is told; what waited for an older one is overtaken by it."""
        waiting = await self._deliveries.waiting(effect.environment_id, effect.hook)
        if not waiting:
            return None
        *older, newest = waiting
        for delivery in older:
            overtaken = delivery.model_copy(update={"state": "overtaken", "next_ms": None})
            await self._record(effect, delivery, overtaken, claimed.now_ms)
        if newest.next_ms is not None and claimed.now_ms < newest.next_ms:
            return Again(newest.next_ms - claimed.now_ms)  # we were woken up for nothing: a receiver's pause is its own
        policies = await self._policies.current()
        target = policies.target(Target.parse(effect.environment))
        found = next((hook for hook in (target.hooks if target else ()) if hook.name == effect.hook), None)
        if found is None:
            gone = Receipt(at_ms=claimed.now_ms, said="The policies do not name this hook any more.")
            await self._record(effect, newest, _after(newest, gone, "failed", None), claimed.now_ms)
            return None
        return await self._try(effect, newest, found, policies, claimed)

    async def _try(
        self, effect: Redeploy, delivery: Delivery, hook: Hook, policies: PolicySet, claimed: Claimed
    ) -> Again | None:
        now_ms = claimed.now_ms
        environment = Environment(id=effect.environment_id, target=effect.environment)
        known = await self._environments.find(effect.environment)
        if known is not None and known.id == effect.environment_id:
            environment = known
        secret = await self._environments.signing_secret(environment, hook.name)
        told = (await self._requests.get(delivery.request)).request
        receipt = await wire.deliver(
            await self._outgoing(policies),
            hook.url,
            message_id=delivery.message_id,
            secrets=secret,
            body=_body(delivery, told),
            now_ms=now_ms,
        )
        attempts = delivery.attempts + 1
        said = receipt.error or receipt.excerpt
        kept = Receipt(at_ms=now_ms, status=receipt.status, latency_ms=receipt.latency_ms, said=said)
        if receipt.outcome == "delivered":
            await self._record(effect, delivery, _after(delivery, kept, "delivered", None), now_ms)
            return None
        next_ms = None
        if receipt.outcome == "retry":
            next_ms = wire.next_attempt_ms(
                attempts, now_ms=now_ms, jitter=self._jitter(), retry_after_ms=receipt.retry_after_ms
            )
        if next_ms is None:
            self._metrics.alarms.labels("hook").inc()
            log.error(
                "hook failed", target=effect.environment, hook=hook.name, attempts=attempts, status=receipt.status
            )
            await self._record(effect, delivery, _after(delivery, kept, "failed", None), now_ms)
            return None
        await self._record(effect, delivery, _after(delivery, kept, "waiting", next_ms), now_ms)
        return Again(next_ms - now_ms)

    async def _record(self, effect: Redeploy, before: Delivery, after: Delivery, now_ms: int) -> None:
        try:
            recorded = await self._deliveries.report(effect.environment_id, before, after, now_ms=now_ms)
        except Conflict:
            recorded = False
        if not recorded:
            raise Unavailable("Somebody else has told this hook meanwhile.", code="busy", retry_after_ms=0)


def _after(delivery: Delivery, receipt: Receipt, state: str, next_ms: int | None) -> Delivery:
    receipts = (*delivery.receipts, receipt)[-RECEIPTS:]
    update = {"state": state, "attempts": delivery.attempts + 1, "next_ms": next_ms, "receipts": receipts}
    return delivery.model_copy(update=update)


def _body(delivery: Delivery, told: Request) -> bytes:
    """What a receiver gets: the same bytes at every try, and never a value."""
    body = {
        "type": "change",
        "schema": SCHEMA,
        "timestamp": told.since_ms // 1000,
        "data": {
            "environment": delivery.environment,
            "version": delivery.version,
            "hook": delivery.hook,
            "request": delivery.request,
            "requested_by": told.requester,
            "decided_by": list(told.decision.by) if told.decision else [],
        },
    }
    return json.dumps(body, separators=(",", ":")).encode()
