"""What lies beside a request's body: fields that scripts read, the indexes it stands in, its timers. All of it follows from the record."""

from typing import Final

from store.model.debt import Debt
from store.model.environment import Environment
from store.model.request import (
    CLOCK,
    LIVE,
    Amendment,
    Change,
    Deployment,
    Extending,
    Joining,
    Opening,
    Request,
    startable,
)
from store.model.sealed import Manifest
from store.redis.keys import Keys

UNMERGED: Final = frozenset({"pending", "approved"})
# Stands where an environment's id does: changes of the policies are siblings as those of one name are.
POLICY: Final = "policy"
MAIN: Final = "main"
START: Final = "start"


def fields(request: Request) -> dict[str, str | int]:
    """What reading scripts need without decoding a body."""
    environment, touches = _touched(request)
    return {
        "kind": request.kind,
        "state": request.state,
        "until": request.lease.until_ms if request.lease else 0,
        "holder": request.beneficiary,
        "target": request.target,
        "environment": environment,
        "touches": "" if request.ended else " ".join(touches),
        "say": say(request),
        "kin": _kin(request),
    }


def environment_fields(environment: Environment) -> dict[str, str | int]:
    """Which one the name means now, for the reading script."""
    return {"id": environment.id}


def head_fields(head: Manifest) -> dict[str, str | int]:
    """What the reading script sends along, and what tells it whether that lies in memory already."""
    ids = " ".join(held.entry_id for held in head.entries.values())
    return {"number": head.number, "mac": head.mac or "", "entries": ids}


def say(request: Request) -> str:
    """What tells whose word it waits for: kind, target, policy set, requester, beneficiary, and who has had their say.

    Of a deploy that waits to be started the kind is `start`, and instead of those who had their say stands who broke the glass for it.
    """
    decision = request.decision
    broken = decision is not None and decision.basis == "break-glass"
    heard = decision.by if decision is not None and broken else [review.by for review in request.reviews]
    kind: str = request.kind
    if startable(request):
        kind, heard = START, heard if broken else ()
    return " ".join((kind, request.target, str(request.policy), request.requester, request.beneficiary, *heard))


def _kin(request: Request) -> str:
    """The other side of an extension, which every decision on this one looks at."""
    if isinstance(request.payload, Extending):
        return "" if request.ended else request.payload.parent
    return (request.extension or "") if request.state == "active" else ""


def ranks(request: Request, approvers: frozenset[str]) -> dict[str, int]:
    """Index -> score. `approvers`: the users and groups whose word it waits for, by the rule it was made under."""
    names = {f"mine:{user}" for user in (request.requester, request.beneficiary)}
    if request.state == "running" and request.run is not None:
        names |= {f"open:{request.run.by}"}
    if not request.ended:
        holds = {request.beneficiary} if request.state in LIVE else set()
        names |= {f"open:{user}" for user in {request.requester, request.beneficiary} - holds}
    if request.state in LIVE:
        names |= {"live", f"live:{request.beneficiary}"}
        if isinstance(request.payload, Joining):
            names.add(f"member:{request.payload.membership.key}")
    if request.state in UNMERGED:
        environment, touches = _touched(request)
        names |= {f"touch:{environment}:{name}" for name in touches}
    by_end: dict[str, int] = {}
    if request.state == "active" and isinstance(request.payload, Opening) and request.lease is not None:
        by_end = {f"reads:{request.beneficiary}:{request.target}": request.lease.until_ms}
    waits = request.state == "pending" or startable(request)
    by_deadline = {f"waiting:{principal}" for principal in approvers} if waits else set()
    by_deadline |= {"running"} if request.state == "running" else set()
    deadline = request.timers.get("deadline", request.created_ms)
    silent = (
        request.kind == "deploy"
        and request.state == "failed"
        and request.ending is not None
        and request.ending.by == CLOCK
    )
    by_silence = {"silent": request.since_ms} if silent else {}
    return dict.fromkeys(names, request.created_ms) | dict.fromkeys(by_deadline, deadline) | by_end | by_silence


def _touched(request: Request) -> tuple[str, tuple[str, ...]]:
    """What is looked at besides, before this is merged: an environment by its id, and the names in it."""
    match request.payload:
        case Change() as change:
            return change.environment_id, tuple(touch.name for touch in change.touches)
        case Amendment():
            return POLICY, (MAIN,)
        case Deployment():
            return slots(request), (request.target,)
        case _:
            return request.environment_id or "", ()


def slots(request: Request) -> str:
    """What stands where an environment's id does for a deploy: the slots are its head."""
    return f"deploys:{request.asked.environment}"


def timers(request: Request) -> dict[str, int]:
    """Member of `due` -> when, ms."""
    return {f"{request.id}/{timer}": at_ms for timer, at_ms in request.timers.items()}


def debt_timers(debt: Debt) -> dict[str, int]:
    return {f"{debt.request}/debt": debt.due_ms} if debt.state == "open" else {}


def drops_payload(before: Request, after: Request, keys: Keys) -> str | None:
    """The payload of a change that ends without being merged goes with it."""
    if isinstance(before.payload, Change) and not before.ended and after.ended and after.state != "merged":
        return keys.payload(before.id, before.revision)
    return None
