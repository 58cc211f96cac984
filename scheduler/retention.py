"""Retention: old versions of the environments are written to files and dropped, once an hour."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from store.model.environment import Environment
from store.model.errors import Unavailable
from store.redis.retention import Retention
from store.redis.turns import Turns

TURN_MS: Final = 600_000
ROUNDS: Final = 100  # for one environment at a time, of fifty versions each

log = structlog.stdlib.get_logger(__name__)


class Retaining:
    """`kept`: versions of each environment. `folder` takes a file for each, JSON lines, readable by us alone."""

    def __init__(self, retention: Retention, turns: Turns, folder: Path, kept: int) -> None:
        self._retention = retention
        self._turns = turns
        self._folder = folder
        self._kept = kept

    async def look(self) -> None:
        """Raises `Unavailable`; also where another replica is at it."""
        async with self._turns.turn("retention", lease_ms=TURN_MS, busy_for_ms=TURN_MS):
            async for environment in self._retention.surplus(self._kept):
                for _ in range(ROUNDS):
                    dropped = await self._retention.shorten(environment, self._kept, self._export)
                    if dropped is None:
                        break
                    log.info(
                        "versions dropped",
                        target=environment.target,
                        first=dropped.first,
                        last=dropped.last,
                        entries=dropped.entries,
                    )

    def _export(self, environment: Environment, lines: Sequence[str]) -> None:
        """On the disk when it returns. A crash before they are dropped writes them twice: their numbers tell."""
        path = self._folder / f"{environment.id}.jsonl"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(
                f"Old versions of {environment.target} cannot be written to {path} ({error.strerror}), so none is dropped.",
                code="no_export",
            ) from None
