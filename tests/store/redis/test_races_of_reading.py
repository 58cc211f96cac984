"""Races of what opens values: everybody has looked before anybody acts. Of many one comes through, and nothing is read after the end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from store.model.command import Activate, Due, End
from store.model.errors import AccessError, Conflict, Forbidden
from store.model.request import Request
from store.model.secret import Secret
from store.model.token import Bearer
from store.redis.environments import Environments
from store.redis.opened import Opened
from store.redis.tokens import Tokens
from tests.builders import NOW, OWNER, REQ
from tests.store.redis.corridor import Corridor, Gate, StandingScripts
from tests.store.redis.test_blobs import asked, sealed
from tests.tokens import machine_token, person_token

MANY = 100
OVER = frozenset({"grant.ended", "token.revoked", "login.ended"})


class Held(StandingScripts):
    """Whoever reads waits before the script, until `go` is set: between what a door has checked and what the script decides."""

    def __init__(self, corridor: Corridor, readers: int) -> None:
        super().__init__(corridor.redis, corridor.skew)
        self.arrived = asyncio.Semaphore(0)
        self.go = asyncio.Event()
        self.readers = readers

    async def run(self, name: str, keys: list[str], args: list[str | int | bytes], *, frees: bool = False) -> Any:
        if name == "read":
            self.arrived.release()
            async with asyncio.timeout(20):
                await self.go.wait()
            args = [self._skew(), *args[1:]]
        return await super().run(name, keys, args, frees=frees)

    async def everybody_is_there(self) -> None:
        async with asyncio.timeout(20):
            for _ in range(self.readers):
                await self.arrived.acquire()


@pytest.fixture
def tokens(corridor: Corridor) -> Tokens:
    return Tokens(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)


async def granted(corridor: Corridor) -> Request:
    assert (await corridor.approved("change", A="x")).state == "merged"
    return await corridor.do(await corridor.approved("open"), Activate(id="use", actor=REQ))


def environments(corridor: Corridor, scripts: Any) -> Environments:
    return Environments(corridor.redis, corridor.keys, scripts, corridor.ring, corridor.skew, corridor.random)


# -- of a hundred, one ------------------------------------------------------------------------------------------------


async def test_of_a_hundred_activations_of_one_grant_one_is_its_first_use(corridor):
    approved = await corridor.approved("open")
    corridor.scripts.gate = Gate(MANY)

    async def activate(number: int) -> str:
        try:
            return str((await corridor.replica().apply(approved.id, Activate(id=f"a{number}", actor=REQ))).answer)
        except AccessError as error:
            return error.detail

    answers = await asyncio.gather(*(activate(number) for number in range(MANY)))
    corridor.scripts.gate = None
    assert answers.count("Active for 1 h.") == 1
    assert (await corridor.events()).count("grant.activated") == 1
    leases = {(await corridor.requests.get(approved.id)).request.lease}
    assert len(leases) == 1


async def test_of_a_hundred_takes_of_one_sealed_value_one_has_it(corridor):
    reference = await sealed(corridor)
    corridor.scripts.gate = Gate(MANY)

    async def take(number: int) -> str:
        try:
            return str((await asked(corridor, A=reference, command_id=f"view:{number}")).answer)
        except AccessError as error:
            return error.detail

    answers = await asyncio.gather(*(take(number) for number in range(MANY)))
    corridor.scripts.gate = None
    assert len([answer for answer in answers if answer not in ("no_such_blob", "contended")]) == 1
    assert (await corridor.events()).count("request.submitted") == 1
    assert len(await corridor.redis.keys("*}:payload:*")) == 1


# -- nothing is read after the end --------------------------------------------------------------------------------------


async def by_hand(corridor: Corridor, held: Request, tokens: Tokens, bearer: Bearer) -> None:
    await corridor.do(held, End(id="end", actor=REQ))


async def by_the_clock(corridor: Corridor, held: Request, tokens: Tokens, bearer: Bearer) -> None:
    at_ms = held.timers["deadline"]
    corridor.skew_ms = at_ms - NOW
    await corridor.apply(held, Due(id="d", actor="clock", timer="deadline", at_ms=at_ms))


async def by_revoking(corridor: Corridor, held: Request, tokens: Tokens, bearer: Bearer) -> None:
    await tokens.revoke(bearer.id, OWNER, "revoke")


async def by_ending_all(corridor: Corridor, held: Request, tokens: Tokens, bearer: Bearer) -> None:
    await tokens.end_all(REQ, OWNER, "all", "lost laptop")


ENDS: list[tuple[Callable[..., Awaitable[None]], str]] = [
    (by_hand, "no_grant"),
    (by_the_clock, "no_grant"),
    (by_revoking, "bad_token"),
    (by_ending_all, "bad_token"),
]


async def by_time_alone(corridor: Corridor, held: Request, tokens: Tokens, bearer: Bearer) -> None:
    """Nobody has swept yet: what the record says is still *active*."""
    corridor.skew_ms = held.timers["deadline"] - NOW


@pytest.mark.parametrize(
    ("ends", "code"), [*ENDS, (by_time_alone, "not_active")], ids=lambda value: getattr(value, "__name__", value)
)
async def test_who_was_let_in_at_the_door_and_asks_the_script_after_the_end_reads_nothing(corridor, tokens, ends, code):
    held = await granted(corridor)
    bearer = Bearer.read(await person_token(tokens, REQ, NOW, expires_ms=held.timers["deadline"] + 1))
    scripts = Held(corridor, readers=20)
    place = environments(corridor, scripts)
    warm = await environments(corridor, corridor.scripts).read_by_token(bearer, "payments/prod")
    assert isinstance(warm, Opened)
    reads = [asyncio.create_task(place.read_by_token(bearer, "payments/prod")) for _ in range(20)]
    assert await tokens.show(bearer, corridor.now_ms)  # the door would let them in
    await scripts.everybody_is_there()
    await ends(corridor, held, tokens, bearer)
    number = await corridor.log.number()
    scripts.go.set()
    refusals = await asyncio.gather(*reads, return_exceptions=True)
    assert {getattr(refusal, "detail", refusal) for refusal in refusals} == {code}
    assert await corridor.log.number() == number


@pytest.mark.parametrize("ends", [end for end, _ in ENDS], ids=lambda end: end.__name__)
async def test_among_reads_that_go_on_the_end_is_a_cut(corridor, tokens, ends):
    """The numbers of the audit log are the judge: as many entries as answers, and none behind the end's."""
    held = await granted(corridor)
    bearer = Bearer.read(await person_token(tokens, REQ, NOW, expires_ms=held.timers["deadline"] + 1))
    before, stop, read = await corridor.log.number(), asyncio.Event(), asyncio.Semaphore(0)
    given = 0

    async def reader() -> None:
        nonlocal given
        place = environments(corridor, corridor.scripts)
        while not stop.is_set():
            try:
                opened = await place.read_by_token(bearer, "payments/prod")
            except (Forbidden, Conflict):
                return
            assert isinstance(opened, Opened)
            assert opened.values["A"].secret == Secret(b"x")
            given += 1
            read.release()

    readers = [asyncio.create_task(reader()) for _ in range(12)]
    async with asyncio.timeout(20):
        for _ in range(60):
            await read.acquire()
        await ends(corridor, held, tokens, bearer)
        await asyncio.gather(*readers)  # each was refused in the end
    entries = await corridor.log.after(before, most=100_000)
    numbers = [number for number, entry in entries if entry.event == "secrets.read"]
    over = [number for number, entry in entries if entry.event in OVER]
    assert len(over) == 1, {entry.event for _, entry in entries}
    assert len(numbers) == given >= 60
    # By the clock the reading script itself sees the end, before the sweep has said so.
    assert max(numbers) < over[0]


async def test_a_machine_reads_nothing_behind_the_end_of_its_token(corridor, tokens):
    await granted(corridor)
    bearer = Bearer.read(await machine_token(tokens, NOW))
    scripts = Held(corridor, readers=20)
    place = environments(corridor, scripts)
    reads = [asyncio.create_task(place.read_by_token(bearer, "payments/prod")) for _ in range(20)]
    await scripts.everybody_is_there()
    await tokens.revoke(bearer.id, OWNER, "revoke")
    number = await corridor.log.number()
    scripts.go.set()
    refusals = await asyncio.gather(*reads, return_exceptions=True)
    assert {getattr(refusal, "detail", refusal) for refusal in refusals} == {"bad_token"}
    assert await corridor.log.number() == number
