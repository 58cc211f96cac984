"""The HTTP API as programs of people and machines use it: the very program, real sockets, a real server."""

import asyncio
import base64
import io
import json
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from structlog.testing import capture_logs

from bot.http.secrets import Secrets
from playground import seed
from playground.house import House
from store.model.policy import HOUR, MINUTE
from store.model.request import REASON_MOST
from tests.stories.conftest import OpenHouse
from tests.stories.people import card, end_now, press, says
from tests.stories.programs import ASK, PROD, STAGING, got, of_machine, of_person, program, refused, sent, until_waiting
from tests.tokens import person_token


async def active(house: House, rosa: aiohttp.ClientSession) -> dict[str, Any]:
    asked = await sent(rosa, "/v1/requests", ASK, 201)
    await press(house, seed.BEN, await card(house, asked["id"]), "approve")
    held: dict[str, Any] = await sent(rosa, f"/v1/requests/{asked['id']}/activate")
    return held


@pytest.mark.seeded
async def test_from_asking_to_the_end_at_a_terminal(house: House) -> None:
    async with of_person(house, seed.ROSA) as rosa:
        assert await refused(rosa, f"{PROD}/secrets", 403) == "no_grant"
        asked = await sent(rosa, "/v1/requests", ASK, 201)
        assert (asked["state"], asked["waits_for"]) == ("pending", ["@payments-leads"])
        assert "Waiting for approval by 1 of @payments-leads" in asked["sentence"]

        shown = await card(house, "Waiting for approval", "INC-7 payments fail", "at a terminal")
        found = await got(rosa, f"/v1/requests/{asked['id']}")
        assert found["link"].startswith("http")
        await press(house, seed.BEN, shown, "approve")
        found = await got(rosa, f"/v1/requests/{asked['id']}?wait=30&state=pending")
        assert found["state"] == "approved"
        assert await refused(rosa, f"{PROD}/secrets", 403) == "no_grant"  # a read never activates

        held = await sent(rosa, f"/v1/requests/{asked['id']}/activate")
        assert held["state"] == "active"
        async with rosa.get(f"{PROD}/secrets") as response:
            said = await response.json()
            assert int(response.headers["Countersign-Until"]) == held["until_ms"]
            etag = response.headers["ETag"]
        assert {one["name"]: one["value"] for one in said["entries"]} == seed.SECRETS["payments/prod"]
        async with rosa.get(f"{PROD}/secrets", headers={"If-None-Match": etag}) as response:
            assert (response.status, await response.read()) == (304, b"")

        ended = await sent(rosa, f"/v1/requests/{asked['id']}/end", {"reason": "done"})
        assert ended["state"] == "ended"
        assert await refused(rosa, f"{PROD}/secrets", 403) == "no_grant"
    await says(house, shown, "Ended by <@U0ROSA>")


async def test_more_time_less_time_and_taking_back(house: House) -> None:
    async with of_person(house, seed.ROSA) as rosa:
        held = await active(house, rosa)
        longer = await sent(rosa, f"/v1/requests/{held['id']}/extend", {"duration_ms": HOUR, "reason": "not done"}, 201)
        assert (longer["extends"], longer["state"]) == (held["id"], "pending")
        back = await sent(rosa, f"/v1/requests/{longer['id']}/withdraw")
        assert (back["state"], "Withdrawn" in back["sentence"]) == ("withdrawn", True)
        soon = await sent(rosa, "/v1/requests", {**ASK, "grant_expiration_ms": 5 * MINUTE}, 201)
        shown = await card(house, soon["id"], "5 min of the approval")
        await press(house, seed.BEN, shown, "approve")
        approved = await got(rosa, f"/v1/requests/{soon['id']}?wait=30&state=pending")
        assert approved["deadline_ms"] - house.now_ms() <= 5 * MINUTE
        mine = [one["id"] for one in (await got(rosa, "/v1/requests?mine=1"))["requests"]]
        assert mine[:3] == [soon["id"], longer["id"], held["id"]]
    async with of_person(house, seed.BEN) as ben:
        waiting = await sent_by(house, seed.OMAR, {**ASK, "reason": "INC-8"})
        found = (await got(ben, "/v1/requests?waiting=1"))["requests"]
        assert waiting["id"] in [one["id"] for one in found]


