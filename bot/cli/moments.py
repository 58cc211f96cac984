"""Moments: times and durations as somebody at a terminal reads and writes them, in the zone of that terminal."""

from datetime import UTC, datetime
from typing import Any, Final

import click

DAY_MS: Final = 24 * 3_600_000


def at(moment_ms: int, now_ms: int) -> str:
    """`17:04 CET`; with the date where that is not within a day."""
    local = datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone()
    near = abs(moment_ms - now_ms) < DAY_MS
    return local.strftime("%H:%M %Z" if near else "%a %d %b %H:%M %Z")


def spell(duration_ms: int) -> str:
    """To the minute, and under a minute to the second."""
    from bot.policy_file.durations import MINUTE_MS, SECOND_MS, words

    unit = MINUTE_MS if duration_ms >= MINUTE_MS else SECOND_MS
    return words(max(0, duration_ms + unit // 2) // unit * unit)


class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic only in some versions of click
    """`2h`, `1h30m`, `45m`, `7200s`, as milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        from bot.policy_file.durations import parse

        try:
            return parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION: Final = Duration()
