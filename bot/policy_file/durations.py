"""Durations as people write them: 2h, 1h30m, 45m, 7200s. Nothing else is one."""

import re
from typing import Final

from store.model.identity import shown

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
LONGEST_MS: Final = 366 * 24 * HOUR_MS

_FORM: Final = re.compile(r"(?:(?P<h>[0-9]{1,4})h)?(?:(?P<m>[0-9]{1,6})m)?|(?P<s>[0-9]{1,8})s")


def parse(text: str) -> int:
    """Milliseconds. Raises `ValueError` with a sentence that says what would be right."""
    found = _FORM.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"{shown(text)} is not a duration; write one like 2h, 1h30m, 45m or 7200s.")
    hours, minutes, seconds = (int(found[unit] or 0) for unit in "hms")
    if found["h"] and minutes > 59:
        raise ValueError(
            f"“{text}” has more than 59 minutes beside its hours; write {compact_minutes(hours, minutes)}."
        )
    duration_ms = hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS
    if duration_ms == 0:
        raise ValueError(f"“{text}” is no time at all; write at least 1s.")
    if duration_ms > LONGEST_MS:
        raise ValueError(f"“{text}” is longer than a year; write at most {compact(LONGEST_MS)}.")
    return duration_ms


def compact(duration_ms: int) -> str:
    """The shortest form that `parse` reads back to the same, of whole seconds: 1h30m, 45m, 90s."""
    if duration_ms % MINUTE_MS:
        return f"{duration_ms // SECOND_MS}s"
    hours, rest = divmod(duration_ms, HOUR_MS)
    return (f"{hours}h" if hours else "") + (f"{rest // MINUTE_MS}m" if rest or not hours else "")


def words(duration_ms: int) -> str:
    """For a sentence, to the second: “1 hour 30 minutes”."""
    hours, rest = divmod(duration_ms, HOUR_MS)
    minutes, rest = divmod(rest, MINUTE_MS)
    counted = ((hours, "hour"), (minutes, "minute"), (rest // SECOND_MS, "second"))
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counted if count) or "0 seconds"


def compact_minutes(hours: int, minutes: int) -> str:
    return compact(hours * HOUR_MS + minutes * MINUTE_MS)
