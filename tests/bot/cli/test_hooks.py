"""`countersign hooks`: how receivers are told, and what the owner of the machine does about that."""

import json
from collections.abc import AsyncIterator

import pytest
from jsonschema import Draft202012Validator

from playground import seed
from playground.house import House
from tests.bot.cli.conftest import Run
from tests.stories.people import again, press
from tests.stories.test_change import change


@pytest.fixture
async def lived_in(house: House) -> AsyncIterator[House]:
    await house.move_in()
    await house.workspace.wait_for(lambda: house.workspace.bot_connected and house.hooks.deliveries)
    yield house
    for app in house.apps:
        await app.stop()
    house.apps.clear()


async def test_the_schema_is_one(run_here: Run) -> None:
    shown = await run_here("hooks", "schema")
    assert shown.code == 0
    Draft202012Validator.check_schema(json.loads(shown.out))


async def merged(house: House) -> str:
    asked = await change(house, lines="STRIPE_KEY=sk_live_2")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    told = await house.workspace.wait_for(
        lambda: [each for each in house.hooks.deliveries if b'"environment_version":3' in each.body]
    )
    request: str = json.loads(told[0].body)["data"]["request"]
    return request


async def test_what_was_given_up_is_listed_shown_and_tried_again(lived_in: House, run_here: Run) -> None:
    house = lived_in
    house.hooks.answer("api", 410)
    request = await merged(house)

    async def dead() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(
            (await run_here("hooks", "ls", "-o", "json", **house.environ())).out
        )["dead"]
        return found

    await house.app.relay.settled()
    [letter] = await dead()
    assert (letter["request"], letter["state"]) == (request, "failed")
    told = await run_here("hooks", "ls", **house.environ())
    assert f"countersign hooks retry {request} api" in told.err
    shown = await run_here("hooks", "show", request, **house.environ())
    assert "410" in shown.out
    again_told = await run_here("hooks", "retry", request, "api", **house.environ())
    assert again_told.code == 0
    await house.workspace.wait_for(
        lambda: house.hooks.deliveries[-1].status == 204 and len(house.hooks.deliveries) == 3
    )
    first, second = house.hooks.deliveries[-2:]
    assert (first.id, first.body) == (second.id, second.body)
    await house.app.relay.settled()
    assert await dead() == []
    refused = await run_here("hooks", "retry", request, "api", **house.environ())
    assert refused.code == 5
    assert (await run_here("hooks", "replay", request, "api", **house.environ())).code == 0
    await house.workspace.wait_for(lambda: len(house.hooks.deliveries) == 4)


async def test_a_hook_is_tried_held_let_go_and_given_another_secret(lived_in: House, run_here: Run) -> None:
    house = lived_in
    tested = await run_here("hooks", "test", "payments/prod", "api", "-o", "json", **house.environ())
    assert (tested.code, json.loads(tested.out)["status"]) == (0, 204)
    assert house.hooks.deliveries[-1].event == "test"
    assert house.hooks.deliveries[-1].verified
    house.hooks.answer("api", 500)
    assert (await run_here("hooks", "test", "payments/prod", "api", **house.environ())).code == 1
    assert (await run_here("hooks", "pause", "payments/prod", "api", **house.environ())).code == 0
    held = json.loads((await run_here("hooks", "ls", "-o", "json", **house.environ())).out)["hooks"]
    assert next(each for each in held if each["target"] == "payments/prod")["state"] == "paused by owner"
    assert (await run_here("hooks", "resume", "payments/prod", "api", **house.environ())).code == 0
    fresh = await run_here("hooks", "rotate", "payments/prod", "api", **house.environ())
    assert fresh.out.startswith("whsec_")
    assert fresh.out.strip() != house.hooks.secrets["api"]
    again = await run_here("hooks", "secret", "payments/prod", "api", **house.environ())
    assert (again.code, again.out, "is shown once" in again.err) == (5, "", True)
    events = [entry.event for _, entry in await house.app.audit.newest(most=50)]
    assert {"hook.tested", "hook.paused", "hook.resumed", "hook.rotated"} <= set(events)
