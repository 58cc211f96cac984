"""Credentials: for their owner's eyes, renewed in time by one program at a time, and never sent where others could read them."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.cli.credentials import Credentials, Session, Stored, check_url, place
from store.keys.computer import Computer, proves, renewal, seal
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, Unavailable
from store.model.secret import Secret
from tests.builders import ANA, NOW

ID = "7Q2M4XK9TB"
MINUTE = 60_000


def token(letter: str) -> str:
    return f"csp_{ID}_{letter * 43}"


class Server:
    """Renews as Countersign does, and remembers every proof."""

    def __init__(self, computer: Computer) -> None:
        self.computer = computer
        self.proofs: list[dict[str, Any]] = []
        self.refuses: tuple[int, str] | None = None
        self.url = ""

    async def renew(self, request: web.Request) -> web.Response:
        proof = await request.json()
        assert "Authorization" not in request.headers
        assert proves(self.computer.signs, renewal(ID, proof["at_ms"], proof["nonce"]), proof["signature"])
        self.proofs.append(proof)
        if self.refuses is not None:
            return web.json_response({"code": self.refuses[1], "sentence": "No."}, status=self.refuses[0])
        new = token(chr(ord("A") + len(self.proofs)))
        expires_ms = NOW + (len(self.proofs) + 1) * 15 * MINUTE
        sealed = seal(Secret(new.encode()), self.computer.seals, ID, expires_ms, os.urandom)
        return web.json_response({"sealed": sealed, "expires_ms": expires_ms})


@pytest.fixture
def computer() -> Computer:
    return Computer.mint(os.urandom)


@pytest.fixture
async def server(computer: Computer) -> AsyncIterator[Server]:
    made = Server(computer)
    app = web.Application()
    app.router.add_post("/v1/login/renew", made.renew)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


class Clock:
    now = NOW


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "countersign" / "credentials.json"


@pytest.fixture
def mine(path: Path, clock: Clock) -> Credentials:
    return Credentials(path, {}, lambda: clock.now)


def session(computer: Computer, **changed: Any) -> Session:
    seals, signs = computer.kept()
    fields: dict[str, Any] = {
        "token": token("A"),
        "id": ID,
        "user": ANA,
        "expires_ms": NOW + 15 * MINUTE,
        "until_ms": NOW + 720 * MINUTE,
        "seals": seals,
        "signs": signs,
    }
    return Session(**{**fields, **changed})


async def keep(mine: Credentials, url: str, kept: Session) -> None:
    async with mine.locked():
        mine.keep(url, kept)


async def test_a_file_is_for_its_owner_alone(mine, path, computer):
    await keep(mine, "https://a.example", session(computer))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert mine.read().sessions == {"https://a.example": session(computer)}
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".credentials")] == []


async def test_it_is_written_for_its_owner_alone_whatever_the_umask(mine, path, computer):
    before = os.umask(0)
    try:
        await keep(mine, "https://a.example", session(computer))
    finally:
        os.umask(before)
    assert {one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
async def test_a_file_that_others_can_read_is_not_used(mine, path, computer, mode):
    await keep(mine, "https://a.example", session(computer))
    path.chmod(mode)
    with pytest.raises(Invalid) as refused:
        mine.read()
    assert refused.value.detail == "credentials_open"


@pytest.mark.parametrize("body", ["", "{", "[]", '{"sessions": {"a": {}}}', '{"other": 1}', '{"version": "x"}'])
def test_a_file_that_is_none_of_ours_is_told_without_what_is_in_it(mine, path, body):
    path.parent.mkdir(parents=True)
    path.write_text(body)
    path.chmod(0o600)
    with pytest.raises(Invalid) as refused:
        mine.read()
    assert refused.value.detail == "credentials_unreadable"


def test_nothing_of_it_prints(computer):
    one = session(computer)
    for text in (repr(one), str(one), repr(Stored(sessions={"a": one}))):
        assert not any(secret in text for secret in (one.token, one.seals, one.signs))


async def test_the_last_login_is_meant_until_it_is_forgotten(mine, computer):
    with pytest.raises(Forbidden):
        mine.url()
    await keep(mine, "https://a.example", session(computer))
    await keep(mine, "https://b.example", session(computer))
    assert mine.url() == "https://b.example"
    mine.forget("https://b.example")
    assert mine.url() == "https://a.example"
    mine.forget("https://a.example")
    with pytest.raises(Forbidden) as refused:
        mine.url()
    assert refused.value.detail == "not_logged_in"


async def test_what_is_given_goes_before_the_environment_and_that_before_the_file(path, clock, mine, computer):
    await keep(mine, "https://a.example", session(computer))
    other = Credentials(path, {"COUNTERSIGN_URL": "https://e.example/"}, lambda: clock.now)
    assert other.url() == "https://e.example"
    assert other.url("https://g.example") == "https://g.example"


def test_a_token_without_a_server_is_told_to_name_one(path, clock):
    with pytest.raises(Invalid) as refused:
        Credentials(path, {"COUNTERSIGN_TOKEN": "csm_x"}, lambda: clock.now).url()
    assert refused.value.detail == "no_server"
    assert "COUNTERSIGN_URL" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://a.example", "https://a.example"),
        ("https://a.example/", "https://a.example"),
        ("https://a.example:8443/base/", "https://a.example:8443/base"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.3.2.1", "http://127.3.2.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_addresses_are_taken(text, meant):
    assert check_url(text) == meant


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://a.example", "plain_http"),
        ("http://10.0.0.1", "plain_http"),
        ("http://0.0.0.0:8080", "plain_http"),
        ("http://localhost.evil.example", "plain_http"),
        ("http://127.0.0.1.evil.example", "plain_http"),
        ("http://127.0.0.1@evil.example", "bad_url"),
        ("https://user:word@a.example", "bad_url"),
        ("https://a.example/?a=1", "bad_url"),
        ("https://a.example/#a", "bad_url"),
        ("ftp://a.example", "bad_url"),
        ("a.example", "bad_url"),
        ("", "bad_url"),
        ("https://[", "bad_url"),
        ("https://a.example:99999", "bad_url"),
        ("file:///etc/passwd", "bad_url"),
    ],
)
async def test_no_token_goes_where_others_can_read_it(mine, text, code):
    with pytest.raises(Invalid) as refused:
        await mine.bearer(text)
    assert refused.value.detail == code


async def test_a_token_of_the_environment_is_shown_as_it_is(path, clock):
    given = Credentials(path, {"COUNTERSIGN_TOKEN": token("E")}, lambda: clock.now)
    assert (await given.bearer("https://a.example")).reveal().decode() == token("E")
    with pytest.raises(Forbidden) as refused:
        await given.bearer("https://a.example", refused=Secret(token("E").encode()))
    assert "COUNTERSIGN_TOKEN" in refused.value.sentence
    assert not path.exists()


async def test_a_good_token_asks_nobody(mine, server, computer):
    await keep(mine, server.url, session(computer))
    assert (await mine.bearer(server.url)).reveal().decode() == token("A")
    assert server.proofs == []


async def test_a_token_is_renewed_a_minute_before_its_end(mine, server, computer, clock):
    await keep(mine, server.url, session(computer))
    clock.now = NOW + 14 * MINUTE - 1
    await mine.bearer(server.url)
    assert server.proofs == []
    clock.now = NOW + 14 * MINUTE
    assert (await mine.bearer(server.url)).reveal().decode() == token("B")
    assert (await mine.bearer(server.url)).reveal().decode() == token("B")
    assert len(server.proofs) == 1


async def test_a_token_that_was_refused_is_renewed_once_for_all(path, clock, mine, server, computer):
    """Many programs find at the same moment that their token is not taken any more."""
    await keep(mine, server.url, session(computer))
    old = Secret(token("A").encode())
    others = [Credentials(path, {}, lambda: clock.now) for _ in range(10)]
    found = await asyncio.gather(*(one.bearer(server.url, refused=old) for one in others))
    assert {one.reveal().decode() for one in found} == {token("B")}
    assert len(server.proofs) == 1
    assert mine.read().current == server.url


async def test_no_proof_is_made_twice(mine, server, computer, clock):
    await keep(mine, server.url, session(computer))
    one = await mine.bearer(server.url, refused=Secret(token("A").encode()))
    await mine.bearer(server.url, refused=one)
    assert len({proof["nonce"] for proof in server.proofs}) == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Forbidden), (401, Forbidden), (404, Forbidden), (503, Unavailable), (409, Conflict)]
)
async def test_what_the_server_refuses_is_told_and_the_file_stays(mine, server, computer, status, kind):
    await keep(mine, server.url, session(computer))
    server.refuses = (status, "gone")
    with pytest.raises(AccessError) as refused:
        await mine.bearer(server.url, refused=Secret(token("A").encode()))
    assert isinstance(refused.value, kind)
    assert ("countersign login" in refused.value.sentence) is (kind is Forbidden)
    assert mine.read().sessions[server.url] == session(computer)


async def test_a_server_that_is_not_there_is_told(mine, computer):
    await keep(mine, "http://127.0.0.1:9", session(computer))
    with pytest.raises(Unavailable) as refused:
        await mine.bearer("http://127.0.0.1:9", refused=Secret(token("A").encode()))
    assert refused.value.detail == "no_answer"


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/countersign/credentials.json"),
        ({"XDG_CONFIG_HOME": "x", "HOME": "/h"}, "/h/.config/countersign/credentials.json"),
        ({"XDG_CONFIG_HOME": "", "HOME": "/h"}, "/h/.config/countersign/credentials.json"),
    ],
)
def test_the_place_is_that_of_the_standard(environ, where):
    assert str(place(environ)) == where
