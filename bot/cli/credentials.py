"""Credentials: at which server this computer is logged in, and the token that it shows there.

They lie in `~/.config/countersign/credentials.json`, for their owner alone. `COUNTERSIGN_URL` and `COUNTERSIGN_TOKEN` go before.
"""

import asyncio
import base64
import contextlib
import fcntl
import ipaddress
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.cli import kept
from bot.cli.wire import ask
from store.keys.computer import Computer, renewal
from store.model.errors import Forbidden, Invalid, NotFound, Unavailable
from store.model.secret import Secret

FILE: Final = "credentials.json"
EARLY_MS: Final = 60_000  # how long before its end a token is renewed
LOCK_S: Final = 20.0  # longer than anybody needs to renew
NONCE_BYTES: Final = 16


class Session(BaseModel):
    """One login: the token as it is shown, and the private keys by which it is renewed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: str
    id: str
    user: str
    expires_ms: int
    until_ms: int
    seals: str  # private, X25519
    signs: str  # private, Ed25519

    def __repr__(self) -> str:
        return f"Session({self.id})"

    __str__ = __repr__

    @property
    def computer(self) -> Computer:
        return Computer.of(self.seals, self.signs)


class Stored(BaseModel):
    """The file. `current`: the server that was logged in to last."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: int = 1
    current: str | None = None
    sessions: dict[str, Session] = {}


class Credentials:
    """`now_ms`: what this computer takes the time for."""

    def __init__(self, path: Path, environ: Mapping[str, str], now_ms: Callable[[], int]) -> None:
        self.path = path
        self._environ = environ
        self._now_ms = now_ms

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        return cls(place(environ), environ, lambda: time.time_ns() // 1_000_000)  # this computer's, not the server's

    def url(self, given: str | None = None) -> str:
        """The server that is meant: `--url`, `COUNTERSIGN_URL`, or the one of the last login. Raises `Forbidden`, `Invalid`."""
        found = given or self._environ.get("COUNTERSIGN_URL") or self.read().current
        if not found and self._environ.get("COUNTERSIGN_TOKEN"):
            raise Invalid(
                "COUNTERSIGN_TOKEN does not say which server takes it. Set COUNTERSIGN_URL too, or give --url.",
                code="no_server",
            )
        if not found:
            raise Forbidden(
                "Nobody is logged in here. Log in first: countersign login https://countersign.example.com",
                code="not_logged_in",
            )
        return check_url(found)

    async def bearer(self, url: str, *, refused: Secret | None = None) -> Secret:
        """What goes behind `Authorization: Bearer` for this server. `refused`: what it has just answered 401 to.

        Renews it where it is about to end or was refused. Raises `Forbidden` where only logging in helps, and `Unavailable`.
        """
        url = check_url(url)
        if given := self._environ.get("COUNTERSIGN_TOKEN"):
            if refused is not None:
                raise Forbidden(
                    "The server does not take the token in COUNTERSIGN_TOKEN: it is not approved yet, over, revoked or another server's.",
                    code="bad_token",
                )
            return Secret(given.encode())
        session = self._session(url)
        if self._good(session, refused):
            return Secret(session.token.encode())
        async with self.locked():
            session = self._session(url)  # another program may have renewed it meanwhile
            if not self._good(session, refused):
                session = await self._renewed(url, session)
                self.keep(url, session, current=False)
        return Secret(session.token.encode())

    def read(self) -> Stored:
        """Raises `Invalid` for a file that others may read, or that is none of ours."""
        try:
            with self.path.open("rb") as file:
                facts = os.fstat(file.fileno())
                if facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise Invalid(
                        f"{self.path} can be read by others. It is not used: look who had it, then chmod 600 or log in again.",
                        code="credentials_open",
                    )
                return Stored.model_validate_json(file.read())
        except FileNotFoundError:
            return Stored()
        except OSError as error:
            raise Invalid(f"{self.path} cannot be read: {error.strerror}.", code="credentials_unreadable") from None
        except ValidationError:
            raise Invalid(
                f"{self.path} is not as countersign login writes it. Remove it, and log in again.",
                code="credentials_unreadable",
            ) from None

    def keep(self, url: str, session: Session, *, current: bool = True) -> None:
        """Whole or not at all, for nobody else's eyes. `current`: this server is meant from now on. Call it under `locked`."""
        stored = self.read()
        self._write(Stored(current=url if current else stored.current, sessions={**stored.sessions, url: session}))

    def forget(self, url: str) -> None:
        """Call it under `locked`."""
        stored = self.read()
        sessions = {at: one for at, one in stored.sessions.items() if at != url}
        current = next(iter(sessions), None) if stored.current == url else stored.current
        self._write(Stored(current=current, sessions=sessions))

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """One program at a time reads, renews and writes. Raises `Unavailable`."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            await self._take(handle)
            yield
        finally:
            os.close(handle)

    async def _take(self, handle: int) -> None:
        try:
            async with asyncio.timeout(LOCK_S):
                while not _taken(handle):  # noqa: ASYNC110 - nobody would set an event
                    await asyncio.sleep(0.05)  # a lock tells nobody when it is free
        except TimeoutError:
            raise Unavailable(f"Another program holds {self.path}.", code="credentials_locked") from None

    def _session(self, url: str) -> Session:
        session = self.read().sessions.get(url)
        if session is None:
            raise Forbidden(
                f"Nobody is logged in at {url} here. Log in first: countersign login {url}", code="not_logged_in"
            )
        return session

    def _good(self, session: Session, refused: Secret | None) -> bool:
        early = min(session.expires_ms, session.until_ms) - EARLY_MS
        return Secret(session.token.encode()) != refused and self._now_ms() < early

    async def _renewed(self, url: str, session: Session) -> Session:
        computer, at_ms, nonce = session.computer, self._now_ms(), _nonce()
        signature = computer.sign(renewal(session.id, at_ms, nonce))
        asked = {"token": session.id, "at_ms": at_ms, "nonce": nonce, "signature": signature}
        try:
            answer = await ask("POST", check_url(url), "/v1/login/renew", body=asked)
        except (Forbidden, NotFound) as error:
            raise Forbidden(
                f"{error.sentence.rstrip()} Log in again: countersign login {url}", code=error.detail
            ) from None
        try:
            sealed, expires_ms = str(answer["sealed"]), int(answer["expires_ms"])
        except (KeyError, ValueError, TypeError):
            raise Unavailable(f"{url} does not answer as Countersign does.", code="bad_answer") from None
        token = computer.open(sealed, session.id, expires_ms).reveal().decode()
        return session.model_copy(update={"token": token, "expires_ms": expires_ms})

    def _write(self, stored: Stored) -> None:
        kept.write(self.path, stored.model_dump_json(indent=1, exclude_none=True) + "\n")


def place(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/countersign/credentials.json`; a relative one is ignored, as the standard says."""
    given = Path(environ.get("XDG_CONFIG_HOME") or "")
    folder = given if given.is_absolute() else Path(environ.get("HOME") or "~").expanduser() / ".config"
    return folder / "countersign" / FILE


def check_url(text: str) -> str:
    """Without a slash at its end. A token goes unencrypted to this computer alone. Raises `Invalid`."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise Invalid("An address like https://countersign.example.com is meant.", code="bad_url")
    if parts.scheme == "http" and not _loopback(host):
        raise Invalid(
            f"A token would go to {host} unencrypted: use https, or an address of this computer.", code="plain_http"
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _nonce() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(NONCE_BYTES)).rstrip(b"=").decode()
