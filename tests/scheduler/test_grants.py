"""Grants: a membership outside is what the live grants say, read back before anybody is told so."""

import asyncio
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

import pytest

from scheduler import grants as granting
from scheduler.connectors.contract import Connector, Quarantined, Refused
from scheduler.grants import BUSY_MS, PERSON_NEEDED_MS, QUARANTINE_MS, Grants
from scheduler.metrics import Metrics
from scheduler.relay import LEASE_MS, PATIENCE_S, Relay
from scheduler.sweep import Sweep
from store.model.command import Activate, End
from store.model.effect import Align
from store.model.errors import Unavailable
from store.model.policy import HOUR, MINUTE
from store.model.request import Joining, Request
from store.redis.quarantine import Quarantine
from store.redis.turns import Turns
from tests.builders import BEN, REQ
from tests.scheduler.measured import measured
from tests.store.redis.corridor import Corridor

GROUP = "admins"
WITHIN_S = 10.0
Trick = Callable[[str, str], Awaitable[None]]


class Outside:
    """One system with groups, as a connector sees it. `tricks`: what the next calls of a method meet, in turn."""

    def __init__(self, *accounts: str) -> None:
        self.accounts = {*accounts, "UREQ@x", "UBEN@x"}
        self.inside: set[str] = set()
        self.writes: list[tuple[str, str]] = []
        self.tricks: dict[str, list[Trick | None]] = {"has": [], "add": [], "remove": []}
        self.writing = self.most_writing = 0

    def meet(self, method: str, *tricks: Trick | None) -> None:
        self.tricks[method] += tricks

    async def connector(self, name: str) -> Connector:
        assert name == "okta"
        return self

    async def has(self, group: str, account: str) -> bool:
        await self._trick("has", account)
        return account in self.inside

    async def add(self, group: str, account: str) -> None:
        if await self._write("add", account):
            if account not in self.accounts:
                raise Refused(f"The directory knows no {account}.")
            self.inside.add(account)

    async def remove(self, group: str, account: str) -> None:
        if await self._write("remove", account):
            self.inside.discard(account)

    async def members(self, group: str, known: AbstractSet[str] = frozenset()) -> frozenset[str]:
        return frozenset(self.inside)

    async def check(self, group: str | None = None) -> None:
        return

    async def _write(self, method: str, account: str) -> bool:
        self.writes.append((method, account))
        self.writing += 1
        self.most_writing = max(self.most_writing, self.writing)
        try:
            return await self._trick(method, account)
        finally:
            self.writing -= 1

    async def _trick(self, method: str, account: str) -> bool:
        """False: this call only says that it did something."""
        trick = self.tricks[method].pop(0) if self.tricks[method] else None
        if trick is lies:
            return False
        if trick is not None:
            await trick(method, account)
        return True


async def lies(_: str, __: str) -> None:
    """A success answer that proves nothing."""


def fails(error: Exception) -> Trick:
    async def trick(_: str, __: str) -> None:
        raise error

    return trick


class Held:
    def __init__(self) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: str, __: str) -> None:
        self.reached.set()
        await self.go.wait()


REFUSED = fails(Refused("The directory does not let us."))
SILENT = fails(Unavailable("The directory does not answer."))
QUARANTINED = fails(Quarantined("The directory removed others, too."))


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def relay(corridor: Corridor, outside: Outside, metrics: Metrics) -> Relay:
    return another(corridor, outside, metrics)


def another(corridor: Corridor, outside: Outside, metrics: Metrics) -> Relay:
    """One more process."""
    grants = Grants(
        corridor.replica(),
        outside.connector,
        Turns(corridor.keys, corridor.scripts, corridor.random),
        Quarantine(corridor.redis, corridor.keys, corridor.scripts),
        metrics,
    )
    return Relay(corridor.outbox, {Align: grants.align}, metrics, lambda: 1.0)


async def run(relay: Relay) -> int:
    """One tick, and all that comes of it."""
    async with asyncio.timeout(WITHIN_S):
        took = await relay.tick("connector")
        await relay.settled()
    return took


async def activated(corridor: Corridor, user: str = REQ) -> Request:
    approved = await corridor.approved("access", requester=user)
    return await corridor.do(approved, Activate(id=corridor.id(), actor=user))


async def held(corridor: Corridor, relay: Relay, user: str = REQ) -> Request:
    granted = await activated(corridor, user)
    await run(relay)
    assert await corridor.state(granted) == "active"
    return granted


