"""Who broke a glass wrongly breaks none any more, until an owner has looked at it and says so."""

from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.effect import Tell
from store.model.policy import DAY
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    asks,
    audited,
    command,
    home,
    modal,
    own_card,
    page,
    press,
    quiet,
    request_of,
    says,
)
from tests.stories.test_break_glass import WORDS, broken, reason, smash
from tests.stories.test_home import part

HEALTH = "Locked"
LOCKED = "Your break-glass is locked, because the glass you broke for request"


async def dispute(house: House, asked: Message) -> None:
    await press(house, seed.BEN, asked, "dispute")
    await reason(house, seed.BEN, "Payments were fine")
    await says(house, asked, "Disputed by <@U0BEN>")


async def test_who_is_locked_reads_why_and_an_owner_unlocks_them_from_home(any_house: House) -> None:
    house = any_house
    await page(house, seed.ANA, "health")
    wrong, early = await broken(house), await asks(house, seed.ROSA, WORDS)
    await press(house, seed.OMAR, early, "break_glass")
    begun = modal(house, seed.OMAR)
    await dispute(house, wrong)
    told = text_of(await own_card(house, seed.OMAR, "*Locked:* your break-glass is locked", "Payments were fine"))
    assert "only an owner can unlock it" in told
    await own_card(house, seed.ANA, "*Disputed:*", "until an owner unlocks them, under *Health* in App Home")

    await house.workspace.submit(seed.OMAR, begun.id, {"reason": {"reason": "All payments fail"}})
    assert f"{LOCKED} {request_of(wrong)} was disputed." in text_of(modal(house, seed.OMAR))
    assert (await audited(house, "attempt.refused", seed.OMAR))["code"] == "locked"
    await house.workspace.close(seed.OMAR, modal(house, seed.OMAR).id)
    sentence = await after(house, seed.OMAR, press(house, seed.OMAR, early, "break_glass"))
    assert sentence.startswith(LOCKED)
    assert "ana@example.com" in sentence
    assert "Waiting for approval" in text_of(again(house, early))

    owned = await home(house, seed.ANA, "has not been allowed to break the glass since")
    assert "<@U0OMAR> has not been allowed to break the glass since" in part(owned, HEALTH)
    assert request_of(wrong) in part(owned, HEALTH)
    await house.workspace.home_action(seed.ANA, "home_unlock")
    assert "<@U0OMAR> has not been allowed to break the glass" in text_of(modal(house, seed.ANA))
    assert (await reason(house, seed.ANA, "  ")).errors == {"reason": "Say why, in a few words."}
    assert (await reason(house, seed.ANA, "We talked")).ok
    assert (await audited(house, "glass.unlocked", seed.ANA)) == {"user": seed.OMAR, "reason": "We talked"}
    await own_card(house, seed.OMAR, "*Unlocked:* <@U0ANA> unlocked your break-glass", "We talked")
    await own_card(house, seed.ANA, "Unlocked. They are told.")

    def unlocked() -> bool:
        view = house.workspace.home(seed.ANA)
        return view is not None and "has not been allowed to break the glass" not in text_of(view)

    await house.workspace.wait_for(unlocked)
    await smash(house, early)
    await says(house, early, "glass broken")


async def test_an_overdue_debt_locks_and_the_slash_command_unlocks(house: House) -> None:
    await broken(house)
    await house.advance(DAY)
    await own_card(house, seed.OMAR, "*Locked:*", "was not countersigned in time")
    for user in (seed.BEN, seed.OMAR):
        assert "Only an owner" in await command(house, user, "unlock")
        assert "Only an owner" in await command(house, user, "unlock @omar")
        assert "Only an owner" in await command(house, user, "unlock @omar because I say so")
        assert (await audited(house, "attempt.refused", user))["command"] == "unlock"
    assert "<@U0OMAR> has not been allowed to break the glass" in await command(house, seed.ANA, "unlock")
    assert "not locked" in await command(house, seed.ANA, "unlock @ben")
    assert "nobody I know" in await command(house, seed.ANA, "unlock everybody")
    answer = await command(house, seed.ANA, "unlock @omar because we talked & it was an emergency")
    assert "Unlocked. They are told." in answer
    await own_card(house, seed.OMAR, "*Unlocked:*", "we talked & it was an emergency")
    assert "Nobody's break-glass is locked." in await command(house, seed.ANA, "unlock")


async def test_a_lock_that_is_news_too_late_is_not_told(house: House) -> None:
    wrong = await broken(house)
    await dispute(house, wrong)
    await own_card(house, seed.OMAR, "*Locked:*")
    await command(house, seed.ANA, "unlock @omar because we talked")
    await own_card(house, seed.OMAR, "*Unlocked:*")
    again_locked = Tell(request=request_of(wrong), news="locked", to=seed.OMAR, at_ms=1)
    await house.app.relay._outbox.put([again_locked], command_id="late")
    await quiet(house)
    assert len([each for each in house.workspace.dm(seed.OMAR) if "*Locked:*" in text_of(each)]) == 1


async def test_an_owner_unlocks_what_they_saw_and_not_what_came_since(house: House) -> None:
    first, second = await broken(house), await broken(house)
    await dispute(house, first)
    await page(house, seed.ANA, "health", "has not been allowed to break the glass since")
    await house.workspace.home_action(seed.ANA, "home_unlock")
    await dispute(house, second)
    await reason(house, seed.ANA, "We talked")
    assert "It was locked for something else since." in text_of(modal(house, seed.ANA))
    assert "newest of 2 such requests" in await command(house, seed.ANA, "unlock")


async def test_the_slash_command_without_a_reason_opens_the_form(house: House) -> None:
    await dispute(house, await broken(house))
    await own_card(house, seed.OMAR, "*Locked:*")
    await house.workspace.slash(seed.ANA, seed.APPROVALS, "/countersign", "unlock @omar")
    await reason(house, seed.ANA, "We talked")
    await own_card(house, seed.OMAR, "*Unlocked:*", "We talked")


async def test_an_owner_who_is_locked_is_unlocked_by_another_owner_only(open_house: OpenHouse) -> None:
    soft = rules.opening("enforcement: soft", "bypassers: {users: [omar@example.com]}")
    written = rules.policies(soft).replace("owners: {users: [ana@example.com]}", "owners: {groups: [payments-dev]}")
    house = await open_house(policies=written)
    await dispute(house, await broken(house))
    own = await page(house, seed.OMAR, "health", "Another owner must unlock it.")
    assert "home_unlock" not in actions_of(own)
    answer = await command(house, seed.OMAR, "unlock @omar because it was an emergency")
    assert "Nobody unlocks their own break-glass. Another owner must." in answer
    await page(house, seed.ROSA, "health", "has not been allowed to break the glass since")
    await house.workspace.home_action(seed.ROSA, "home_unlock")
    await reason(house, seed.ROSA, "It was an emergency")
    await own_card(house, seed.OMAR, "*Unlocked:* <@U0ROSA>")
    assert house.workspace.troubles == []
