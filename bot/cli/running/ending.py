"""Ending: a program is told in time that the access it reads by is about to end, and what happens then."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

from bot.cli.asked import Asked, Requests
from bot.cli.moments import at, spell
from bot.cli.progress import Progress
from store.model.errors import AccessError

OnEnd = Literal["warn", "term"]

WARNINGS_MS: Final = (5 * 60_000, 60_000)
GRACE_S: Final = 10.0
BEAT_S: Final = 5.0  # the clock is looked at at least so often: computers sleep


class Ending:
    """`end` is called with the grace in seconds, once, where `on_end` says so."""

    def __init__(self, requests: Requests, progress: Progress, on_end: OnEnd, end: Callable[[float], None]) -> None:
        self._requests = requests
        self._progress = progress
        self._on_end = on_end
        self._end = end

    async def watch(self, held: Asked) -> None:
        """Until it has ended: by its time, whether or not the server answers, or because somebody ended it."""
        looking = asyncio.create_task(self._moved(held))
        left_ms = (held.until_ms or 0) - self._requests.now_ms()
        due = [warning for warning in WARNINGS_MS if warning < left_ms]
        try:
            while held.until_ms is not None:
                left_ms = held.until_ms - self._requests.now_ms()
                if left_ms <= 0:
                    break
                if due and left_ms <= due[0]:
                    due = [warning for warning in due if warning < left_ms]
                    self._warn(held, left_ms)
                next_ms = left_ms - due[0] if due else left_ms
                await asyncio.wait((looking,), timeout=min(next_ms / 1000, BEAT_S))
                if looking.done():
                    moved = looking.result()
                    if moved.state != "active":
                        held = moved
                        break
                    if moved.until_ms != held.until_ms:
                        due = [
                            warning
                            for warning in WARNINGS_MS
                            if warning < (moved.until_ms or 0) - self._requests.now_ms()
                        ]
                        self._longer(moved)
                    held = moved
                    looking = asyncio.create_task(self._moved(held))
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        self._over(held)

    async def _moved(self, held: Asked) -> Asked:
        """As soon as it is not active any more, or after half a minute; where the server is away, when it is back."""
        while True:
            try:
                return await self._requests.moved(held)
            except AccessError:
                await asyncio.sleep(BEAT_S)

    def _warn(self, held: Asked, left_ms: int) -> None:
        when = at(held.until_ms or 0, self._requests.now_ms())
        self._progress.say(
            "ends_soon",
            f"Access to {held.target} ends in {spell(left_ms)}, at {when}. For longer: countersign request extend {held.id} --for 1h",
            request=held.id,
            until_ms=held.until_ms,
        )

    def _longer(self, held: Asked) -> None:
        when = at(held.until_ms or 0, self._requests.now_ms())
        self._progress.say(
            "extended", f"Access to {held.target} ends at {when} now.", request=held.id, until_ms=held.until_ms
        )

    def _over(self, held: Asked) -> None:
        if self._on_end == "warn":
            self._progress.say(
                "over",
                f"Access to {held.target} has ended. The program goes on with what it has; --on-end term would end it.",
                request=held.id,
            )
            return
        self._progress.say(
            "over",
            f"Access to {held.target} has ended: the program is told to end, and killed in {GRACE_S:g} seconds.",
            request=held.id,
        )
        self._end(GRACE_S)
