"""Redis stands still, goes away, is full, or forgets: a true sentence for whoever asks, and afterwards everything goes on by itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.policy import MINUTE
from store.redis import client
from store.redis.commit import Commit
from store.redis.scripts import NOT_CONFIRMED
from tests import servers
from tests.stories.conftest import OpenHouse
from tests.stories.directories import Gate
from tests.stories.people import again, ask, card, ephemerals, home, own_card, press, request_of, says, told
from tests.stories.processes import LEASE_MS

OPEN: Final = "open payments/prod for 15m because INC-7"
JOIN: Final = "access role:database-admin for 15m because INC-7"
FULL: Final = "Redis is full: nothing new can be recorded until it has room."


@pytest.fixture
def server() -> Iterator[servers.Server]:
    """One of this test's own, to stop and to kill."""
    own = servers.Server(servers.redis_binary() or servers.valkey_binary(), *servers.DURABLE).start()
    yield own
    own.remove()


@pytest.fixture
def redis_url(server: servers.Server) -> str:
    """For `house`."""
    return server.url


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named before `house`, which then waits less long for Redis than in production."""
    monkeypatch.setitem(client.OPTIONS, "socket_timeout", 0.5)
    monkeypatch.setattr(client, "TIMEOUT_S", 0.5)


@pytest.fixture
async def redis(server: servers.Server, house: House) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as opened:
        yield opened


class Still:
    """The server stands still, as on a machine that is swapping."""

    def __init__(self, server: servers.Server) -> None:
        self._pid = server.pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


async def answered(house: House, user: str, words: str) -> None:
    """Where they clicked, seen by them only, or in their own messages."""

    def found() -> bool:
        own = [text_of(message) for message in house.workspace.dm(user)]
        return any(words in text for text in (*own, *ephemerals(house, user)))

    await house.workspace.wait_for(found)


async def events(house: House) -> list[str]:
    return [entry.event for _, entry in await house.app.audit.newest(most=500)]


async def asked(house: House, words: str = OPEN) -> Message:
    assert (await ask(house, seed.ROSA, words)).ok
    return await card(house, "Waiting for approval", *words.split()[1:2], words.partition("because ")[2])


async def active(house: House, words: str = OPEN) -> Message:
    """Rosa's own card of something that she holds."""
    waiting = await asked(house, words)
    await press(house, seed.BEN, waiting, "approve")
    request = request_of(waiting)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request, button="activate"), "activate")
    await says(house, waiting, "Active")
    return await own_card(house, seed.ROSA, request, "What next", button="end")


@pytest.mark.seeded
@pytest.mark.usefixtures("impatient")
async def test_a_click_while_redis_stands_still_is_not_confirmed_and_may_be_made_again(
    house: House, server: servers.Server
) -> None:
    waiting = await asked(house)
    with Still(server):
        assert (await press(house, seed.BEN, waiting, "approve")).acked
        await answered(house, seed.BEN, NOT_CONFIRMED)
    assert "Waiting for approval" in text_of(again(house, waiting))
    await press(house, seed.BEN, waiting, "approve")
    await says(house, waiting, "Approved by <@U0BEN>")
    assert (await events(house)).count("request.approved") == 4  # the seeds' three, and this one


@pytest.mark.usefixtures("impatient")
async def test_a_home_that_cannot_be_read_says_so_and_is_looked_at_again(house: House, server: servers.Server) -> None:
    waiting = await asked(house)
    with Still(server):
        assert (await house.workspace.open_home(seed.BEN)).ok
        dark = await home(house, seed.BEN, "Not available now", "happens when this works again")
        assert actions_of(dark) == ["home_go_approvals"]
    await house.workspace.home_action(seed.BEN, "home_go_approvals")
    assert request_of(waiting) in text_of(await home(house, seed.BEN, "Waiting for you (1)"))


