"""SIGTERM: what was clicked is answered, what runs ends, what does not end is done by the next start, and nothing stays behind."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from playground import seed
from playground.house import House
from playground.slack.sight import actions_of
from store.redis.embedded import running
from tests.stories.conftest import OpenHouse
from tests.stories.faults import heard, struck
from tests.stories.people import again, ask, card, modal, own_card, press, request_of, says
from tests.stories.processes import LEASE_MS, Program

OPEN = "open payments/prod for 15m because INC-7"


@pytest.fixture(params=["socket", "http"])
async def house(request: pytest.FixtureRequest, open_house: OpenHouse) -> House:
    opened = await open_house(processes=0, http=request.param == "http")
    opened._environ.pop("REDIS_URL")  # the embedded server, so that an orphan would be seen
    return opened


@pytest.fixture
async def program(house: House) -> AsyncIterator[Program]:
    program = Program(house.folder, house.environ())
    await started(house, program)
    yield program
    await program.kill()


async def started(house: House, program: Program) -> None:
    await program.start()
    if house._http:
        house.workspace.delivery.http.url = f"http://127.0.0.1:{await program.http_port()}/slack/events"
    await house.workspace.wait_for(lambda: house.workspace.bot_connected, timeout=20)


async def stopped(house: House, program: Program) -> None:
    began = time.monotonic()
    assert await program.terminate(15) == 0, program.log
    assert time.monotonic() - began < 15
    assert '"event": "stopped"' in program.log
    assert "Traceback" not in program.log, program.log
    assert await running(Path(house.environ()["COUNTERSIGN_DATA"]) / "redis") is None


async def test_a_click_that_is_being_decided_is_answered(house: House, program: Program) -> None:
    await ask(house, seed.ROSA, OPEN)
    waiting = await card(house, "Waiting for approval")
    heard(house)
    house.workspace.faults.delay("views.open", 0.8)
    click = asyncio.create_task(press(house, seed.BEN, waiting, "deny"))
    await struck(house)
    await stopped(house, program)
    assert (await click).acked
    await started(house, program)
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "Use staging"}})
    await says(house, waiting, "Denied by <@U0BEN>", "Use staging")
    assert house.workspace.troubles == []


@pytest.mark.parametrize("house", ["socket"], indirect=True)
async def test_with_clicks_in_flight_and_slack_hanging_it_ends_in_time_and_all_that_was_answered_is_there(
    house: House, program: Program
) -> None:
    cards = []
    for number in range(4):
        await ask(house, seed.ROSA, f"open payments/prod for 15m because INC-7 number {number}")
        cards.append(await card(house, f"number {number}"))
    heard(house)
    for method in ("chat.update", "chat.postMessage", "chat.postEphemeral"):
        house.workspace.faults.hang(method, times=100)
    clicks = [asyncio.create_task(press(house, seed.BEN, each, "approve")) for each in cards]
    await struck(house)
    await stopped(house, program)
    seen = await asyncio.gather(*clicks)
    house.workspace.faults.clear()
    await started(house, program)
    program.set_skew(LEASE_MS)  # what was in hand and did not end
    for each, click in zip(cards, seen, strict=True):
        if not click.acked and "approve" in actions_of(again(house, each)):
            await press(house, seed.BEN, again(house, each), "approve")
        await says(house, each, "Approved by <@U0BEN>")
        assert "approve" not in actions_of(again(house, each))
    assert any(click.acked for click in seen)
    await own_card(house, seed.ROSA, request_of(cards[-1]), button="activate")
