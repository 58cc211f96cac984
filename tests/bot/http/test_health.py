"""Health: alive, ready, and in numbers, over a real socket."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from bot.http.health import Health
from bot.http.server import HttpServer
from bot.settings import Address
from scheduler.metrics import Metrics

Ask = Callable[[str], Any]


@pytest.fixture
def faults() -> dict[str, str | None]:
    return {"redis": None, "slack": None}


@pytest.fixture
async def ask(faults: dict[str, str | None], metrics: Metrics) -> AsyncIterator[Ask]:
    def check(name: str) -> Callable[[], Any]:
        async def answer() -> str | None:
            return faults[name]

        return answer

    server = HttpServer(
        Address("127.0.0.1", 0), Health({name: check(name) for name in faults}, metrics.registry).routes()
    )
    await server.start()
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{server.port}{path}") as response:
                return response.status, await response.text()

        yield get
    await server.stop()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


async def test_it_is_alive_whatever_it_lacks(ask, faults):
    faults["redis"] = "Redis does not answer."
    assert await ask("/healthz") == (200, '{"status": "ok"}')


async def test_it_is_ready_when_nothing_is_lacking(ask):
    assert await ask("/readyz") == (200, '{"status": "ready"}')


async def test_what_it_lacks_is_said_in_sentences(ask, faults):
    faults["slack"] = "The socket to Slack is not connected."
    status, text = await ask("/readyz")
    assert status == 503
    assert '"slack": "The socket to Slack is not connected."' in text
    assert "redis" not in text
    faults["redis"] = "Redis does not answer."
    assert "redis" in (await ask("/readyz"))[1]


async def test_numbers(ask, metrics):
    metrics.alarms.labels("poison").inc(3)
    metrics.lane_depth.labels("slack").set(7)
    status, text = await ask("/metrics")
    assert status == 200
    assert 'countersign_alarms_total{kind="poison"} 3.0' in text
    assert 'countersign_lane_depth{lane="slack"} 7.0' in text


async def test_there_is_nothing_else(ask):
    for path in ("/", "/slack/events", "/v1/requests", "/metrics/../secret"):
        assert (await ask(path))[0] == 404