async def sent_by(house: House, user: str, body: dict[str, Any]) -> dict[str, Any]:
    async with of_person(house, user) as session:
        asked: dict[str, Any] = await sent(session, "/v1/requests", body, 201)
        return asked


@pytest.mark.seeded
async def test_a_change_by_value_by_file_by_reference_and_back(house: House) -> None:
    pem = b"\x00\x01-----BEGIN"
    async with of_person(house, seed.ROSA) as rosa:
        put = await sent(rosa, f"{STAGING}/blobs", {"value": "sealed before"}, 201)
        entries = [
            {"name": "STRIPE_KEY", "remove": True},
            {"name": "TOKEN", "value": "canary-by-value"},
            {"name": "tls/key.pem", "base64": base64.b64encode(pem).decode(), "mode": 0o600},
            {"name": "BEFORE", "reference": put["reference"]},
            {"name": "NO_TEXT", "base64": "/w=="},
        ]
        body = {"kind": "change", "target": "payments/staging", "reason": "rotate", "entries": entries}
        asked = await sent(rosa, "/v1/requests", body, 201)
        words = {one["name"]: one["word"] for one in asked["entries"]}
        assert words == {
            "STRIPE_KEY": "removed",
            "TOKEN": "new",
            "tls/key.pem": "new",
            "BEFORE": "new",
            "NO_TEXT": "new",
        }
        await press(house, seed.BEN, await card(house, asked["id"]), "approve")
        merged = await got(rosa, f"/v1/requests/{asked['id']}?wait=30&state=pending")
        assert (merged["state"], merged["version"]) == ("merged", 3)

        names = await got(rosa, STAGING)
        assert [one["name"] for one in names["entries"]] == [
            "BEFORE",
            "DATABASE_URL",
            "NO_TEXT",
            "TOKEN",
            "tls/key.pem",
        ]
        assert names["entries"][4] == {"name": "tls/key.pem", "file": True, "mode": 0o600}
        history = await got(rosa, f"{STAGING}/versions?limit=1")
        assert history["versions"][0]["removed"] == ["STRIPE_KEY"]
        moved = await got(rosa, f"{STAGING}/diff?from=2")
        assert (moved["from"], moved["to"], {"name": "TOKEN", "word": "new"} in moved["entries"]) == (2, 3, True)
        back = {"kind": "change", "target": "payments/staging", "reason": "as before", "rollback_to": 2}
        assert {one["word"] for one in (await sent(rosa, "/v1/requests", back, 201))["entries"]} == {"new", "removed"}
    async with of_machine(house, targets=("payments/staging",)) as machine:
        answered = await got(machine, f"{STAGING}/secrets")
        assert Secrets.model_validate_json(json.dumps(answered)).version == 3
        read = {one["name"]: one for one in answered["entries"]}
        assert base64.b64decode(read["tls/key.pem"]["base64"]) == pem
        assert read["NO_TEXT"] == {"name": "NO_TEXT", "base64": "/w=="}
        assert (read["TOKEN"]["value"], read["BEFORE"]["value"]) == ("canary-by-value", "sealed before")
        assert await refused(machine, f"{STAGING}/secrets?format=dotenv", 400) == "not_dotenv"
        async with machine.get(f"{STAGING}/secrets?format=dotenv&version=2") as response:
            assert response.content_type == "text/plain"
            assert "STRIPE_KEY=sk_test_playground_42\n" in await response.text()


