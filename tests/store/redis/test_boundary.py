"""The boundary by the server's own clock: the very script, nothing of it replaced, asked several times in every millisecond around `until`."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hiredis
import pytest
from redis.asyncio import Redis

from store.model.command import Activate
from store.model.token import Bearer
from store.redis.clock import no_skew, now_ms
from store.redis.commit import text
from store.redis.environments import Environments
from store.redis.scripts import Scripts
from store.redis.tokens import Tokens
from tests import servers
from tests.builders import NOW, REQ
from tests.store.redis.corridor import Corridor
from tests.tokens import machine_token, person_token

QUESTIONS = 600  # in one go
AHEAD_MS = 4  # before the end, when the first one goes off
PACKING_MS = 300
ROUNDS = 50  # until both milliseconds were met; nearly always it is the first


class Recording(Scripts):
    """The scripts as production runs them. `asked`: the last reading, word for word."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.asked: tuple[list[str], list[Any]] = ([], [])

    async def run(self, name: str, keys: list[str], args: list[str | int | bytes], *, frees: bool = False) -> Any:
        if name == "read":
            self.asked = (keys, list(args))
        return await super().run(name, keys, args, frees=frees)

    def sha(self) -> str:
        return self._hashes["read"]


@pytest.fixture
async def server() -> AsyncIterator[servers.Server]:
    """A server of its own that keeps nothing: a disk that is waited for would take whole milliseconds out."""
    server = servers.Server(servers.redis_binary() or servers.valkey_binary(), "--appendonly", "no").start()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
async def quick_redis(server: servers.Server) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        yield client


@pytest.mark.parametrize("door", ["slack", "person", "machine"])
async def test_a_value_leaves_one_millisecond_before_the_end_and_not_at_the_end(
    quick_redis: Redis, server: servers.Server, door: str
) -> None:
    corridor = Corridor(quick_redis)  # asked, approved and used under a clock that stands
    await corridor.enact()
    assert (await corridor.approved("change", A="x")).state == "merged"
    held = await corridor.do(await corridor.approved("open"), Activate(id="use", actor=REQ))
    assert held.lease is not None
    until_ms = held.lease.until_ms
    tokens = Tokens(quick_redis, corridor.keys, corridor.scripts, corridor.skew)
    shown = {
        "person": await person_token(tokens, REQ, NOW, expires_ms=until_ms + 60_000),
        "machine": await machine_token(tokens, NOW, expires_ms=until_ms),
    }

    scripts, skew_ms = Recording(quick_redis), until_ms - 60_000 - await now_ms(quick_redis, no_skew)
    place = Environments(quick_redis, corridor.keys, scripts, corridor.ring, lambda: skew_ms, corridor.random)
    if door == "slack":
        await place.read(held.id, REQ)
    else:
        await place.read_by_token(Bearer.read(shown[door]), "payments/prod")
    keys, args = scripts.asked

    last, first, asked = False, False, 0
    for _ in range(ROUNDS):
        before = await corridor.log.number()
        skew_ms = until_ms - PACKING_MS - await now_ms(quick_redis, no_skew)
        given = 0
        for begun, reply, done in questions(server.socket, until_ms, scripts.sha(), keys, [skew_ms, *args[1:]]):
            asked += 1
            if text(reply[0]) == "ok":
                at_ms = int(reply[1])
                assert begun + skew_ms <= at_ms <= done + skew_ms
                assert at_ms < until_ms
                given += 1
                last |= at_ms == until_ms - 1
            else:
                assert text(reply[0]) == ("token" if door == "machine" else "over")
                assert done + skew_ms >= until_ms  # never too early
                first |= begun == done == until_ms - skew_ms
        assert await corridor.log.number() == before + given  # an entry for each that was given, and for no other
        if last and first:
            break
    print(f"{door}: {asked} questions around the end")  # noqa: T201 - what was tried is a part of the answer
    assert last, "no question met the last millisecond"
    assert first, "no question met the first one of the end"


def questions(path: Path, until_ms: int, sha: str, keys: list[str], args: list[Any]) -> list[tuple[int, Any, int]]:
    """All packed beforehand, and sent when the end is near. Each with the server's own time right before and right after it, ms."""
    one = packed("EVALSHA", sha, len(keys), *keys, *args) + packed("TIME")
    all_of_them = packed("TIME") + one * QUESTIONS
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(path))
        while time_of(exchanged(server, packed("TIME"), 1)[0]) + int(args[0]) < until_ms - AHEAD_MS:
            pass
        answers = exchanged(server, all_of_them, 2 * QUESTIONS + 1)
    times = [time_of(answer) for answer in answers[::2]]
    return list(zip(times, answers[1::2], times[1:], strict=False))


def packed(*words: Any) -> bytes:
    raw = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in raw)


def exchanged(server: socket.socket, sent: bytes, count: int) -> list[Any]:
    reader = hiredis.Reader()
    answers: list[Any] = []
    server.settimeout(20)
    server.sendall(sent)
    while len(answers) < count:
        reader.feed(server.recv(1 << 20))
        while (answer := reader.gets()) is not False:
            assert not isinstance(answer, Exception), answer
            answers.append(answer)
    return answers


def time_of(answer: Any) -> int:
    seconds, micros = answer
    return int(seconds) * 1000 + int(micros) // 1000
