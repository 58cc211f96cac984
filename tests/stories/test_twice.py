"""Twice, late and all at once: whatever Slack delivers again, and however many processes there are, it happens once."""

from collections import Counter
from typing import Any

import pytest

from playground import seed
from playground.house import House
from playground.slack.records import Envelope, Message, Person
from playground.slack.sight import actions_of, text_of
from store.model.policy import HOUR, MINUTE
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    again,
    approved,
    ask,
    asks,
    card,
    end_now,
    forged,
    late,
    modal,
    own_card,
    press,
    quiet,
    request_of,
    says,
    seen,
)

WORDS = "open payments/prod for 15m because INC-7"
CROWD = [f"U0LEAD{number:02}" for number in range(10)]


async def events(house: House, request: str) -> Counter[str]:
    """How often each thing was written into the audit log about this request."""
    entries = [entry for _, entry in await house.app.audit.after(0, most=2_000)]
    return Counter(entry.event for entry in entries if entry.request == request)


def cards(house: House, request: str) -> list[Message]:
    """All of them, in the channel and in every DM, but for lines of news."""
    everywhere = [message for messages in house.workspace.messages_by_channel.values() for message in messages]
    return [message for message in everywhere if f"Request `{request}` · asked" in text_of(message)]


async def test_every_envelope_delivered_twice_changes_nothing(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.app.relay.settled()
    house.workspace.faults.duplicate(1_000)
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request {WORDS}")
    await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id)
    asked = await card(house, "Waiting for approval")
    request = request_of(asked)
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Approved by <@U0BEN>")
    await press(
        house,
        seed.ROSA,
        await own_card(house, seed.ROSA, "Activate it when you are ready", button="activate"),
        "activate",
    )
    await says(house, asked, "has access now")
    await end_now(house, seed.BEN, again(house, asked))
    await says(house, asked, "Ended by <@U0BEN>")
    await quiet(house)
    assert await events(house, request) == {
        "request.submitted": 1,
        "review.approved": 1,
        "request.approved": 1,
        "grant.activated": 1,
        "grant.ended": 1,
    }
    assert len(cards(house, request)) == 2  # the approvers' and hers
    twice = Counter(envelope.id for envelope in house.workspace.envelopes if envelope.type == "interactive")
    assert set(twice.values()) == {2}
    assert house.workspace.troubles == []


async def test_a_form_that_is_delivered_again_later_is_still_one_request(any_house: House) -> None:
    house = any_house
    sent = await ask(house, seed.ROSA, WORDS)
    asked = await card(house, "Waiting for approval")
    await approved(house, asked, seed.BEN)
    before = len(house.workspace.messages(seed.APPROVALS))
    for _ in range(3):
        assert (await house.workspace.deliver(Envelope("E2", "interactive", sent.envelope.payload, True))).ok  # type: ignore[union-attr]
    await quiet(house)
    assert len(house.workspace.messages(seed.APPROVALS)) == before
    assert (await events(house, request_of(asked)))["request.submitted"] == 1
    mine = await house.app.requests.listed(f"mine:{seed.ROSA}", most=100)
    assert [request.id for request in mine if request.kind == "open"] == [request_of(asked)]


async def test_a_form_that_comes_again_with_other_words_is_refused(house: House) -> None:
    sent = await ask(house, seed.ROSA, WORDS)
    asked = await card(house, "Waiting for approval")

    def other(payload: dict[str, Any]) -> None:
        payload["view"]["state"]["values"]["reason"]["reason"]["value"] = "something else"

    ack = await house.workspace.deliver(forged(sent.envelope, other))
    assert "This id was used for something else." in str(ack.payload)
    mine = await house.app.requests.listed(f"mine:{seed.ROSA}", most=100)
    assert [request.id for request in mine if request.kind == "open"] == [request_of(asked)]


async def test_a_click_that_is_delivered_again_does_not_vote_again_on_what_changed_since(open_house: OpenHouse) -> None:
    """The click of an hour ago must not replace the vote of now."""
    house = await open_house(policies=rules.policies(rules.opening(rules.TWO_LEADS, "denials: 2")))
    asked = await asks(house, seed.ROSA, WORDS)
    clicked = await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "<@U0BEN> approved")
    await press(house, seed.BEN, again(house, asked), "deny")
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "I was wrong"}})
    await says(house, asked, "<@U0BEN> denied")
    await house.advance(HOUR)
    assert clicked.envelope is not None
    assert (await house.workspace.deliver(clicked.envelope)).ok
    await quiet(house)
    assert "<@U0BEN> denied" in text_of(again(house, asked))
    assert (await events(house, request_of(asked)))["review.approved"] == 1


