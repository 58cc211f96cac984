"""The installation: an id minted once, by which every key and every seal knows where it belongs."""

from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from store.model.errors import Unavailable
from store.redis.commit import text
from store.redis.keys import INSTALLATION


async def installation_id(redis: Redis, random: Callable[[int], bytes]) -> str:
    """Raises `Unavailable`."""
    try:
        if (known := await redis.get(INSTALLATION)) is None:  # a full server lets us read, so taking away goes on
            await redis.set(INSTALLATION, random(8).hex(), nx=True)
            known = await redis.get(INSTALLATION)
        return text(known)
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from None
