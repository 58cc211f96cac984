"""Circuit: one receiver's silence takes no place from the others."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

OPENS_AFTER: Final = 5  # times in a row without an answer
PROBE_MS: Final = 30_000  # after which one delivery looks whether it is back; doubled each time it is not
PROBE_MOST_MS: Final = 300_000
HOSTS_KEPT: Final = 512
SLOW_S: Final = 1.0  # an answer that takes longer makes a host slow
# Deliveries at a time, of this process, to a host never heard of, to one that is quick, and to one that is not.
UNKNOWN, QUICK, SLOW = 8, 128, 4
CROWD, APART_MS = 256, 25
STEP_ASIDE_MS: Final = 500  # how long what finds no place at its host waits, before it is looked at again, at the least


@dataclass(slots=True)
class _Host:
    begun: list[float] = field(default_factory=list)  # by the monotonic clock, s: of each delivery under way
    quick: bool | None = None  # as the last answer was
    silent: int = 0
    open_until_ms: int | None = None
    pause_ms: int = PROBE_MS
    aside: int = 0

    def apart(self) -> int:
        """So that hundreds that wait for one host do not all come back at one moment, ms."""
        self.aside = (self.aside + 1) % CROWD
        return self.aside * APART_MS


class Circuits:
    """Of one process, each host for itself: a new process learns it anew. A host that answers, whatever it says, is not silent."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def enter(self, url: str, *, now_ms: int, monotonic_s: float) -> int | None:
        """How long to wait before it is tried, ms. None: it goes now, and `leave` must follow."""
        host = self._hosts.setdefault(_host(url), _Host())
        if host.open_until_ms is not None:
            if now_ms < host.open_until_ms:
                return host.open_until_ms - now_ms + host.apart()
            if host.begun:  # one looks already whether it is back
                return STEP_ASIDE_MS + host.apart()
        slow = host.quick is False or (
            bool(host.begun) and monotonic_s - host.begun[0] > SLOW_S  # the oldest
        )
        if len(host.begun) >= (SLOW if slow else UNKNOWN if host.quick is None else QUICK):
            return STEP_ASIDE_MS + host.apart()
        host.begun.append(monotonic_s)
        return None

    def leave(self, url: str, *, entered_s: float, answered: bool, now_ms: int, monotonic_s: float) -> None:
        host = self._hosts[_host(url)]
        host.begun.remove(entered_s)
        host.quick = answered and monotonic_s - entered_s <= SLOW_S
        if answered:
            host.silent, host.open_until_ms, host.pause_ms = 0, None, PROBE_MS
            return
        host.silent += 1
        if host.open_until_ms is not None and now_ms >= host.open_until_ms:
            host.pause_ms = min(2 * host.pause_ms, PROBE_MOST_MS)
            host.open_until_ms = now_ms + host.pause_ms
        elif host.silent >= OPENS_AFTER and host.open_until_ms is None:
            host.open_until_ms = now_ms + host.pause_ms


@lru_cache(maxsize=HOSTS_KEPT)
def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
