"""The bot that is measured: the very program, with one listener more that does nothing, and effects that wait to be asked for.

It is told what to do in lines on stdin and answers each with a line of JSON on stdout:

    cpu           the CPU time of this process so far, ns
    ask N         N more requests to open payments/prod: their ids
    approve ID... Ben approves each
    home WHO N    this person's Home, as often as that: how many blocks it has
    perform       performs every effect that is due: how many those were
    states ID...  the states these requests are in, each once
    warm, forget  has every fact about people at hand, or none, neither here nor in Redis
    drain         waits for what goes on after an acknowledgement
"""

import asyncio
import json
import os
import sys
import time
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import logs, main
from bot.app import App
from bot.settings import Settings
from bot.slack.app import Identity, Running, bolt
from playground import seed
from store.model.command import Approve
from store.model.identity import Target
from store.model.people import Wanted

NOOP: Final = "noop"
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

    async def _forget(self) -> None:
        for name in CONCERNED.users | CONCERNED.groups:
            await self._app.directory.drop(name)


async def serve() -> None:
    settings = Settings.read(os.environ)
    logs.configure(settings.log)
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
