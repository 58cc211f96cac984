"""Health: the page of App Home on which owners see how the program is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bot.slack import ids
from bot.slack.ids import Place
from bot.slack.views import blocks as b
from bot.slack.views import locked, refusals
from bot.slack.views.facts import Block
from bot.slack.views.words import cleaned, date, plural
from store.model.lock import Lock
from store.model.policy import Hook

LINES_MOST: Final = 15  # of each word
LINE_MOST: Final = 400  # characters
LOCKS_MOST: Final = 10
CLOSED_MOST: Final = 10
HOOKS_MOST: Final = 15

START: Final = Place("health")

Word = Literal["fail", "warn", "ok"]
TITLES: Final[dict[Word, str]] = {"fail": "Does not work", "warn": "Should be looked at", "ok": "In order"}


@dataclass(frozen=True, slots=True)
class Line:
    """`about`: one word for the part. `sentence` may quote an outside system."""

    word: Word
    about: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A channel that is closed to us, and the targets whose cards belong there. `why`: Slack's own word."""

    channel: str
    why: str
    since_ms: int
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """`looked_ms`: when the lines were true."""

    user: str
    version: str
    looked_ms: int
    lines: tuple[Line, ...] = ()
    locks: tuple[Lock, ...] = ()
    more_locks: int = 0
    closed: tuple[Closed, ...] = ()
    hooks: tuple[tuple[str, Hook], ...] = ()  # that the policies name, each with its target


def page(facts: HealthFacts) -> list[Block]:
    lines = {word: [line for line in facts.lines if line.word == word] for word in TITLES}
    shown = {word: _lines(title, lines[word]) if lines[word] else [] for word, title in TITLES.items()}
    about = (
        f"Countersign {facts.version}, as this process saw it {date(facts.looked_ms)}. Press *Health* to look again."
    )
    counts = {word: len(lines[word]) for word in TITLES}
    counts["warn"] += len(facts.locks) + facts.more_locks + len(facts.closed)
    summed = [b.header("Health"), b.section(_sum(**counts)), b.context(about)]
    return [
        *summed,
        *shown["fail"],
        *shown["warn"],
        *_closed(facts.closed),
        *_locks(facts),
        *shown["ok"],
        *_hooks(facts.hooks),
    ]


def _sum(fail: int, warn: int, ok: int) -> str:
    looked = f"{plural(fail + warn + ok, 'thing')} looked at"
    if fail:
        return f"*{plural(fail, 'thing')} {'does' if fail == 1 else 'do'} not work.* {looked}."
    if warn:
        return f"*It works, and {plural(warn, 'thing')} should be looked at.* {looked}."
    return f"*All is well.* {looked}."


def _lines(title: str, lines: Sequence[Line]) -> list[Block]:
    items = [[b.text(line.about, bold=True), b.text(f": {cleaned(line.sentence, LINE_MOST)}")] for line in lines]
    left = len(items) - LINES_MOST
    rest = [b.line(b.text(f"and {left} more: countersign doctor lists them."))] if left > 0 else []
    return [b.header(f"{title} ({len(items)})"), b.rich(b.bullets(items[:LINES_MOST]), *rest)]


def _closed(closed: Sequence[Closed]) -> list[Block]:
    if not closed:
        return []
    rows = [
        b.section(refusals.shut(each.channel, each.why, each.since_ms, each.targets)) for each in closed[:CLOSED_MOST]
    ]
    if (more := len(closed) - CLOSED_MOST) > 0:
        rows.append(b.context(f"and {more:,} more: `countersign doctor` lists them."))
    return [b.header(f"Channels closed to Countersign ({len(closed):,})"), *rows]


def _hooks(hooks: Sequence[tuple[str, Hook]]) -> list[Block]:
    """Each can be sent a test. Its name and its target are ours to write: letters, digits and a few signs."""
    if not hooks:
        return []
    rows = [
        b.section(
            f"`{hook.name}` of {target}, told of {', '.join(sorted(hook.on))}",
            b.button(
                "Test", ids.HOME_TEST_HOOK, ids.hook_reference(target, hook.name), about=f"{hook.name} of {target}"
            ),
        )
        for target, hook in hooks[:HOOKS_MOST]
    ]
    if (more := len(hooks) - HOOKS_MOST) > 0:
        rows.append(b.context(f"and {more:,} more: `countersign hooks ls` lists them."))
    return [b.header(f"Hooks ({len(hooks):,})"), *rows]


def _locks(facts: HealthFacts) -> list[Block]:
    if not facts.locks:
        return []
    rows = [locked.row(lock, facts.user) for lock in facts.locks[:LOCKS_MOST]]
    total = len(facts.locks) + facts.more_locks
    if more := total - len(rows):
        rows.append(b.context(f"and {more:,} more whose break-glass is locked: `/countersign unlock` lists them."))
    return [b.header(f"Locked ({total:,})"), *rows]
