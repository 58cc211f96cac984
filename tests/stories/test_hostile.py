"""Somebody who means harm, at the doors of programs: races for a token, made-up tokens and headers, ids that are no ids, and what answers give away."""

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest

from bot.logging_in import GUESSES_MOST
from playground import seed
from playground.house import House
from store.keys.computer import Computer
from store.model.errors import AccessError
from store.model.policy import MINUTE
from store.redis.logins import Logins
from tests.stories.people import audited, modal
from tests.stories.programs import PROD, of_machine, of_person, sent
from tests.tokens import person_token

MANY: Final = 100


@pytest.fixture
async def anybody(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    """Without a token."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{house.app.http.port}", connector=connector) as session:
        yield session


async def asks(anybody: aiohttp.ClientSession, **headers: str) -> tuple[int, Any]:
    computer = Computer.mint(secrets.token_bytes)
    body = {"host": "laptop", "seals": computer.seals, "signs": computer.signs}
    async with anybody.post("/v1/login", json=body, headers=headers) as response:
        return response.status, await response.json()


async def status_of(session: aiohttp.ClientSession, method: str, path: str, **more: Any) -> int:
    async with session.request(method, path, **more) as response:
        await response.read()
        return response.status


async def raw(house: House, request: str) -> str:
    """As no client of HTTP would send it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.app.http.port)
    writer.write(request.encode())
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said.decode()


# -- races ------------------------------------------------------------------------------------------------------------


