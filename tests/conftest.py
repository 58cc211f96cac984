"""What tests of every tier share: real servers, a browser, and how long Hypothesis searches.

A missing redis-server or Chromium is a failure where `CI` is set and a skip, in a sentence, elsewhere.

    real_redis    a client of a real server with an AOF, empty: redis-server, or on a laptop without it Valkey
    redis_url     the address of that server, empty, for code that connects by itself
    any_redis     the same test on such a server and, in `make slow`, on Valkey and on fakeredis with Lua
    chromium      the path of a Chromium
    tab           a tab of a browser that a process starts once, empty
"""

import gc
import shutil
import zlib
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING

import fakeredis
import pytest
import pytest_asyncio
import scim2_server.bulk  # noqa: F401  # before the rest: for each of its models `inspect` looks through all modules
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from tests import lengths, servers

if TYPE_CHECKING:
    from playwright.async_api import Page

settings.register_profile(
    lengths.PROFILE,
    max_examples=lengths.length(20, 300, 5_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile(lengths.PROFILE)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: the garbage collector need not look through it over and over."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Stories wait and rules compute: mixed, file by file and always the same, they leave no processor idle."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: zlib.crc32(item.path.name.encode()))


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.Server]:
    server = servers.Server(servers.valkey_binary(), *servers.DURABLE).start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Server]:
    """One for each xdist worker. Never kill it: start a `servers.Server` of your own for that."""
    binary = servers.redis_binary()
    if binary is None:
        servers.missing("redis-server", "redis-server")
        return
    server = servers.Server(binary, *servers.DURABLE).start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def real_server(request: pytest.FixtureRequest) -> servers.Server:
    known = servers.redis_binary() is not None or servers.IN_CI
    server: servers.Server = request.getfixturevalue("redis_server" if known else "valkey_server")
    return server


@pytest.fixture
async def redis_url(real_server: servers.Server) -> str:
    async with Redis.from_url(real_server.url) as client:
        await client.flushall()
        await client.script_flush()
    return real_server.url


@pytest.fixture
async def real_redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(params=["redis", *(pytest.param(name, marks=pytest.mark.slow) for name in ("fakeredis", "valkey"))])
async def any_redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    if request.param == "fakeredis":
        async with fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()) as client:
            yield client
        return
    server: servers.Server = request.getfixturevalue({"redis": "real_server", "valkey": "valkey_server"}[request.param])
    async with Redis.from_url(server.url) as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="session")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    servers.missing("Chromium", "chromium")
    raise AssertionError


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def tab(chromium: str) -> AsyncIterator["Page"]:
    from tests import browser  # most tests need none

    async with browser.opened(chromium) as context:
        yield await context.new_page()
