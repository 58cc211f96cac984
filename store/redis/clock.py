"""The one clock: Redis TIME plus a skew, in integer milliseconds."""

from collections.abc import Callable
from typing import TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError

from store.model.errors import Unavailable

Skew: TypeAlias = Callable[[], int]  # milliseconds; 0 in production, only tests and the playground have another


def no_skew() -> int:
    return 0


class Dial:
    """The one clock, readable without asking Redis each time: set by `sync`, carried on by the monotonic clock."""

    def __init__(self, redis: Redis, skew: Skew, monotonic: Callable[[], float]) -> None:
        self._redis = redis
        self._skew = skew
        self._monotonic = monotonic
        self._ahead_ms = 0.0  # of the monotonic clock

    async def sync(self) -> None:
        """Raises `Unavailable`."""
        now = await now_ms(self._redis, no_skew)
        # The way back has passed since Redis looked: so this clock is a little late, and takes facts for older than they are.
        self._ahead_ms = now - self._monotonic() * 1000

    def now_ms(self) -> int:
        return int(self._monotonic() * 1000 + self._ahead_ms) + self._skew()


async def now_ms(redis: Redis, skew: Skew) -> int:
    """Raises `Unavailable`."""
    try:
        seconds, micros = await redis.time()
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from None
    return int(seconds) * 1000 + int(micros) // 1000 + skew()
