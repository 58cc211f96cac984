"""Leavers: an event is believed once it is asked about, and where it was missed a look around finds out."""

import pytest

from scheduler.leavers import PACE, Leavers
from scheduler.metrics import Metrics
from scheduler.relay import Relay
from store.model.command import Activate
from store.model.effect import Depart
from store.model.errors import Unavailable
from store.model.request import Request
from store.redis.tokens import Tokens
from tests.builders import ANA, BEN, DEVS, REQ
from tests.store.redis.corridor import Corridor, command_for


@pytest.fixture
def leavers(corridor: Corridor) -> Leavers:
    return Leavers(corridor.requests, corridor.crowd, corridor.outbox, tokens_of(corridor))


def tokens_of(corridor: Corridor) -> Tokens:
    return Tokens(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)


async def active(corridor: Corridor, user: str = REQ) -> Request:
    asked = (
        await corridor.approved(requester=user)
        if user == REQ
        else await corridor.approved("open", ANA, "UCAT", requester=user)
    )
    return await corridor.do(asked, command_for(asked, Activate, user))


async def heard(corridor: Corridor, leavers: Leavers, user: str, event: str = "Ev1") -> None:
    """The event, and what comes of it."""
    await leavers.heard(user, event)
    relay = Relay(corridor.outbox, {Depart: leavers.depart}, Metrics(), lambda: 1.0)
    await relay.tick("slack")
    await relay.drain(5.0)


async def test_who_left_loses_everything_and_nobody_else_does(corridor: Corridor, leavers: Leavers) -> None:
    hers, his = await active(corridor), await active(corridor, BEN)
    waits, approved = await corridor.ask("access"), await corridor.approved("access")
    corridor.crowd.changed[REQ] = {"active": False}
    await heard(corridor, leavers, REQ)
    states = [await corridor.state(each) for each in (hers, waits, approved, his)]
    assert states == ["ended", "withdrawn", "withdrawn", "active"]
    assert (await corridor.requests.listed("live", most=9)) == [(await corridor.requests.get(his.id)).request]


async def test_an_event_alone_is_not_believed(corridor: Corridor, leavers: Leavers) -> None:
    hers = await active(corridor)
    await heard(corridor, leavers, REQ)
    assert await corridor.state(hers) == "active"


async def test_while_slack_does_not_say_who_it_is_nothing_is_taken_and_it_is_tried_again(
    corridor: Corridor, leavers: Leavers
) -> None:
    hers = await active(corridor)
    corridor.crowd.changed[REQ] = {"active": False}
    corridor.crowd.without = {REQ}
    with pytest.raises(Unavailable):
        await leavers.depart(Depart(user=REQ), None)  # type: ignore[arg-type]  # what is in hand makes no difference
    assert await corridor.state(hers) == "active"
    corridor.crowd.without = set()
    await leavers.depart(Depart(user=REQ), None)  # type: ignore[arg-type]
    assert await corridor.state(hers) == "ended"


async def test_an_event_that_comes_twice_is_one(corridor: Corridor, leavers: Leavers) -> None:
    await leavers.heard(REQ, "Ev1")
    await leavers.heard(REQ, "Ev1")
    (claimed,) = [
        each for each in await corridor.outbox.claim("slack", most=9, lease_ms=1) if each.effect == Depart(user=REQ)
    ]
    assert claimed.generation == 1


async def test_where_the_event_was_missed_a_look_around_finds_out(corridor: Corridor, leavers: Leavers) -> None:
    hers, his = await active(corridor), await active(corridor, BEN)
    await leavers.look()
    assert [await corridor.state(each) for each in (hers, his)] == ["active", "active"]
    corridor.crowd.changed[REQ] = {"guest": True}
    await leavers.look()
    assert [await corridor.state(each) for each in (hers, his)] == ["ended", "active"]


async def test_a_look_is_at_a_few_and_comes_round_to_all(corridor: Corridor, leavers: Leavers) -> None:
    corridor.crowd.members = {DEVS: {REQ, BEN, ANA}}
    held = [await active(corridor) for _ in range(PACE + 1)]
    last = await active(corridor, BEN)
    corridor.crowd.changed[BEN] = {"active": False}
    asked = corridor.crowd.asked
    await leavers.look()
    assert corridor.crowd.asked == asked + 1
    assert await corridor.state(last) == "active"
    await leavers.look()
    assert await corridor.state(last) == "ended"
    corridor.crowd.changed[REQ] = {"active": False}
    for _ in range(3):
        await leavers.look()
    assert {await corridor.state(each) for each in held} == {"ended"}


async def test_of_whom_nobody_tells_in_time_nothing_is_taken(corridor: Corridor, leavers: Leavers) -> None:
    hers = await active(corridor)
    corridor.crowd.changed[REQ] = {"active": False}
    corridor.crowd.without = {REQ}
    await leavers.look()
    assert await corridor.state(hers) == "active"
