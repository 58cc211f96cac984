"""Lengths: the times that a form offers to choose from."""

from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.words import spoken
from store.model.policy import DAY, HOUR, MINUTE

LADDER_MS: Final = (
    *(count * MINUTE for count in (1, 2, 5, 10, 15, 30, 45, 60, 90)),
    *(count * HOUR for count in (2, 3, 4, 6, 8, 12)),
    *(count * DAY for count in (1, 2, 3, 7, 14, 30)),
)


def offered(most_ms: int, *others_ms: int | None) -> list[int]:
    """Steps of the ladder, the longest there may be, and the others where they fit. Never empty."""
    wanted = {*LADDER_MS, most_ms, *(other for other in others_ms if other is not None)}
    return sorted(length for length in wanted if 0 < length <= most_ms)


def choice(length_ms: int) -> b.Element:
    return b.option(spoken(length_ms), str(length_ms))


def read(chosen: str) -> int | None:
    """Milliseconds; None for what no form of ours offers."""
    sound = chosen.isascii() and chosen.isdigit() and len(chosen) < 13 and int(chosen) > 0
    return int(chosen) if sound else None
