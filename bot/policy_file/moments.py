"""Moments as people write them: `Fri 16:00 - Mon 08:00` each week, `2026-12-20T00:00:00Z` once."""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from store.model.freeze import DAY_MINUTES
from store.model.identity import shown

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SIDE: Final = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01][0-9]|2[0-3]):([0-5][0-9])"
WEEK: Final = rf"{_SIDE} - {_SIDE}"
MOMENT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})"


def parse_week(text: str) -> tuple[int, int]:
    """From which minute of the week to which. Raises `ValueError` with what would be right."""
    found = re.fullmatch(WEEK, text)
    if found is None:
        raise ValueError(f"{shown(text)} is no part of a week; write one like Fri 16:00 - Mon 08:00.")
    sides = found.groups()
    starts, ends = _minute(*sides[:3]), _minute(*sides[3:])
    if starts == ends:
        raise ValueError(f"{shown(text)} is no time at all; write an end that differs from the start.")
    return starts, ends


def write_week(starts: int, ends: int) -> str:
    return f"{_side(starts)} - {_side(ends)}"


def parse_moment(text: str) -> int:
    """Milliseconds. Raises `ValueError` with what would be right."""
    try:
        found = datetime.fromisoformat(text) if re.fullmatch(MOMENT, text) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError(
            f"{shown(text)} is no moment; write date, time and zone like 2026-12-20T00:00:00Z or 2026-12-20T00:00:00+01:00."
        )
    return int(found.timestamp()) * 1000


def write_moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_zone(text: str) -> str:
    """Raises `ValueError` with what would be right."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{shown(text)} is no time zone; write one like Europe/Berlin or UTC.") from None
    return text


def _minute(day: str, hour: str, minute: str) -> int:
    return DAYS.index(day) * DAY_MINUTES + int(hour) * 60 + int(minute)


def _side(minute: int) -> str:
    day, rest = divmod(minute, DAY_MINUTES)
    return f"{DAYS[day % 7]} {rest // 60:02}:{rest % 60:02}"
