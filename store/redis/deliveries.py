"""Deliveries: how telling each hook of each event goes."""

from collections.abc import Iterable

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.delivery import COALESCED, Delivery
from store.model.effect import ShowCard
from store.model.request import Request
from store.redis.clock import Skew
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts

PLACES = {  # what tells the deliveries of one hook apart, by the kind of the request
    "change": ("",),
    "deploy": (":deploy",),
    "open": (":access.granted", ":access.ended"),
    "access": (":access.granted", ":access.ended"),
}


def waiting_index(delivery: Delivery, environment_id: str | None) -> tuple[str, int]:
    """Where it stands until it is over, and by what: versions by their number, all else by when it happened."""
    if delivery.event in COALESCED:
        return f"hook:{environment_id}/{delivery.hook}", delivery.version
    return f"fires:{delivery.environment}/{delivery.hook}", delivery.at_ms


class Deliveries:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def of(self, request: Request) -> tuple[Delivery, ...]:
        """Of every hook that was told of it, in their order."""
        return await self._read(
            [f"{request.id}/{hook}{place}" for hook in request.hooks for place in PLACES.get(request.kind, ())]
        )

    async def one(self, request: str, place: str) -> Delivery | None:
        found = await self._read([f"{request}/{place}"])
        return found[0] if found else None

    async def waiting(self, index: str) -> list[Delivery]:
        """Not over yet, oldest first. `index` as `waiting_index` names it."""
        members = [text(member) for member in await self._redis.zrange(self._keys.index(index), 0, -1)]
        hook = index.rpartition("/")[2]  # a member of former versions is the request alone
        return list(await self._read([member if "/" in member else f"{member}/{hook}" for member in members]))

    async def report(self, environment_id: str | None, before: Delivery, after: Delivery, *, now_ms: int) -> bool:
        """One step of a delivery, its card and its trace, in one commit. False: somebody else has reported meanwhile."""
        key = self._keys.delivery(after.request, after.place)
        stored = await self._redis.hmget(key, ["body", "version"])
        if stored[0] is None or Delivery.from_json(stored[0]) != before:
            return False
        commit = Commit(self._keys, f"delivery:{after.message_id}:{after.attempts}:{after.state}", frees=True)
        commit.write(key, int(stored[1] or 0), after.to_json())
        dead = f"{after.environment}#{after.hook}"
        if after.state in ("failed", "delivered"):
            commit.rank(self._keys.index("dead"), dead, now_ms if after.state == "failed" else None)
        if after.state != "waiting":
            index, _ = waiting_index(after, environment_id)
            commit.rank(self._keys.index(index), f"{after.request}/{after.place}", None)
            details: dict[str, str | int | None] = {
                "hook": after.hook,
                "event": after.event,
                "version": after.version,
                "attempts": after.attempts,
            }
            commit.audit(
                [
                    Audit(
                        event=f"hook.{after.state}",
                        actor="relay",
                        at_ms=now_ms,
                        request=after.request,
                        target=after.environment,
                        details=details,
                    )
                ]
            )
        commit.put([ShowCard(request=after.request)])
        return (await commit.run(self._scripts, self._skew())).status == "ok"

    async def _read(self, members: Iterable[str]) -> tuple[Delivery, ...]:
        """`members`: request/place."""
        keys = [self._keys.delivery(*member.split("/", 1)) for member in members]
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(key, "body")
            bodies = await pipe.execute() if keys else []
        return tuple(Delivery.from_json(body) for body in bodies if body is not None)
