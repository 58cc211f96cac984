"""The page's HTTP: its files, the state of one person live, and what that person does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from playground.page_state import Beside, Panel, page_state
from playground.slack.records import Json, NotPossible, Seen
from playground.slack.workspace import Workspace

_FILES: Final = Path(__file__).with_name("page")
_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
}
_NOT_OFTENER_S: Final = 0.05  # twenty states a second
_KEEP_ALIVE_S: Final = 15.0

Advance = Callable[[int], Awaitable[None]]


class PageApi:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._beside = Beside()
        self._advance: Advance | None = None
        self._stirred: set[asyncio.Event] = set()
        self._closing = False

    def add_panel(self, title: str, kind: Any, rows: Callable[[], list[Any]]) -> None:
        """See `Panel`. Whoever feeds it calls `workspace.changed()` when its rows change."""
        self._beside.panels.append(Panel(title, kind, rows))

    def set_clock(
        self, *, now_ms: Callable[[], int], skew_ms: Callable[[], int], advance: Advance | None = None
    ) -> None:
        """The program's clock: its now, how far it is ahead of real time, and how to move it on."""
        self._beside.now_ms, self._beside.skew_ms, self._advance = now_ms, skew_ms, advance

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._file),
            web.get("/page/state", self._state),
            web.get("/page/events", self._events),
            web.get("/page/options", self._options),
            web.post("/page/act", self._act),
            web.get("/page/{file}", self._file),
            web.get("/archives/{channel}/{message}", self._permalink),
            web.get("/{file}", self._file),
        ]

    def close(self) -> None:
        """Ends the live streams."""
        self._closing = True
        for stirred in self._stirred:
            stirred.set()

    def _who(self, request: web.Request) -> str:
        """Who is asked for; somebody, where that one cannot sign in: the answer says who."""
        people = [person.id for person in self._workspace.people.values() if person.kind not in ("bot", "deactivated")]
        asked = request.query.get("as", "")
        if asked in people:
            return asked
        if not people:
            raise web.HTTPNotFound(text="Nobody can sign in here.")
        return people[0]

    def _json(self, user: str) -> str:
        return json.dumps(page_state(self._workspace, user, self._beside, can_advance=self._advance is not None))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("file") or "index.html"
        path = _FILES / name
        if Path(name).name != name or path.suffix not in _TYPES or not path.is_file():
            raise web.HTTPNotFound
        return web.Response(
            body=path.read_bytes(),
            content_type=_TYPES[path.suffix],
            charset="utf-8",
            headers={"Cache-Control": "no-store"},
        )

    async def _permalink(self, request: web.Request) -> web.StreamResponse:
        """Where `chat.getPermalink` points to: its channel, for the person whom the page begins with."""
        if (channel := request.match_info["channel"]) not in self._workspace.channels:
            raise web.HTTPNotFound(text="There is no such channel here.")
        raise web.HTTPFound(f"/#at={channel}")

    async def _state(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._json(self._who(request)), content_type="application/json")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        user = self._who(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        stirred = asyncio.Event()
        stirred.set()
        self._stirred.add(stirred)
        forget = self._workspace.on_change(stirred.set)
        try:
            while not self._closing:
                try:
                    async with asyncio.timeout(_KEEP_ALIVE_S):
                        await stirred.wait()
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                stirred.clear()
                if not self._closing:
                    await response.write(f"event: state\ndata: {self._json(user)}\n\n".encode())
                    await asyncio.sleep(_NOT_OFTENER_S)
        except ConnectionError:
            pass  # the page went away
        finally:
            forget()
            self._stirred.discard(stirred)
        return response

    async def _options(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        try:
            offered = await self._workspace.options(
                self._who(request),
                query.get("action_id", query.get("action", "")),
                query.get("query", ""),
                view_id=query.get("view_id"),
                channel=query.get("channel", ""),
                ts=query.get("ts", ""),
                block_id=query.get("block_id", query.get("block")),
            )
        except NotPossible as refusal:
            return web.json_response({"options": [], "error": str(refusal)})
        return web.json_response({"options": offered})

    async def _act(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="An act is JSON.")
        try:
            act = json.loads(await request.text())
            if act["type"] == "advance_clock" and self._advance is None:
                return web.json_response({"ok": False, "error": "This clock cannot be moved."}, status=409)
            return web.json_response(_told(await self._done(act)))
        except NotPossible as refusal:
            return web.json_response({"ok": False, "error": str(refusal)})
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response(
                {"ok": False, "error": f"The page sent an act that makes no sense: {error!r}"}, status=400
            )

    async def _done(self, act: Json) -> Seen | None:
        workspace, user = self._workspace, str(act["as"])
        block_id, confirmed = act.get("block_id"), bool(act.get("confirmed"))
        value = act["option"] if act.get("option") is not None else act.get("value")
        match act["type"]:
            case "click":
                return await workspace.click(
                    user,
                    act["channel"],
                    act["ts"],
                    act["action_id"],
                    block_id=block_id,
                    value=value,
                    confirmed=confirmed,
                )
            case "home_action":
                return await workspace.home_action(
                    user, act["action_id"], block_id=block_id, value=value, confirmed=confirmed
                )
            case "view_action":
                return await workspace.view_action(
                    user,
                    act["view_id"],
                    act["action_id"],
                    block_id=block_id,
                    value=value,
                    confirmed=confirmed,
                    values=act.get("values"),
                )
            case "submit":
                return await workspace.submit(user, act["view_id"], act.get("values"))
            case "close":
                return await workspace.close(user, act["view_id"])
            case "slash":
                command, _, text = str(act["text"]).partition(" ")
                return await workspace.slash(user, act["channel"], command, text.strip())
            case "say":
                await workspace.say(user, act["channel"], str(act["text"]), act.get("thread_ts"))
            case "shortcut":
                return await workspace.shortcut(user, act["callback_id"])
            case "message_shortcut":
                return await workspace.message_shortcut(user, act["callback_id"], act["channel"], act["ts"])
            case "open_home":
                return await workspace.open_home(user)
            case "read":
                workspace.read(user, act["channel"])
            case "advance_clock" if self._advance is not None:
                await self._advance(int(act["ms"]))
                workspace.changed()
            case other:
                raise NotPossible(f"There is no act {other}.")
        return None


def _told(seen: Seen | None) -> Json:
    if seen is None or seen.ok:
        return {"ok": True}
    return (
        {"ok": False, "errors": seen.errors}
        if seen.errors
        else {"ok": False, "error": seen.sentence or "That did not work."}
    )
