"""Cautions: what can be told of the values of a change in memory, beside what is there and in the environments next to it."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from store.model.caution import Caution, of_value
from store.model.recent import Recent
from store.model.request import Change, Request
from store.model.sealed import Held
from store.model.secret import Secret
from store.redis.environments import Environments

SAME_FROM: Final = 8  # bytes: `true` or a port is the same in many places, and could be guessed
KNOWN: Final = 32  # environments whose values are known by a keyed hash
AT_ONCE: Final = 50  # sealed values that are read at a time
KEY_BYTES: Final = 32

Marks = Mapping[bytes, tuple[str, ...]]  # keyed hash of a value -> the names that hold it


class Cautions:
    """`random` makes the key of this process: what it keeps of a value is a hash that means nothing elsewhere, and only in memory."""

    def __init__(self, environments: Environments, random: Callable[[int], bytes]) -> None:
        self._environments = environments
        self._key = Secret(random(KEY_BYTES))
        self._known: Recent[tuple[str, str], Marks] = Recent(KNOWN)  # environment and MAC of its version

    async def of(self, request: Request, siblings: Iterable[str]) -> tuple[Caution, ...]:
        """`siblings`: targets of other environments of the same project. Raises `Unavailable` where a key holder is away."""
        change = request.payload
        if not isinstance(change, Change):
            return ()
        sealed = await self._environments.pending(request)
        brought = [(touch, touch.entry) for touch in change.touches if touch.entry is not None]
        head = await self._environments.head(change.environment_id)
        here = {touch.name: head.entries[touch.name] for touch, _ in brought if touch.name in head.entries}
        base = await self._opened(change.environment_id, here)
        found: list[Caution] = []
        marks: dict[str, bytes] = {}
        for touch, held in brought:
            if held.entry_id not in sealed:
                continue
            secret = await self._environments.open(change.environment_id, touch.name, sealed[held.entry_id])
            found += of_value(touch.name, secret, held.mode, base.get(touch.name))
            if len(secret) >= SAME_FROM:
                marks[touch.name] = self._mark(secret)
        if marks:
            for target in siblings:
                there = await self._marks(target)
                found += [Caution(name, "same", target, there[mark]) for name, mark in marks.items() if mark in there]
        return tuple(sorted(found, key=lambda caution: caution.name))

    async def _marks(self, target: str) -> Marks:
        environment = await self._environments.find(target)
        if environment is None:
            return {}
        head = await self._environments.head(environment.id)
        slot = (environment.id, head.mac or "")
        if slot not in self._known:
            names: dict[bytes, tuple[str, ...]] = {}
            for name, secret in (await self._opened(environment.id, head.entries)).items():
                if len(secret) >= SAME_FROM:
                    mark = self._mark(secret)
                    names[mark] = (*names.get(mark, ()), name)
            self._known[slot] = names
        self._known.move_to_end(slot)
        return self._known[slot]

    async def _opened(self, environment_id: str, entries: Mapping[str, Held]) -> dict[str, Secret]:
        """Values by name; what is not there is left out, and what is not genuine raises `Unavailable`."""
        found: dict[str, Secret] = {}
        names = sorted(entries)
        for first in range(0, len(names), AT_ONCE):
            part = names[first : first + AT_ONCE]
            sealed = await self._environments.sealed(environment_id, [entries[name].entry_id for name in part])
            for name in part:
                if (entry := sealed.get(entries[name].entry_id)) is not None:
                    found[name] = await self._environments.open(environment_id, name, entry)
        return found

    def _mark(self, secret: Secret) -> bytes:
        return hmac.new(self._key.reveal(), secret.reveal(), hashlib.sha256).digest()
