"""Opening an environment: ask, decide, activate, read, end."""

import pytest

from playground import seed
from playground.house import House
from playground.slack.elements import find
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.policy import HOUR, MINUTE
from store.redis.cards import Card, Cards
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    approved,
    ask,
    audited,
    card,
    command,
    end_now,
    ephemerals,
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

ASKED = "open payments/prod for 15m because INC-7 payments fail"


async def asked_for(house: House, words: str = ASKED, user: str = seed.ROSA) -> Message:
    assert (await ask(house, user, words)).ok
    return await card(house, "Waiting for approval")


async def active_for(house: House, user: str, target: str = "payments/prod") -> Message:
    """Asked, approved and activated: the holder's own card."""
    request = request_of(await asked_for(house, f"open {target} for 15m because INC-7", user))
    await approved(house, await card(house, request), seed.BEN)
    await press(house, user, await own_card(house, user, request, button="activate"), "activate")
    await card(house, request, "has access now")
    return await own_card(house, user, request, "What next", button="show_values")


@pytest.mark.seeded
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


async def test_nothing_that_comes_of_an_act_waits_for_a_tick(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.clock.RELAY_S", 3_600.0)
    house = await open_house()
    active = await active_for(house, seed.ROSA)
    await press(house, seed.ROSA, active, "end")
    await says(house, active, "Ended")


async def test_an_approval_waits_for_its_first_use_and_no_longer(house: House) -> None:
    await ask(house, seed.ROSA, ASKED)
    asked = await card(house, "Waiting for approval")
    await press(house, seed.BEN, asked, "approve")
    activate = await own_card(house, seed.ROSA, button="activate")
    await house.advance(HOUR)
    await press(house, seed.ROSA, activate, "activate")
    await says(house, asked, "Expired")
    await own_card(house, seed.ROSA, "This expired before it was used")


async def test_nobody_approves_their_own_request(house: House) -> None:
    await ask(house, seed.ROSA, ASKED)
    asked = await card(house, "Waiting for approval")
    await press(house, seed.ROSA, asked, "approve")
    await told(house, seed.ROSA, "You cannot review your own request.")
    assert "0 of 1 approval" in text_of(again(house, asked))


# -- who decides -----------------------------------------------------------------------------------------------------


async def test_two_places_are_filled_by_two_people_and_one_person_is_one_vote(open_house: OpenHouse) -> None:
    house = await open_house(policies=rules.policies(rules.opening(rules.TWO_LEADS)))
    asked = await asked_for(house)
    assert await after(house, seed.BEN, press(house, seed.BEN, asked, "approve")) == "Your vote counts."
    await says(house, asked, "1 of 2 approvals", "<@U0BEN> approved")
    await after(house, seed.BEN, press(house, seed.BEN, again(house, asked), "approve"))
    assert "1 of 2 approvals" in text_of(await says(house, asked, "Waiting for approval"))
    await press(house, seed.INES, again(house, asked), "approve")
    await says(house, asked, "Approved by <@U0BEN> and <@U0INES>")
    assert house.workspace.troubles == []


async def test_the_last_vote_of_a_person_is_the_one_that_counts(open_house: OpenHouse) -> None:
    house = await open_house(policies=rules.policies(rules.opening(rules.TWO_LEADS, "denials: 2")))
    asked = await asked_for(house)
    await deny(house, seed.BEN, asked, "not now")
    await says(house, asked, "<@U0BEN> denied", "1 of 2 denials")
    await press(house, seed.BEN, again(house, asked), "approve")
    now = await says(house, asked, "<@U0BEN> approved", "1 of 2 approvals")
    assert "denied" not in text_of(now)
    assert house.workspace.troubles == []


async def deny(house: House, user: str, message: Message, reason: str) -> None:
    await press(house, user, message, "deny")
    sent = await house.workspace.submit(user, modal(house, user).id, {"reason": {"reason": reason}})
    assert sent.ok


async def test_who_denies_says_why_and_the_requester_reads_it(any_house: House) -> None:
    house = any_house
    asked = await asked_for(house)
    await press(house, seed.BEN, asked, "deny")
    empty = await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "  "}})
    assert empty.errors == {"reason": "Say why, in a few words."}
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "Use staging <first>"}})
    await says(house, asked, "Denied by <@U0BEN>", "Use staging <first>")
    await own_card(house, seed.ROSA, "*Denied:* your request", "Use staging <first>")
    assert actions_of(again(house, asked)) == []