async def ending(corridor: Corridor, granted: Request) -> None:
    await corridor.do(granted, End(id=corridor.id(), actor=granted.requester))


async def again(corridor: Corridor, granted: Request) -> None:
    """Somebody wants this membership looked at."""
    assert isinstance(granted.payload, Joining)
    await corridor.outbox.put([Align(membership=granted.payload.membership)], command_id=corridor.id())


async def note(corridor: Corridor, granted: Request) -> str | None:
    return (await corridor.requests.get(granted.id)).request.note


async def next_in_ms(corridor: Corridor, user: str = REQ) -> int | None:
    score = await corridor.redis.zscore(corridor.keys.lane("connector"), f"member:okta/{GROUP}/{user}")
    return None if score is None else int(score) - corridor.now_ms


# -- look, act, read back, report -------------------------------------------------------------------------------------


async def test_what_is_granted_is_done_outside_and_then_said(corridor, relay, outside):
    granted = await activated(corridor)
    assert await corridor.state(granted) == "granting"
    await run(relay)
    assert outside.inside == {"UREQ@x"}
    assert await corridor.state(granted) == "active"
    await ending(corridor, granted)
    assert await corridor.state(granted) == "revoking"
    await run(relay)
    assert outside.inside == set()
    assert await corridor.state(granted) == "ended"
    assert await corridor.outbox.depth("connector") == 0


async def test_what_is_there_already_is_not_written_again(corridor, relay, outside):
    outside.inside = {"UREQ@x"}
    granted = await activated(corridor)
    await run(relay)
    assert outside.writes == []
    assert await corridor.state(granted) == "active"


async def test_a_yes_that_does_not_show_is_no_yes(corridor, relay, outside):
    outside.meet("add", lies)
    granted = await activated(corridor)
    await run(relay)
    assert await corridor.state(granted) == "granting"
    corridor.skew_ms += 60_000
    await run(relay)
    assert await corridor.state(granted) == "active"

    outside.meet("remove", lies)
    await ending(corridor, granted)
    await run(relay)
    assert await corridor.state(granted) == "revoking"
    corridor.skew_ms += 60_000
    await run(relay)
    assert await corridor.state(granted) == "ended"


async def test_a_time_out_after_the_effect_ends_well(corridor, relay, outside):
    async def after_effect(_: str, account: str) -> None:
        outside.inside.add(account)
        raise Unavailable("The directory did not answer in time.", code="timeout")

    outside.meet("add", after_effect)
    granted = await activated(corridor)
    await run(relay)
    corridor.skew_ms += 60_000
    await corridor.redis.delete(corridor.keys.turn(f"okta/{GROUP}"))  # whose time runs out by itself
    await run(relay)
    assert await corridor.state(granted) == "active"
    assert outside.writes == [("add", "UREQ@x")]


@pytest.mark.parametrize("code", ["timeout", "broken_off"])
async def test_nobody_is_called_gone_while_a_write_may_still_be_on_its_way(corridor, relay, outside, code):
    async def no_answer(_: str, __: str) -> None:
        raise Unavailable("The directory did not answer in time.", code=code)

    outside.meet("add", no_answer)
    granted = await activated(corridor)
    await run(relay)
    await ending(corridor, granted)
    corridor.skew_ms += MINUTE
    await run(relay)
    assert await corridor.state(granted) == "revoking"  # read now, it would be absent
    outside.inside.add("UREQ@x")  # now it has come to pass
    await corridor.redis.delete(corridor.keys.turn(f"okta/{GROUP}"))  # whose time runs out by itself
    corridor.skew_ms += MINUTE
    await run(relay)
    assert await corridor.state(granted) == "ended"
    assert outside.inside == set()


async def test_what_was_answered_keeps_nobody_waiting(corridor, relay, outside):
    async def no(_: str, __: str) -> None:
        raise Unavailable("The directory has trouble.", code="outside_fault")

    outside.meet("add", no)
    granted = await activated(corridor)
    await run(relay)
    corridor.skew_ms += MINUTE
    await run(relay)
    assert await corridor.state(granted) == "active"


async def test_a_process_that_dies_in_the_middle_is_followed_by_one_that_looks_first(corridor, relay, outside, metrics):
    stuck = Held()
    outside.meet("add", stuck)
    granted = await activated(corridor)
    await relay.tick("connector")
    await stuck.reached.wait()
    await relay.drain(0)
    outside.inside.add("UREQ@x")  # it had its effect
    corridor.skew_ms += LEASE_MS
    await corridor.redis.delete(corridor.keys.turn(f"okta/{GROUP}"))  # whose time runs out by itself
    await run(another(corridor, outside, metrics))
    assert await corridor.state(granted) == "active"


