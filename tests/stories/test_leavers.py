"""Leavers: who is deactivated in Slack, or becomes a guest, loses at once what they hold."""

import pytest

from playground import seed
from playground.house import House
from playground.slack.records import Kind
from playground.slack.sight import actions_of, text_of
from tests.stories.people import again, approved, ask, asks, card, own_card, press, quiet, request_of, says


@pytest.mark.seeded
@pytest.mark.parametrize("kind", ["deactivated", "guest"])
async def test_who_leaves_is_taken_out_of_every_group_and_asks_for_nothing_more(any_house: House, kind: Kind) -> None:
    house = any_house
    role = await asks(house, seed.OMAR, "access role:database-admin for 15m because INC-7")
    await approved(house, role, seed.BEN)
    await press(house, seed.OMAR, await own_card(house, seed.OMAR, request_of(role), button="activate"), "activate")
    await says(house, role, "has access now")
    waits = await asks(house, seed.OMAR, "open payments/prod for 15m because INC-7")
    unused = await asks(house, seed.OMAR, "open payments/staging for 15m because INC-7")
    await approved(house, unused, seed.BEN)
    hers = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-8")
    await quiet(house)

    house.workspace.set_kind(seed.OMAR, kind)
    why = {"deactivated": "is deactivated in Slack.", "guest": "is a guest in this workspace."}[kind]
    ended = await says(house, role, "Ended by itself", "no longer a member", why)
    assert "its time was over" not in text_of(ended)
    assert house.directory.members(seed.ROLE_GROUP) == []
    for card_of in (waits, unused):
        assert actions_of(await says(house, card_of, "Withdrawn by itself", why)) == []
    assert "Waiting for approval" in text_of(again(house, hers))
    assert house.workspace.troubles == []


async def test_who_asked_for_somebody_who_left_is_told_why_it_is_over(house: House) -> None:
    assert (await ask(house, seed.ROSA, "open payments/prod for <@U0OMAR> for 15m because he is on call")).ok
    asked = await card(house, "Waiting for approval", "<@U0OMAR>")
    await approved(house, asked, seed.BEN)
    house.workspace.set_kind(seed.OMAR, "deactivated")
    await says(house, asked, "Withdrawn by itself")
    await own_card(house, seed.ROSA, "*Withdrawn:* your request", "is deactivated in Slack.")


async def test_a_new_name_is_no_farewell(house: House) -> None:
    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    house.workspace.rename(seed.ROSA, name="rosalind")
    await quiet(house)
    assert "Waiting for approval" in text_of(again(house, asked))
