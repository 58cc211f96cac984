"""Change: which secrets a request touches, by name and never by value."""

from collections.abc import Iterable, Iterator
from typing import Final

from bot.slack.views import blocks as b
from store.model.request import Change, Touch

NAMES_SHOWN: Final = 12  # on a card
LETTERS_MOST: Final = 8_000  # of names; a message whose blocks hold much more is refused as msg_blocks_too_long
ORDER: Final = ("new", "changed", "removed", "unchanged")


def touched(change: Change, most: int | None) -> list[b.Element]:
    """How many are new, changed, removed and unchanged, then the names, at most so many: pieces of rich text."""
    listed = sorted(change.touches, key=lambda touch: (ORDER.index(touch.word), touch.name))
    shown = list(_fitting(listed[:most]))
    parts = [b.line(b.text("Secrets", bold=True), b.text(f": {summary(listed)}"))]
    parts.append(b.bullets([b.text(touch.name, code=True), b.text(f" {touch.word}")] for touch in shown))
    if len(shown) < len(listed):
        left = listed[len(shown) :]  # in numbers: a removal must not hide behind a count
        parts.append(b.line(b.text(f"and {len(left)} more: {summary(left)}")))
    return parts


def summary(touches: Iterable[Touch]) -> str:
    """`2 new, 1 changed`."""
    words = [touch.word for touch in touches]
    counts = [(words.count(word), word) for word in ORDER]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _fitting(touches: list[Touch]) -> Iterator[Touch]:
    """Names are never cut: two that differ at their ends must look different."""
    left = LETTERS_MOST
    for touch in touches:
        left -= len(touch.name)
        if left < 0:
            return
        yield touch
