"""Epochs: the keys of environments as they are learned by new holders, rotated, and proved to open what lies under them."""

import base64
import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from store.keys.envelope import EnvironmentKey
from store.keys.ring import SECURE_HOLDERS, Coverage, Keyring
from store.model.audit import Audit
from store.model.environment import Environment
from store.model.errors import AccessError, Conflict, NotFound, Unavailable
from store.model.identity import Target
from store.model.request import Change, Request
from store.model.roster import ROSTER
from store.model.sealed import Epoch, Manifest, SealedEntry
from store.redis import projection
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.environments import HOOK, hook_name, wraps_missing
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.scripts import Scripts
from store.redis.stored import stored
from store.redis.versions import oldest_kept

BATCH: Final = 16  # sealed entries that are looked at, or moved, in one turn
MANIFESTS: Final = 50
ROTATING: Final = "rotating"
WATCHED_MS: Final = 7_200_000  # after a rotation, for what was sealed before it and is only now on its way: such a value waits an hour at most


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a rotation is: data keys of one environment, `spoiled` those that could not be moved."""

    done: int
    total: int
    spoiled: tuple[str, ...] = ()


class Epochs:
    def __init__(
        self, redis: Redis, keys: Keys, scripts: Scripts, ring: Keyring, policies: Policies, skew: Skew
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._ring = ring
        self._policies = policies
        self._skew = skew

    async def environments(self) -> list[Environment]:
        """All that were made, by target."""
        made = {text(one) for one in await self._redis.zrange(self._keys.index("environments"), 0, -1)}
        if await self._policies.number():
            made |= {one for one in (await self._policies.current()).targets if Target.parse(one).kind == "environment"}
        async with self._redis.pipeline(transaction=False) as pipe:
            for target in sorted(made):
                pipe.hget(self._keys.environment(target), "body")
            bodies = await pipe.execute() if made else []
        return [Environment.from_json(body) for body in bodies if body is not None]

    async def epochs(self, environment: Environment) -> list[Epoch]:
        """Of every number that was minted, the newest last. Raises `Unavailable` for one that is missing."""
        numbers = range(1, environment.epoch + 1)
        bodies = await self._redis.mget([self._keys.epoch(environment.id, number) for number in numbers])
        for number, body in zip(numbers, bodies, strict=True):
            if body is None:
                raise wraps_missing(number, environment.target)
        return [Epoch.from_json(text(body)) for body in bodies if body is not None]

    async def secured(self) -> list[str]:
        """Targets that need two holders."""
        policies = await self._policies.current()
        configs = policies.targets
        asked = {target for target, config in configs.items() if config.secure}
        return sorted(asked | {one.target for one in await self.environments() if one.secure})

    async def needing(self, fingerprint: str, others: Collection[str]) -> list[str]:
        """Targets of which this holder has a key that none of `others` was given."""
        return [
            environment.target
            for environment in await self.environments()
            for epoch in await self.epochs(environment)
            if fingerprint in epoch.wraps and not epoch.wraps.keys() & set(others)
        ]

    async def heal(self, working: Collection[str]) -> tuple[list[str], list[str]]:
        """Lets holders that were approved and work (`working`, by fingerprint) learn every key that they were never given.

        Sentences of what was learned, and of what could not be.
        """
        learned, faults = [], []
        for environment in await self.environments():
            try:
                epochs = await self.epochs(environment)
            except Unavailable as error:
                faults.append(error.sentence)
                continue
            for epoch in epochs:
                try:
                    new = await self._learn(epoch, frozenset(working))
                except Unavailable as error:
                    faults.append(error.sentence)
                    continue
                learned += [f"{name} learned key {epoch.number} of {environment.target}." for name in new]
        number = int(await self._redis.hget(self._keys.roster, "version") or 0)
        body = await self._redis.get(self._keys.epoch(ROSTER, number)) if number else None
        with suppress(Unavailable):  # whoever follows the roster says so
            new = await self._learn(Epoch.from_json(text(body)), frozenset(working)) if body is not None else []
            learned += [f"{name} learned the key of roster {number}." for name in new]
        return learned, faults

    async def rotate(self, target: str, *, actor: str, secure: bool = False) -> AsyncIterator[Moved]:
        """A new key, unless an earlier rotation is not through yet; then every data key is moved under it. Raises `AccessError`."""
        environment, _ = await self._found(target)
        if environment is None:
            raise NotFound(f"{target} has no secrets yet.", code="no_environment")
        unfinished = await self._redis.zscore(self._keys.index(ROTATING), target) == 0
        if not unfinished or (secure and not environment.secure):
            environment = await self.renew(target, actor=actor, secure=secure)
        async for moved in self.settle(environment):
            yield moved

    async def renew(self, target: str, *, actor: str, secure: bool = False) -> Environment:
        """Only the new key: from now on everything is sealed under it, and what lies there is still to be moved. Raises `AccessError`."""
        environment, version = await self._found(target)
        if environment is None:
            raise NotFound(f"{target} has no secrets yet.", code="no_environment")
        secured = environment.secure or secure
        number = environment.epoch + 1
        epoch, _ = await self._ring.mint(environment.id, number, secure=secured)
        renewed = environment.model_copy(update={"epoch": number, "secure": secured})
        at_ms = await now_ms(self._redis, self._skew)
        commit = Commit(self._keys, f"rotate:{environment.id}:{number}:{epoch.commitment[:16]}")
        commit.write(self._keys.environment(target), version, renewed.to_json(), projection.environment_fields(renewed))
        commit.set(self._keys.epoch(environment.id, number), epoch.to_json())
        commit.fill(self._keys.head(environment.id), {"epoch": str(number)})
        commit.guard(self._keys.roster, self._ring.roster)
        commit.rank(self._keys.index(ROTATING), target, 0)
        details: dict[str, str | int | None] = {"epoch": number, "secure": int(secured)}
        commit.audit([Audit(event="keys.rotated", actor=actor, at_ms=at_ms, target=target, details=details)])
        if (await commit.run(self._scripts, self._skew())).status != "ok":
            raise Conflict(f"{target} was changed a moment ago. Rotate it again.", code="moved")
        return renewed

    async def settle(self, environment: Environment) -> AsyncIterator[Moved]:
        """Moves data keys under the newest key, until none is left under another. Breaking it off loses nothing: the next one goes on."""
        epochs = dict(enumerate(await self.epochs(environment), 1))
        keys = {environment.epoch: await self._ring.open(epochs[environment.epoch])}
        spoiled: list[str] = []
        done, total = 0, int(await self._redis.hlen(self._keys.entries(environment.id)))
        names = await self._names(environment)
        async for key, batch, known in self._lying(environment, names):
            old = {field: entry for field, entry in batch.items() if entry.epoch != environment.epoch}
            for number in {entry.epoch for entry in old.values()} - keys.keys():
                if number not in epochs:  # sealed under one that came since
                    raise wraps_missing(number, environment.target)
                keys[number] = await self._ring.open(epochs[number])
            spoiled += await self._move(key, old, known, keys, environment.epoch)
            done += len(batch)
            yield Moved(done, max(total, done), tuple(spoiled))
        if not spoiled:
            await self._finish(environment)
        yield Moved(max(total, done), max(total, done), tuple(spoiled))

    async def unfinished(self) -> list[Environment]:
        """Whose rotation is not through yet, or was a short while ago."""
        at_ms = await now_ms(self._redis, self._skew)
        found = []
        ranked: list[tuple[bytes, float]] = await self._redis.zrange(self._keys.index(ROTATING), 0, -1, withscores=True)  # type: ignore[assignment]  # with scores
        for member, score in ranked:
            environment, _ = await self._found(text(member))
            if environment is None or 0 < score < at_ms - WATCHED_MS:
                await self._redis.zrem(self._keys.index(ROTATING), member)
            else:
                found.append(environment)
        return found

    async def drill(self, environment: Environment) -> AsyncIterator[tuple[Epoch, Coverage, list[str]]]:
        """Each key, who opens it now, and names of entries that it does not open. Changes nothing."""
        names = await self._names(environment)
        for epoch in await self.epochs(environment):
            coverage = await self._ring.coverage(epoch)
            spoiled = []
            if coverage.holding:
                key = await self._ring.open(epoch)
                async for _, batch, known in self._lying(environment, names):
                    spoiled += [
                        known[field]
                        for field, entry in batch.items()
                        if entry.epoch == epoch.number and not _fits(key, known.get(field), entry)
                    ]
            yield epoch, coverage, spoiled

    async def alone(self, working: Collection[str]) -> list[str]:
        """Targets with a key that fewer than two of `working` were given, or none at all."""
        found = []
        for environment in await self.environments():
            try:
                epochs = await self.epochs(environment)
            except Unavailable:
                epochs = []
            if not epochs or min(len(epoch.wraps.keys() & set(working)) for epoch in epochs) < SECURE_HOLDERS:
                found.append(environment.target)
        return found

    async def _learn(self, epoch: Epoch, working: frozenset[str]) -> list[str]:
        if not self._ring.lacking(epoch) & working:
            return []
        healed = await self._ring.heal(epoch)
        if healed is None:
            return []
        new = sorted(wrap.holder for one, wrap in healed.wraps.items() if epoch.wraps.get(one) != wrap)
        at_ms = await now_ms(self._redis, self._skew)
        commit = Commit(self._keys, f"heal:{hashlib.sha256(healed.to_json().encode()).hexdigest()}")
        commit.swap(self._keys.epoch(epoch.environment_id, epoch.number), epoch.to_json(), healed.to_json())
        commit.guard(self._keys.roster, self._ring.roster)
        details: dict[str, str | int | None] = {
            "environment": epoch.environment_id,
            "epoch": epoch.number,
            "holders": ", ".join(new),
        }
        commit.audit([Audit(event="keys.learned", actor="clock", at_ms=at_ms, details=details)])
        return new if (await commit.run(self._scripts, self._skew())).status == "ok" else []

    async def _found(self, target: str) -> tuple[Environment | None, int]:
        return await stored(self._redis, self._keys.environment(target), Environment)

    async def _names(self, environment: Environment) -> dict[str, str]:
        """Entry id → name, from every version that is kept: the name is part of what a wrap is bound to."""
        head, _ = await stored(self._redis, self._keys.head(environment.id), Manifest)
        newest = head.number if head is not None else 0
        oldest, _ = await oldest_kept(self._redis, self._keys, environment.id)
        names: dict[str, str] = {}
        for start in range(oldest, newest + 1, MANIFESTS):
            numbers = range(start, min(start + MANIFESTS, newest + 1))
            for body in await self._redis.mget([self._keys.manifest(environment.id, number) for number in numbers]):
                if body is not None:
                    manifest = Manifest.from_json(text(body))
                    names |= {held.entry_id: name for name, held in manifest.entries.items()}
        return names

    async def _lying(
        self, environment: Environment, names: Mapping[str, str]
    ) -> AsyncIterator[tuple[str, dict[str, SealedEntry], Mapping[str, str]]]:
        """Every sealed entry of an environment, and those of changes that are not merged: key, field → entry, field → name."""
        payloads = await self._payloads(environment)  # first: what is merged meanwhile lies among the entries then
        for key, known in payloads:
            batch = {field: SealedEntry.from_json(body) for field, body in (await self._hash(key)).items()}
            if batch:
                yield key, batch, known
        key, cursor = self._keys.entries(environment.id), 0
        while True:
            page: dict[bytes, bytes]
            cursor, page = await self._redis.hscan(key, cursor, count=BATCH)  # type: ignore[assignment]  # of a hash
            found = {text(field): SealedEntry.from_json(body) for field, body in page.items()}
            known = {field: hook_name(field) if field.startswith(HOOK) else names.get(field, "") for field in found}
            if missing := [field for field, name in known.items() if not name]:  # merged since the names were read
                names = {**names, **await self._names(environment)}
                known |= {field: names.get(field, "") for field in missing}
            if found:
                yield key, found, known
            if not cursor:
                return

    async def _payloads(self, environment: Environment) -> list[tuple[str, dict[str, str]]]:
        """Keys of the payloads of changes of this environment, each with field → name."""
        found = []
        pattern = self._keys.payload("*", 0).removesuffix("0").replace("{", "[{]").replace("}", "[}]")
        async for key in self._redis.scan_iter(match=f"{pattern}*", count=1_000):
            request_id, _, _ = text(key).removeprefix(f"{self._keys.prefix}payload:").partition(":")
            request, _ = await stored(self._redis, self._keys.request(request_id), Request)
            if request is None or not isinstance(request.payload, Change):
                continue
            if request.payload.environment_id == environment.id:
                touches = request.payload.touches
                names = {touch.entry.entry_id: touch.name for touch in touches if touch.entry is not None}
                found.append((text(key), names))
        return found

    async def _hash(self, key: str) -> dict[str, str]:
        return {text(field): text(body) for field, body in (await self._redis.hgetall(key)).items()}

    async def _move(
        self,
        key: str,
        old: Mapping[str, SealedEntry],
        names: Mapping[str, str],
        keys: Mapping[int, EnvironmentKey],
        newest: int,
    ) -> list[str]:
        """Names of those that could not be moved. One that somebody else has moved is left as it is."""
        spoiled: list[str] = []
        arguments: list[str | int | bytes] = []
        for field, entry in old.items():
            name = names.get(field, "")
            try:
                moved = keys[newest].rewrap(name, entry, keys[entry.epoch])
            except AccessError:
                spoiled.append(name or field)
                continue
            arguments += [field, _end(entry), _end(moved)]
        if arguments:
            await self._scripts.run("rewrap", [key], arguments)
        return spoiled

    async def _finish(self, environment: Environment) -> None:
        """Through; unless it was rotated once more meanwhile."""
        found, version = await self._found(environment.target)
        if found is None or found.epoch != environment.epoch:
            return
        if await self._redis.zscore(self._keys.index(ROTATING), environment.target) == 0:
            at_ms = await now_ms(self._redis, self._skew)
            commit = Commit(self._keys, f"rotated:{environment.id}:{environment.epoch}:{at_ms}")
            commit.guard(self._keys.environment(environment.target), version)
            commit.rank(self._keys.index(ROTATING), environment.target, at_ms)
            await commit.run(self._scripts, self._skew())


def _end(entry: SealedEntry) -> str:
    """How its stored body ends: the wrap is its last field."""
    return f'"wrap":"{base64.b64encode(entry.wrap).decode()}"}}'


def _fits(key: EnvironmentKey, name: str | None, entry: SealedEntry) -> bool:
    try:
        key.check(name or "", entry)
    except AccessError:
        return False
    return True
