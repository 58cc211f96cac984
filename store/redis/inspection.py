"""Inspection: what this Redis holds, counted and read for the operator. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from store.model.audit import Audit
from store.model.effect import Lane, Redeploy
from store.model.environment import Environment
from store.model.lock import Lock
from store.model.request import Request
from store.model.sealed import Epoch, Manifest
from store.redis.client import Client
from store.redis.commit import text
from store.redis.keys import INSTALLATION, Keys
from store.redis.locks import holding
from store.redis.stored import stored
from store.redis.versions import oldest_kept

MEMBER: Final = "member:"


async def known_installation(redis: Client) -> str | None:
    """None where no Countersign has ever started: looking must not mint one. Raises `Unavailable`."""
    found = await redis.get(INSTALLATION)
    return text(found) if found is not None else None


@dataclass(frozen=True, slots=True)
class Queue:
    """`oldest_ms`: when the next one is due, None where there is none. A claimed one is due when its lease ends."""

    count: int
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes. `limit` is `maxmemory`, else the machine's memory; None where the server tells neither."""

    used: int
    limit: int | None
    set_by_hand: bool
    file: int | None  # the append-only file
    since_ms: int | None  # the first audit entry


@dataclass(frozen=True, slots=True)
class Held:
    """What one environment takes up. `bytes`: of its sealed values and versions, None where the server does not tell."""

    target: str
    newest: int
    oldest: int
    bytes: int | None

    @property
    def versions(self) -> int:
        return self.newest - self.oldest + 1


class Inspection:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def lane(self, lane: Lane) -> Queue:
        return await self._queue(self._keys.lane(lane))

    async def due(self) -> Queue:
        return await self._queue(self._keys.due)

    async def attempts(self, lane: Lane, *, most: int) -> int:
        """The most tries that one of the next effects of a lane has seen."""
        members = await self._redis.zrange(self._keys.lane(lane), 0, most - 1)
        tried = [await self._redis.hget(self._keys.effect(lane, text(member)), "attempts") for member in members]
        return max((int(each or 0) for each in tried), default=0)

    async def retried_hooks(self, *, most: int) -> list[tuple[Redeploy, int]]:
        """Hooks that have not taken a version yet, and how often they were told of it."""
        members = [text(member) for member in await self._redis.zrange(self._keys.lane("hook"), 0, most - 1)]
        async with self._redis.pipeline(transaction=False) as pipe:
            for member in members:
                pipe.hmget(self._keys.effect("hook", member), ["body", "attempts"])
            found = await pipe.execute() if members else []
        tried = [(body, 0 if body is None else int(attempts or 0)) for body, attempts in found]
        return [
            (Redeploy.from_json(body), attempts)
            for member, (body, attempts) in zip(members, tried, strict=True)
            if attempts and member.startswith("redeploy:")
        ]

    async def dead_hooks(self, *, most: int) -> list[tuple[str, str, str]]:
        """Target, hook and what it has not heard of, of those that were given up, the newest first."""
        found = []
        for member in await self._redis.zrange(self._keys.index("dead"), 0, most - 1, desc=True):
            about = text(member).split(" ")
            if len(about) == 1:
                environment, _, hook = about[0].rpartition("#")
                found.append((environment, hook, "the newest version"))
            else:
                request, _, place = about[1].partition("/")
                hook, _, event = place.partition(":")
                found.append((about[2], hook, f"{event} of request {request}"))
        return found

    async def running(self, *, most: int) -> list[Request]:
        """Deploys that run, by when their report must have come."""
        return await self._of(await self._redis.zrange(self._keys.index("running"), 0, most - 1))

    async def silent(self, since_ms: int, *, most: int) -> list[Request]:
        """Deploys since then that ended because no report came, the newest first."""
        index = self._keys.index("silent")
        return await self._of(await self._redis.zrevrangebyscore(index, "+inf", since_ms, start=0, num=most))

    async def _of(self, members: Sequence[Any]) -> list[Request]:
        found = [await self.request(text(member)) for member in members]
        return [request for request in found if request is not None]

    async def debts(self) -> Queue:
        """Broken glasses that nobody has looked at yet, by when that is due."""
        return await self._queue(self._keys.index("debts"))

    async def epoch(self, environment_id: str, number: int) -> Epoch | None:
        body = await self._redis.get(self._keys.epoch(environment_id, number))
        return Epoch.from_json(body) if body is not None else None

    async def request(self, request_id: str) -> Request | None:
        return (await stored(self._redis, self._keys.request(request_id), Request))[0]

    async def locks(self, *, most: int) -> tuple[list[Lock], int]:
        return await holding(self._redis, self._keys, most=most)

    async def mine(self, user: str, *, most: int) -> list[Request]:
        """What somebody asked for, or what is for them, newest first."""
        found: Sequence[str | bytes] = await self._redis.zrevrange(self._keys.index(f"mine:{user}"), 0, most - 1)  # type: ignore[assignment]  # without scores
        return await self._bodies(found)

    async def unfinished(self, *, most: int) -> list[Request]:
        """Requests for which something will still happen by itself, the next one first: by the clock, then by a connector."""
        due = [text(member).partition("/")[0] for member in await self._redis.zrange(self._keys.due, 0, -1)]
        for member in await self._redis.zrange(self._keys.lane("connector"), 0, -1):
            index = self._keys.index(MEMBER + text(member).removeprefix(MEMBER))
            due += [text(request) for request in await self._redis.zrange(index, 0, -1)]
        return await self._bodies(list(dict.fromkeys(due))[:most])

    async def _bodies(self, requests: Sequence[str | bytes]) -> list[Request]:
        found = [await self.request(text(request)) for request in requests]
        return [request for request in found if request is not None]

    async def held(self, *, most: int) -> tuple[list[Held], int]:
        """Environments, the oldest first, and how many more there are."""
        index = self._keys.index("environments")
        targets = [text(member) for member in await self._redis.zrange(index, 0, most - 1)]
        found = [await self._held(target) for target in targets]
        more = int(await self._redis.zcard(index)) - len(targets)
        return [held for held in found if held is not None], max(0, more)

    async def _held(self, target: str) -> Held | None:
        environment, _ = await stored(self._redis, self._keys.environment(target), Environment)
        if environment is None:
            return None
        head, _ = await stored(self._redis, self._keys.head(environment.id), Manifest)
        oldest, _ = await oldest_kept(self._redis, self._keys, environment.id)
        newest = head.number if head is not None else oldest
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.memory_usage(self._keys.entries(environment.id))
                for number in range(oldest, newest + 1):
                    pipe.strlen(self._keys.manifest(environment.id, number))
                used: int | None = sum(int(size or 0) for size in await pipe.execute())
        except ResponseError:  # a managed server may not tell
            used = None
        return Held(target, newest, oldest, used)

    async def room(self) -> Room:
        info = await self._redis.info()
        first = await self._redis.xrange(self._keys.audit, count=1)
        by_hand = int(info.get("maxmemory") or 0)
        limit = by_hand or int(info.get("total_system_memory") or 0)
        return Room(
            used=int(info["used_memory"]),
            limit=limit or None,
            set_by_hand=bool(by_hand),
            file=int(info["aof_current_size"]) if "aof_current_size" in info else None,
            since_ms=Audit.from_json(next(iter((first[0][1] or {}).values()))).at_ms if first else None,
        )

    async def _queue(self, key: str) -> Queue:
        first = await self._redis.zrange(key, 0, 0, withscores=True)
        return Queue(int(await self._redis.zcard(key)), int(first[0][1]) if first else None)
