"""Socket Mode: up to ten web sockets, each envelope to one of them, acknowledged by its id."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

from aiohttp import WSMsgType, web

from playground.slack.records import Ack, Envelope, Json, SlackError
from playground.slack.state import State

MOST: Final = 10


@dataclass(slots=True, eq=False)
class Socket:
    """One connection of the app. `draining`: told to reconnect, gets nothing new. `seen`: envelope ids sent to it."""

    ws: web.WebSocketResponse
    request: web.Request
    draining: bool = False
    seen: list[str] = field(default_factory=list)


class Sockets:
    """`ping_s`: how often Slack's side pings."""

    def __init__(self, state: State, *, ping_s: float = 10.0) -> None:
        self._state, self._ping_s = state, ping_s
        self._tickets: set[str] = set()
        self._pending: dict[str, list[asyncio.Future[Ack]]] = {}
        self.connected: list[Socket] = []

    def new_url(self) -> str:
        """Good for one connection. Raises `SlackError`."""
        if len(self.connected) >= MOST:
            raise SlackError("too_many_websockets")
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        return f"{self._state.base_url.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={self._state.app_id}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or len(self.connected) >= MOST:
            return web.Response(status=404)
        self._tickets.remove(ticket)
        ws = web.WebSocketResponse(heartbeat=self._ping_s)
        await ws.prepare(request)
        socket = Socket(ws, request)
        self.connected.append(socket)
        try:
            await ws.send_json(self._hello())
            self._state.changed()
            async for frame in ws:
                if frame.type == WSMsgType.TEXT:
                    self._acknowledge(frame.data)
        finally:
            if socket in self.connected:
                self.connected.remove(socket)
            self._state.changed()
        return ws

    async def send(self, envelope: Envelope, within_s: float) -> Ack:
        """To the next socket in turn; `Ack(ok=False)` when none is there or none answers in time."""
        socket = next((socket for socket in self.connected if not socket.draining and not socket.ws.closed), None)
        if socket is None:
            return Ack(ok=False, reason="connection_failed")
        self.connected.remove(socket)
        self.connected.append(socket)
        socket.seen.append(envelope.id)
        waiting: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._pending.setdefault(envelope.id, []).append(waiting)
        try:
            async with asyncio.timeout(within_s):
                await socket.ws.send_json(_frame(envelope))
                return await waiting
        except TimeoutError:
            return Ack(ok=False, reason="timeout")
        except ConnectionError:
            return Ack(ok=False, reason="connection_failed")
        finally:
            waiting.cancel()
            self._pending[envelope.id].remove(waiting)
            if not self._pending[envelope.id]:
                del self._pending[envelope.id]

    async def disconnect(
        self,
        reason: Literal["warning", "refresh_requested", "link_disabled"] = "refresh_requested",
        socket: Socket | None = None,
    ) -> None:
        """A disconnect frame, to one or to all; they get nothing new and may finish what they have."""
        for one in [socket] if socket else list(self.connected):
            one.draining = True
            await one.ws.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}})

    async def drop(self, socket: Socket | None = None) -> None:
        """Breaks the connection, of one or of all, without a word."""
        for one in [socket] if socket else list(self.connected):
            one.draining = True
            if one.request.transport is not None:
                one.request.transport.abort()

    async def close(self) -> None:
        for socket in list(self.connected):
            await socket.ws.close()

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connected),
            "debug_info": {"host": "playground", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._state.app_id},
        }

    def _acknowledge(self, text: str) -> None:
        frame = json.loads(text)
        for waiting in self._pending.get(frame.get("envelope_id", ""), []):
            if not waiting.done():
                waiting.set_result(Ack(ok=True, payload=frame.get("payload") or {}))
                return


def _frame(envelope: Envelope) -> Json:
    frame: Json = {
        "envelope_id": envelope.id,
        "type": envelope.type,
        "payload": envelope.payload,
        "accepts_response_payload": envelope.accepts_response_payload,
    }
    if envelope.type == "events_api":
        frame |= {"retry_attempt": envelope.retry_attempt, "retry_reason": envelope.retry_reason}
    return frame
