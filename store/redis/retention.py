"""Retention: versions of an environment beyond those that are kept are told in full, without values, and dropped with what nobody names any more."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.environment import Environment
from store.model.sealed import Manifest
from store.model.versions import VersionInfo
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.environments import HOOK
from store.redis.keys import Keys
from store.redis.scripts import Scripts
from store.redis.stored import stored
from store.redis.versions import oldest_kept

AT_ONCE: Final = 50  # versions that go in one commit
OMITTED_MOST: Final = 5_000  # entries that go in one commit: as many as fifty versions can leave behind

Export = Callable[[Environment, Sequence[str]], None]  # JSON lines, kept for good when it returns


@dataclass(frozen=True, slots=True)
class Dropped:
    """Versions `first` to `last`, and how many sealed values."""

    first: int
    last: int
    entries: int


class Retention:
    """`random` makes the ids of its commits."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew, random: Callable[[int], bytes]) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew
        self._random = random

    async def surplus(self, kept: int) -> AsyncIterator[Environment]:
        """Environments that have more versions than are kept."""
        targets = [text(member) for member in await self._redis.zrange(self._keys.index("environments"), 0, -1)]
        for target in targets:
            environment, _ = await stored(self._redis, self._keys.environment(target), Environment)
            if environment is None:
                continue
            head, _ = await stored(self._redis, self._keys.head(environment.id), Manifest)
            oldest, _ = await oldest_kept(self._redis, self._keys, environment.id)
            if head is not None and head.number - oldest + 1 > kept:
                yield environment

    async def shorten(self, environment: Environment, kept: int, export: Export) -> Dropped | None:
        """Tells and drops the oldest versions beyond `kept`, at most fifty. None where there is nothing to drop, or somebody
        was faster: what was told is then told once more. Raises `Unavailable`."""
        head, moved = await stored(self._redis, self._keys.head(environment.id), Manifest)
        if head is None:
            return None
        oldest, was = await oldest_kept(self._redis, self._keys, environment.id)
        last = min(head.number - kept, oldest + AT_ONCE - 1)
        if last < oldest:
            return None
        export(environment, [line async for line in self._told(environment, range(oldest, last + 1))])
        stale = await self._unnamed(environment.id, range(last + 1, head.number + 1))
        commit = Commit(self._keys, f"retention:{self._random(8).hex()}", frees=True)
        commit.guard(self._keys.head(environment.id), moved)  # a merge may name what nobody named
        commit.write(self._keys.oldest(environment.id), was, str(last + 1))
        for number in range(oldest, last + 1):
            commit.drop(self._keys.manifest(environment.id, number))
            commit.drop(self._keys.version(environment.id, number))
        gone = stale[:OMITTED_MOST]
        if gone:
            commit.omit(self._keys.entries(environment.id), gone)
        details: dict[str, str | int | None] = {"first": oldest, "last": last, "entries": len(gone)}
        at_ms = await now_ms(self._redis, self._skew)
        commit.audit([Audit(event="versions.dropped", actor="clock", at_ms=at_ms, target=environment.target, details=details)])  # fmt: skip
        done = await commit.run(self._scripts, self._skew())
        return Dropped(oldest, last, len(gone)) if done.status == "ok" else None

    async def _told(self, environment: Environment, numbers: range) -> AsyncIterator[str]:
        """A line for each version: who made it, its names, ids and hashes, and its MAC. Never a value, sealed or not."""
        for number in numbers:
            body, how = await self._redis.mget(
                [self._keys.manifest(environment.id, number), self._keys.version(environment.id, number)]
            )
            told: dict[str, Any] = {"environment": environment.id, "target": environment.target, "version": number}
            if how is not None:
                info = VersionInfo.from_json(how).model_dump(mode="json", exclude_none=True, exclude={"number"})
                told |= {name: value for name, value in info.items() if value not in ([], ())}
            if body is not None:
                manifest = Manifest.from_json(body)
                told |= {"epoch": manifest.epoch, "previous_mac": manifest.previous_mac, "mac": manifest.mac}
                told["entries"] = {
                    name: held.model_dump(mode="json", exclude_none=True)
                    for name, held in sorted(manifest.entries.items())
                }
            yield json.dumps(told, ensure_ascii=False)

    async def _unnamed(self, environment_id: str, kept: range) -> list[str]:
        """Ids of the sealed values that no version which stays names. What an undecided change brings lies in a payload of its own."""
        named: set[str] = set()
        for first in range(kept.start, kept.stop, AT_ONCE):
            part = range(first, min(first + AT_ONCE, kept.stop))
            bodies = await self._redis.mget([self._keys.manifest(environment_id, number) for number in part])
            for body in bodies:
                if body is None:
                    return []  # what it names is not known, so nothing goes
                named |= {held.entry_id for held in Manifest.from_json(body).entries.values()}
        found = [text(field) for field in await self._redis.hkeys(self._keys.entries(environment_id))]
        return sorted(field for field in found if field not in named and not field.startswith(HOOK))