@pytest.mark.seeded
async def test_what_is_there_is_listed_for_whom_it_is(house: House) -> None:
    async with of_person(house, seed.ROSA) as rosa:
        held = await active(house, rosa)
        found = {one["target"]: one for one in (await got(rosa, "/v1/environments"))["environments"]}
    assert found["payments/prod"]["grant"] == {"request": held["id"], "until_ms": held["until_ms"]}
    assert (found["payments/staging"]["actions"], found["payments/staging"]["version"]) == (["change", "open"], 2)
    async with of_machine(house) as machine:
        assert await got(machine, "/v1/environments") == {
            "environments": [{"target": "payments/prod", "actions": ["read"], "version": 2}]
        }
        assert [one["name"] for one in (await got(machine, PROD))["entries"]] == sorted(seed.SECRETS["payments/prod"])
        assert await refused(machine, STAGING, 404) == "no_environment"
        assert await refused(machine, f"{STAGING}/secrets", 403) == "not_let_in"
        for path, body in (("/v1/requests", ASK), ("/v1/requests", None), (f"{PROD}/blobs", {"value": "x"})):
            assert await refused(machine, path, 403, body=body) == "machine"


@pytest.mark.parametrize("user", [seed.ANA, "U0GIL", "U0SAM", "U0DORA"])
async def test_what_is_somebody_elses_is_not_there(house: House, user: str) -> None:
    """Ana owns, so she sees it and may not use it; the others are no people of this workspace."""
    async with of_person(house, seed.ROSA) as rosa, of_person(house, user) as other:
        held = await active(house, rosa)
        one = f"/v1/requests/{held['id']}"
        owns = user == seed.ANA
        if not owns:
            assert await refused(other, one, 404) == await refused(other, "/v1/requests/0000000000", 404) == "not_found"
            assert await refused(other, PROD, 404) == await refused(other, "/v1/environments/no/such", 404)
            for act in ("withdraw", "activate", "end"):
                assert await refused(other, f"{one}/{act}", 404, body={}) == "not_found"
            assert await refused(other, f"{one}/extend", 404, body={"duration_ms": 1}) == "not_found"
            assert await refused(other, f"{PROD}/blobs", 404, body={"value": "x"}) == "no_environment"
        else:
            assert (await got(other, one))["id"] == held["id"]
        assert await refused(other, f"{PROD}/secrets", 403) == "no_grant"
        assert (await got(rosa, one))["state"] == "active"


async def test_one_wish_is_one_request_however_often_it_is_sent(house: House) -> None:
    key = {"Idempotency-Key": "wish-1"}
    async with of_person(house, seed.ROSA) as rosa, of_person(house, seed.ROSA) as elsewhere:
        again = [await sent(rosa, "/v1/requests", ASK, 201, headers=key) for _ in range(3)]
        assert len({one["id"] for one in again}) == 1
        assert await refused(rosa, "/v1/requests", 409, body={**ASK, "reason": "INC-8"}, headers=key) == "other_command"
        other = await sent(elsewhere, "/v1/requests", ASK, 201, headers=key)
        assert other["id"] != again[0]["id"]


# -- waiting ----------------------------------------------------------------------------------------------------------


async def changed(house: House, name: str) -> None:
    async with of_person(house, seed.ROSA) as rosa:
        entries = [{"name": name, "value": "x"}]
        body = {"kind": "change", "target": "payments/staging", "reason": "new", "entries": entries}
        asked = await sent(rosa, "/v1/requests", body, 201)
    await press(house, seed.BEN, await card(house, asked["id"]), "approve")


@pytest.mark.seeded
async def test_a_program_that_follows_is_told_of_a_newer_version(house: House) -> None:
    async with of_machine(house, targets=("payments/staging",)) as machine:
        waiting = asyncio.create_task(got(machine, f"{STAGING}/secrets?after=2&wait=30"))
        await until_waiting(house)
        await changed(house, "NEWER")
        found = await waiting
        assert (found["version"], "NEWER" in [one["name"] for one in found["entries"]]) == (3, True)
        async with machine.get(f"{STAGING}/secrets?after=3&wait=1") as response:
            assert response.status == 304


