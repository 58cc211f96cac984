"""Asked: requests of the person who is logged in, over HTTP: made, looked at, waited for, and acted on."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.cli.client import WAIT_S, Client
from bot.cli.moments import at, spell
from bot.cli.progress import Progress
from bot.slack.views.words import cleaned, joined
from store.model.errors import AccessError, Unavailable

WAITING: Final = frozenset({"pending"})
OVER: Final = frozenset({"denied", "withdrawn", "expired", "failed", "ended", "stale"})
AWAY_S: Final = 300.0  # so long a server may be away while somebody waits
PAUSE_S: Final = 2.0
LISTED: Final = 100


class Failed(AccessError):
    """It was decided otherwise: exit 1."""

    code = "not_approved"


class TooLong(AccessError):
    """Nobody decided in time: exit 124."""

    code = "waited_too_long"


class Asked(BaseModel):
    """A request as the server tells it. `waits_for`: names of who can decide; times in milliseconds of the server's clock."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    kind: str
    target: str
    state: str
    requester: str
    beneficiary: str
    reason: str = ""
    created_ms: int = 0
    deadline_ms: int | None = None
    until_ms: int | None = None
    granted_ms: int | None = None
    waits_for: tuple[str, ...] = ()
    link: str | None = None
    note: str | None = None
    sentence: str = ""

    @property
    def who(self) -> str:
        return joined((cleaned(name) for name in self.waits_for), "or") or "somebody who may"


class Requests:
    """`now_ms`: the server's clock, as far as it has told it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def now_ms(self) -> int:
        return self._client.now_ms()

    async def ask(self, body: Mapping[str, Any]) -> Asked:
        """Raises `AccessError`."""
        given = {name: value for name, value in body.items() if value is not None and value != ""}
        return self._read((await self._client.post("/v1/requests", given)).body)

    async def show(self, request: str) -> Asked:
        return self._read((await self._client.get(f"/v1/requests/{request}")).body)

    async def mine(self, *, waiting: bool = False, most: int = LISTED) -> list[Asked]:
        """The newest first; with `waiting` what this person can decide."""
        query = {"waiting" if waiting else "mine": 1, "limit": most}
        found = (await self._client.get("/v1/requests", query)).body
        listed: Sequence[Any] = found.get("requests", []) if isinstance(found, dict) else found
        return [self._read(one) for one in listed]

    async def act(self, request: str, verb: str, body: Mapping[str, Any] | None = None) -> Asked:
        """`withdraw`, `activate`, `end`, `extend`."""
        given = {name: value for name, value in (body or {}).items() if value is not None and value != ""}
        key = secrets.token_hex(16)
        return self._read((await self._client.post(f"/v1/requests/{request}/{verb}", given or None, key)).body)

    async def moved(self, known: Asked, wait_s: int = WAIT_S) -> Asked:
        """As it is when its state is another, or after `wait_s`. Raises `AccessError`, at once where the server is away."""
        query = {"wait": wait_s, "state": known.state}
        return self._read((await self._client.get(f"/v1/requests/{known.id}", query, patient=False)).body)

    def _read(self, body: Any) -> Asked:
        try:
            return Asked.model_validate(body)
        except ValidationError:
            raise Unavailable(f"{self._client.url} does not answer as Countersign does.", code="bad_answer") from None


async def decided(requests: Requests, asked: Asked, progress: Progress, timeout_ms: int | None) -> Asked:
    """Waits until it is decided. Raises `Failed`, `TooLong`, and `Unavailable` where the server stays away."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    def words() -> str:
        until = f", until {at(asked.deadline_ms, requests.now_ms())}" if asked.deadline_ms else ""
        return f"Waiting for {asked.who}: {spell(int((loop.time() - began) * 1000))}{until}"

    async with progress.meanwhile(words):
        try:
            async with asyncio.timeout(timeout_ms / 1000 if timeout_ms is not None else None):
                while asked.state in WAITING:
                    asked = await _patiently(requests, asked, progress)
        except TimeoutError:
            raise TooLong(
                f"Nobody decided within {spell(timeout_ms or 0)}. Request {asked.id} still waits for {asked.who}. "
                f"Withdraw it: countersign request withdraw {asked.id}"
            ) from None
    if asked.state in OVER:
        raise Failed(told(asked), code=asked.state)
    return asked


async def _patiently(requests: Requests, asked: Asked, progress: Progress) -> Asked:
    """Over a restart of the server, too."""
    loop = asyncio.get_running_loop()
    away_since: float | None = None
    while True:
        try:
            found = await requests.moved(asked)
        except Unavailable as error:
            if error.detail == "bad_answer":
                raise
            if away_since is None:
                away_since = loop.time()
                progress.say("away", f"{error.sentence} Still waiting.", code=error.detail)
            elif loop.time() - away_since > AWAY_S:
                raise
            await asyncio.sleep(min((error.retry_after_ms or 0) / 1000 or PAUSE_S, 2 * PAUSE_S))
        else:
            if away_since is not None:
                progress.say("back", "The server answers again.")
            return found


def told(asked: Asked) -> str:
    """What became of it, in a sentence of the server's."""
    said = cleaned(asked.sentence) or f"Request {asked.id} is {asked.state}."
    return said if asked.id in said else f"{said} ({asked.id})"
