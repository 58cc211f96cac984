"""Chain: down from the newest version each names the one before it: a genuine version of another past is none of this one's."""

from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio import Redis

from store.keys.envelope import EnvironmentKey
from store.model.errors import Unavailable
from store.model.recent import Recent
from store.model.sealed import Manifest, tampered
from store.redis.keys import Keys

AT_ONCE: Final = 100  # versions that are read at a time
LINKED: Final = 2_000  # versions whose place in the chain is remembered

Key = Callable[[str, int], Awaitable[EnvironmentKey]]  # of an environment, in an epoch


class Chain:
    """`newest` gives the newest version of an environment, verified."""

    def __init__(self, redis: Redis, keys: Keys, key: Key, newest: Callable[[str], Awaitable[Manifest]]) -> None:
        self._redis = redis
        self._keys = keys
        self._key = key
        self._newest = newest
        self._linked: Recent[tuple[str, int], str] = Recent(LINKED)  # MAC of what was seen in the chain of a head

    async def verify(self, manifest: Manifest, environment_id: str, number: int) -> None:
        """That somebody who had the key signed it, as this version of this environment. Raises `Unavailable`."""
        if (manifest.environment_id, manifest.number) != (environment_id, number):
            raise tampered(f"Version {number} of environment {environment_id}")
        (await self._key(environment_id, manifest.epoch)).verify(manifest)

    async def demand(self, older: Manifest) -> None:
        """That the newest version descends from this one, which is verified. Raises `Unavailable`."""
        environment_id, number = older.environment_id, older.number
        if self._linked.get((environment_id, number)) == older.mac:
            return
        after = await self._newest(environment_id)
        for start in range(after.number - 1, number, -AT_ONCE):
            between = range(start, max(number, start - AT_ONCE), -1)
            bodies = await self._redis.mget([self._keys.manifest(environment_id, each) for each in between])
            for each, body in zip(between, bodies, strict=True):
                if body is None:
                    raise Unavailable(f"Version {each}, which follows version {number}, is missing.", code="missing")
                manifest = Manifest.from_json(body)
                await self.verify(manifest, environment_id, each)
                self._link(after, manifest)
                after = manifest
        self._link(after, older)

    def _link(self, after: Manifest, before: Manifest) -> None:
        if not after.follows(before):
            raise tampered(f"Version {before.number} of environment {before.environment_id}")
        self._linked[before.environment_id, before.number] = before.mac or ""
