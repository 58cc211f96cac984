"""Recoveries: every owner is told that policies were put into force without an approval."""

import structlog

from bot.proposing import concerned, proposal
from bot.slack.delivery import DEAF
from bot.slack.views import recovered as say
from bot.slack.wire import Slack, SlackRefused
from scheduler.relay import Again
from store.model.effect import Recovered
from store.model.identity import POLICIES
from store.model.people import Directory
from store.redis.outbox import Claimed, Outbox
from store.redis.policies import Policies

log = structlog.stdlib.get_logger(__name__)


class Recoveries:
    def __init__(self, slack: Slack, policies: Policies, directory: Directory, outbox: Outbox) -> None:
        self._slack = slack
        self._policies = policies
        self._directory = directory
        self._outbox = outbox

    async def told(self, effect: Recovered, _: Claimed) -> Again | None:
        """First one message a person and channel, so that one that cannot be reached holds nobody up; then each."""
        if effect.to is None:
            everybody = await (self._everybody(effect.number) if effect.holders is None else self._owners(effect))
            tells = [effect.model_copy(update={"to": to}) for to in sorted(everybody)]
            await self._outbox.put(tells, command_id=effect.key)
            return None
        message = await self._message(effect.number) if effect.holders is None else say.holders(effect)
        try:
            channel = effect.to if effect.to.startswith(("C", "G")) else await self._slack.dm(effect.to)
            await self._slack.post(channel, message)
        except SlackRefused as refusal:
            if refusal.error not in DEAF:
                raise
            log.warning("cannot be told of a recovery", to=effect.to, number=effect.number, why=refusal.error)
        return None

    async def _message(self, number: int) -> say.Message:
        old, new = await self._policies.get(number - 1), await self._policies.get(number)
        people = await concerned(self._directory, new, patient=True)
        return say.recovered(number, await self._policies.enactment(number), proposal(old, new, people))

    async def _everybody(self, number: int) -> set[str]:
        """The owners of the old policies and of the new, whoever did it, and the channels of the policies."""
        found: set[str] = set()
        for policies in (await self._policies.get(number - 1), await self._policies.get(number)):
            people = await self._directory.people(policies.owners.wanted, patient=True)
            found |= policies.owners.members(people)
            target = policies.target(POLICIES)
            found |= {target.channel} if target is not None and target.channel is not None else set()
        enactment = await self._policies.enactment(number)
        return found | ({enactment.by} if enactment is not None else set())

    async def _owners(self, effect: Recovered) -> set[str]:
        policies = await self._policies.current()
        people = await self._directory.people(policies.owners.wanted, patient=True)
        target = policies.target(POLICIES)
        channel = {target.channel} if target is not None and target.channel is not None else set()
        return {*policies.owners.members(people), *channel, *([effect.by] if effect.by is not None else [])}
