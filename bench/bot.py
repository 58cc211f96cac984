"""The bot that is measured: the very program, with one listener more that does nothing, and effects that wait to be asked for.

It is told what to do in lines on stdin and answers each with a line of JSON on stdout:

    cpu           the CPU time of this process so far, ns
    ask N         N more requests to open payments/prod: their ids
    approve ID... Ben approves each
    home WHO N    this person's Home, as often as that: how many blocks it has
    perform       performs every effect that is due: how many those were
    states ID...  the states these requests are in, each once
    warm, forget  has every fact about people at hand, or none, neither here nor in Redis
    fill N M      N secrets in payments/staging: M tokens of machines that may read them
    bare N        the port of a site that answers with N values as JSON, and does nothing else
    decipher N    CPU of deciphering N values of that size with AES-GCM alone, ms
    opened N      CPU of a read for which nothing lies opened in memory, ms: of N, the median
    secret        what the deliveries to the hook of payments/prod are signed with
    deliver ID... one delivery of each of these requests to the hook of payments/prod: CPU, us, and wall time, s, of one
    post URL N    as many plain posts of the same length, as many at a time: the same
    drain         waits for what goes on after an acknowledgement
"""

import asyncio
import json
import os
import secrets
import statistics
import sys
import time
from typing import Any, Final

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import logs, main
from bot.app import App
from bot.cli.serve import collect_rarely
from bot.settings import Settings
from bot.slack.app import Identity, Running, bolt
from playground import seed
from scheduler.connectors.outgoing import SOCKETS_PER_HOST
from store.model.command import Approve
from store.model.delivery import Delivery
from store.model.effect import Fire
from store.model.identity import Target, request_id
from store.model.people import Wanted
from store.model.secret import Secret
from store.model.token import Bearer, Token, write_token
from store.redis.environments import Value

NOOP: Final = "noop"
LENGTH: Final = 330  # bytes, of a body as it is told
AT_A_TIME: Final = 128
LOOK_S: Final = 0.005
STAGING: Final = "payments/staging"
CONCERNED: Final = Wanted(users=frozenset({seed.ROSA, seed.BEN}), groups=frozenset({"S0DEV", "S0LEADS"}))


def bolt_with_noop(client: AsyncWebClient, identity: Identity, running: Running) -> AsyncApp:
    """Registered before all others, so nothing is tried before it: it is the cheapest listener there can be."""
    app = bolt(client, identity, running)
    app.action(NOOP)(_noop)
    return app


async def _noop(ack: AsyncAck, body: dict[str, Any]) -> None:  # noqa: ARG001 - asks for what a click's listener asks for
    await ack()


