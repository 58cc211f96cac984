"""Change: which secrets a request touches, by name and never by value."""

from collections.abc import Iterable
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.facts import Block
from bot.slack.views.words import cut, plural
from store.model.request import Change, Touch

NAMES_SHOWN: Final = 12  # on a card
NAME_MOST: Final = 100
ORDER: Final = ("new", "changed", "removed", "unchanged")


def touched(change: Change, *, whole: bool = False) -> Block:
    """How many are new, changed, removed and unchanged, then the names."""
    listed = sorted(change.touches, key=lambda touch: (ORDER.index(touch.word), touch.name))
    shown = listed if whole else listed[:NAMES_SHOWN]
    parts = [b.line(b.text("Secrets", bold=True), b.text(f": {summary(listed)}"))]
    parts.append(
        b.bullets([b.text(cut(touch.name, NAME_MOST), code=True), b.text(f" {touch.word}")] for touch in shown)
    )
    if len(shown) < len(listed):
        parts.append(b.line(b.text(f"and {len(listed) - len(shown)} more. {rest(listed[len(shown) :])}")))
    return b.rich(*parts)


def summary(touches: Iterable[Touch]) -> str:
    """`2 new, 1 changed`."""
    counts = [(sum(touch.word == word for touch in touches), word) for touches in [list(touches)] for word in ORDER]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def rest(touches: list[Touch]) -> str:
    """What the cut list leaves out, in numbers: a removal must not hide behind a count."""
    return f"Among them: {summary(touches)}." if touches else plural(0, "secret")
