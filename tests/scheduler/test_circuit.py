import asyncio
from collections.abc import Iterable

import pytest

from scheduler.circuit import (
    APART_MS,
    OPENS_AFTER,
    PROBE_MS,
    QUICK,
    SLOW,
    SLOW_S,
    STEP_ASIDE_MS,
    UNKNOWN,
    Circuits,
    Place,
)

URL = "https://a.example/x"
NEVER_S = 3_600.0


class Clocks:
    """Of the circuits under test: both stand still."""

    def __init__(self, in_line_s: float = NEVER_S) -> None:
        self.now_ms = 0
        self.monotonic_s = 0.0
        self.circuits = Circuits(lambda: self.monotonic_s, in_line_s)

    async def entered(self, url: str = URL) -> Place:
        place = await self.circuits.enter(url, now_ms=self.now_ms)
        assert isinstance(place, Place)
        return place

    async def refused_ms(self, url: str = URL) -> int:
        wait_ms = await self.circuits.enter(url, now_ms=self.now_ms)
        assert isinstance(wait_ms, int)
        return wait_ms

    def leave(self, place: Place, *, answered: bool | None = True) -> None:
        place.leave(answered=answered, now_ms=self.now_ms)

    async def quick(self) -> list[Place]:
        """As many as there are places at a host that has just answered quickly."""
        self.leave(await self.entered())
        return [await self.entered() for _ in range(QUICK)]

    def coming(self, count: int, url: str = URL) -> list[asyncio.Task[Place | int]]:
        return [asyncio.create_task(self.circuits.enter(url, now_ms=self.now_ms)) for _ in range(count)]


async def turns() -> None:
    """What is ready has had its turns."""
    for _ in range(5):
        await asyncio.sleep(0)


def given(tasks: Iterable[asyncio.Task[Place | int]]) -> list[object]:
    """Of each a place, how long to step aside, or None while it waits."""
    return [Place if isinstance(found := task.result() if task.done() else None, Place) else found for task in tasks]


async def test_a_host_that_keeps_silent_is_left_alone_and_looked_at_again() -> None:
    at = Clocks()
    for _ in range(OPENS_AFTER):
        place = await at.entered()
        at.monotonic_s += 10
        at.leave(place, answered=False)
        at.now_ms += 1
    at.now_ms -= 1
    assert await at.refused_ms("https://a.example/other") == PROBE_MS + APART_MS
    await at.entered("https://b.example/x")
    at.now_ms += PROBE_MS
    probe = await at.entered()
    assert await at.refused_ms() == STEP_ASIDE_MS + 2 * APART_MS  # one looks, the others wait
    at.leave(probe, answered=False)
    assert await at.refused_ms() == 2 * PROBE_MS + 3 * APART_MS
    at.now_ms += 2 * PROBE_MS
    at.leave(await at.entered())
    for _ in range(QUICK):
        await at.entered()


async def test_a_host_that_was_never_heard_of_or_is_slow_has_few_places_and_no_line() -> None:
    at = Clocks()
    places = [await at.entered() for _ in range(UNKNOWN)]
    assert await at.refused_ms() == STEP_ASIDE_MS + APART_MS
    at.monotonic_s += SLOW_S + 0.1
    for place in places:
        at.leave(place)
    places = [await at.entered() for _ in range(SLOW)]
    assert await at.refused_ms() == STEP_ASIDE_MS + 2 * APART_MS


async def test_at_a_quick_host_who_finds_no_place_stands_in_line() -> None:
    at = Clocks()
    places = await at.quick()
    line = at.coming(3)
    await turns()
    assert given(line) == [None, None, None]
    at.leave(places[4])
    await turns()
    assert given(line) == [Place, None, None]
    at.leave(places[2])
    at.leave(places[0])
    (late,) = at.coming(1)
    await turns()
    assert given([*line, late]) == [Place, Place, Place, None]
    assert at.circuits.under_way() == QUICK


@pytest.mark.parametrize("answered", [True, False])
async def test_nobody_stands_in_line_for_a_host_that_has_become_slow(*, answered: bool) -> None:
    at = Clocks()
    places = await at.quick()
    line = at.coming(2)
    await turns()
    at.monotonic_s += SLOW_S + 0.1
    at.leave(places[0], answered=answered)
    await turns()
    assert given(line) == [STEP_ASIDE_MS + APART_MS, STEP_ASIDE_MS + 2 * APART_MS]


async def test_at_a_host_where_one_hangs_no_place_is_given_on() -> None:
    at = Clocks()
    hanging, *others = await at.quick()
    for place in others:
        at.leave(place)
    at.monotonic_s += SLOW_S / 2
    others = [await at.entered() for _ in others]
    line = at.coming(1)
    await turns()
    at.monotonic_s += SLOW_S / 2 + 0.1
    at.leave(others.pop())
    await turns()
    assert given(line) == [None]
    assert await at.refused_ms() == STEP_ASIDE_MS + APART_MS
    at.leave(hanging, answered=True)
    await turns()
    assert given(line) == [STEP_ASIDE_MS + 2 * APART_MS]


async def test_nobody_stands_in_line_for_long() -> None:
    at = Clocks(in_line_s=0.02)
    await at.quick()
    (line,) = at.coming(1)
    await turns()
    at.monotonic_s += 0.02
    async with asyncio.timeout(1):
        assert await line == STEP_ASIDE_MS + APART_MS


async def test_who_came_later_stands_in_line_for_longer() -> None:
    at = Clocks()
    host = (await at.quick())[0]._host
    (first,) = at.coming(1)
    await turns()
    at.monotonic_s += SLOW_S / 2
    (second,) = at.coming(1)
    await turns()
    at.monotonic_s += NEVER_S - SLOW_S / 2
    host._look()
    await turns()
    assert given([first, second]) == [STEP_ASIDE_MS + APART_MS, None]
    at.monotonic_s += SLOW_S / 2
    host._look()
    await turns()
    assert given([second]) == [STEP_ASIDE_MS + 2 * APART_MS]


async def test_hosts_are_told_apart_as_sockets_are() -> None:
    at = Clocks()
    await at.quick()
    (same,) = at.coming(1, "https://A.example:443/y")
    await turns()
    assert given([same]) == [None]
    for url in ("http://a.example/", "https://a.example:8443/", "https://b.example/", "https://[", "nonsense"):
        await at.entered(url)


async def test_where_nothing_was_sent_nothing_is_learnt_of_the_host() -> None:
    at = Clocks()
    for _ in range(OPENS_AFTER):
        at.leave(await at.entered(), answered=None)
        at.leave(await at.entered(), answered=False)
    assert await at.refused_ms() == PROBE_MS + APART_MS
    at.now_ms += PROBE_MS
    at.leave(await at.entered(), answered=None)
    places = await at.quick()
    at.leave(places.pop(), answered=None)
    await at.entered()
    assert at.circuits.aside_ms(URL, now_ms=at.now_ms) is None  # it is quick: there is a line


async def test_one_who_is_cancelled_in_line_or_with_a_place_just_given_takes_none() -> None:
    at = Clocks()
    places = await at.quick()
    line = at.coming(4)
    await turns()
    line[0].cancel()
    await turns()
    at.leave(places[0])  # to the second, who is cancelled before it can tell
    line[1].cancel()
    await turns()
    assert given(line[2:]) == [Place, None]
    assert at.circuits.under_way() == QUICK
