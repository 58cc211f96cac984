"""App Home: what waits for me, what I hold, what I asked for, what I may ask for; all of it usable from there."""

import asyncio

import pytest

from playground import seed
from playground.house import House
from playground.slack.elements import find
from playground.slack.records import View
from playground.slack.sight import actions_of, text_of
from store.model.policy import DAY, MINUTE
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import ask, asks, home, modal, own_card, page, press, quiet, request_of, says

CHANGED = {"set:payments/prod": {"set": "STRIPE_KEY=sk_2"}}
WORDS = "open payments/prod for 15m because INC-7 payments fail"


def part(view: View, title: str) -> str:
    """What stands under one heading, up to the next."""
    told: list[str] = []
    inside = False
    for block in view.blocks:
        if block["type"] == "header":
            inside = block["text"]["text"].startswith(title)
        elif inside:
            told.append(text_of(View("", "", {"blocks": [block]}, "", "")))
    return "\n".join(told)


async def gone(house: House, user: str, title: str, words: str) -> View:
    def now() -> list[View]:
        view = house.workspace.home(user)
        return [view] if view is not None and words not in part(view, title) else []

    return (await house.workspace.wait_for(now))[0]


async def test_an_empty_home_says_what_would_stand_there_and_what_can_be_asked(house: House) -> None:
    empty = await home(house, seed.ROSA)
    assert "Nothing waits for your decision." in part(empty, "Waiting for you")
    assert "What you activate stands here" in part(empty, "What you have now")
    assert "`/countersign help`" in part(empty, "Your requests")
    for label in ("Open an environment", "Change secrets", "Request access"):
        assert label in part(empty, "Ask for something")
    assert "No rule names you" in part(await home(house, seed.BEN), "Ask for something")
    assert "No rule names you" in part(await page(house, seed.BEN, "environments"), "What you may ask for")


async def test_every_environment_that_one_may_ask_for_has_a_button_that_opens_its_form(house: House) -> None:
    listed = await page(house, seed.ROSA, "environments")
    assert "`payments/prod` · read its secrets for a time, set or remove its secrets" in text_of(listed)
    assert "`role:database-admin` · be a member for a time" in text_of(listed)
    assert "connectors" not in text_of(listed)
    await house.workspace.home_action(seed.ROSA, "home_ask_access")
    form = modal(house, seed.ROSA)
    assert "role:database-admin" in text_of(form)
    sent = await house.workspace.submit(seed.ROSA, form.id, {"reason": {"reason": "INC-7 a query hangs"}})
    assert sent.ok
    mine = await page(house, seed.ROSA, "approvals", "Waiting for approval")
    assert "role:database-admin" in part(mine, "Your requests")


async def test_only_an_owner_sees_how_it_is(house: House) -> None:
    owned = await page(house, seed.ANA, "health", "things looked at.", "Redis keeps what it is told")
    assert "Countersign 0.1.0" in part(owned, "Health")
    assert "countersign/connectors" in text_of(await page(house, seed.ANA, "environments"))
    assert "home_go_health" not in actions_of(await home(house, seed.BEN))


async def test_health_tells_what_is_wrong_now(house: House) -> None:
    (house.folder / "policies.yml").write_text("version: 1\nowners: {}\n", encoding="utf-8")
    house.app.metrics.alarms.labels("poison").inc()
    while house.app.clock.swept_s_ago() is None:
        await asyncio.sleep(0.01)  # a tick tells nobody
    asked = await asks(house, seed.OMAR, WORDS)
    await press(house, seed.OMAR, asked, "break_glass")
    await house.workspace.submit(seed.OMAR, modal(house, seed.OMAR).id, {"reason": {"reason": "It burns"}})
    told = await page(house, seed.ANA, "health", "Should be looked at")
    doubtful = part(told, "Should be looked at")
    for line in ("policies.yml", "An effect could not be read", "1 broken glass waits to be countersigned."):
        assert line in doubtful
    assert "for what is due" in part(told, "In order")


async def test_somebody_else_is_refused_an_owners_page_also_when_they_press_its_button(house: House) -> None:
    mine = await home(house, seed.BEN)
    mine.payload = {**mine.payload, "blocks": (await home(house, seed.ANA)).blocks}
    await house.workspace.home_action(seed.BEN, "home_go_health")
    await own_card(house, seed.BEN, "Only an owner sees Health.")

    def drawn_anew() -> bool:
        view = house.workspace.home(seed.BEN)
        return view is not None and "home_go_health" not in actions_of(view)

    await house.workspace.wait_for(drawn_anew)
    assert "Waiting for you" in text_of(await home(house, seed.BEN))


async def test_who_is_not_known_to_be_an_owner_is_none_until_slack_has_told(open_house: OpenHouse) -> None:
    owned = rules.policies(rules.opening()).replace(
        "owners: {users: [ana@example.com]}", "owners: {groups: [payments-dev]}"
    )
    house = await open_house(policies=owned)
    await page(house, seed.ROSA, "health")
    await house.advance(MINUTE)  # what was known of people is older than it may be
    house.workspace.faults.delay("usergroups.users.list", 2.5, times=9)
    await house.workspace.open_home(seed.ROSA)
    dark = await home(house, seed.ROSA, "Still asking Slack about")
    assert "home_go_health" not in actions_of(dark)
    assert "looked at" not in text_of(dark)
    await home(house, seed.ROSA, "looked at.")  # where she was