async def test_the_requester_withdraws_and_nobody_decides_any_more(house: House) -> None:
    asked = await asked_for(house)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="withdraw"), "withdraw")
    assert actions_of(await says(house, asked, "Withdrawn by <@U0ROSA>")) == []


async def test_a_request_that_nobody_decides_expires(house: House) -> None:
    asked = await asked_for(house)
    await house.advance(8 * HOUR)
    assert actions_of(await says(house, asked, "Expired without a decision")) == []
    await own_card(house, seed.ROSA, "*Expired:* your request", "Nobody decided in time")


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("U0GIL", "You are a guest in this workspace."),
        ("U0SAM", "You are from another workspace."),
        ("U0DORA", "You are deactivated in Slack."),
        ("U0ROBO", "You are not a person."),
        (seed.OMAR, "The rule “open production” does not name you as an approver."),
        (seed.ANA, "The rule “open production” does not name you as an approver."),
    ],
)
async def test_who_may_not_decide_is_told_why_and_it_is_audited(
    open_house: OpenHouse, user: str, sentence: str
) -> None:
    """Guest, stranger, deactivated and bot stand in the very group that may decide."""
    named = "approvals: [{count: 1, from: {groups: [payments-leads], users: [U0GIL, U0SAM, U0DORA, U0ROBO]}}]"
    house = await open_house(policies=rules.policies(rules.opening(named)))
    house.workspace.channels[seed.APPROVALS].members = set(house.workspace.people)
    asked = await asked_for(house)
    await late(house, user, asked, "approve")
    await house.workspace.wait_for(lambda: sentence in sentences_sent(house, user))
    assert "0 of 1 approval" in text_of(again(house, asked))
    assert (await audited(house, "attempt.refused", user))["command"] == "approve"
    assert house.workspace.troubles == []


def sentences_sent(house: House, user: str) -> list[str]:
    """Tried, at least: Slack shows nothing to somebody who cannot sign in."""
    return [
        str(call.args["text"])
        for call in house.workspace.calls
        if call.method == "chat.postEphemeral" and call.args["user"] == user
    ]


async def test_a_request_that_nobody_could_approve_is_not_taken_in(open_house: OpenHouse) -> None:
    itself = "approvals: [{count: 1, from: {users: [rosa@example.com]}}]"
    house = await open_house(policies=rules.policies(rules.opening(itself)))
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request {ASKED}")
    assert "Nobody could approve this but you." in text_of(modal(house, seed.ROSA))
    assert not modal(house, seed.ROSA).payload.get("submit")


async def test_who_is_not_among_the_requesters_is_told_before_they_ask(house: House) -> None:
    await house.workspace.slash(seed.BEN, seed.APPROVALS, "/countersign", f"request {ASKED}")
    assert "does not name you among those who may ask" in text_of(modal(house, seed.BEN))


# -- too late --------------------------------------------------------------------------------------------------------

LATE = {
    "denied": "This was denied.",
    "withdrawn": "This was withdrawn by the person who asked.",
    "expired": "This expired before it was decided.",
    "approved": "This was approved already.",
    "active": "This is active already.",
    "ended": "This has ended.",
}


async def brought_to(house: House, state: str, asked: Message) -> None:
    if state == "denied":
        await deny(house, seed.BEN, asked, "no")
        return
    if state == "withdrawn":
        await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="withdraw"), "withdraw")
        return
    if state == "expired":
        await house.advance(8 * HOUR)
        return
    await approved(house, asked, seed.BEN)
    if state != "approved":
        await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
        await says(house, asked, "has access now")
    if state == "ended":
        await end_now(house, seed.BEN, again(house, asked))


SHOWN = {
    "denied": "Denied by",
    "withdrawn": "Withdrawn by",
    "expired": "Expired without",
    "approved": "not activated it yet",
    "active": "has access now",
    "ended": "Ended by <@U0BEN>",
}


