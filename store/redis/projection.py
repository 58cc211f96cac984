"""What lies beside a request's body: fields that scripts read, the indexes it stands in, its timers. All of it follows from the record."""

from typing import Final

from store.model.debt import Debt
from store.model.request import LIVE, Change, Extending, Joining, Request
from store.redis.keys import Keys

UNMERGED: Final = frozenset({"pending", "approved"})


def fields(request: Request) -> dict[str, str | int]:
    """What reading scripts need without decoding a body."""
    touches = request.payload.touches if isinstance(request.payload, Change) and not request.ended else ()
    return {
        "kind": request.kind,
        "state": request.state,
        "until": request.lease.until_ms if request.lease else 0,
        "holder": request.beneficiary,
        "environment": request.environment_id or "",
        "touches": " ".join(touch.name for touch in touches),
        "kin": _kin(request),
    }


def _kin(request: Request) -> str:
    """The other side of an extension, which every decision on this one looks at."""
    if isinstance(request.payload, Extending):
        return "" if request.ended else request.payload.parent
    return (request.extension or "") if request.state == "active" else ""


def ranks(request: Request, approvers: frozenset[str]) -> dict[str, int]:
    """Index -> score. `approvers`: the users and groups named by the rule it was made under."""
    names = {f"mine:{user}" for user in (request.requester, request.beneficiary)}
    if request.state == "pending":
        names |= {f"waiting:{principal}" for principal in approvers}
    if request.state in LIVE:
        names |= {"live", f"live:{request.beneficiary}"}
        if isinstance(request.payload, Joining):
            names.add(f"member:{request.payload.membership.key}")
    if request.state in UNMERGED and isinstance(request.payload, Change):
        names |= {f"touch:{request.payload.environment_id}:{touch.name}" for touch in request.payload.touches}
    return dict.fromkeys(names, request.created_ms)


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
