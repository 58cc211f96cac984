"""Silence: answers that are lost, a server that is away, one that forgot or is full. Nothing twice, nothing untrue."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

import store.redis.client
from store.model.command import (
    Absent,
    Activate,
    Countersign,
    Dispute,
    Due,
    End,
    Leave,
    Overdue,
    Present,
    Trouble,
    Withdraw,
)
from store.model.errors import Unavailable
from store.model.people import Person
from store.model.policy import HOUR
from store.redis.cards import Card, Cards
from store.redis.client import connect
from store.redis.clock import no_skew, now_ms
from store.redis.facts import Facts
from store.redis.installation import installation_id
from store.redis.places import Places
from store.redis.scripts import NOT_CONFIRMED
from tests import servers
from tests.builders import ANA, BOB, NOW, ONCALL, REQ, approve, deny, smash, soft
from tests.store.redis.corridor import Corridor, Gate, command_for


class Wire:
    """A socket before the server. While `swallows` is above 0, what is asked happens, and the answer is lost."""

    def __init__(self, upstream: Path, path: Path) -> None:
        self._upstream = upstream
        self.path = path
        self.swallows = 0
        self.hangs = False  # the answer comes before that of the next question, instead of the connection being closed
        self.lost = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._upstream)
        late = b""
        try:
            while asked := await reader.read(2**20):
                to_server.write(asked)
                answer = await from_server.read(2**20)
                if self.swallows > 0:
                    self.swallows -= 1
                    self.lost += 1
                    if not self.hangs:
                        return
                    late = answer
                    continue
                writer.write(late + answer)
                late = b""
                await writer.drain()
        finally:
            to_server.close()
            writer.close()


@pytest.fixture
async def wire(real_server: servers.Server, redis_url: str) -> AsyncIterator[Wire]:
    assert redis_url
    wire = Wire(real_server.socket, real_server.folder / "wire")
    server = await asyncio.start_unix_server(wire.serve, wire.path)
    yield wire
    server.close()
    wire.path.unlink(missing_ok=True)  # from Python 3.13 on the server has done that


@contextlib.asynccontextmanager
async def through(wire: Wire) -> AsyncIterator[Corridor]:
    async with connect(f"unix://{wire.path}") as client:
        corridor = Corridor(client)
        await corridor.enact()
        yield corridor


def lose(corridor: Corridor, wire: Wire, answers: int) -> None:
    """From the next commit on."""

    async def now() -> None:
        wire.swallows = answers

    corridor.scripts.gate = Gate(1, at_the_end=now)


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_commit_whose_answer_was_lost_is_asked_again_by_its_id(wire, hangs, monkeypatch):
    monkeypatch.setattr(store.redis.client, "TIMEOUT_S", 0.3)
    async with through(wire) as corridor:
        asked = await corridor.approved("open", ANA)
        wire.hangs = hangs
        lose(corridor, wire, 1)
        outcome = await corridor.apply(asked, approve(asked, BOB))
        assert (wire.lost, outcome.answer) == (1, "Approved.")
        assert (await corridor.events()).count("request.approved") == 1
        assert await corridor.log.number() == len(await corridor.events())


async def test_a_commit_that_nobody_can_confirm_is_unknown_and_said_to_be(wire):
    async with through(wire) as corridor:
        asked = await corridor.approved("open", ANA)
        lose(corridor, wire, 2)
        with pytest.raises(Unavailable) as refusal:
            await corridor.apply(asked, approve(asked, BOB))
        assert (refusal.value.detail, refusal.value.sentence) == ("unknown", NOT_CONFIRMED)
        assert await corridor.state(asked) == "approved"  # the card shows the truth
        again = await corridor.apply(asked, approve(asked, BOB))
        assert (again.answer, again.news) == ("Approved.", False)
        assert (await corridor.events()).count("request.approved") == 1


async def test_a_submission_whose_answer_was_lost_is_one_request(wire):
    async with through(wire) as corridor:
        draft, _ = await corridor.draft()
        lose(corridor, wire, 2)
        with pytest.raises(Unavailable, match="Not confirmed"):
            await corridor.requests.submit(draft, "view:1")
        assert not (await corridor.requests.submit(draft, "view:1")).news
        assert (await corridor.events()).count("request.submitted") == 1


async def test_an_environment_whose_answer_was_lost_is_made_once(wire):
    async with through(wire) as corridor:
        lose(corridor, wire, 1)
        made = await corridor.environments.ensure("payments/prod")
        assert made == await corridor.environments.find("payments/prod")


async def test_a_settling_whose_answer_was_lost_is_lost_the_second_time(wire):
    async with through(wire) as corridor:
        await corridor.ask()
        await corridor.ask()
        first, claimed = await corridor.outbox.claim("slack", most=9, lease_ms=1_000)
        assert await corridor.outbox.settle(first) == "done"
        wire.swallows = 1
        with pytest.raises(Unavailable):
            await corridor.outbox.settle(claimed)
        assert await corridor.outbox.settle(claimed) == "lost"
        assert await corridor.outbox.depth("slack") == 0


async def test_a_server_that_is_away_is_said_to_be_and_is_found_again(tmp_path):
    server = servers.Server(servers.redis_binary() or servers.valkey_binary(), *servers.DURABLE).start()
    try:
        client = connect(server.url)
        corridor = Corridor(client)
        await corridor.enact()
        asked = await corridor.approved("open", ANA)
        pid = server.pid
        server.kill()

        with pytest.raises(Unavailable) as refusal:
            await corridor.apply(asked, approve(asked, BOB))
        assert (refusal.value.detail, refusal.value.sentence) == ("unknown", NOT_CONFIRMED)
        places = Places(client, corridor.keys)
        cards, facts = Cards(client, corridor.keys, corridor.scripts), Facts(client, corridor.keys)
        everything = [
            corridor.requests.get(asked.id),
            corridor.requests.listed(f"mine:{REQ}", most=9),
            corridor.requests.read([asked.id]),
            corridor.requests.queue([ANA], most=9),
            corridor.requests.part(f"open:{REQ}", first=0, most=9),
            corridor.requests.worlds([asked.id]),
            places.keep(REQ, "approvals"),
            places.of(REQ),
            corridor.policies.current(),
            corridor.environments.find("payments/prod"),
            corridor.environments.read(asked.id, REQ),
            corridor.outbox.claim("slack", most=9, lease_ms=1),
            corridor.outbox.depth("slack"),
            corridor.log.after(0, most=9),
            corridor.timers.due(most=9),
            cards.of(asked.id),
            cards.keep(asked.id, Card("channel", "C", "1")),
            facts.get([ANA]),
            facts.put(Person(id=ANA, name="Ana"), NOW),
            now_ms(client, no_skew),
            installation_id(client, corridor.random),
        ]
        for act in everything:
            with pytest.raises(Unavailable) as refusal:
                await act
            assert refusal.value.sentence.endswith(".")

        server.start()
        assert server.pid != pid
        assert (await corridor.do(asked, approve(asked, BOB))).state == "approved"
        await client.aclose()
    finally:
        server.remove()


# -- a full server ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["redis", "valkey"])
async def filling(request: pytest.FixtureRequest) -> AsyncIterator[Corridor]:
    binary = servers.redis_binary() if request.param == "redis" else servers.valkey_binary()
    if binary is None:
        servers.missing("redis-server", "redis-server")
        return
    server = servers.Server(binary, *servers.DURABLE, "--maxmemory-policy", "noeviction").start()
    async with Redis.from_url(server.url) as client:
        corridor = Corridor(client)
        await corridor.enact()
        yield corridor
    server.remove()


async def fill(corridor: Corridor) -> None:
    await corridor.redis.config_set("maxmemory", 1)


async def test_in_a_full_server_nothing_new_is_given(filling):
    corridor = filling
    pending, approved = await corridor.approved("open", ANA), await corridor.approved()
    change = await corridor.approved("change", ANA, A="x")
    active = await corridor.approved()
    await corridor.do(active, command_for(active, Activate, REQ))
    draft, _ = await corridor.draft()
    await fill(corridor)
    before = await corridor.dump()
    for act in (
        corridor.requests.submit(draft, "view:1"),
        corridor.apply(pending, command_for(pending, approve, BOB)),
        corridor.apply(change, command_for(change, approve, BOB)),
        corridor.apply(approved, command_for(approved, Activate, REQ)),
        corridor.environments.read(active.id, REQ),
    ):
        with pytest.raises(Unavailable, match=r"Redis is full: .* Taking access away still works"):
            await act
    assert await corridor.dump() == before


async def test_in_a_full_server_access_is_taken_away(filling):
    corridor = filling
    to_deny, to_withdraw, to_expire = [await corridor.ask() for _ in range(3)]
    to_end, to_run_out = [await corridor.approved() for _ in range(2)]
    member = await corridor.approved("access")
    for asked in (to_end, to_run_out, member):
        await corridor.do(asked, command_for(asked, Activate, REQ))
    await corridor.do(member, command_for(member, Present, "relay"))
    await fill(corridor)

    assert (await corridor.do(to_deny, command_for(to_deny, deny, ANA))).state == "denied"
    assert (await corridor.do(to_withdraw, command_for(to_withdraw, Withdraw, REQ))).state == "withdrawn"
    assert (await corridor.do(to_end, command_for(to_end, End, REQ))).state == "ended"
    assert (await corridor.do(member, command_for(member, End, REQ))).state == "revoking"
    assert (await corridor.do(member, command_for(member, Absent, "relay"))).state == "ended"
    corridor.skew_ms += HOUR
    due = command_for(to_run_out, Due, "clock", timer="deadline", at_ms=NOW + HOUR)
    assert (await corridor.do(to_run_out, due)).state == "ended"
    corridor.skew_ms += 7 * HOUR
    due = command_for(to_expire, Due, "clock", timer="deadline", at_ms=NOW + 8 * HOUR)
    assert (await corridor.do(to_expire, due)).state == "expired"

    claimed = await corridor.outbox.claim("connector", most=9, lease_ms=1_000)
    assert [await corridor.outbox.settle(each) for each in claimed] == ["done"]


async def test_in_a_full_server_nobody_gets_more_time(filling):
    corridor = filling
    held = await corridor.approved("open", ANA, BOB)
    held = await corridor.do(held, command_for(held, Activate, REQ))
    longer = await corridor.longer(held)
    await corridor.apply(longer, command_for(longer, approve, ANA))
    await fill(corridor)
    before = await corridor.dump()
    with pytest.raises(Unavailable, match="Redis is full"):
        await corridor.apply(longer, command_for(longer, approve, BOB))
    assert await corridor.dump() == before


async def test_in_a_full_server_who_left_loses_what_they_hold_and_asks_for_nothing(filling):
    corridor = filling
    held, waits = await corridor.approved(), await corridor.ask()
    held = await corridor.do(held, command_for(held, Activate, REQ))
    longer = await corridor.longer(held)
    corridor.crowd.changed[REQ] = {"guest": True}
    await fill(corridor)
    assert (await corridor.do(held, command_for(held, Leave, "relay"))).state == "ended"
    assert (await corridor.do(waits, command_for(waits, Leave, "relay"))).state == "withdrawn"
    assert (await corridor.requests.get(longer.id)).request.state == "expired"


async def test_in_a_full_server_what_gives_nothing_is_said_all_the_same(filling):
    """A first denial of two, trouble outside, what the outside shows, and all that becomes of a debt."""
    corridor = filling
    await corridor.enact(soft(denials=2))
    waits, joins = await corridor.ask(), await corridor.approved("access")
    owing = [await corridor.ask() for _ in range(3)]
    for asked in owing:
        await corridor.do(asked, command_for(asked, smash, ONCALL))
    await corridor.do(joins, command_for(joins, Activate, REQ))
    await fill(corridor)

    assert (await corridor.do(waits, command_for(waits, deny, ANA))).state == "pending"
    assert [review.by for review in (await corridor.requests.get(waits.id)).request.reviews] == [ANA]
    assert (
        await corridor.do(joins, command_for(joins, Trouble, "relay", sentence="It is slow."))
    ).note == "It is slow."
    assert (await corridor.do(joins, command_for(joins, Present, "relay"))).state == "active"
    await corridor.do(owing[0], command_for(owing[0], Countersign, ANA))
    await corridor.do(owing[1], command_for(owing[1], Dispute, ANA, reason="no"))
    debt = (await corridor.requests.get(owing[2].id)).debt
    assert debt is not None
    due_ms = debt.due_ms
    corridor.skew_ms = due_ms - NOW
    await corridor.do(owing[2], command_for(owing[2], Overdue, "clock", at_ms=due_ms))
    debts = [(await corridor.requests.get(asked.id)).debt for asked in owing]
    assert [each.state for each in debts if each] == ["countersigned", "disputed", "overdue"]


async def test_who_is_refused_in_a_full_server_is_told_why_and_it_is_written_down(filling):
    corridor = filling
    asked = await corridor.ask()
    await fill(corridor)
    with pytest.raises(Exception, match="your own request"):
        await corridor.apply(asked, approve(asked, REQ))
    assert (await corridor.events())[-1] == "attempt.refused"


async def test_what_a_server_refuses_is_said_in_words(filling):
    corridor = filling
    asked = await corridor.ask()
    await corridor.redis.config_set("min-replicas-to-write", 3)
    with pytest.raises(Unavailable) as refusal:
        await corridor.apply(asked, approve(asked, ANA))
    assert refusal.value.detail == "redis_refused"
    await corridor.redis.config_set("min-replicas-to-write", 0)
    await corridor.redis.replicaof("127.0.0.1", "1")
    with pytest.raises(Unavailable, match="is a replica"):
        await corridor.apply(asked, approve(asked, ANA))
