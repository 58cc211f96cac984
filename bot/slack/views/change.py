"""Change: which secrets a request touches, by name and never by value."""

from collections.abc import Iterable, Iterator
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.words import plural
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
        parts.append(b.line(b.text(f"and {len(listed) - len(shown)} more. {rest(listed[len(shown) :])}")))
    return parts


def summary(touches: Iterable[Touch]) -> str:
    """`2 new, 1 changed`."""
    counts = [(sum(touch.word == word for touch in touches), word) for touches in [list(touches)] for word in ORDER]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def rest(touches: list[Touch]) -> str:
    """What the cut list leaves out, in numbers: a removal must not hide behind a count."""
    return f"Among them: {summary(touches)}." if touches else plural(0, "secret")


def _fitting(touches: list[Touch]) -> Iterator[Touch]:
    """Names are never cut: two that differ at their ends must look different."""
    left = LETTERS_MOST
    for touch in touches:
        left -= len(touch.name)
        if left < 0:
            return
        yield touch
