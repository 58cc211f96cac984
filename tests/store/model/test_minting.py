"""Minting: a machine is let in by an approved request, asked by an owner, for what exists, for a time."""

from typing import Any

import pytest
from pydantic import ValidationError

from store.model.errors import AccessError, Forbidden, Invalid, Unavailable
from store.model.identity import POLICIES
from store.model.lifecycle import Draft, submit, transition, wanted_to_ask
from store.model.policy import Circle, PolicySet
from store.model.request import Minting, Opening, Request, digest
from store.model.token import DAY_MS, Token
from tests.builders import (
    ANA,
    BOB,
    DEVS,
    ENVIRONMENT,
    INSTALLATION,
    LEADS,
    NOW,
    OWNER,
    PROD,
    REQ,
    approve,
    people,
    policies,
    policy,
    world,
)

ASKERS = Circle(users=frozenset({OWNER, REQ}))
FIELDS: dict[str, Any] = {
    "token": "3NQ8W2VKXA",
    "hash": "5a" * 32,
    "name": "ci",
    "targets": ("payments/prod",),
    "actions": ("read",),
    "lifetime_ms": 90 * DAY_MS,
}
RULES = policies(policy(requesters=ASKERS))


def machine(**changed: Any) -> Minting:
    return Minting(**{**FIELDS, **changed})


def draft(by: str = OWNER, **changed: Any) -> Draft:
    fields = {"id": "REQVEST001", "kind": "policy", "target": POLICIES, "requester": by, "beneficiary": by}
    return Draft(**{**fields, "payload": machine(), "reason": "CI reads", **changed})


def asked(**changed: Any) -> Request:
    return submit(draft(payload=machine(**changed)), INSTALLATION, RULES, people(), NOW).request


def refused(error: type[AccessError], rules: PolicySet = RULES, **changed: Any) -> tuple[str, str]:
    with pytest.raises(error) as refusal:
        submit(draft(**changed), INSTALLATION, rules, people(), NOW)
    return refusal.value.detail, refusal.value.sentence


def decided(request: Request, *by: str) -> Any:
    at = world(request, rules=RULES)
    done = None
    for user in by:
        done = transition(at, approve(request, user), people())
        at = world(done.request, rules=RULES)
    return done


def test_a_quorum_lets_it_in_and_nothing_less_does() -> None:
    request = asked()
    assert decided(request, ANA).token is None
    done = decided(request, ANA, BOB)
    assert done.request.state == "merged"
    assert done.token == Token(
        id="3NQ8W2VKXA",
        kind="machine",
        holder=OWNER,
        name="ci",
        hash="5a" * 32,
        created_ms=NOW,
        expires_ms=NOW + 90 * DAY_MS,
        targets=("payments/prod",),
        actions=("read",),
        request=request.id,
    )
    assert (done.request.since_ms, done.answer) == (NOW, "The machine ci is let in.")
    assert [effect.key for effect in done.effects][-2:] == [
        f"card:{request.id}",
        f"tell:{request.id}:merged:{NOW}:{OWNER}",
    ]


@pytest.mark.parametrize(
    ("targets", "actions"),
    [(("payments/prod", "payments/prod#api"), ("deploy",)), (("payments/prod",), ("read", "deploy"))],
)
def test_the_audit_log_says_what_it_was_let_in_for(targets: tuple[str, ...], actions: tuple[str, ...]) -> None:
    entry = decided(asked(targets=targets, actions=actions), ANA, BOB).audit[-1]
    assert (entry.event, entry.actor, entry.target) == ("token.minted", BOB, "policy:main")
    assert entry.details == {
        "token": "3NQ8W2VKXA",
        "name": "ci",
        "targets": " ".join(targets),
        "actions": " ".join(actions),
        "expires_ms": NOW + 90 * DAY_MS,
    }


ONLY_OWNERS = ("forbidden", "Only owners ask for the token of a machine.")


