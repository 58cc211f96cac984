"""Asking: what is taken in, and what is refused with a sentence that says why."""

from typing import Any

import pytest

from store.model.errors import AccessError, Conflict, Forbidden, Invalid, Unavailable
from store.model.identity import Target
from store.model.lifecycle import Transition, submit
from store.model.people import FRESH_MS, People
from store.model.policy import HOUR, Circle, PolicySet, Reason, Threshold, Ticket
from store.model.request import Enrolling, Joining, Machine
from tests.builders import (
    ANA,
    BEN,
    DEVS,
    INSTALLATION,
    LEADS,
    NOW,
    PAGER,
    PROD,
    REQ,
    ROLE,
    draft,
    leads,
    payload,
    people,
    policies,
    policy,
    touch,
)


def ask(rules: PolicySet | None = None, known: People | None = None, **changed: Any) -> Transition:
    asked = draft(changed.pop("kind", "open"), **changed)
    return submit(asked, INSTALLATION, rules or policies(), known or people(), NOW)


def test_a_request_is_pending_and_has_its_deadline():
    result = ask(policies(policy(request_ttl_ms=2 * HOUR), number=7), beneficiary=BEN)
    assert result.request.state == "pending"
    assert result.request.timers == {"deadline": NOW + 2 * HOUR}
    assert (result.request.policy, result.request.rule) == (7, "rule")
    assert [entry.event for entry in result.audit] == ["request.submitted"]
    assert result.good_until_ms == NOW + FRESH_MS


API = Target.parse("payments/prod#api")
OTHER = Target.parse("billing/prod")

WRONG: list[tuple[str, dict[str, Any]]] = [
    ("unknown_target", {"target": OTHER}),
    ("no_rule", {"kind": "access", "target": ROLE, "rules": policies(policy(actions=frozenset({"open"})))}),
    ("forbidden", {"requester": ANA, "rules": policies(policy(requesters=Circle()))}),
    ("forbidden", {"requester": "USTRANGER"}),
    ("forbidden", {"known": people(UREQ={"guest": True})}),
    ("forbidden", {"known": people(UREQ={"active": False})}),
    ("forbidden", {"known": people(UREQ={"guest": True}), "beneficiary": BEN}),
    ("forbidden", {"known": people(UBEN={"human": False}), "beneficiary": BEN}),
    ("forbidden", {"known": people(UBEN={"home": False}), "beneficiary": BEN}),
    ("people_unknown", {"known": people(without=[REQ])}),
    ("people_unknown", {"known": people(without=[BEN]), "beneficiary": BEN}),
    ("people_unknown", {"known": people(without=[LEADS])}),
    ("people_unknown", {"known": people(without=[DEVS])}),
    ("reason_required", {"reason": "  "}),
    ("reason_too_long", {"reason": "x" * 2_001}),
    ("ticket_required", {"rules": policies(policy(ticket=Ticket(pattern="[A-Z]+-[0-9]+")))}),
    ("bad_ticket", {"rules": policies(policy(ticket=Ticket(pattern="[A-Z]+-[0-9]+"))), "ticket": "AB-1 and more"}),
    ("too_long", {"duration_ms": 4 * HOUR + 1}),
    ("unreachable", {"known": people(members={LEADS: {REQ, ANA}})}),
    ("unreachable", {"known": people(members={LEADS: {BEN, ANA}}), "beneficiary": BEN}),
    ("unreachable", {"known": people(UANA={"active": False}, UBOB={"guest": True}, UCAT={"home": False})}),
    ("unreachable", {"known": people(members={LEADS: set()})}),
    ("unreachable", {"rules": policies(policy(approvals=(Threshold(circle=Circle()),)))}),
    ("unreachable", {"rules": policies(policy(approvals=(leads(5),)))}),
    ("other_kind", {"payload": payload("change")}),
    ("other_kind", {"payload": payload("access")}),
    ("other_kind", {"kind": "change", "payload": payload("open")}),
    ("other_kind", {"kind": "access", "payload": payload("open")}),
    ("no_environment", {"target": API}),
    ("no_environment", {"target": ROLE, "payload": payload("open")}),
    ("named_twice", {"kind": "change", "touches": (touch("A"), touch("A", to=2))}),
    ("other_membership", {"kind": "access", "target": PROD}),
    ("other_membership", {"kind": "access", "payload": payload("access", beneficiary=BEN)}),
]
ERRORS: dict[str, type[AccessError]] = {
    "people_unknown": Unavailable,
    "unreachable": Conflict,
    "forbidden": Forbidden,
    "no_rule": Forbidden,
}