async def test_what_is_over_but_not_yet_swept_is_taken_back(corridor, relay, outside, metrics):
    granted = await held(corridor, relay)
    corridor.skew_ms += HOUR
    await again(corridor, granted)
    await run(relay)
    assert outside.inside == set()
    assert await corridor.state(granted) == "active"  # which is the sweep's to say
    await Sweep(corridor.timers, corridor.requests, metrics).tick()
    await run(relay)
    assert await corridor.state(granted) == "ended"


# -- several grants of one membership ---------------------------------------------------------------------------------


async def test_a_membership_stays_until_the_last_of_its_grants_ends(corridor, relay, outside):
    first, second = await held(corridor, relay), await held(corridor, relay)
    await ending(corridor, first)
    await run(relay)
    assert outside.inside == {"UREQ@x"}
    assert await corridor.state(first) == "ended"
    assert await note(corridor, first) == f"Still a member because of request {second.id}."
    await ending(corridor, second)
    await run(relay)
    assert outside.inside == set()
    assert await corridor.state(second) == "ended"
    assert outside.writes == [("add", "UREQ@x"), ("remove", "UREQ@x")]


async def test_one_that_begins_keeps_what_another_gives_up(corridor, relay, outside):
    first = await held(corridor, relay)
    second = await activated(corridor)
    await ending(corridor, first)
    await run(relay)
    assert outside.inside == {"UREQ@x"}
    assert [await corridor.state(each) for each in (first, second)] == ["ended", "active"]
    assert outside.writes == [("add", "UREQ@x")]


async def test_one_that_was_over_keeps_nothing(corridor, relay, outside):
    first = await held(corridor, relay)
    corridor.skew_ms += HOUR // 2
    second = await held(corridor, relay)
    corridor.skew_ms += HOUR // 2  # the first one is over, and not swept
    await ending(corridor, second)
    await run(relay)
    assert outside.inside == set()
    assert await corridor.state(second) == "ended"
    assert await corridor.state(first) == "active"


# -- reports that come late -------------------------------------------------------------------------------------------


async def test_a_report_that_comes_late_changes_nothing_and_it_is_looked_at_again(corridor, relay, outside):
    slow, taking_away = Held(), Held()
    outside.meet("add", slow)
    outside.meet("remove", taking_away)
    granted = await activated(corridor)
    await relay.tick("connector")
    await slow.reached.wait()
    await ending(corridor, granted)
    slow.go.set()
    await taking_away.reached.wait()
    assert outside.inside == {"UREQ@x"}
    assert await corridor.state(granted) == "revoking"  # not "active", as the first look would have had it
    taking_away.go.set()
    await relay.settled()
    assert outside.inside == set()
    assert await corridor.state(granted) == "ended"


# -- refused ----------------------------------------------------------------------------------------------------------


async def test_what_is_refused_and_read_as_absent_has_failed_with_the_sentence(corridor, relay, outside, metrics):
    outside.accounts.clear()
    granted = await activated(corridor)
    await run(relay)
    assert await corridor.state(granted) == "failed"
    assert await note(corridor, granted) == "The directory knows no UREQ@x."
    assert measured(metrics, "alarms_total", kind="refused") == 1
    assert await corridor.outbox.depth("connector") == 0


async def test_what_is_refused_and_cannot_be_read_is_taken_back_until_it_can(corridor, relay, outside, metrics):
    outside.meet("has", *[REFUSED] * 4)
    granted = await activated(corridor)
    await run(relay)
    assert await corridor.state(granted) == "revoking"  # it may be there: nobody can tell
    await run(relay)
    assert await corridor.state(granted) == "revoking"
    assert await next_in_ms(corridor) == PERSON_NEEDED_MS
    assert measured(metrics, "alarms_total", kind="refused") == 2
    corridor.skew_ms += PERSON_NEEDED_MS
    await run(relay)
    assert await corridor.state(granted) == "ended"


