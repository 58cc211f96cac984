"""Slots: which deploys run in an environment and its applications, so that no two of them meet."""

from typing import Final, Self

from store.model.identity import RequestId, Target, TargetId, canonical
from store.model.record import Part, Record
from store.model.request import Deployment

LANDED_KEPT: Final = 2  # of one target: the last that succeeded, and what to go back to from that


class Landed(Part):
    """A deploy that succeeded."""

    request: RequestId
    of: Deployment


class Slots(Record):
    """One record an environment, moved by whatever starts or ends a deploy there."""

    running: dict[TargetId, RequestId] = {}
    newest: dict[TargetId, int] = {}  # when the newest deploy that was started had been asked for, ms

    landed: dict[TargetId, tuple[Landed, ...]] = {}  # the newest first

    def occupied(self, target: Target) -> RequestId | None:
        """By which deploy: of the same, of the whole environment around it, or of an application in it."""
        return next((request for other, request in self.running.items() if meets(target, canonical(other))), None)

    def overtaken(self, target: Target, created_ms: int) -> bool:
        """Whether one that was asked for later has been started already."""
        return created_ms < self.newest.get(target.id, created_ms)

    def followed(self, target: Target, hook: str, created_ms: int) -> bool:
        """Whether, of what this hook deploys, one that was asked for later has been started."""
        told = (f"{target.environment}", f"{target.environment}#{hook}")
        return any(created_ms < self.newest.get(each, created_ms) for each in told)

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

    def succeeded(self, target: Target, request: str, of: Deployment) -> Self:
        known = (Landed(request=request, of=of), *self.landed.get(target.id, ()))[:LANDED_KEPT]
        return self.model_copy(update={"landed": {**self.landed, target.id: known}})

    def before(self, target: Target, request: str) -> Landed | None:
        """The last that succeeded there, but for this one."""
        return next((each for each in self.landed.get(target.id, ()) if each.request != request), None)


def meets(one: Target, other: Target) -> bool:
    """Whether deploying the one touches what deploying the other does."""
    return one == other or (one.environment == other.environment and "environment" in (one.kind, other.kind))
