"""Editing: the same request asks something else, and nobody has agreed to it yet."""

from typing import Any

import pytest
from redis.asyncio import Redis

from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.identity import Target
from store.model.policy import MINUTE
from store.model.secret import Secret
from store.redis.environments import Value
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    approved,
    asks,
    audited,
    card,
    home,
    late,
    modal,
    own_card,
    press,
    request_of,
    says,
    seen,
)
from tests.stories.test_change import change, nothing_in_plain, values_in


async def edits(house: House, user: str, message: Message, *, button: str = "edit", **fields: str) -> None:
    """On the person's own card; a field is named by its action id."""
    mine = await own_card(house, user, request_of(message), button=button)
    await press(house, user, mine, button)
    view = modal(house, user)
    blocks = {
        block["element"]["action_id"]: block["block_id"] for block in view.payload["blocks"] if "element" in block
    }
    values = {blocks[name]: {name: value} for name, value in fields.items()}
    sent = await house.workspace.submit(user, view.id, values)
    assert sent.ok, sent.errors


@pytest.mark.seeded
async def test_an_edit_drops_the_votes_and_everybody_decides_what_is_asked_now(any_house: House) -> None:
    house = any_house
    asked = await change(house, lines="STRIPE_KEY=sk_live_2")
    await press(house, seed.BEN, asked, "approve")
    before = seen(await says(house, asked, "1 of 2 approvals"))

    await edits(house, seed.ROSA, asked, reason="INC-9 instead")
    now = await says(
        house, asked, "Edited by <@U0ROSA>", "earlier votes were dropped", "0 of 2 approvals", "INC-9 instead"
    )
    assert "INC-7" not in text_of(now)
    assert now.ts == asked.ts
    await own_card(house, seed.BEN, "*Edited:*", "Your vote was for what was asked before, so it was dropped.")
    assert (await audited(house, "request.edited", seed.ROSA))["dropped"] == seed.BEN

    for button in ("approve", "deny"):
        refused = await after(house, seed.INES, late(house, seed.INES, before, button))
        assert refused.startswith("This was edited since, and what you saw is not asked any more.")
    assert house.workspace.modals(seed.INES) == []
    assert "0 of 2 approvals" in text_of(again(house, asked))

    await press(house, seed.INES, again(house, asked), "approve")
    await says(house, asked, "1 of 2 approvals", "<@U0INES> approved")
    await press(house, seed.BEN, again(house, asked), "approve")
    await says(house, asked, "Merged as version 3")
    assert (await values_in(house))["STRIPE_KEY"] == "sk_live_2"


async def test_less_time_is_asked_for_under_the_same_request(any_house: House) -> None:
    house = any_house
    asked = await asks(house, seed.ROSA, "open payments/prod for 2h because INC-7")
    await edits(house, seed.ROSA, asked, duration=str(15 * MINUTE), reason="INC-7, a look is enough")
    now = await says(house, asked, "Edited by <@U0ROSA>", "15 min", "a look is enough")
    assert "earlier votes" not in text_of(now)
    await approved(house, now, seed.BEN)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(asked), button="activate"), "activate")
    await says(house, asked, "has access now")
    await house.advance(15 * MINUTE)
    await says(house, asked, "Ended by itself")


@pytest.mark.seeded
async def test_a_stale_change_is_asked_again_without_typing_its_values(any_house: House, real_redis: Redis) -> None:
    house = any_house
    first = await change(house, lines="STRIPE_KEY=sk_live_2\nA=1")
    second = await change(house, seed.OMAR, lines="STRIPE_KEY=sk_live_3\nB=1", reason="INC-8")
    await press(house, seed.INES, again(house, second), "approve")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, first), "approve")
    await says(house, second, "Out of date")
    await edits(house, seed.OMAR, second)
    await says(house, second, "Waiting for approval", "Edited by <@U0OMAR>", "STRIPE_KEY\n changed", "B\n new")
    payloads = [key async for key in real_redis.scan_iter(f"*payload:{request_of(second)}:*")]
    assert [key.decode().rpartition(":")[2] for key in payloads] == ["2"]

    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, second), "approve")
    await says(house, second, "Merged as version 4")
    held = await values_in(house)
    assert (held["STRIPE_KEY"], held["A"], held["B"]) == ("sk_live_3", "1", "1")


