"""The one clock: Redis TIME plus a skew, in integer milliseconds."""

from collections.abc import Callable
from typing import TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError

from store.model.errors import Unavailable

Skew: TypeAlias = Callable[[], int]  # milliseconds; 0 in production, only tests and the playground have another


def no_skew() -> int:
    return 0


async def now_ms(redis: Redis, skew: Skew) -> int:
    """Raises `Unavailable`."""
    try:
        seconds, micros = await redis.time()
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from None
    return int(seconds) * 1000 + int(micros) // 1000 + skew()
