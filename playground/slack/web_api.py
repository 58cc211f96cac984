"""`/api/{method}`: tokens, scopes, arguments and faults around the methods."""

import asyncio
import json
from typing import Any

from aiohttp import web

from playground.slack.faults import Fault, Faults
from playground.slack.methods import METHODS, needs
from playground.slack.records import Call, Json, SlackError
from playground.slack.sockets import Sockets
from playground.slack.state import KEPT, State


class WebApi:
    def __init__(self, state: State, faults: Faults, sockets: Sockets) -> None:
        self._state, self._faults, self._sockets = state, faults, sockets
        self._released = asyncio.Event()

    def release(self) -> None:
        """Lets go of the calls that hang."""
        self._released.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        at_ms = self._state.clock()
        try:
            token, args = await _read(request)
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_json"})
        fault = self._faults.take(method)
        if fault is not None:
            self._state.changed()  # before it has had its effect
        response: web.Response | None
        if fault is None or fault.after_effect or fault.kind == "delay":
            response = web.json_response(
                self._answer(method, token, args),
                headers={"X-OAuth-Scopes": ",".join(sorted(self._state.manifest.scopes))},
            )
            if fault is not None:
                response = await self._strike(fault, response)
        else:
            response = await self._strike(fault, None)
        answer = (
            json.loads(response.text)
            if response is not None and response.content_type == "application/json" and response.text
            else None
        )
        self._state.calls.append(Call(method, args, at_ms, response.status if response is not None else 0, answer))
        del self._state.calls[:-KEPT]
        self._state.changed()
        if response is None:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError
        return response

    def _answer(self, method: str, token: str, args: Json) -> Json:
        try:
            return {"ok": True} | self._call(method, token, args)
        except SlackError as error:
            return {"ok": False, "error": error.code, **error.more}

    def _call(self, method: str, token: str, args: Json) -> Json:
        need = needs().get(method)
        if need is None:
            raise SlackError("unknown_method", req_method=method)
        if method != "api.test":
            self._authenticate(need.get("token", "bot"), token)
        self._check_scope(need.get("scope"))
        faults = [
            f"[ERROR] missing required field: {name} [json-pointer:/{name}]"
            for name in need["required"]
            if args.get(name) in (None, "")
        ]
        faults += [
            f"[ERROR] unknown argument: {name} [json-pointer:/{name}]"
            for name in args
            if name not in (*need["arguments"], "team_id")
        ]
        if faults:
            raise SlackError("invalid_arguments", response_metadata={"messages": faults})
        if method == "apps.connections.open":
            return {"url": self._sockets.new_url()}
        return METHODS[method](self._state, args)

    def _authenticate(self, wanted: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        right, other = self._state.bot_token, self._state.app_token
        if wanted == "app":
            right, other = other, right
        if token == right:
            return
        raise SlackError("not_allowed_token_type" if token == other else "invalid_auth")

    def _check_scope(self, scope: str | None) -> None:
        granted = self._state.manifest.scopes
        if scope is None or scope in granted:
            return
        if scope == "*:read":  # which of them is known once the channel is
            if granted & {"channels:read", "groups:read", "im:read"}:
                return
            scope = "channels:read,groups:read,mpim:read,im:read"
        raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(granted)))

    async def _strike(self, fault: Fault, response: web.Response | None) -> web.Response | None:
        match fault.kind:
            case "error":
                return web.json_response({"ok": False, "error": fault.code})
            case "rate_limit":
                return web.json_response(
                    {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(int(fault.seconds))}
                )
            case "status":
                return web.Response(text="<html>upstream</html>", content_type="text/html", status=fault.status)
            case "delay":
                await asyncio.sleep(fault.seconds)
                return response
            case "hang":
                await self._released.wait()
                return None
            case "reset":
                return None


async def _read(request: web.Request) -> tuple[str, Json]:
    """The token, from the header or beside the arguments, and the arguments of a query, a form or a JSON body."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        body: Any = json.loads(await request.text() or "{}")
        args |= body if isinstance(body, dict) else {}
    elif request.method == "POST":
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    token = str(args.pop("token", "") or bearer)
    return token, {name: value for name, value in args.items() if value is not None}
