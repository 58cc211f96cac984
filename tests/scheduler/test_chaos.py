"""Hooks against receivers as they are: what is lost, repeated, slow, wrong or silent ends on the last version, and delays nobody else."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from scheduler.connectors.hook import DELAYS_MS
from store.model.policy import HOUR, Hook, TargetConfig
from store.redis.client import connect
from tests.builders import TARGETS
from tests.scheduler.hooked import House
from tests.store.redis.corridor import Corridor

ROUNDS: Final = 24
SILENT_S: Final = 0.4


@pytest.fixture
async def corridor(redis_url: str) -> AsyncIterator[Corridor]:
    """Over the client of production: it lets hundreds wait where another one refuses the hundred-and-first."""
    async with connect(redis_url) as client:
        corridor = Corridor(client)
        await corridor.enact()
        yield corridor


class Receiver:
    """Loses three in ten (before or after it has taken them), answers late and wrongly, forgets its sockets, and applies by version."""

    def __init__(self, seed: int, secret: str) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a story, not a secret
        self.secret = secret
        self.taken: list[int] = []
        self.applied = 0
        self.ids: dict[str, bytes] = {}
        self.verified = self.refused = 0
        self.wild = True

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        luck = self.random.random() if self.wild else 1.0
        if luck < 0.15:  # lost on the way here
            return self._lost(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        sent = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        expected = Webhook(self.secret).sign(headers["webhook-id"], sent, body.decode())
        if expected not in headers["webhook-signature"].split(" "):
            self.refused += 1
            return web.Response(status=401)
        self.verified += 1
        assert self.ids.setdefault(headers["webhook-id"], body) == body
        version = json.loads(body)["data"]["environment_version"]
        self.taken.append(version)
        self.applied = max(self.applied, version)  # what the documentation says to do
        if luck < 0.30:  # its answer is lost on the way back
            return self._lost(request)
        if luck < 0.45:
            return web.Response(status=self.random.choice([301, 400, 404, 409, 429, 500, 502, 503]))
        if luck < 0.55:
            await asyncio.sleep(SILENT_S)  # later than it was waited for
        return web.Response(status=204)

    def _lost(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError


@asynccontextmanager
async def served(handler: object) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{name:.*}", handler)  # type: ignore[arg-type]  # a coroutine function
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_a_receiver_does_it_ends_on_the_last_version_in_three_days(house: House, seed: int) -> None:
    house.total_ms = int(SILENT_S * 500)
    await house.merged(A="first")
    receiver = Receiver(seed, house.receiver.secrets["api"])
    luck = random.Random(seed)  # noqa: S311 - a story, not a secret
    begun_ms, last = house.corridor.now_ms, 2
    async with served(receiver.take) as place:
        await house.enact(at=place)
        for number in range(ROUNDS):
            if number < ROUNDS // 2:
                request = await house.merged(A=f"value-{number}")
                assert request.merged is not None
                last = request.merged
            relay = house.another() if luck.random() < 0.3 else house.relay  # a process that has just been started
            if luck.random() < 0.2:  # one that died with an effect in its hand: its lease ends, and it is done again
                await house.corridor.outbox.claim("hook", most=9, lease_ms=1)
                house.corridor.skew_ms += 2
            await house.run(relay)
            if (pause := await house.next_in_ms()) is None and number >= ROUNDS // 2:
                break
            house.corridor.skew_ms += max(1, (pause or 0) // (2 if number < ROUNDS // 2 else 1))
            receiver.wild = number < ROUNDS - len(DELAYS_MS)
        assert await house.next_in_ms() is None
    assert receiver.applied == last == max(receiver.taken)
    assert receiver.verified == len(receiver.taken)
    assert receiver.refused == 0
    assert house.corridor.now_ms - begun_ms < 80 * HOUR
    events = Counter(await house.corridor.events())
    assert events["hook.failed"] == 0
    assert receiver.taken == sorted(receiver.taken)  # an older version never after a newer one


async def test_it_is_tried_until_the_third_day_is_over(house: House) -> None:
    """A receiver that is away for three days has the newest version when it is back."""
    await house.merged(A="first")
    house.receiver.answer("api", 0, times=len(DELAYS_MS) - 1)
    begun_ms = house.corridor.now_ms
    for _ in DELAYS_MS:
        await house.run()
        house.corridor.skew_ms += await house.next_in_ms() or 0
    assert house.corridor.now_ms - begun_ms > 72 * HOUR
    assert [each.status for each in house.receiver.deliveries] == [0] * (len(DELAYS_MS) - 1) + [204]
    assert all(each.verified for each in house.receiver.deliveries)
    assert len({(each.id, each.body) for each in house.receiver.deliveries}) == 1


async def test_to_stand_in_line_at_a_host_is_no_silence_of_it(house: House) -> None:
    """Ten sockets, forty-five deliveries of 0.3 s each: the last have waited for longer than an answer may take."""
    house.total_ms = 1_000

    async def take(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(0.3)
        return web.Response(status=204)

    async with served(take) as place:
        await house.enact(at=place)
        await house.merged(A="first")
        await house.run()
        await house.enact(hooks=tuple(f"a{number}" for number in range(45)), at=place)
        request = await house.merged(A="second")
        await house.run()
        while (pause_ms := await house.next_in_ms()) is not None:
            house.corridor.skew_ms += max(1, pause_ms)
            await house.run()
        told = await house.deliveries.of(request)
    assert [(each.state, each.attempts) for each in told] == [("delivered", 1)] * 45


# -- one that is silent, one that is slow ---------------------------------------------------------------------------------

OTHERS: Final = 10
BURDENS: Final = 80  # of each kind
TURNS: Final = 10
ANSWERS_S: Final = 0.3  # as long as a receiver like others takes


@pytest.mark.slow
async def test_one_that_is_silent_and_one_that_is_slow_delay_nobody_else(house: House) -> None:
    """On the real relay, in one run: without them, beside them, and without them again."""
    loop = asyncio.get_running_loop()

    async def take(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(ANSWERS_S)
        return web.Response(status=204)

    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(9)
        return web.Response(status=204)

    async def ticking() -> None:
        begun, before_ms = loop.time(), house.corridor.skew_ms
        while True:
            house.corridor.skew_ms = before_ms + int((loop.time() - begun) * 1000)
            await house.relay.tick("hook")
            await asyncio.sleep(0.02)

    async with served(take) as quick, served(silent) as hole, served(slow) as late:
        others = [f"a{number}" for number in range(OTHERS)]
        hooks = [Hook(name=name, url=f"http://{quick}/{name}") for name in others]
        burdens = [
            Hook(name=f"{word}{number}", url=f"http://{place}/{number}")
            for number in range(BURDENS)
            for word, place in (("hole", hole), ("late", late))
        ]

        async def phase(*named: Hook) -> list[float]:
            """Lateness of each delivery to the others, s: from the moment it is due until it is recorded as delivered."""
            target = TargetConfig(hooks=tuple(named))
            await house.corridor.enact(targets={**TARGETS, "payments/prod": target}, allow_private=(quick, hole, late))
            took: list[float] = []
            request = await house.corridor.approved("change", A=str(loop.time()))

            async def until(name: str, attempts: int, begun: float) -> None:
                while True:
                    delivery = await house.deliveries.one(request.id, name)
                    if delivery is not None and (delivery.state, delivery.attempts) == ("delivered", attempts):
                        break
                    await asyncio.sleep(0.01)  # a hash tells nobody
                took.append(loop.time() - begun)

            for turn in range(TURNS):
                if turn:
                    for name in others:
                        await house.hooks.replay(
                            request.id, name, actor="owner", command_id=f"{request.id}{name}{turn}"
                        )
                begun = loop.time()
                async with asyncio.timeout(60):
                    await asyncio.gather(*(until(name, turn + 1, begun) for name in others))
            return took[OTHERS:]  # the first ones wait for the merge as well

        beating = asyncio.create_task(ticking())
        try:
            alone = await phase(*hooks)
            beside = await phase(*hooks, *burdens)
            in_flight = house.webhooks._circuits.under_way()
            alone += await phase(*hooks)
        finally:
            beating.cancel()
            await house.relay.drain(0)
    assert in_flight >= 2  # they were being waited for all the while
    assert _p99(beside) <= 1.2 * _p99(alone), (_p99(beside), _p99(alone))


def _p99(found: list[float]) -> float:
    return sorted(found)[int(len(found) * 0.99)]
