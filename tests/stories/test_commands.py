"""`/countersign …`, the shortcuts, and the forms they open."""

import random
from typing import Final

import pytest

from bot.slack import grammar
from playground import seed
from playground.house import House
from playground.slack.elements import state_values
from playground.slack.sight import actions_of, text_of
from store.model.policy import HOUR, MINUTE
from tests.stories.people import (
    after,
    approved,
    ask,
    asks,
    card,
    command,
    ephemerals,
    form,
    late,
    modal,
    own_card,
    press,
    quiet,
    request_of,
    says,
)

TYPED: Final = (
    ("", "How to use /countersign."),
    ("help", "How to use /countersign."),
    ("HELP", "How to use /countersign."),
    ("aprove", "“aprove” is not a word I know."),
    ("pendign", "Did you mean /countersign pending?"),
    ("request opne payments/prod", "Did you mean /countersign request open?"),
    ("request open payments/prod for ever", "After “for” stands a duration."),
    ("request open payments/prod now", "“now” is one word too many."),
    ("request change payments/prod for 2h", "A change has no duration"),
    ("request open payments/nowhere", "There is no target payments/nowhere here."),
    ("request open payments/prd", "There is no target payments/prd here. Did you mean payments/prod?"),
    ("request open prod", "Did you mean payments/prod? “prod” is not a target."),
    ("request open payments/prod 2h", "Did you mean /countersign request open payments/prod for 2h?"),
    ("open payments/prod for 2", "Did you mean 2h?"),
    ("approve", "“approve” is a button of the card"),
    ("audit", "Only owners read the audit log."),
    ("show", "Say which request: /countersign show ID."),
    ("show not-an-id", "is not a request id"),
    ("show 0000000000", "There is no request 0000000000 here, or it is not yours to see."),
    ("cancel 0000000000", "There is no request 0000000000 here, or it is not yours to see."),
    ("pending", "Nothing waits for your decision."),
    ("mine", "You have asked for nothing yet."),
    ("done", "You hold nothing now."),
)


async def test_whatever_is_typed_is_answered_with_a_sentence(house: House) -> None:
    answers = [await command(house, seed.OMAR, typed) for typed, _ in TYPED]
    wrong = [typed for (typed, expected), answer in zip(TYPED, answers, strict=True) if expected not in answer]
    assert wrong == []
    assert house.workspace.modals(seed.OMAR) == []


async def test_what_waits_what_is_mine_and_why(any_house: House) -> None:
    house = any_house
    assert (await ask(house, seed.ROSA, "open payments/prod for 15m because INC-7")).ok
    request = request_of(await card(house, "Waiting for approval"))
    waiting = await command(house, seed.BEN, "pending")
    assert f"/countersign show {request}" in waiting
    assert "0 of 1 approval" in waiting
    assert f"/countersign show {request}" in await command(house, seed.ROSA, "mine")
    assert "Nothing waits for your decision." in await command(house, seed.ROSA, "pending")

    assert "You may decide this." in await command(house, seed.BEN, f"why {request}")
    assert "You cannot review your own request." in await command(house, seed.ROSA, f"why {request}")
    for user in (seed.BEN, seed.ANA, seed.ROSA):
        assert "INC-7" in await command(house, user, f"show {request.lower()}")
    nobody = f"There is no request {request} here, or it is not yours to see."
    assert nobody in await command(house, seed.OMAR, f"show {request}")
    assert nobody in await command(house, seed.OMAR, f"why {request}")

    refused = await command(house, seed.OMAR, f"cancel {request}")
    assert "Only the person who asked can withdraw this." in refused
    assert "Withdrawn." in await command(house, seed.ROSA, f"cancel {request}")
    await card(house, "Withdrawn by <@U0ROSA>", request)
    assert "Nothing waits for your decision." in await command(house, seed.BEN, "pending")


