"""Policies: numbered policy sets that never change, and which one is in force."""

import hashlib
from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.errors import Unavailable
from store.model.policy import PolicySet
from store.redis.commit import Commit
from store.redis.keys import Keys
from store.redis.scripts import Scripts

KEPT: Final = 64  # parsed sets in memory; a set of a number never changes


class Policies:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._parsed: dict[int, PolicySet] = {}

    async def get(self, number: int) -> PolicySet:
        """Raises `Unavailable` when that set cannot be read."""
        if number not in self._parsed:
            body = await self._redis.get(self._keys.policy(number))
            self._scripts.round_trips += 1
            if body is None:
                raise Unavailable(f"Policy set {number} is missing in Redis.", code="policy_missing")
            while len(self._parsed) >= KEPT:
                self._parsed.pop(next(iter(self._parsed)))
            self._parsed[number] = PolicySet.from_json(body)
        return self._parsed[number]

    async def current(self) -> PolicySet:
        """Raises `Unavailable` while there is none."""
        number = await self._redis.hget(self._keys.policy_head, "version")
        if number is None:
            raise Unavailable("There are no policies yet, so nothing can be asked.", code="no_policy")
        return await self.get(int(number))

    async def number(self) -> int:
        """0 while there is none."""
        return int(await self._redis.hget(self._keys.policy_head, "version") or 0)

    async def create(self, policies: PolicySet, *, actor: str, now_ms: int, skew_ms: int) -> bool:
        """Takes the first set of an installation in. False when there is one already: a start never applies a file."""
        first = policies.model_copy(update={"number": 1})
        body = first.to_json()
        commit = Commit(self._keys, f"policy-create:{hashlib.sha256(body.encode()).hexdigest()}")
        commit.write(self._keys.policy_head, 0, "")
        commit.set(self._keys.policy(1), body)
        commit.audit([Audit(event="policy.created", actor=actor, at_ms=now_ms, details={"number": 1})])
        return (await commit.run(self._scripts, skew_ms)).status == "ok"