class Measured:
    def __init__(self, app: App) -> None:
        self._app = app
        self._asked = 0
        self._told = 0
        self._shown: list[str] = []

    async def told(self, command: str, *args: str) -> Any:
        match command:
            case "cpu":
                return time.process_time_ns()
            case "ask":
                return [await self._ask() for _ in range(int(args[0]))]
            case "approve":
                return [await self._approve(request) for request in args]
            case "home":
                return [await self._home(args[0]) for _ in range(int(args[1]))]
            case "perform":
                return await self._perform()
            case "states":
                return sorted({(await self._app.requests.get(request)).request.state for request in args})
            case "warm":
                await self._forget()
                await self._app.directory.people(CONCERNED, patient=True)
                return None
            case "forget":
                return await self._forget()
            case "fill":
                return await self._fill(int(args[0]), int(args[1]))
            case "bare":
                return await _bare(int(args[0]))
            case "decipher":
                return _decipher(int(args[0]))
            case "opened":
                return await self._opened(int(args[0]))
            case "secret":
                (signing,) = await self._app.hooks.secrets("payments/prod", "api")
                return signing.reveal().decode()
            case "deliver":
                return await self._deliver(list(args))
            case "post":
                return await _post(args[0], int(args[1]))
            case "drain":
                return await self._app.replies.drain(10.0)
            case _:
                raise ValueError(command)

    async def _ask(self) -> str:
        self._asked += 1
        outcome = await self._app.asking.open(
            seed.ROSA,
            Target.parse("payments/prod"),
            duration_ms=None,
            reason="INC-4711 payments to one bank fail since this morning",
            ticket=None,
            command_id=f"bench:{os.getpid()}:{self._asked}",
        )
        if outcome.request is None:
            raise RuntimeError(outcome.answer)
        return outcome.request.id

    async def _approve(self, request: str) -> str:
        asked = (await self._app.requests.get(request)).request
        command = Approve(id=f"bench:{request}", actor=seed.BEN, revision=asked.revision, digest=asked.digest)
        return (await self._app.requests.apply(request, command)).answer

    async def _home(self, user: str) -> int:
        return len((await self._app.homes.shown(user)).view["blocks"])

    async def _perform(self) -> int:
        """All lanes until nothing is left."""
        relay, performed = self._app.relay, 0
        while True:
            found = sum([await relay.tick(lane) for lane in relay.lanes])
            await relay.settled()
            performed += found
            if not found:
                return performed

    async def _fill(self, count: int, machines: int) -> list[str]:
        target = Target.parse(STAGING)
        values = {f"NAME_{number:03}": Value(Secret(_value(number))) for number in range(count)}
        outcome = await self._app.asking.change(
            seed.ROSA, target, values, reason="for the bench", ticket=None, command_id="bench:fill"
        )
        if outcome.request is None:
            raise RuntimeError(outcome.answer)
        await self._approve(outcome.request.id)
        at_ms = self._app.dial.now_ms()
        self._shown = []
        for _ in range(machines):
            identity = request_id(secrets.token_bytes(7))
            shown, kept = write_token("machine", identity, secrets.token_bytes(32))
            token = Token(
                id=identity, kind="machine", holder=seed.ANA, name="bench", hash=kept, created_ms=at_ms,
                expires_ms=at_ms + 3_600_000, targets=(STAGING,), actions=("read",),
            )  # fmt: skip
            await self._app.tokens.put(token, 0, f"bench:token:{identity}", [])
            self._shown.append(shown.reveal().decode())
        return self._shown

    async def _opened(self, count: int) -> float:
        took = []
        for shown in self._shown[:count]:
            self._app.environments.forget()
            before = time.process_time_ns()
            await self._app.environments.read_by_token(Bearer.read(shown), STAGING)
            took.append((time.process_time_ns() - before) / 1e6)
        return statistics.median(took)

    async def _deliver(self, requests: list[str]) -> dict[str, float]:
        """One delivery each, as a commit puts them there."""
        app, keys = self._app, self._app.deliveries._keys  # noqa: SLF001 - what is measured begins after this
        self._told += 1
        at_ms = app.dial.now_ms()
        for request in requests:
            waits = Delivery(
                request=request, environment="payments/prod", hook="api", event="access.granted", version=0,
                message_id=f"msg_{request}_{self._told}", at_ms=at_ms, until_ms=at_ms,
            )  # fmt: skip
            await app.redis.hset(keys.delivery(request, waits.place), mapping={"body": waits.to_json(), "version": 1})
        fires = [
            Fire(request=each, hook="api", event="access.granted", at_ms=at_ms, target="payments/prod")
            for each in requests
        ]
        await app.outbox.put(fires, command_id=f"bench:deliver:{os.getpid()}:{self._told}")
        before, begun = time.process_time_ns(), time.monotonic()
        while await app.outbox.depth("hook"):
            await app.relay.tick("hook")
            while app.relay.running():  # noqa: ASYNC110 - in production nobody waits for each of them either
                await asyncio.sleep(LOOK_S)
        cpu_us = (time.process_time_ns() - before) / 1000
        wall_s = time.monotonic() - begun
        told = [await app.deliveries.one(each, "api:access.granted") for each in requests]
        if not all(each is not None and each.state == "delivered" for each in told):
            raise RuntimeError("Not all were delivered.")
        return {"cpu_us": cpu_us / len(requests), "wall_s": wall_s / len(requests)}

    async def _forget(self) -> None:
        for name in CONCERNED.users | CONCERNED.groups:
            await self._app.directory.drop(name)


async def _post(url: str, count: int) -> dict[str, float]:
    """With a client that is as plain as can be, over connections that stay."""
    body, places = b"x" * LENGTH, asyncio.Semaphore(AT_A_TIME)
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=SOCKETS_PER_HOST)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one() -> None:
            async with places, session.post(url, data=body, headers={"content-type": "application/json"}) as answer:
                await answer.read()

        before, begun = time.process_time_ns(), time.monotonic()
        await asyncio.gather(*(one() for _ in range(count)))
        return {
            "cpu_us": (time.process_time_ns() - before) / 1000 / count,
            "wall_s": (time.monotonic() - begun) / count,
        }


def _value(number: int) -> bytes:
    """As long as most are."""
    return f"value-{number:03}-".encode() * 4


async def _bare(count: int) -> int:
    entries = [{"name": f"NAME_{number:03}", "value": _value(number).decode()} for number in range(count)]

    async def handle(_: web.Request) -> web.Response:
        return web.json_response({"target": STAGING, "version": 2, "entries": entries})

    app = web.Application()
    app.add_routes([web.get("/", handle)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    return port


def _decipher(count: int) -> float:
    """With a key for each, as they are sealed; expanded anew each time."""
    keys = [secrets.token_bytes(32) for _ in range(count)]
    nonce = secrets.token_bytes(12)
    sealed = [AESGCM(key).encrypt(nonce, _value(number), None) for number, key in enumerate(keys)]
    took = []
    for _ in range(50):
        before = time.process_time_ns()
        for key, ciphertext in zip(keys, sealed, strict=True):
            AESGCM(key).decrypt(nonce, ciphertext, None)
        took.append((time.process_time_ns() - before) / 1e6)
    return statistics.median(took)


async def serve() -> None:
    settings = Settings.read(os.environ)
    logs.configure(settings.log)
    collect_rarely()
    main.bolt = bolt_with_noop  # type: ignore[attr-defined]  # the product has no such listener, and no way to ask for it
    app = await main.build(settings)
    await app.start()
    await app.clock.stop()  # from here on only what is asked for costs anything
    measured = Measured(app)
    _say(app.http.port)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async for line in commands:
        _say(await measured.told(*line.decode().split()))
    await app.stop()


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
