"""Deliveries: how telling each hook of each merged version goes."""

from collections.abc import Iterable

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.delivery import Delivery
from store.model.effect import ShowCard
from store.redis.clock import Skew
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts


class Deliveries:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def of(self, request: str, hooks: Iterable[str]) -> tuple[Delivery, ...]:
        bodies = [await self._redis.hget(self._keys.delivery(request, hook), "body") for hook in hooks]
        return tuple(Delivery.from_json(body) for body in bodies if body is not None)

    async def waiting(self, environment_id: str, hook: str) -> list[Delivery]:
        """Not delivered yet, oldest version first."""
        members = await self._redis.zrange(self._keys.index(f"hook:{environment_id}/{hook}"), 0, -1)
        return [delivery for member in members for delivery in await self.of(text(member), [hook])]

    async def report(self, environment_id: str, before: Delivery, after: Delivery, *, now_ms: int) -> bool:
        """One step of a delivery, its card and its trace, in one commit. False: somebody else has reported meanwhile."""
        key = self._keys.delivery(after.request, after.hook)
        stored = await self._redis.hmget(key, ["body", "version"])
        if stored[0] is None or Delivery.from_json(stored[0]) != before:
            return False
        commit = Commit(self._keys, f"delivery:{after.message_id}:{after.attempts}:{after.state}", frees=True)
        commit.write(key, int(stored[1] or 0), after.to_json())
        dead = f"{after.environment}#{after.hook}"
        if after.state in ("failed", "delivered"):
            commit.rank(self._keys.index("dead"), dead, now_ms if after.state == "failed" else None)
        if after.state != "waiting":
            commit.rank(self._keys.index(f"hook:{environment_id}/{after.hook}"), after.request, None)
            details: dict[str, str | int | None] = {
                "hook": after.hook,
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
