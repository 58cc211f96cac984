"""Logging in: one code, one person, one delivery; and a renewal only for who proves to be the same computer, and is still there."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import aiohttp
import fakeredis
import pytest

from bot import logging_in as limits
from bot.http.addresses import Addresses
from bot.http.api import Api
from bot.http.auth import Auth
from bot.http.login import LoginOperations
from bot.http.pace import Pace
from bot.http.server import HttpServer
from bot.http.waiting import AGAIN_S, Waiting
from bot.logging_in import Begun, LoggingIn, network
from bot.settings import Address
from scheduler.metrics import Metrics
from store.keys import computer
from store.keys.computer import Computer, encode, renewal
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.login import Attempt
from store.model.token import Bearer, Token
from store.redis.logins import Logins
from store.redis.pulse import Pulse
from store.redis.tokens import Tokens
from tests.builders import ANA, BOB, NOW
from tests.store.redis.corridor import Corridor

HERE = "192.0.2.7"
HOURS = 3_600_000
SESSION_MS = 12 * HOURS


class Desk:
    """A computer, and the server that it asks."""

    def __init__(self, corridor: Corridor) -> None:
        self.corridor = corridor
        self.logins = Logins(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)
        self.tokens = Tokens(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)
        self.computer = Computer.mint(os.urandom)
        self.doors = LoggingIn(
            self.logins, self.tokens, corridor.crowd, os.urandom, lambda: corridor.now_ms, SESSION_MS
        )
        self._nonces: Iterator[int] = itertools.count()

    async def ask(self, address: str = HERE) -> Begun:
        return await self.doors.ask("laptop", self.computer.seals, self.computer.signs, address)

    async def confirmed(self, user: str = ANA) -> Begun:
        begun = await self.ask()
        await self.doors.typed(user, begun.attempt.code)
        await self.doors.confirm(user, begun.attempt.id)
        return begun

    async def logged_in(self, user: str = ANA) -> Attempt:
        begun = await self.confirmed(user)
        fetched = await self.doors.fetch(begun.attempt.id, begun.poll)
        assert fetched is not None
        return fetched

    def shown(self, fetched: Attempt) -> Bearer:
        assert fetched.sealed is not None
        assert fetched.token_expires_ms is not None
        secret = self.computer.open(fetched.sealed, fetched.id, fetched.token_expires_ms)
        return Bearer.read(secret.reveal().decode())

    async def lives(self, shown: Bearer) -> Token | None:
        try:
            return await self.tokens.show(shown, self.corridor.now_ms)
        except Forbidden:
            return None

    def proof(self, token: str, *, at_ms: int | None = None, by: Computer | None = None) -> tuple[str, int, str, str]:
        at = self.corridor.now_ms if at_ms is None else at_ms
        nonce = f"nonce{next(self._nonces):011}"
        return token, at, nonce, (by or self.computer).sign(renewal(token, at, nonce))

    async def renew(self, token: str, **changed: Any) -> Bearer:
        renewed = await self.doors.renew(*self.proof(token, **changed), HERE)
        return Bearer.read(self.computer.open(renewed.sealed, token, renewed.expires_ms).reveal().decode())

    async def events(self, name: str) -> list[dict[str, Any]]:
        entries = await self.corridor.log.newest(most=500)
        return [dict(entry.details) | {"actor": entry.actor} for _, entry in entries if entry.event == name]


@pytest.fixture
async def desk() -> Desk:
    corridor = Corridor(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()))
    await corridor.enact()
    return Desk(corridor)


async def refusal(work: Awaitable[Any], kind: type[AccessError] = Forbidden) -> str:
    with pytest.raises(kind) as refused:
        await work
    return refused.value.detail


async def test_what_is_confirmed_is_the_persons_and_only_that_computer_reads_it(desk):
    fetched = await desk.logged_in()
    token = await desk.lives(desk.shown(fetched))
    assert token is not None
    assert (token.holder, token.name, token.address) == (ANA, "laptop", HERE)
    assert (token.expires_ms, token.until_ms) == (NOW + limits.TOKEN_MS, NOW + SESSION_MS)
    with pytest.raises(Unavailable):
        Computer.mint(os.urandom).open(fetched.sealed, fetched.id, fetched.token_expires_ms)


async def test_of_a_hundred_who_fetch_it_one_gets_it(desk):
    begun = await desk.confirmed()
    tries = [desk.doors.fetch(begun.attempt.id, begun.poll) for _ in range(100)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, Attempt) for answer in answers) == 1
    assert {type(answer) for answer in answers if not isinstance(answer, Attempt)} == {NotFound}
    assert len(await desk.events("login.delivered")) == 1


async def test_of_two_replicas_that_have_both_read_it_one_delivers(desk):
    """Each has seen the same version before either takes it."""
    begun = await desk.confirmed()
    attempt, version = await desk.logins.find(begun.attempt.id)
    assert attempt is not None
    assert [await desk.logins.take(attempt, version, taker, []) for taker in ("one", "two")] == [True, False]


async def test_who_only_knows_the_login_fetches_nothing(desk):
    begun = await desk.confirmed()
    assert await refusal(desk.doors.fetch(begun.attempt.id, "A" * 43), NotFound) == "login_over"
    assert await refusal(desk.doors.withdraw(begun.attempt.id, "A" * 43), NotFound) == "login_over"
    assert await desk.doors.fetch(begun.attempt.id, begun.poll) is not None


async def test_a_code_is_of_whoever_types_it_first(desk):
    begun = await desk.ask()
    await desk.doors.typed(ANA, begun.attempt.code)
    assert await refusal(desk.doors.typed(BOB, begun.attempt.code), NotFound) == "wrong_code"
    for act in (desk.doors.confirm, desk.doors.deny):
        assert await refusal(act(BOB, begun.attempt.id), NotFound) == "login_over"
    assert (await desk.doors.typed(ANA, begun.attempt.code)).by == ANA


async def test_two_who_type_it_at_once_are_one(desk):
    begun = await desk.ask()
    answers = await asyncio.gather(
        *(desk.doors.typed(user, begun.attempt.code) for user in (ANA, BOB)), return_exceptions=True
    )
    assert sum(isinstance(answer, Attempt) for answer in answers) == 1


async def test_nothing_is_confirmed_whose_code_nobody_typed(desk):
    begun = await desk.ask()
    assert await refusal(desk.doors.confirm(ANA, begun.attempt.id), NotFound) == "login_over"


async def test_it_is_over_after_ten_minutes_to_the_millisecond(desk):
    begun, late = await desk.ask(), await desk.ask()
    await desk.doors.typed(ANA, late.attempt.code)
    desk.corridor.skew_ms += limits.CODE_MS - 1
    await desk.doors.typed(ANA, begun.attempt.code)
    desk.corridor.skew_ms += 1
    assert await refusal(desk.doors.confirm(ANA, late.attempt.id), NotFound) == "login_over"
    assert await refusal(desk.doors.typed(ANA, begun.attempt.code), NotFound) == "wrong_code"
    assert await refusal(desk.doors.fetch(begun.attempt.id, begun.poll), NotFound) == "login_over"


async def test_confirming_twice_is_once(desk):
    begun = await desk.confirmed()
    assert await refusal(desk.doors.confirm(ANA, begun.attempt.id), NotFound) == "login_over"
    assert len(await desk.tokens.of(ANA)) == 1


async def test_what_was_denied_is_not_confirmed(desk):
    begun = await desk.ask()
    await desk.doors.typed(ANA, begun.attempt.code)
    await desk.doors.deny(ANA, begun.attempt.id)
    assert await refusal(desk.doors.confirm(ANA, begun.attempt.id), NotFound) == "login_over"
    assert await refusal(desk.doors.fetch(begun.attempt.id, begun.poll)) == "denied"
    assert await desk.tokens.of(ANA) == []


async def test_confirming_and_denying_at_once_is_one_of_them(desk):
    begun = await desk.ask()
    await desk.doors.typed(ANA, begun.attempt.code)
    answers = await asyncio.gather(
        desk.doors.confirm(ANA, begun.attempt.id), desk.doors.deny(ANA, begun.attempt.id), return_exceptions=True
    )
    assert sum(isinstance(answer, NotFound) for answer in answers) == 1
    assert len(await desk.tokens.of(ANA)) == isinstance(answers[0], Token)


async def test_what_is_withdrawn_ends_also_when_it_was_confirmed(desk):
    begun = await desk.confirmed()
    await desk.doors.withdraw(begun.attempt.id, begun.poll)
    assert await desk.tokens.of(ANA) == []
    assert await refusal(desk.doors.fetch(begun.attempt.id, begun.poll), NotFound) == "login_over"


async def test_signing_out_everywhere_also_ends_what_is_confirmed_in_the_same_moment(desk):
    """Its epoch is read before, and guarded."""
    begun = await desk.ask()
    await desk.doors.typed(ANA, begun.attempt.code)
    before = desk.tokens.epoch

    async def epoch(actor: str) -> int:
        desk.tokens.epoch = before
        seen: int = await before(actor)
        await desk.tokens.end_all(actor, actor, "all:1", "asked")
        return seen

    desk.tokens.epoch = epoch
    assert await refusal(desk.doors.confirm(ANA, begun.attempt.id), NotFound) == "login_over"


BARRED: list[dict[str, Any]] = [{"active": False}, {"guest": True}, {"home": False}, {"human": False}]


@pytest.mark.parametrize("fact", BARRED, ids=lambda fact: next(iter(fact)))
async def test_who_may_nothing_here_logs_nothing_in_and_renews_nothing(desk, fact):
    fetched, begun = await desk.logged_in(), await desk.ask()
    await desk.doors.typed(ANA, begun.attempt.code)
    desk.corridor.crowd.changed[ANA] = fact
    assert await refusal(desk.doors.typed(ANA, begun.attempt.code)) == "forbidden"
    assert await refusal(desk.doors.confirm(ANA, begun.attempt.id)) == "forbidden"
    assert await refusal(desk.renew(fetched.id)) == "forbidden"
    assert (await desk.events("login.refused"))[0]["why"] == "barred"


async def test_who_is_not_known_renews_nothing(desk):
    fetched = await desk.logged_in()
    desk.corridor.crowd.without = {ANA}
    assert await refusal(desk.renew(fetched.id), Unavailable) == "people_unknown"
    begun = await desk.ask()
    assert await refusal(desk.doors.typed(ANA, begun.attempt.code), Unavailable) == "people_unknown"


async def test_a_renewal_gives_another_secret_and_ends_the_old_one(desk):
    fetched = await desk.logged_in()
    old = desk.shown(fetched)
    desk.corridor.skew_ms += limits.TOKEN_MS  # over, and renewed all the same
    assert await desk.lives(old) is None
    new = await desk.renew(fetched.id)
    token = await desk.lives(new)
    assert token is not None
    assert (token.id, token.expires_ms) == (fetched.id, desk.corridor.now_ms + limits.TOKEN_MS)
    assert new.hash != old.hash


async def test_no_renewal_goes_beyond_the_session(desk):
    fetched = await desk.logged_in()
    desk.corridor.skew_ms += SESSION_MS - 1
    token = await desk.lives(await desk.renew(fetched.id))
    assert token is not None
    assert token.expires_ms == NOW + SESSION_MS
    desk.corridor.skew_ms += 1
    assert await refusal(desk.renew(fetched.id)) == "bad_token"


async def test_only_the_computer_that_logged_in_renews(desk):
    fetched = await desk.logged_in()
    assert await refusal(desk.renew(fetched.id, by=Computer.mint(os.urandom))) == "bad_token"
    assert (await desk.events("login.refused"))[0] == {
        "token": fetched.id,
        "user": ANA,
        "why": "signature",
        "actor": f"address:{HERE}",
    }
    assert await desk.lives(desk.shown(fetched)) is not None


@pytest.mark.parametrize("part", range(4))
async def test_a_proof_is_of_every_part_of_it(desk, part):
    fetched, other = await desk.logged_in(), await desk.logged_in()
    proof: list[Any] = list(desk.proof(fetched.id))
    proof[part] = [other.id, proof[1] + 1, "another-nonce-123", "A" * 86][part]
    assert await refusal(desk.doors.renew(*proof, HERE)) == "bad_token"


@pytest.mark.parametrize(
    ("off_ms", "good"), [(0, True), (120_000, True), (-120_000, True), (120_001, False), (-120_001, False)]
)
async def test_a_proof_is_of_now(desk, off_ms, good):
    fetched = await desk.logged_in()
    work = desk.renew(fetched.id, at_ms=NOW + off_ms)
    if good:
        assert await work
    else:
        assert await refusal(work) == "clock"


async def test_no_proof_is_taken_twice_nor_one_that_is_older(desk):
    fetched = await desk.logged_in()
    proof = desk.proof(fetched.id)
    await desk.doors.renew(*proof, HERE)
    for again in (proof, desk.proof(fetched.id, at_ms=proof[1]), desk.proof(fetched.id, at_ms=proof[1] - 1)):
        assert await refusal(desk.doors.renew(*again, HERE)) == "replayed"
    assert await desk.doors.renew(*desk.proof(fetched.id, at_ms=proof[1] + 1), HERE)


async def test_a_nonce_is_taken_once_also_with_another_time(desk):
    fetched = await desk.logged_in()
    token, at_ms, nonce, signature = desk.proof(fetched.id)
    await desk.doors.renew(token, at_ms, nonce, signature, HERE)
    later = desk.computer.sign(renewal(token, at_ms + 1, nonce))
    assert await refusal(desk.doors.renew(token, at_ms + 1, nonce, later, HERE)) == "replayed"


async def test_what_was_revoked_or_ended_is_not_renewed(desk):
    one, two = await desk.logged_in(), await desk.logged_in()
    await desk.tokens.revoke(one.id, ANA, "revoke:1")
    assert await refusal(desk.renew(one.id)) == "bad_token"
    await desk.tokens.end_all(ANA, ANA, "all:1", "asked")
    assert await refusal(desk.renew(two.id)) == "bad_token"


async def test_what_is_revoked_while_it_is_renewed_stays_revoked(desk):
    fetched = await desk.logged_in()
    people = desk.corridor.crowd.people

    async def meanwhile(*given: Any, **more: Any) -> Any:
        await desk.tokens.end_all(ANA, ANA, "all:1", "asked")
        return await people(*given, **more)

    desk.corridor.crowd.people = meanwhile
    assert await refusal(desk.renew(fetched.id), Conflict) == "moved"
    assert await desk.lives(desk.shown(fetched)) is None


async def test_a_machines_token_is_not_renewed(desk):
    from tests.tokens import machine_token

    shown = Bearer.read(await machine_token(desk.tokens, NOW))
    assert await refusal(desk.renew(shown.id)) == "bad_token"


@pytest.mark.parametrize("which", ["seals", "signs"])
@pytest.mark.parametrize(
    "key", ["", "A" * 43, "A" * 42, encode((2**255 - 20).to_bytes(32, "little")), encode(b"\1" + bytes(31))]
)
async def test_no_computer_logs_in_with_a_key_that_is_none(desk, which, key):
    keys = {"seals": desk.computer.seals, "signs": desk.computer.signs, which: key}
    assert await refusal(desk.doors.ask("laptop", keys["seals"], keys["signs"], HERE), Invalid) == "bad_key"


async def test_wrong_codes_are_counted_by_person_and_only_for_a_while(desk):
    begun = await desk.ask()
    for tries in range(1, limits.GUESSES_MOST + 1):
        assert await refusal(desk.doors.typed(ANA, "00000000"), NotFound) == "wrong_code"
        assert (await desk.events("login.refused"))[0]["tries"] == tries
    assert await refusal(desk.doors.typed(ANA, begun.attempt.code)) == "too_many"
    assert (await desk.doors.typed(BOB, begun.attempt.code)).by == BOB
    left = await desk.corridor.redis.pttl(desk.corridor.keys.count(f"guesses:{ANA}"))
    assert 0 < left <= limits.WINDOW_MS


async def test_logins_are_bounded_by_address_and_the_log_is_not_filled(desk):
    for _ in range(limits.ASKS_MOST):
        await desk.ask()
    for _ in range(3):
        assert await refusal(desk.ask(), Unavailable) == "too_many"
    assert len([one for one in await desk.events("login.refused") if one["why"] == "too_many"]) == 1
    assert await desk.ask("192.0.2.8")


async def test_logins_are_bounded_over_all_addresses(desk, monkeypatch):
    monkeypatch.setattr(limits, "ASKS_MOST_OF_ALL", 3)
    for last in range(3):
        await desk.ask(f"192.0.2.{last}")
    assert await refusal(desk.ask("192.0.2.9"), Unavailable) == "too_many"


async def test_renewals_are_bounded_by_address_proven_or_not(desk, monkeypatch):
    monkeypatch.setattr(limits, "RENEWALS_MOST", 2)
    for _ in range(2):
        assert await refusal(desk.doors.renew("0000000000", NOW, "nonce", "A" * 86, HERE)) == "bad_token"
    assert await refusal(desk.doors.renew("0000000000", NOW, "nonce", "A" * 86, HERE), Unavailable) == "too_many"


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_customers_network_counts_as_one_address(address, counts_as):
    assert network(address) == counts_as


async def test_sessions_are_bounded_and_old_ones_make_room(desk, monkeypatch):
    monkeypatch.setattr(limits, "SESSIONS_MOST", 2)
    await desk.logged_in()
    await desk.logged_in()
    begun = await desk.ask()
    await desk.doors.typed(ANA, begun.attempt.code)
    assert await refusal(desk.doors.confirm(ANA, begun.attempt.id), Conflict) == "too_many_sessions"
    desk.corridor.skew_ms += SESSION_MS
    await desk.logged_in()
    assert len(await desk.tokens.of(ANA)) == 1


async def test_everything_is_in_the_audit_log(desk):
    await desk.logged_in()
    begun = await desk.ask()
    await desk.doors.typed(BOB, begun.attempt.code)
    await desk.doors.deny(BOB, begun.attempt.id)
    key = computer.fingerprint(desk.computer.seals, desk.computer.signs)
    for event, actor in (
        ("login.asked", f"address:{HERE}"),
        ("login.typed", BOB),
        ("login.confirmed", ANA),
        ("login.delivered", ANA),
        ("login.denied", BOB),
    ):
        entry = (await desk.events(event))[0]
        assert (entry["actor"], entry["host"], entry["address"], entry["key"]) == (actor, "laptop", HERE, key), event


class Site:
    """The operations on logins, as a computer reaches them. `looks`: what each look at whether somebody has confirmed has found."""

    def __init__(self, desk: Desk) -> None:
        self.looks: asyncio.Queue[Attempt | None] = asyncio.Queue()
        self._fetch, desk.doors.fetch = desk.doors.fetch, self._look  # type: ignore[method-assign]  # it looks all the same
        waiting = Waiting(Pulse(desk.corridor.redis, beat_s=0.01))
        operations = LoginOperations(desk.doors, desk.tokens, Addresses(()), waiting).operations()
        api = Api(operations, Auth(desk.tokens, lambda: NOW), Metrics(), Pace(lambda: 0.0))
        self.server = HttpServer(Address("127.0.0.1", 0), api.routes())

    async def _look(self, login: str, poll: str) -> Attempt | None:
        found = await self._fetch(login, poll)
        self.looks.put_nowait(found)
        return found

    async def fetch(self, login: str, poll: str, wait_s: int) -> tuple[int, Any]:
        url, body = f"http://127.0.0.1:{self.server.port}/v1/login/{login}", {"poll": poll, "wait_s": wait_s}
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
            return response.status, await response.json()


@pytest.fixture
async def site(desk: Desk) -> AsyncIterator[Site]:
    one = Site(desk)
    await one.server.start()
    yield one
    await one.server.stop()


async def test_who_waits_is_told_as_soon_as_it_is_confirmed(desk, site):
    begun = await desk.ask()
    waiting = asyncio.create_task(site.fetch(begun.attempt.id, begun.poll, 30))
    assert [await site.looks.get(), await site.looks.get()] == [None, None]  # the second one while it listens
    await desk.doors.typed(ANA, begun.attempt.code)
    await desk.doors.confirm(ANA, begun.attempt.id)
    status, fetched = await asyncio.wait_for(waiting, AGAIN_S / 2)  # before it looks by itself
    assert (status, fetched["status"], fetched["user"]) == (200, "confirmed", ANA)


async def test_who_only_knows_the_login_takes_no_room_from_who_waits(desk, site, monkeypatch):
    monkeypatch.setattr("bot.http.waiting.MOST_OF_ONE", 0)
    begun = await desk.ask()
    for poll, wait_s, status, code in (
        ("A" * 43, 30, 404, "login_over"),
        (begun.poll, 30, 429, "too_many"),
        (begun.poll, 0, 200, None),
    ):
        told, body = await site.fetch(begun.attempt.id, poll, wait_s)
        assert (told, body.get("code")) == (status, code)
