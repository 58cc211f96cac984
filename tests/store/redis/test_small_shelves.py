"""Shelves: facts, cards, timers and the installation's id: small things that are kept as they were put."""

import asyncio

from redis.asyncio import Redis

from store.model.people import FRESH_MS, Group, Person
from store.redis.cards import Card, Cards
from store.redis.facts import Facts
from store.redis.installation import installation_id
from store.redis.keys import Keys
from tests.builders import ANA, LEADS, NOW, REQ
from tests.store.keys.holders import Draws


async def test_facts_are_shared_with_the_time_they_were_known(corridor):
    facts = Facts(corridor.redis, corridor.keys)
    ana, group = Person(id=ANA, name="Ana Ω", guest=True), Group(id=LEADS, handle="leads", members=frozenset({ANA}))
    await facts.put(ana, NOW)
    await facts.put(group, NOW + 5)
    found = await facts.get([ANA, LEADS, REQ])
    assert {who: (at, body) for who, (at, body) in found.items()} == {
        ANA: (NOW, ana.to_json()),
        LEADS: (NOW + 5, group.to_json()),
    }
    assert Person.from_json(found[ANA][1]) == ana
    assert await facts.get([]) == {}
    assert 0 < await corridor.redis.pttl(corridor.keys.facts(ANA)) <= FRESH_MS
    await facts.drop(ANA)
    assert await facts.get([ANA]) == {}


async def test_cards_are_where_they_were_posted(corridor):
    cards = Cards(corridor.redis, corridor.keys, corridor.scripts)
    channel, requester = Card("channel", "C1", "1.5"), Card("requester", "D1", "2.5", "digest")
    await cards.keep("REQVEST001", channel)
    await cards.keep("REQVEST001", requester)
    assert await cards.of("REQVEST001") == {"channel": channel, "requester": requester}
    moved = Card("channel", "C1", "3.5", "other")
    await cards.keep("REQVEST001", moved)
    await cards.forget("REQVEST001", "requester")
    assert await cards.of("REQVEST001") == {"channel": moved}
    assert await cards.of("REQVEST002") == {}


async def test_timers_are_due_at_their_moment_and_the_oldest_first(corridor):
    first = await corridor.ask()
    corridor.skew_ms += 1
    second = await corridor.ask()
    deadline = first.timers["deadline"]
    for by_ms, expected in ((-1, []), (0, [first.id]), (1, [first.id, second.id])):
        corridor.skew_ms = deadline - NOW + by_ms
        assert [timer.request for timer in await corridor.timers.due(most=9)] == expected
    (timer,) = await corridor.timers.due(most=1)
    assert (timer.name, timer.at_ms, timer.now_ms) == ("deadline", deadline, deadline + 1)
    await corridor.timers.put_off(timer, until_ms=deadline + 50)
    assert [each.request for each in await corridor.timers.due(most=9)] == [second.id]
    assert await corridor.timers.waiting() == 2


async def test_twenty_processes_that_start_at_once_are_one_installation(any_redis: Redis):
    ids = await asyncio.gather(*(installation_id(any_redis, Draws(str(number))) for number in range(20)))
    assert len(set(ids)) == 1
    assert Keys(ids[0]).prefix == f"countersign:{{{ids[0]}}}:"


async def test_every_key_lies_under_the_installation(corridor):
    await corridor.approved("change", A="x")
    await corridor.ask("access")
    prefix = corridor.keys.prefix.encode()
    assert [key for key in await corridor.redis.keys("*") if not key.startswith(prefix)] == []
