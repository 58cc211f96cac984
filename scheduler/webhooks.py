"""Webhooks: each hook hears of its environment's newest version, and of each event that it is for, signed, over three days if need be."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from scheduler import hook_body
from scheduler.connectors import hook as wire
from scheduler.connectors.outgoing import Outgoing
from scheduler.metrics import Metrics
from scheduler.relay import Again
from store.model.delivery import Delivery, Receipt, State
from store.model.effect import Fire, Redeploy
from store.model.environment import Environment
from store.model.errors import Conflict, Unavailable
from store.model.identity import canonical
from store.model.policy import Hook, PolicySet
from store.model.secret import Secret
from store.redis.deliveries import Deliveries
from store.redis.environments import Environments
from store.redis.outbox import Claimed
from store.redis.policies import Policies
from store.redis.requests import Requests

RECEIPTS: Final = 20
FIRST_MS: Final = 500  # how long a deploy lets a change go before it that has not been tried yet

log = structlog.stdlib.get_logger(__name__)


class Webhooks:
    """`outgoing` answers the client that may reach what these policies allow. `public_url`: of our API, where it has one."""

    def __init__(
        self,
        deliveries: Deliveries,
        environments: Environments,
        policies: Policies,
        requests: Requests,
        outgoing: Callable[[PolicySet], Awaitable[Outgoing]],
        metrics: Metrics,
        jitter: Callable[[], float],
        public_url: str = "",
    ) -> None:
        self._deliveries = deliveries
        self._environments = environments
        self._policies = policies
        self._requests = requests
        self._outgoing = outgoing
        self._metrics = metrics
        self._jitter = jitter
        self._public_url = public_url

    async def redeploy(self, effect: Redeploy, claimed: Claimed) -> Again | None:
        """One try. Only the newest version is told; what waited for an older one is overtaken by it."""
        waiting = await self._deliveries.waiting(f"hook:{effect.environment_id}/{effect.hook}")
        if not waiting:
            return None
        *older, newest = waiting
        for delivery in older:
            overtaken = delivery.model_copy(update={"state": "overtaken", "next_ms": None})
            await self._record(effect.environment_id, delivery, overtaken, claimed.now_ms)
        return await self._due(effect.environment_id, newest, claimed)

    async def fire(self, effect: Fire, claimed: Claimed) -> Again | None:
        """One try. A deploy lets a version go first that the same hook has not been told of at all."""
        delivery = await self._deliveries.one(effect.request, f"{effect.hook}:{effect.event}")
        if delivery is None or delivery.state != "waiting":
            return None
        environment = canonical(delivery.environment).environment
        known = await self._environments.find(environment) if environment is not None else None
        if effect.event == "deploy" and known is not None:
            before = await self._deliveries.waiting(f"hook:{known.id}/{effect.hook}")
            if any(each.attempts == 0 and each.at_ms <= delivery.at_ms for each in before):
                return Again(FIRST_MS)
        return await self._due(known.id if known is not None else None, delivery, claimed)

    async def _due(self, environment_id: str | None, delivery: Delivery, claimed: Claimed) -> Again | None:
        if delivery.next_ms is not None and claimed.now_ms < delivery.next_ms:
            return Again(
                delivery.next_ms - claimed.now_ms
            )  # we were woken up for nothing: a receiver's pause is its own
        policies = await self._policies.current()
        target = policies.target(canonical(delivery.environment))
        found = next((hook for hook in (target.hooks if target else ()) if hook.name == delivery.hook), None)
        if found is None:
            gone = Receipt(at_ms=claimed.now_ms, said="The policies do not name this hook any more.")
            await self._record(environment_id, delivery, _after(delivery, gone, "failed", None), claimed.now_ms)
            return None
        return await self._try(environment_id, delivery, found, policies, claimed)

    async def _try(
        self, environment_id: str | None, delivery: Delivery, hook: Hook, policies: PolicySet, claimed: Claimed
    ) -> Again | None:
        now_ms = claimed.now_ms
        told = (await self._requests.get(delivery.request)).request
        receipt = await wire.deliver(
            await self._outgoing(policies),
            hook.url,
            message_id=delivery.message_id,
            secrets=await self._secrets(environment_id, delivery),
            body=hook_body.encoded(hook_body.body(delivery, told, self._public_url)),
            now_ms=now_ms,
        )
        attempts = delivery.attempts + 1
        said = receipt.error or receipt.excerpt
        kept = Receipt(at_ms=now_ms, status=receipt.status, latency_ms=receipt.latency_ms, said=said)
        if receipt.outcome == "delivered":
            await self._record(environment_id, delivery, _after(delivery, kept, "delivered", None), now_ms)
            return None
        next_ms = None
        if receipt.outcome == "retry":
            next_ms = wire.next_attempt_ms(
                attempts - delivery.counted_from,
                now_ms=now_ms,
                jitter=self._jitter(),
                retry_after_ms=receipt.retry_after_ms,
            )
        if next_ms is None:
            self._metrics.alarms.labels("hook").inc()
            log.error(
                "hook failed", target=delivery.environment, hook=hook.name, attempts=attempts, status=receipt.status
            )
            await self._record(environment_id, delivery, _after(delivery, kept, "failed", None), now_ms)
            return None
        await self._record(environment_id, delivery, _after(delivery, kept, "waiting", next_ms), now_ms)
        return Again(next_ms - now_ms)

    async def _secrets(self, environment_id: str | None, delivery: Delivery) -> Secret:
        """Of the environment by this id, also where its name means another one by now."""
        target = canonical(delivery.environment)
        known = await self._environments.find(target.environment) if target.environment is not None else None
        if (
            environment_id is not None
            and target.environment is not None
            and (known is None or known.id != environment_id)
        ):
            known = Environment(id=environment_id, target=target.environment)
        if known is not None:
            return await self._environments.signing_secret(known, delivery.hook)
        return await hook_secret(self._environments, await self._policies.current(), target.id, delivery.hook)

    async def _record(self, environment_id: str | None, before: Delivery, after: Delivery, now_ms: int) -> None:
        try:
            recorded = await self._deliveries.report(environment_id, before, after, now_ms=now_ms)
        except Conflict:
            recorded = False
        if not recorded:
            raise Unavailable("Somebody else has told this hook meanwhile.", code="busy", retry_after_ms=0)


async def hook_secret(environments: Environments, policies: PolicySet, target: str, hook: str) -> Secret:
    """What the deliveries to a hook of this target are signed with, minted at its first use. Raises `Unavailable`."""
    at = canonical(target)
    config = policies.target(at)
    environment = await environments.ensure(at.environment or at.id, secure=config is not None and config.secure)
    return await environments.signing_secret(environment, hook)


def _after(delivery: Delivery, receipt: Receipt, state: State, next_ms: int | None) -> Delivery:
    receipts = (*delivery.receipts, receipt)[-RECEIPTS:]
    update = {"state": state, "attempts": delivery.attempts + 1, "next_ms": next_ms, "receipts": receipts}
    return delivery.model_copy(update=update)
