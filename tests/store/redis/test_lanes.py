"""Lanes: effects are claimed for a lease, settled once, put anew, and never dropped."""

import json

import pytest

from store.model.effect import (
    Announce,
    Count,
    Effect,
    Lane,
    Mail,
    MailApprovers,
    Post,
    Redeploy,
    ShowCard,
    Signal,
    Tell,
)
from store.redis.commit import Commit
from store.redis.outbox import Claimed
from tests.builders import NOW
from tests.store.redis.corridor import Corridor

CARD, OTHER = ShowCard(request="REQVEST001"), ShowCard(request="REQVEST002")
LEASE = 1_000


async def put(corridor, *effects, name: str | None = None) -> None:
    await corridor.outbox.put(effects, command_id=name or corridor.id())


async def claim(corridor: Corridor, lane: Lane = "slack", most: int = 50) -> list[Claimed]:
    return await corridor.outbox.claim(lane, most=most, lease_ms=LEASE)


async def claim_one(corridor: Corridor) -> Claimed:
    (claimed,) = await claim(corridor)
    return claimed


async def test_each_kind_goes_to_its_lane_and_comes_back_as_it_was(corridor):
    effects: list[Effect] = [
        CARD,
        Tell(request="REQVEST001", news="approved", to="UREQ", at_ms=1),
        Announce(request="REQVEST001", news="broken", at_ms=1),
        Count(request="REQVEST001"),
        Redeploy(environment="a/b", environment_id="e", hook="api", version=2, request="REQVEST001", at_ms=1),
        Post(request="REQVEST001", news="denied", at_ms=1, by=("UANA",), channel="C0AUDIT"),
        Signal(request="REQVEST001", news="denied", at_ms=1, by=("UANA",), url="https://example.com/hook"),
        Mail(request="REQVEST001", news="broken", at_ms=1, by=("UANA",), to="UBOB"),
        MailApprovers(request="REQVEST001", news="broken", at_ms=1, by=("UANA",)),
    ]
    await put(corridor, *effects)
    lanes: tuple[Lane, ...] = ("slack", "connector", "hook", "mail")
    found = {each.member: (lane, each.effect) for lane in lanes for each in await claim(corridor, lane)}
    assert found == {each.key: (each.lane, each) for each in effects}
    assert await corridor.outbox.depth("slack") == 5


async def test_what_is_done_is_gone(corridor):
    await put(corridor, CARD)
    before = await corridor.redis.keys("*effect:*")
    assert await corridor.outbox.settle(await claim_one(corridor)) == "done"
    assert len(before) == 1
    assert await corridor.redis.keys("*effect:*") == []
    assert await corridor.outbox.depth("slack") == 0


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
async def test_what_is_in_hand_is_nobody_elses_until_the_lease_ends(corridor, by_ms):
    await put(corridor, CARD)
    first = await claim_one(corridor)
    corridor.skew_ms += LEASE + by_ms
    again = await claim(corridor)
    assert len(again) == (0 if by_ms < 0 else 1)
    if again:
        assert again[0].fence == first.fence + 1
        assert await corridor.outbox.settle(first) == "lost"
        assert await corridor.outbox.depth("slack") == 1
        assert await corridor.outbox.settle(again[0]) == "done"


async def test_a_lost_hand_does_not_push_back_what_another_holds(corridor):
    await put(corridor, CARD)
    first = await claim_one(corridor)
    corridor.skew_ms += LEASE
    second = await claim_one(corridor)
    assert await corridor.outbox.settle(first, again_in_ms=0) == "lost"
    assert await claim(corridor) == []
    assert await corridor.outbox.settle(second) == "done"
    assert await corridor.outbox.settle(second) == "lost"  # it is gone


async def test_a_hand_of_long_ago_settles_nothing_of_an_effect_put_anew(corridor):
    """It was settled by somebody else and is gone, and then there is one of the same name again."""
    await put(corridor, CARD)
    first = await claim_one(corridor)
    corridor.skew_ms += LEASE
    assert await corridor.outbox.settle(await claim_one(corridor)) == "done"
    await put(corridor, CARD)
    held = await claim_one(corridor)
    assert held.generation == first.generation
    assert await corridor.outbox.settle(first) == "lost"
    assert await corridor.outbox.settle(held) == "done"


async def test_what_is_put_many_times_is_done_once(corridor):
    for _ in range(5):
        await put(corridor, CARD, OTHER)
    found = await claim(corridor)
    assert sorted((each.member, each.generation) for each in found) == [(CARD.key, 5), (OTHER.key, 5)]


async def test_what_is_put_anew_in_hand_stays_in_that_hand_and_is_done_again(corridor):
    await put(corridor, CARD)
    first = await claim_one(corridor)
    await put(corridor, CARD)
    assert await claim(corridor) == []  # two hands on one thing could let the older picture win
    assert await corridor.outbox.settle(first) == "again"
    second = await claim_one(corridor)
    assert second.generation == first.generation + 1
    assert await corridor.outbox.settle(second) == "done"


async def test_what_is_put_anew_in_a_hand_that_died_is_done_when_its_lease_ends(corridor):
    await put(corridor, CARD)
    await claim_one(corridor)
    await put(corridor, CARD)
    corridor.skew_ms += LEASE
    assert (await claim_one(corridor)).generation == 2


