"""Other policies: asked at the terminal of the machine, approved in Slack, and in force from then on."""

from typing import Any

import pytest

from bot.cli import applying
from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.errors import Forbidden
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    asks,
    audited,
    card,
    own_card,
    press,
    request_of,
    says,
)

MAIN = "policy:main: {channel: C0APPROVALS}"
WHO = "requesters: {users: [ana@example.com, rosa@example.com]}"
TWO = "approvals: [{count: 2, from: {groups: [payments-leads], users: [ana@example.com]}}]"
GUARD = f"name: the policies, targets: ['policy:main'], actions: [policy], {WHO}, {TWO}"


def written(*opening: str, guard: str = GUARD) -> str:
    return rules.policies(rules.opening(*opening), guard, targets=(rules.PROD, MAIN))


HARDER = written(rules.TWO_LEADS)


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    return await open_house(policies=written())


async def apply(house: House, text: str, user: str = seed.ANA, **how: Any) -> str | None:
    """What `countersign policy apply` does, with this in the file: the id of the request."""
    file = house.folder / "other.yml"
    file.write_text(text, encoding="utf-8")
    given = {"reason": "Two leads from now on", "ticket": None, "request": None, "dry_run": False, **how}
    _, outcome = await applying.apply(house.environ(), file, user, **given)
    for app in house.apps:
        app.clock.nudge()
    return outcome.request.id if outcome is not None and outcome.request is not None else None


async def applied(house: House, text: str, user: str = seed.ANA, **how: Any) -> Message:
    return await card(house, "Waiting for approval", f"Request `{await apply(house, text, user, **how)}`")


async def in_force(house: House) -> int:
    return await house.app.policies.number()


async def test_two_leads_approve_and_the_new_rule_is_in_force(house: House) -> None:
    asked = await applied(house, HARDER, "ana@example.com")
    text = text_of(asked)
    assert "of version 1: 1 rule changed" in text
    assert "rule “open production”: changed" in text
    assert "approvals: [{count: 1, from: {groups: [payments-leads]}}] → [{count: 2" in text
    assert "at a terminal of the machine" in text
    assert "break_glass" not in actions_of(asked)
    await own_card(house, seed.ANA, request_of(asked), "Waiting for approval")
    waits = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")

    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2 approvals")
    assert await in_force(house) == 1
    await press(house, seed.INES, again(house, asked), "approve")
    await says(house, asked, "Merged as version 2")
    assert await in_force(house) == 2
    assert (await audited(house, "policy.changed", seed.INES))["version"] == 2
    assert (await audited(house, "request.submitted", seed.ANA))["door"] == "terminal"
    await own_card(house, seed.ANA, "*Merged as version 2:*", "the new policies are in force")
    assert "payments-leads]}}] → [{count: 2" in text_of(again(house, asked)), "the card still says what was changed"

    await press(house, seed.BEN, waits, "approve")
    await says(house, waits, "1 of 2 approvals")
    later = await asks(house, seed.OMAR, "open payments/prod for 15m because INC-8")
    assert "0 of 2 approvals" in text_of(later)
    assert house.workspace.troubles == []


async def test_who_asked_does_not_approve_though_the_rule_names_them(house: House) -> None:
    asked = await applied(house, HARDER)
    refused = await after(house, seed.ANA, press(house, seed.ANA, asked, "approve"))
    assert refused == "You cannot review your own request."


@pytest.mark.parametrize("user", [seed.BEN, "U0GIL", "ben@example.com"])
async def test_only_whom_the_rule_names_asks_and_the_attempt_is_noted(house: House, user: str) -> None:
    with pytest.raises(Forbidden):
        await apply(house, HARDER, user)
    entry = await audited(house, "attempt.refused", "U0GIL" if user == "U0GIL" else seed.BEN)
    assert entry["command"] == "submit"
    assert await in_force(house) == 1


async def test_soft_in_the_file_is_hard_for_the_policies(open_house: OpenHouse) -> None:
    soft = f"{GUARD}, enforcement: soft, bypassers: {{users: [omar@example.com]}}"
    house = await open_house(policies=written(guard=soft))
    asked = await applied(house, written(rules.TWO_LEADS, guard=soft))
    assert "break_glass" not in actions_of(asked)