async def test_the_card_that_a_command_shows_can_be_used(house: House) -> None:
    assert (await ask(house, seed.ROSA, "open payments/prod for 15m because INC-7")).ok
    asked = await card(house, "Waiting for approval")
    await command(house, seed.BEN, f"show {request_of(asked)}")
    shown = house.workspace.ephemerals(seed.BEN)[-1]
    assert "approve" in actions_of(shown)
    await press(house, seed.BEN, shown, "approve")
    await says(house, asked, "Approved by <@U0BEN>")

    sentence = await after(house, seed.BEN, late(house, seed.BEN, shown, "approve"))
    assert sentence == "This was approved already."
    await command(house, seed.ROSA, f"show {request_of(asked)}")
    await press(house, seed.ROSA, house.workspace.ephemerals(seed.ROSA)[-1], "activate")
    await says(house, asked, "has access now")


# -- forms -----------------------------------------------------------------------------------------------------------


async def test_half_a_line_opens_a_form_that_holds_it(house: House) -> None:
    await house.workspace.slash(
        seed.ROSA, seed.APPROVALS, "/countersign", "request open because <!channel> & friends of @ben"
    )
    opened = modal(house, seed.ROSA)
    state = values_of(house, seed.ROSA)
    assert state["target"] is None
    assert state["reason"] == "!channel & friends of @ben"
    assert "Choose first" in text_of(opened)

    assert ephemerals(house, seed.ROSA) == []
    empty = await house.workspace.submit(seed.ROSA, opened.id)
    assert empty.errors == {"target": "Please complete this required field."}


async def test_half_a_line_that_does_not_say_what_to_do_opens_the_form_that_fits(house: House) -> None:
    for words, title, target in (
        ("request", "Open an environment", None),
        ("payments/staging because INC-7", "Open an environment", "payments/staging"),
        ("request role:database-admin for 30m", "Request access", "role:database-admin"),
    ):
        await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", words)
        opened = modal(house, seed.ROSA)
        assert title in text_of(opened)
        assert values_of(house, seed.ROSA)["target"] == target
        await house.workspace.close(seed.ROSA, opened.id)
    await house.workspace.slash(seed.ANA, seed.APPROVALS, "/countersign", "request countersign/connectors")
    assert "Change secrets" in text_of(modal(house, seed.ANA))  # nothing else may be asked for there


async def test_no_line_is_met_with_silence(house: House) -> None:
    """Whatever is typed opens a form or is answered, and nothing fails."""
    pieces = [*grammar._WORDS, "open", "for", "because", "2h", "2", "payments/prod", "payments/nowhere", "role:database-admin", "zz", "<@U0BEN>", "<", "|", "🔥", "\u202e", "0000000000", "&amp;", "#", ":", "/"]  # fmt: skip
    drawn = random.Random(7)  # noqa: S311 - lines, no secrets
    lines = [" ".join(drawn.choices(pieces, k=drawn.randint(1, 5))) for _ in range(80)]
    silent = []
    for line in lines:
        before = len(ephemerals(house, seed.ROSA))
        sent = await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", line)
        if opened := house.workspace.modals(seed.ROSA):
            await house.workspace.close(seed.ROSA, opened[-1].id)
        else:
            await house.app.replies.drain(5)
            if len(ephemerals(house, seed.ROSA)) == before or not sent.acked:
                silent.append(line)
    assert silent == []
    assert not [text for text in ephemerals(house, seed.ROSA) if "Something went wrong" in text]


@pytest.mark.seeded
async def test_owners_read_what_was_done_and_of_one_request(house: House) -> None:
    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    await command(house, seed.OMAR, f"cancel {request_of(asked)}")
    said = await command(house, seed.ANA, f"audit {request_of(asked).lower()}")
    for line in (
        f"The newest entries of the audit log of request {request_of(asked)}",
        "request submitted",
        "attempt refused",
    ):
        assert line in said
    assert "environment created" not in said
    everything = await command(house, seed.ANA, "audit")
    assert "request submitted" in everything
    assert "There are more" in everything
    assert "Only owners read the audit log." in await command(house, seed.BEN, f"audit {request_of(asked)}")


def values_of(house: House, user: str) -> dict[str, str | None]:
    """What the form on top holds, by action id."""
    view = modal(house, user)
    found: dict[str, str | None] = {}
    for fields in state_values(view.blocks, view.values).values():
        for action, held in fields.items():
            option = held.get("selected_option")
            found[action] = option["value"] if option else held.get("selected_user", held.get("value"))
    return found


