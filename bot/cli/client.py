"""Client: the HTTP API as the command line speaks it. One answer or one `AccessError`, whatever happens on the way."""

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bot import VERSION
from bot.cli.credentials import Credentials
from bot.cli.wire import refusal
from store.model.errors import AccessError, Forbidden, Invalid, Unavailable
from store.model.secret import Secret

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S: Final = 20.0
PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)  # before what may be said again is said again
LONGEST_PAUSE_S: Final = 5.0
WAIT_S: Final = 30  # as long as the server lets anybody wait
NOW: Final = "Countersign-Now"
UNTIL: Final = "Countersign-Until"
NOT_NOW: Final = "The server cannot reach what it keeps its records in. Nothing is lost; try again in a moment."
NOT_KNOWN: Final = "The server does not know whether that was done. See what is: countersign request ls"
# What is a field in Slack is an option here.
HINTS: Final = {"reason_required": 'Add --reason "…".', "ticket_required": "Add --ticket."}
# Worth saying again: a process between two others, a Redis that fails over.
AGAIN: Final = frozenset({429, 502, 503, 504})
IN_VAIN: Final = frozenset({"bad_answer", "internal"})


@dataclass(frozen=True, slots=True)
class Answer:
    """`body`: JSON as it came, or text. None where the server has nothing new."""

    status: int
    body: Any
    headers: Mapping[str, str]

    def number(self, header: str) -> int | None:
        found = self.headers.get(header, "")
        return int(found) if found.isdecimal() else None


class Client:
    """Of one server. A token that is refused is renewed once; a question is repeated where the server was away a moment."""

    def __init__(self, url: str, credentials: Credentials, http: "aiohttp.ClientSession") -> None:
        self.url = url
        self._credentials = credentials
        self._http = http
        self._ahead_ms = 0  # the server's clock of ours

    def now_ms(self) -> int:
        """By the server's clock, as far as it has told it."""
        return time.time_ns() // 1_000_000 + self._ahead_ms

    async def get(self, path: str, query: Mapping[str, Any] | None = None, *, patient: bool = True) -> Answer:
        """`patient` False: who asks repeats it. Raises `AccessError`."""
        return await self._asked("GET", path, query, None, {}, PAUSES_S if patient else ())

    async def post(self, path: str, body: Mapping[str, Any] | None = None, key: str | None = None) -> Answer:
        """Done once, however often it had to be said: under one `Idempotency-Key`. Raises `AccessError`."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        return await self._asked("POST", path, None, body, headers, PAUSES_S)

    async def delete(self, path: str) -> Answer:
        """Raises `AccessError`."""
        return await self._asked("DELETE", path, None, None, {}, PAUSES_S)

    async def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        pauses: tuple[float, ...],
    ) -> Answer:
        shown: Secret | None = None
        refused: Secret | None = None
        left = list(pauses)
        while True:
            shown = await self._credentials.bearer(self.url, refused=refused)
            try:
                return await self._once(method, path, query, body, {**headers, **_authorization(shown)})
            except Forbidden as error:
                if error.detail != "bad_token" or refused is not None:
                    raise
                refused = shown
            except Unavailable as error:
                if not left or error.detail in IN_VAIN:
                    raise
                told_s = (error.retry_after_ms or 0) / 1000
                await asyncio.sleep(min(max(left.pop(0), told_s), LONGEST_PAUSE_S))

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> Answer:
        import aiohttp

        wait_s = int((query or {}).get("wait", 0))
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S + wait_s)
        try:
            async with self._http.request(
                method,
                self.url + path,
                params=query,
                json=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                raw = await response.read()
                status, answered = response.status, dict(response.headers)
        except (aiohttp.ClientConnectionError, TimeoutError, OSError):
            raise Unavailable(
                f"{self.url} does not answer. Is it running, and can this computer reach it?", code="no_answer"
            ) from None
        except (aiohttp.ClientError, ValueError):
            raise Unavailable(f"{self.url} does not answer as Countersign does.", code="bad_answer") from None
        told = answered.get(NOW, "")
        if told.isdecimal():
            self._ahead_ms = int(told) - time.time_ns() // 1_000_000
        if status == 304:
            return Answer(status, None, answered)
        if status >= 300:
            raise _refused(self.url, method, status, raw, answered)
        return Answer(status, _read(self.url, raw, answered), answered)


@asynccontextmanager
async def connected(url: str | None = None) -> AsyncIterator[Client]:
    """To the server that is meant. Raises `Forbidden` (`not_logged_in`), `Invalid`."""
    credentials = Credentials.of(os.environ)
    meant = credentials.url(url)
    import aiohttp

    async with aiohttp.ClientSession(
        headers={"User-Agent": f"countersign/{VERSION}"}, connector=aiohttp.TCPConnector(force_close=False)
    ) as http:
        yield Client(meant, credentials, http)


def _authorization(shown: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {shown.reveal().decode()}"}


def _refused(url: str, method: str, status: int, raw: bytes, headers: Mapping[str, str]) -> AccessError:
    from bot.slack.views.words import cleaned

    try:
        found = json.loads(raw)
        code, sentence = str(found["code"]), str(found["sentence"])
    except (ValueError, KeyError, TypeError):
        if status in AGAIN:
            return Unavailable(f"{url} is not ready ({status}).", code="not_ready")
        return Unavailable(f"{url} does not answer as Countersign does ({status}).", code="bad_answer")
    if code == "unknown":  # what it says to somebody who looks at a card
        sentence = NOT_NOW if method == "GET" else NOT_KNOWN
    if code in HINTS:
        sentence = f"{sentence} {HINTS[code]}"
    error = Invalid(cleaned(sentence), code=code) if status in (405, 415) else refusal(status, code, sentence)
    if isinstance(error, Unavailable):
        after = headers.get("Retry-After", "")
        error.retry_after_ms = int(after) * 1000 if after.isdecimal() else None
    return error


def _read(url: str, raw: bytes, headers: Mapping[str, str]) -> Any:
    if not raw:
        return None
    if not headers.get("Content-Type", "").startswith("application/json"):
        return raw.decode(errors="replace")
    try:
        return json.loads(raw)
    except ValueError:
        raise Unavailable(f"{url} does not answer as Countersign does.", code="bad_answer") from None
