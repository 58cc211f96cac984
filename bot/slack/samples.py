"""Samples: one request of every kind in every state, made up, for the storybook."""

from typing import Any, Final, Literal, get_args

from bot.slack.views.facts import CardFacts, Proposed, Said
from store.model.debt import Debt
from store.model.delivery import Delivery, Receipt
from store.model.grant import Lease, Membership
from store.model.lock import Cause, Lock
from store.model.lock import Opening as Unlocking
from store.model.login import Attempt
from store.model.people import Group, People, Person
from store.model.policy import (
    DAY,
    HOUR,
    MINUTE,
    BreakGlass,
    Circle,
    Hook,
    Policy,
    PolicySet,
    TargetConfig,
    Threshold,
    Ticket,
)
from store.model.request import (
    HELD,
    Amendment,
    Change,
    Decision,
    Deployment,
    Ending,
    Enrolling,
    Extending,
    Joining,
    Kind,
    Minting,
    Opening,
    Payload,
    Request,
    Review,
    Run,
    State,
    Touch,
)
from store.model.sealed import Held
from store.model.standing import Rules
from store.model.token import DAY_MS, Token

ANA, BEN, CHO, DEV, EVE = "U0ANA", "U0BEN", "U0CHO", "U0DEV", "U0EVE"
LEADS, SECURITY, ONCALL, ADMINS = "S0LEADS", "S0SECURITY", "S0ONCALL", "S0ADMINS"
CHANNEL: Final = "C0PAYMENTS"
NOW_MS: Final = 1_772_550_000_000  # 2026-03-03 15:00 UTC
ID: Final = "7Q2M4XK9TB"
MACHINE: Final = "3NQ8W2VKXA"
UNDELIVERED: Final = (
    "security@example.com: The mail server mail.example.com:587 refused it for good: 550 “no such mailbox”."
)
REASON: Final = "The nightly settlement stopped at 02:40; I need the processor's key to replay it."

STATES: Final[dict[Kind, tuple[State, ...]]] = {
    "open": ("pending", "approved", "active", "denied", "withdrawn", "expired", "extended", "ended"),
    "access": (
        "pending", "approved", "granting", "active", "revoking", "denied", "withdrawn", "expired", "ended", "failed",
    ),
    "change": ("pending", "approved", "stale", "denied", "withdrawn", "expired", "merged"),
    "policy": ("pending", "approved", "stale", "denied", "withdrawn", "expired", "merged"),
    "deploy": (
        "pending", "approved", "running", "succeeded", "failed", "cancelled", "superseded", "denied", "withdrawn", "expired",
    ),
}  # fmt: skip
TARGETS: Final[dict[Kind, str]] = {"access": "role:aws-admin", "policy": "policy:main", "deploy": "payments/prod#api"}
OVER: Final = ("withdrawn", "expired", "ended", "failed", "revoking", "cancelled", "superseded")
DECIDED: Final = (
    *("approved", "granting", "active", "revoking", "merged", "ended", "failed"),
    *("running", "succeeded", "cancelled", "superseded"),
)
DEBTS: Final[tuple[str, ...]] = get_args(Debt.model_fields["state"].annotation)


def policy(*, thresholds: int = 1, soft: bool = False, name: str = "payments production", **fields: Any) -> Policy:
    circles = (Circle(groups=frozenset({LEADS})), Circle(users=frozenset({ANA}), groups=frozenset({SECURITY})))
    return Policy(
        name=name,
        targets=("payments/prod", "role:aws-admin"),
        actions=frozenset({"open", "change", "access"}),
        requesters=Circle(groups=frozenset({"S0DEVS"})),
        approvals=tuple(Threshold(circle=circle) for circle in circles[:thresholds]),
        enforcement="soft" if soft else "hard",
        bypassers=Circle(groups=frozenset({ONCALL})) if soft else Circle(),
        break_glass=BreakGlass(),
        ticket=Ticket(pattern="^[A-Z]+-[0-9]+$"),
        **fields,
    )


