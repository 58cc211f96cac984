"""Who counts is asked at the decision: groups change, people leave, and Slack does not always answer."""

from playground import seed
from playground.house import House
from playground.slack.sight import text_of
from store.model.policy import MINUTE
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import after, again, approved, asks, audited, late, own_card, press, says, seen

WORDS = "open payments/prod for 15m because INC-7"
LOOKUP = "usergroups.users.list"


async def forgotten(house: House) -> None:
    """What was known of people is older than it may be."""
    await house.advance(MINUTE)


async def heard(house: House, principal: str) -> None:
    """Slack's news of this person or group has arrived, and nothing of what was known is left."""
    await house.workspace.wait_for(lambda: principal not in house.app.directory._known)


async def test_a_vote_of_somebody_who_left_the_group_before_the_decision_does_not_count(open_house: OpenHouse) -> None:
    house = await open_house(policies=rules.policies(rules.opening(rules.TWO_LEADS)))
    asked = await asks(house, seed.ROSA, WORDS)
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2 approvals")
    house.workspace.set_group("S0LEADS", [seed.INES, seed.ANA])
    await forgotten(house)
    await press(house, seed.INES, again(house, asked), "approve")
    waiting = await says(house, asked, "<@U0INES> approved", "1 of 2 approvals")
    assert "Waiting for approval" in text_of(waiting)
    await press(house, seed.ANA, waiting, "approve")
    await says(house, asked, "Approved by <@U0ANA> and <@U0INES>")
    assert house.workspace.troubles == []


async def test_slack_tells_of_the_change_and_the_very_next_click_knows_it(house: House) -> None:
    """No time goes by: what was known a moment ago is dropped when Slack says that it changed."""
    asked = await asks(house, seed.ROSA, WORDS)
    assert "does not name you" in await after(house, seed.ANA, press(house, seed.ANA, asked, "approve"))
    house.workspace.set_group("S0LEADS", [seed.ANA])
    await heard(house, "S0LEADS")
    answers = len(house.workspace.calls)
    await press(house, seed.ANA, asked, "approve")
    await says(house, asked, "Approved by <@U0ANA>")
    assert any(call.method == LOOKUP for call in house.workspace.calls[answers:])


async def test_a_slow_look_up_delays_the_decision_and_never_the_vote(house: House) -> None:
    asked = await asks(house, seed.ROSA, WORDS)
    await forgotten(house)
    house.workspace.faults.delay(LOOKUP, 2.5, times=4)  # whoever else asks waits as well
    sentence = await after(house, seed.BEN, press(house, seed.BEN, asked, "approve"))
    assert sentence == "Your vote is cast. It counts as soon as Slack confirms who you are."
    await says(house, asked, "Approved by <@U0BEN>")


async def test_a_look_up_that_fails_is_made_again_until_the_vote_counts(house: House) -> None:
    asked = await asks(house, seed.ROSA, WORDS)
    await forgotten(house)
    house.workspace.faults.rate_limit(LOOKUP, times=4, retry_after=1)
    sentence = await after(house, seed.BEN, press(house, seed.BEN, asked, "approve"))
    assert sentence == "Your vote is cast. It counts as soon as Slack confirms who you are."
    assert "Waiting for approval" in text_of(again(house, asked))
    await says(house, asked, "Approved by <@U0BEN>")
    assert len([fault for fault in house.workspace.faults.struck if fault.method == LOOKUP]) == 4


async def test_a_vote_that_was_cast_in_the_dark_by_nobody_who_counts_decides_nothing(house: House) -> None:
    asked = await asks(house, seed.ROSA, WORDS)
    await forgotten(house)
    house.workspace.faults.status(LOOKUP, 503, times=3)
    await after(house, seed.ANA, press(house, seed.ANA, asked, "approve"))
    known = len(house.workspace.calls)
    await house.workspace.wait_for(
        lambda: [call for call in house.workspace.calls[known:] if call.method == LOOKUP and call.ok]
    )
    await house.app.relay.settled()
    assert "0 of 1 approval" in text_of(await says(house, asked, "<@U0ANA> approved", "Waiting for approval"))


async def test_who_is_deactivated_meanwhile_cannot_use_what_was_approved(house: House) -> None:
    asked = await asks(house, seed.ROSA, WORDS)
    await approved(house, asked, seed.BEN)
    activate = seen(await own_card(house, seed.ROSA, "Activate it when you are ready", button="activate"))
    house.workspace.person(seed.ROSA).kind = "deactivated"  # and Slack's news of it is on its way
    await forgotten(house)
    await late(house, seed.ROSA, activate, "activate")
    assert await audited(house, "attempt.refused", seed.ROSA) == {"command": "activate", "code": "forbidden"}
    assert "not activated it yet" in text_of(again(house, asked))


async def test_a_workspace_without_user_groups_decides_by_persons(open_house: OpenHouse) -> None:
    """A plan without user groups: whoever is named by name still decides, and a group is nobody."""
    named = "approvals: [{count: 1, from: {users: [ben@example.com], groups: [S0LEADS]}}]"
    asking = "requesters: {users: [rosa@example.com]}"
    house = await open_house(policies=rules.policies(rules.opening(named, asking)))
    house.workspace.paid = False
    await forgotten(house)
    asked = await asks(house, seed.ROSA, WORDS)
    refused = await after(house, seed.INES, press(house, seed.INES, asked, "approve"))
    assert "does not name you as an approver" in refused
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Approved by <@U0BEN>")
    assert house.workspace.troubles == []


async def test_where_only_a_lost_group_could_decide_nothing_is_taken_in(open_house: OpenHouse) -> None:
    asking = "requesters: {users: [rosa@example.com]}"
    house = await open_house(policies=rules.policies(rules.opening(asking)))
    house.workspace.paid = False
    await forgotten(house)
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request {WORDS}")
    assert "Nobody could approve this" in text_of(house.workspace.modal(seed.ROSA))
    assert house.workspace.troubles == []
