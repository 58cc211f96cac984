"""Session: a computer logs in, and logs out."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.cli.asked import Failed, TooLong
from bot.cli.client import Client
from bot.cli.credentials import Credentials, Session
from bot.cli.wire import ask
from store.keys.computer import Computer
from store.model.errors import AccessError, Forbidden, NotFound, Unavailable
from store.model.secret import Secret

WAIT_S: Final = 25  # for one answer; proxies cut off after thirty
AGAIN_S: Final = 1.0  # after a server that did not answer
GIVE_UP_S: Final = 3.0  # for telling a server that nobody waits any more


@dataclass(frozen=True, slots=True)
class Begun:
    """What is shown to the person. `code` is typed in Slack."""

    code: str
    fingerprint: str
    expires_ms: int


async def log_in(credentials: Credentials, url: str, show: Callable[[Begun], None]) -> Session:
    """Asks, shows the code and waits. Cancelled, it withdraws. Raises `AccessError`."""
    computer = Computer.mint(secrets.token_bytes)
    body = {"host": host(), "seals": computer.seals, "signs": computer.signs}
    asked = await ask("POST", url, "/v1/login", body=body)
    try:
        login, poll = str(asked["login"]), str(asked["poll"])
        begun = Begun(str(asked["code"]), computer.fingerprint, int(asked["expires_ms"]))
        show(begun)
        session = _session(await _fetched(url, login, poll), computer)
    except asyncio.CancelledError:
        await _withdraw(url, asked)
        raise
    except (KeyError, TypeError, ValueError):
        raise Unavailable(f"{url} does not answer as Countersign does.", code="bad_answer") from None
    async with credentials.locked():
        before = credentials.read().sessions.get(url)
        credentials.keep(url, session)
    if before is not None:  # the same computer, logged in anew
        with contextlib.suppress(AccessError):
            await ask("DELETE", url, "/v1/login", token=Secret(before.token.encode()))
    return session


async def log_out(client: Client, credentials: Credentials) -> None:
    """Forgets it here in any case. Raises `Unavailable` where the server could not be told."""
    url = client.url
    if url not in credentials.read().sessions:
        raise Forbidden(f"Nobody is logged in at {url} here.", code="not_logged_in")
    try:
        await client.delete("/v1/login")
    except (Forbidden, NotFound):
        return  # it had ended already
    except Unavailable as error:
        raise Unavailable(
            f"Forgotten here, but the server could not be told: {error.sentence} Revoke it on App Home, Signed in.",
            code=error.detail,
        ) from None
    finally:
        async with credentials.locked():
            credentials.forget(url)


def host() -> str:
    return socket.gethostname()[:200] or "a computer without a name"


async def _fetched(url: str, login: str, poll: str) -> dict[str, Any]:
    body = {"poll": poll, "wait_s": WAIT_S}
    while True:
        try:
            answer = await ask("POST", url, f"/v1/login/{login}", body=body, timeout_s=WAIT_S + 10)
        except Unavailable as error:
            if error.detail not in ("no_answer", "unknown", "too_many"):
                raise
            await asyncio.sleep(AGAIN_S)
            continue
        except Forbidden as error:
            if error.detail == "denied":
                raise Failed(error.sentence, code=error.detail) from None
            raise
        except NotFound as error:
            raise TooLong(error.sentence) from None
        if answer["status"] == "confirmed":
            return answer


def _session(answer: Mapping[str, Any], computer: Computer) -> Session:
    token, expires_ms = str(answer["token"]), int(answer["expires_ms"])
    seals, signs = computer.kept()
    return Session(
        token=computer.open(str(answer["sealed"]), token, expires_ms).reveal().decode(),
        id=token,
        user=str(answer["user"]),
        expires_ms=expires_ms,
        until_ms=int(answer["until_ms"]),
        seals=seals,
        signs=signs,
    )


async def _withdraw(url: str, asked: Mapping[str, Any]) -> None:
    with contextlib.suppress(AccessError, TimeoutError, KeyError):
        async with asyncio.timeout(GIVE_UP_S):
            await ask("POST", url, f"/v1/login/{asked['login']}/withdraw", body={"poll": asked["poll"]})
