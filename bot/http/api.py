"""Api: the operations of the HTTP API as a table, from which both the routes and the OpenAPI description are made."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.http.auth import Auth, Caller
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable

MOST_BYTES: Final = 4 * 1024 * 1024  # a request's 1 MiB of values, in base64 and quoted, with room
TYPE: Final = "application/json"
STATUS: Final[tuple[tuple[type[AccessError], int], ...]] = (
    (Invalid, 400),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Unavailable, 503),
)
UNAUTHORIZED: Final = frozenset({"no_token", "bad_token"})

log = structlog.stdlib.get_logger(__name__)


class Shape(BaseModel):
    """What goes over the wire: nothing unknown is taken, and no value is repeated in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Fault(Shape):
    """`code` stays the same when the sentence is improved."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request whose shape is right. `body` and `query` are of the classes that the operation names."""

    request: web.Request
    caller: Caller | None
    body: Any
    query: Any

    @property
    def known(self) -> Caller:
        """Who calls an operation that asks for a token. Raises `Forbidden`."""
        if self.caller is None:
            raise Forbidden("Show a token: Authorization: Bearer …", code="no_token")
        return self.caller


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`path` as in OpenAPI, `/v1/requests/{id}`. `open_to_all`: no token is asked for."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str  # operationId
    summary: str
    handle: Handler
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    open_to_all: bool = False


class Api:
    def __init__(self, operations: Iterable[Operation], auth: Auth) -> None:
        self.operations = tuple(operations)
        self._auth = auth

    def routes(self) -> list[web.RouteDef]:
        return [web.route(one.method, one.path, self._handler(one)) for one in self.operations]

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                caller = None if operation.open_to_all else await self._auth.caller(request)
                query = _checked(operation.query, dict(request.query), "query")
                body = _checked(operation.body, await _json(request), "body") if operation.body else None
                return await operation.handle(Call(request, caller, body, query))
            except AccessError as error:
                return refused(error)

        return handle


def answer(shape: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = shape.model_dump_json(exclude_none=True)
    return web.Response(text=text, status=status, content_type=TYPE, headers={**NEVER_KEPT, **(headers or {})})


# What is told is for who asked, and for now.
NEVER_KEPT: Final = {"Cache-Control": "no-store"}


def refused(error: AccessError) -> web.Response:
    status = (
        401 if error.detail in UNAUTHORIZED else next((code for kind, code in STATUS if isinstance(error, kind)), 500)
    )
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(max(1, -(-(error.retry_after_ms or 1_000) // 1_000)))
    return answer(Fault(code=error.detail, sentence=error.sentence), status, headers)


async def _json(request: web.Request) -> Any:
    if request.content_type != TYPE:
        raise Invalid(f"Send the body as {TYPE}.", code="bad_body")
    try:
        return json.loads(await request.text())
    except (ValueError, RecursionError, LookupError):
        raise Invalid("The body is not JSON.", code="bad_body") from None
    except web.HTTPRequestEntityTooLarge:
        raise Invalid(f"The body has more than {MOST_BYTES:,} bytes.", code="too_large") from None


def _checked(shape: type[BaseModel] | None, given: Any, where: str) -> Any:
    """Raises `Invalid` with each fault and where it is; never with what was given."""
    if shape is None:
        return None
    try:
        return shape.model_validate_json(json.dumps(given), strict=where == "body")
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or where}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise Invalid(f"The {where} is not as it should be. {'. '.join(faults[:10])}.", code=f"bad_{where}") from None
