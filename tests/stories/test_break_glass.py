"""Breaking the glass: alone, in an emergency, loudly, and looked at afterwards."""

from playground import seed
from playground.house import House
from playground.slack.records import Message, Seen
from playground.slack.sight import actions_of, text_of
from store.model.policy import DAY, MINUTE
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    asks,
    audited,
    command,
    late,
    modal,
    own_card,
    press,
    request_of,
    says,
    seen,
)

WORDS = "open payments/prod for 1h because INC-7 payments fail"
WHY = "All payments fail, and no lead answers"


async def broken(house: House, *, requester: str = seed.OMAR) -> Message:
    asked = await asks(house, requester, WORDS)
    await smash(house, asked)
    return await says(house, asked, "glass broken")


async def smash(house: House, asked: Message, user: str = seed.OMAR) -> Seen:
    await press(house, user, asked, "break_glass")
    return await reason(house, user, WHY)


async def reason(house: House, user: str, words: str) -> Seen:
    return await house.workspace.submit(user, modal(house, user).id, {"reason": {"reason": words}})


async def test_the_glass_is_broken_with_a_reason_and_everybody_concerned_is_told(any_house: House) -> None:
    house = any_house
    asked = await asks(house, seed.OMAR, WORDS)
    await press(house, seed.OMAR, asked, "break_glass")
    form = text_of(modal(house, seed.OMAR))
    assert "It holds for 30 min at most." in form
    assert "Somebody else must countersign within 24 h." in form
    assert (await reason(house, seed.OMAR, "  ")).errors == {"reason": "Say why, in a few words."}
    assert "glass" not in text_of(again(house, asked)).partition("\n")[0]

    assert (await reason(house, seed.OMAR, WHY)).ok
    shown = await says(house, asked, "Approved, not started yet, glass broken", WHY)
    assert "<@U0OMAR> passed without the approvals." in text_of(shown)
    assert {"countersign", "dispute"} <= set(actions_of(shown))
    for user in (seed.BEN, seed.INES, seed.ANA, seed.OMAR):
        await own_card(house, user, "*The glass was broken:*", "own request to open", WHY)
    assert not any("glass was broken" in text_of(message) for message in house.workspace.dm(seed.ROSA))
    for user, offered in ((seed.BEN, ["countersign", "dispute"]), (seed.ANA, [])):  # an owner, and no approver
        assert actions_of(await own_card(house, user, "*The glass was broken:*")) == offered

    activate = await own_card(house, seed.OMAR, "Activate for 30 min", button="activate")
    await press(house, seed.OMAR, activate, "activate")
    await says(house, asked, "Active, glass broken", "30 min (1 h asked)")
    await press(house, seed.BEN, again(house, asked), "countersign")
    looked = await says(house, asked, "Countersigned by <@U0BEN>", "has access now")
    assert not {"countersign", "dispute"} & set(actions_of(looked))
    await own_card(house, seed.OMAR, "*Countersigned:*")
    await house.advance(30 * MINUTE)
    await says(house, asked, "Ended by itself")


async def test_who_asked_for_it_is_told_when_somebody_else_breaks_it(house: House) -> None:
    await broken(house, requester=seed.ROSA)
    await own_card(house, seed.ROSA, "*The glass was broken:* <@U0OMAR> let", WHY)
    await own_card(house, seed.ROSA, button="activate")


async def test_only_those_who_are_listed_may_break_it(house: House) -> None:
    asked = await asks(house, seed.ROSA, WORDS)
    for user in (seed.ROSA, seed.BEN, seed.ANA):
        await press(house, user, asked, "break_glass")
        await reason(house, user, "I want it")
        assert "does not name you as somebody who may break the glass" in text_of(modal(house, user))
        assert (await audited(house, "attempt.refused", user))["command"] == "break"
    assert "Waiting for approval" in text_of(again(house, asked))


async def test_a_hard_rule_has_no_glass_and_refuses_a_click_that_was_made_up(open_house: OpenHouse) -> None:
    house = await open_house(policies=rules.policies(rules.opening("bypassers: {users: [omar@example.com]}")))
    asked = await asks(house, seed.OMAR, WORDS)
    assert "break_glass" not in actions_of(asked)
    assert "*Breaking the glass:* nobody may. The rule is hard." in await command(
        house, seed.OMAR, f"why {request_of(asked)}"
    )
    made_up = seen(asked)
    for block in made_up.blocks:
        for element in block.get("elements", []):
            if element.get("action_id") == "deny":
                element["action_id"] = "break_glass"
    await late(house, seed.OMAR, made_up, "break_glass")
    await reason(house, seed.OMAR, WHY)
    assert "is hard: nobody passes without the approvals it asks for." in text_of(modal(house, seed.OMAR))
    assert (await audited(house, "attempt.refused", seed.OMAR))["command"] == "break"
    assert "Waiting for approval" in text_of(again(house, asked))
    assert house.workspace.troubles == []


