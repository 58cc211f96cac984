"""The set-up itself: the fixtures, the locks, the commands."""

from redis.asyncio import Redis

from tests import servers


async def test_every_kind_of_redis_starts_empty_and_runs_lua(any_redis: Redis):
    assert await any_redis.dbsize() == 0
    assert await any_redis.eval("return redis.call('INCR', KEYS[1])", 1, "k") == 1


async def test_the_real_redis_writes_every_change_to_disk(real_redis: Redis):
    assert await real_redis.dbsize() == 0
    await real_redis.set("k", b"v")
    assert (await real_redis.info("persistence"))["aof_enabled"] == 1
    assert (await real_redis.config_get("appendfsync")) == {"appendfsync": "always"}


async def test_a_killed_server_comes_back_with_what_it_had():
    server = servers.Server(servers.valkey_binary(), *servers.DURABLE).start()
    try:
        async with Redis.from_url(server.url) as client:
            await client.set("k", b"v")
        server.kill()
        server.start()
        async with Redis.from_url(server.url) as client:
            assert await client.get("k") == b"v"
    finally:
        server.remove()


def test_a_browser_is_where_it_says(chromium: str):
    assert chromium