@pytest.mark.parametrize("how", ["ended", "revoked"])
async def test_who_waits_is_told_that_the_access_ended(house: House, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "revoked":  # no record of a token is listened to: whoever waits looks again by itself
        monkeypatch.setattr("bot.http.waiting.AGAIN_S", 0.1)
    token = await person_token(house.app.tokens, seed.ROSA, house.now_ms())
    async with program(house, token) as rosa:
        held = await active(house, rosa)
        waiting = asyncio.create_task(rosa.get(f"{PROD}/secrets?after=2&wait=30"))
        await until_waiting(house)
        if how == "ended":
            await end_now(house, seed.BEN, await card(house, "Active", held["id"]), "enough")
        else:
            await house.app.tokens.revoke(token.split("_")[1], seed.ROSA, "revoke")
        async with asyncio.timeout(25):  # not by the end of the waiting: that is half a minute
            answer = await waiting
        assert (answer.status, (await answer.json())["code"]) == (
            (403, "no_grant") if how == "ended" else (401, "bad_token")
        )


async def test_who_waits_is_answered_when_the_process_ends(open_house: OpenHouse) -> None:
    house = await open_house(processes=2)
    async with of_machine(house) as machine:
        waiting = asyncio.create_task(machine.get(f"{PROD}/secrets?after=2&wait=30"))
        await until_waiting(house)
        async with asyncio.timeout(8):
            await house.apps.pop(0).stop()
            assert (await waiting).status == 304


async def test_who_waits_is_answered_when_the_time_jumps(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.http.waiting.AGAIN_S", 30.0)  # and not because it looks again by itself
    async with of_machine(house) as machine:
        waiting = asyncio.create_task(machine.get(f"{PROD}/secrets?after=2&wait=30"))
        await until_waiting(house)
        before_ms = house.now_ms()
        async with asyncio.timeout(8):
            await house.advance(HOUR)
            response = await waiting
        assert response.status == 304
        assert int(response.headers["Countersign-Now"]) >= before_ms + HOUR


async def test_no_more_wait_than_there_is_room_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.http.waiting.MOST_OF_ONE", 1)
    async with of_machine(house) as machine:
        first = asyncio.create_task(machine.get(f"{PROD}/secrets?after=2&wait=30"))
        await until_waiting(house)
        async with machine.get(f"{PROD}/secrets?after=2&wait=30") as second:
            assert (second.status, second.headers["Retry-After"]) == (429, "5")
        house.app.waiting.close()
        assert (await first).status == 304
    assert not house.app.waiting._of


# -- what is asked wrongly --------------------------------------------------------------------------------------------

JSON = ("Content-Type", "application/json")
DEEP = b'{"kind":' * 100_000
WRONG: list[tuple[str, str, list[tuple[str, str]], bytes | None, int, str]] = [
    ("GET", "/v1/nothing", [], None, 404, "no_route"),
    ("GET", "/", [], None, 404, "no_route"),
    ("PUT", "/v1/requests", [JSON], b"{}", 405, "wrong_method"),
    ("DELETE", f"{PROD}/secrets", [], None, 405, "wrong_method"),
    ("GET", "/v1/requests?mine=perhaps", [], None, 400, "bad_query"),
    ("GET", "/v1/requests?limit=101", [], None, 400, "bad_query"),
    ("GET", "/v1/requests?limit=1&limit=2", [], None, 400, "bad_query"),
    ("GET", "/v1/requests?what=1", [], None, 400, "bad_query"),
    ("GET", f"{PROD}/secrets?wait=31", [], None, 400, "bad_query"),
    ("GET", f"{PROD}/secrets?format=yaml", [], None, 400, "bad_query"),
    ("GET", f"{PROD}/secrets?version=0", [], None, 400, "bad_query"),
    ("GET", "/v1/environments/Payments/prod", [], None, 400, "bad_target"),
    ("GET", "/v1/environments/payments/prod%23api", [], None, 400, "not_an_environment"),
    ("GET", "/v1/environments/payments/%00", [], None, 400, "bad_target"),
    ("GET", "/v1/requests/no-id", [], None, 404, "not_found"),
    ("POST", "/v1/requests", [], b"{}", 415, "wrong_type"),
    ("POST", "/v1/requests", [("Content-Type", "text/plain")], b"{}", 415, "wrong_type"),
    ("POST", "/v1/requests", [("Content-Type", "application/json; charset=utf-16")], b"{}", 415, "wrong_type"),
    ("POST", "/v1/requests", [JSON], b"", 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b"{", 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b"[]", 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b"\xff", 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], DEEP, 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"open","target":"payments/prod","reason":"\\ud800"}', 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"open","target":"payments/prod","reason":"a\\u0000b"}', 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"open","target":"payments/prod","CANARY":1}', 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"open","target":"payments/prod","duration_ms":"CANARY"}', 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"open","target":"payments/prod","entries":[]}', 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"open","target":"payments/none"}', 400, "unknown_target"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"change","target":"payments/prod","duration_ms":1}', 400, "bad_body"),
    ("POST", "/v1/requests", [JSON], b'{"kind":"change","target":"payments/prod","entries":[{"name":"A"}]}', 400, "bad_body"),
    (
        "POST", "/v1/requests", [JSON],
        b'{"kind":"change","target":"payments/prod","entries":[{"name":"A","value":"CANARY","remove":true}]}', 400, "bad_body",
    ),
    (
        "POST", "/v1/requests", [JSON],
        b'{"kind":"change","target":"payments/prod","entries":[{"name":"A","base64":"CANARY!"}]}', 400, "bad_body",
    ),
    (
        "POST", "/v1/requests", [JSON],
        b'{"kind":"change","target":"payments/prod","entries":[{"name":"A","value":"1"},{"name":"A","value":"2"}]}', 400, "named_twice",
    ),
    ("POST", "/v1/requests", [JSON], b'"' + b"x" * (4 * 1024 * 1024) + b'"', 413, "body_too_large"),
    ("POST", "/v1/requests/0000000000/end", [JSON], b'"' + b"x" * (64 * 1024) + b'"', 413, "body_too_large"),
    ("POST", "/v1/requests/0000000000/end", [JSON], b'{"reason":"' + b"x" * (REASON_MOST + 1) + b'"}', 400, "bad_body"),
    ("POST", "/v1/requests/0000000000/withdraw", [JSON], b'{"x":1}', 400, "bad_body"),
    ("POST", "/v1/requests/0000000000/withdraw", [("Idempotency-Key", "a b")], None, 400, "bad_header"),
    ("POST", "/v1/requests/0000000000/withdraw", [("Idempotency-Key", "a"), ("Idempotency-Key", "b")], None, 400, "bad_header"),
    ("POST", f"{PROD}/blobs", [JSON], b'{"value":"CANARY","base64":"CANARY"}', 400, "bad_body"),
]  # fmt: skip
SHOWN: list[tuple[list[tuple[str, str]], str]] = [
    ([], "no_token"),
    ([("Authorization", "Basic Zm9vOmJhcg==")], "bad_token"),
    ([("Authorization", "Bearer")], "bad_token"),
    ([("Authorization", "Bearer csp_short")], "bad_token"),
    ([("Authorization", "Bearer csp_0123456789_" + "a" * 43)], "bad_token"),
    ([("Authorization", "Bearer csm_0123456789_" + "a" * 43)], "bad_token"),
    ([("Authorization", "TOKEN"), ("Authorization", "TOKEN")], "bad_token"),
]