@pytest.mark.seeded
async def test_a_mistyped_value_is_set_right_before_it_is_decided(any_house: House, real_redis: Redis) -> None:
    house = any_house
    asked = await change(house, lines="STRIPE_KEY=sk_live_tpyo\nA=kept\nB=not this one")
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2 approvals")
    shown = await own_card(house, seed.ROSA, request_of(asked), button="edit")
    await press(house, seed.ROSA, shown, "edit")
    form = modal(house, seed.ROSA)
    assert "tpyo" not in str(form.payload)
    wrong = await house.workspace.submit(seed.ROSA, form.id, {"set:payments/prod": {"set": "sk_live_typed"}})
    assert wrong.errors["set:payments/prod"].startswith("Line 1 has no “=”")
    other: dict[str, dict[str, Any]] = {
        "set:payments/prod": {"set": "STRIPE_KEY=sk_live_typo"},
        "remove:payments/prod": {"remove": ["B"]},
    }
    assert (await house.workspace.submit(seed.ROSA, form.id, other)).ok
    now = await says(house, asked, "0 of 2 approvals", "earlier votes were dropped", "1 new, 1 changed")
    assert (await audited(house, "request.edited", seed.ROSA))["touches"] == "B STRIPE_KEY"
    await nothing_in_plain(real_redis, "sk_live_tpyo", "sk_live_typo")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, now), "approve")
    await says(house, asked, "Merged as version 3")
    held = await values_in(house)
    assert (held["STRIPE_KEY"], held["A"], "B" in held) == ("sk_live_typo", "kept", False)


async def test_no_client_sends_values_where_slack_does_not_take_them(open_house: OpenHouse) -> None:
    changing = rules.opening("actions: [change]")
    house = await open_house(policies=rules.policies(changing, targets=("payments/prod: {channel: C0APPROVALS}",)))
    prod, values = Target.parse("payments/prod"), {"A": Value(Secret(b"x"))}
    await house.app.asking.change(seed.ROSA, prod, values, reason="INC-7", ticket=None, command_id="elsewhere")
    house.app.clock.nudge()
    asked = await card(house, "Waiting for approval")
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(asked), button="edit"), "edit")
    form = modal(house, seed.ROSA)
    sent = await house.workspace.submit(seed.ROSA, form.id, {"set:payments/prod": {"set": "A=other"}})
    assert "Values of payments/prod are not entered in Slack." in sent.errors["set:payments/prod"]
    assert "Edited" not in text_of(again(house, asked))


async def test_to_approve_the_old_one_for_less_is_refused(house: House) -> None:
    asked = seen(await asks(house, seed.ROSA, "open payments/prod for 2h because INC-7"))
    await edits(house, seed.ROSA, asked, reason="INC-9")
    await says(house, asked, "INC-9")
    less = f"approve_less|{_reference(asked)}"
    assert "edited since" in await after(house, seed.BEN, late(house, seed.BEN, asked, "more", value=less))
    assert house.workspace.modals(seed.BEN) == []


def _reference(message: Message) -> str:
    """What its buttons carry."""
    buttons = [element for block in message.blocks for element in block.get("elements", [])]
    return next(str(button["value"]) for button in buttons if button.get("action_id") == "approve")


async def test_from_home_it_is_edited_too_and_home_shows_it(house: House) -> None:
    asked = await asks(house, seed.ROSA, "open payments/prod for 2h because INC-7")
    before = seen(await own_card(house, seed.ROSA, request_of(asked), button="edit"))
    await home(house, seed.ROSA, "Waiting for approval")
    await house.workspace.home_action(seed.ROSA, "edit")
    form = modal(house, seed.ROSA)
    length = {"duration:payments/prod": {"duration": str(15 * MINUTE)}}
    assert (await house.workspace.submit(seed.ROSA, form.id, length)).ok
    await home(house, seed.ROSA, "open `payments/prod` for 15 min")
    await says(house, asked, "Edited by <@U0ROSA>", "INC-7", "15 min")
    opened = len(house.workspace.modals(seed.ROSA))
    await late(house, seed.ROSA, before, "edit")
    await own_card(house, seed.ROSA, "This was edited since")
    assert len(house.workspace.modals(seed.ROSA)) == opened


async def test_only_who_asked_opens_the_form(house: House) -> None:
    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    mine = await own_card(house, seed.ROSA, request_of(asked), button="edit")
    before = len(house.workspace.modals(seed.BEN))
    await late(house, seed.BEN, seen(mine), "edit")
    await own_card(house, seed.BEN, "Only the person who asked can edit this.")
    assert len(house.workspace.modals(seed.BEN)) == before
    assert "edit" not in actions_of(again(house, asked))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [({"reason": " "}, "Say why: the people who decide need a reason."), ({}, "Nothing is different")],
)
async def test_what_cannot_be_asked_is_not_saved(house: House, fields: dict[str, str], complaint: str) -> None:
    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(asked), button="edit"), "edit")
    form = modal(house, seed.ROSA)
    sent = await house.workspace.submit(seed.ROSA, form.id, {name: {name: value} for name, value in fields.items()})
    assert complaint in str(sent.errors) + text_of(modal(house, seed.ROSA))
    assert "Edited" not in text_of(again(house, asked))


async def test_a_form_that_was_opened_on_the_old_one_is_refused(house: House) -> None:
    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    await press(house, seed.BEN, asked, "deny")
    form = modal(house, seed.BEN)
    await edits(house, seed.ROSA, asked, reason="INC-9")
    await says(house, asked, "INC-9")
    await house.workspace.submit(seed.BEN, form.id, {"reason": {"reason": "no"}})
    assert "This was edited since" in text_of(modal(house, seed.BEN))
    assert "Waiting for approval" in text_of(again(house, asked))