async def test_what_is_refused_while_it_is_taken_back_says_so_and_goes_on(corridor, relay, outside, metrics):
    granted = await held(corridor, relay)
    outside.meet("remove", REFUSED, REFUSED)
    await ending(corridor, granted)
    for times in (1, 2):
        await run(relay)
        assert await corridor.state(granted) == "revoking"
        assert await note(corridor, granted) == "The directory does not let us."
        assert measured(metrics, "alarms_total", kind="refused") == times
        assert await next_in_ms(corridor) == PERSON_NEEDED_MS
        corridor.skew_ms += PERSON_NEEDED_MS
    assert (await corridor.events()).count("grant.trouble") == 1  # loud once, not at every try
    await run(relay)
    assert await corridor.state(granted) == "ended"


async def test_what_is_refused_but_reads_as_absent_is_over(corridor, relay, outside):
    granted = await held(corridor, relay)

    async def gone_all_the_same(_: str, account: str) -> None:
        outside.inside.discard(account)
        raise Refused("The directory does not let us.")

    outside.meet("remove", gone_all_the_same)
    await ending(corridor, granted)
    await run(relay)
    assert await corridor.state(granted) == "ended"


async def test_a_refusal_does_not_end_what_is_active_and_is_told(corridor, relay, outside):
    granted = await held(corridor, relay)
    outside.inside.clear()  # somebody took it away outside
    outside.meet("add", REFUSED)
    await again(corridor, granted)
    await run(relay)
    assert await corridor.state(granted) == "active"
    assert await note(corridor, granted) == "The directory does not let us."


# -- quarantine -------------------------------------------------------------------------------------------------------


async def test_a_group_that_did_what_nobody_asked_for_is_not_written_to_for_an_hour(corridor, relay, outside, metrics):
    granted = await held(corridor, relay)
    outside.meet("remove", QUARANTINED, QUARANTINED)
    await ending(corridor, granted)
    await run(relay)
    assert await corridor.state(granted) == "revoking"
    assert await note(corridor, granted) == "The directory removed others, too."
    assert await next_in_ms(corridor) == QUARANTINE_MS >= HOUR
    assert measured(metrics, "alarms_total", kind="quarantined") == 1
    assert outside.writes.count(("remove", "UREQ@x")) == 1

    corridor.skew_ms += QUARANTINE_MS - 1
    assert await run(relay) == 0
    corridor.skew_ms += 1
    await run(relay)
    assert outside.writes.count(("remove", "UREQ@x")) == 2
    assert measured(metrics, "alarms_total", kind="quarantined") == 2  # each time
    assert await next_in_ms(corridor) == QUARANTINE_MS
    corridor.skew_ms += QUARANTINE_MS
    await run(relay)
    assert await corridor.state(granted) == "ended"


async def test_in_quarantine_nothing_is_written_for_anybody_nor_by_another_process(corridor, relay, outside, metrics):
    mine = await held(corridor, relay)
    outside.meet("remove", QUARANTINED)
    await ending(corridor, mine)
    await run(relay)
    before = list(outside.writes)

    theirs = await activated(corridor, BEN)
    await run(another(corridor, outside, metrics))
    assert await corridor.state(theirs) == "failed"  # it was read: they are not there
    assert await note(corridor, theirs) == "The directory removed others, too."
    await again(corridor, mine)
    await run(relay)
    assert outside.writes == before
    assert await corridor.state(mine) == "revoking"
    assert measured(metrics, "alarms_total", kind="quarantined") == 3


async def test_in_quarantine_what_a_person_has_put_right_is_seen(corridor, relay, outside):
    granted = await held(corridor, relay)
    outside.meet("remove", QUARANTINED)
    await ending(corridor, granted)
    await run(relay)
    outside.inside.clear()  # by hand
    await again(corridor, granted)
    await run(relay)
    assert await corridor.state(granted) == "ended"


async def test_a_grant_that_meets_a_quarantine_is_not_tried_a_second_time(corridor, relay, outside):
    async def overdoes(_: str, account: str) -> None:
        outside.inside |= {account, "somebody@else"}
        raise Quarantined("The directory let others in, too.")

    outside.meet("add", overdoes)
    granted = await activated(corridor)
    await run(relay)
    assert await corridor.state(granted) == "revoking"  # it is there, and must not stay
    await run(relay)
    assert outside.writes == [("add", "UREQ@x")]
    corridor.skew_ms += QUARANTINE_MS
    await run(relay)
    assert await corridor.state(granted) == "ended"


# -- alarms -----------------------------------------------------------------------------------------------------------


