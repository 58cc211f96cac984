"""On behalf of somebody: one asks, another has it, and neither decides."""

import pytest

from playground import seed
from playground.house import House
from playground.slack.sight import actions_of, text_of
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    approved,
    ask,
    card,
    command,
    late,
    modal,
    own_card,
    press,
    request_of,
    says,
    seen,
    told,
)

FOR_OMAR = "open payments/prod for <@U0OMAR|omar> for 15m because he is on call"


@pytest.mark.seeded
async def test_rosa_asks_for_omar_and_omar_reads(any_house: House) -> None:
    house = any_house
    assert (await ask(house, seed.ROSA, FOR_OMAR)).ok
    asked = await card(house, "Waiting for approval", "for <@U0OMAR>")
    await own_card(house, seed.OMAR, request_of(asked), button="withdraw")
    await approved(house, asked, seed.BEN)
    hers = await own_card(house, seed.ROSA, request_of(asked), "<@U0OMAR> can activate it")
    assert "activate" not in actions_of(hers)
    his = await own_card(house, seed.OMAR, request_of(asked), button="activate")
    shown = seen(his)
    await press(house, seed.OMAR, his, "activate")
    await says(house, asked, "<@U0OMAR> has access now")
    await late(house, seed.ROSA, shown, "activate")
    await own_card(house, seed.ROSA, "This is active already.")
    reads = await own_card(house, seed.OMAR, request_of(asked), "What next", button="show_values")
    await press(house, seed.OMAR, reads, "show_values")
    assert "postgres://payments" in text_of(modal(house, seed.OMAR))
    await late(house, seed.ROSA, seen(again(house, reads)), "show_values")
    await own_card(house, seed.ROSA, "Only the person this was approved for can read the values.")
    await press(house, seed.OMAR, again(house, reads), "end")
    await says(house, asked, "Ended by <@U0OMAR>")


@pytest.mark.seeded
async def test_the_membership_is_that_of_whom_it_is_for(house: House) -> None:
    await house.workspace.slash(
        seed.ROSA, seed.APPROVALS, "/countersign", "access role:database-admin for 15m because INC-7"
    )
    sent = await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {"whom": {"whom": seed.OMAR}})
    assert sent.ok, sent.errors
    asked = await card(house, "Waiting for approval", "for <@U0OMAR>")
    await approved(house, asked, seed.BEN)
    await press(house, seed.OMAR, await own_card(house, seed.OMAR, button="activate"), "activate")
    await says(house, asked, "<@U0OMAR> has access now")
    assert house.directory.members(seed.ROLE_GROUP) == ["omar@example.com"]
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(asked), button="end"), "end")
    await says(house, asked, "Ended by <@U0ROSA>", "no longer a member")
    await own_card(house, seed.OMAR, "*Ended:*", "<@U0ROSA>")


async def test_nobody_is_given_what_they_could_not_ask_for(house: House) -> None:
    sent = await ask(house, seed.ROSA, "open payments/prod for <@U0BEN> for 15m because of Ben")
    rule = "The rule “open production” does not name ben among those who may have payments/prod."
    assert sent.errors == {"whom": rule}
    gone = await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {"whom": {"whom": "U0DORA"}})
    assert not gone.errors
    assert "they are deactivated in Slack" in text_of(modal(house, seed.ROSA))
    assert "is nobody I know" in await command(house, seed.ROSA, "request open payments/prod for @omra for 1h")
    assert "leave out “for”" in await command(house, seed.ROSA, "request change payments/prod for <@U0OMAR>")


async def test_neither_of_the_two_decides_and_both_may_withdraw(open_house: OpenHouse) -> None:
    everybody = "approvals: [{count: 1, from: {groups: [payments-dev, payments-leads]}}]"
    house = await open_house(policies=rules.policies(rules.opening(everybody)))
    await ask(house, seed.ROSA, FOR_OMAR)
    asked = await card(house, "Waiting for approval")
    for user in (seed.ROSA, seed.OMAR):
        assert await after(house, user, press(house, user, asked, "approve")) == "You cannot review your own request."
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="withdraw"), "withdraw")
    await says(house, asked, "Withdrawn by <@U0ROSA>")
    assert house.workspace.troubles == []


async def test_who_asked_asks_for_more_time_for_them_too(house: House) -> None:
    await ask(house, seed.ROSA, FOR_OMAR)
    asked = await card(house, "Waiting for approval")
    await approved(house, asked, seed.BEN)
    await press(house, seed.OMAR, await own_card(house, seed.OMAR, button="activate"), "activate")
    await says(house, asked, "has access now")
    hers = await own_card(house, seed.ROSA, request_of(asked), "<@U0OMAR> has it", button="extend")
    await press(house, seed.ROSA, hers, "extend")
    sent = await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {"reason": {"reason": "still on call"}})
    assert sent.ok, sent.errors
    more = await card(house, "Keep it longer", "<@U0OMAR>")
    await press(house, seed.OMAR, more, "approve")
    await told(house, seed.OMAR, "You cannot review your own request.")
    await press(house, seed.BEN, more, "approve")
    await says(house, asked, "Extended by 30 min")
