"""Stored: a record as it lies in its key, and the version that a commit guards."""

from typing import TypeVar

from redis.asyncio import Redis

from store.model.record import Record

R = TypeVar("R", bound=Record)


async def stored(redis: Redis, key: str, kind: type[R]) -> tuple[R | None, int]:
    """None and 0 for what is not there. Raises `Unavailable` for what cannot be read."""
    body, version = await redis.hmget(key, ["body", "version"])
    return (kind.from_json(body) if body is not None else None), int(version or 0)
