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
NOBODY: Final = frozenset({"clock", "relay"})
STANDS: Final = {
    "pending": "waits",
    "approved": "is approved",
    "active": "is in use",
    "granting": "is being granted",
    "revoking": "is being taken back",
    "denied": "was denied",
    "withdrawn": "was withdrawn",
    "expired": "expired: nobody decided or used it in time",
    "merged": "is merged",
    "extended": "made the access longer",
    "ended": "has ended",
    "failed": "failed",
    "running": "is being deployed",
    "succeeded": "is deployed",
    "cancelled": "was cancelled",
    "superseded": "was superseded: a deploy that was asked for later was started instead",
    "stale": "is out of date: what it changes was changed by somebody else. Ask again",
}


class Failed(AccessError):
    """It was decided otherwise: exit 1."""

    code = "not_approved"


class TooLong(AccessError):
    """Nobody decided in time: exit 124."""

    code = "waited_too_long"
    exit: Final = 124  # as timeout(1) has it


class Named(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    word: str


class Going(BaseModel):
    """What is deployed, and what was heard of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: str
    ref: str | None = None
    environment_version: int | None = None
    started_by: str | None = None
    report_before_ms: int | None = None
    stage: str | None = None
    log: str | None = None
    said: str | None = None
    heard_ms: int | None = None


class Machine(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    token: str
    name: str


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
    ticket: str | None = None
    created_ms: int = 0
    deadline_ms: int | None = None
    duration_ms: int | None = None
    granted_ms: int | None = None
    until_ms: int | None = None
    version: int | None = None
    deploy: Going | None = None
    machine: Machine | None = None
    extends: str | None = None
    entries: tuple[Named, ...] = ()
    waits_for: tuple[str, ...] = ()
    link: str | None = None
    note: str | None = None
    by: tuple[str, ...] = ()
    names: dict[str, str] = {}
    why: str | None = None
    sentence: str = ""

    def opens(self, target: str, user: str) -> bool:
        """For this person; what only makes another one longer is none."""
        return (self.kind, self.target, self.beneficiary, self.extends) == ("open", target, user, None)

    def name(self, user: str) -> str:
        if self.machine is not None and user == f"machine:{self.machine.token}":
            return f"the machine {cleaned(self.machine.name)}"
        return cleaned(self.names.get(user, user))

    @property
    def what(self) -> str:
        return f"{self.kind} {self.target}" if self.deploy is None else f"deploy {self.deploy.version} to {self.target}"

    @property
    def who(self) -> str:
        return joined((cleaned(name) for name in self.waits_for), "or") or "somebody who may"


class Requests:
    """`now_ms`: the server's clock, as far as it has told it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def now_ms(self) -> int:
        return self._client.now_ms()

    async def ask(self, body: Mapping[str, Any], path: str = "/v1/requests", key: str | None = None) -> Asked:
        """Under the same `key` the same wish is one request. Raises `AccessError`."""
        given = {name: value for name, value in body.items() if value is not None and value != ""}
        return self._read((await self._client.post(path, given, key)).body)

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
        if known.deploy is not None:
            query["heard_ms"] = known.deploy.heard_ms or 0
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
                    asked = await patiently(requests, asked, progress)
        except TimeoutError:
            raise TooLong(
                f"Nobody decided within {spell(timeout_ms or 0)}. Request {asked.id} still waits for {asked.who}. "
                f"Withdraw it: countersign request withdraw {asked.id}"
            ) from None
    if asked.state in OVER:
        raise Failed(told(asked), code=asked.state)
    return asked


async def patiently(requests: Requests, asked: Asked, progress: Progress) -> Asked:
    """Over a restart of the server, too."""
    loop = asyncio.get_running_loop()
    away_since: float | None = None
    while True:
        try:
            found = await requests.moved(asked, WAIT_S if away_since is None else 0)
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


def told(asked: Asked, now_ms: int | None = None) -> str:
    """Where it stands, who brought it there and what they said, in a sentence."""
    by = joined(asked.name(one) for one in asked.by if one not in NOBODY)
    head = f"Request {asked.id} ({asked.what}) {STANDS.get(asked.state, f'is {asked.state}')}"
    who = f" by {by}" if by and asked.state not in WAITING else ""
    why = f": {cleaned(asked.why)}" if asked.why else ""
    rest = ""
    if asked.state in WAITING:
        rest = f" for {asked.who}"
    elif asked.state == "active" and asked.until_ms is not None:
        rest = f" until {at(asked.until_ms, now_ms or asked.until_ms)}"
    elif asked.version is not None:
        rest = f", as version {asked.version}"
    note = f" {cleaned(asked.note)}" if asked.note else ""
    return f"{head}{rest if asked.state in WAITING else who + rest}{why}".rstrip(".") + "." + note
