"""A key server remembers the newest roster that it was told of, and answers for no other one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from keyserver.callers import Callers
from keyserver.ledger import Ledger
from keyserver.rosters import Rosters
from keyserver.server import KeyServing
from store.keys.file import KeyFile
from store.keys.identity import Identity
from store.keys.ring import Keyring
from store.keys.server import KeyServer
from store.model.buckets import Buckets
from store.model.errors import Unavailable
from store.model.roster import ROSTER, Member, Roster
from store.model.sealed import Epoch, length_prefixed
from tests.store.keys.holders import Draws, Memory

INSTALLATION: Final = "abc123"
OTHER = Member(name="other", address="/other.key", fingerprint="0" * 32, since_ms=1)


@dataclass
class Server:
    folder: Path
    own: Identity
    caller: Identity
    serving: KeyServing | None = None
    port: int = 0

    async def start(self) -> None:
        callers = Callers(self.folder / "callers")
        if not callers.names():
            callers.allow("production", self.caller.certificate)
        key = await KeyFile.load_or_make(self.folder / "own.key", random=Draws("own"))
        self.ledger = Ledger(self.folder / "ledger.jsonl").open()
        rosters = Rosters(self.folder / "rosters", self.own.pin[:32])
        pace = Buckets(lambda: 0.0, 1, 1_000)
        self.serving = KeyServing(
            key, self.own, callers, self.ledger, pace, rosters, lambda: datetime(2026, 11, 21, tzinfo=UTC)
        )
        self.port = await self.serving.start("127.0.0.1", 0)

    async def stop(self) -> None:
        assert self.serving is not None
        await self.serving.stop()
        self.ledger.close()

    def holder(self) -> KeyServer:
        """One Countersign, without memory."""
        return KeyServer(f"https://127.0.0.1:{self.port}#{self.own.pin}", self.caller, random=Draws("holder"))

    def told(self) -> list[tuple[str, str, str]]:
        lines = Ledger(self.folder / "ledger.jsonl").read()
        return [
            (line.did, line.about.rpartition("/")[2], line.answer)
            for line in lines
            if line.did == "roster" or line.answer != "done"
        ]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    own, caller = [await Identity.load_or_make(tmp_path / f"{name}.key", Draws(name)) for name in ("own", "bot")]
    found = Server(tmp_path, own, caller)
    await found.start()
    yield found
    await found.stop()


class Told:
    """A Countersign that follows a roster, and an environment's key that it has sealed."""

    def __init__(self, server: Server) -> None:
        self.holder = server.holder()
        self.ring = Keyring([self.holder, Memory("m")], INSTALLATION, Draws("ring"), lambda: 0.0)
        self.member = Member(name="keys", address="https://keys:1", fingerprint=self.holder.fingerprint, since_ms=1)
        self.epochs: dict[int, Epoch] = {}

    async def roster(self, number: int, previous: Roster | None = None, **changed: Any) -> Roster:
        fields = {"members": (self.member, OTHER), "how": "first", "at_ms": number, **changed}
        roster = Roster(number=number, previous_mac=previous.mac if previous else None, **fields)
        self.epochs[number], key = await self.ring.mint(ROSTER, number, among=[self.holder.fingerprint])
        return roster.model_copy(update={"mac": key.authenticate(roster.canonical(INSTALLATION))})

    def follow(self, roster: Roster) -> None:
        self.ring.admit(roster, self.epochs[roster.number])

    async def asks(self) -> None:
        """For a key of an environment, as a new reader does."""
        wrapped = await self.holder.wrap(bytes(32), CONTEXT)
        assert await self.holder.unwrap(wrapped, CONTEXT) == bytes(32)


CONTEXT: Final = length_prefixed("countersign/epoch/1", INSTALLATION, "e" * 24, 1)


@pytest.fixture
async def told(server: Server) -> AsyncIterator[Told]:
    found = Told(server)
    yield found
    await found.holder.close()


