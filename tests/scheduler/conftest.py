"""The store as production wires it, under a clock that stands until a test moves it."""

import pytest
from redis.asyncio import Redis

from scheduler.metrics import Metrics
from tests.store.redis.corridor import Corridor


@pytest.fixture
async def corridor(real_redis: Redis) -> Corridor:
    corridor = Corridor(real_redis)
    await corridor.enact()
    return corridor


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()