async def test_access_that_cannot_be_taken_back_is_alarmed_after_two_and_after_fifteen_minutes_once_each(
    corridor, relay, outside, metrics
):
    granted = await held(corridor, relay)
    outside.meet("remove", *[SILENT, lies] * 50)  # another sentence at every other try
    await ending(corridor, granted)
    alarms: dict[int, float] = {}
    start = corridor.now_ms
    while corridor.now_ms - start < 25 * MINUTE:
        await run(relay)
        alarms[(corridor.now_ms - start) // 1000] = measured(metrics, "alarms_total", kind="revoking")
        corridor.skew_ms += 30_000
    by_minute = [alarms[60 * minute] for minute in range(20)]
    assert by_minute == [0] * 2 + [1] * 13 + [2] * 5
    assert (await corridor.events()).count("grant.trouble") == 2
    assert (await note(corridor, granted) or "").startswith("Not confirmed as taken back for over 15 minutes.")
    outside.tricks["remove"].clear()
    corridor.skew_ms += 60_000
    await run(relay)
    assert await corridor.state(granted) == "ended"


async def test_an_outside_that_answers_too_slowly_is_alarmed_as_well(corridor, relay, outside, metrics, monkeypatch):
    assert granting.WITHIN_S < PATIENCE_S < granting.TURN_MS / 1_000
    granted = await held(corridor, relay)
    monkeypatch.setattr(granting, "WITHIN_S", 0.05)
    outside.meet("remove", Held())
    await ending(corridor, granted)
    corridor.skew_ms += 2 * MINUTE
    await run(relay)
    assert measured(metrics, "alarms_total", kind="revoking") == 1
    assert "too slowly" in (await note(corridor, granted) or "")


async def test_access_that_comes_slowly_is_no_alarm(corridor, relay, outside, metrics):
    outside.meet("add", *[SILENT] * 10)
    await activated(corridor)
    for _ in range(8):
        await run(relay)
        corridor.skew_ms += 3 * MINUTE
    assert measured(metrics, "alarms_total", kind="revoking") == 0


# -- one at a time ----------------------------------------------------------------------------------------------------


async def test_one_group_is_touched_by_one_at_a_time_over_all_processes(corridor, relay, outside, metrics):
    slow = Held()
    outside.meet("add", slow)
    mine = await activated(corridor)
    await relay.tick("connector")
    await slow.reached.wait()
    theirs = await activated(corridor, BEN)
    other = another(corridor, outside, metrics)
    await run(other)
    assert await corridor.state(theirs) == "granting"
    assert await next_in_ms(corridor, BEN) == BUSY_MS
    slow.go.set()
    await relay.settled()
    corridor.skew_ms += BUSY_MS
    await run(other)
    assert [await corridor.state(each) for each in (mine, theirs)] == ["active"] * 2
    assert outside.most_writing == 1


async def test_a_turn_is_given_back_whatever_happened(corridor, relay, outside):
    outside.meet("add", SILENT)
    await activated(corridor)
    await run(relay)
    assert await corridor.redis.exists(corridor.keys.turn(f"okta/{GROUP}")) == 0


async def test_a_turn_that_was_lost_is_not_taken_from_who_has_it_now(corridor):
    turns = Turns(corridor.keys, corridor.scripts, corridor.random)
    async with turns.turn("okta/admins", lease_ms=60_000, busy_for_ms=1):
        await corridor.redis.set(corridor.keys.turn("okta/admins"), "somebody else")
    assert await corridor.redis.get(corridor.keys.turn("okta/admins")) == b"somebody else"


async def test_a_write_that_was_broken_off_in_the_middle_keeps_the_turn_as_well(corridor, relay, outside, monkeypatch):
    monkeypatch.setattr(granting, "WITHIN_S", 0.05)

    async def never(_: str, __: str) -> None:
        await asyncio.Event().wait()

    outside.meet("add", never)
    granted = await activated(corridor)
    await run(relay)
    monkeypatch.setattr(granting, "WITHIN_S", 40.0)
    await ending(corridor, granted)
    corridor.skew_ms += MINUTE
    await run(relay)
    assert await corridor.state(granted) == "revoking"  # read now, it would be absent
    outside.inside.add("UREQ@x")  # now it has come to pass
    await corridor.redis.delete(corridor.keys.turn(f"okta/{GROUP}"))  # whose time runs out by itself
    corridor.skew_ms += MINUTE
    await run(relay)
    assert await corridor.state(granted) == "ended"
    assert outside.inside == set()
