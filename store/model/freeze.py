"""Freeze: times in which a rule lets no deploy start."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from store.model.record import Part

DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES
MOST_WINDOWS: Final = 100  # that may follow one another without a gap

MinuteOfWeek = Annotated[int, Field(ge=0, le=WEEK_MINUTES)]  # from Monday 00:00


class Weekly(Part):
    """Each week from one minute to another, by the clocks of `zone` (IANA). The end may lie in the next week."""

    type: Literal["weekly"] = "weekly"
    starts: MinuteOfWeek
    ends: MinuteOfWeek
    zone: str = "UTC"
    name: str = ""

    def end_ms(self, now_ms: int) -> int | None:
        """When the window ends in which `now_ms` lies; None outside of it. Half-open."""
        zone = ZoneInfo(self.zone)
        local = datetime.fromtimestamp(now_ms / 1000, zone).replace(tzinfo=None)
        monday = datetime(local.year, local.month, local.day) - timedelta(days=local.weekday())  # noqa: DTZ001 - what a clock on the wall shows
        length = (self.ends - self.starts) % WEEK_MINUTES
        for start in (monday + timedelta(minutes=self.starts), monday + timedelta(minutes=self.starts - WEEK_MINUTES)):
            opens, closes = _ms(start, zone), _ms(start + timedelta(minutes=length), zone)
            if opens <= now_ms < closes:
                return closes
        return None


class Dated(Part):
    """Once, half-open, UTC."""

    type: Literal["dated"] = "dated"
    from_ms: int
    until_ms: int
    name: str = ""

    def end_ms(self, now_ms: int) -> int | None:
        return self.until_ms if self.from_ms <= now_ms < self.until_ms else None


Freeze = Annotated[Weekly | Dated, Field(discriminator="type")]


def frozen_until(freezes: Iterable[Weekly | Dated], now_ms: int) -> tuple[int, str] | None:
    """When a deploy may start again, past windows that follow one another, and the name of the one it is now. None: at once."""
    windows, at_ms, name = tuple(freezes), now_ms, None
    for _ in range(MOST_WINDOWS):
        ends = [(end, window.name) for window in windows if (end := window.end_ms(at_ms)) is not None]
        if not ends:
            break
        at_ms, found = max(ends)
        name = found if name is None else name
    return None if name is None else (at_ms, name)


def _ms(wall: datetime, zone: ZoneInfo) -> int:
    return int(wall.replace(tzinfo=zone).timestamp() * 1000)