def test_only_owners_ask_and_who_is_not_known_to_be_one_is_none() -> None:
    assert refused(Forbidden, requester=REQ, beneficiary=REQ) == ONLY_OWNERS
    owners = policies(policy(requesters=ASKERS), owners=Circle(groups=frozenset({DEVS})))
    assert refused(Forbidden, owners) == ONLY_OWNERS
    assert submit(draft(REQ), INSTALLATION, owners, people(), NOW).request.state == "pending"
    with pytest.raises(Unavailable):
        submit(draft(), INSTALLATION, owners, people(without=[DEVS]), NOW)


def test_of_the_owners_nobody_is_asked_but_for_a_machine() -> None:
    owners = policies(owners=Circle(groups=frozenset({"SOWNERS"})))
    reads = draft(payload=Opening(environment_id=ENVIRONMENT, duration_ms=1))
    assert wanted_to_ask(reads, owners.policies[0], owners).groups == {DEVS, LEADS}
    assert wanted_to_ask(draft(), owners.policies[0], owners).groups == {DEVS, LEADS, "SOWNERS"}


IN_OTHER_NAME = ("other_target", "Machines are let in under policy:main, by who asks for them.")
TWICE = ("named_twice", "Name each target and each action once.")


def nowhere(target: str) -> tuple[str, str]:
    why = f"A machine reads the secrets of environments, and deploys those or applications in them: {target} is none."
    return "no_environment", why


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"target": PROD}, IN_OTHER_NAME),
        ({"beneficiary": REQ}, IN_OTHER_NAME),
        (
            {"kind": "change", "target": PROD},
            ("other_kind", "This is not what a request of the kind “change” asks for."),
        ),
        (
            {"payload": machine(targets=("payments/prod", "payments/nowhere"))},
            ("unknown_target", "There is no target payments/nowhere here."),
        ),
        ({"payload": machine(targets=("role:aws-admin",))}, nowhere("role:aws-admin")),
        ({"payload": machine(targets=("role:aws-admin",), actions=("deploy",))}, nowhere("role:aws-admin")),
        ({"payload": machine(targets=("payments/prod", "policy:main"))}, nowhere("policy:main")),
        ({"payload": machine(targets=("payments/prod#api",))}, nowhere("payments/prod#api")),
        (
            {"payload": machine(targets=("payments/prod#api",), actions=("deploy", "read"))},
            nowhere("payments/prod#api"),
        ),
        ({"payload": machine(targets=("payments/prod", "payments/prod"))}, TWICE),
        ({"payload": machine(actions=("read", "read"))}, TWICE),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(changed: dict[str, Any], said: tuple[str, str]) -> None:
    assert refused(Invalid, **changed) == said


def test_what_it_only_deploys_may_be_an_application() -> None:
    assert asked(targets=("payments/prod#api", "payments/prod"), actions=("deploy",)).state == "pending"


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": "CI"},
        {"name": "-ci"},
        {"name": "c" * 41},
        {"name": "ci\n"},
        {"hash": "5A" * 32},
        {"token": "3NQ8W2VKX"},
        {"targets": ()},
        {"targets": ("payments/prod",) * 21},
        {"actions": ()},
        {"actions": ("write",)},
        {"lifetime_ms": 0},
        {"lifetime_ms": 366 * DAY_MS + 1},
        {"lifetime_ms": 3_599_999},
    ],
)
def test_what_is_no_machine_is_not_even_a_record(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        machine(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"token": "3NQ8W2VKXB"},
        {"hash": "5b" * 32},
        {"name": "cd"},
        {"targets": ("payments/prod", "payments/prod#api"), "actions": ("deploy",)},
        {"actions": ("deploy",)},
        {"actions": ("read", "deploy")},
        {"lifetime_ms": 91 * DAY_MS},
    ],
)
def test_what_is_approved_is_all_of_it(changed: dict[str, Any]) -> None:
    assert digest(INSTALLATION, asked()) != digest(
        INSTALLATION, asked().model_copy(update={"payload": machine(**changed)})
    )


def test_what_ends_is_told_a_week_before_or_with_a_quarter_left() -> None:
    long, short = decided(asked(), ANA, BOB).token, decided(asked(lifetime_ms=4 * DAY_MS), ANA, BOB).token
    assert long.warns_ms == long.expires_ms - 7 * DAY_MS
    assert short.warns_ms == short.expires_ms - DAY_MS
    assert long.model_copy(update={"revoked_ms": NOW}).warns_ms is None
