"""The store as production wires it, under a clock that stands until a test moves it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from redis.asyncio import Redis

from scheduler.metrics import Metrics
from tests.scheduler.hooked import House
from tests.store.redis.corridor import Corridor


@pytest.fixture
async def corridor(real_redis: Redis) -> Corridor:
    corridor = Corridor(real_redis)
    await corridor.enact()
    return corridor


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def house(corridor: Corridor, metrics: Metrics) -> AsyncIterator[House]:
    house = House(corridor, metrics)
    app = web.Application()
    app.add_routes(house.receiver.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    house.place = f"127.0.0.1:{runner.addresses[0][1]}"
    await house.enact()
    yield house
    await house.relay.drain(0)
    await house.outgoing.close()
    await runner.cleanup()
