"""Programs that speak HTTP for a person or a machine, with a token of theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from playground.house import House
from store.model.policy import MINUTE
from tests.tokens import machine_token, person_token

PROD = "/v1/environments/payments/prod"
STAGING = "/v1/environments/payments/staging"
ASK: dict[str, Any] = {
    "kind": "open",
    "target": "payments/prod",
    "reason": "INC-7 payments fail",
    "duration_ms": 15 * MINUTE,
}


@asynccontextmanager
async def program(house: House, token: str | None) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
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
    """The code of the refusal; `body` is sent, else it is asked for."""
    body = more.pop("body", None)
    asked = session.post(path, json=body, **more) if body is not None else session.get(path, **more)
    async with asked as response:
        assert response.status == status, await response.text()
        return str((await response.json())["code"])


async def until_waiting(house: House) -> None:
    """Until somebody waits over HTTP for news."""
    async with asyncio.timeout(10):
        while not house.app.waiting._of:
            await asyncio.sleep(0.01)