def policies(rule: Policy) -> PolicySet:
    target = {"payments/prod": TargetConfig(channel=CHANNEL)}
    return PolicySet(number=1, owners=Circle(groups=frozenset({ADMINS})), targets=target, policies=(rule,))


def deploying(rule: Policy) -> PolicySet:
    hooks = (Hook(name="api", url="https://deploy.example.com/api", on=frozenset({"deploy"})),)
    target = {"payments/prod": TargetConfig(channel=CHANNEL, hooks=hooks)}
    return policies(rule).model_copy(update={"targets": target})


def people() -> People:
    """Everybody of the samples; Eve is a guest."""
    members = {"S0DEVS": {DEV}, LEADS: {ANA, BEN, DEV}, SECURITY: {CHO, EVE}, ONCALL: {EVE, BEN}, ADMINS: {ANA}}
    return People(
        NOW_MS,
        {user: Person(id=user, name=user, guest=user == EVE) for user in (ANA, BEN, CHO, DEV, EVE)},
        {group: Group(id=group, handle=group, members=frozenset(who)) for group, who in members.items()},
    )


def rules(**how: Any) -> Rules:
    one = policy(**how)
    return Rules(one, one, Circle(groups=frozenset({ADMINS})))


def touch(name: str, word: str) -> Touch:
    held = Held.model_construct(entry_id="0" * 26, ciphertext_hash="0" * 64)
    entry = None if word == "removed" else held
    return Touch.model_construct(
        name=name, base=None if word == "new" else "1" * 26, entry=entry, same=word == "unchanged"
    )


def touches(count: int) -> tuple[Touch, ...]:
    words = ("changed", "new", "removed", "unchanged")
    return tuple(touch(f"PROCESSOR_KEY_{place + 1}", words[place % 4]) for place in range(count))


def payload(kind: Kind, *, names: int = 2, duration_ms: int = 2 * HOUR) -> Payload:
    match kind:
        case "open":
            return Opening(environment_id="e" * 26, duration_ms=duration_ms)
        case "access":
            membership = Membership(connector="okta", group="aws-admins", user=DEV, account="dev@example.com")
            return Joining(membership=membership, duration_ms=duration_ms)
        case "change":
            return Change.model_construct(environment_id="e" * 26, touches=touches(names))
        case "deploy":
            return Deployment(version="v1.2.3", ref="9f2c41d")
        case "policy":
            return Amendment(base=41, content="c0" * 32)


def holder(what: Literal["add", "remove"] = "add") -> Enrolling:
    pin = "7f3c9a1e5b2d48069c0a4e8d1f6b3a75" * 2
    return Enrolling(
        what=what, name="keys-3.internal:8490", address=f"https://keys-3.internal:8490#{pin}", fingerprint=pin[:32]
    )


def machine(**fields: Any) -> Minting:
    asked: dict[str, Any] = {
        "name": "ci",
        "targets": ("payments/prod",),
        "actions": ("read",),
        "lifetime_ms": 90 * DAY_MS,
    }
    return Minting(token=MACHINE, hash="5a" * 32, **{**asked, **fields})


def session(place: int = 0, **fields: Any) -> Token:
    """Of a computer that speaks for DEV."""
    made: dict[str, Any] = {
        "id": f"3NQ8W2VK{place:02}", "kind": "person", "holder": DEV, "name": "devs-laptop", "hash": "5a" * 32,
        "created_ms": NOW_MS - HOUR, "expires_ms": NOW_MS + HOUR // 4, "until_ms": NOW_MS + 11 * HOUR, "address": "192.0.2.7",
    }  # fmt: skip
    return Token(**{**made, **fields})


def machine_token(place: int = 0, **fields: Any) -> Token:
    made: dict[str, Any] = {
        "id": f"8R3N5YM0{place:02}", "kind": "machine", "holder": ANA, "name": "ci", "hash": "5a" * 32,
        "created_ms": NOW_MS - 7 * DAY_MS, "expires_ms": NOW_MS + 83 * DAY_MS, "targets": ("payments/prod",), "actions": ("read",),
    }  # fmt: skip
    return Token(**{**made, **fields})


