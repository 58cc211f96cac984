"""Lock-out: which policies nobody could change any more, by the people of now."""

from typing import Any

import pytest

from store.model.lockout import dangers, everybody, wanted
from store.model.policy import Circle, Policy, Threshold
from tests.builders import ANA, BOB, CAT, DEVS, LEADS, OWNER, REQ, leads, people, policies, policy

GONE = {"active": False}


def main(**changed: Any) -> Policy:
    return policy(**{"targets": ("policy:main",), "actions": frozenset({"policy"}), **changed})


def one_of(*users: str) -> tuple[Threshold, ...]:
    return (Threshold(circle=Circle(users=frozenset(users))),)


def asks(*users: str) -> Circle:
    return Circle(users=frozenset(users))


@pytest.mark.parametrize(
    ("rules", "facts", "expected"),
    [
        ((main(),), {}, ()),
        ((main(actions=frozenset({"open"})),), {}, ("no_rule",)),
        ((main(requesters=asks(REQ)),), {REQ: GONE}, ("no_requester",)),
        ((main(requesters=asks(ANA), approvals=one_of(ANA)),), {}, ("unreachable",)),
        ((main(requesters=asks(ANA), approvals=one_of(ANA, BOB)),), {}, ()),
        ((main(requesters=asks(ANA), approvals=one_of(ANA, BOB)),), {BOB: {"guest": True}}, ("unreachable",)),
        ((main(requesters=asks(ANA, BOB), approvals=one_of(ANA)),), {}, ()),
        ((main(requesters=asks(ANA, BOB), approvals=one_of(ANA)),), {BOB: GONE}, ("unreachable",)),
        ((main(requesters=asks(ANA), approvals=one_of(ANA), self_approval=True),), {}, ("alone",)),
        ((main(requesters=asks(ANA), approvals=(leads(),), self_approval=True),), {}, ()),
        ((main(),), {OWNER: GONE}, ("no_owner",)),
    ],
)
def test_who_could_still_change_them(rules, facts, expected):
    assert dangers(policies(*rules), people(**facts)) == expected


def test_the_first_rule_that_matches_is_the_one_that_counts():
    assert dangers(policies(main(requesters=asks(REQ), approvals=one_of(REQ)), main(name="later")), people()) == (
        "unreachable",
    )


def test_a_group_that_nobody_has_told_us_of_is_said_to_be_unknown():
    assert dangers(policies(main()), people(without=(LEADS,))) == ("unknown",)
    owned = policies(main(), owners=Circle(groups=frozenset({LEADS})))
    assert dangers(owned, people(without=(DEVS, LEADS))) == ("unknown",)


def test_an_empty_group_is_nobody():
    owned = policies(main(), owners=Circle(groups=frozenset({LEADS})))
    assert dangers(owned, people(members={LEADS: set()})) == ("unreachable", "no_owner")


def test_whom_it_looks_at():
    rules = policies(main(requesters=asks(CAT)))
    assert wanted(rules).groups == {LEADS}
    assert everybody(rules, people()) >= {CAT, OWNER, ANA, BOB}
    ruleless = policies(main(actions=frozenset({"open"})), owners=Circle(groups=frozenset({DEVS})))
    assert wanted(ruleless).groups == {DEVS}
    assert everybody(policies(main(actions=frozenset({"open"}))), people()) == {OWNER}