@pytest.mark.parametrize("state", LATE)
async def test_a_late_click_is_answered_with_the_truth_and_the_card_is_drawn_again(house: House, state: str) -> None:
    asked = await asked_for(house)
    stale = seen(asked)
    await press(house, seed.INES, asked, "deny")  # and her form lies open
    await brought_to(house, state, asked)
    true = seen(await says(house, asked, SHOWN[state]))
    again(house, asked).blocks = stale.blocks  # as if the update had been lost
    await late(house, seed.INES, stale, "approve")
    await told(house, seed.INES, LATE[state])
    await house.workspace.wait_for(lambda: actions_of(again(house, asked)) == actions_of(true))

    for user, action in ((seed.INES, "deny"), (seed.OMAR, "break_glass")):
        assert LATE[state] in await after(house, user, late(house, user, stale, action))
    assert house.workspace.modals(seed.OMAR) == []
    assert len(house.workspace.modals(seed.INES)) == 1
    await house.workspace.submit(seed.INES, modal(house, seed.INES).id, {"reason": {"reason": "too late"}})
    assert LATE[state] in text_of(modal(house, seed.INES))


# -- using it --------------------------------------------------------------------------------------------------------


async def test_who_is_done_says_so_and_reads_nothing_more(house: House) -> None:
    active = await active_for(house, seed.ROSA)
    shown = seen(active)
    await press(house, seed.ROSA, active, "end")
    await says(house, await card(house, request_of(active)), "Ended by <@U0ROSA>")
    await late(house, seed.ROSA, shown, "show_values")
    await own_card(house, seed.ROSA, "This access is over.")
    assert house.workspace.modals(seed.ROSA) == []


@pytest.mark.parametrize("user", [seed.BEN, seed.ANA], ids=["an approver", "the owner"])
async def test_access_is_ended_at_once_by(house: House, user: str) -> None:
    active = await active_for(house, seed.ROSA)
    asked = await card(house, request_of(active))
    assert (await end_now(house, user, asked)).ok
    await says(house, asked, f"Ended by <@{user}>")
    await own_card(house, seed.ROSA, "*Ended:*", f"<@{user}>")


async def test_a_colleague_cannot_end_it_and_is_told_who_can(house: House) -> None:
    asked = await card(house, request_of(await active_for(house, seed.ROSA)))
    await end_now(house, seed.OMAR, asked, "I say so")
    sentence = "Only the person who has it, an approver or an owner can end this."
    assert sentence in text_of(modal(house, seed.OMAR))
    assert sentence in await command(house, seed.OMAR, f"end {request_of(asked)} because I say so")
    assert "has access now" in text_of(again(house, asked))


async def test_it_is_ended_by_a_command_that_says_why(house: House) -> None:
    asked = await card(house, request_of(await active_for(house, seed.ROSA)))
    assert "Ended." in await command(house, seed.BEN, f"end {request_of(asked)} because INC-7 is over")
    await says(house, asked, "Ended by <@U0BEN>", "INC-7 is over")
    await own_card(house, seed.ROSA, "*Ended:*", "<@U0BEN>", "INC-7 is over")


async def test_nobody_starts_the_time_of_somebody_else(house: House) -> None:
    asked = await asked_for(house)
    await approved(house, asked, seed.BEN)
    activate = seen(await own_card(house, seed.ROSA, "Activate it when you are ready", button="activate"))
    for user in (seed.OMAR, seed.BEN, seed.ANA):
        await late(house, user, activate, "activate")
        await own_card(house, user, "Only the person it was approved for can activate it.")
    assert "not activated it yet" in text_of(again(house, asked))


async def test_an_approver_gives_less_time_than_was_asked(house: House) -> None:
    asked = await asked_for(house)
    less = next(option for option in options_of(asked) if option.startswith("approve_less"))
    await press(house, seed.BEN, asked, "more", value=less)
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"duration": {"duration": str(5 * MINUTE)}})
    await says(house, asked, "5 min (15 min asked)", "<@U0BEN> approved (5 min at most)")
    activate = await own_card(house, seed.ROSA, "Activate for 5 min", button="activate")
    await press(house, seed.ROSA, activate, "activate")
    await says(house, asked, "has access now")
    await house.advance(5 * MINUTE)
    await says(house, asked, "Ended by itself")


def options_of(message: Message) -> list[str]:
    menus = [element for block in message.blocks for element in block.get("elements", []) if "options" in element]
    return [option["value"] for menu in menus for option in menu["options"]]


async def test_whoever_wonders_is_told_who_decides_and_why(house: House) -> None:
    asked = await asked_for(house)
    why = next(option for option in options_of(asked) if option.startswith("why"))
    await press(house, seed.BEN, asked, "more", value=why)
    shown = text_of(modal(house, seed.BEN))
    assert "1 of <!subteam^S0LEADS>" in shown
    assert "*Not counted:* <@U0ROSA>" in shown
    assert "*Breaking the glass:* <@U0OMAR>" in shown

    def named() -> list[str]:
        said = text_of(modal(house, seed.BEN))
        return [said] if "Could now: " in said else []

    assert "You may decide this." in (await house.workspace.wait_for(named))[0]


