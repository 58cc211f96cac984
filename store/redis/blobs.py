"""Blobs: values that somebody sealed before asking for anything, to be named by a short reference, once, within an hour."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.blob import PREFIX, Blob, parse
from store.model.environment import Environment
from store.model.errors import Conflict, Invalid, NotFound
from store.model.identity import request_id, shown
from store.model.sealed import MAX_REQUEST_BYTES, MAX_REQUEST_ENTRIES, check_name, check_size, length_prefixed
from store.model.secret import Secret
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.environments import Environments, Value
from store.redis.keys import Keys
from store.redis.scripts import Scripts
from store.redis.stored import stored

KEPT_MS: Final = 3_600_000
WAITING_BYTES: Final = 4 * MAX_REQUEST_BYTES  # of one person, before sealing


@dataclass(frozen=True, slots=True)
class Put:
    """`reference` looks like `sealed:7Q2M4XK9TB`: it tells nothing of the value, and is nothing without its person."""

    reference: str
    expires_ms: int


class Blobs:
    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        environments: Environments,
        skew: Skew,
        random: Callable[[int], bytes],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._environments = environments
        self._skew = skew
        self._random = random

    async def put(
        self,
        environment: Environment,
        user: str,
        secret: Secret,
        *,
        name: str | None = None,
        mode: int | None = None,
    ) -> Put:
        """Sealed at once, for this person and environment. Raises `Invalid`, `Conflict`, `Unavailable`."""
        if name is not None:
            check_name(name, mode)
        check_size(name or "This", len(secret), mode)
        now = await now_ms(self._redis, self._skew)
        mine = self._keys.index(f"blobs:{user}")
        await self._redis.zremrangebyscore(mine, "-inf", now)
        waiting = [int(text(member).partition("/")[2]) for member in await self._redis.zrange(mine, 0, -1)]
        if len(waiting) >= MAX_REQUEST_ENTRIES or sum(waiting) + len(secret) > WAITING_BYTES:
            raise Conflict(
                f"{len(waiting)} values that you sealed wait to be asked for already. Ask for them first, or wait: each is dropped after an hour.",
                code="too_many_entries",
            )
        blob_id = request_id(self._random(7))
        key = await self._environments.key(environment.id, environment.epoch)
        entry = key.seal(_place(user, blob_id, name, mode), blob_id, secret, mode=0o600)
        blob = Blob(
            environment_id=environment.id, target=environment.target, user=user, name=name, mode=mode,
            expires_ms=now + KEPT_MS, entry=entry,
        )  # fmt: skip
        commit = Commit(self._keys, f"blob:{blob_id}")
        commit.write(self._keys.blob(blob_id), 0, blob.to_json())
        commit.expire(self._keys.blob(blob_id), KEPT_MS)
        commit.rank(mine, f"{blob_id}/{len(secret)}", blob.expires_ms)
        commit.expire(mine, 2 * KEPT_MS)
        details: dict[str, str | int | None] = {"name": name}
        commit.audit([Audit(event="value.sealed", actor=user, at_ms=now, target=environment.target, details=details)])
        if (await commit.run(self._scripts, self._skew())).status != "ok":
            raise Conflict("That could not be kept. Try again.", code="contended")
        return Put(f"{PREFIX}{blob_id}", blob.expires_ms)

    async def look(self, environment: Environment, user: str, typed: str, name: str) -> tuple[str, Value]:
        """What to take it by (see `Taking`), and the value, for this name. It stays until a request takes it. Raises `Invalid`, `NotFound`."""
        blob_id = parse(typed)
        again = f"Make one with `countersign seal {environment.target}`."
        if blob_id is None:
            raise Invalid(f"{shown(name)}: that is no reference. {again}", code="bad_reference")
        blob, _ = await stored(self._redis, self._keys.blob(blob_id), Blob)
        now = await now_ms(self._redis, self._skew)
        if blob is None or blob.user != user or now >= blob.expires_ms:
            raise NotFound(
                f"{PREFIX}{blob_id} is not there: a reference works once, within an hour, and only for who made it. {again}",
                code="no_such_blob",
            )
        if blob.environment_id != environment.id:
            raise Invalid(f"{PREFIX}{blob_id} was sealed for {blob.target}. {again}", code="other_environment")
        if blob.name is not None and blob.name != name:
            raise Invalid(
                f"{PREFIX}{blob_id} was sealed for the name {blob.name}, and this is {shown(name)}.", code="other_name"
            )
        place = _place(user, blob_id, blob.name, blob.mode)
        secret = await self._environments.open(blob.environment_id, place, blob.entry)
        return f"{blob_id}/{len(secret)}", Value(secret, blob.mode)


@dataclass(frozen=True, slots=True)
class Taking:
    """References that a request takes, in its commit: each once, whoever comes first."""

    user: str
    members: tuple[str, ...] = ()  # B/bytes

    async def demand(self, redis: Redis, keys: Keys) -> None:
        """Raises `Conflict` where one is taken already."""
        for member in self.members:
            if not await redis.exists(keys.blob(_id(member))):
                raise Conflict(
                    f"{PREFIX}{_id(member)} was taken meanwhile, or is over: a reference works once. Seal the value again.",
                    code="no_such_blob",
                )

    def write(self, commit: Commit) -> None:
        for member in self.members:
            commit.guard(commit.keys.blob(_id(member)), 1)
            commit.drop(commit.keys.blob(_id(member)))
            commit.rank(commit.keys.index(f"blobs:{self.user}"), member, None)


def _id(member: str) -> str:
    return member.partition("/")[0]


def _place(user: str, blob_id: str, name: str | None, mode: int | None) -> str:
    """What it is sealed under, so that another person's, name's or mode's record does not open it."""
    meant = length_prefixed(name or "", b"" if mode is None else mode)
    return f"blobs/{user}/{blob_id}/{hashlib.sha256(meant).hexdigest()}"
