"""A key server over real TLS on a real socket: what it answers, to whom, and what it writes down."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from keyserver.callers import Callers
from keyserver.ledger import Ledger
from keyserver.rosters import Rosters
from keyserver.server import NEWCOMERS_S, KeyServing
from store.keys.file import KeyFile
from store.keys.identity import Identity
from store.keys.ring import Keyring
from store.keys.server import KeyServer
from store.model.buckets import Buckets
from store.model.errors import Conflict, Invalid, NotFound, Unavailable
from store.model.sealed import length_prefixed
from tests.store.keys.holders import Draws, Memory, shows

KEY = bytes(range(32))
CONTEXT = length_prefixed("countersign/epoch/1", "abc123", "f00d", 7)
PER_MINUTE = 6


@dataclass
class Hour:
    """A monotonic clock that is moved by hand."""

    at_s: float = 1000.0

    def __call__(self) -> float:
        return self.at_s


@dataclass
class Place:
    """A key server and a Countersign that it knows."""

    folder: Path
    serving: KeyServing
    identity: Identity
    caller: Identity
    callers: Callers
    ledger: Ledger
    clock: Hour
    port: int = 0
    opened: list[KeyServer] = field(default_factory=list)

    def holder(self, identity: Identity | None = None, pin: str | None = None) -> KeyServer:
        address = f"https://127.0.0.1:{self.port}#{pin or self.identity.pin}"
        self.opened.append(KeyServer(address, identity or self.caller, random=Draws("holder")))
        return self.opened[-1]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "ledger.jsonl").read_text().splitlines()]


async def identity(folder: Path, name: str) -> Identity:
    return await Identity.load_or_make(folder / f"{name}.key", Draws(name))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    callers, clock = Callers(tmp_path / "callers"), Hour()
    caller, own = await identity(tmp_path, "bot"), await identity(tmp_path, "own")
    callers.allow("production", caller.certificate)
    ledger = Ledger(tmp_path / "ledger.jsonl").open()
    key = await KeyFile.load_or_make(tmp_path / "own.key", random=Draws("own"))
    rosters = Rosters(tmp_path / "rosters", own.pin[:32])
    serving = KeyServing(
        key,
        own,
        callers,
        ledger,
        Buckets(clock, PER_MINUTE / 60, PER_MINUTE),
        rosters,
        lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )
    found = Place(tmp_path, serving, own, caller, callers, ledger, clock)
    found.port = await serving.start("127.0.0.1", 0)
    yield found
    for holder in found.opened:
        await holder.close()
    await serving.stop()
    ledger.close()


async def refusal(holder: KeyServer) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await holder.wrap(KEY, CONTEXT)
    assert shows(f"{caught.value!r} {caught.value} {caught.value.sentence}", [KEY]) == []
    return caught.value


async def test_a_key_comes_back_under_its_context_and_both_answers_are_written_down(place: Place) -> None:
    holder = place.holder()
    wrapped = await holder.wrap(KEY, CONTEXT)
    assert KEY not in wrapped
    assert await holder.unwrap(wrapped, CONTEXT) == KEY
    assert [(line["did"], line["caller"], line["about"], line["answer"]) for line in place.lines()] == [
        ("wrap", "production", "abc123/f00d/7", "done"),
        ("unwrap", "production", "abc123/f00d/7", "done"),
    ]
    written = (place.folder / "ledger.jsonl").read_text()
    assert base64.b64encode(KEY).decode() not in written
    assert base64.b64encode(wrapped).decode() not in written


async def test_another_context_and_an_altered_key_are_refused_as_altered(place: Place) -> None:
    holder = place.holder()
    wrapped = await holder.wrap(KEY, CONTEXT)
    for blob, context in ((wrapped, CONTEXT + b"\0"), (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), CONTEXT)):
        with pytest.raises(Unavailable) as caught:
            await holder.unwrap(blob, context)
        assert caught.value.detail == "tampered"
    assert [line["answer"] for line in place.lines()] == ["done", "tampered", "tampered"]


async def test_it_does_a_holders_work_for_a_keyring(place: Place) -> None:
    holder = place.holder()
    ring = Keyring([holder, Memory("beside")], "abc123", Draws("ring"), place.clock)
    epoch, key = await ring.mint("f00d", secure=True)
    assert set(epoch.wraps) == {holder.fingerprint, Memory("beside").fingerprint}
    again = Keyring([holder], "abc123", Draws("again"), place.clock)
    assert (await again.open(epoch)).commitment == key.commitment


async def test_who_was_not_allowed_does_not_come_through_the_handshake(place: Place) -> None:
    stranger = await identity(place.folder, "stranger")
    assert (await refusal(place.holder(stranger))).detail == "no_answer"
    assert place.lines() == []


async def test_who_is_allowed_while_it_runs_is_let_in_and_who_is_forgotten_is_out_at_once(place: Place) -> None:
    second = await identity(place.folder, "second")
    place.callers.allow("second", second.certificate)
    holder = place.holder(second)
    await _until_known(holder)
    place.callers.forget("second")
    assert (await refusal(holder)).detail == "unknown_caller"
    assert await place.holder().wrap(KEY, CONTEXT)
    assert place.lines()[-2]["answer"] == "unknown_caller"


async def _until_known(holder: KeyServer) -> None:
    """At the next look into the folder."""
    async with asyncio.timeout(NEWCOMERS_S * 5):
        while True:
            try:
                await holder.wrap(KEY, CONTEXT)
            except Unavailable:
                await asyncio.sleep(NEWCOMERS_S / 10)
            else:
                return


async def test_nothing_is_said_to_a_server_that_is_not_the_one_it_was_pinned_to(place: Place) -> None:
    other = await identity(place.folder, "other")
    refused = await refusal(place.holder(pin=other.pin))
    assert "another certificate" in refused.sentence
    assert place.lines() == []


async def test_too_many_in_a_minute_wait_and_are_written_down(place: Place) -> None:
    holder = place.holder()
    for _ in range(PER_MINUTE):
        await holder.wrap(KEY, CONTEXT)
    assert (await refusal(holder)).detail == "too_many"
    place.clock.at_s += 60 / PER_MINUTE
    await holder.wrap(KEY, CONTEXT)
    assert [line["answer"] for line in place.lines()][-2:] == ["too_many", "done"]


async def test_nothing_is_answered_that_cannot_be_written_down(place: Place) -> None:
    holder = place.holder()
    wrapped = await holder.wrap(KEY, CONTEXT)
    place.ledger.close()
    with pytest.raises(Unavailable) as caught:
        await holder.unwrap(wrapped, CONTEXT)
    assert caught.value.detail == "ledger"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"key": 1, "context": ""}',
        b'{"key": "AA==", "context": ""}',
        b'{"key": "!", "context": ""}',
        json.dumps({"key": base64.b64encode(KEY).decode(), "context": base64.b64encode(bytes(513)).decode()}).encode(),
        b"x" * 40_000,
    ],
)
async def test_a_body_that_is_none_is_refused_and_written_down(place: Place, body: bytes) -> None:
    pin = aiohttp.Fingerprint(bytes.fromhex(place.identity.pin))
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=pin)) as session,
        session.post(f"https://127.0.0.1:{place.port}/v1/wrap", data=body, ssl=place.caller.calling()) as reply,
    ):
        assert (reply.status, (await reply.json())["code"]) == (400, "bad_body")
    assert [line["answer"] for line in place.lines()] == ["bad_body"]


async def test_a_ledger_goes_on_where_it_was_and_tells_every_alteration(place: Place) -> None:
    for _ in range(3):
        await place.holder().wrap(KEY, CONTEXT)
    path = place.folder / "ledger.jsonl"
    whole = path.read_text().splitlines(keepends=True)
    again = Ledger(path).open()
    again.write(at="2026-11-22T00:00:00.000+00:00", caller="production", did="wrap", about="", answer="done")
    again.close()
    assert [line.number for line in Ledger(path).read()] == [1, 2, 3, 4]
    for altered in (
        whole[1:],
        [whole[0], *whole[2:]],
        [whole[1], whole[0], whole[2]],
        [whole[0].replace("production", "another"), *whole[1:]],
        [whole[0], whole[1].replace(",", ", ", 1), whole[2]],
        [whole[0], whole[1][:-30]],
        [*whole, whole[2]],
    ):
        path.write_text("".join(altered))
        with pytest.raises(Unavailable, match="does not follow"):
            Ledger(path).open()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "keys-1:8490",
        "http://keys-1:8490#" + "0" * 64,
        "https://keys-1:8490",
        "https://keys-1:8490#" + "0" * 63,
        "https://keys-1:8490#" + "g" * 64,
        "https://a:b@keys-1:8490#" + "0" * 64,
        "https://keys-1:8490/x#" + "0" * 64,
        "https://keys-1:8490/?x#" + "0" * 64,
        "https://[::1#" + "0" * 64,
    ],
)
async def test_an_address_without_a_pin_is_none(tmp_path: Path, address: str) -> None:
    own = await identity(tmp_path, "bot")
    with pytest.raises(Invalid, match="Write its address with the pin"):
        KeyServer(address, own, random=Draws())


async def test_a_caller_has_one_name_and_a_name_one_caller(tmp_path: Path) -> None:
    callers = Callers(tmp_path / "callers")
    first, second = await identity(tmp_path, "first"), await identity(tmp_path, "second")
    assert callers.names() == {}
    assert callers.allow("production", first.certificate) == first.pin
    for name, certificate, error in (
        ("production", second.certificate, Conflict),
        ("other", first.certificate, Conflict),
        ("../other", second.certificate, Invalid),
        ("other", "nothing", Invalid),
    ):
        with pytest.raises(error):
            callers.allow(name, certificate)
    with pytest.raises(NotFound):
        callers.forget("other")
    callers.forget("production")
    assert callers.names() == {}


async def test_an_identity_is_the_same_each_time_and_follows_from_its_file(tmp_path: Path) -> None:
    first = await identity(tmp_path, "first")
    again = await identity(tmp_path, "first")
    assert (first.pin, first.certificate) == (again.pin, again.certificate)
    assert first.pin != (await identity(tmp_path, "second")).pin
    assert first.pin[:8] in repr(first)