async def test_of_a_hundred_who_fetch_one_login_at_once_one_has_the_token(
    house: House, anybody: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them have seen that it is confirmed before anybody takes it."""
    _, begun = await asks(anybody)
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"login {begun['code']}")
    await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {})
    there, everybody, take = itertools.count(1), asyncio.Event(), Logins.take

    async def together(self: Logins, *arguments: Any) -> bool:
        if next(there) == MANY:
            everybody.set()
        async with asyncio.timeout(20):
            await everybody.wait()
        return await take(self, *arguments)

    monkeypatch.setattr(Logins, "take", together)

    async def fetch() -> tuple[int, Any]:
        async with anybody.post(f"/v1/login/{begun['login']}", json={"poll": begun["poll"]}) as response:
            return response.status, await response.json()

    answers = await asyncio.gather(*(fetch() for _ in range(MANY)))
    assert sorted(status for status, _ in answers) == [200] + [404] * (MANY - 1)
    assert len([said for _, said in answers if said.get("sealed")]) == 1
    entries = [entry.event for _, entry in await house.app.audit.after(0, most=10_000)]
    assert entries.count("login.delivered") == 1


async def test_a_hundred_activations_over_http_are_one_use(house: House) -> None:
    token = await person_token(house.app.tokens, seed.ROSA, house.now_ms())
    async with of_person(house, seed.ROSA) as rosa, of_person(house, seed.OMAR) as omar:
        asked = await sent(
            rosa, "/v1/requests", {"kind": "open", "target": "payments/staging", "reason": "INC-7", "duration_ms": 15 * MINUTE}, 201,
        )  # fmt: skip
        assert await status_of(omar, "POST", f"/v1/requests/{asked['id']}/activate") >= 400
        shown = await house.app.requests.get(asked["id"])
        from store.model.command import Approve

        vote = Approve(id="v", actor=seed.OMAR, revision=shown.request.revision, digest=shown.request.digest)
        await house.app.requests.apply(asked["id"], vote)
        headers = {"Authorization": f"Bearer {token}"}
        statuses = await asyncio.gather(
            *(status_of(rosa, "POST", f"/v1/requests/{asked['id']}/activate", headers=headers) for _ in range(MANY))
        )
        assert set(statuses) <= {200, 409}
    entries = [entry for _, entry in await house.app.audit.after(0, most=10_000) if entry.request == asked["id"]]
    assert [entry.event for entry in entries].count("grant.activated") == 1


# -- tokens and headers -----------------------------------------------------------------------------------------------


async def test_what_only_looks_like_a_token_is_one_and_the_same_refusal(
    house: House, anybody: aiohttp.ClientSession
) -> None:
    good = await person_token(house.app.tokens, seed.ROSA, house.now_ms())
    machine_like = good.replace("csp_", "csm_")
    prefix, identity, secret = good.split("_", 2)
    wrong = [
        machine_like, f"{prefix}_{identity}_{secret[:-1]}", f"{prefix}_{identity}_{secret}A", f"{prefix}_{identity.lower()}_{secret}",
        f"{prefix}_{'0' * 10}_{secret}", f"{prefix}_{identity}_{'A' * 43}", good.upper(), f"{good} {good}", f"{good},{good}", "", "null",
        f"{prefix}_{identity}:x_{secret}", f"{prefix}_../../{identity}_{secret}", good[::-1], good + "\t" + good,
    ]  # fmt: skip
    said = set()
    for token in wrong:
        for path in (f"{PROD}/secrets", "/v1/whoami", "/v1/requests"):
            async with anybody.get(path, headers={"Authorization": f"Bearer {token}"}) as response:
                said.add((response.status, await response.text(), response.headers.get("WWW-Authenticate")))
    assert len(said) == 1
    ((status, text, challenge),) = said
    assert (status, json.loads(text)["code"], challenge) == (401, "bad_token", "Bearer")


async def test_a_token_anywhere_but_in_its_one_header_is_none(house: House, anybody: aiohttp.ClientSession) -> None:
    good = await person_token(house.app.tokens, seed.ROSA, house.now_ms())
    assert await status_of(anybody, "GET", "/v1/whoami", headers={"Authorization": f"Bearer {good}"}) == 200
    for headers in (
        [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")],
        [("Authorization", f"Basic {good}")],
        [("Authorization", good)],
        [("Proxy-Authorization", f"Bearer {good}")],
        [("X-Authorization", f"Bearer {good}")],
        [("Cookie", f"Authorization=Bearer {good}; token={good}")],
    ):
        assert await status_of(anybody, "GET", "/v1/whoami", headers=headers) == 401, headers
    for query in (f"token={good}", f"access_token={good}", f"authorization=Bearer%20{good}"):
        assert await status_of(anybody, "GET", f"/v1/whoami?{query}") == 401
    for lines in (
        f"Authorization: Bearer x\r\nauthorization: Bearer {good}",
        f"authorization: Bearer {good}\r\nAuthorization: Bearer x",
        f"Authorization: Bearer x,\r\n Bearer {good}",
        f"Authorization : Bearer {good}",
        f"X: y\r\n\tAuthorization: Bearer {good}",
        f"X: y\nAuthorization: Bearer {good}",
        f"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer {good}",
        f"Content-Length: 0\r\nContent-Length: 5\r\nAuthorization: Bearer {good}",
    ):
        said = await raw(house, f"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n\r\n")
        assert said.split(" ")[1] in ("400", "401"), (lines, said)
        assert seed.ROSA not in said


async def test_who_writes_their_own_address_counts_as_who_they_are(
    house: House, anybody: aiohttp.ClientSession
) -> None:
    """No proxy is vouched for, so what stands in the header is anybody's invention: the bound cannot be walked around."""
    spoofs = [{"X-Forwarded-For": f"203.0.113.{place}"} for place in range(20)]
    statuses = [(await asks(anybody, **headers))[0] for headers in spoofs]
    assert statuses.count(201) == 10
    assert set(statuses[10:]) == {429}
    assert (await audited(house, "login.refused", "address:127.0.0.1"))["why"] == "too_many"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "DELETE"])
async def test_other_methods_open_nothing(house: House, method: str) -> None:
    async with of_machine(house) as machine:
        async with machine.request(method, f"{PROD}/secrets") as response:
            assert response.status in (404, 405)
            body = await response.read()
        assert not any(value.encode() in body for value in seed.SECRETS["payments/prod"].values())
        for override in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
            found = await status_of(machine, "POST", f"{PROD}/secrets", headers={override: "GET"}, json={})
            assert found in (404, 405)


# -- ids that are none, and names that are others' ----------------------------------------------------------------------

