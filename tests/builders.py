"""Policies, people and requests for tests: small, whole, and different only where the test says so."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from store.model.command import Approve, Break, Deny, Edit
from store.model.grant import Membership
from store.model.identity import POLICIES, Target
from store.model.lifecycle import Draft, Transition, World, submit
from store.model.people import Group, People, Person
from store.model.policy import HOUR, Access, Circle, Hook, Policy, PolicySet, TargetConfig, Threshold
from store.model.request import Amendment, Change, Deployment, Extending, Joining, Opening, Payload, Request, Touch
from store.model.sealed import Held, Manifest

INSTALLATION: Final = "testing"
NOW: Final = 1_700_000_000_000  # ms
REQ, BEN = "UREQ", "UBEN"  # who asks, and for whom
ANA, BOB, CAT = "UANA", "UBOB", "UCAT"  # the leads: approvers
ONCALL, OWNER, STRANGER = "UONCALL", "UOWNER", "USTRANGER"
EVERYBODY: Final = (REQ, BEN, ANA, BOB, CAT, ONCALL, OWNER, STRANGER)

DEVS, LEADS, PAGER = "SDEVS", "SLEADS", "SPAGER"
MEMBERS: Final = {DEVS: {REQ, BEN, ANA}, LEADS: {ANA, BOB, CAT, BEN, REQ}, PAGER: {ONCALL, ANA, REQ}}

PROD, ROLE = Target.parse("payments/prod"), Target.parse("role:aws-admin")
ENVIRONMENT: Final = "env1"
TARGETS: Final = {
    "payments/prod": TargetConfig(hooks=(Hook(name="api", url="https://api", on=frozenset({"change", "deploy"})),)),
    "role:aws-admin": TargetConfig(connector="okta", group="admins"),
    "policy:main": TargetConfig(),
}


def people(
    now_ms: int = NOW,
    *,
    members: dict[str, set[str]] | None = None,
    without: Iterable[str] = (),
    **changed: dict[str, Any],
) -> People:
    """`changed`: by user id, what is different about a person. `without`: ids nobody has told us of."""
    groups = {**MEMBERS, **(members or {})}
    missing = set(without)
    return People(
        now_ms,
        {
            user: Person(id=user, name=user.title(), **changed.get(user, {}))
            for user in EVERYBODY
            if user not in missing
        },
        {
            group: Group(id=group, handle=group.lower(), members=frozenset(who))
            for group, who in groups.items()
            if group not in missing
        },
    )


def leads(count: int = 2) -> Threshold:
    return Threshold(count=count, circle=Circle(groups=frozenset({LEADS})))


def policy(**changed: Any) -> Policy:
    """Two leads decide about everything."""
    fields: dict[str, Any] = {
        "name": "rule",
        "targets": ("payments/prod", "role:*", "policy:main"),
        "actions": frozenset({"open", "access", "change", "policy"}),
        "requesters": Circle(groups=frozenset({DEVS})),
        "approvals": (leads(),),
        "access": Access(max_ms=4 * HOUR),
    }
    return Policy(**{**fields, **changed})


def soft(**changed: Any) -> Policy:
    return policy(enforcement="soft", bypassers=Circle(groups=frozenset({PAGER})), **changed)


def policies(*rules: Policy, number: int = 1, **changed: Any) -> PolicySet:
    owners = Circle(users=frozenset({OWNER}))
    return PolicySet(
        **{"number": number, "owners": owners, "targets": TARGETS, "policies": rules or (policy(),), **changed}
    )


def held(name: str, *, version: int = 1) -> Held:
    return Held(entry_id=f"{name}-{version}", ciphertext_hash=f"{version:064x}")


def touch(name: str = "A", base: int | None = None, to: int | None = 1) -> Touch:
    """From version `base` of the value to version `to`; None is absent."""
    return Touch(
        name=name,
        base=held(name, version=base).entry_id if base else None,
        entry=held(name, version=to) if to else None,
    )


def head(*, number: int = 1, **versions: int) -> Manifest:
    """The environment with these values, by name."""
    entries = {name: held(name, version=version) for name, version in versions.items()}
    previous = None if number == 1 else "b" * 64
    return Manifest(
        environment_id=ENVIRONMENT, number=number, previous_mac=previous, entries=entries, epoch=1, mac="a" * 64
    )


def payload(kind: str, *, duration_ms: int = HOUR, touches: tuple[Touch, ...] = (), beneficiary: str = REQ) -> Payload:
    match kind:
        case "open":
            return Opening(environment_id=ENVIRONMENT, duration_ms=duration_ms)
        case "access":
            membership = Membership(connector="okta", group="admins", user=beneficiary, account=f"{beneficiary}@x")
            return Joining(membership=membership, duration_ms=duration_ms)
        case "deploy":
            return Deployment(version="v1.2.3", ref="9f2c41d")
        case "policy":
            return Amendment(base=1, content="c" * 64)
        case _:
            return Change(environment_id=ENVIRONMENT, touches=touches or (touch(),))


def draft(kind: str = "open", *, identity: str = "REQVEST001", **changed: Any) -> Draft:
    beneficiary = changed.get("beneficiary", REQ)
    body = {name: changed.pop(name) for name in ("duration_ms", "touches") if name in changed}
    fields: dict[str, Any] = {
        "id": identity,
        "kind": kind,
        "target": {"access": ROLE, "policy": POLICIES}.get(kind, PROD),
        "requester": REQ,
        "beneficiary": beneficiary,
        "payload": payload(kind, beneficiary=beneficiary, **body),
        "reason": "because",
    }
    return Draft(**{**fields, **changed})


def request(kind: str = "open", *, rules: PolicySet | None = None, now_ms: int = NOW, **changed: Any) -> Request:
    """One that was just asked for."""
    return submit(draft(kind, **changed), INSTALLATION, rules or policies(), people(now_ms), now_ms).request


def world(asked: Request, *, now_ms: int = NOW, rules: PolicySet | None = None, **changed: Any) -> World:
    rules = rules or policies()
    if asked.kind == "change":
        changed.setdefault("head", head())
    return World(
        **{
            "now_ms": now_ms,
            "request": asked,
            "policy_then": rules,
            "policy_now": rules,
            "installation": INSTALLATION,
            **changed,
        }
    )


def moved(at: World, result: Transition) -> World:
    """What is true after this."""
    return replace(
        at,
        request=result.request,
        debt=result.debt or at.debt,
        head=result.head or at.head,
        lock=result.lock or at.lock,
        slots=result.slots or at.slots,
    )


def longer(grant: World, *, duration_ms: int = HOUR, **changed: Any) -> Draft:
    """More time for what is active there."""
    held = grant.request
    assert held.lease is not None
    made = Extending(parent=held.id, until_ms=held.lease.until_ms, duration_ms=duration_ms)
    fields: dict[str, Any] = {
        "id": "REQVEST0X1",
        "kind": held.kind,
        "target": held.asked,
        "requester": held.requester,
        "beneficiary": held.beneficiary,
        "payload": made,
        "reason": "one more look",
    }
    return Draft(**{**fields, **changed})


def extension(grant: World, *, policy_now: PolicySet | None = None, **changed: Any) -> World:
    """The same moment, seen from an extension that was just asked for: what it would extend lies beside it."""
    rules = policy_now or grant.policy_now
    made = submit(longer(grant, **changed), INSTALLATION, rules, people(grant.now_ms), grant.now_ms, grant)
    return replace(grant, request=made.request, siblings=made.siblings, policy_then=rules, policy_now=rules, debt=None)


def approve(asked: Request, by: str, **changed: Any) -> Approve:
    return Approve(
        **{"id": f"approve:{by}", "actor": by, "revision": asked.revision, "digest": asked.digest, **changed}
    )


def deny(asked: Request, by: str, **changed: Any) -> Deny:
    fields = {"id": f"deny:{by}", "actor": by, "revision": asked.revision, "digest": asked.digest, "reason": "no"}
    return Deny(**{**fields, **changed})


def smash(asked: Request, by: str = ONCALL, **changed: Any) -> Break:
    """Break the glass."""
    fields = {"id": f"break:{by}", "actor": by, "revision": asked.revision, "digest": asked.digest, "reason": "fire"}
    return Break(**{**fields, **changed})


def edit(asked: Request, by: str = REQ, **changed: Any) -> Edit:
    """Everything stays as it was asked, but for what the test says."""
    fields = {
        "id": f"edit:{asked.revision}:{by}",
        "actor": by,
        "revision": asked.revision,
        "digest": asked.digest,
        "reason": asked.reason,
        "ticket": asked.ticket,
    }
    return Edit(**{**fields, **changed})
