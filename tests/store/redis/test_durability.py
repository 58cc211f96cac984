"""The durability check against servers that are really set up that way, and a table of what INFO can say."""

import socket
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from store.model.errors import Unavailable
from store.redis import durability
from store.redis.durability import Durability, Verdict, inspect
from tests import servers

AOF = ("--appendonly", "yes")


@contextmanager
def configured(*options: str, binary: str | None = None):
    found = binary or servers.redis_binary()
    if found is None:
        servers.missing("redis-server", "redis-server")
        return
    server = servers.Server(found, *options).start()
    try:
        yield server
    finally:
        server.remove()


async def verdict_of(server: servers.Server, replicas: int = 0) -> Durability:
    async with Redis.from_url(server.url) as client:
        return await inspect(client, replicas=replicas)


@pytest.mark.parametrize(
    ("options", "verdict", "says"),
    [
        ((*AOF, "--appendfsync", "always"), Verdict.FIT, ""),
        ((*AOF, "--appendfsync", "everysec"), Verdict.WARN, "up to a second"),
        ((*AOF, "--appendfsync", "no"), Verdict.REFUSE, "Set `appendfsync always`"),
        ((), Verdict.REFUSE, "Set `appendonly yes`"),
        ((*servers.DURABLE, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"), Verdict.REFUSE, "allkeys-lru"),
        ((*servers.DURABLE, "--replicaof", "127.0.0.1 1"), Verdict.REFUSE, "is a replica"),
        ((*servers.DURABLE, "--no-appendfsync-on-rewrite", "yes"), Verdict.WARN, "half a minute"),
        ((*AOF, "--rename-command", "CONFIG", ""), Verdict.WARN, "CONFIG is forbidden"),
    ],
)
async def test_each_configuration_gets_its_verdict_and_what_to_do(
    options: tuple[str, ...], verdict: Verdict, says: str
):
    with configured(*options) as server:
        found = await verdict_of(server)
    assert found.verdict is verdict
    assert found.may_grant is (verdict < Verdict.DEGRADE)
    assert len(found.findings) == (verdict is not Verdict.FIT)
    assert says in " ".join(finding.sentence for finding in found.findings)


async def test_a_failed_write_degrades_until_the_disk_takes_it_again(tmp_path: Path):
    """A limit on file sizes stands for a full disk."""
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\ntrap "" XFSZ\nulimit -f 8\nexec {servers.redis_binary()} "$@"\n')
    limited.chmod(0o755)
    options = (*AOF, "--appendfsync", "everysec", "--loglevel", "warning")
    with configured(*options, binary=str(limited)) as server:
        async with Redis.from_url(server.url, retry=None) as client:
            assert (await inspect(client)).verdict is Verdict.WARN
            await client.set("k", b"v" * 10_000)
            found = await inspect(client)
            assert found.verdict is Verdict.DEGRADE
            assert durability.WRITE_FAILED in found.findings


async def test_promised_replicas_must_be_online():
    port = free_port()
    with configured(*servers.DURABLE, "--port", str(port), "--repl-diskless-sync-delay", "0") as primary:
        missing = await verdict_of(primary, replicas=1)
        assert missing.verdict is Verdict.DEGRADE
        assert "0 of 1" in missing.findings[0].sentence
        with configured(*servers.DURABLE, "--replicaof", f"127.0.0.1 {port}") as replica:
            async with Redis.from_url(primary.url) as client:
                await client.set("k", b"v")
                assert await client.wait(1, 5_000) == 1
                assert (await inspect(client, replicas=1)).verdict is Verdict.FIT
                assert (await inspect(client, replicas=2)).verdict is Verdict.DEGRADE
            assert (await verdict_of(replica)).verdict is Verdict.REFUSE


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_config_forbidden_by_an_acl_is_no_reason_to_stop(real_redis: Redis, redis_url: str):
    await real_redis.acl_setuser("app", enabled=True, passwords=["+p"], keys=["*"], commands=["+@all", "-config"])
    try:
        async with Redis.from_url(redis_url, username="app", password="p") as client:
            found = await inspect(client)
    finally:
        await real_redis.acl_deluser("app")
    assert found.findings == (durability.UNKNOWN_FSYNC,)


async def test_a_wrong_password_and_an_absent_server_are_said(real_redis: Redis, redis_url: str, tmp_path: Path):
    async with Redis.from_url(redis_url, username="nobody", password="p") as client:
        with pytest.raises(Unavailable, match="the password in REDIS_URL is wrong"):
            await inspect(client)
    async with Redis.from_url(f"unix://{tmp_path}/absent", retry=None) as client:
        with pytest.raises(Unavailable, match="does not answer"):
            await inspect(client)


async def test_several_faults_are_all_told():
    with configured("--maxmemory-policy", "volatile-ttl") as server:
        found = await verdict_of(server, replicas=2)
    assert [finding.verdict for finding in found.findings] == [Verdict.REFUSE, Verdict.REFUSE, Verdict.DEGRADE]


def test_what_is_not_said_counts_as_unfit():
    assert durability.judge({}, {}).verdict is Verdict.REFUSE
    assert durability.judge({"role": "master", "aof_enabled": 1, "maxmemory_policy": "noeviction"}, {}).findings == (
        durability.NO_FSYNC,
    )


def test_a_replica_that_is_still_loading_is_not_online():
    fit = {"role": "master", "aof_enabled": 1, "maxmemory_policy": "noeviction", "connected_slaves": 1}
    always: dict[str, str | None] = {"appendfsync": "always"}
    assert durability.judge({**fit, "slave0": {"state": "online"}}, always, 1).verdict is Verdict.FIT
    assert durability.judge({**fit, "slave0": {"state": "wait_bgsave"}}, always, 1).verdict is Verdict.DEGRADE