@pytest.mark.parametrize(("code", "changed"), WRONG)
def test_what_is_wrong_is_refused_with_a_sentence(code, changed):
    with pytest.raises(ERRORS.get(code, Invalid)) as refusal:
        ask(**changed)
    assert refusal.value.detail == code
    assert refusal.value.sentence.endswith(".")


@pytest.mark.parametrize(("field", "value"), [("connector", "other"), ("group", "root"), ("user", BEN)])
def test_a_membership_is_the_one_that_the_policies_name(field, value):
    joining = payload("access")
    assert isinstance(joining, Joining)
    other = joining.model_copy(update={"membership": joining.membership.model_copy(update={field: value})})
    with pytest.raises(Invalid) as refusal:
        ask(kind="access", payload=other)
    assert refusal.value.detail == "other_membership"


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "x" * 2_000},
        {"reason": "", "rules": policies(policy(reason=Reason(required=False)))},
        {"duration_ms": 4 * HOUR},
        {"ticket": "AB-1", "rules": policies(policy(ticket=Ticket(pattern="[A-Z]+-[0-9]+")))},
        {"rules": policies(policy(ticket=Ticket(pattern="[A-Z]+-[0-9]+", required=False)))},
        {"known": people(members={LEADS: {REQ, ANA}}), "rules": policies(policy(self_approval=True))},
        {"kind": "access"},
        {"kind": "change", "touches": (touch("A"), touch("B"))},
        {"known": people(without=["UBOB"])},  # named, and not known yet: may be a fine approver
    ],
)
def test_what_is_right_is_taken_in(changed):
    assert ask(**changed).request.state == "pending"


def test_somebody_who_may_not_be_helped_is_named():
    with pytest.raises(Forbidden, match=r"Uben, and they are a guest"):
        ask(known=people(UBEN={"guest": True}), beneficiary=BEN)


def test_who_breaks_the_glass_is_no_approver():
    rules = policies(policy(enforcement="soft", bypassers=Circle(groups=frozenset({PAGER}))))
    with pytest.raises(Conflict):
        ask(rules, people(members={LEADS: {ANA}}))


def test_nobody_has_for_somebody_what_they_could_not_ask_for_themselves():
    only_who_asks = {DEVS: {REQ}}
    with pytest.raises(Forbidden) as refusal:
        submit(draft(beneficiary=BEN), INSTALLATION, policies(), people(members=only_who_asks), NOW)
    assert refusal.value.detail == "not_for_them"
    assert "does not name Uben" in refusal.value.sentence
    with pytest.raises(Forbidden) as refusal:
        submit(draft(requester=BEN, beneficiary=REQ), INSTALLATION, policies(), people(members=only_who_asks), NOW)
    assert refusal.value.detail == "forbidden"
    assert submit(draft(beneficiary=BEN), INSTALLATION, policies(), people(), NOW).request.beneficiary == BEN


HOLDER = Enrolling(what="add", name="keys-3:8490", address="https://keys-3:8490#aa", fingerprint="a" * 32)


def test_a_key_holder_is_decided_on_with_the_policies_and_nowhere_else():
    assert ask(kind="policy", payload=HOLDER).request.target == "policy:main"
    with pytest.raises(Invalid) as refusal:
        ask(kind="policy", payload=HOLDER, target=PROD)
    assert (refusal.value.detail, refusal.value.sentence) == (
        "other_target",
        "Key holders are decided on under policy:main.",
    )


@pytest.mark.parametrize(
    ("machine", "asker"), [(None, REQ), (Machine(token="0000000001", name="ci"), "machine:0000000001")]
)
def test_a_draft_is_asked_by_a_person_or_by_the_machine_that_made_it(machine: Machine | None, asker: str):
    assert draft("deploy", machine=machine).asker == asker
