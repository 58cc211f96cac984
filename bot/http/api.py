"""Api: the operations of the HTTP API as a table, from which both the routes and the OpenAPI description are made."""

import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import structlog
from aiohttp import web
from pydantic import BaseModel

from bot.http import asked
from bot.http.answers import JSON, Nothing, foreseen, refused, told
from bot.http.auth import AUTHORIZATION, Auth, Caller, bearer, no_token
from bot.http.openapi import described
from bot.http.pace import Pace
from bot.http.signed import SIGNATURE, Signer
from scheduler.metrics import Metrics
from store.model.token import Bearer

KIB: Final = 1024
NOW: Final = "Countersign-Now"  # by the one clock, in ms: what times in answers are to be compared with
BODY_BYTES: Final = 64 * KIB  # of an operation that does not say otherwise

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One request whose shape is right. `body` and `query` are of the classes that the operation names.

    `caller` was looked up, or is None where all may call it, or where a script looks at `bearer` itself.
    `signer`: who signed the body instead of showing a token. `command_id`: the same whenever the same wish arrives again from
    the same `caller` under the same `Idempotency-Key`.
    """

    request: web.Request
    caller: Caller | None
    bearer: Bearer | None
    body: Any
    query: Any
    command_id: str
    signer: Signer | None = None

    @property
    def known(self) -> Caller:
        """Who calls an operation that asks for a token. Raises `Forbidden`."""
        if self.caller is None:
            raise no_token()
        return self.caller

    @property
    def shown(self) -> Bearer:
        """What was shown, to be looked at by a script. Raises `Forbidden`."""
        if self.bearer is None:
            raise no_token()
        return self.bearer

    def path(self, name: str) -> str:
        return self.request.match_info[name]


Verify = Callable[[web.Request, bytes], Awaitable[Signer]]
Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`path` as in OpenAPI, `/v1/requests/{id}`. `open_to_all`: no token is asked for. `looks_itself`: a script looks at it.

    `signed`: who signed the bytes of the body, where no token is shown. `types`: what is answered besides JSON. `most_bytes` of a body. `wants_body` False: it may be left out.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str  # operationId
    summary: str
    handle: Handler
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    wants_body: bool = True
    query: type[BaseModel] = Nothing
    status: int = 200
    open_to_all: bool = False
    looks_itself: bool = False
    signed: Verify | None = None
    most_bytes: int = BODY_BYTES
    types: tuple[str, ...] = ()
    unchanged: bool = False  # it may answer 304
    keyed: bool = False  # the same `Idempotency-Key` makes it the same wish


class Api:
    """`used` hears of each token that was let in, and keeps nobody waiting."""

    def __init__(
        self,
        operations: Iterable[Operation],
        auth: Auth,
        metrics: Metrics,
        pace: Pace,
        used: Callable[[Bearer, web.Request], None] = lambda *_: None,
    ) -> None:
        description = Operation(
            method="GET",
            path="/openapi.json",
            name="describe",
            summary="This description.",
            handle=self._describe,
            open_to_all=True,
        )
        self.operations = (*operations, description)
        self._auth = auth
        self._metrics = metrics
        self._pace = pace
        self._used = used

    def routes(self) -> list[web.RouteDef]:
        return [web.route(one.method, one.path, self._handler(one)) for one in self.operations]

    @cached_property
    def _description(self) -> bytes:
        return json.dumps(described(self.operations), separators=(",", ":")).encode()

    async def _describe(self, _: Call) -> web.StreamResponse:
        return told(self._description, JSON)

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        seconds = self._metrics.http_seconds.labels(operation.name)

        async def handle(request: web.Request) -> web.StreamResponse:
            begun, shown, said = time.perf_counter(), None, "ok"
            response: web.StreamResponse
            try:
                shown = None if operation.open_to_all or _signs(operation, request) else bearer(request)
                response = await self._answered(operation, request, shown)
                if shown is not None:
                    self._used(shown, request)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told and counted like all that is known
                known = foreseen(error)
                response, said = refused(known), known.detail
            if not response.prepared:
                response.headers[NOW] = str(self._auth.now_ms())
            took = time.perf_counter() - begun
            seconds.observe(took)
            self._metrics.commands.labels("http", operation.name, said).inc()
            log.info(
                "http",
                operation=operation.name, status=response.status, said=said, ms=round(took * 1000, 1),
                by=shown.id if shown is not None else None,
            )  # fmt: skip
            return response

        return handle

    async def _answered(self, operation: Operation, request: web.Request, shown: Bearer | None) -> web.StreamResponse:
        if shown is not None:
            self._pace.demand(shown)
        caller = await self._auth.known(shown) if shown is not None and not operation.looks_itself else None
        raw = await asked.read(request, operation.most_bytes) if operation.method == "POST" else b""
        signer = await operation.signed(request, raw) if operation.signed is not None and shown is None else None
        command_id = asked.command_id(request, caller.token.id if caller is not None else None)
        query = asked.query(operation.query, request)
        body = asked.body(operation, request, raw) if operation.method == "POST" else None
        return await operation.handle(Call(request, caller, shown, body, query, command_id, signer))


def _signs(operation: Operation, request: web.Request) -> bool:
    """A token that is shown as well decides: what is signed is then not looked at."""
    return operation.signed is not None and SIGNATURE in request.headers and AUTHORIZATION not in request.headers
