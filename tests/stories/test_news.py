"""News in a DM: it says what to do as long as that can be done, then what became of it, in one line."""

from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.policy import MINUTE
from tests.stories.people import ask, card, own_card, press, says


async def test_news_that_is_over_becomes_one_line_that_leads_to_the_card(house: House) -> None:
    await ask(house, seed.ROSA, "open payments/prod for 15m because INC-7 payments fail")
    asked = await card(house, "Waiting for approval")
    await press(house, seed.BEN, asked, "approve")
    approved = await own_card(house, seed.ROSA, "*Approved:*", button="activate")
    await press(house, seed.ROSA, approved, "activate")
    over = await says(house, approved, "Active* by now", "Open the card")
    assert_one_line(over)
    active = await own_card(house, seed.ROSA, "*Active:*", button="end")
    await press(house, seed.ROSA, active, "end")
    for message in (approved, active):
        assert_one_line(await says(house, message, "Ended* by now", "Open the card"))
    assert len([each for each in house.workspace.dm(seed.ROSA) if "INC-7" in text_of(each)]) == 1


async def test_an_approver_can_countersign_from_the_news_until_somebody_has(house: House) -> None:
    """Whatever the request does meanwhile: the debt of a broken glass is not paid by its end."""
    await ask(house, seed.OMAR, "open payments/prod for 15m because INC-7 payments fail")
    asked = await card(house, "Waiting for approval")
    await press(house, seed.OMAR, asked, "break_glass")
    await house.workspace.submit(
        seed.OMAR, house.workspace.modal(seed.OMAR).id, {"reason": {"reason": "Nobody answers the phone."}}
    )
    told = await own_card(house, seed.BEN, "The glass was broken", button="countersign")
    also = await own_card(house, seed.INES, "The glass was broken", button="countersign")
    await press(house, seed.OMAR, await own_card(house, seed.OMAR, button="activate"), "activate")
    await house.advance(16 * MINUTE)
    await says(house, asked, "Ended by itself")
    await press(house, seed.INES, also, "countersign")
    for message in (told, also):
        assert_one_line(await says(house, message, "countersigned* by now", "Open the card"))


async def test_nobody_is_warned_of_an_end_that_has_been(house: House) -> None:
    """Slack is too busy to take the warning, and the person is done before it does."""
    workspace = house.workspace
    await ask(house, seed.ROSA, "open payments/prod for 15m because INC-7 payments fail")
    asked = await card(house, "Waiting for approval")
    await press(house, seed.BEN, asked, "approve")
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
    active = await own_card(house, seed.ROSA, "*Active:*")
    workspace.faults.rate_limit("chat.postMessage", retry_after=30)
    await house.advance(13 * MINUTE)
    await workspace.wait_for(lambda: workspace.faults.struck)
    await press(house, seed.ROSA, active, "end")
    await own_card(house, seed.ROSA, "*Ended:*")
    await house.advance(MINUTE)
    await ask(house, seed.ROSA, "open payments/staging because what comes after it has come")
    await own_card(house, seed.ROSA, "what comes after it has come")
    assert not [message for message in workspace.dm(seed.ROSA) if "Ends soon" in text_of(message)]


def assert_one_line(message: Message) -> None:
    assert actions_of(message) == []
    assert [block["type"] for block in message.blocks] == ["context"]
