"""The HTTP API as programs of people and machines use it: the very program, real sockets, a real server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from playground import seed
from playground.house import House
from store.model.policy import MINUTE
from tests.stories.people import card, press, says
from tests.tokens import machine_token, person_token

PROD = "/v1/environments/payments/prod"
ASK = {"kind": "open", "target": "payments/prod", "reason": "INC-7 payments fail", "duration_ms": 15 * MINUTE}


@asynccontextmanager
async def program(house: House, token: str) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{house.app.http.port}", headers=headers) as session:
        yield session


@asynccontextmanager
async def of_person(house: House, user: str, **changed: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with program(house, await person_token(house.app.tokens, user, house.now_ms(), **changed)) as session:
        yield session


@asynccontextmanager
async def of_machine(house: House, **changed: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with program(house, await machine_token(house.app.tokens, house.now_ms(), **changed)) as session:
        yield session


async def got(session: aiohttp.ClientSession, path: str, **more: Any) -> Any:
    async with session.get(path, **more) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def sent(session: aiohttp.ClientSession, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
    async with session.post(path, json=body, **more) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def refused(session: aiohttp.ClientSession, path: str, status: int, **more: Any) -> str:
    async with session.get(path, **more) as response:
        assert response.status == status, await response.text()
        return str((await response.json())["code"])


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

        active = await sent(rosa, f"/v1/requests/{asked['id']}/activate")
        assert active["state"] == "active"
        async with rosa.get(f"{PROD}/secrets") as response:
            said = await response.json()
            assert int(response.headers["Countersign-Until"]) == active["until_ms"]
            etag = response.headers["ETag"]
        assert {one["name"]: one["value"] for one in said["entries"]} == seed.SECRETS["payments/prod"]
        async with rosa.get(f"{PROD}/secrets", headers={"If-None-Match": etag}) as response:
            assert (response.status, await response.read()) == (304, b"")

        ended = await sent(rosa, f"/v1/requests/{asked['id']}/end", {"reason": "done"})
        assert ended["state"] == "ended"
        assert await refused(rosa, f"{PROD}/secrets", 403) == "no_grant"
    await says(house, shown, "Ended by <@U0ROSA>")