def attempt(**fields: Any) -> Attempt:
    made: dict[str, Any] = {
        "id": ID, "code": "7Q2M4XK9", "poll": "5a" * 32, "host": "devs-laptop", "address": "192.0.2.7",
        "seals": "A" * 43, "signs": "B" * 43, "created_ms": NOW_MS - 40_000, "expires_ms": NOW_MS + 560_000,
    }  # fmt: skip
    return Attempt(**{**made, **fields})


def proposed(*, rules: int = 1, **fields: Any) -> Proposed:
    more = (
        "access.max: 4h → 2h",
        "approvals: [{count: 1, from: {groups: [leads]}}] → [{count: 2, from: {groups: [leads]}}]",
    )
    changes = (
        Said(
            "changed",
            "owners",
            "owners: changed",
            ("owners.users: [ana@example.com] → [ana@example.com, ben@example.com]",),
        ),
        *(Said("changed", "rule", f"rule “payments production {place}”: changed", more) for place in range(rules)),
        Said("removed", "rule", "rule “staging”: removed (was number 3)"),
    )
    return Proposed(**{"base": 41, "changes": changes, "named": (BEN,), "unnamed": ("S0STAGING",), **fields})


def request(kind: Kind, state: State = "pending", *, names: int = 2, broken: bool = False, **fields: Any) -> Request:
    """With everything that a request in this state has."""
    made: dict[str, Any] = {
        "id": ID, "kind": kind, "target": TARGETS.get(kind, "payments/prod"),
        "requester": DEV, "beneficiary": DEV, "payload": payload(kind, names=names), "reason": REASON, "ticket": "PAY-41",
        "digest": "5a" * 32, "policy": 3, "rule": "payments production", "created_ms": NOW_MS - HOUR, "state": state,
        "since_ms": NOW_MS,
    }  # fmt: skip
    if state in DECIDED or (state in ("expired", "ended") and broken):
        made["decision"] = Decision(basis="quorum", by=(BEN, CHO), at_ms=NOW_MS - 30 * MINUTE)
        made["reviews"] = tuple(Review(by=by, verdict="approve", at_ms=NOW_MS - 30 * MINUTE) for by in (BEN, CHO))
        made["granted_ms"] = 2 * HOUR if kind in HELD else None
    if broken:
        reason = "Payments are down and none of the leads answers the phone."
        made |= {
            "decision": Decision(basis="break-glass", by=(EVE,), at_ms=NOW_MS - MINUTE, reason=reason),
            "reviews": (),
        }
    if state == "denied":
        reason = "Use the replay tool instead; it needs no key."
        made["decision"] = Decision(basis="denial", by=(BEN,), at_ms=NOW_MS, reason=reason)
        made["reviews"] = (Review(by=BEN, verdict="deny", at_ms=NOW_MS, reason=reason),)
    if state in ("granting", "active", "revoking", "ended"):
        made["lease"] = Lease(starts_ms=NOW_MS, until_ms=NOW_MS + 2 * HOUR)
    if state in OVER:
        made["ending"] = Ending(by=DEV if state in ("withdrawn", "cancelled") else "clock", at_ms=NOW_MS)
    if state in ("running", "succeeded") or (kind == "deploy" and state == "failed"):
        log = "https://ci.example.com/payments/api/runs/4711"
        stage, said = {
            "running": ("Rolling out, 2 of 6", None),
            "succeeded": ("Rolled out", "6 of 6 are healthy."),
        }.get(state, ("Rolling out, 3 of 6", "3 of 6 never became healthy: connection refused on port 8443."))
        made["run"] = Run(by=BEN, at_ms=NOW_MS - 4 * MINUTE, stage=stage, log=log, said=said, said_ms=NOW_MS)
        made["hooks"] = ("api",)
    if kind == "deploy" and state == "failed":
        made["ending"] = Ending(by="machine:7Q2M4XK9TB", at_ms=NOW_MS)
    if state == "running":
        made["timers"] = {"deadline": NOW_MS + HOUR}
    if state == "failed" and kind != "deploy":
        made |= {
            "note": "okta answered 403: the token may not change this group.",
            "ending": Ending(by="relay", at_ms=NOW_MS),
        }
    if state == "stale":
        what = (
            "Version 42 of the policies is in force by now."
            if kind == "policy"
            else "Changed meanwhile by somebody else: PROCESSOR_KEY_1."
        )
        made["note"] = what
    if state == "merged":
        made |= {"merged": 42, "hooks": () if kind == "policy" else ("api", "worker", "billing", "old")}
    if state in ("pending", "approved", "stale"):
        made["timers"] = {"deadline": NOW_MS + 8 * HOUR}
    return Request.model_construct(**{**_defaults(), **made, **fields})


