"""Custody: who was approved to hold keys learns them, what became secure moves under a secure key, and a rotation that was broken off goes on."""

from typing import Final

import structlog

from scheduler.metrics import Metrics
from store.keys.ring import SECURE_HOLDERS, Keyring
from store.model.effect import Entrust
from store.model.errors import AccessError, Unavailable
from store.redis.epochs import Epochs
from store.redis.outbox import Claimed
from store.redis.policies import Policies
from store.redis.rosters import Rosters

ACTOR: Final = "clock"
NAMED: Final = 3  # targets in a sentence

log = structlog.stdlib.get_logger(__name__)


class Custody:
    def __init__(self, rosters: Rosters, epochs: Epochs, ring: Keyring, policies: Policies, metrics: Metrics) -> None:
        self._rosters = rosters
        self._epochs = epochs
        self._ring = ring
        self._policies = policies
        self._metrics = metrics

    async def look(self) -> list[str]:
        """Once a minute. What is not well, a sentence each; whatever cannot be done now is tried again at the next look. Raises nothing but what Redis does."""
        said: list[str] = []
        try:
            await self._rosters.follow()
        except Unavailable as error:
            said.append(error.sentence)
        challenged = await self._ring.challenge_all()
        said += [error.sentence for error in challenged.values() if error is not None]
        working = frozenset(one for one, error in challenged.items() if error is None)
        self._metrics.holders_working.set(len(working))
        said += [
            f"{name} is in COUNTERSIGN_KEYS and not in the roster, so it is given no key: countersign keys add {name}"
            for name in self._rosters.strangers()
        ]
        said += await self._learned(working)
        said += await self._secured()
        said += await self._rotated()
        return [*said, *await self._alone(working)]

    async def entrust(self, _: Entrust, __: Claimed) -> None:
        """At once, not at the next minute. What cannot be done now is done at one of those."""
        for sentence in await self.look():
            log.warning("keys", why=sentence)

    async def _learned(self, working: frozenset[str]) -> list[str]:
        learned, faults = await self._epochs.heal(working)
        for sentence in learned:
            log.info("key learned", what=sentence)
        return faults

    async def _secured(self) -> list[str]:
        """Targets that the policies have made secure since they were made."""
        if not await self._policies.number():
            return []
        policies = await self._policies.current()
        said = []
        for environment in await self._epochs.environments():
            config = policies.targets.get(environment.target)
            if config is None or not config.secure or environment.secure:
                continue
            try:
                await self._epochs.renew(environment.target, actor=ACTOR, secure=True)
            except AccessError as error:
                said.append(f"{environment.target} is to be secure, and is not yet. {error.sentence}")
        return said

    async def _rotated(self) -> list[str]:
        said = []
        for environment in await self._epochs.unfinished():
            try:
                spoiled = [moved.spoiled async for moved in self._epochs.settle(environment)][-1]
            except Unavailable as error:
                said.append(f"The keys of {environment.target} are not all moved yet. {error.sentence}")
            else:
                if spoiled:
                    said.append(
                        f"{environment.target} holds entries whose keys cannot be moved: {', '.join(spoiled[:NAMED])}."
                    )
        return said

    async def _alone(self, working: frozenset[str]) -> list[str]:
        """What one holder's loss would lose."""
        found = await self._epochs.alone(working)
        self._metrics.under_replicated.set(len(found))
        if not found:
            return []
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        return [
            f"Under-replicated: fewer than {SECURE_HOLDERS} working key holders have the keys of {', '.join(found[:NAMED])}{more}."
        ]
