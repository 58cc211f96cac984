"""Locks: whose break-glass is locked, and how an owner unlocks it."""

from collections.abc import Callable

from redis.asyncio import Redis

from store.model.command import Unlock
from store.model.errors import AccessError, Conflict
from store.model.lifecycle import unlock
from store.model.lock import Lock
from store.model.people import Directory, Wanted
from store.redis.audit import Attempts
from store.redis.clock import Skew
from store.redis.commit import TRIES, Commit, contended, text
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.scripts import Scripts
from store.redis.stored import stored


async def stored_lock(redis: Redis, keys: Keys, user: str) -> tuple[Lock | None, int]:
    """The lock and its version, 0 for somebody who never had one."""
    return await stored(redis, keys.lock(user), Lock)


async def holding(redis: Redis, keys: Keys, *, most: int) -> tuple[list[Lock], int]:
    """Those that hold, oldest first, and how many more there are."""
    users = [text(member) for member in await redis.zrange(keys.index("locks"), 0, most - 1)]
    found = [(await stored_lock(redis, keys, user))[0] for user in users]
    more = int(await redis.zcard(keys.index("locks"))) - len(users)
    return [lock for lock in found if lock is not None and lock.holds], max(0, more)


def write_lock(commit: Commit, lock: Lock, version: int) -> None:
    commit.write(commit.keys.lock(lock.user), version, lock.to_json())
    commit.rank(commit.keys.index("locks"), lock.user, lock.since_ms if lock.holds else None)


class Locks:
    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        policies: Policies,
        directory: Directory,
        skew: Skew,
        now_ms: Callable[[], int],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._policies = policies
        self._directory = directory
        self._skew = skew
        self._now_ms = now_ms
        self._attempts = Attempts(keys, scripts, skew)

    async def of(self, user: str) -> Lock | None:
        """Also one that an owner has opened again; None for somebody who never had one."""
        return (await stored_lock(self._redis, self._keys, user))[0]

    async def holding(self, *, most: int) -> tuple[list[Lock], int]:
        return await holding(self._redis, self._keys, most=most)

    async def unlock(self, command: Unlock) -> str:
        """An owner's answer. Raises `AccessError`."""
        for _ in range(TRIES):
            now_ms = self._now_ms()
            seen = await self._redis.hmget(self._keys.command(command.id), ["fingerprint", "answer"])
            if seen[0] is not None:
                return _answered(text(seen[0]), text(seen[1]), command)
            lock, version = await stored_lock(self._redis, self._keys, command.user)
            policies = await self._policies.current()
            wanted = policies.owners.wanted | Wanted(users=frozenset((command.actor,)))
            try:
                done = unlock(lock, command, policies, await self._directory.people(wanted), now_ms)
            except AccessError as refusal:
                await self._attempts.refused(
                    refusal, "unlock", command.id, actor=command.actor, at_ms=now_ms, user=command.user
                )
                raise
            commit = Commit(
                self._keys,
                command.id,
                fingerprint=command.fingerprint,
                answer=done.answer,
                good_until_ms=done.good_until_ms,
            )
            commit.guard(self._keys.policy_head, policies.number)
            write_lock(commit, done.lock, version)
            commit.put(done.effects)
            commit.audit(done.audit)
            committed = await commit.run(self._scripts, self._skew())
            if committed.status in ("ok", "seen"):
                return committed.answer
        raise contended()


def _answered(fingerprint: str, answer: str, command: Unlock) -> str:
    if fingerprint != command.fingerprint:
        raise Conflict("This id was used for something else.", code="other_command")
    return answer
