"""Served: a house whose program answers over HTTP in a thread of its own, for clients that block."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from redis.asyncio import Redis

from playground import seed
from playground.house import House
from store.model.command import Activate, Approve
from store.model.identity import Target
from store.model.policy import HOUR
from tests import servers
from tests.tokens import machine_token, person_token

T = TypeVar("T")


@dataclass
class Served:
    house: House
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.house.app.http.port}"

    def token(self, who: str) -> str:
        """A new one of Rosa, who reads production, or of a machine that may."""
        tokens, now_ms = self.house.app.tokens, self.house.now_ms()
        made = person_token(tokens, seed.ROSA, now_ms) if who == "rosa" else machine_token(tokens, now_ms)
        return self.run(made)

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(timeout=60)


@contextmanager
def serving(server: servers.Server, folder: Path) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="house")
    thread.start()
    try:
        house = asyncio.run_coroutine_threadsafe(_opened(server, folder), loop).result(timeout=60)
        served = Served(house, loop)
        try:
            served.run(_reading(house))
            yield served
        finally:
            served.run(house.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _opened(server: servers.Server, folder: Path) -> House:
    async with Redis.from_url(server.url) as client:
        await client.flushall()
    house = House(folder / "house", environ={"REDIS_URL": server.url}, http=True)
    await house.open()
    await house.move_in()
    return house


async def _reading(house: House) -> None:
    """Rosa reads production for an hour."""
    app = house.app
    asked = await app.asking.open(
        seed.ROSA, Target.parse("payments/prod"), duration_ms=HOUR, reason="INC-7", ticket=None, command_id="served"
    )
    assert asked.request is not None
    one = asked.request
    await app.requests.apply(one.id, Approve(id="s:1", actor=seed.BEN, revision=one.revision, digest=one.digest))
    await app.requests.apply(one.id, Activate(id="s:2", actor=seed.ROSA))
