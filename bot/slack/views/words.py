"""Words: dates, people, lengths of time, and what people typed, made fit to be shown."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from store.model.lifecycle.world import spoken
from store.model.policy import Circle, Threshold

__all__ = ["cleaned", "cut", "date", "escaped", "joined", "mention", "people", "places", "plural", "spoken", "utc"]

DATE_FORMAT: Final = "{date_short_pretty} at {time}"  # docs.slack.dev/messaging/formatting-message-text#date-formatting
MARKS_IN_A_ROW: Final = 4  # more accents than that on one letter are there to hide the lines around it

_USER: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
_GROUP: Final = re.compile(r"S[A-Z0-9]{2,20}")
_CHANNEL: Final = re.compile(r"[CDG][A-Z0-9]{2,20}")
# Seen by nobody, and not in the Unicode categories that say so.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Co"})


def cleaned(text: str, most: int | None = None) -> str:
    """What somebody typed, on one line, without anything that is not seen or turns the line around; cut at `most`."""
    if text.isascii() and text.isprintable():  # nearly everything
        line = " ".join(text.split())
        return line if most is None else cut(line, most)
    kept: list[str] = []
    marks = 0
    for letter in text:
        category = unicodedata.category(letter)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if letter.isspace() or category[0] == "Z":
            kept.append(" ")
        elif category not in _UNSEEN and letter not in _BLANK and marks <= MARKS_IN_A_ROW:
            kept.append(letter)
    line = " ".join("".join(kept).split())
    return line if most is None else cut(line, most)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def escaped(text: str) -> str:
    """For the few places that Slack reads as mrkdwn: no link, mention or command is left in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def utc(at_ms: int) -> str:
    """`2026-03-03 15:00 UTC`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def date(at_ms: int) -> str:
    """mrkdwn, in the reader's own time zone."""
    return f"<!date^{at_ms // 1000}^{DATE_FORMAT}|{utc(at_ms)}>"


def mention(principal: str) -> str:
    """mrkdwn for a user or a user group. Whatever is not an id is nobody we know."""
    if _USER.fullmatch(principal):
        return f"<@{principal}>"
    return f"<!subteam^{principal}>" if _GROUP.fullmatch(principal) else "somebody"


def channel(id_: str) -> str:
    return f"<#{id_}>" if _CHANNEL.fullmatch(id_) else "a channel"


def joined(parts: Iterable[str], word: str = "and") -> str:
    """`a, b and c`."""
    listed = list(parts)
    return f" {word} ".join(filter(None, (", ".join(listed[:-1]), *listed[-1:])))


def people(principals: Iterable[str], word: str = "and", most: int = 8) -> str:
    """Mentions, groups first, and how many more there are."""
    listed = sorted(set(principals), key=lambda one: (not one.startswith("S"), one))
    named = [mention(one) for one in listed[:most]]
    if len(listed) > most:
        named.append(f"{len(listed) - most} more")
    return joined(named, word) or "nobody"


def circle(who: Circle) -> str:
    return people(who.principals, "or")


def places(thresholds: Iterable[Threshold]) -> str:
    """`1 of @leads, and 1 of @security or @ana`."""
    return ", and ".join(f"{threshold.count} of {circle(threshold.circle)}" for threshold in thresholds)


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