async def test_choosing_another_target_keeps_what_was_typed(house: House) -> None:
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request open because INC-7 it burns")
    view = modal(house, seed.ROSA).id
    await house.workspace.view_action(seed.ROSA, view, "target", value="payments/prod")
    await form(house, seed.ROSA, "Who is asked", "“open production” decides")
    assert values_of(house, seed.ROSA)["reason"] == "INC-7 it burns"
    assert values_of(house, seed.ROSA)["duration"] == str(15 * MINUTE)

    typed = {"reason": {"reason": "INC-8 it burns more"}, "whom": {"whom": seed.OMAR}}
    await house.workspace.view_action(seed.ROSA, view, "target", value="payments/staging", values=typed)
    await form(house, seed.ROSA, "“staging” decides")
    assert values_of(house, seed.ROSA) == {
        "kind": "open",
        "target": "payments/staging",
        "duration": str(HOUR),
        "reason": "INC-8 it burns more",
        "whom": seed.OMAR,
    }
    assert (await house.workspace.submit(seed.ROSA, view)).ok
    await card(house, "payments/staging", "INC-8 it burns more", "1 h", "<@U0OMAR>")


async def test_a_time_that_was_asked_for_stays_with_another_target(house: House) -> None:
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request open payments/prod for 2h")
    view = modal(house, seed.ROSA).id
    assert values_of(house, seed.ROSA)["duration"] == str(2 * HOUR)
    await house.workspace.view_action(seed.ROSA, view, "target", value="payments/staging")
    await form(house, seed.ROSA, "“staging” decides")
    assert values_of(house, seed.ROSA)["duration"] == str(2 * HOUR)


async def test_more_time_than_there_is_becomes_the_most_and_the_form_says_so(house: House) -> None:
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request open payments/prod for 9h")
    assert values_of(house, seed.ROSA)["duration"] == str(4 * HOUR)
    assert "You wanted 9 h: 4 h is the most there is." in text_of(modal(house, seed.ROSA))


async def test_a_shortcut_opens_the_form_or_says_why_not(house: House) -> None:
    shortcuts = {"open_environment": "Open an", "request_access": "Request access", "change_secrets": "Change secrets"}
    for shortcut, title in shortcuts.items():
        await house.workspace.shortcut(seed.ROSA, shortcut)
        opened = modal(house, seed.ROSA)
        assert title in text_of(opened)
        await house.workspace.close(seed.ROSA, opened.id)
    for shortcut, verb in zip(shortcuts, ("open", "join", "change"), strict=True):
        await house.workspace.shortcut(seed.BEN, shortcut)
        await own_card(house, seed.BEN, f"There is nothing here that you may ask to {verb}.")


async def test_a_message_is_asked_about_with_a_link_to_it(house: House) -> None:
    said = await house.workspace.say(seed.BEN, seed.GENERAL, "Payments are down <!channel>")
    await house.workspace.message_shortcut(seed.ROSA, "ask_about", seed.GENERAL, said.ts)
    reason = values_of(house, seed.ROSA)["reason"]
    assert reason is not None
    assert reason.startswith("About http")
    assert said.ts.replace(".", "") in reason
    assert "down" not in reason
    view = modal(house, seed.ROSA).id
    await house.workspace.view_action(seed.ROSA, view, "target", value="payments/prod")
    await form(house, seed.ROSA, "“open production” decides")
    assert (await house.workspace.submit(seed.ROSA, view)).ok
    await card(house, "Waiting for approval", "About http", "payments/prod")