@pytest.mark.seeded
async def test_what_is_asked_wrongly_is_told_in_words_and_never_repeated(house: House) -> None:
    async with of_person(house, seed.ROSA) as rosa:
        for method, path, headers, body, status, code in WRONG:
            async with rosa.request(
                method, path, headers=_also(rosa, headers), data=body and io.BytesIO(body)
            ) as response:
                told = await response.text()
                assert (response.status, (await response.json())["code"]) == (status, code), (method, path, told)
                assert "CANARY" not in told, told
                assert response.headers["Cache-Control"] == "no-store"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "aiohttp" not in response.headers["Server"]
                assert ("Allow" in response.headers) == (status == 405)
        assert (await got(rosa, "/v1/requests?mine=1"))["requests"] != []  # it still answers


def _also(session: aiohttp.ClientSession, headers: list[tuple[str, str]]) -> Any:
    return CIMultiDict([("Authorization", session.headers["Authorization"]), *headers])


async def test_who_shows_no_token_of_ours_is_told_only_that(house: House) -> None:
    shown = f"Bearer {await person_token(house.app.tokens, seed.ROSA, house.now_ms())}"
    async with program(house, None) as nobody:
        for path in (f"{PROD}/secrets", "/v1/requests", "/v1/whoami", PROD):
            for headers, code in SHOWN:
                meant = CIMultiDict([(name, value.replace("TOKEN", shown)) for name, value in headers])
                async with nobody.get(path, headers=meant) as response:
                    assert (response.status, (await response.json())["code"]) == (401, code), (path, headers)
                    assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await got(nobody, "/openapi.json"))["openapi"] == "3.1.0"


