"""The outside directory lies, breaks, dawdles or shuts us out; a hook's receiver is down; an effect is poison."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from playground import seed
from playground.house import House, hook_secret
from playground.slack.records import Message
from playground.slack.sight import text_of
from store.model.policy import DAY, HOUR, MINUTE
from tests.stories.conftest import OpenHouse
from tests.stories.directories import Gate
from tests.stories.people import again, ask, card, own_card, press, request_of, says

pytestmark = pytest.mark.seeded

JOIN: Final = "access role:database-admin for 15m because INC-7"
ROSA: Final = ("rosa@example.com",)


@pytest.fixture
async def gate(house: House) -> Gate:
    return Gate(house.directory)


async def started(house: House) -> Message:
    """The approvers' card of a membership that was approved and activated."""
    await ask(house, seed.ROSA, JOIN)
    waiting = await card(house, "Waiting for approval", "INC-7")
    await press(house, seed.BEN, waiting, "approve")
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(waiting), button="activate"), "activate")
    return waiting


async def tried(house: House, gate: Gate) -> None:
    """One more try."""
    before = gate.asked
    await house.advance(MINUTE)
    await house.workspace.wait_for(lambda: gate.asked > before)
    await house.app.relay.settled()


async def events(house: House, request: str) -> list[str]:
    return [entry.event for _, entry in await house.app.audit.newest(most=500) if entry.request == request]


# -- the directory -------------------------------------------------------------------------------------------------------


async def test_a_directory_that_lies_is_not_believed_when_it_lets_in(house: House, gate: Gate) -> None:
    gate.lies = True
    shown = await started(house)
    await tried(house, gate)
    assert gate.writes
    await says(house, shown, "not confirmed yet")
    assert "grant.activated" not in await events(house, request_of(shown))
    gate.lies = False
    await tried(house, gate)
    await says(house, shown, "Active")
    assert gate.seen == [(), ROSA]


async def test_what_was_never_let_in_ends_at_its_end_all_the_same(house: House, gate: Gate) -> None:
    gate.lies = True
    shown = await started(house)
    await says(house, shown, "not confirmed yet")
    await house.advance(15 * MINUTE)
    await says(house, shown, "Ended")
    assert gate.seen == [()]


@pytest.mark.parametrize("bad_day", ["lies", "503", "500"])
async def test_what_cannot_be_taken_back_is_never_called_ended_and_alarms(
    house: House, gate: Gate, bad_day: str
) -> None:
    shown = await started(house)
    await says(house, shown, "Active")
    gate.lies, gate.status = bad_day == "lies", None if bad_day == "lies" else int(bad_day)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(shown), "What next", button="end"), "end")
    await says(house, shown, "Ending, not confirmed yet")
    for _ in range(3):
        await tried(house, gate)
    await says(house, shown, "Ending, not confirmed yet", "for over 2 minutes")
    for _ in range(14):
        await tried(house, gate)
    await says(house, shown, "Ending, not confirmed yet", "for over 15 minutes")
    await own_card(house, seed.ANA, "for over 15 minutes")
    assert "grant.ended" not in await events(house, request_of(shown))
    for _ in range(3):
        await house.advance(8 * HOUR)
        await house.app.relay.settled()
    gate.lies, gate.status = False, None
    await tried(house, gate)
    ended = await says(house, shown, "Ended")
    assert "not confirmed" not in text_of(ended)
    assert gate.seen == [(), ROSA, ()]
    assert (await events(house, request_of(shown))).count("grant.trouble") == 2


async def test_a_directory_that_shuts_us_out_is_told_on_the_card(house: House, gate: Gate) -> None:
    gate.status = 401
    shown = await started(house)
    await says(house, shown, "Ending, not confirmed yet", "does not accept our token")
    await own_card(house, seed.ANA, "does not accept our token")
    gate.status = None
    await house.advance(6 * MINUTE)
    await says(house, shown, "Ended")
    assert gate.seen == [()]


async def test_a_slow_directory_costs_the_person_time_and_nobody_else(house: House, gate: Gate) -> None:
    gate.slow_s = 0.2
    shown = await started(house)
    await says(house, shown, "not confirmed yet")
    await ask(house, seed.ROSA, "open payments/staging for 1h because INC-8")
    await card(house, "Waiting for approval", "INC-8")
    assert "not confirmed yet" in text_of(again(house, shown))
    await says(house, shown, "Active")
    gate.slow_s = 0


# -- hooks ---------------------------------------------------------------------------------------------------------------


async def merged(house: House, number: int) -> None:
    values = {"set:payments/prod": {"set": f"STRIPE_KEY=sk_{number}"}, "reason": {"reason": f"change {number}"}}
    assert (await ask(house, seed.ROSA, "change payments/prod", values)).ok
    waiting = await card(house, "Waiting for approval", f"change {number}")
    await press(house, seed.BEN, waiting, "approve")
    await press(house, seed.INES, again(house, waiting), "approve")
    await says(house, waiting, "Merged as version")


