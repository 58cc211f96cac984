"""Webhooks: each hook hears of its environment's newest version, and of each event that it is for, signed, over three days if need be."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from scheduler import hook_body
from scheduler.circuit import Circuits
from scheduler.company import Company
from scheduler.connectors import hook as wire
from scheduler.connectors.outgoing import Outgoing
from scheduler.gates import Gates
from scheduler.metrics import Metrics
from scheduler.relay import Again, Settled
from store.model.delivery import Delivery, Receipt, State
from store.model.effect import Fire, Redeploy, Retire
from store.model.errors import AccessError, Conflict, Invalid, NotFound, Unavailable
from store.model.headers import token_name
from store.model.identity import canonical
from store.model.policy import GATE, Hook, PolicySet
from store.model.secret import Secret
from store.redis.deliveries import Deliveries, Errand
from store.redis.environments import Environments
from store.redis.hooks import Hooks, Named
from store.redis.outbox import Claimed
from store.redis.policies import Policies

RECEIPTS: Final = 20
FIRST_MS: Final = 500  # how long a deploy lets a change go before it that has not been tried yet

log = structlog.stdlib.get_logger(__name__)


class Webhooks:
    """`outgoing` answers the client that may reach what these policies allow. `public_url`: of our API, where it has one."""

    def __init__(
        self,
        hooks: Hooks,
        deliveries: Deliveries,
        environments: Environments,
        policies: Policies,
        outgoing: Callable[[PolicySet], Awaitable[Outgoing]],
        metrics: Metrics,
        jitter: Callable[[], float],
        circuits: Circuits,
        public_url: str = "",
        gates: Gates | None = None,
    ) -> None:
        self._hooks = hooks
        self._gates = gates
        self._deliveries = deliveries
        self._environments = environments
        self._policies = policies
        self._outgoing = outgoing
        self._metrics = metrics
        self._jitter = jitter
        self._public_url = public_url
        self._circuits = circuits
        self._company = Company()

    async def redeploy(self, effect: Redeploy, claimed: Claimed) -> Again | Settled | None:
        """One try. Only the newest version is told; what waited for an older one is overtaken by it."""
        waiting = await self._deliveries.versions(effect.environment_id, effect.hook)
        if not waiting:
            return None
        *older, newest = waiting
        for request in older:
            delivery = await self._deliveries.one(request, effect.hook)
            if delivery is not None and delivery.state != "delivered":
                overtaken = delivery.model_copy(update={"state": "overtaken", "next_ms": None})
                await self._record(effect.environment_id, delivery, overtaken, claimed.now_ms)
        errand = await self._deliveries.errand(newest, effect.hook, effect.environment)
        return await self._due(effect.environment_id, errand, claimed) if errand is not None else None

    async def fire(self, effect: Fire, claimed: Claimed) -> Again | Settled | None:
        """One try. A deploy lets a version go first that the same hook has not been told of at all; one that is over is told to nobody."""
        place, target = f"{effect.hook}:{effect.event}", effect.target
        if target is None:
            told = await self._deliveries.one(effect.request, place)
            target = told.environment if told is not None else "policy:main"
        errand = await self._deliveries.errand(effect.request, place, target)
        if errand is None:
            return None
        if errand.past and errand.delivery.state in ("waiting", "failed"):
            passed = errand.delivery.model_copy(update={"state": "overtaken", "next_ms": None})
            await self._record(None, errand.delivery, passed, claimed.now_ms, errand.version)
            return None
        known = errand.environment if canonical(target).environment is not None else None
        if effect.event == "deploy" and known is not None and errand.receiver.paused is None:
            before = await self._deliveries.waiting(f"hook:{known.id}/{effect.hook}")
            if any(each.attempts == 0 and each.at_ms <= errand.delivery.at_ms for each in before):
                return Again(FIRST_MS)
        return await self._due(known.id if known is not None else None, errand, claimed)

    async def retire(self, effect: Retire, _: Claimed) -> Again | None:
        """A secret that signed along has had its time."""
        left_ms = await self._hooks.retire(effect.target, effect.hook)
        return Again(left_ms) if left_ms is not None else None

    async def test(self, named: Named, message_id: str, now_ms: int) -> wire.Receipt:
        """What a receiver says to an event of the type test, through the client of the policies of now."""
        outgoing = await self._outgoing(await self._policies.current())
        return await trial(self._hooks, self._environments, outgoing, named, message_id, now_ms)

    async def _due(self, environment_id: str | None, errand: Errand, claimed: Claimed) -> Again | Settled | None:
        now_ms, delivery = claimed.now_ms, errand.delivery
        if delivery.state != "waiting" or errand.receiver.paused is not None:
            return None  # resuming it puts it into its lane again
        if delivery.next_ms is not None and now_ms < delivery.next_ms:
            return Again(delivery.next_ms - now_ms)  # we were woken up for nothing: a receiver's pause is its own
        policies = await self._policies.get(errand.policies)
        target = policies.target(canonical(delivery.environment))
        hook = next((hook for hook in (target.hooks if target else ()) if hook.name == delivery.hook), None)
        if hook is None:
            gone = Receipt(at_ms=now_ms, said="The policies do not name this hook any more.")
            return await self._settle(environment_id, errand, _after(delivery, gone, "failed", None), claimed)
        with self._company:
            receipt = await self._tell(environment_id, errand, hook, policies, now_ms)
        if isinstance(receipt, Again):
            return receipt
        await self._company.gathered()
        return await self._settle(environment_id, errand, self._told(delivery, receipt, now_ms), claimed)

    async def _tell(
        self, environment_id: str | None, errand: Errand, hook: Hook, policies: PolicySet, now_ms: int
    ) -> wire.Receipt | Again:
        """What came of it, or when to look again for a place at its host."""
        if (aside_ms := self._circuits.aside_ms(hook.url, now_ms=now_ms)) is not None:
            return Again(aside_ms)
        try:
            send = await self._ready(environment_id, errand, hook, policies, now_ms)
        except Invalid as fault:
            return _unsent("refused", fault)
        told = await self._circuits.told(hook.url, send, now_ms=now_ms)
        return Again(told) if isinstance(told, int) else told

    async def _ready(
        self, environment_id: str | None, errand: Errand, hook: Hook, policies: PolicySet, now_ms: int
    ) -> Callable[[], Awaitable[wire.Receipt]]:
        """What is written and signed before it stands in line, so that many are written in a row. Raises `Invalid`."""
        delivery, gates = errand.delivery, self._gates
        if hook.preset == GATE and gates is not None:

            async def answer() -> wire.Receipt:
                return await gates.answer(await self._outgoing(policies), hook, errand.request)

            return answer
        content = hook_body.body(delivery, errand.request, self._public_url)
        signing = await self._hooks.signing(errand, environment_id)
        letter = wire.seal(signing, delivery.message_id, now_ms, hook_body.written(hook, content))

        async def send() -> wire.Receipt:
            outgoing = await self._outgoing(policies)
            return await _send(self._environments, outgoing, hook, letter, signing, now_ms)

        return send

    def _told(self, delivery: Delivery, receipt: wire.Receipt, now_ms: int) -> Delivery:
        """What this try makes of it."""
        attempts = delivery.attempts + 1
        said = receipt.error or receipt.excerpt
        if receipt.error and receipt.excerpt:
            said = f"{receipt.error} {receipt.excerpt}"
        kept = Receipt(at_ms=now_ms, status=receipt.status, latency_ms=receipt.latency_ms, said=said)
        if receipt.outcome == "delivered":
            return _after(delivery, kept, "delivered", None)
        next_ms = None
        if receipt.outcome == "retry":
            next_ms = wire.next_attempt_ms(
                attempts - delivery.counted_from,
                now_ms=now_ms,
                jitter=self._jitter(),
                retry_after_ms=receipt.retry_after_ms,
            )
        if next_ms is not None:
            return _after(delivery, kept, "waiting", next_ms)
        self._metrics.alarms.labels("hook").inc()
        log.error(
            "hook failed", target=delivery.environment, hook=delivery.hook, attempts=attempts, status=receipt.status
        )
        return _after(delivery, kept, "failed", None)

    async def _settle(self, environment_id: str | None, errand: Errand, after: Delivery, claimed: Claimed) -> Settled:
        """The receipt, and the end of the claim."""
        await self._record(environment_id, errand.delivery, after, claimed.now_ms, errand.version, claimed)
        return Settled("again" if after.state == "waiting" else "done")

    async def _record(
        self,
        environment_id: str | None,
        before: Delivery,
        after: Delivery,
        now_ms: int,
        version: int | None = None,
        claimed: Claimed | None = None,
    ) -> None:
        try:
            recorded = await self._deliveries.report(
                environment_id, before, after, now_ms=now_ms, version=version, claimed=claimed
            )
        except Conflict:
            recorded = False
        if not recorded:
            raise Unavailable("Somebody else has told this hook meanwhile.", code="busy", retry_after_ms=0)


async def trial(
    hooks: Hooks, environments: Environments, outgoing: Outgoing, named: Named, message_id: str, now_ms: int
) -> wire.Receipt:
    """What a receiver says to an event of the type test."""
    found = canonical(named.target)
    content = hook_body.trial(found.id, found.environment, named.hook.name, message_id, now_ms)
    signing = await hooks.secrets(named.target, named.hook.name)
    try:
        letter = wire.seal(signing, message_id, now_ms, hook_body.written(named.hook, content))
    except Invalid as fault:
        return _unsent("refused", fault)
    return await _send(environments, outgoing, named.hook, letter, signing, now_ms)


async def _send(
    environments: Environments,
    outgoing: Outgoing,
    hook: Hook,
    letter: wire.Letter,
    signing: tuple[Secret, ...],
    now_ms: int,
) -> wire.Receipt:
    """Once. A token that is not there yet may be there at the next try; it is read only where something is sent."""
    token = None
    try:
        if hook.credentials is not None:
            token = await environments.machine_read(
                hook.credentials, token_name(hook.name), purpose=f"hook {hook.name}"
            )
    except NotFound as fault:
        return _unsent("retry", fault)
    except Invalid as fault:
        return _unsent("refused", fault)
    extra = hook_body.headers(hook, token)
    hide = (*signing, token) if token is not None else signing
    return await wire.deliver(outgoing, hook.url, letter, now_ms=now_ms, extra=extra, hide=hide)


def _unsent(outcome: wire.Outcome, fault: AccessError) -> wire.Receipt:
    return wire.Receipt(outcome=outcome, status=None, latency_ms=0, error=fault.sentence, sent=False)


def _after(delivery: Delivery, receipt: Receipt, state: State, next_ms: int | None) -> Delivery:
    receipts = (*delivery.receipts, receipt)[-RECEIPTS:]
    update = {"state": state, "attempts": delivery.attempts + 1, "next_ms": next_ms, "receipts": receipts}
    return delivery.model_copy(update=update)
