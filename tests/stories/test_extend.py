"""More time: what somebody holds goes on, if those who decide agree before it ends."""

import pytest

from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.policy import HOUR, MINUTE
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    approved,
    asks,
    card,
    command,
    late,
    modal,
    own_card,
    press,
    quiet,
    request_of,
    says,
    seen,
    told,
)


async def held(house: House, what: str = "open payments/prod", user: str = seed.ROSA) -> Message:
    """The card in the channel, of what is active for a quarter of an hour."""
    asked = await asks(house, user, f"{what} for 15m because INC-7")
    await approved(house, asked, seed.BEN)
    await press(house, user, await own_card(house, user, request_of(asked), button="activate"), "activate")
    return await says(house, asked, "has access now")


async def longer(house: House, held_card: Message, minutes: int, user: str = seed.ROSA) -> Message:
    """Asked for with the button on the holder's own card: the extension's card in the channel."""
    own = await own_card(house, user, request_of(held_card), "What next", button="extend")
    await press(house, user, own, "extend")
    values = {"duration": {"duration": str(minutes * MINUTE)}, "reason": {"reason": "one more look"}}
    sent = await house.workspace.submit(user, modal(house, user).id, values)
    assert sent.ok, sent.errors
    return await card(house, "Waiting for approval", "Keep it longer")


@pytest.mark.seeded
async def test_access_goes_on_when_an_approver_agrees(any_house: House) -> None:
    house = any_house
    active = await held(house)
    await house.advance(13 * MINUTE)
    warning = await own_card(house, seed.ROSA, "*Ends soon:*", button="extend")
    assert "extend it" in text_of(warning)
    asked = await longer(house, active, 30)
    assert {"approve", "deny"} <= set(actions_of(asked))
    assert "one more look" in text_of(asked)
    assert "Longer by* 30 min" in " ".join(text_of(asked).split())
    waits = await says(house, active, f"More time is asked for, with request `{request_of(asked)}`")
    assert "Extended by" not in text_of(waits)
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Approved: it ends later", "That moved its end to")
    assert "More time is asked for" not in text_of(await says(house, active, "has access now", "Extended by 30 min"))
    await own_card(house, seed.ROSA, "*Extended:* your request to keep")

    await house.advance(2 * MINUTE)  # when it would have ended
    await quiet(house)
    assert "has access now" in text_of(again(house, active))
    shows = await own_card(house, seed.ROSA, request_of(active), "What next", button="show_values")
    await press(house, seed.ROSA, shows, "show_values")
    assert "postgres://payments" in text_of(modal(house, seed.ROSA))
    warnings = len([m for m in house.workspace.dm(seed.ROSA) if "*Ends soon:*" in text_of(m)])
    await house.advance(21 * MINUTE)
    await house.workspace.wait_for(
        lambda: [m for m in house.workspace.dm(seed.ROSA) if "*Ends soon:*" in text_of(m)][warnings:]
    )
    await house.advance(9 * MINUTE)
    await says(house, active, "Ended by itself")


async def test_no_news_says_when_it_would_have_ended_without_the_extension(house: House) -> None:
    active = await held(house)
    began = await own_card(house, seed.ROSA, "*Active:* you may", button="extend")
    await house.advance(13 * MINUTE)
    warning = await own_card(house, seed.ROSA, "*Ends soon:*", button="extend")
    await press(house, seed.BEN, await longer(house, active, 30), "approve")
    for news in (began, warning):
        over = await says(house, news, "*Active* by now, until ")
        assert actions_of(over) == []


async def test_the_warning_names_the_request_for_more_time_that_waits(house: House) -> None:
    asked = await longer(house, await held(house), 30)
    await house.advance(13 * MINUTE)
    warning = await own_card(house, seed.ROSA, "*Ends soon:*")
    assert f"More time is asked for already, as request `{request_of(asked)}`" in text_of(warning)


async def test_how_much_longer_is_edited_within_what_the_rule_leaves(house: House) -> None:
    active = await held(house)
    asked = await longer(house, active, 30)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(asked), button="edit"), "edit")
    form = modal(house, seed.ROSA)
    assert "3 h 45 min more are possible" in text_of(form)
    sent = await house.workspace.submit(seed.ROSA, form.id, {"duration": {"duration": str(HOUR)}})
    assert sent.ok, sent.errors
    await says(house, asked, "Edited by <@U0ROSA>", "1 h")
    await press(house, seed.BEN, again(house, asked), "approve")
    await says(house, active, "Extended by 1 h")


@pytest.mark.seeded
async def test_a_membership_stays_where_it_is_while_its_end_moves(house: House) -> None:
    active = await held(house, "access role:database-admin")
    asked = await longer(house, active, 30)
    await press(house, seed.BEN, asked, "approve")
    await says(house, active, "Extended by 30 min")
    await house.advance(15 * MINUTE)
    await quiet(house)
    assert house.directory.members(seed.ROLE_GROUP) == ["rosa@example.com"]
    assert "has access now" in text_of(again(house, active))
    await house.advance(30 * MINUTE)
    await says(house, active, "Ended by itself", "no longer a member")
    assert house.directory.members(seed.ROLE_GROUP) == []