def versions(house: House) -> list[tuple[int, int]]:
    """Version and what was answered, of each delivery to `api` after that of the first secrets."""
    told = [each for each in house.hooks.deliveries if each.name == "api"]
    said = [(json.loads(each.body)["data"]["environment_version"], each.status) for each in told]
    return [(version, status) for version, status in said if version > 2]


async def test_a_receiver_that_was_down_for_two_days_hears_of_the_newest_version_only(house: House) -> None:
    await house.workspace.wait_for(lambda: house.hooks.deliveries)
    house.hooks.answer("api", 503, times=100)
    await merged(house, 1)
    await house.workspace.wait_for(lambda: versions(house))
    await house.app.relay.settled()
    await house.advance(HOUR)
    await house.workspace.wait_for(lambda: len(versions(house)) > 1)
    await merged(house, 2)
    for _ in range(8):
        await house.app.relay.settled()
        await house.advance(6 * HOUR)
    await house.app.relay.settled()
    house.hooks._told.clear()
    await house.advance(DAY)
    await house.workspace.wait_for(lambda: versions(house)[-1] == (4, 204))
    numbers = [version for version, _ in versions(house)]
    assert numbers == sorted(numbers)
    assert [status for _, status in versions(house)].count(204) == 1
    assert all(each.verified for each in house.hooks.deliveries)
    assert len({each.id for each in house.hooks.deliveries if b'"environment_version":4' in each.body}) == 1


async def test_a_thread_that_was_deleted_is_begun_anew_when_its_hook_has_news(house: House) -> None:
    await house.workspace.wait_for(lambda: house.hooks.deliveries)
    house.hooks.answer("api", 503, times=2)
    await merged(house, 1)
    shown = await card(house, "Merged as version 3")
    line = await house.workspace.wait_for(lambda: house.workspace.thread(shown.channel, shown.ts)[1:])
    await house.workspace.wait_for(lambda: (3, 503) in versions(house))
    await house.app.relay.settled()
    for message in (*line, shown):
        house.workspace.delete_message(message.channel, message.ts)
    await house.advance(HOUR)  # it is still being told, so that the card itself has nothing new to say
    anew = await card(house, "Merged as version 3")
    assert anew.ts != shown.ts
    await house.workspace.wait_for(lambda: house.workspace.thread(anew.channel, anew.ts)[1:])


async def test_a_slow_receiver_delays_neither_cards_nor_another_receiver(open_house: OpenHouse) -> None:
    house = await open_house(processes=0)
    policies = Path(house.environ()["COUNTERSIGN_POLICIES"])
    web = f"""\
    hooks:
      - {{name: web, url: "{house.server.base_url}/hooks/web", on: [change]}}
"""
    text = policies.read_text(encoding="utf-8")
    marked = "  payments/staging:\n    channel: C0APPROVALS\n"
    assert marked in text
    policies.write_text(text.replace(marked, marked + web), encoding="utf-8")
    await house.move_in()
    house.hooks.secrets["web"] = await hook_secret(house.app.environments, "payments/staging", "web")
    await house.workspace.wait_for(lambda: [each for each in house.hooks.deliveries if each.name == "api"])
    house.hooks.answer("api", 204, after_s=3)
    await merged(house, 1)
    values = {"set:payments/staging": {"set": "STRIPE_KEY=sk_2"}, "reason": {"reason": "change 2"}}
    await ask(house, seed.ROSA, "change payments/staging", values)
    await press(house, seed.BEN, await card(house, "Waiting for approval", "change 2"), "approve")
    await house.workspace.wait_for(
        lambda: [each for each in house.hooks.deliveries if each.name == "web" and each.status == 204]
    )
    assert versions(house) == []


# -- poison --------------------------------------------------------------------------------------------------------------


POISON: Final[tuple[dict[Any, Any], ...]] = (
    {"body": "not JSON"},
    {"body": '{"schema": 99, "type": "show_card", "request": "0123456789"}', "generation": "1", "attempts": "0"},
    {"body": '{"schema": 1, "type": "of a later day"}', "generation": "7"},
)


@pytest.mark.parametrize("lane", ["slack", "connector", "hook", "mail"])
async def test_what_cannot_be_read_is_pushed_back_and_told_and_the_rest_goes_on(house: House, lane: str) -> None:
    keys, redis = house.app.audit._keys, house.app.redis
    bad = {f"bad{number}": POISON[number % len(POISON)] for number in range(40)}  # more than a lane performs at once
    for member, fields in bad.items():
        await redis.hset(keys.effect(lane, member), mapping={**fields})
        await redis.zadd(keys.lane(lane), {member: 0})
    house.app.clock.nudge()
    shown = await started(house)
    await says(house, shown, "Active")
    await merged(house, 1)
    await house.workspace.wait_for(lambda: (3, 204) in versions(house))
    await house.app.relay.settled()
    for member in bad:
        assert (await redis.zscore(keys.lane(lane), member) or 0) > house.now_ms()
    alarms = house.app.metrics.registry.get_sample_value("countersign_alarms_total", {"kind": "poison"})
    assert alarms == len(bad)
