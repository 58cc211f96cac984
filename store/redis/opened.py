"""Opened: values in the clear, in memory, for as long as somebody may read them and no longer than minutes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from store.model.recent import Recent
from store.model.secret import Secret

KEPT_S: Final = 120.0
KEPT_VERSIONS: Final = 64
KEPT_BYTES: Final = 32 * 1024 * 1024  # of values, all versions together


class Value(NamedTuple):
    """What somebody wants a name to hold. `mode`: permission bits of a file; no `secret` removes the name."""

    secret: Secret | None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Same:
    """Nothing left: the version that whoever asks has is the one there is. Times in ms of the one clock."""

    environment: str  # its id
    version: int
    at_ms: int
    until_ms: int  # when this access ends
    request: str | None  # by which a person reads; None for a machine


@dataclass(frozen=True, slots=True)
class Opened(Same):
    """Values for the holder of a grant, or of a machine's token."""

    values: Mapping[str, Value]


class Sheaf:
    """The values of one version in one piece of memory of ours, which `wipe` overwrites with zeros."""

    __slots__ = ("__bytes", "__places")

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.__bytes = bytearray()
        self.__places: dict[str, tuple[int, int, int | None]] = {}
        for name, value in values.items():
            start = len(self.__bytes)
            self.__bytes += value.secret.reveal() if value.secret is not None else b""
            self.__places[name] = (start, len(self.__bytes), value.mode)

    def __len__(self) -> int:
        return len(self.__bytes)

    def values(self) -> dict[str, Value]:
        """Copies, which go when whoever has asked lets go of them."""
        whole = bytes(self.__bytes)
        return {name: Value(Secret(whole[start:end]), mode) for name, (start, end, mode) in self.__places.items()}

    def wipe(self) -> None:
        self.__bytes[:] = bytes(len(self.__bytes))
        self.__places.clear()

    def __repr__(self) -> str:
        return f"Sheaf({len(self.__places)} values)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Values do not travel by pickle.")


class Memory:
    """Opened versions by environment and MAC: what has the same MAC has the same values, whatever key wraps them by now.

    It saves a look at the key holders and the opening; never a decision: who may read is decided before it is asked.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Sheaf, float]] = {}
        self._heads: Recent[str, str] = Recent(KEPT_VERSIONS)
        self._bytes = 0

    def head(self, target: str) -> str:
        """What to tell the reading script: 'E version-of-the-head MAC' of what is kept for this target, or nothing."""
        said = self._heads.get(target, "")
        environment, _, mac = said.split(" ") if said else ("", "", "")
        return said if self.get(environment, mac) is not None else ""

    def say_newest(self, target: str, head: str) -> None:
        """That `head`, as `head()` gives it, is what `target` holds by now."""
        self._heads[target] = head

    def get(self, environment: str, mac: str) -> Sheaf | None:
        kept = self._kept.get((environment, mac))
        return kept[0] if kept is not None and asyncio.get_running_loop().time() < kept[1] else None

    def keep(self, environment: str, mac: str, values: Mapping[str, Value]) -> Sheaf:
        """What is larger than all there is room for is not kept."""
        sheaf = Sheaf(values)
        self._drop((environment, mac))
        while self._kept and (len(self._kept) >= KEPT_VERSIONS or self._bytes + len(sheaf) > KEPT_BYTES):
            self._drop(next(iter(self._kept)))
        if len(sheaf) > KEPT_BYTES:
            return sheaf
        loop = asyncio.get_running_loop()
        self._kept[environment, mac] = (sheaf, loop.time() + KEPT_S)
        self._bytes += len(sheaf)
        # Also when nobody asks again: a value does not lie in memory because it is quiet.
        loop.call_later(KEPT_S + 1, self.drop_expired)
        return sheaf

    def drop_expired(self) -> None:
        now = asyncio.get_running_loop().time()
        for key in [key for key, (_, until) in self._kept.items() if now >= until]:
            self._drop(key)

    def clear(self) -> None:
        for key in list(self._kept):
            self._drop(key)
        self._heads.clear()

    def _drop(self, key: tuple[str, str]) -> None:
        sheaf, _ = self._kept.pop(key, (None, 0.0))
        if sheaf is not None:
            self._bytes -= len(sheaf)
            sheaf.wipe()