async def refused(told: Told) -> str:
    with pytest.raises(Unavailable) as caught:
        await told.asks()
    assert caught.value.detail == "unknown_roster"
    return caught.value.sentence


async def test_it_is_told_of_a_roster_at_the_first_key_and_of_the_next_one_when_it_comes(server, told):
    first = await told.roster(1)
    told.follow(first)
    await told.asks()
    second = await told.roster(2, first)
    told.follow(second)
    await told.asks()
    assert server.told() == [
        ("unwrap", "1", "unknown_roster"), ("roster", "1", "done"),
        ("unwrap", "1", "unknown_roster"), ("roster", "2", "done"),
    ]  # fmt: skip


async def test_who_follows_an_older_one_or_none_gets_no_key_and_the_ledger_tells(server, told):
    first = await told.roster(1)
    second = await told.roster(2, first)
    told.follow(second)
    await told.asks()
    told.follow(first)
    assert "it knows roster 2" in await refused(told)
    none = Told(server)
    assert "it knows roster 2, and you say none" in await refused(none)
    await none.holder.close()
    late = Told(server)
    with pytest.raises(Unavailable, match="the key of an older one"):
        await late.ring.recover(told.epochs[1], [late.holder.fingerprint])
    await late.holder.close()
    assert [line for line in server.told() if line[2] == "unknown_roster"][-1][0] == "unwrap"
    await told.holder.challenge()


async def test_it_remembers_over_its_own_restart(server, told):
    first = await told.roster(1)
    second = await told.roster(2, first)
    told.follow(second)
    await told.asks()
    await server.stop()
    await server.start()
    late = Told(server)
    late.epochs = told.epochs
    late.follow(first)
    assert "it knows roster 2" in await refused(late)
    late.follow(second)
    await late.asks()
    await late.holder.close()


@pytest.mark.parametrize(
    "changed",
    [{"at_ms": 7}, {"members": (OTHER,)}, {"mac": "0" * 64}, {"number": 3}, {"mac": None}],
    ids=lambda changed: next(iter(changed)),
)
async def test_it_is_told_of_no_roster_that_is_not_genuine(server, told, changed):
    first = await told.roster(1)
    told.epochs[3] = told.epochs[1]
    told.follow(first.model_copy(update=changed))
    if "members" in changed:  # the ring would not ask it then
        told.holder.meet(
            first.model_copy(update=changed), told.epochs[1].wraps[told.holder.fingerprint].wrapped, INSTALLATION
        )
    await refused(told)
    assert ("roster", "1", "done") not in server.told()


async def test_a_genuine_roster_that_does_not_name_it_is_none(server, told):
    first = await told.roster(1, members=(OTHER,))
    told.holder.meet(first, told.epochs[1].wraps[told.holder.fingerprint].wrapped, INSTALLATION)
    assert "does not name it" in await refused(told)


async def test_another_roster_of_the_same_or_the_next_number_is_none(server, told):
    first = await told.roster(1)
    told.follow(first)
    await told.asks()
    fork = await told.roster(1, at_ms=9)
    told.follow(fork)
    assert "does not come after it" in await refused(told)
    told.follow(await told.roster(2, fork))
    assert "does not come after it" in await refused(told)


async def test_one_that_was_away_for_a_while_takes_a_later_one(server, told):
    first = await told.roster(1)
    told.follow(first)
    await told.asks()
    third = await told.roster(3, await told.roster(2, first))
    told.follow(third)
    await told.asks()


async def test_each_caller_has_a_roster_of_its_own(server, told):
    """Who is allowed too cannot make it forget what another one told it."""
    told.follow(await told.roster(4))
    await told.asks()
    known = Rosters(server.folder / "rosters", server.own.pin[:32])
    assert known.known("production", INSTALLATION) is not None
    assert known.known("staging", INSTALLATION) is None
    assert known.known("production", "other") is None
