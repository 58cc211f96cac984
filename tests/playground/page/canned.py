"""A workspace made of canned states: it serves the page, remembers every act, and shows what a test tells it to."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.playground.page import states

PAGE = Path(__file__).parents[3] / "playground" / "page"


class CannedWorkspace:
    """`states` is what each person sees; `acts` is what the page sent; `answers` are given to the next acts, by type."""

    def __init__(self) -> None:
        self.states: dict[str, dict[str, Any]] = states.everyone()
        self.acts: list[dict[str, Any]] = []
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.queries: list[dict[str, str]] = []
        self.runner: web.AppRunner | None = None
        self.port = 0
        self._streams: dict[web.StreamResponse, str] = {}
        self._acted = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        """Again after `stop`, on the port it had."""
        app = web.Application()
        app.router.add_get("/", _index)
        app.router.add_get("/page/state", self._state)
        app.router.add_get("/page/events", self._events)
        app.router.add_post("/page/act", self._act)
        app.router.add_get("/page/options", self._options)
        app.router.add_static("/", PAGE)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        for stream in list(self._streams):
            self._streams.pop(stream)
            if stream.task is not None:
                stream.task.cancel()
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    def reset(self) -> None:
        self.states = states.everyone()
        self.acts.clear()
        self.answers.clear()
        self.queries.clear()

    async def push(self) -> None:
        """Everybody sees what they would see now."""
        for stream, user in list(self._streams.items()):
            with contextlib.suppress(ConnectionError):  # a tab that was closed just now
                await stream.write(_event(self.states[user]))

    async def act(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Waits until the page sent `count` acts of this type; the last one."""

        def found() -> list[dict[str, Any]]:
            return [act for act in self.acts if act["type"] == kind]

        async with self._acted, asyncio.timeout(5):
            await self._acted.wait_for(lambda: len(found()) >= count)
            return found()[count - 1]

    def _viewer(self, request: web.Request) -> str:
        user = request.query.get("as", states.ANA)
        if user not in self.states:
            raise web.HTTPNotFound
        return user

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self.states[self._viewer(request)])

    async def _events(self, request: web.Request) -> web.StreamResponse:
        user = self._viewer(request)
        stream = _Stream(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
        stream.task = asyncio.current_task()
        await stream.prepare(request)
        self._streams[stream] = user
        await stream.write(_event(self.states[user]))
        try:
            await asyncio.Event().wait()
        finally:
            self._streams.pop(stream, None)
        return stream

    async def _act(self, request: web.Request) -> web.Response:
        act = await request.json()
        async with self._acted:
            self.acts.append(act)
            self._acted.notify_all()
        waiting = self.answers.get(act["type"])
        return web.json_response(waiting.pop(0) if waiting else {"ok": True})

    async def _options(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        offered = [states.option(name) for name in ("payments/prod", "payments/staging", "ledger/prod")]
        return web.json_response({"options": [one for one in offered if request.query["query"] in one["value"]]})


class _Stream(web.StreamResponse):
    task: asyncio.Task[Any] | None = None


def _event(state: dict[str, Any]) -> bytes:
    return f"event: state\ndata: {json.dumps(state)}\n\n".encode()


async def _index(_: web.Request) -> web.Response:
    return web.Response(text=(PAGE / "index.html").read_text(), content_type="text/html")