async def test_one_line_for_each_request_without_what_was_asked(house: House) -> None:
    async with of_person(house, seed.ROSA) as rosa:
        with capture_logs() as logs:
            await refused(rosa, f"{PROD}/secrets?after=7", 403)
            await got(rosa, "/v1/whoami")
    lines = [entry for entry in logs if entry["event"] == "http"]
    assert [(one["operation"], one["status"], one["said"]) for one in lines] == [
        ("readSecrets", 403, "no_grant"),
        ("whoami", 200, "ok"),
    ]
    secret = str(rosa.headers["Authorization"]).split("_", 2)[2]
    assert not [one for one in lines if secret in str(one) or "after" in str(one)]


# -- a Redis that does not answer -------------------------------------------------------------------------------------


@pytest.mark.seeded
async def test_a_redis_that_is_full_gives_nothing_and_loses_nothing(house: House) -> None:
    key = {"Idempotency-Key": "wish-9"}
    async with of_person(house, seed.ROSA) as rosa:
        await active(house, rosa)
        await house.app.redis.config_set("maxmemory", 1)
        try:
            for asked in (rosa.post("/v1/requests", json=ASK, headers=key), rosa.get(f"{PROD}/secrets")):
                async with asked as response:
                    assert (response.status, response.headers["Retry-After"]) == (503, "1")
                    assert (await response.json())["code"] == "redis_refused"
        finally:
            await house.app.redis.config_set("maxmemory", 0)
        assert (await sent(rosa, "/v1/requests", ASK, 201, headers=key))["state"] == "pending"
        assert (await got(rosa, f"{PROD}/secrets"))["version"] == 2


async def test_what_is_not_confirmed_in_time_is_one_wish_all_the_same(house: House) -> None:
    key = {"Idempotency-Key": "wish-9"}
    async with of_person(house, seed.ROSA) as rosa:
        before = len((await got(rosa, "/v1/requests?mine=1"))["requests"])
        await house.app.redis.execute_command("CLIENT", "PAUSE", 2_600)
        async with rosa.post("/v1/requests", json=ASK, headers=key) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
        async with asyncio.timeout(20):
            while (await rosa.post("/v1/requests", json=ASK, headers=key)).status != 201:
                await asyncio.sleep(0.2)
        assert len((await got(rosa, "/v1/requests?mine=1"))["requests"]) == before + 1
