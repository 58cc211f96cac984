"""Versions: how each version of an environment came about, and what is another in it. Names only, never a value."""

from collections.abc import Collection, Mapping
from typing import Literal

from store.model.errors import Conflict, Invalid
from store.model.identity import RequestId, TargetId, shown
from store.model.record import Record
from store.model.request import Change, Request, Touch
from store.model.sealed import MAX_REQUEST_ENTRIES, Held, Manifest, MintedId, Number, Sha256

Word = Literal["new", "changed", "unchanged", "removed"]


class VersionInfo(Record):
    """Who asked for a version, when it was merged, and which names it touched. `by`: a user, `clock` for the first one, None where that was not kept.

    A name that was removed stands here as long as the version is kept: who removed it, and when. `back_to`: the version
    whose entries it uses again.
    """

    number: Number
    at_ms: int | None = None
    by: str | None = None
    request: RequestId | None = None
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    back_to: Number | None = None


class Tombstone(Record):
    """An environment that was deleted. Its id is never used again; `mac` is that of its last version."""

    id: MintedId
    target: TargetId
    by: str
    at_ms: int
    version: Number
    mac: Sha256 | None = None
    reason: str = ""


def merged(request: Request, number: int, at_ms: int) -> VersionInfo:
    """Of a change that becomes version `number`."""
    touches = request.payload.touches if isinstance(request.payload, Change) else ()
    names: dict[str, tuple[str, ...]] = {
        word: tuple(sorted(touch.name for touch in touches if touch.word == word))
        for word in ("new", "changed", "removed")
    }
    back_to = request.payload.back_to if isinstance(request.payload, Change) else None
    return VersionInfo(
        number=number, at_ms=at_ms, by=request.requester, request=request.id,
        added=names["new"], changed=names["changed"], removed=names["removed"], back_to=back_to,
    )  # fmt: skip


def difference(old: Mapping[str, Held], new: Mapping[str, Held]) -> dict[str, Word]:
    """Name -> what `new` does to it, in the order of the names. One that was sealed again counts as changed: nothing is opened here."""
    return {name: _word(old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())}


def back(head: Manifest, old: Manifest, names: Collection[str] = ()) -> tuple[Touch, ...]:
    """What makes `head` hold again what `old` held, of these names, else of all. Raises `Invalid`, `Conflict` where nothing is another."""
    moved = [name for name, word in difference(head.entries, old.entries).items() if word != "unchanged"]
    if strange := sorted(set(names) - set(moved)):
        raise Invalid(
            f"{shown(strange[0])} is what it was in version {old.number}, or was never there.", code="nothing_to_change"
        )
    wanted = [name for name in moved if not names or name in names]
    if not wanted:
        raise Conflict(
            f"It holds what it held in version {old.number}: there is nothing to roll back.", code="nothing_to_change"
        )
    if len(wanted) > MAX_REQUEST_ENTRIES:
        raise Invalid(
            f"To version {old.number} {len(wanted)} names would change, and a request changes at most {MAX_REQUEST_ENTRIES}. "
            "Roll back in steps: name which.",
            code="too_many_entries",
        )
    kept = {name: held for name, held in head.entries.items() if name not in wanted}
    head.successor(kept | {name: old.entries[name] for name in wanted if name in old.entries})
    return tuple(Touch(name=name, base=head.entry_id(name), entry=old.entries.get(name)) for name in wanted)


def _word(old: Held | None, new: Held | None) -> Word:
    if new is None:
        return "removed"
    if old is None:
        return "new"
    return "unchanged" if old == new else "changed"