async def crowded(open_house: OpenHouse, count: int) -> House:
    """Two processes, ten leads, so many of whom must agree."""
    named = f"approvals: [{{count: {count}, from: {{users: [{', '.join(CROWD)}]}}}}]"
    house = await open_house(policies=rules.policies(rules.opening(named)), processes=0)
    for user in CROWD:
        house.workspace.people[user] = Person(user, user.lower())
    for _ in range(2):
        await house.move_in()
    await house.workspace.wait_for(lambda: len(house.workspace.sockets.connected) == 2)
    return house


async def test_fifty_clicks_at_once_on_two_processes_are_one_transition(open_house: OpenHouse) -> None:
    house = await crowded(open_house, 3)
    asked = seen(await asks(house, seed.ROSA, WORDS))
    request = request_of(asked)
    clicks = [late(house, user, asked, "approve") for user in CROWD for _ in range(5)]
    assert all(each.ok for each in await house.workspace.concurrently(*clicks))  # type: ignore[union-attr]
    served = [len(socket.seen) for socket in house.workspace.sockets.connected]
    assert min(served) >= 20
    await says(house, asked, "Approved, not started yet")
    await quiet(house)
    counted = await events(house, request)
    assert counted["request.approved"] == 1
    assert counted["review.approved"] + counted["attempt.refused"] == 50
    world = await house.app.requests.get(request)
    assert world.request.decision is not None
    deciders = world.request.decision.by
    assert len(deciders) == 3
    drawn = text_of(await says(house, asked, *(f"<@{user}>" for user in deciders)))
    assert "Approved by" in drawn
    assert "approve" not in actions_of(again(house, asked))
    assert [message.ts for message in cards(house, request) if message.channel == seed.APPROVALS] == [asked.ts]
    assert len(cards(house, request)) == 2
    await own_card(house, seed.ROSA, "*Approved:*")
    assert len([message for message in house.workspace.dm(seed.ROSA) if "*Approved:*" in message.text]) == 1
    assert house.workspace.troubles == []


async def test_opposite_clicks_at_once_come_to_one_end(open_house: OpenHouse) -> None:
    """One withdraws, ten approve, and the clock is about to run: exactly one of them is the end of it."""
    house = await crowded(open_house, 1)
    asked = seen(await asks(house, seed.ROSA, WORDS))
    own = seen(await own_card(house, seed.ROSA, button="withdraw"))
    acts = [late(house, user, asked, "approve") for user in CROWD] + [late(house, seed.ROSA, own, "withdraw")]
    await house.workspace.concurrently(*acts)
    await quiet(house)
    counted = await events(house, request_of(asked))
    state = (await house.app.requests.get(request_of(asked))).request.state
    assert counted["request.approved"] <= 1
    assert (state, counted["request.withdrawn"]) in (("withdrawn", 1), ("approved", 0))
    await says(house, asked, {"withdrawn": "Withdrawn by", "approved": "Approved by"}[state])
    assert house.workspace.troubles == []


async def test_two_processes_post_one_card_and_keep_it_true(open_house: OpenHouse) -> None:
    """Each relay looks for what the other has put; Slack is slow to answer, so both have the time to."""
    house = await open_house(processes=2)
    await house.workspace.wait_for(lambda: len(house.workspace.sockets.connected) == 2)
    await quiet(house)
    house.workspace.faults.delay("chat.postMessage", 0.7, times=2)
    asked = await asks(house, seed.ROSA, WORDS)  # it is there, and nobody knows yet where
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Approved by <@U0BEN>")
    await press(
        house,
        seed.ROSA,
        await own_card(house, seed.ROSA, "Activate it when you are ready", button="activate"),
        "activate",
    )
    await says(house, asked, "has access now")
    await house.advance(15 * MINUTE)
    await says(house, asked, "Ended by itself")
    await quiet(house)
    assert len(cards(house, request_of(asked))) == 2
    news = [message.text for message in house.workspace.dm(seed.ROSA) if "*Ended:*" in message.text]
    assert len(news) == 1
    counted = await events(house, request_of(asked))
    assert (counted["grant.activated"], counted["grant.ended"]) == (1, 1)
    assert house.workspace.troubles == []


@pytest.mark.seeded
async def test_what_one_process_is_told_the_other_acts_on(open_house: OpenHouse) -> None:
    """Nothing is kept where only one process sees it: each step is taken by another one."""
    house = await open_house(processes=2)
    await house.workspace.wait_for(lambda: len(house.workspace.sockets.connected) == 2)
    asked = await asks(house, seed.ROSA, "access role:database-admin for 15m because INC-7")
    await approved(house, asked, seed.BEN)
    await press(
        house,
        seed.ROSA,
        await own_card(house, seed.ROSA, "Activate it when you are ready", button="activate"),
        "activate",
    )
    await says(house, asked, "has access now")
    assert house.directory.members(seed.ROLE_GROUP) == ["rosa@example.com"]
    await house.advance(15 * MINUTE)
    await says(house, asked, "Ended by itself")
    assert house.directory.members(seed.ROLE_GROUP) == []
    assert (await events(house, request_of(asked)))["grant.ended"] == 1
    assert house.workspace.troubles == []