async def test_a_message_that_we_cannot_see_is_asked_about_without_a_link(house: House) -> None:
    said = await house.workspace.say(seed.ROSA, seed.GENERAL, "Payments are down")
    house.workspace.faults.error("chat.getPermalink", "channel_not_found")
    await house.workspace.message_shortcut(seed.ROSA, "ask_about", seed.GENERAL, said.ts)
    assert not values_of(house, seed.ROSA)["reason"]
    house.workspace.faults.clear()
    await house.workspace.message_shortcut(seed.ANA, "ask_about", seed.GENERAL, said.ts)
    assert "countersign/connectors" in text_of(modal(house, seed.ANA))
    await house.workspace.message_shortcut(seed.BEN, "ask_about", seed.GENERAL, said.ts)
    assert (
        "There is nothing here that you may ask for."
        in (await house.workspace.wait_for(lambda: ephemerals(house, seed.BEN)))[0]
    )


async def test_a_form_that_misses_a_reason_says_so_beside_the_field(house: House) -> None:
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request open payments/prod")
    opened = modal(house, seed.ROSA).id
    blank = await house.workspace.submit(seed.ROSA, opened, {"reason": {"reason": "   "}})
    assert blank.errors == {"reason": "Say why: the people who decide need a reason."}
    assert (await house.workspace.submit(seed.ROSA, opened, {"reason": {"reason": "INC-9"}})).ok
    await card(house, "INC-9")


async def test_what_one_person_typed_is_seen_by_them_only(house: House) -> None:
    await ask(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    asked = await card(house, "Waiting for approval")
    await command(house, seed.ROSA, "mine")
    await approved(house, asked, seed.BEN)
    await own_card(house, seed.ROSA, button="activate")
    assert ephemerals(house, seed.BEN) == []


async def test_before_asking_one_is_told_what_would_become_of_it_and_nobody_else_hears_of_it(house: House) -> None:
    await quiet(house)  # what the house moved in with is told
    before = len(house.workspace.messages(seed.APPROVALS))
    may = await command(house, seed.ROSA, "why open payments/prod for 2h")
    for line in ("You may ask to open payments/prod for 2 h.", "“open production” decides", "2 people could give it"):
        assert line in may
    assert {seed.BEN, seed.INES, seed.OMAR} <= mentioned(house, seed.ROSA)

    refused = await command(house, seed.BEN, "why open payments/prod for 9h")
    assert refused.startswith("Refused. The rule “open production” does not name you")
    assert "payments/prod can be had for 4 h at most, not for 9 h." in refused
    assert "Did you mean /countersign why open?" in await command(house, seed.ROSA, "why opne payments/prod")
    assert "Say which target too" in await command(house, seed.ROSA, "why open")
    assert "There is no target payments/nowhere here." in await command(house, seed.ROSA, "why open payments/nowhere")
    await quiet(house)
    assert len(house.workspace.messages(seed.APPROVALS)) == before


def mentioned(house: House, user: str) -> set[str]:
    """Whom the newest answer to this person calls by mention, in rich text."""
    lines = [line for block in house.workspace.ephemerals(user)[-1].blocks for line in block.get("elements", [])]
    return {piece["user_id"] for line in lines for piece in line.get("elements", []) if piece["type"] == "user"}


async def test_after_asking_why_names_who_could_still_decide_and_why_others_cannot(house: House) -> None:
    change = {"set:payments/prod": {"set": "A=1"}}
    asked = await asks(house, seed.ROSA, "change payments/prod because INC-7", change)
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2")
    house.workspace.set_kind(seed.INES, "deactivated")
    said = await command(house, seed.ROSA, f"why {request_of(asked)}")
    assert "who has approved it" in said
    assert "who is deactivated in Slack" in said


@pytest.mark.parametrize(
    ("user", "who"),
    [("U0GIL", "a guest in this workspace"), ("U0SAM", "from another workspace")],
    ids=["guest", "stranger"],
)
async def test_who_may_nothing_here_is_told_that_and_not_who_could_approve(house: House, user: str, who: str) -> None:
    where = house.workspace.im(user).id
    for words in ("why open payments/prod", "request open payments/prod"):
        await house.workspace.slash(user, where, "/countersign", words)
    said = text_of(await own_card(house, user, f"You are {who}."))
    shown = text_of(await form(house, user, f"You are {who}."))
    for each in (seed.BEN, seed.INES, "S0LEADS", "open production", seed.APPROVALS):
        assert each not in said
        assert each not in shown
