"""Change: which secrets a request touches, by name and never by value."""

from collections.abc import Iterable, Iterator
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.facts import Block
from store.model.caution import Caution
from store.model.request import Change, Touch

NAMES_SHOWN: Final = 12  # on a card
LETTERS_MOST: Final = 8_000  # of names; a message whose blocks hold much more is refused as msg_blocks_too_long
CAUTIONS_SHOWN: Final = 8  # on a card
CAUTIONS_MOST: Final = 60  # in all of it
NAMES_OF_ONE: Final = 3
NOT_WORKED_OUT: Final = "Whether a value is empty, unchanged, or the same as in another environment could not be worked out now: no key holder answered. The decision does not wait for it."
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


def cautions(found: tuple[Caution, ...] | None, most: int | None) -> list[Block]:
    """What the approvers may want to ask about. Never a value, nor anything of one but what stands here."""
    if found is None:
        return [b.context(NOT_WORKED_OUT)]
    if not found:
        return []
    lines = [[b.text(caution.name, code=True), b.text(f" {_said(caution)}")] for caution in found[:most]]
    if left := len(found) - len(lines):
        lines.append([b.text(f"and {left} more like these")])
    return [b.rich(b.line(b.text("Worth a second look", bold=True)), b.bullets(lines))]


def _said(caution: Caution) -> str:
    match caution.word:
        case "empty":
            return "is empty"
        case "white_space":
            return "begins or ends with white space"
        case "unchanged":
            return "is the value that is there already"
        case "same":
            names = ", ".join(caution.names[:NAMES_OF_ONE]) + (
                " and others" if len(caution.names) > NAMES_OF_ONE else ""
            )
            return f"has the same value as {names} in {caution.there}"


def _fitting(touches: list[Touch]) -> Iterator[Touch]:
    """Names are never cut: two that differ at their ends must look different."""
    left = LETTERS_MOST
    for touch in touches:
        left -= len(touch.name)
        if left < 0:
            return
        yield touch
