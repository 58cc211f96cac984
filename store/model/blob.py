"""Blob: a value that was sealed by itself, and the short reference that stands for it."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from store.model.identity import ALPHABET, REQUEST_ID_LENGTH, TargetId, UserId, as_crockford
from store.model.record import Record
from store.model.sealed import MintedId, SealedEntry

PREFIX: Final = "sealed:"

_REFERENCE: Final = re.compile(rf"{PREFIX}(?P<id>[{ALPHABET}]{{{REQUEST_ID_LENGTH}}})")


class Blob(Record):
    """`name` and `mode` are what it was sealed for, None where it may become any. `entry` opens under no other person, name or mode."""

    environment_id: MintedId
    target: TargetId
    user: UserId
    name: str | None = None
    mode: Annotated[int, Field(ge=0, le=0o777)] | None = None
    expires_ms: int
    entry: SealedEntry


@dataclass(frozen=True, slots=True)
class Pasted:
    """In place of a value: a reference to one that was sealed by itself."""

    reference: str


def parse(typed: str) -> str | None:
    """The id in a reference, however it was spelled; None for what is none."""
    prefix, colon, rest = typed.strip().partition(":")
    spelled = f"{prefix.lower()}{colon}{as_crockford(rest)}"
    found = _REFERENCE.fullmatch(spelled)
    return found["id"] if found else None
