"""What waits is called to mind: of those who can still decide it, then of others; and of nobody once it is decided."""

from bot.slack.directory import BUDGET_S
from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import text_of
from store.model.policy import HOUR, MINUTE
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import after, again, asks, command, modal, own_card, press, quiet, request_of, says

WORDS = "open payments/prod for 15m because INC-7 payments fail"
CALLS = ("remind: [15m, 1h]", "escalate: [{after: 2h, to: {users: [omar@example.com, U0GIL]}}]", "request_ttl: 8h")
TWO = rules.policies(rules.opening(rules.TWO_LEADS, *CALLS))


def told(house: House, user: str, word: str) -> list[Message]:
    return [message for message in house.workspace.dm(user) if f"*{word}:*" in text_of(message)]


async def count(house: House, user: str, word: str, number: int) -> Message:
    """Waits until there are so many."""
    await house.workspace.wait_for(lambda: len(told(house, user, word)) >= number)
    found = told(house, user, word)
    assert len(found) == number
    return found[-1]


async def test_who_has_not_voted_is_reminded_and_later_others_are_told(open_house: OpenHouse) -> None:
    house = await open_house(policies=TWO)
    asked = await asks(house, seed.ROSA, WORDS)
    await house.advance(14 * MINUTE)
    await quiet(house)
    assert not told(house, seed.BEN, "Still waiting")

    await house.advance(MINUTE)
    for user in (seed.BEN, seed.INES):
        said = text_of(await count(house, user, "Still waiting", 1))
        for words in (
            "request of <@U0ROSA> to open `payments/prod`",
            "Asked ",
            "Approve or deny it before",
            "INC-7",
            "Open the card",
        ):
            assert words in said
        assert request_of(asked) in said
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2 approvals")
    await house.advance(45 * MINUTE)
    await count(house, seed.INES, "Still waiting", 2)
    await quiet(house)
    await count(house, seed.BEN, "Still waiting", 1)
    for user in (seed.ROSA, seed.OMAR, seed.ANA):
        assert not told(house, user, "Still waiting")

    house.workspace.faults.delay("users.info", BUDGET_S + 0.3, times=9)  # it is not said with half of the facts
    await house.advance(HOUR)
    besides = text_of(await count(house, seed.OMAR, "Escalated", 1))
    assert "Find somebody who may decide it before" in besides
    assert "1 of <!subteam^S0LEADS>" in besides
    assert "Approve or deny it before" in text_of(await count(house, seed.INES, "Escalated", 1))
    await quiet(house)
    assert not told(house, seed.BEN, "Escalated")
    entries = [entry for _, entry in await house.app.audit.newest(most=200)]
    [escalated] = [entry for entry in entries if entry.event == "request.escalated"]
    assert (escalated.actor, escalated.details["to"]) == ("clock", f"U0GIL {seed.OMAR}")
    assert not house.workspace.dm("U0GIL")  # a guest
    sentence = await after(house, seed.OMAR, press(house, seed.OMAR, asked, "approve"))
    assert "does not name you as an approver" in sentence
    assert "1 of 2 approvals" in text_of(again(house, asked))
    assert house.workspace.troubles == []


async def test_a_program_that_was_down_reminds_once(open_house: OpenHouse) -> None:
    house = await open_house(policies=TWO)
    await asks(house, seed.ROSA, WORDS)
    await house.advance(61 * MINUTE)
    await count(house, seed.BEN, "Still waiting", 1)
    await quiet(house)
    await count(house, seed.BEN, "Still waiting", 1)
    assert house.workspace.troubles == []


async def test_nobody_is_reminded_of_what_is_decided(open_house: OpenHouse) -> None:
    """Slack takes the reminder of one of the two only when it is too late."""
    house = await open_house(policies=TWO)
    asked = await asks(house, seed.ROSA, WORDS)
    await quiet(house)
    house.workspace.faults.rate_limit("chat.postMessage", retry_after=30)
    await house.advance(15 * MINUTE)
    await house.workspace.wait_for(lambda: house.workspace.faults.struck)
    answer = await command(house, seed.ROSA, f"cancel {request_of(asked)}")
    assert "Withdrawn." in answer
    await house.advance(HOUR)
    await says(house, asked, "Withdrawn")
    await own_card(house, seed.ROSA, "Withdrawn")
    await quiet(house)
    assert len([*told(house, seed.BEN, "Still waiting"), *told(house, seed.INES, "Still waiting")]) == 1
    assert house.workspace.troubles == []


async def test_who_votes_before_slack_takes_the_reminder_is_not_reminded(open_house: OpenHouse) -> None:
    house = await open_house(policies=TWO)
    asked = await asks(house, seed.ROSA, WORDS)
    await quiet(house)
    house.workspace.faults.rate_limit("chat.postMessage", retry_after=30)
    await house.advance(15 * MINUTE)
    leads = {seed.BEN, seed.INES}
    await house.workspace.wait_for(lambda: [user for user in leads if told(house, user, "Still waiting")])
    [late] = [user for user in leads if not told(house, user, "Still waiting")]
    await press(house, late, asked, "approve")
    await says(house, asked, "1 of 2 approvals")
    await house.advance(MINUTE)
    await quiet(house)
    assert not told(house, late, "Still waiting")
    assert house.workspace.troubles == []


async def test_where_the_channel_is_closed_a_reminder_leads_to_ones_own_card(open_house: OpenHouse) -> None:
    house = await open_house(policies=TWO)
    house.workspace.remove_bot(seed.APPROVALS)
    sent = await house.workspace.slash(seed.ROSA, seed.GENERAL, "/countersign", f"request {WORDS}")
    assert sent.ok
    assert (await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, {})).ok
    own = await own_card(house, seed.BEN, "Waiting for approval", button="approve")
    await house.advance(15 * MINUTE)
    said = text_of(await count(house, seed.BEN, "Still waiting", 1))
    assert f"/{own.channel}/p{own.ts.replace('.', '')}|Open the card>" in said
    assert house.workspace.troubles == []