@pytest.mark.seeded
@pytest.mark.usefixtures("impatient")
async def test_a_decision_that_was_on_its_way_is_made_once_and_the_card_says_so(
    house: House, server: servers.Server, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has stopped after it was asked and before it answered, and finds the question when it goes on."""
    waiting = await asked(house)
    whole, still = Commit.run, Still(server)

    async def stopped(commit: Commit, *args: Any) -> Any:
        if any("request.approved" in str(part) for part in commit._arguments):
            # First in line: a server that answers an earlier question to nobody drops what it has not read yet.
            while house.app.requests._redis._wire._waiting:  # type: ignore[attr-defined]  # the Client in it
                await asyncio.sleep(0)
            still.__enter__()
        return await whole(commit, *args)

    monkeypatch.setattr(Commit, "run", stopped)
    try:
        await press(house, seed.BEN, waiting, "approve")
        await answered(house, seed.BEN, NOT_CONFIRMED)
    finally:
        monkeypatch.undo()
        still.__exit__()
    await redis.ping()  # what lay waiting is answered now: no lease is given after the minute below
    await house.advance(LEASE_MS)  # what was in hand and could not be settled
    await says(house, waiting, "Approved by <@U0BEN>")
    await own_card(house, seed.ROSA, button="activate")
    assert (await events(house)).count("request.approved") == 4


@pytest.mark.seeded
async def test_a_redis_that_was_away_is_found_again_and_what_was_due_meanwhile_is_done(
    house: House, server: servers.Server
) -> None:
    waiting = await asked(house, "open payments/staging for 1h because INC-7 later")
    await press(house, seed.BEN, waiting, "approve")
    await active(house, JOIN)
    server.kill()
    await house.advance(15 * MINUTE)
    assert (
        await press(house, seed.ROSA, await own_card(house, seed.ROSA, "staging", button="activate"), "activate")
    ).acked
    await answered(house, seed.ROSA, NOT_CONFIRMED)
    assert house.directory.members(seed.ROLE_GROUP) == ["rosa@example.com"]
    server.start()
    await house.workspace.wait_for(lambda: house.directory.members(seed.ROLE_GROUP) == [])
    await card(house, "Ended by itself", "database-admin")
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, "staging", button="activate"), "activate")
    await own_card(house, seed.ROSA, "staging", button="show_values")


@pytest.mark.seeded
async def test_a_full_redis_gives_nothing_and_takes_back_all_the_same(house: House, redis: Redis) -> None:
    mine = await active(house, JOIN)
    other = await asked(house, "open payments/prod for 15m because INC-7 other")
    await redis.config_set("maxmemory", "1mb")
    assert (await press(house, seed.BEN, other, "approve")).acked
    await answered(house, seed.BEN, FULL)
    refused = await ask(house, seed.ROSA, OPEN)
    assert FULL in text_of(house.workspace.modals(seed.ROSA)[-1]), refused
    assert (await press(house, seed.ROSA, mine, "end")).acked
    await house.workspace.wait_for(lambda: house.directory.members(seed.ROLE_GROUP) == [])
    ended = await card(house, "Ended", "database-admin")
    assert len([each for each in house.workspace.messages(seed.APPROVALS) if "database-admin" in text_of(each)]) == 1
    await says(house, mine, "Ended")
    await redis.config_set("maxmemory", "0")
    await press(house, seed.BEN, again(house, other), "approve")
    await says(house, other, "Approved by <@U0BEN>")
    assert "Ended" in text_of(again(house, ended))


async def test_the_end_comes_by_itself_to_a_full_redis_too(house: House, redis: Redis) -> None:
    await active(house)
    await redis.config_set("maxmemory", "1mb")
    await house.advance(13 * MINUTE)
    await own_card(house, seed.ROSA, "Ends soon")
    await house.advance(2 * MINUTE)
    await card(house, "Ended by itself", "INC-7")
    assert "grant.ended" in await events(house)
    await redis.config_set("maxmemory", "0")


@pytest.mark.seeded
async def test_a_process_starts_on_a_full_redis_and_takes_back(open_house: OpenHouse, server: servers.Server) -> None:
    house = await open_house()
    await active(house, JOIN)
    await house.apps.pop().stop()
    await house.advance(15 * MINUTE)
    async with Redis.from_url(server.url) as redis:
        await redis.config_set("maxmemory", "1mb")
    await house.move_in()
    await house.workspace.wait_for(lambda: house.directory.members(seed.ROLE_GROUP) == [])
    await card(house, "Ended by itself", "database-admin")


@pytest.mark.parametrize(
    ("option", "bad", "good", "says_why"),
    [("appendonly", "no", "yes", "append-only file is off"), ("maxmemory-policy", "allkeys-lru", "noeviction", "throws records away")],
)  # fmt: skip
async def test_a_redis_that_forgets_gives_nothing_from_the_next_look_on_until_it_is_mended(
    house: House, redis: Redis, option: str, bad: str, good: str, says_why: str
) -> None:
    mine = await active(house)
    other = await asked(house, "open payments/prod for 15m because INC-7 other")
    await redis.config_set(option, bad)
    await house.app.watch.look()

    await press(house, seed.BEN, other, "approve")
    assert says_why in await told(house, seed.BEN, "Nothing is granted or read for now.")
    await press(house, seed.ROSA, mine, "show_values")
    await answered(house, seed.ROSA, "Nothing is granted or read for now.")
    assert house.workspace.modals(seed.ROSA) == []
    await house.advance(15 * MINUTE)
    await card(house, "Ended by itself", "INC-7")

    await redis.config_set(option, good)
    await mended(house, redis)
    await press(house, seed.BEN, again(house, other), "approve")
    await says(house, other, "Approved by <@U0BEN>")


async def mended(house: House, redis: Redis) -> None:
    while (await redis.info("persistence")).get("aof_rewrite_in_progress"):
        await asyncio.sleep(0.01)  # Redis tells nobody when its file is whole again
    await house.app.watch.look()
    assert house.app.watch.fit() is None


@pytest.mark.seeded
async def test_nobody_is_let_in_outside_while_redis_forgets(house: House, redis: Redis) -> None:
    """It was approved and activated in time; but the end of what is given now might not be remembered."""
    gate = Gate(house.directory)
    gate.status = 503
    waiting = await asked(house, JOIN)
    await press(house, seed.BEN, waiting, "approve")
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
    await says(house, waiting, "not confirmed yet")
    await redis.config_set("appendonly", "no")
    await house.app.watch.look()
    gate.status = None
    await house.advance(MINUTE)
    await house.app.relay.settled()
    assert gate.seen == [()]
    await redis.config_set("appendonly", "yes")
    await mended(house, redis)
    await house.advance(MINUTE)
    await says(house, waiting, "Active")
    assert gate.seen == [(), ("rosa@example.com",)]


async def test_what_was_answered_survives_a_kill_of_redis_in_the_middle_of_clicks(
    house: House, server: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = []
    for number in range(8):
        await ask(house, seed.ROSA, f"open payments/prod for 15m because INC-7 number {number}")
        cards.append(await card(house, f"number {number}"))
    whole, made, killed, passed = Commit.run, asyncio.Barrier(4), asyncio.Event(), 0

    async def killing(commit: Commit, *args: Any) -> Any:
        """Three are made, the fourth is on its way when Redis goes, the others come after that."""
        nonlocal passed
        if not any("request.approved" in str(part) for part in commit._arguments):
            return await whole(commit, *args)
        passed += 1
        if passed == 4:
            await made.wait()
            sent = asyncio.create_task(whole(commit, *args))
            await asyncio.sleep(0)
            server.kill()
            killed.set()
            return await sent
        if passed > 4:
            await killed.wait()
            return await whole(commit, *args)
        answer = await whole(commit, *args)
        await made.wait()
        return answer

    monkeypatch.setattr(Commit, "run", killing)
    await asyncio.gather(*(press(house, seed.BEN, each, "approve") for each in cards))
    monkeypatch.undo()
    server.start()
    await answered(house, seed.BEN, "Not confirmed")
    await house.advance(LEASE_MS)  # what was in hand when Redis went is done again when its lease is over
    states = {each.ts: (await house.app.requests.get(request_of(each))).request.state for each in cards}
    await house.workspace.wait_for(lambda: unsure(house) >= 4)
    assert unsure(house) <= 5
    assert list(states.values()).count("approved") >= len(cards) - unsure(house)
    for each in cards:
        if states[each.ts] == "approved":
            await says(house, each, "Approved by <@U0BEN>")
        else:
            assert "approve" in actions_of(again(house, each))
    numbers = [number for number, _ in await house.app.audit.newest(most=500)]
    assert numbers == list(range(len(numbers), 0, -1))


def unsure(house: House) -> int:
    return len([text for text in ephemerals(house, seed.BEN) if NOT_CONFIRMED in text])
