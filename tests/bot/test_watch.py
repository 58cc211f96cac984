"""Watch: a Redis that forgets gives nothing, and what is wrong is said once, in sentences."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from bot.watch import Watch
from scheduler.metrics import Metrics
from store.keys.ring import Keyring
from store.model.errors import Unavailable
from store.redis.client import Client, connect
from store.redis.clock import Dial, no_skew
from store.redis.durability import EVERYSEC, NO_AOF, NO_FSYNC
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.scripts import Scripts
from tests import builders, servers
from tests.builders import INSTALLATION
from tests.scheduler.measured import measured
from tests.store.keys.holders import Draws, Memory

GIVES_NOTHING: Final = "Nothing is granted or read for now. "


@pytest.fixture
async def server() -> AsyncIterator[servers.Server]:
    """One of its own: it is set up wrongly, and killed."""
    server = servers.Server(servers.valkey_binary(), *servers.DURABLE).start()
    yield server
    server.remove()


@pytest.fixture
async def redis(server: servers.Server) -> AsyncIterator[Client]:
    client = connect(server.url)
    yield client
    await client.aclose()


@pytest.fixture
def holders() -> list[Memory]:
    return [Memory("a"), Memory("b")]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def watch(redis: Client, holders: list[Memory], metrics: Metrics) -> Watch:
    ring = Keyring(holders, INSTALLATION, Draws("watch"), lambda: 0.0)

    async def challenged() -> list[str]:
        return [error.sentence for error in (await ring.challenge_all()).values() if error is not None]

    return Watch(redis, Dial(redis, no_skew, lambda: 0.0), metrics, challenged)


async def test_where_all_is_well_nothing_is_said(watch, metrics):
    await watch.first_look()
    assert watch.sentences == ()
    assert watch.fit() is None
    assert measured(metrics, "degraded") == 0


@pytest.mark.parametrize(("settings", "finding"), [({"appendonly": "no"}, NO_AOF), ({"appendfsync": "no"}, NO_FSYNC)])
async def test_nothing_starts_on_a_redis_that_forgets(watch, redis, settings, finding):
    for name, value in settings.items():
        await redis.config_set(name, value)
    with pytest.raises(Unavailable) as raised:
        await watch.first_look()
    assert raised.value.detail == "redis_forgets"
    assert finding.sentence in raised.value.sentence


async def test_what_only_should_be_known_stops_nothing(watch, redis, metrics):
    await redis.config_set("appendfsync", "everysec")
    await watch.first_look()
    assert watch.sentences == (EVERYSEC.sentence,)
    assert watch.fit() is None
    assert measured(metrics, "degraded") == 0


async def test_one_that_begins_to_forget_gives_nothing_until_it_is_mended(watch, redis, metrics):
    await watch.first_look()
    await redis.config_set("appendfsync", "everysec")  # known, and not the reason
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    await watch.look()
    why = watch.fit()
    assert why is not None
    assert why.startswith(GIVES_NOTHING + "Redis throws records away")
    assert measured(metrics, "degraded") == 1
    await redis.config_set("maxmemory-policy", "noeviction")
    await watch.look()
    assert watch.fit() is None
    assert measured(metrics, "degraded") == 0


async def test_what_is_wrong_is_said_once_and_again_when_it_comes_back(watch, redis):
    async def said() -> list[Any]:
        with capture_logs() as logs:
            await watch.look()
        return [entry["why"] for entry in logs if entry["event"] == "health"]

    await redis.config_set("appendfsync", "everysec")
    assert await said() == [EVERYSEC.sentence]
    assert await said() == []
    await redis.config_set("appendfsync", "always")
    assert await said() == []
    await redis.config_set("appendfsync", "everysec")
    assert await said() == [EVERYSEC.sentence]


async def test_a_key_holder_that_does_not_work_is_named_and_stops_no_other(watch, holders):
    holders[0].off = True
    await watch.look()
    (sentence,) = watch.sentences
    assert "a is switched off." in sentence
    assert watch.fit() is None


async def test_a_silent_redis_is_said_and_changes_no_judgement(watch, redis, server):
    await watch.first_look()
    assert await watch.redis() is None
    server.kill()
    assert await watch.redis() is not None
    with pytest.raises(Unavailable):
        await watch.look()
    assert watch.fit() is None
    server.start()
    await watch.look()
    assert await watch.redis() is None


async def test_without_policies_nothing_can_be_asked(watch, redis, server):
    policies = Policies(redis, Keys(INSTALLATION), Scripts(redis))
    check = watch.policies(policies)
    assert await check() == "There are no policies yet."
    await policies.create(builders.policies(), actor="clock", now_ms=1, skew_ms=0)
    assert await check() is None
    server.kill()
    assert "does not answer" in (await check() or "")
