"""App Home: what waits for me, what I hold, what I asked for, what I may ask for; all of it usable from there."""

from playground import seed
from playground.house import House
from playground.slack.elements import find
from playground.slack.records import View
from playground.slack.sight import actions_of, text_of
from store.model.policy import DAY, MINUTE
from tests.stories.people import ask, asks, home, modal, press, request_of, says

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
    offers = part(empty, "Ask for something")
    for offered in (
        "Open payments/prod",
        "Change payments/prod",
        "Open payments/staging",
        "Change payments/staging",
        "Join role:database-admin",
    ):
        assert offered in offers
    assert "Health" not in text_of(empty)
    assert "No rule names you" in part(await home(house, seed.BEN), "Ask for something")


async def test_a_guest_is_offered_nothing(house: House) -> None:
    house.workspace.set_kind(seed.ROSA, "guest")
    await house.workspace.wait_for(lambda: seed.ROSA not in house.app.directory._known)
    assert "No rule names you" in part(await home(house, seed.ROSA), "Ask for something")


async def test_the_owner_sees_how_it_is_and_nobody_else_does(house: House) -> None:
    owned = await home(house, seed.ANA)
    assert part(owned, "Health, for owners") != ""
    assert "Change countersign/connectors" in part(owned, "Ask for something")
    assert "Health" not in text_of(await home(house, seed.BEN))


async def test_everything_is_done_from_home_and_homes_stay_true(any_house: House) -> None:
    house = any_house
    await home(house, seed.BEN)
    rosa = await home(house, seed.ROSA)
    block, _ = find([block for block in rosa.blocks if "Open payments/prod" in str(block)], "home_ask_open")
    await house.workspace.home_action(seed.ROSA, "home_ask_open", block_id=block["block_id"])
    sent = {"reason": {"reason": "INC-7 payments fail"}}
    assert (await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, sent)).ok

    waits = await home(house, seed.BEN, "INC-7 payments fail")
    assert "0 of 1 approval" in part(waits, "Waiting for you")
    assert "Waiting for approval" in part(await home(house, seed.ROSA, "Waiting for approval"), "Your requests")

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


async def test_many_requests_are_counted_and_home_stays_within_its_limits(house: House) -> None:
    await home(house, seed.BEN)
    for number in range(12):
        assert (await ask(house, seed.ROSA, f"open payments/prod for 15m because INC-{number}")).ok
    full = await home(house, seed.BEN, "Waiting for you (12)")
    assert actions_of(full).count("approve") == 10
    assert "and 2 more: `/countersign pending` lists them." in text_of(full)
    assert "and 2 more: `/countersign mine` lists them." in text_of(await home(house, seed.ROSA, "Your requests (12)"))
