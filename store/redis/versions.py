"""Versions: what each version of an environment held, by name, how it came about, and the way back to it."""

from collections.abc import Collection
from typing import Final

from redis.asyncio import Redis

from store.model.environment import Environment
from store.model.errors import Invalid, NotFound, Unavailable
from store.model.request import Touch
from store.model.sealed import KIB, Manifest, SealedEntry
from store.model.versions import Tombstone, VersionInfo, Word, back, difference
from store.redis.commit import text
from store.redis.environments import Environments, Sealing
from store.redis.keys import Keys
from store.redis.stored import stored

MOST: Final = 100  # listed at a time
SEALED_MOST: Final = 8 * KIB * KIB  # bytes that one request brings back; they travel in one commit


async def oldest_kept(redis: Redis, keys: Keys, environment_id: str) -> tuple[int, int]:
    """The number of the first version that is still kept, and the version of the record that says so."""
    body, version = await redis.hmget(keys.oldest(environment_id), ["body", "version"])
    return int(body or 1), int(version or 0)


class Versions:
    def __init__(self, redis: Redis, keys: Keys, environments: Environments) -> None:
        self._redis = redis
        self._keys = keys
        self._environments = environments
        self._chain = environments.chain

    async def history(self, environment_id: str, most: int = MOST, before: int | None = None) -> list[VersionInfo]:
        """Of the versions that are kept, the newest first, from the one below `before` on. Raises `Unavailable`, `NotFound`."""
        head = await self._environments.head(environment_id)
        newest = min(head.number, before - 1) if before is not None else head.number
        numbers = range(newest, max(0, newest - most), -1)
        if not numbers:
            return []
        bodies = await self._redis.mget([self._keys.version(environment_id, number) for number in numbers])
        return [VersionInfo.from_json(body) for body in bodies if body is not None]

    async def oldest(self, environment_id: str) -> int:
        """The number of the first version that is still kept."""
        return (await oldest_kept(self._redis, self._keys, environment_id))[0]

    async def buried(self, target: str, most: int = MOST) -> Tombstone | None:
        """The newest environment of this name that was deleted, among the last `most` of all."""
        found = await self._redis.zrange(self._keys.index("deleted"), 0, most - 1, desc=True)
        for member in found:
            stone, _ = await stored(self._redis, self._keys.tombstone(text(member)), Tombstone)
            if stone is not None and stone.target == target:
                return stone
        return None

    async def info(self, environment_id: str, number: int) -> VersionInfo:
        """Raises `NotFound`."""
        body = await self._redis.get(self._keys.version(environment_id, number))
        if body is None:
            raise _gone(number)
        return VersionInfo.from_json(body)

    async def manifest(self, environment_id: str, number: int) -> Manifest:
        """One version, its MAC verified, and that the newest one descends from it. Raises `NotFound`, `Unavailable`."""
        head = await self._environments.head(environment_id)
        if number == head.number:
            return head
        if not 1 <= number < head.number:
            raise _gone(number)
        body = await self._redis.get(self._keys.manifest(environment_id, number))
        if body is None:
            raise _gone(number)
        manifest = Manifest.from_json(body)
        await self._chain.verify(manifest, environment_id, number)
        await self._chain.demand(manifest)
        return manifest

    async def difference(self, environment_id: str, old: int, new: int) -> dict[str, Word]:
        """Name -> what version `new` does to it that is not so in `old`. Raises `NotFound`, `Unavailable`."""
        before, after = await self.manifest(environment_id, old), await self.manifest(environment_id, new)
        return difference(before.entries, after.entries)

    async def rollback(self, environment: Environment, to: int, names: Collection[str] = ()) -> Sealing:
        """What brings back version `to`, of these names, else of all: the entries of then, byte for byte.

        Raises `NotFound`, `Invalid`, `Unavailable`, and `Conflict` where nothing is another.
        """
        head = await self._environments.head(environment.id)
        old = await self.manifest(environment.id, to)
        touches = back(head, old, names)
        entries = await self._environments.sealed(
            environment.id, [touch.entry.entry_id for touch in touches if touch.entry]
        )
        if sum(len(entry.ciphertext) for entry in entries.values()) > SEALED_MOST:
            raise Invalid(
                f"The values of version {to} are too large to bring back at once: name which, {SEALED_MOST // KIB // KIB} MiB at a time.",
                code="too_large",
            )
        now = await self._environments.sealed(environment.id, [touch.base for touch in touches if touch.base])
        told = []
        for touch in touches:
            if touch.entry is not None:
                if touch.entry.entry_id not in entries:
                    raise Unavailable(f"The sealed value of {touch.name} is missing.", code="missing")
                old.admit(touch.name, entries[touch.entry.entry_id])
            told.append(await self._told(environment.id, head, touch, entries, now))
        return Sealing(tuple(told), tuple(entries.values()), back_to=to)

    async def _told(
        self,
        environment_id: str,
        head: Manifest,
        touch: Touch,
        entries: dict[str, SealedEntry],
        now: dict[str, SealedEntry],
    ) -> Touch:
        """Whether it is *changed* or *unchanged*, found by opening both; in memory only."""
        base = now.get(touch.base or "")
        if touch.entry is None or base is None or touch.entry.mode != head.entries[touch.name].mode:
            return touch
        head.admit(touch.name, base)
        entry = entries[touch.entry.entry_id]
        was = await self._environments.open(environment_id, touch.name, base)
        will = await self._environments.open(environment_id, touch.name, entry)
        return touch.model_copy(update={"same": was == will})


def _gone(number: int) -> NotFound:
    return NotFound(f"Version {number} is not there, or not kept any more.", code="unknown_version")