async def test_more_time_that_nobody_decides_lapses_with_what_it_would_extend(house: House) -> None:
    active = await held(house)
    asked = await longer(house, active, 30)
    stale = seen(asked)
    await house.advance(15 * MINUTE)
    await says(house, active, "Ended by itself")
    await says(house, asked, "Expired")
    sentence = await after(house, seed.BEN, late(house, seed.BEN, stale, "approve"))
    assert sentence == "This expired before it was decided."
    assert "Ended by itself" in text_of(again(house, active))


async def test_who_gives_it_back_takes_the_question_for_more_with_them(house: House) -> None:
    active = await held(house)
    asked = await longer(house, active, 30)
    own = await own_card(house, seed.ROSA, request_of(active), "What next", button="end")
    await press(house, seed.ROSA, own, "end")
    await says(house, asked, "Expired", "What it would have extended ended")
    assert actions_of(again(house, asked)) == []


async def test_an_approver_adds_less_than_was_asked(house: House) -> None:
    active = await held(house)
    asked = await longer(house, active, 30)
    less = f"approve_less|{asked.blocks[-1]['elements'][0]['value']}"
    await press(house, seed.BEN, asked, "more", value=less)
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"duration": {"duration": str(5 * MINUTE)}})
    await says(house, asked, "5 min (30 min asked)")
    await says(house, active, "Extended by 5 min")
    await house.advance(20 * MINUTE)
    await says(house, active, "Ended by itself")


async def test_one_question_for_more_time_at_once_and_none_beyond_the_rule(house: House) -> None:
    active = await held(house)
    own = await own_card(house, seed.ROSA, request_of(active), "What next", button="extend")
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "extend for 9h because more")
    form = modal(house, seed.ROSA)
    assert "You wanted 9 h. 3 h 45 min more are possible" in text_of(form)
    assert (await house.workspace.submit(seed.ROSA, form.id, {"duration": {"duration": str(HOUR)}})).ok
    asked = await card(house, "Waiting for approval", "Keep it longer")
    await press(house, seed.ROSA, again(house, own), "extend")
    await own_card(house, seed.ROSA, f"More time was asked for already, as request {request_of(asked)}.")
    await press(house, seed.ROSA, asked, "approve")
    await told(house, seed.ROSA, "You cannot review your own request.")
    other = await command(house, seed.OMAR, f"extend {request_of(active)} for 1h because mine")
    assert "or it is not yours to extend" in other


async def test_nobody_breaks_the_glass_for_more_time_and_what_it_gave_is_extended_by_approvers(
    open_house: OpenHouse,
) -> None:
    house = await open_house()
    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    await press(house, seed.OMAR, asked, "break_glass")
    sent = await house.workspace.submit(seed.OMAR, modal(house, seed.OMAR).id, {"reason": {"reason": "fire"}})
    assert sent.ok
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
    active = await says(house, asked, "has access now")
    more = await longer(house, active, 30)
    assert "break_glass" not in actions_of(more)
    await press(house, seed.INES, more, "approve")
    await says(house, active, "Extended by 30 min")


@pytest.mark.seeded
async def test_of_two_grants_of_one_membership_the_extended_one_keeps_it(house: House) -> None:
    """Both would end at the same time: one does, and the person stays a member by the other until that ends too."""
    first = await held(house, "access role:database-admin")
    second = await held(house, "access role:database-admin")
    own = await own_card(house, seed.ROSA, f"{request_of(second)}` · asked", "What next", button="extend")
    await press(house, seed.ROSA, own, "extend")
    assert (await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {"reason": {"reason": "more"}})).ok
    more = await card(house, "Waiting for approval", "Keep it longer", request_of(second))
    await press(house, seed.BEN, more, "approve")
    await says(house, second, "Extended by 30 min")
    await house.advance(15 * MINUTE)
    await says(house, first, "Ended by itself", f"Still a member because of request {request_of(second)}.")
    await quiet(house)
    assert house.directory.members(seed.ROLE_GROUP) == ["rosa@example.com"]
    await house.advance(30 * MINUTE)
    await says(house, second, "Ended by itself", "no longer a member")
    assert house.directory.members(seed.ROLE_GROUP) == []


async def test_nobody_opens_the_form_for_more_of_what_somebody_else_holds(house: House) -> None:
    active = await held(house)
    own = await own_card(house, seed.ROSA, request_of(active), "What next", button="extend")
    sentence = f"There is no request {request_of(active)} here, or it is not yours to extend."
    for user in (seed.OMAR, seed.BEN, seed.ANA):
        await late(house, user, own, "extend")
        assert house.workspace.modals(user) == []
        assert sentence in await command(house, user, f"extend {request_of(active)} for 1h because x")
        assert house.workspace.modals(user) == []
