"""Knocking: a job at GitHub that waits to be let into an environment becomes a request, or is turned away with the reason."""

from collections.abc import Awaitable, Callable

import structlog

from bot.asking import Asking
from scheduler.connectors.outgoing import Outgoing
from scheduler.gates import Gates, bound, plain
from store.model.effect import Knock
from store.model.errors import AccessError, Conflict, Unavailable
from store.model.identity import Target
from store.model.policy import PolicySet
from store.redis.outbox import Claimed
from store.redis.policies import Policies
from store.redis.requests import Outcome

log = structlog.stdlib.get_logger(__name__)


class Knocking:
    """`outgoing` answers the client that may reach what these policies allow."""

    def __init__(
        self, asking: Asking, policies: Policies, gates: Gates, outgoing: Callable[[PolicySet], Awaitable[Outgoing]]
    ) -> None:
        self._asking = asking
        self._policies = policies
        self._gates = gates
        self._outgoing = outgoing

    async def knock(self, effect: Knock, _: Claimed) -> None:
        """Raises `Unavailable` as long as nobody could be asked, or GitHub does not hear why nobody is."""
        policies, gate = await self._policies.current(), effect.gate
        found = bound(policies, gate.repository, gate.environment)
        if found is None or found[1].holder is None:
            log.warning("github asks for what is no target any more", repository=gate.repository, run=gate.run)
            return
        target, hook = found
        try:
            await self._ask(Target.parse(target), hook.holder or "", effect)
        except AccessError as refusal:
            if isinstance(refusal, Unavailable) or refusal.detail == "contended":
                raise
            log.warning("github turned away", repository=gate.repository, run=gate.run, why=refusal.sentence)
            words = f"Nobody was asked: {plain(refusal.sentence)}."
            receipt = await self._gates.say(await self._outgoing(policies), hook, gate, "rejected", words)
            if receipt.outcome == "retry":
                raise Unavailable(receipt.error or "GitHub has not heard of it.") from None

    async def _ask(self, target: Target, holder: str, effect: Knock) -> Outcome:
        """One request for all jobs of a run that wait there before it is started: GitHub lets all of them through at once."""
        gate = effect.gate
        about = f"github:{gate.repository}/{gate.environment}/{gate.run}"
        try:
            outcome = await self._once(about, target, holder, effect)
        except Conflict as refusal:  # of a run that asked for something else before
            if refusal.detail != "other_command":
                raise
        else:
            asked = outcome.request
            waits = asked is not None and asked.state in ("pending", "approved")
            same = asked is not None and asked.gate is not None and asked.gate.deployment == gate.deployment
            if outcome.news or waits or same:
                return outcome
        return await self._once(f"{about}/{gate.deployment}", target, holder, effect)

    async def _once(self, command_id: str, target: Target, holder: str, effect: Knock) -> Outcome:
        gate = effect.gate
        return await self._asking.deploy(
            holder,
            target,
            version=effect.version,
            ref=effect.ref,
            reason=f"Run {gate.run} of {gate.repository} waits to be let into {gate.environment}.",
            ticket=None,
            command_id=command_id,
            door="github",
            machine=gate,
        )
