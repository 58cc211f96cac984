"""Server: wraps and unwraps environment keys for the callers it knows, at their pace, each answer written down first."""

import asyncio
import base64
import binascii
import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from keyserver.callers import Callers
from keyserver.ledger import Ledger
from keyserver.rosters import Rosters
from store.keys.envelope import EPOCH
from store.keys.file import KeyFile
from store.keys.holder import KEY_BYTES, MAX_CONTEXT_BYTES, MAX_WRAPPED_BYTES
from store.keys.identity import Identity, pin_of
from store.model.buckets import Buckets
from store.model.errors import AccessError, Forbidden, Invalid, Unavailable
from store.model.sealed import TAMPERED, fields_of

MOST_BYTES: Final = 32 * 1024  # a request: a wrapped key and its context, in base64
NEWCOMERS_S: Final = 1.0  # until a caller who was just allowed comes through the handshake
ENDS_S: Final = 3.0

_BODY: Final[TypeAdapter[dict[str, str]]] = TypeAdapter(dict[str, str])

Keep = Callable[[bytes, bytes], Awaitable[bytes]]


class KeyServing:
    """`pace`: a stolen identity must not empty a key server before somebody sees it. `now` is this host's clock, for the ledger alone."""

    def __init__(
        self,
        key: KeyFile,
        identity: Identity,
        callers: Callers,
        ledger: Ledger,
        pace: Buckets,
        rosters: Rosters,
        now: Callable[[], datetime],
    ) -> None:
        self._key = key
        self._callers = callers
        self._ledger = ledger
        self._pace = pace
        self._rosters = rosters
        self._now = now
        self._writing = asyncio.Lock()
        self._tls = identity.answering(())
        self._admitting: asyncio.Task[None] | None = None
        app = web.Application(client_max_size=MOST_BYTES)
        app.add_routes([web.post("/v1/wrap", self._wrap), web.post("/v1/unwrap", self._unwrap)])
        app.add_routes([web.post("/v1/roster", self._learn)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=ENDS_S)

    async def start(self, host: str, port: int) -> int:
        """The port it listens on. Raises `Unavailable`."""
        self._callers.admit(self._tls)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._tls).start()
        except OSError as error:
            await self._runner.cleanup()
            raise Unavailable(f"Cannot listen on {host}:{port}: {error.strerror}.", code="address_taken") from None
        self._admitting = asyncio.create_task(self._admit())
        found: int = self._runner.addresses[0][1]
        return found

    async def stop(self) -> None:
        if self._admitting is not None:
            self._admitting.cancel()
            await asyncio.gather(self._admitting, return_exceptions=True)
        await self._runner.cleanup()

    async def _admit(self) -> None:
        while True:
            await asyncio.sleep(NEWCOMERS_S)
            try:
                self._callers.admit(self._tls)
            except (Invalid, OSError):  # said to each caller, who is refused meanwhile
                continue

    async def _wrap(self, request: web.Request) -> web.Response:
        return await self._answer(request, "wrap", "key", "wrapped", self._key.wrap)

    async def _unwrap(self, request: web.Request) -> web.Response:
        return await self._answer(request, "unwrap", "wrapped", "key", self._key.unwrap)

    async def _answer(self, request: web.Request, did: str, given: str, field: str, keep: Keep) -> web.Response:
        caller, about = "", ""
        try:
            caller = self._caller(request)
            self._demand_pace(caller)
            value, context, told = await _read(request, given)
            about = _about(context)
            if did == "unwrap":
                self._rosters.admit(caller, context, told)
            answer = await keep(value, context)
            await self._note(caller, did, about, "done")
        except AccessError as error:
            return await self._refused(error, caller, did, about)
        return web.json_response({field: base64.b64encode(answer).decode()})

    async def _learn(self, request: web.Request) -> web.Response:
        caller, about = "", ""
        try:
            caller = self._caller(request)
            self._demand_pace(caller)
            installation, text, wrapped = await _introduction(request)
            roster = await self._rosters.learn(caller, installation, text, wrapped, self._key.unwrap)
            about = f"{installation}/{roster.number}"
            await self._note(caller, "roster", about, "done")
        except AccessError as error:
            return await self._refused(error, caller, "roster", about)
        return web.json_response({"roster": str(roster.number)})

    async def _refused(self, error: AccessError, caller: str, did: str, about: str) -> web.Response:
        if error.detail != "ledger":
            try:
                await self._note(caller, did, about, error.detail)
            except Unavailable as unwritten:
                error = unwritten
        again_ms = error.retry_after_ms if isinstance(error, Unavailable) else None
        headers = {"Retry-After": str(math.ceil(again_ms / 1000))} if again_ms is not None else {}
        said = {"code": error.detail, "sentence": error.sentence}
        return web.json_response(said, status=_status(error), headers=headers)

    def _demand_pace(self, caller: str) -> None:
        if (wait_s := self._pace.wait_s(caller)) > 0:
            again_ms = math.ceil(wait_s * 1000)
            raise Unavailable("Too many keys were asked for in a minute.", code="too_many", retry_after_ms=again_ms)

    def _caller(self, request: web.Request) -> str:
        """Looked up anew: a caller who was forgotten keeps its connection, and gets nothing more over it."""
        tls = request.transport.get_extra_info("ssl_object") if request.transport else None
        certificate = tls.getpeercert(binary_form=True) if tls else None
        name = self._callers.name_of(pin_of(certificate)) if certificate else None
        if name is None:
            raise Forbidden("This caller is not allowed here any more.", code="unknown_caller")
        return name

    async def _note(self, caller: str, did: str, about: str, answer: str) -> None:
        """One after the other, each on disk before the next is begun."""
        async with self._writing:
            line = {"at": self._now().isoformat(timespec="milliseconds"), "caller": caller, "did": did}
            await asyncio.to_thread(lambda: self._ledger.write(**line, about=about, answer=answer))


