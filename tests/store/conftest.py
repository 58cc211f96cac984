"""What tests of the store share: the corridor, on each kind of Redis."""

import pytest
from redis.asyncio import Redis

from tests.store.redis.corridor import Corridor


@pytest.fixture
async def corridor(any_redis: Redis) -> Corridor:
    """Two leads decide about everything, and everybody is known."""
    corridor = Corridor(any_redis)
    await corridor.enact()
    return corridor