ODD: Final = (
    "code:7Q2M4XK9", "%00", "..%2f..", "%7Btesting%7D", "*", "?", "%20", "a" * 5_000, "🔑", "%ff", "0", "-1", "null", "[]",
    "REQ%0d%0aX-Injected:%201", "%25ACTOR%25", "index:live", "number", "epoch:1",
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_what_is_no_id_is_a_refusal_in_words_and_no_error_of_ours(
    house: House, anybody: aiohttp.ClientSession, odd: str
) -> None:
    poll = {"poll": "A" * 43}
    async with of_person(house, seed.ROSA) as rosa, of_machine(house) as machine:
        tries: list[tuple[aiohttp.ClientSession, str, str, Any]] = [
            (anybody, "POST", f"/v1/login/{odd}", poll),
            (anybody, "POST", f"/v1/login/{odd}/withdraw", poll),
            (rosa, "GET", f"/v1/requests/{odd}", None),
            (rosa, "POST", f"/v1/requests/{odd}/activate", None),
            (rosa, "POST", f"/v1/requests/{odd}/end", {}),
            (rosa, "DELETE", f"/v1/tokens/{odd}", None),
            (rosa, "GET", f"/v1/environments/{odd}/prod", None),
            (rosa, "GET", f"/v1/environments/payments/{odd}/secrets", None),
            (machine, "GET", f"/v1/environments/{odd}/prod/secrets", None),
            (rosa, "GET", f"{PROD}/secrets?version={odd}", None),
            (rosa, "GET", f"{PROD}/secrets?after={odd}", None),
        ]
        for session, method, path, body in tries:
            async with session.request(method, path, json=body) as response:
                assert 400 <= response.status < 500, (method, path, response.status, await response.text())
                assert "X-Injected" not in response.headers


async def test_who_has_no_business_there_learns_nothing_not_even_that_it_is_there(house: House) -> None:
    """A colleague who is named by no rule, and a machine of another environment."""
    async with of_person(house, seed.ROSA) as rosa, of_person(house, "U0NOBODY") as nobody:
        asked = await sent(
            rosa, "/v1/requests", {"kind": "open", "target": "payments/prod", "reason": "INC-7", "duration_ms": 15 * MINUTE}, 201,
        )  # fmt: skip
        for there, not_there in (
            (f"/v1/requests/{asked['id']}", "/v1/requests/7Q2M4XK9TB"),
            (PROD, "/v1/environments/payments/nowhere"),
            (f"{PROD}/versions", "/v1/environments/payments/nowhere/versions"),
            (f"{PROD}/diff?from=1&to=2", "/v1/environments/payments/nowhere/diff?from=1&to=2"),
            (f"{PROD}/secrets", "/v1/environments/payments/nowhere/secrets"),
        ):
            answers = []
            for path in (there, not_there):
                async with nobody.get(path) as response:
                    text = await response.text()
                    answers.append(
                        (
                            response.status,
                            text.replace("payments/nowhere", "payments/prod").replace("7Q2M4XK9TB", asked["id"]),
                        )
                    )
            assert answers[0] == answers[1], there
            assert answers[0][0] >= 400
    async with of_machine(house, targets=("payments/staging",)) as machine:
        for path in (PROD, f"{PROD}/secrets", f"{PROD}/versions", f"/v1/requests/{asked['id']}"):
            assert await status_of(machine, "GET", path) in (403, 404), path


async def test_many_codes_that_are_tried_at_once_are_as_few_guesses_as_one_after_the_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them have passed the look at how many there were, before any of them is counted."""
    looked, all_there, by_code = itertools.count(1), asyncio.Event(), Logins.by_code
    examined: list[str] = []
    refused = 0

    async def together(self: Logins, code: str) -> Any:
        examined.append(code)
        if next(looked) + refused >= MANY:
            all_there.set()
        async with asyncio.timeout(20):
            await all_there.wait()
        return await by_code(self, code)

    async def guess(number: int) -> str:
        nonlocal refused
        try:
            await house.app.logging_in.typed(seed.OMAR, f"0000{number:04}")
        except AccessError as error:
            refused += error.detail == "too_many"
            if len(examined) + refused >= MANY:
                all_there.set()
            return error.detail
        return "ok"

    monkeypatch.setattr(Logins, "by_code", together)
    said = await asyncio.gather(*(guess(number) for number in range(MANY)))
    assert len(examined) == GUESSES_MOST
    assert (said.count("wrong_code"), said.count("too_many")) == (GUESSES_MOST, MANY - GUESSES_MOST)