async def test_what_waits_long_is_done_at_once_when_it_is_put_anew(corridor):
    await put(corridor, CARD)
    assert await corridor.outbox.settle(await claim_one(corridor), again_in_ms=10**6) == "later"
    assert await claim(corridor) == []
    await put(corridor, CARD)
    assert (await claim_one(corridor)).attempts == 0


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
async def test_each_one_is_tried_again_in_its_own_time(corridor, by_ms):
    await put(corridor, CARD, OTHER)
    slow, quick = sorted(await claim(corridor), key=lambda each: each.member)
    assert await corridor.outbox.settle(slow, again_in_ms=5_000) == "later"
    assert await corridor.outbox.settle(quick, again_in_ms=0) == "later"
    found = await claim_one(corridor)
    assert (found.member, found.attempts) == (quick.member, 1)
    assert await corridor.outbox.settle(found) == "done"
    corridor.skew_ms += 5_000 + by_ms
    assert [(each.member, each.attempts) for each in await claim(corridor)] == (
        [(slow.member, 1)] if by_ms >= 0 else []
    )


async def test_lateness_and_age_are_told(corridor):
    await put(corridor, CARD)
    corridor.skew_ms += 700
    claimed = await claim_one(corridor)
    assert (claimed.late_ms, claimed.since_ms, claimed.now_ms) == (700, NOW, NOW + 700)
    corridor.skew_ms += LEASE + 5
    again = await claim_one(corridor)
    assert (again.late_ms, again.since_ms) == (5, NOW)


async def test_no_more_is_claimed_than_asked_for_and_the_oldest_first(corridor):
    for number in range(5):
        corridor.skew_ms = number
        await put(corridor, ShowCard(request=f"REQVEST00{number}"))
    assert [each.member[-1] for each in await claim(corridor, most=2)] == ["0", "1"]
    assert [each.member[-1] for each in await claim(corridor, most=2)] == ["2", "3"]


POISON = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"type":"unknown"}',
    b'{"type":[]}',
    b'{"type":{"a":1}}',
    b"\xff\xfe",
    b'{"schema":1,"type":"show_card"}',
    b'{"schema":1,"type":"show_card","request":"lower"}',
    json.dumps({"schema": 2, "type": "show_card", "request": "REQVEST001"}).encode(),
]


@pytest.mark.parametrize("body", POISON)
async def test_poison_stops_nothing_and_is_never_dropped(corridor, body):
    await put(corridor, CARD, OTHER)
    await corridor.redis.hset(corridor.keys.effect("slack", CARD.key), "body", body)
    poison, sound = sorted(await claim(corridor), key=lambda each: each.member)
    assert (poison.effect, sound.effect) == (None, OTHER)
    assert await corridor.outbox.settle(poison, again_in_ms=60_000) == "later"
    assert await corridor.redis.hget(corridor.keys.effect("slack", CARD.key), "body") == body
    corridor.skew_ms += 60_000
    assert (await corridor.outbox.claim("slack", most=1, lease_ms=LEASE))[0].effect in (None, OTHER)
    assert await corridor.outbox.depth("slack") == 2


@pytest.mark.parametrize(
    "word", [*("", "x", "1.5", "-1", "0x1", "nan", "007"), pytest.param("9" * 5_000, id="longer than Python reads")]
)
@pytest.mark.parametrize("field", ["generation", "attempts"])
async def test_a_counter_that_is_none_begins_anew_and_does_not_bring_it_back_at_once(corridor, field, word):
    await put(corridor, CARD)
    await corridor.redis.hset(corridor.keys.effect("slack", CARD.key), field, word)
    assert await corridor.outbox.settle(await claim_one(corridor), again_in_ms=60_000) == "later"
    assert await claim(corridor) == []
    corridor.skew_ms += 60_000
    held = await claim_one(corridor)
    assert (held.effect, held.attempts) == (CARD, 1)
    assert await corridor.outbox.settle(held) == "done"


@pytest.mark.parametrize("word", ["", "x", pytest.param("9" * 5_000, id="longer than Python reads")])
async def test_a_moment_that_is_none_keeps_the_lane_from_nothing(corridor, word):
    await put(corridor, CARD, OTHER)
    await corridor.redis.hset(corridor.keys.effect("slack", CARD.key), "since", word)
    assert [(each.effect, each.since_ms > 0) for each in await claim(corridor)] == [(CARD, False), (OTHER, True)]


@pytest.mark.parametrize("due", ["-inf", "-1e300", "0", "1.5"])
async def test_whenever_it_was_due_it_is_late_by_no_more_than_there_was_time(corridor, due):
    await put(corridor, CARD)
    await corridor.redis.zadd(corridor.keys.lane("slack"), {CARD.key: due})
    held = await claim_one(corridor)
    assert 0 <= held.now_ms - held.late_ms <= 2


@pytest.mark.parametrize("field", ["generation", "leased"])
async def test_a_counter_that_is_none_breaks_off_no_commit(corridor, field):
    await put(corridor, CARD)
    await corridor.redis.hset(corridor.keys.effect("slack", CARD.key), field, "x")
    await put(corridor, CARD, OTHER, name="again")
    assert [each.effect for each in await claim(corridor)] == [CARD, OTHER]
    assert (await corridor.redis.exists(corridor.keys.command("put:again"))) == 1


async def test_an_entry_without_a_body_blocks_nothing(corridor):
    await put(corridor, CARD)
    await corridor.redis.zadd(corridor.keys.lane("slack"), {"card:GONE": 1})
    assert [each.member for each in await claim(corridor)] == [CARD.key]


async def test_the_same_id_puts_once(corridor):
    await put(corridor, CARD, name="fan")
    await put(corridor, CARD, name="fan")
    assert (await claim_one(corridor)).generation == 1


async def test_an_effect_is_put_by_the_commit_or_not_at_all(corridor):
    commit = Commit(corridor.keys, "c")
    commit.guard("moved", 4)
    commit.put([CARD])
    assert (await commit.run(corridor.scripts, 0)).status == "moved"
    assert await corridor.outbox.depth("slack") == 0