async def test_who_is_an_owner_no_longer_is_where_everybody_begins(house: House) -> None:
    await page(house, seed.ANA, "health")
    await house.app.homes._places.keep(seed.BEN, "health")
    assert "Waiting for you" in text_of(await home(house, seed.BEN))


@pytest.mark.parametrize("place", ["atlantis", "approvals:1:2:3:4:5", "<!channel>", ""])
async def test_a_place_that_is_not_there_is_where_everybody_begins(house: House, place: str) -> None:
    await house.app.homes._places.keep(seed.BEN, place)
    assert "Waiting for you" in text_of(await home(house, seed.BEN))


@pytest.mark.parametrize(
    ("user", "who"),
    [("U0GIL", "a guest in this workspace"), ("U0SAM", "from another workspace")],
    ids=["guest", "stranger"],
)
async def test_who_may_do_nothing_here_reads_so_and_sees_nothing_else(house: House, user: str, who: str) -> None:
    shown = await home(house, user, f"You are {who}.")
    assert actions_of(shown) == []


async def test_one_stays_on_the_page_where_one_is_whichever_process_draws_it(open_house: OpenHouse) -> None:
    house = await open_house(processes=2)
    await page(house, seed.ROSA, "environments")
    for app in house.apps:
        shown = await app.homes.shown(seed.ROSA)
        assert "What you may ask for" in str(shown.view)
    await house.workspace.open_home(seed.ROSA)
    assert "What you may ask for" in text_of(await home(house, seed.ROSA, "What you may ask for"))
    await page(house, seed.ROSA, "approvals")


@pytest.mark.seeded
async def test_everything_is_done_from_home_and_homes_stay_true(any_house: House) -> None:
    house = any_house
    await home(house, seed.BEN)
    offered = await page(house, seed.ROSA, "environments")
    block, _ = find([block for block in offered.blocks if "payments/prod" in str(block)], "home_ask_open")
    await house.workspace.home_action(seed.ROSA, "home_ask_open", block_id=block["block_id"])
    sent = {"reason": {"reason": "INC-7 payments fail"}}
    assert (await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, sent)).ok

    waits = await home(house, seed.BEN, "INC-7 payments fail")
    assert "0 of 1 approval" in part(waits, "Waiting for you")
    assert "Waiting for approval" in part(await page(house, seed.ROSA, "approvals", "Waiting for ap"), "Your requests")

    await house.workspace.home_action(seed.BEN, "approve")
    await gone(house, seed.BEN, "Waiting for you", "INC-7")
    mine = await home(house, seed.ROSA, "Activate it when you are ready")
    assert "Approved" in part(mine, "Your requests")

    await house.workspace.home_action(seed.ROSA, "activate")
    held = await home(house, seed.ROSA, "You have it until")
    assert "`payments/prod`" in part(held, "What you have now")
    await gone(house, seed.ROSA, "Your requests", "payments/prod")
    await house.workspace.home_action(seed.ROSA, "show_values")
    assert "sk_live_playground_51Hxyz" in text_of(modal(house, seed.ROSA))
    await house.workspace.close(seed.ROSA, modal(house, seed.ROSA).id)

    await house.workspace.home_action(seed.ROSA, "end")
    await gone(house, seed.ROSA, "What you have now", "payments/prod")


async def test_who_denies_from_home_gives_a_reason_and_it_leaves_the_list(house: House) -> None:
    await home(house, seed.INES)
    asked = await asks(house, seed.ROSA, WORDS)
    await home(house, seed.INES, request_of(asked))
    await house.workspace.home_action(seed.INES, "deny")
    await house.workspace.submit(seed.INES, modal(house, seed.INES).id, {"reason": {"reason": "Use staging"}})
    await gone(house, seed.INES, "Waiting for you", request_of(asked))
    await says(house, asked, "Denied by <@U0INES>", "Use staging")


async def test_a_grant_leaves_home_by_itself_when_its_time_is_over(house: House) -> None:
    asked = await asks(house, seed.ROSA, WORDS)
    await press(house, seed.BEN, asked, "approve")
    await home(house, seed.ROSA, "Activate it when you are ready")
    await house.workspace.home_action(seed.ROSA, "activate")
    await home(house, seed.ROSA, "You have it until")
    await house.advance(15 * MINUTE)
    await gone(house, seed.ROSA, "What you have now", "payments/prod")


