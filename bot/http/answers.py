"""Answers: what goes over the wire, and how an error is told there."""

from collections.abc import Mapping
from typing import Annotated, Final

import structlog
from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict

from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable

JSON: Final = "application/json"
STATUS: Final[tuple[tuple[type[AccessError], int], ...]] = (
    (Invalid, 400),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Unavailable, 503),
)
# What HTTP has a number of its own for.
STATUS_OF: Final = {
    "no_token": 401,
    "bad_token": 401,
    "bad_signature": 401,
    "wrong_method": 405,
    "body_too_large": 413,
    "wrong_type": 415,
    "too_many": 429,
}
AGAIN_MS: Final = 1_000  # where nobody said how long to wait
FAILED: Final = "This failed, and should not have: its log says how. Whether it was done before that is not known."

# What is told is for who asked, and for now; and nothing of it is a page.
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Server": "countersign",
}

log = structlog.stdlib.get_logger(__name__)


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class Shape(BaseModel):
    """What goes over the wire: nothing unknown is taken, and no value is repeated in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Nothing(Shape):
    """No fields."""


class Fault(Shape):
    """`code` stays the same when the sentence is improved."""

    code: str
    sentence: str


def answer(shape: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return told(shape.model_dump_json(by_alias=True, exclude_none=True).encode(), JSON, status=status, headers=headers)


def told(
    body: bytes, content_type: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    fields = {**HEADERS, "Content-Type": f"{content_type}; charset=utf-8", **(headers or {})}
    return web.Response(body=body, status=status, headers=fields)


def unchanged(headers: Mapping[str, str]) -> web.Response:
    return web.Response(status=304, headers={**HEADERS, **headers})


def foreseen(error: Exception) -> AccessError:
    """Itself; of what nobody foresaw nothing is told but that it happened, and the log has its kind and its place."""
    if isinstance(error, AccessError):
        return error
    log.error("http failed", exc_info=error)
    return AccessError(FAILED, code="internal")


def refused(error: AccessError, headers: Mapping[str, str] | None = None) -> web.Response:
    status = STATUS_OF.get(error.detail) or next((code for kind, code in STATUS if isinstance(error, kind)), 500)
    fields = dict(headers or {})
    if status == 401:
        fields["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        fields["Retry-After"] = str(max(1, -(-(error.retry_after_ms or AGAIN_MS) // 1_000)))
    return answer(Fault(code=error.detail, sentence=error.sentence), status, fields)
