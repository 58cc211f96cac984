"""Notices: the receivers that a rule names under notify hear of its decisions and of how deploys ended, signed, over three days if need be."""

import json
from collections.abc import Awaitable, Callable
from itertools import accumulate
from typing import Final

from scheduler.circuit import Circuits
from scheduler.connectors import hook as wire
from scheduler.connectors.outgoing import Outgoing
from scheduler.metrics import Metrics
from scheduler.relay import Again
from scheduler.undelivered import undelivered
from store.model.effect import Signal, route
from store.model.errors import Invalid
from store.model.lifecycle import World, named
from store.model.policy import PolicySet
from store.model.request import Deployment
from store.model.secret import Secret
from store.redis.environments import Environments
from store.redis.outbox import Claimed, Outbox
from store.redis.policies import Policies
from store.redis.requests import Requests

SCHEMA: Final = 1  # of the body a receiver gets
ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})  # what is no decision
KEPT_IN: Final = (
    "countersign/notices"  # the environment whose key seals the signing secrets; it holds nothing that can be opened
)


class Notices:
    """`outgoing` answers the client that may reach what these policies allow."""

    def __init__(
        self,
        requests: Requests,
        policies: Policies,
        environments: Environments,
        outgoing: Callable[[PolicySet], Awaitable[Outgoing]],
        outbox: Outbox,
        metrics: Metrics,
        jitter: Callable[[], float],
        circuits: Circuits,
    ) -> None:
        self._requests = requests
        self._policies = policies
        self._environments = environments
        self._outgoing = outgoing
        self._outbox = outbox
        self._metrics = metrics
        self._jitter = jitter
        self._circuits = circuits

    async def signal(self, effect: Signal, claimed: Claimed) -> Again | None:
        """One try."""
        world = await self._requests.get(effect.request)
        policies = await self._policies.current()
        if not named(policies, effect):
            await self._give_up(world, effect, claimed, "The policies do not name it any more.")
            return None
        message_id = f"msg_{effect.request}_{effect.news}_{effect.at_ms}_{route(effect.url)}"
        secret = await notice_secret(self._environments, effect.url)
        try:
            letter = wire.seal(secret, message_id, claimed.now_ms, _body(world, effect))
        except Invalid as fault:
            await self._give_up(world, effect, claimed, fault.sentence)
            return None

        async def send() -> wire.Receipt:
            return await wire.deliver(await self._outgoing(policies), effect.url, letter, now_ms=claimed.now_ms)

        receipt = await self._circuits.told(effect.url, send, now_ms=claimed.now_ms)
        if isinstance(receipt, int):
            return Again(receipt)
        if receipt.outcome == "delivered":
            return None
        next_ms = None
        if receipt.outcome == "retry":
            next_ms = wire.next_attempt_ms(
                _tries(claimed),
                now_ms=claimed.now_ms,
                jitter=self._jitter(),
                retry_after_ms=receipt.retry_after_ms,
            )
        if next_ms is None:
            await self._give_up(world, effect, claimed, receipt.error or "It was not taken.")
            return None
        return Again(next_ms - claimed.now_ms)

    async def _give_up(self, world: World, effect: Signal, claimed: Claimed, why: str) -> None:
        self._metrics.alarms.labels("webhook").inc()
        await undelivered(self._outbox, world, effect, claimed, route="webhook", to=effect.url, why=why)


async def notice_secret(environments: Environments, url: str) -> Secret:
    """What the notices to one receiver are signed with, minted at its first use and sealed as a hook's is."""
    return await environments.signing_secret(await environments.ensure(KEPT_IN), route(url))


def _tries(claimed: Claimed) -> int:
    """How many of the tries are used up. One that never reached the wire, for want of a key holder, is none."""
    age_ms = claimed.now_ms - claimed.since_ms
    return min(claimed.attempts + 1, sum(at_ms <= age_ms for at_ms in accumulate(wire.DELAYS_MS)))


def _body(world: World, effect: Signal) -> bytes:
    """The same bytes at every try; never a value, and of what somebody typed only the version that a deploy is of."""
    request, payload = world.request, world.request.payload
    body = {
        "type": f"{'deploy' if effect.news in ENDED else 'decision'}.{effect.news}",
        "schema": SCHEMA,
        "timestamp": effect.at_ms // 1000,
        "data": {
            "request": request.id,
            "kind": request.kind,
            "target": request.target,
            "rule": request.rule,
            "requested_by": request.requester,
            "for": request.beneficiary,
            "by": list(effect.by),
            **({"version": payload.version, "ref": payload.ref} if isinstance(payload, Deployment) else {}),
        },
    }
    return json.dumps(body, separators=(",", ":")).encode()
