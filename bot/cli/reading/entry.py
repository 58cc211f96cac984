"""Entry: one name with what it is to be, as it was read; and where in a file something is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

from store.model.errors import Invalid
from store.model.sealed import check_name, check_size
from store.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, or with a mode a file."""

    name: str
    value: Secret
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class At:
    """A place in what was read. Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def wrong(self, sentence: str) -> Invalid:
        return Invalid(f"{self.file}:{self.line}:{self.column}: {sentence}", code="bad_file")


def place(file: str, text: str, at: int) -> At:
    before = text[:at]
    return At(file, before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1)


def checked(entry: Entry, at: At | None = None) -> Entry:
    """Raises `Invalid` where the name or the size will not do, and says where that stands."""
    try:
        check_name(entry.name, entry.mode)
        check_size(entry.name, len(entry.value), entry.mode)
    except Invalid as error:
        raise at.wrong(error.sentence) if at is not None else error from None
    return entry


def once(entries: Iterable[tuple[Entry, At]]) -> list[Entry]:
    """Raises `Invalid` for a name that stands twice: which of the two was meant, nobody knows."""
    first: dict[str, At] = {}
    found = []
    for entry, at in entries:
        if entry.name in first:
            raise at.wrong(f"{entry.name} stands in line {first[entry.name].line} already. Remove one of them.")
        first[entry.name] = at
        found.append(checked(entry, at))
    return found
