"""Commit: guarded writes, gathered and then made all at once or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from store.model.audit import Audit
from store.model.effect import Effect, Lane
from store.model.errors import Conflict, Unavailable
from store.redis.keys import Keys
from store.redis.scripts import Scripts

ANSWER_KEPT_S: Final = 24 * 3600
TRIES: Final = 12  # how often somebody else may be faster before we give up


class Committed(NamedTuple):
    """`seen`: this command had been committed before, and this is what it was answered then."""

    status: Literal["ok", "seen", "late", "moved"]
    answer: str = ""
    world: list[Any] | None = None  # where nothing was committed, what `otherwise` asked for; as `world.lua` answers


@dataclass(slots=True)
class Commit:
    """One commit in the making. `fingerprint` tells one command's content from another's under the same id."""

    keys: Keys
    command_id: str
    fingerprint: str = ""
    answer: str = ""
    good_until_ms: int | None = None
    good_from_ms: int | None = None
    frees: bool = False  # it takes away or records, and is let through by a full server
    _lanes: set[Lane] = field(default_factory=set)
    _names: list[str] = field(default_factory=list)
    _plan: list[str] = field(default_factory=list)  # of each operation: name, first key, arguments
    _arguments: list[str | int | bytes] = field(default_factory=list)

    def write(self, key: str, version: int, body: str, projected: Mapping[str, str | int] | None = None) -> None:
        fields = [part for name, value in (projected or {}).items() for part in (name, value)]
        self._add("write", [key], version, body, *fields)

    def guard(self, key: str, version: int) -> None:
        self._add("guard", [key], version)

    def set(self, key: str, body: str) -> None:
        self._add("set", [key], body)

    def swap(self, key: str, old: str, body: str) -> None:
        """A body without a version, which must still be `old`."""
        self._add("swap", [key], old, body)

    def fill(self, key: str, fields: Mapping[str, str]) -> None:
        self._add("fill", [key], *(part for item in fields.items() for part in item))

    def adopt(self, source: str, into: str) -> None:
        self._add("adopt", [source, into])

    def omit(self, key: str, fields: Iterable[str]) -> None:
        """At most a few thousand: they are the arguments of one call."""
        self._add("omit", [key], *fields)

    def expire(self, key: str, after_ms: int) -> None:
        self._add("expire", [key], after_ms)

    def drop(self, key: str) -> None:
        self._add("drop", [key])

    def rank(self, key: str, member: str, score: int | None) -> None:
        """Without a score the member leaves."""
        if score is None:
            self.unrank(key, member)
        else:
            self._add("rank", [key], member, score)

    def unrank(self, key: str, *members: str) -> None:
        self._add("unrank", [key], *members)

    def put(self, effects: Iterable[Effect]) -> None:
        for key, effect in {effect.key: effect for effect in effects}.items():
            self._lanes.add(effect.lane)
            self._add("put", [self.keys.lane(effect.lane), self.keys.effect(effect.lane, key)], key, effect.to_json())

    def settle(self, lane: str, member: str, generation: int, fence: int, again_in_ms: int | None) -> None:
        """Ends a claim in the same commit. Where it was lost meanwhile, the rest is committed all the same."""
        names = [self.keys.lane(lane), self.keys.effect(lane, member)]
        self._add("settle", names, member, generation, fence, "" if again_in_ms is None else max(0, again_in_ms))

    def otherwise(self, request: str, debt: str, policy: str, most: int) -> None:
        """What to read in the same turn where nothing can be committed, to decide again."""
        self._add("else", [request, debt, policy], self.keys.prefix, most)

    def audit(self, entries: Iterable[Audit]) -> None:
        for entry in entries:
            self._add("audit", [], entry.to_json())

    async def run(self, scripts: Scripts, skew_ms: int) -> Committed:
        """Raises `Conflict` when the id was used for another command, `Unavailable` when nobody knows whether it was committed."""
        keys = [self.keys.command(self.command_id), self.keys.audit, self.keys.audit_number, *self._names]
        head: list[str | int | bytes] = [
            *(skew_ms, self.good_until_ms or 0, self.good_from_ms or 0),
            *(self.fingerprint, self.answer, ANSWER_KEPT_S, " ".join(self._plan)),
        ]
        try:
            reply = await scripts.run("commit", keys, head + self._arguments, frees=self.frees)
        except Unavailable as error:
            if error.detail != "unknown":
                raise
            # Its id makes it safe to ask again: either it is there already, or it is made now.
            reply = await scripts.run("commit", keys, head + self._arguments, frees=self.frees)
        status = text(reply[0])
        if self._lanes and status in ("ok", "seen"):
            scripts.on_put(self._lanes)
        if status == "seen":
            fingerprint, answer = text(reply[1]), text(reply[2])
            if fingerprint != self.fingerprint:
                raise Conflict("This id was used for something else.", code="other_command")
            return Committed("seen", answer)
        return Committed(status, self.answer, reply[1] if len(reply) > 1 else None)  # type: ignore[arg-type]  # the script knows four words

    def _add(self, name: str, keys: list[str], *args: str | int | bytes) -> None:
        self._plan.append(_step(name, len(self._names) + 4, len(args)))
        self._names += keys
        self._arguments += args


@lru_cache(maxsize=4096)
def _step(name: str, key: int, count: int) -> str:
    """The same few stand in every commit."""
    return f"{name} {key} {count}"


def contended() -> Conflict:
    return Conflict("Too many people act on this at the same time. Try again in a moment.", code="contended")


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