async def test_a_soft_rule_that_lists_nobody_has_no_glass_either(open_house: OpenHouse) -> None:
    house = await open_house(policies=rules.policies(rules.opening("enforcement: soft")))
    asked = await asks(house, seed.OMAR, WORDS)
    assert "break_glass" not in actions_of(asked)
    assert house.workspace.troubles == []


async def test_who_broke_it_does_not_countersign_nor_does_a_colleague(open_house: OpenHouse) -> None:
    """Even where the one who broke it is an approver as well."""
    both = "approvals: [{count: 2, from: {groups: [payments-leads], users: [omar@example.com]}}]"
    soft = rules.opening(both, "enforcement: soft", "bypassers: {users: [omar@example.com]}")
    house = await open_house(policies=rules.policies(soft))
    asked = await broken(house, requester=seed.ROSA)
    sentence = await after(house, seed.OMAR, press(house, seed.OMAR, asked, "countersign"))
    assert sentence == "Somebody else must look at a glass that you broke."
    sentence = await after(house, seed.ROSA, press(house, seed.ROSA, asked, "countersign"))
    assert sentence == "You cannot review your own request."
    sentence = await after(house, seed.ANA, press(house, seed.ANA, asked, "countersign"))
    assert "does not name you as an approver" in sentence
    assert "glass broken" in text_of(again(house, asked)).partition("\n")[0]
    await press(house, seed.INES, asked, "countersign")
    await says(house, asked, "Countersigned by <@U0INES>")
    assert house.workspace.troubles == []


async def test_a_dispute_ends_the_access_and_everybody_reads_why(house: House) -> None:
    asked = await broken(house)
    await press(house, seed.OMAR, await own_card(house, seed.OMAR, button="activate"), "activate")
    active = seen(await own_card(house, seed.OMAR, "You have it", button="show_values"))
    await says(house, asked, "has access now")
    await press(house, seed.INES, again(house, asked), "dispute")
    await reason(house, seed.INES, "Payments were fine")
    over = await says(house, asked, "Ended", "glass broken, disputed", "Payments were fine", "Disputed by <@U0INES>")
    assert actions_of(over) == []
    for user in (seed.BEN, seed.INES, seed.ANA, seed.OMAR):
        await own_card(house, user, "*Disputed:*", "Payments were fine")
    await late(house, seed.OMAR, active, "show_values")
    await own_card(house, seed.OMAR, "This access is over.")
    assert house.workspace.modals(seed.OMAR) == []


async def test_what_was_disputed_before_its_first_use_cannot_be_used(house: House) -> None:
    asked = await broken(house)
    activate = seen(await own_card(house, seed.OMAR, "Activate it when you are ready", button="activate"))
    await press(house, seed.BEN, asked, "dispute")
    await reason(house, seed.BEN, "No incident")
    await says(house, asked, "Disputed by <@U0BEN>")
    await late(house, seed.OMAR, activate, "activate")
    await own_card(house, seed.OMAR, "The glass that was broken for this was disputed, so it cannot be used.")
    await own_card(house, seed.OMAR, "*Not to be used, glass broken, disputed* by now: open `payments/prod`")
    await own_card(house, seed.OMAR, "Withdraw this: the glass that was broken for it was disputed", button="withdraw")
    assert not any("activate" in actions_of(message) for message in house.workspace.dm(seed.OMAR))


async def test_a_debt_that_nobody_looks_at_is_overdue_by_the_clock(house: House) -> None:
    asked = await broken(house)
    await house.advance(DAY)
    late_card = await says(house, asked, "nobody countersigned", "An owner must look")
    assert not {"countersign", "dispute"} & set(actions_of(late_card))
    for user in (seed.BEN, seed.ANA, seed.OMAR):
        await own_card(house, user, "*Nobody countersigned:*")


async def test_approvers_find_the_debt_in_their_announcement_and_settle_it_there(house: House) -> None:
    asked = await broken(house)
    news = await own_card(house, seed.INES, "*The glass was broken:*", button="countersign")
    await press(house, seed.INES, news, "countersign")
    await says(house, asked, "Countersigned by <@U0INES>")
    await own_card(house, seed.INES, "*Countersigned:*")
    await house.workspace.wait_for(lambda: actions_of(again(house, news)) == [])