@pytest.mark.parametrize("choice", ["why", "details", "approve_less"])
async def test_a_menu_shows_a_request_to_whom_it_concerns_or_where_its_card_stands(house: House, choice: str) -> None:
    asked = await asked_for(house)
    menu = find(asked.blocks, "more")[1]
    value = f"{choice}|{menu['options'][0]['value'].partition('|')[2]}"
    shown = seen(asked)
    find(shown.blocks, "more")[1]["options"] = [{**menu["options"][0], "value": value}]
    elsewhere = seen(shown)
    elsewhere.channel = house.workspace.im(seed.OMAR).id
    sentence = f"There is no request {request_of(asked)} here, or it is not yours to see."
    requests = house.app.requests
    cards = Cards(house.app.redis, requests._keys, requests._scripts)
    await cards.keep(request_of(asked), Card("copy/by a click", elsewhere.channel, elsewhere.ts))
    for times in (1, 2):  # a message that turned up by a click is no card either
        await late(house, seed.OMAR, elsewhere, "more", value=value)
        await own_card(house, seed.OMAR, sentence)
        await quiet(house)
        assert len([each for each in house.workspace.dm(seed.OMAR) if sentence in text_of(each)]) == times
    assert house.workspace.modals(seed.OMAR) == []
    for user, where in ((seed.OMAR, shown), (seed.ANA, elsewhere)):
        await late(house, user, where, "more", value=value)
        assert len(house.workspace.modals(user)) == 1


@pytest.mark.parametrize("action", ["end_now", "dispute"])
async def test_a_form_says_what_a_request_is_about_only_to_whom_it_concerns_or_where_its_card_stands(
    house: House, action: str
) -> None:
    await active_for(house, seed.ROSA)
    active = await card(house, "has access now")
    made_up = seen(active)
    find(made_up.blocks, "end_now")[1]["action_id"] = action
    elsewhere = seen(made_up)
    elsewhere.channel = house.workspace.im(seed.OMAR).id
    await late(house, seed.OMAR, elsewhere, action)
    await own_card(house, seed.OMAR, f"There is no request {request_of(active)} here, or it is not yours to see.")
    assert house.workspace.modals(seed.OMAR) == []
    for user, where in ((seed.OMAR, made_up), (seed.ANA, elsewhere)):
        await late(house, user, where, action)
        if action == "end_now":
            assert len(house.workspace.modals(user)) == 1
        else:
            await answered(house, user, "Nobody broke a glass here.")


async def answered(house: House, user: str, sentence: str) -> None:
    def there() -> bool:
        return sentence in " ".join([*ephemerals(house, user), *map(text_of, house.workspace.dm(user))])

    await house.workspace.wait_for(there)


async def test_what_is_over_is_not_ended_once_more(house: House) -> None:
    await active_for(house, seed.ROSA)
    active = await card(house, "has access now")
    stale = seen(active)
    await end_now(house, seed.BEN, active, "It is over")
    await says(house, active, "Ended by <@U0BEN>")
    assert "This has ended." in await after(house, seed.INES, late(house, seed.INES, stale, "end_now"))
    assert house.workspace.modals(seed.INES) == []


async def test_a_message_that_is_no_card_is_not_drawn_over_with_one(house: House) -> None:
    """Or a click that was made up would bring a card into any conversation."""
    asked = await asked_for(house)
    await house.workspace.slash(seed.OMAR, house.workspace.im(seed.OMAR).id, "/countersign", "help")
    mine = await own_card(house, seed.OMAR, "/countersign")
    forged_card = seen(asked)
    forged_card.channel, forged_card.ts = mine.channel, mine.ts
    await late(house, seed.OMAR, forged_card, "approve")
    await own_card(house, seed.OMAR, "does not name you as an approver")
    await house.app.replies.drain(5)
    house.app.clock.nudge()
    await quiet(house)
    assert request_of(asked) not in text_of(again(house, mine))


