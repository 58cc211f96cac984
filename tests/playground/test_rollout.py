"""The playground carries deploys out, and says how they go, by the same signed reports as anybody's receiver."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from playground import seed
from playground.house import House
from tests.stories.people import asks, modal, press, says


@pytest.fixture
async def house(redis_url: str, tmp_path: Path) -> AsyncIterator[House]:
    opened = House(tmp_path, environ={"REDIS_URL": redis_url}, workspace={"ack_within_s": 3.0}, rollout_s=0.05)
    await opened.open()
    try:
        await opened.move_in()
        yield opened
    finally:
        await opened.close()


async def test_a_deploy_is_carried_out_and_reported(house: House) -> None:
    asked = await asks(house, seed.ROSA, "deploy payments/prod#api v1.2.3 because INC-7")
    await press(house, seed.BEN, asked, "approve_and_deploy")
    await says(house, asked, "Deployed", "Rolled out", "6 of 6 are healthy.")


async def test_one_that_is_cancelled_goes_no_further(house: House) -> None:
    assert house.rollouts is not None
    house.rollouts._step_s = 1.0
    asked = await asks(house, seed.ROSA, "deploy payments/prod#api v1.2.3 because INC-7")
    await press(house, seed.BEN, asked, "approve_and_deploy")
    asked = await says(house, asked, "Deploying")
    await press(house, seed.ROSA, asked, "cancel")
    await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {"reason": {"reason": "no"}})
    await says(house, asked, "Cancelled")
    async with asyncio.timeout(10):
        await asyncio.gather(*house.rollouts._running)  # what it says first is refused, and it says no more
    await says(house, asked, "Cancelled")
    assert "deploy.reported" not in {entry.event for _, entry in await house.app.audit.newest(most=50)}
