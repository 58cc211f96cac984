"""Slots: which deploys run in an environment and its applications, so that no two of them meet."""

from typing import Self

from store.model.identity import RequestId, Target, TargetId, canonical
from store.model.record import Record


class Slots(Record):
    """One record an environment, moved by whatever starts or ends a deploy there."""

    running: dict[TargetId, RequestId] = {}
    newest: dict[TargetId, int] = {}  # when the newest deploy that was started had been asked for, ms

    def occupied(self, target: Target) -> RequestId | None:
        """By which deploy: of the same, of the whole environment around it, or of an application in it."""
        return next((request for other, request in self.running.items() if meets(target, canonical(other))), None)

    def overtaken(self, target: Target, created_ms: int) -> bool:
        """Whether one that was asked for later has been started already."""
        return created_ms < self.newest.get(target.id, created_ms)

    def taken(self, target: Target, request: str, created_ms: int) -> Self:
        newest = max(created_ms, self.newest.get(target.id, created_ms))
        return self.model_copy(
            update={
                "running": {**self.running, target.id: request},
                "newest": {**self.newest, target.id: newest},
            }
        )

    def freed(self, request: str) -> Self:
        return self.model_copy(update={"running": {target: of for target, of in self.running.items() if of != request}})


def meets(one: Target, other: Target) -> bool:
    """Whether deploying the one touches what deploying the other does."""
    return one == other or (one.environment == other.environment and "environment" in (one.kind, other.kind))