async def _introduction(request: web.Request) -> tuple[str, str, bytes]:
    """(installation, the roster as it is stored, its key as this key server wrapped it). Raises `Invalid`."""
    try:
        body = _BODY.validate_json(await request.read())
        return body["installation"][:64], body["roster"], base64.b64decode(body["wrapped"], validate=True)
    except (ValidationError, KeyError, binascii.Error, ValueError, web.HTTPRequestEntityTooLarge):
        raise Invalid("The body is to be JSON with “installation”, “roster” and “wrapped”.", code="bad_body") from None


async def _read(request: web.Request, given: str) -> tuple[bytes, bytes, str]:
    """(what is to be wrapped or unwrapped, its context, the roster that the caller follows). Raises `Invalid`."""
    try:
        body: dict[str, Any] = _BODY.validate_json(await request.read())
        value = base64.b64decode(body[given], validate=True)
        context = base64.b64decode(body["context"], validate=True)
    except (ValidationError, KeyError, binascii.Error, ValueError, web.HTTPRequestEntityTooLarge):
        raise Invalid(f"The body is to be JSON with “{given}” and “context” in base64.", code="bad_body") from None
    right = len(value) == KEY_BYTES if given == "key" else 0 < len(value) <= MAX_WRAPPED_BYTES
    if not right or len(context) > MAX_CONTEXT_BYTES:
        raise Invalid(f"“{given}” or “context” is not as long as it should be.", code="bad_body")
    return value, context, str(body.get("roster", ""))


def _about(context: bytes) -> str:
    """`INSTALLATION/ENVIRONMENT/EPOCH`, or what else the context says of itself: never more than it holds."""
    match fields_of(context):
        case [what, installation, environment, epoch] if what == EPOCH:
            return f"{installation.decode('ascii', 'replace')}/{environment.decode('ascii', 'replace')}/{int.from_bytes(epoch, 'big')}"
        case _:
            return context[:64].decode("ascii", "replace")


def _status(error: AccessError) -> int:
    match error:
        case Forbidden():
            return 403
        case Invalid():
            return 400
        case _:
            return {TAMPERED: 422, "too_many": 429}.get(error.detail, 503)
