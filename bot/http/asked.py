"""Asked: a request's headers, query and body, read strictly. What is wrong is told without what was given."""

import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bot.http.answers import JSON
from store.model.errors import Invalid

if TYPE_CHECKING:
    from bot.http.api import Operation

IDEMPOTENCY: Final = "Idempotency-Key"
FAULTS_TOLD: Final = 10
MOST_BYTES: Final = 1024 * 1024  # of what others send as they like: Slack, GitHub

_KEY: Final = re.compile(r"[\x21-\x7e]{1,100}")
_TYPE: Final = re.compile(rf"{re.escape(JSON)}\s*(;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)


def once(request: web.Request, header: str) -> str | None:
    """Raises `Invalid` where a header is there twice: nobody can know which one is meant."""
    given = request.headers.getall(header, [])
    if len(given) > 1:
        raise Invalid(f"The header {header} is there {len(given)} times.", code="bad_header")
    return given[0] if given else None


def command_id(request: web.Request, token: str | None) -> str:
    """Of this token: what others call by the same key is something else. Who shows none has no key. Raises `Invalid`."""
    key = once(request, IDEMPOTENCY)
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid(f"{IDEMPOTENCY} has 1 to 100 printable ASCII characters, without spaces.", code="bad_header")
    if key is None or token is None:
        return f"http:{token or ''}:{secrets.token_hex(16)}"
    return f"http:{token}:{key}"


def query(shape: type[BaseModel], request: web.Request) -> Any:
    """Raises `Invalid`."""
    given = dict(request.query)
    if len(given) != len(request.query):
        raise Invalid("A part of the query is there twice.", code="bad_query")
    try:
        return shape.model_validate_strings(given)
    except ValidationError as error:
        raise _wrong("query", shape, error) from None


def body(operation: "Operation", request: web.Request, raw: bytes) -> Any:
    """Raises `Invalid`."""
    shape = operation.body
    if not raw and (shape is None or not operation.wants_body):
        return None if shape is None else shape()
    if shape is None:
        raise Invalid("This takes no body.", code="bad_body")
    if not _TYPE.fullmatch(once(request, "Content-Type") or ""):
        raise Invalid(f"Send the body as {JSON}, in UTF-8.", code="wrong_type")
    try:
        return shape.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise _wrong("body", shape, error) from None


async def read(request: web.Request, most: int) -> bytes:
    """The body as it came. Raises `Invalid`, also for one that is not packed as it says, or breaks off."""
    try:
        return await request.clone(client_max_size=most).read()
    except web.HTTPRequestEntityTooLarge:
        raise Invalid(f"The body has more than {most:,} bytes.", code="body_too_large") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Invalid("The body cannot be read.", code="bad_body") from None


def _wrong(where: str, shape: type[BaseModel], error: ValidationError) -> Invalid:
    faults = [_fault(shape, one) for one in error.errors(include_input=False, include_url=False)[:FAULTS_TOLD]]
    return Invalid(f"The {where} is not as it should be. {' '.join(faults)}", code=f"bad_{where}")


def _fault(shape: type[BaseModel], fault: Any) -> str:
    """Names of fields are ours; a name that we do not know may be anything, also a value."""
    place = list(fault["loc"])
    if fault["type"] == "extra_forbidden":
        place = place[:-1]
        known = ", ".join(shape.model_fields) if not place else ""
        said = "a field that is not known here" + (f": there is {known}" if known else "")
    elif fault["type"] == "json_invalid":
        place, said = [], "it is not JSON"
    else:
        said = fault["msg"]
    return f"{'.'.join(map(str, place)) + ': ' if place else ''}{said[:200]}."