@pytest.mark.seeded
async def test_only_the_holder_reads_the_values(house: House) -> None:
    active = await active_for(house, seed.ROSA)
    for user in (seed.OMAR, seed.BEN, seed.ANA):
        await late(house, user, active, "show_values")
        await own_card(house, user, "Only the person this was approved for can read the values.")
        assert house.workspace.modals(user) == []
    await press(house, seed.ROSA, active, "show_values")
    assert "sk_live_playground_51Hxyz" in text_of(modal(house, seed.ROSA))


async def test_values_are_not_read_before_it_is_activated_nor_after_its_end(house: House) -> None:
    active = seen(await active_for(house, seed.ROSA))
    await house.advance(15 * MINUTE)
    await late(house, seed.ROSA, active, "show_values")
    await own_card(house, seed.ROSA, "This access is over.")
    await house.workspace.wait_for(lambda: "Ended" in text_of(again(house, active)))

    asked = await asked_for(house, "open payments/prod for 15m because again")
    await approved(house, asked, seed.BEN)
    other = seen(active)
    old, new = request_reference(active), request_reference(await own_card(house, seed.ROSA, button="activate"))
    for block in other.blocks:
        for element in block.get("elements", []):
            if element.get("value") == old:
                element["value"] = new
    await late(house, seed.ROSA, other, "show_values")
    await own_card(house, seed.ROSA, "Activate it first.")
    assert house.workspace.modals(seed.ROSA) == []


@pytest.mark.seeded
async def test_what_an_older_program_gave_is_held_on(house: House) -> None:
    """It wrote the same bodies, without the fields beside them that scripts read by since."""
    active = await active_for(house, seed.ROSA)
    redis, prefix = house.app.redis, house.app.audit._keys
    environment = await house.app.environments.ensure("payments/prod")
    await redis.hdel(prefix.environment("payments/prod"), "id")
    await redis.hdel(prefix.head(environment.id), "number", "mac")
    await redis.hdel(prefix.request(request_of(active)), "target")
    await house.move_in()
    await press(house, seed.ROSA, active, "show_values")
    assert "sk_live_playground_51Hxyz" in text_of(modal(house, seed.ROSA))


def request_reference(message: Message) -> str:
    buttons = [element for block in message.blocks for element in block.get("elements", []) if "value" in element]
    return str(buttons[0]["value"])


async def test_a_target_that_keeps_values_out_of_slack_says_so(open_house: OpenHouse) -> None:
    house = await open_house(
        policies=rules.policies(rules.opening(), targets=("payments/prod: {channel: C0APPROVALS}",))
    )
    asked = await asked_for(house)
    await approved(house, asked, seed.BEN)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
    active = await own_card(house, seed.ROSA, "does not show its values in Slack", button="end")
    assert "show_values" not in actions_of(active)

    forged = seen(active)
    button = next(element for block in forged.blocks for element in block.get("elements", []) if "action_id" in element)
    button["action_id"] = "show_values"
    await late(house, seed.ROSA, forged, "show_values")
    await own_card(house, seed.ROSA, "does not show its values in Slack", "An owner of the policies can allow it")
    assert house.workspace.modals(seed.ROSA) == []
    assert house.workspace.troubles == []


async def test_news_that_is_overtaken_while_it_is_posted_offers_nothing_any_more(house: House) -> None:
    asked = await asked_for(house)
    card_of_hers = await own_card(house, seed.ROSA, "Waiting for approval")
    house.workspace.faults.delay("chat.postMessage", 0.5)  # it is there, and we hear of it late
    await press(house, seed.BEN, asked, "approve")
    news = await own_card(house, seed.ROSA, "*Approved:* your request", button="activate")
    await press(house, seed.ROSA, await says(house, card_of_hers, "Activate it when you are ready"), "activate")
    await says(house, card_of_hers, "You have it until")
    assert "activate" not in actions_of(await says(house, news, "by now"))


async def test_who_holds_two_things_is_asked_which_one_is_done(house: House) -> None:
    prod = request_of(await active_for(house, seed.ROSA))
    staging = request_of(await active_for(house, seed.ROSA, "payments/staging"))
    assert "Say which one: /countersign done ID" in await command(house, seed.ROSA, "done")
    assert "Ended." in await command(house, seed.ROSA, f"done {staging}")
    await card(house, "Ended by <@U0ROSA>", staging)
    assert "has access now" in text_of(await card(house, prod))
    await command(house, seed.ROSA, "done")
    await card(house, "Ended by <@U0ROSA>", prod)
    assert "You hold nothing now." in await command(house, seed.ROSA, "done")
