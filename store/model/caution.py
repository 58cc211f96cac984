"""Caution: what approvers are told of the values of a change without seeing them. Worked out while a card is drawn, and stored nowhere."""

from dataclasses import dataclass
from typing import Literal

from store.model.secret import Secret

Word = Literal["empty", "white_space", "unchanged", "same"]


@dataclass(frozen=True, slots=True)
class Caution:
    """`name` of the change. `same`: `there` holds the same value, under names of another environment."""

    name: str
    word: Word
    there: str = ""
    names: tuple[str, ...] = ()


def of_value(name: str, secret: Secret, mode: int | None, base: Secret | None) -> list[Caution]:
    """Of one value by itself, and beside the one that it replaces. Files end with a line end as a rule, so that is not told of them."""
    value = secret.reveal()
    found = []
    if not value:
        found.append(Caution(name, "empty"))
    elif mode is None and value != value.strip():
        found.append(Caution(name, "white_space"))
    if base is not None and base == secret:
        found.append(Caution(name, "unchanged"))
    return found
