"""Parts: a list of which a page shows some, in words and with the buttons to the others."""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from bot.slack.ids import HOME_GO, Place
from bot.slack.views import blocks as b
from bot.slack.views.facts import Block

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """`first`, counted from 0, is the first of `items` in all `total` of them; `more`: there are more than that, uncounted."""

    items: tuple[T, ...] = ()
    first: int = 0
    total: int = 0
    more: bool = False

    @property
    def count(self) -> str:
        return f"more than {self.total:,}" if self.more else f"{self.total:,}"


NONE: Final[Part[Any]] = Part()


def titled(title: str, part: Part[T]) -> Block:
    return b.header(f"{title} ({part.count})" if part.total else title)


def pager(part: Part[T], place: Place, of: int, size: int, what: str) -> list[Block]:
    """Nothing where all of it is shown. `of`: the number of this list on its page; `what`: of what, for who hears a button alone."""
    last = part.first + len(part.items)
    if part.first == 0 and last >= part.total and not part.more:
        return []
    at = part.first // size
    ways = []
    if part.first > 0:
        ways.append(("Previous", at - 1))
    if last < part.total or part.more:
        ways.append(("Next", at + 1))
    pressed = [b.button(word, f"{HOME_GO}{of}_{word.lower()}", str(place.at(of, to)), about=what) for word, to in ways]
    shown = f"{part.first + 1:,}–{last:,}" if part.items else "none"
    return [b.context(f"Showing {shown} of {part.count}."), b.actions(*pressed)]
