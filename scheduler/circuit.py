"""Circuit: how many deliveries go to one host at a time, who stands in line for it, and when it is left alone because it is silent."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

from yarl import URL

from scheduler.connectors.hook import Receipt
from scheduler.connectors.outgoing import SOCKETS_PER_HOST

OPENS_AFTER: Final = 5  # times in a row without an answer
PROBE_MS: Final = 30_000  # after which one delivery looks whether it is back; doubled each time it is not
PROBE_MOST_MS: Final = 300_000
HOSTS_KEPT: Final = 512
SLOW_S: Final = 1.0  # an answer that takes longer makes a host slow
# Deliveries at a time, of this process, to a host never heard of, to one that is quick, and to one that is not.
UNKNOWN, QUICK, SLOW = 8, SOCKETS_PER_HOST, 4
IN_LINE_S: Final = 1.0  # how long one waits for a place at a host that is quick, at the most
CROWD, APART_MS = 256, 25
STEP_ASIDE_MS: Final = 500  # how long what finds no place at its host waits, before it is looked at again, at the least


class Circuits:
    """Of one process, each host for itself: a new process learns it anew. A host that answers, whatever it says, is not silent."""

    def __init__(self, monotonic_s: Callable[[], float], in_line_s: float = IN_LINE_S) -> None:
        self._monotonic = monotonic_s
        self._in_line_s = in_line_s
        self._hosts: dict[str, _Host] = {}

    async def enter(self, url: str, *, now_ms: int) -> "Place | int":
        """A place at its host, which must be left again; or how long to wait before it is tried, ms."""
        return await self._host(url).enter(now_ms)

    def aside_ms(self, url: str, *, now_ms: int) -> int | None:
        """How long to wait where `enter` would say so at once."""
        return self._host(url).aside_ms(now_ms)

    async def told(self, url: str, send: Callable[[], Awaitable[Receipt]], *, now_ms: int) -> Receipt | int:
        """What `send` brings back from this host, from a place there; or how long to wait before it is tried, ms."""
        place = await self.enter(url, now_ms=now_ms)
        if isinstance(place, int):
            return place
        answered = None
        try:
            receipt = await send()
            answered = receipt.status is not None if receipt.sent else None
        finally:
            place.leave(answered=answered, now_ms=now_ms)
        return receipt

    def under_way(self) -> int:
        return sum(len(host.begun) for host in self._hosts.values())

    def _host(self, url: str) -> "_Host":
        name = _name(url)
        if (host := self._hosts.get(name)) is None:
            host = self._hosts[name] = _Host(self._monotonic, self._in_line_s)
        return host


class Place:
    """Of one delivery, at one host. `begun_s`: when it was given, by the monotonic clock."""

    __slots__ = ("_host", "begun_s")

    def __init__(self, host: "_Host", begun_s: float) -> None:
        self._host = host
        self.begun_s = begun_s

    def leave(self, *, answered: bool | None, now_ms: int) -> None:
        """`answered` None: nothing was sent, so nothing was learnt of the host."""
        if answered is not None:
            self._host.heard(self, answered=answered, now_ms=now_ms)
        self._host.free(self)


class _Host:
    def __init__(self, monotonic_s: Callable[[], float], in_line_s: float) -> None:
        self._monotonic = monotonic_s
        self._in_line_s = in_line_s
        self.begun: list[Place] = []  # the oldest first
        self._line: deque[tuple[asyncio.Future[Place | None], float]] = deque()  # until when, by the monotonic clock, s
        self._watch: asyncio.TimerHandle | None = None
        self._quick: bool | None = None  # as the last answer was
        self._silent = 0
        self._open_until_ms: int | None = None
        self._pause_ms = PROBE_MS
        self._aside = 0

    async def enter(self, now_ms: int) -> Place | int:
        if (aside_ms := self.aside_ms(now_ms)) is not None:
            return aside_ms
        place = self._begin() if len(self.begun) < self._places() else await self._turn()
        return place or STEP_ASIDE_MS + self._apart_ms()

    def aside_ms(self, now_ms: int) -> int | None:
        if self._open_until_ms is not None and now_ms < self._open_until_ms:
            return self._open_until_ms - now_ms + self._apart_ms()
        looked_at = self._open_until_ms is not None and self.begun  # whether it is back
        if looked_at or (len(self.begun) >= self._places() and not self._has_line()):
            return STEP_ASIDE_MS + self._apart_ms()
        return None

    def heard(self, place: Place, *, answered: bool, now_ms: int) -> None:
        self._quick = answered and self._monotonic() - place.begun_s <= SLOW_S
        if answered:
            self._silent, self._open_until_ms, self._pause_ms = 0, None, PROBE_MS
            return
        self._silent += 1
        if self._open_until_ms is not None and now_ms >= self._open_until_ms:
            self._pause_ms = min(2 * self._pause_ms, PROBE_MOST_MS)
            self._open_until_ms = now_ms + self._pause_ms
        elif self._silent >= OPENS_AFTER and self._open_until_ms is None:
            self._open_until_ms = now_ms + self._pause_ms

    def free(self, place: Place) -> None:
        """Whoever is next in line has it; nobody waits for a host that is not quick any more."""
        self.begun.remove(place)
        while self._line and (not self._quick or len(self.begun) < self._places()):
            turn, _ = self._line.popleft()
            if not turn.done():
                turn.set_result(self._begin() if self._quick else None)

    def _begin(self) -> Place:
        place = Place(self, self._monotonic())
        self.begun.append(place)
        return place

    def _places(self) -> int:
        if self._quick is False or self._hangs():
            return SLOW
        return UNKNOWN if self._quick is None else QUICK

    def _has_line(self) -> bool:
        return self._quick is True and not self._hangs()

    def _hangs(self) -> bool:
        return bool(self.begun) and self._monotonic() - self.begun[0].begun_s > SLOW_S

    async def _turn(self) -> Place | None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Place | None] = loop.create_future()
        self._line.append((turn, self._monotonic() + self._in_line_s))
        if self._watch is None:
            self._watch = loop.call_later(self._in_line_s, self._look)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and (place := turn.result()) is not None:
                self.free(place)
            raise

    def _look(self) -> None:
        """One timer for the whole line. Who has stood in it for long takes no place in the lane from others any more."""
        self._watch = None
        while self._line:
            turn, until_s = self._line[0]
            if (left_s := until_s - self._monotonic()) > 0:
                self._watch = asyncio.get_running_loop().call_later(left_s, self._look)
                return
            self._line.popleft()
            if not turn.done():
                turn.set_result(None)

    def _apart_ms(self) -> int:
        """So that hundreds that wait for one host do not all come back at one moment."""
        self._aside = (self._aside + 1) % CROWD
        return self._aside * APART_MS


@lru_cache(maxsize=HOSTS_KEPT)
def _name(url: str) -> str:
    """As sockets are shared: https://a.example is https://A.example:443."""
    try:
        return str(URL(url).origin())
    except ValueError:  # nothing will be sent there
        return url
