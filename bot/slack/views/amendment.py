"""Amendment: what a change of the policies would put into force, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.facts import Block, Proposed, Said
from bot.slack.views.words import cleaned, people, plural
from store.model.lockout import LOCKED, Danger

CHANGES_SHOWN: Final = 12  # lines on a card
LETTERS_MOST: Final = 6_000  # of them; a message whose blocks hold much more is refused as msg_blocks_too_long
LINE_MOST: Final = 1_000
LINES_MOST: Final = 10_000
VIEW_LETTERS_MOST: Final = 80_000  # a view holds 250,000 characters of JSON
VIEW_CHANGES_MOST: Final = 90  # blocks
KINDS: Final = ("added", "changed", "moved", "renamed", "removed")

WAY_BACK: Final = "The only way back is then at the terminal of the machine: `countersign policy recover`."
DANGERS: Final[dict[Danger, str]] = {
    "no_rule": "After this nobody could change the policies by a request: no rule would cover policy:main.",
    "no_requester": "After this nobody could change the policies: nobody who may ask for that is an active member of the workspace.",
    "unreachable": "After this nobody could change the policies: whoever asks for that, too few others are left who may approve it.",
    "alone": "After this one person alone could change the policies: who asks for that may approve it, and nobody else is needed.",
    "no_owner": "After this there would be no owner: nobody on that list is an active member of the workspace.",
    "unknown": "Slack did not tell who is in a group that the rule for policy:main would name, so nobody can say whether the policies could still be changed afterwards.",
}


def warnings(dangers: Sequence[Danger]) -> list[str]:
    """Sentences, our own words only."""
    return [*(DANGERS[danger] for danger in dangers), *([WAY_BACK] if LOCKED & {*dangers} else [])]


def changes(proposed: Proposed | None, *, whole: bool) -> list[Block]:
    """Everything that is another afterwards; on a card as much as it holds, and then in numbers what is left."""
    if proposed is None:
        return [b.section("What it would change cannot be read, so it cannot be approved.")]
    listed = proposed.changes
    shown = fitting(listed, None if whole else CHANGES_SHOWN)
    parts = [b.line(b.text("Changes", bold=True), b.text(f" to version {proposed.base}: {summary(listed)}"))]
    parts += [part for said in shown for part in told(said)]
    if left := listed[len(shown) :]:  # in numbers: a removal must not hide behind a count
        parts.append(b.line(b.text(f"and {len(left)} more: {summary(left)}")))
    names = [
        f"{label} {people(who, most=40)}."
        for label, who in (("*Named anew:*", proposed.named), ("*No longer named:*", proposed.unnamed))
        if who
    ]
    warned = [f":warning: *{sentence}*" for sentence in _warnings(proposed)]
    return [b.rich(*parts), *([b.section("\n".join(names))] if names else []), *map(b.section, warned)]


def brief(proposed: Proposed | None) -> list[Block]:
    """In one block, where there is no room for all of it: how much is another, and what it would keep people from."""
    if proposed is None:
        return changes(None, whole=False)
    warned = [f":warning: *{sentence}*" for sentence in _warnings(proposed)]
    return [b.section("\n".join((f"*Changes to version {proposed.base}:* {summary(proposed.changes)}", *warned)))]


def _warnings(proposed: Proposed) -> list[str]:
    overtaken = f"Version {proposed.now} of the policies is in force by now, so this cannot be merged any more. Apply the file again."
    return [*warnings(proposed.dangers), *([overtaken] if proposed.now is not None else [])]


def is_cut(proposed: Proposed | None) -> bool:
    if proposed is None:
        return False
    long = any(len(line) > LINE_MOST for said in proposed.changes for line in said.lines)
    return long or fitting(proposed.changes, CHANGES_SHOWN) != [*proposed.changes]


def summary(listed: Sequence[Said]) -> str:
    """`2 rules added, 1 target removed`."""
    counts = [
        (sum(said.kind == kind and said.about == about for said in listed), about, kind)
        for about in dict.fromkeys(said.about for said in listed)
        for kind in KINDS
    ]
    return ", ".join(f"{_counted(count, about)} {kind}" for count, about, kind in counts if count) or "nothing"


def _counted(count: int, about: str) -> str:
    return plural(count, about) if about in ("rule", "target", "connector") else about


def told(said: Said, most: int = LINE_MOST) -> Iterator[b.Element]:
    """Pieces of rich text: what happened to it, and then key by key, each line cut at `most` characters."""
    yield b.bullets([[b.text(cleaned(said.head, LINE_MOST), bold=True)]])
    if said.lines:
        yield {**b.bullets(_pieces(cleaned(line, most)) for line in said.lines), "indent": 1}


def _pieces(line: str) -> list[b.Element]:
    return [b.text(line[at : at + LINE_MOST]) for at in range(0, len(line), LINE_MOST)] or [b.text("-")]


def fitting(
    listed: Sequence[Said], most: int | None, letters: int = LETTERS_MOST, line_most: int = LINE_MOST
) -> list[Said]:
    """As many as fit. Of the first that does not fit, as much as does, with how many keys are left."""
    found: list[Said] = []
    lines = most if most is not None else LINES_MOST
    for said in listed:
        lines, letters = lines - 1, letters - min(len(said.head), LINE_MOST)
        if found and (lines < 0 or letters < 0):
            break
        keys = []
        for line in said.lines:
            lines, letters = lines - 1, letters - min(len(line), line_most)
            if lines < 0 or letters < 0:
                break
            keys.append(line)
        if len(keys) < len(said.lines):
            left = plural(len(said.lines) - len(keys), "more key")
            return [*found, replace(said, lines=(*keys, f"and {left}"))]
        found.append(said)
    return found


def whole(proposed: Proposed | None) -> list[Block]:
    """All of it, as much as a modal can hold."""
    if proposed is None:
        return changes(None, whole=True)
    shown = fitting(proposed.changes, None, VIEW_LETTERS_MOST, VIEW_LETTERS_MOST)[:VIEW_CHANGES_MOST]
    blocks = [b.section(f"*Changes to version {proposed.base}:* {summary(proposed.changes)}")]
    blocks += [b.rich(*told(said, VIEW_LETTERS_MOST)) for said in shown]
    if left := proposed.changes[len(shown) :]:
        blocks.append(
            b.section(f"and {len(left)} more: {summary(left)}. `countersign policy diff` shows them at a terminal.")
        )
    return blocks
