"""Older: what lies there from before scripts read by fields beside a body gets those fields, at the start of each process."""

from collections.abc import Iterable

from redis.asyncio import Redis

from store.model.environment import Environment
from store.model.request import Request
from store.model.sealed import Manifest
from store.redis import projection
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts


class Older:
    """Bodies stay as they are. Several processes may do it at once, beside those that work."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def mend(self, targets: Iterable[str]) -> int:
        """Environments by these names, and what anybody holds; how many records that were. Raises `Unavailable`."""
        environments = [self._keys.environment(target) for target in targets]
        held = await self._redis.zrange(self._keys.index("live"), 0, -1)
        requests = [self._keys.request(text(request)) for request in held]
        lacking = [key for key in await self._without(environments, "id") if await self._environment(key)]
        return len(lacking) + len([key for key in await self._without(requests, "target") if await self._held(key)])

    async def _without(self, records: list[str], field: str) -> list[str]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in records:
                pipe.hmget(key, ["body", field])
            found = await pipe.execute() if records else []
        return [key for key, (body, there) in zip(records, found, strict=True) if body is not None and there is None]

    async def _environment(self, key: str) -> bool:
        body, version = await self._stored(key)
        environment = Environment.from_json(body)
        commit = self._commit(key, version)
        commit.write(key, version, body, projection.environment_fields(environment))
        head_key = self._keys.head(environment.id)
        head, moved = await self._stored(head_key)
        if head:
            commit.write(head_key, moved, head, projection.head_fields(Manifest.from_json(head)))
        commit.rank(self._keys.index("environments"), environment.target, await now_ms(self._redis, self._skew))
        return (await commit.run(self._scripts, self._skew())).status == "ok"

    async def _held(self, key: str) -> bool:
        body, version = await self._stored(key)
        request = Request.from_json(body)
        commit = self._commit(key, version)
        commit.write(key, version, body, projection.fields(request))
        for index, score in projection.ranks(request, frozenset()).items():
            commit.rank(self._keys.index(index), request.id, score)
        return (await commit.run(self._scripts, self._skew())).status == "ok"

    async def _stored(self, key: str) -> tuple[str, int]:
        body, version = await self._redis.hmget(key, ["body", "version"])
        return text(body or ""), int(version or 0)

    def _commit(self, key: str, version: int) -> Commit:
        return Commit(self._keys, f"older:{key.removeprefix(self._keys.prefix)}:{version}", frees=True)
