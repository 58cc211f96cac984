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
    tokens: dict[str, str]  # whose: `rosa`, who holds a grant; `ben`, who decides; `machine`

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.house.app.http.port}"

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(timeout=60)


@contextmanager
def serving(server: servers.Server, folder: Path) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="house")
    thread.start()
    try:
        house = asyncio.run_coroutine_threadsafe(_opened(server, folder), loop).result(timeout=60)
        served = Served(house, loop, {})
        try:
            served.tokens = served.run(_tokens(house))
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


async def _tokens(house: House) -> dict[str, str]:
    """And Rosa reads production for an hour."""
    app = house.app
    asked = await app.asking.open(
        seed.ROSA, Target.parse("payments/prod"), duration_ms=HOUR, reason="INC-7", ticket=None, command_id="served"
    )
    assert asked.request is not None
    one = asked.request
    await app.requests.apply(one.id, Approve(id="s:1", actor=seed.BEN, revision=one.revision, digest=one.digest))
    await app.requests.apply(one.id, Activate(id="s:2", actor=seed.ROSA))
    return {
        "rosa": await person_token(app.tokens, seed.ROSA, house.now_ms(), expires_ms=house.now_ms() + 9 * HOUR),
        "ben": await person_token(app.tokens, seed.BEN, house.now_ms(), expires_ms=house.now_ms() + 9 * HOUR),
        "machine": await machine_token(app.tokens, house.now_ms()),
    }
