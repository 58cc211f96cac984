"""Health: the page of App Home on which owners see how the program is."""

from dataclasses import dataclass
from typing import Final

from bot.slack.ids import Place
from bot.slack.views import blocks as b
from bot.slack.views import locked
from bot.slack.views.facts import Block
from bot.slack.views.words import cleaned
from store.model.lock import Lock

LINES_MOST: Final = 40
LOCKS_MOST: Final = 10
START: Final = Place("health")


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """`lines` may quote outside systems."""

    user: str
    place: Place = START
    lines: tuple[str, ...] = ()
    locks: tuple[Lock, ...] = ()
    more_locks: int = 0


def page(facts: HealthFacts) -> list[Block]:
    items = [[b.text(cleaned(line, 300))] for line in facts.lines[:LINES_MOST]]
    left = len(facts.lines) - len(items)
    rest = [b.line(b.text(f"and {left} more"))] if left else []
    state = b.rich(b.bullets(items), *rest) if items else b.context("Nothing to report.")
    return [b.header("Health"), state, *_locks(facts)]


def _locks(facts: HealthFacts) -> list[Block]:
    if not facts.locks:
        return []
    rows = [locked.row(lock, facts.user) for lock in facts.locks[:LOCKS_MOST]]
    if more := max(len(facts.locks) - LOCKS_MOST, 0) + facts.more_locks:
        rows.append(b.context(f"and {more:,} more whose break-glass is locked: `/countersign unlock` lists them."))
    return [b.divider(), b.header("Locked"), *rows]
