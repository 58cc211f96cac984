"""Grammar: what may follow `/countersign`."""

from dataclasses import dataclass
from typing import TypeAlias

from store.model.request import Kind


@dataclass(frozen=True, slots=True)
class Ask:
    """What is missing is asked for in the modal. `target` is canonical."""

    kind: Kind
    target: str | None = None
    duration_ms: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    pass


@dataclass(frozen=True, slots=True)
class Mine:
    pass


@dataclass(frozen=True, slots=True)
class Help:
    pass


@dataclass(frozen=True, slots=True)
class Show:
    id: str


@dataclass(frozen=True, slots=True)
class Why:
    id: str


@dataclass(frozen=True, slots=True)
class Cancel:
    id: str


@dataclass(frozen=True, slots=True)
class Done:
    """Without an id: the only thing this person holds, if it is only one."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """Not understood, and what would be right."""

    sentence: str


Parsed: TypeAlias = Ask | Pending | Mine | Help | Show | Why | Cancel | Done | Mistake


def parse(text: str, *, organization: str | None = None) -> Parsed:
    raise NotImplementedError
