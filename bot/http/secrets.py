"""Secrets over HTTP: the values of an environment, for whoever may read them now."""

import base64
import re
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field
from pydantic_core import to_json

from bot.http import dotenv
from bot.http.answers import JSON, Shape, told, unchanged
from bot.http.api import Call, Operation
from bot.http.asked import once
from bot.http.waiting import Wait, Waiting
from store.model.errors import Invalid
from store.model.identity import Target
from store.redis.environments import Environments
from store.redis.opened import Opened, Same, Value
from store.redis.reading import Known

UNTIL: Final = "Countersign-Until"
PLAIN: Final = "text/plain"
ETAGS_MOST: Final = 20
ANY: Final = 2**32  # more than any version's number

_ETAG: Final = re.compile(r'(?:W/)?"([0-9a-f]{24}-[0-9]{1,10})"')

VersionNumber = Annotated[int, Field(ge=1, lt=2**32)]


class SecretsQuery(Shape):
    """`after`: the number of the version that is known already; `wait` goes with it, or with If-None-Match."""

    version: VersionNumber | None = None
    after: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    wait: Wait = 0
    format: Literal["json", "dotenv"] = "json"


class Entry(Shape):
    """`value`: text. `base64`: a file, with the permission bits it is to have, or a value that is not text."""

    name: str
    value: str | None = None
    base64: str | None = None
    mode: int | None = None


class Secrets(Shape):
    target: str
    version: int
    entries: tuple[Entry, ...]


class SecretOperations:
    def __init__(self, environments: Environments, waiting: Waiting) -> None:
        self._environments = environments
        self._waiting = waiting

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET",
                path="/v1/environments/{project}/{env}/secrets",
                name="readSecrets",
                summary="The values of an environment, for the holder of an active grant or of a machine's token.",
                handle=self.read,
                query=SecretsQuery,
                answer=Secrets,
                types=(PLAIN,),
                looks_itself=True,
                unchanged=True,
            ),
        )

    async def read(self, call: Call) -> web.StreamResponse:
        query: SecretsQuery = call.query
        target, bearer = environment_of(call), call.shown
        known = _known(call.request, query.after)

        async def look() -> Opened | Same:
            return await self._environments.read_by_token(bearer, target.id, query.version, known)

        found = await self._waiting.until(
            look,
            news=lambda found: isinstance(found, Opened),
            records=self._environments.records,
            wait_s=query.wait if query.version is None else 0,  # one that is named does not change
            who=bearer.id,
            request=call.request,
        )
        headers = {"ETag": f'"{found.environment}-{found.version}"', UNTIL: str(found.until_ms)}
        if not isinstance(found, Opened):
            return unchanged(headers)
        if query.format == "dotenv":
            return told(_as_dotenv(found), PLAIN, headers=headers)
        return told(_as_json(target, found), JSON, headers=headers)


def environment_of(call: Call) -> Target:
    """Raises `Invalid`."""
    target = Target.parse(f"{call.path('project')}/{call.path('env')}")
    if target.kind != "environment":
        raise Invalid(f"{target} is not an environment: those look like payments/prod.", code="not_an_environment")
    return target


def _known(request: web.Request, after: int | None) -> Known:
    given = once(request, "If-None-Match")
    if given is None:
        return Known(after=after or 0)
    if given.strip() == "*":
        return Known(after=ANY)
    return Known(tuple(_ETAG.findall(given)[:ETAGS_MOST]), after or 0)


def _as_json(target: Target, opened: Opened) -> bytes:
    """As `Secrets` says, which would take ten times as long to make."""
    entries = [_entry(name, value) for name, value in opened.values.items()]
    return to_json({"target": target.id, "version": opened.version, "entries": entries})


def _entry(name: str, value: Value) -> dict[str, Any]:
    raw = value.secret.reveal() if value.secret is not None else b""
    if value.mode is None:
        try:
            return {"name": name, "value": raw.decode()}
        except UnicodeDecodeError:
            return {"name": name, "base64": base64.b64encode(raw).decode()}
    return {"name": name, "base64": base64.b64encode(raw).decode(), "mode": value.mode}


def _as_dotenv(opened: Opened) -> bytes:
    """Raises `Invalid` (`not_dotenv`)."""
    lines = []
    for name, value in opened.values.items():
        if value.mode is not None:
            raise Invalid(f"{name} is a file, and dotenv has no files. Ask for JSON.", code="not_dotenv")
        lines.append(dotenv.line(name, value.secret.reveal() if value.secret is not None else b"") + "\n")
    return "".join(lines).encode()
