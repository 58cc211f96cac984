"""Login: a computer asks, its person types the code in Slack, and only that computer ever holds the token."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.logging_in import GUESSES_MOST, SESSIONS_MOST, TOKEN_MS
from playground import seed
from playground.house import House
from playground.slack.sight import actions_of, text_of
from store.keys.computer import Computer, renewal
from tests.bot.slack.pieces import walk
from tests.stories.evidence import everything_in
from tests.stories.people import audited, command, home, modal, own_card, page, quiet
from tests.stories.terminal import Running, Said, Terminal

MINUTE_MS = 60_000


Sit = Callable[[str], Terminal]


@pytest.fixture
async def sit(house: House, tmp_path: Path) -> AsyncIterator[Sit]:
    """A terminal on another computer."""
    terminals: list[Terminal] = []

    def down(name: str) -> Terminal:
        terminals.append(Terminal(house, tmp_path / name))
        return terminals[-1]

    yield down
    for each in terminals:
        await each.close()


@pytest.fixture
def terminal(sit: Sit) -> Terminal:
    return sit("rosa")


async def typed(house: House, user: str, code: str) -> None:
    await house.workspace.slash(user, seed.APPROVALS, "/countersign", f"login {code}")


async def begun(terminal: Terminal, *words: str) -> tuple[Running, str, str]:
    """The process, the code it shows, and its key."""
    running = await terminal.start("login", *words)
    code = (await running.line("/countersign login")).rpartition(" ")[2]
    key = (await running.line("The key of this computer")).split()[6].rstrip(";")
    return running, code, key


async def log_in(house: House, terminal: Terminal, user: str = seed.ROSA) -> Said:
    running, code, _ = await begun(terminal)
    await typed(house, user, code)
    await house.workspace.submit(user, modal(house, user).id, {})
    return await running.ended()


def kept(terminal: Terminal) -> dict[str, Any]:
    (session,) = json.loads(terminal.credentials.read_text())["sessions"].values()
    return dict(session)


async def call(
    terminal: Terminal, method: str, path: str, token: str | None = None, body: Any = None
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, terminal.url + path, headers=headers, json=body) as response,
    ):
        return response.status, await response.json()


def proof(terminal: Terminal, at_ms: int, nonce: str = "A" * 22) -> dict[str, Any]:
    session = kept(terminal)
    signature = Computer.of(session["seals"], session["signs"]).sign(renewal(session["id"], at_ms, nonce))
    return {"token": session["id"], "at_ms": at_ms, "nonce": nonce, "signature": signature}


async def left(house: House, user: str) -> None:
    """Waits until it was heard that this person is gone."""
    async with asyncio.timeout(10):
        while await house.app.tokens.epoch(user) == 0:
            await asyncio.sleep(0.02)


async def test_from_a_code_to_whoami_to_logout(house: House, terminal: Terminal) -> None:
    running, code, key = await begun(terminal)
    await typed(house, seed.ROSA, code)
    asked = modal(house, seed.ROSA)
    told = text_of(asked)
    assert key in told  # the words that the terminal shows
    assert "127.0.0.1" in told
    assert "Did somebody send you this code?" in told
    assert not [message for message in house.workspace.dm(seed.ROSA) if "computer" in text_of(message)]
    await house.workspace.submit(seed.ROSA, asked.id, {})
    said = await running.ended()
    assert said.code == 0, said
    assert f"as {seed.ROSA}" in said.err
    assert said.out == ""
    assert terminal.credentials.stat().st_mode & 0o777 == 0o600

    who = await terminal.run("whoami", "-o", "json")
    assert (who.code, json.loads(who.out)["user"]) == (0, seed.ROSA)

    await quiet(house)
    told = text_of(house.workspace.dm(seed.ROSA)[-1])
    assert "A computer speaks for you since" in told
    assert key in told
    assert "App Home" in told
    assert actions_of(house.workspace.dm(seed.ROSA)[-1]) == []

    out = await terminal.run("logout")
    assert out.code == 0, out
    who = await terminal.run("whoami")
    assert who.code == 3
    assert "countersign login" in who.err


async def test_no_token_leaves_but_sealed(house: House, terminal: Terminal) -> None:
    assert (await log_in(house, terminal)).code == 0
    secret = kept(terminal)["token"].split("_", 2)[2]
    assert not [key for key, held in (await everything_in(house.app.redis)).items() if secret.encode() in held]
    assert secret not in repr(house.workspace.calls)


async def test_what_is_revoked_on_home_is_refused_and_told_what_to_do(house: House, terminal: Terminal) -> None:
    await log_in(house, terminal)
    await terminal.run("whoami")
    shown = await page(house, seed.ROSA, "signedin", "since")
    assert "last used" in text_of(shown)
    assert "Machines" not in text_of(shown)
    await house.workspace.home_action(seed.ROSA, "home_revoke")
    await home(house, seed.ROSA, "None.")
    assert (await audited(house, "token.revoked", seed.ROSA))["token"] == kept(terminal)["id"]
    status, answer = await call(terminal, "GET", "/v1/whoami", kept(terminal)["token"])
    assert (status, answer["code"]) == (401, "bad_token")
    said = await terminal.run("whoami")
    assert said.code == 3
    assert "countersign login" in said.err


async def test_signing_out_everywhere_ends_every_computer(house: House, terminal: Terminal, sit: Sit) -> None:
    other, theirs = sit("second"), sit("omar")
    for one, user in ((terminal, seed.ROSA), (other, seed.ROSA), (theirs, seed.OMAR)):
        assert (await log_in(house, one, user)).code == 0
    await page(house, seed.ROSA, "signedin", "Sign out everywhere")
    await house.workspace.home_action(seed.ROSA, "home_sign_out")
    await home(house, seed.ROSA, "None.")
    assert [(await one.run("whoami")).code for one in (terminal, other, theirs)] == [3, 3, 0]


async def test_denying_gives_nothing_and_the_terminal_says_so(house: House, terminal: Terminal) -> None:
    running, code, _ = await begun(terminal)
    await typed(house, seed.ROSA, code)
    shown = modal(house, seed.ROSA)
    await house.workspace.view_action(seed.ROSA, shown.id, "login_deny")
    said = await running.ended()
    assert (said.code, "denied" in said.err) == (1, True)
    assert not terminal.credentials.exists()
    assert (await audited(house, "login.denied", seed.ROSA))["address"] == "127.0.0.1"
    assert "Denied" in text_of(modal(house, seed.ROSA))
    assert await house.app.tokens.of(seed.ROSA) == []


async def test_ctrl_c_withdraws(house: House, terminal: Terminal) -> None:
    running, code, _ = await begun(terminal)
    running.interrupt()
    assert (await running.ended()).code == 130
    assert "No login waits with this code" in await command(house, seed.ROSA, f"login {code}")


async def test_a_code_is_for_one_person(house: House, terminal: Terminal) -> None:
    running, code, _ = await begun(terminal)
    await typed(house, seed.ROSA, code.lower().replace("-", ""))
    assert "No login waits with this code" in await command(house, seed.OMAR, f"login {code}")
    await typed(house, seed.ROSA, code)  # the same person looks again
    await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {})
    assert (await running.ended()).code == 0
    assert kept(terminal)["user"] == seed.ROSA


async def test_nobody_confirms_what_somebody_else_has_typed(house: House, terminal: Terminal) -> None:
    running, code, _ = await begun(terminal)
    await typed(house, seed.ROSA, code)
    shown = modal(house, seed.ROSA)
    attempt, _ = await house.app.logging_in._logins.by_code(code.replace("-", ""))
    assert attempt is not None
    from store.model.errors import NotFound

    for act in (house.app.logging_in.confirm, house.app.logging_in.deny):
        with pytest.raises(NotFound):
            await act(seed.OMAR, attempt.id)
    await house.workspace.submit(seed.ROSA, shown.id, {})
    assert (await running.ended()).code == 0


async def test_guessing_codes_is_slowed_down(house: House, terminal: Terminal) -> None:
    running, code, _ = await begun(terminal)
    for _ in range(GUESSES_MOST):
        assert "No login waits" in await command(house, seed.ROSA, "login 0000-0000")
    assert "Too many wrong codes" in await command(house, seed.ROSA, f"login {code}")
    assert (await audited(house, "login.refused", seed.ROSA))["tries"] == GUESSES_MOST
    await typed(house, seed.OMAR, code)  # nobody else is held up
    await house.workspace.submit(seed.OMAR, modal(house, seed.OMAR).id, {})
    assert (await running.ended()).code == 0


async def test_who_is_a_guest_by_now_logs_nothing_in(house: House, terminal: Terminal) -> None:
    running, code, _ = await begun(terminal)
    await typed(house, seed.ROSA, code)
    house.workspace.set_kind(seed.ROSA, "guest")
    await house.workspace.wait_for(lambda: seed.ROSA not in house.app.directory._known)
    await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {})
    assert "a guest" in text_of(modal(house, seed.ROSA))
    running.interrupt()
    await running.ended()
    assert await house.app.tokens.of(seed.ROSA) == []


async def test_a_code_is_over_after_ten_minutes(
    house: House, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.http.waiting.AGAIN_S", 0.1)  # nothing moves when a time is over
    running, code, _ = await begun(terminal)
    await house.advance(10 * MINUTE_MS)
    assert "No login waits with this code" in await command(house, seed.ROSA, f"login {code}")
    said = await running.ended(40)
    assert said.code == 124, said


async def test_a_token_alone_is_worth_fifteen_minutes(house: House, terminal: Terminal) -> None:
    await log_in(house, terminal)
    first = kept(terminal)
    await house.advance(TOKEN_MS)
    status, _ = await call(terminal, "GET", "/v1/whoami", first["token"])
    assert status == 401


async def test_a_proof_is_taken_once(house: House, terminal: Terminal) -> None:
    await log_in(house, terminal)
    now_ms = house.now_ms()
    made = proof(terminal, now_ms)
    status, _ = await call(terminal, "POST", "/v1/login/renew", body=made)
    assert status == 200
    for again in (made, proof(terminal, now_ms, "B" * 22), proof(terminal, now_ms - 1, "C" * 22)):
        status, answer = await call(terminal, "POST", "/v1/login/renew", body=again)
        assert (status, answer["code"]) == (403, "replayed")
    assert (await audited(house, "login.refused", "address:127.0.0.1"))["why"] == "replayed"
    # The file still holds the token of before: it is renewed by a proof of its own, with nobody's help.
    assert (await terminal.run("whoami")).code == 0


async def test_many_replays_at_once_are_one_renewal(house: House, terminal: Terminal) -> None:
    await log_in(house, terminal)
    made = proof(terminal, house.now_ms())
    answers = await asyncio.gather(*(call(terminal, "POST", "/v1/login/renew", body=made) for _ in range(20)))
    assert sorted(status for status, _ in answers).count(200) == 1


async def test_a_stolen_token_is_nothing_after_logout(house: House, terminal: Terminal) -> None:
    await log_in(house, terminal)
    stolen, made = kept(terminal)["token"], proof(terminal, house.now_ms())
    assert (await terminal.run("logout")).code == 0
    assert (await call(terminal, "GET", "/v1/whoami", stolen))[0] == 401
    status, answer = await call(terminal, "POST", "/v1/login/renew", body=made)
    assert (status, answer["code"]) == (401, "bad_token")


async def test_who_is_deactivated_renews_nothing_and_their_sessions_end(house: House, terminal: Terminal) -> None:
    await log_in(house, terminal)
    token = kept(terminal)["token"]
    house.workspace.set_kind(seed.ROSA, "deactivated")
    await left(house, seed.ROSA)
    assert (await call(terminal, "GET", "/v1/whoami", token))[0] == 401
    assert (await call(terminal, "POST", "/v1/login/renew", body=proof(terminal, house.now_ms())))[0] == 401
    assert (await audited(house, "login.ended", "clock"))["why"] == "left"


async def test_sessions_are_bounded(house: House, terminal: Terminal) -> None:
    from tests.tokens import person_token

    for _ in range(SESSIONS_MOST):
        await person_token(house.app.tokens, seed.ROSA, house.now_ms())
    running, code, _ = await begun(terminal)
    await typed(house, seed.ROSA, code)
    await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {})
    assert f"signed in at {SESSIONS_MOST} places" in text_of(modal(house, seed.ROSA))
    running.interrupt()
    await running.ended()


async def test_nobody_ends_what_is_somebody_elses_also_by_their_button(house: House, terminal: Terminal) -> None:
    await log_in(house, terminal)
    theirs = await home(house, seed.OMAR)
    theirs.payload = {**theirs.payload, "blocks": (await page(house, seed.ROSA, "signedin", "since")).blocks}
    await house.workspace.home_action(seed.OMAR, "home_revoke")
    await own_card(house, seed.OMAR, "not yours to revoke")
    theirs.payload = {**theirs.payload, "blocks": house.workspace.home(seed.ROSA).blocks}  # type: ignore[union-attr]  # it was just drawn
    await house.workspace.home_action(seed.OMAR, "home_sign_out")  # of their own there is none
    await quiet(house)
    assert (await terminal.run("whoami")).code == 0


KEYS: dict[str, Any] = {"seals": Computer.mint(os.urandom).seals, "signs": Computer.mint(os.urandom).signs}
ASK: dict[str, Any] = {"host": "laptop", **KEYS}
PROOF: dict[str, Any] = {"token": "7Q2M4XK9TB", "at_ms": 1, "nonce": "A" * 22, "signature": "A" * 86}
POLL = "A" * 43
BODIES: list[tuple[str, Any, int]] = [
    ("/v1/login", None, 415),
    ("/v1/login", [], 400),
    ("/v1/login", "laptop", 400),
    ("/v1/login", {}, 400),
    ("/v1/login", {**ASK, "more": 1}, 400),
    ("/v1/login", {**ASK, "host": ""}, 400),
    ("/v1/login", {**ASK, "host": "\u202e\u200b"}, 400),
    ("/v1/login", {**ASK, "host": "h" * 201}, 400),
    ("/v1/login", {**ASK, "host": 7}, 400),
    ("/v1/login", {**ASK, "seals": "A" * 43}, 400),
    ("/v1/login", {**ASK, "signs": "A" * 43}, 400),
    ("/v1/login", {**ASK, "seals": KEYS["seals"] + "="}, 400),
    ("/v1/login", {**ASK, "seals": None}, 400),
    ("/v1/login/7Q2M4XK9TB", {"poll": POLL}, 404),
    ("/v1/login/nonsense", {"poll": POLL}, 404),
    ("/v1/login/7Q2M4XK9TB", {"poll": "short"}, 400),
    ("/v1/login/7Q2M4XK9TB", {"poll": POLL, "wait_s": 31}, 400),
    ("/v1/login/7Q2M4XK9TB", {"poll": POLL, "wait_s": -1}, 400),
    ("/v1/login/7Q2M4XK9TB", {"poll": POLL, "wait_s": "1"}, 400),
    ("/v1/login/7Q2M4XK9TB/withdraw", {"poll": POLL}, 404),
    ("/v1/login/renew", PROOF, 401),
    ("/v1/login/renew", {**PROOF, "at_ms": -1}, 400),
    ("/v1/login/renew", {**PROOF, "at_ms": 2**53}, 400),
    ("/v1/login/renew", {**PROOF, "at_ms": 1.5}, 400),
    ("/v1/login/renew", {**PROOF, "nonce": "A"}, 400),
    ("/v1/login/renew", {**PROOF, "nonce": "A" * 65}, 400),
    ("/v1/login/renew", {**PROOF, "nonce": "A" * 21 + ":"}, 400),
    ("/v1/login/renew", {**PROOF, "signature": "A" * 85}, 400),
    ("/v1/login/renew", {**PROOF, "token": "7Q2M4XK9TB\n"}, 400),
]


async def test_what_is_no_question_is_refused_and_not_repeated(house: House, terminal: Terminal) -> None:
    await quiet(house)
    before = await house.app.audit.number()
    for path, body, status in BODIES:
        found, answer = await call(terminal, "POST", path, body=body)
        assert (found, set(answer)) == (status, {"code", "sentence"}), (path, body, answer)
        for given in ("A" * 43, "h" * 201, "\u202e"):
            assert given not in answer["sentence"], (path, body)
    assert await house.app.audit.after(before, most=9) == []  # who is nobody fills no log
    assert await house.app.redis.keys(f"{house.app.audit._keys.prefix}login:*") == []


async def test_a_host_is_only_text(house: House, terminal: Terminal) -> None:
    computer = Computer.mint(os.urandom)
    host = "<!channel> *bold* <https://evil.example|laptop>\u202e\n>fake"
    body = {"host": host, "seals": computer.seals, "signs": computer.signs}
    _, asked = await call(terminal, "POST", "/v1/login", body=body)
    await typed(house, seed.ROSA, asked["code"])
    shown = modal(house, seed.ROSA)
    assert [one for one in walk(shown.blocks) if one.get("type") == "mrkdwn" and "evil" in one["text"]] == []
    assert "<!channel> *bold* <https://evil.example|laptop> >fake" in text_of(shown)
    await house.workspace.submit(seed.ROSA, shown.id, {})
    await quiet(house)
    message = house.workspace.dm(seed.ROSA)[-1]
    assert "<!channel>" not in message.text
    assert [one for one in walk(message.blocks) if one.get("type") == "mrkdwn" and "evil" in one["text"]] == []
