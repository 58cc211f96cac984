"""Policies: numbered policy sets that never change, which one is in force, and those that are proposed."""

import hashlib
from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.enactment import Enactment
from store.model.errors import Unavailable
from store.model.people import Directory
from store.model.policy import PolicySet
from store.model.recent import Recent
from store.model.request import Amendment, Request
from store.model.sealed import tampered
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts

KEPT: Final = 64  # parsed sets in memory; a set of a number never changes
PROPOSED: Final = "policies"  # the field of a payload that holds the set


class Policies:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._parsed: Recent[int, PolicySet] = Recent(KEPT)
        self._proposed: Recent[str, PolicySet] = Recent(KEPT)  # by the digest of what is stored

    async def get(self, number: int) -> PolicySet:
        """Raises `Unavailable` when that set cannot be read."""
        if number not in self._parsed:
            body = await self._redis.get(self._keys.policy(number))
            self._scripts.round_trips += 1
            if body is None:
                raise Unavailable(f"Policy set {number} is missing in Redis.", code="policy_missing")
            self._parsed[number] = PolicySet.from_json(body)
        return self._parsed[number]

    async def current(self) -> PolicySet:
        """Raises `Unavailable` while there is none."""
        number = await self._redis.hget(self._keys.policy_head, "version")
        if number is None:
            raise Unavailable("There are no policies yet, so nothing can be asked.", code="no_policy")
        return await self.get(int(number))

    async def owned_by(self, user: str, directory: Directory) -> bool:
        """Whether this is an owner. Not to know is no."""
        owners = (await self.current()).owners
        return owners.has(user, await directory.people(owners.wanted)) is True

    async def number(self) -> int:
        """0 while there is none."""
        return int(await self._redis.hget(self._keys.policy_head, "version") or 0)

    async def enactments(self, *, most: int, before: int | None = None) -> list[tuple[int, Enactment | None]]:
        """When and how the newest versions came into force, newest first; None of one that was taken in before that was kept."""
        newest = await self.number() if before is None else before - 1
        numbers = range(newest, max(0, newest - most), -1)
        bodies = await self._redis.mget([self._keys.enactment(number) for number in numbers]) if numbers else []
        return [
            (number, Enactment.from_json(body) if body is not None else None)
            for number, body in zip(numbers, bodies, strict=True)
        ]

    async def enactment(self, number: int) -> Enactment | None:
        body = await self._redis.get(self._keys.enactment(number))
        return Enactment.from_json(body) if body is not None else None

    async def proposal(self, request: Request) -> str:
        """The set that a change of the policies brings, as it is stored. Raises `Unavailable` where it is not what was asked."""
        amendment = request.payload
        if not isinstance(amendment, Amendment):
            raise TypeError(request.kind)
        body = await self._redis.hget(self._keys.payload(request.id, request.revision), PROPOSED)
        if body is None and request.merged is not None:
            body = await self._redis.get(self._keys.policy(request.merged))
        self._scripts.round_trips += 1
        if body is None or fingerprint(text(body)) != amendment.content:
            raise tampered(f"What request {request.id} would put into force")
        return text(body)

    async def proposed(self, request: Request) -> PolicySet:
        """The same, read. Raises `Unavailable`."""
        content = request.payload.content if isinstance(request.payload, Amendment) else ""
        if content not in self._proposed:
            policies = PolicySet.from_json(await self.proposal(request))
            self._proposed[content] = policies
        return self._proposed[content]

    async def create(self, policies: PolicySet, *, actor: str, now_ms: int, skew_ms: int) -> bool:
        """Takes the first set of an installation in. False when there is one already: a start never applies a file."""
        body = policies.model_copy(update={"number": 1}).to_json()
        commit = Commit(self._keys, f"policy-create:{fingerprint(body)}")
        put_into_force(commit, 0, body, Enactment(how="first", by=actor, at_ms=now_ms))
        commit.audit([Audit(event="policy.created", actor=actor, at_ms=now_ms, details={"number": 1})])
        return (await commit.run(self._scripts, skew_ms)).status == "ok"


def fingerprint(body: str) -> str:
    """SHA-256, hex, of a set as it is stored."""
    return hashlib.sha256(body.encode()).hexdigest()


def put_into_force(commit: Commit, base: int, body: str, enactment: Enactment) -> None:
    """Version `base` + 1, unless another one than `base` is in force by then."""
    commit.write(commit.keys.policy_head, base, "")
    commit.set(commit.keys.policy(base + 1), body)
    commit.set(commit.keys.enactment(base + 1), enactment.to_json())