def extension(state: State = "pending", **fields: Any) -> Request:
    """More time for a request that is active."""
    longer = Extending(parent="8R3N5YM0VC", until_ms=NOW_MS + HOUR, duration_ms=30 * MINUTE)
    granted = {"granted_ms": 30 * MINUTE} if state == "extended" else {}
    return request("open", state, **{"payload": longer, **granted, **fields})


def _defaults() -> dict[str, Any]:
    return {name: field.default for name, field in Request.model_fields.items() if not field.is_required()}


def facts(made: Request, *, thresholds: int = 1, soft: bool = False, filled: int = 0, **fields: Any) -> CardFacts:
    under = rules(thresholds=thresholds, soft=soft)
    needed = under.now.approvals[filled:] if made.state == "pending" else ()
    return CardFacts(
        **{
            "request": made,
            "rules": under,
            "proposed": proposed() if made.kind == "policy" else None,
            "needed": needed,
            "asked": tuple(sorted(under.now.approvers)),
            **fields,
        }
    )


def debt(state: str) -> Debt:
    closed = {"closed_by": BEN, "closed_ms": NOW_MS + HOUR} if state in ("countersigned", "disputed") else {}
    if state == "disputed":
        closed["reason"] = "The lead on duty was there and was not called."
    made = {"request": ID, "by": EVE, "opened_ms": NOW_MS, "due_ms": NOW_MS + DAY, "state": state, **closed}
    return Debt.model_validate(made)


def lock(*, user: str = EVE, causes: int = 1, opened: bool = False) -> Lock:
    whys = ("disputed", "overdue") * causes
    made = tuple(Cause(request=ID, why=why, at_ms=NOW_MS + place * HOUR) for place, why in enumerate(whys[:causes]))
    by_owner = Unlocking(by=ANA, at_ms=NOW_MS + DAY, reason="We talked: next time the lead on duty is called first.")
    return Lock(user=user, causes=made, opened=by_owner if opened else None)


def deliveries() -> tuple[Delivery, ...]:
    """One hook in each state."""
    fine = Receipt(at_ms=NOW_MS, status=204, latency_ms=183)
    busy = Receipt(at_ms=NOW_MS, status=503, latency_ms=40, said="The deploy queue is full. Try again later.")
    silent = Receipt(at_ms=NOW_MS, said="No answer within 10 seconds.")
    made: tuple[tuple[str, dict[str, Any]], ...] = (
        ("api", {"state": "delivered", "attempts": 1, "receipts": (fine,)}),
        ("worker", {"attempts": 3, "next_ms": NOW_MS + 30 * MINUTE, "receipts": (busy,)}),
        ("billing", {"state": "failed", "attempts": 10, "receipts": (silent,)}),
        ("old", {"state": "overtaken", "attempts": 1, "receipts": (busy,)}),
        ("new", {}),
    )
    return tuple(
        Delivery.model_validate(
            {
                "request": ID,
                "environment": "payments/prod",
                "hook": hook,
                "version": 42,
                "message_id": f"msg_{hook}",
                **more,
            }
        )
        for hook, more in made
    )


def fired() -> tuple[Delivery, ...]:
    """One of each event that is no new version, and a version that went back."""
    [fine, *_] = deliveries()
    events = {"deploy": "payments/prod#api", "access.granted": "role:aws-admin", "access.ended": "role:aws-admin"}
    told = [fine.model_copy(update={"event": event, "environment": at, "version": 0}) for event, at in events.items()]
    return (*told, fine.model_copy(update={"event": "rollback"}))