async def test_a_broken_glass_waits_for_the_approvers_at_home(house: House) -> None:
    await home(house, seed.BEN)
    asked = await asks(house, seed.OMAR, WORDS)
    await press(house, seed.OMAR, asked, "break_glass")
    await house.workspace.submit(seed.OMAR, modal(house, seed.OMAR).id, {"reason": {"reason": "It burns"}})
    waits = await home(house, seed.BEN, "passed without the approvals")
    assert request_of(asked) in part(waits, "Waiting for you")
    await house.workspace.home_action(seed.BEN, "countersign")
    await gone(house, seed.BEN, "Waiting for you", request_of(asked))
    await says(house, asked, "Countersigned by <@U0BEN>")


async def test_a_late_click_at_home_is_answered_and_home_shows_the_truth(house: House) -> None:
    await home(house, seed.BEN)
    asked = await asks(house, seed.ROSA, WORDS)
    await home(house, seed.BEN, request_of(asked))
    ago = house.workspace.home(seed.BEN)
    assert ago is not None
    shown = [dict(block) for block in ago.blocks]
    await house.advance(DAY)
    await says(house, asked, "Expired")
    await gone(house, seed.BEN, "Waiting for you", request_of(asked))
    ago.payload = {**ago.payload, "blocks": shown}  # this client has missed the update
    await house.workspace.home_action(seed.BEN, "approve")
    await house.workspace.wait_for(
        lambda: [
            message
            for message in house.workspace.dm(seed.BEN)
            if "This expired before it was decided." in text_of(message)
        ]
    )
    await gone(house, seed.BEN, "Waiting for you", request_of(asked))


async def test_many_requests_are_counted_and_shown_in_parts(house: House) -> None:
    await home(house, seed.BEN)
    for number in range(12):
        assert (await ask(house, seed.ROSA, f"open payments/prod for 15m because INC-{number}")).ok
    first = await home(house, seed.BEN, "Waiting for you (12)", "Showing 1–10 of 12.")
    assert actions_of(first).count("approve") == 10
    assert "INC-0" in text_of(first)
    assert "home_go_0_previous" not in actions_of(first)
    await house.workspace.home_action(seed.BEN, "home_go_0_next")
    second = await home(house, seed.BEN, "Showing 11–12 of 12.")
    assert actions_of(second).count("approve") == 2
    assert "home_go_0_next" not in actions_of(second)
    block = next(block for block in second.blocks if "'approve'" in str(block))
    await house.workspace.home_action(seed.BEN, "approve", block_id=block["block_id"])
    one = await home(house, seed.BEN, "Showing 11–11 of 11.")
    assert actions_of(one).count("approve") == 1
    await house.workspace.home_action(seed.BEN, "approve")
    back = await home(house, seed.BEN, "Waiting for you (10)")
    assert actions_of(back).count("approve") == 10
    assert "Showing" not in text_of(back)
    await home(house, seed.ROSA, "Your requests (12)", "Showing 1–10 of 12.")
    await house.workspace.home_action(seed.ROSA, "home_go_2_next")
    await home(house, seed.ROSA, "Showing 11–12 of 12.")


async def test_what_waits_is_counted_on_every_page(house: House) -> None:
    await asks(house, seed.ROSA, WORDS)
    await page(house, seed.BEN, "environments", "Approvals (1)")


async def test_who_has_voted_waits_for_the_others(house: House) -> None:
    assert (await ask(house, seed.ROSA, "change payments/prod because rotated", CHANGED)).ok
    await home(house, seed.BEN, "Waiting for you (1)")
    await house.workspace.home_action(seed.BEN, "approve")
    await gone(house, seed.BEN, "Waiting for you", "STRIPE_KEY")
    await home(house, seed.INES, "Waiting for you (1)", "1 of 2 approvals")


async def test_what_slack_has_not_told_yet_is_said_and_the_page_is_drawn_again_when_it_has(house: House) -> None:
    await asks(house, seed.ROSA, WORDS)
    await house.advance(MINUTE)  # what was known of people is older than it may be
    house.workspace.faults.delay("usergroups.users.list", 2.5, times=9)
    await house.workspace.open_home(seed.BEN)
    dark = await home(house, seed.BEN, "Still asking Slack about")
    assert "approve" not in actions_of(dark)
    assert "1 more request may wait for you" in text_of(dark)
    assert "Nothing waits" not in text_of(dark)
    told = await home(house, seed.BEN, "Waiting for you (1)")
    assert "Still asking" not in text_of(told)
    assert "approve" in actions_of(told)


@pytest.mark.seeded
async def test_a_hook_that_was_given_up_stands_on_health_until_it_hears_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.condition.KEPT_S", 0.0)
    await house.workspace.wait_for(lambda: house.hooks.deliveries)
    for answer, value in ((410, "2"), (204, "3")):
        house.hooks.answer("api", answer)
        asked = await asks(
            house, seed.ROSA, "change payments/prod because rotated", {"set:payments/prod": {"set": f"A={value}"}}
        )
        for user in (seed.BEN, seed.INES):
            await press(house, user, asked, "approve")
        await says(house, asked, "Merged")
        await quiet(house)
        told = await page(house, seed.ANA, "health", "things looked at.")
        assert ("hook api, was given up" in text_of(told)) is (answer == 410)
        await page(house, seed.ANA, "approvals")
