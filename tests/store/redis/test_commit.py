"""Commit: all of it or nothing, on each kind of server."""

import itertools

import pytest

from store.model.audit import Audit
from store.model.effect import ShowCard
from store.model.errors import Conflict
from store.redis.commit import Commit
from tests.builders import NOW

AUDIT = Audit(event="thing.done", actor="UANA", at_ms=NOW)
CARD = ShowCard(request="REQVEST001")


def of_everything(corridor, name: str = "c1", **versions: int) -> Commit:
    """One operation of each kind, on keys `a` to `e`."""
    commit = Commit(corridor.keys, name, fingerprint="f", answer="done")
    commit.guard("a", versions.get("a", 0))
    commit.write("b", versions.get("b", 0), "body", {"state": "pending", "until": 5})
    commit.set("c", "once")
    commit.fill("d", {"x": "1", "y": "2"})
    commit.adopt("d", "e")
    commit.drop("gone")
    commit.rank("z", "member", NOW)
    commit.rank("z", "left", None)
    commit.put([CARD, CARD])
    commit.audit([AUDIT, AUDIT])
    return commit


async def test_all_of_it_is_written(corridor):
    redis, keys = corridor.redis, corridor.keys
    await redis.set("gone", "x")
    await redis.zadd("z", {"left": 1})
    await redis.hset("e", "w", "0")
    before = await corridor.log.number()
    assert (await of_everything(corridor).run(corridor.scripts, 0)).status == "ok"
    assert await redis.hgetall("b") == {b"version": b"1", b"body": b"body", b"state": b"pending", b"until": b"5"}
    assert await redis.get("c") == b"once"
    assert await redis.exists("d", "gone", "a") == 0
    assert await redis.hgetall("e") == {b"w": b"0", b"x": b"1", b"y": b"2"}
    assert await redis.zrange("z", 0, -1, withscores=True) == [(b"member", NOW)]
    assert await redis.zrange(keys.lane("slack"), 0, -1, withscores=True) == [(CARD.key.encode(), NOW)]
    assert await redis.hget(keys.effect("slack", CARD.key), "generation") == b"1"
    assert [number for number, _ in await corridor.log.after(before, most=9)] == [before + 1, before + 2]
    assert await redis.hgetall(keys.command("c1")) == {b"fingerprint": b"f", b"answer": b"done"}
    assert 86_000 < await redis.ttl(keys.command("c1")) <= 86_400


@pytest.mark.parametrize("moved", ["a", "b", "c"])
async def test_one_moved_guard_leaves_nothing_written(corridor, moved):
    if moved == "c":
        await corridor.redis.set("c", "somebody was here")
    else:
        await corridor.redis.hset(moved, "version", 3)
    before = await corridor.dump()
    assert (await of_everything(corridor).run(corridor.scripts, 0)).status == "moved"
    assert await corridor.dump() == before


@pytest.mark.parametrize("stored", ["0", "1", "3", "10"])
async def test_a_version_is_the_one_expected_and_no_other(corridor, stored):
    await corridor.redis.hset("b", "version", stored)
    status = (await of_everything(corridor, b=1).run(corridor.scripts, 0)).status
    assert status == ("ok" if stored == "1" else "moved")


@pytest.mark.parametrize("at", range(4))
async def test_a_moved_guard_at_any_place_leaves_nothing_written(corridor, at):
    await corridor.redis.hset("moved", "version", 1)
    commit = Commit(corridor.keys, "c1")
    for place in range(4):
        if place == at:
            commit.guard("moved", 0)
        else:
            commit.write(f"w{place}", 0, "body")
    commit.audit([AUDIT])
    before = await corridor.dump()
    assert (await commit.run(corridor.scripts, 0)).status == "moved"
    assert await corridor.dump() == before


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
async def test_it_is_good_until_then_and_not_at_that_moment(corridor, by_ms):
    commit = of_everything(corridor)
    commit.good_until_ms = NOW + 5_000
    before = await corridor.dump()
    committed = await commit.run(corridor.scripts, 5_000 + by_ms)
    assert committed.status == ("ok" if by_ms < 0 else "late")
    assert (await corridor.dump() == before) is (by_ms >= 0)


async def test_the_same_id_and_content_get_the_same_answer_and_do_nothing(corridor):
    await of_everything(corridor).run(corridor.scripts, 0)
    before = await corridor.dump()
    again = of_everything(corridor)
    again.answer = "something else"
    assert (await again.run(corridor.scripts, 0)).status == "seen"
    assert (await of_everything(corridor).run(corridor.scripts, 10**9)).answer == "done"
    assert await corridor.dump() == before


async def test_the_same_id_with_another_content_is_a_conflict(corridor):
    await of_everything(corridor).run(corridor.scripts, 0)
    other = of_everything(corridor)
    other.fingerprint = "g"
    before = await corridor.dump()
    with pytest.raises(Conflict, match="something else"):
        await other.run(corridor.scripts, 0)
    assert await corridor.dump() == before


async def test_audit_entries_have_no_gap_and_no_double(corridor):
    start = await corridor.log.number()
    for number in range(5):
        commit = Commit(corridor.keys, f"c{number}")
        commit.audit([AUDIT] * number)
        await commit.run(corridor.scripts, 0)
    found = [number for number, _ in await corridor.log.after(start, most=100)]
    assert found == list(itertools.islice(itertools.count(start + 1), 10))
    assert await corridor.log.number() == found[-1]
    assert [number for number, _ in await corridor.log.newest(most=3)] == found[:-4:-1]


async def test_a_full_change_fits_into_one_commit(corridor):
    """A hundred entries of a change, and every other thing at its limit."""
    commit = Commit(corridor.keys, "big")
    commit.fill("payload", {f"entry{number}": "x" * 1_000 for number in range(100)})
    commit.adopt("payload", "entries")
    for number in range(300):
        commit.rank("z", f"m{number}", number)
    assert (await commit.run(corridor.scripts, 0)).status == "ok"
    assert await corridor.redis.hlen("entries") == 100
    assert await corridor.redis.zcard("z") == 300
