"""The wire of scripts: answers in the order of the questions, and what happens where none comes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import NoScriptError, ResponseError

from store.model.errors import Unavailable
from store.redis.client import Client, connect
from tests import servers

ECHO = "return ARGV[1]"


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    opened = connect(redis_url)
    yield opened
    await opened.aclose()


async def connections(client: Client) -> set[str]:
    """Ids of all that the server has."""
    return {each["id"] for each in await client.client_list()}


async def test_everybody_gets_their_own_answer_over_one_connection(client: Client) -> None:
    sha = await client.script_load(ECHO)
    before = await connections(client)
    asked = [str(number).encode() * (number % 50 + 1) * 300 for number in range(200)]
    assert await asyncio.gather(*(client.evalsha(sha, 0, each) for each in asked)) == asked
    assert len(await connections(client) - before) == 1


async def test_an_answer_that_nobody_waits_for_any_more_is_given_to_nobody_else(client: Client) -> None:
    sha = await client.script_load(ECHO)
    await client.evalsha(sha, 0, "first")
    given_up = asyncio.ensure_future(client.evalsha(sha, 0, "given up"))
    await asyncio.sleep(0)  # it is asked
    given_up.cancel()
    assert await client.evalsha(sha, 0, "next") == b"next"
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_refusals_are_what_redis_says(client: Client) -> None:
    with pytest.raises(NoScriptError):
        await client.evalsha("0" * 40, 0)
    sha = await client.script_load("return redis.call('GET')")
    with pytest.raises(ResponseError, match="Wrong number of args"):
        await client.evalsha(sha, 0)
    assert await client.evalsha(await client.script_load("return false"), 0) is None


async def test_a_connection_that_was_cut_leaves_the_answer_unknown_and_the_next_question_makes_another(
    client: Client,
) -> None:
    sha = await client.script_load(ECHO)
    await client.evalsha(sha, 0, "before")
    await client.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
    waiting = asyncio.ensure_future(client.evalsha(sha, 0, "paused"))
    await asyncio.sleep(0)  # it is asked
    await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await client.execute_command("CLIENT", "UNPAUSE")
    with pytest.raises(Unavailable) as refusal:
        await waiting
    assert refusal.value.detail == "unknown"
    assert await client.evalsha(sha, 0, "after") == b"after"


async def test_a_silent_server_is_waited_for_no_longer_than_that_and_its_late_answer_is_nobody_elses(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.redis.client.TIMEOUT_S", 0.1)
    sha = await client.script_load(ECHO)
    await client.evalsha(sha, 0, "before")
    await client.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
    with pytest.raises(Unavailable) as refusal:
        await client.evalsha(sha, 0, "paused")
    await client.execute_command("CLIENT", "UNPAUSE")
    assert refusal.value.detail == "unknown"
    assert await client.evalsha(sha, 0, "after") == b"after"


async def test_a_master_that_became_a_replica_is_left(client: Client) -> None:
    """Sentinel is asked again who is the master by whoever connects next."""
    sha = await client.script_load("return redis.error_reply('READONLY You must not write against a replica.')")
    for _ in range(2):
        with pytest.raises(Unavailable, match="replica"):
            await client.evalsha(sha, 0)
    assert client._wire is not None
    assert client._wire.lost


async def test_a_password_and_a_database_are_those_of_the_address() -> None:
    server = servers.Server(servers.valkey_binary(), *servers.DURABLE).start()
    first, client = connect(server.url), connect(f"unix://:s3cret@{server.socket}?db=3")
    try:
        await first.config_set("requirepass", "s3cret")
        await client.set("name", "three")
        sha = await client.script_load("return redis.call('GET', KEYS[1])")
        assert await client.evalsha(sha, 1, "name") == b"three"
    finally:
        await client.aclose()
        await first.aclose()
        server.remove()
