"""Opening an environment: ask, decide, activate, read, end."""

from playground import seed
from playground.house import House
from playground.slack.sight import actions_of, text_of
from store.model.policy import HOUR, MINUTE
from tests.stories.people import again, ask, card, modal, own_card, press, says, told

ASKED = "open payments/prod for 15m because INC-7 payments fail"


async def test_a_developer_reads_production_for_a_quarter_of_an_hour(any_house: House) -> None:
    house = any_house
    assert (await ask(house, seed.ROSA, ASKED)).ok
    asked = await card(house, "Waiting for approval", "INC-7 payments fail")
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Approved by <@U0BEN>")

    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
    active = await own_card(house, seed.ROSA, button="show_values")
    await press(house, seed.ROSA, active, "show_values")
    assert "postgres://payments:prod-3rtq9w@db.internal/payments" in text_of(modal(house, seed.ROSA))

    await house.advance(13 * MINUTE)
    await own_card(house, seed.ROSA, "Ends soon")
    assert "show_values" in actions_of(again(house, active))
    await house.advance(2 * MINUTE)
    await says(house, asked, "Ended by itself")
    await says(house, active, "Ended")
    assert "show_values" not in actions_of(again(house, active))


async def test_an_approval_waits_for_its_first_use_and_no_longer(house: House) -> None:
    await ask(house, seed.ROSA, ASKED)
    asked = await card(house, "Waiting for approval")
    await press(house, seed.BEN, asked, "approve")
    activate = await own_card(house, seed.ROSA, button="activate")
    await house.advance(HOUR)
    await press(house, seed.ROSA, activate, "activate")
    await says(house, asked, "Expired")
    assert "over" in await told_or_dm(house)


async def told_or_dm(house: House) -> str:
    message = await own_card(house, seed.ROSA, "time for this was over")
    return text_of(message)


async def test_nobody_approves_their_own_request(house: House) -> None:
    await ask(house, seed.ROSA, ASKED)
    asked = await card(house, "Waiting for approval")
    await press(house, seed.ROSA, asked, "approve")
    await told(house, seed.ROSA, "You cannot review your own request.")
    assert "0 of 1 approval" in text_of(again(house, asked))
