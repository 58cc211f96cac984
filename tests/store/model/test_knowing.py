"""Knowing: who may see what an environment holds, by name."""

import pytest

from store.model.identity import Target
from store.model.policy import Circle
from store.model.standing import UNKNOWN, YES, knowing, may_know
from tests.builders import (
    ANA,
    BOB,
    DEVS,
    LEADS,
    ONCALL,
    OWNER,
    PROD,
    REQ,
    ROLE,
    STRANGER,
    people,
    policies,
    policy,
    soft,
)


@pytest.mark.parametrize("user", [REQ, ANA, OWNER])
def test_who_may_ask_decides_or_owns_knows(user):
    assert may_know(PROD, policies(), user, people()).may is True


@pytest.mark.parametrize("user", [STRANGER, ONCALL])
def test_who_is_named_nowhere_knows_nothing(user):
    standing = may_know(PROD, policies(soft()), user, people())
    assert (standing.may, standing.why) == (False, "No rule names you for payments/prod.")


def test_a_rule_for_one_of_the_two_is_enough():
    changing = policy(actions=frozenset({"change"}), requesters=Circle(users=frozenset({STRANGER})))
    assert may_know(PROD, policies(changing), STRANGER, people()).may is True
    elsewhere = policy(targets=("payments/staging",), requesters=Circle(users=frozenset({STRANGER})))
    assert may_know(PROD, policies(elsewhere), STRANGER, people()).may is False


def test_by_group_too_one_part_is_enough():
    approves, owns = people(members={DEVS: set(), LEADS: {BOB}}), people(members={"SOWNERS": {OWNER}})
    assert may_know(PROD, policies(), BOB, approves) == YES
    assert may_know(PROD, policies(owners=Circle(groups=frozenset({"SOWNERS"}))), OWNER, owns) == YES


@pytest.mark.parametrize(
    ("user", "without"), [(STRANGER, [DEVS]), (STRANGER, [LEADS]), (REQ, [DEVS, LEADS]), (REQ, [REQ])]
)
def test_what_is_not_known_is_no_yes_and_not_yet_a_no(user, without):
    assert may_know(PROD, policies(), user, people(without=without)) == UNKNOWN


def test_a_guest_knows_nothing_whatever_list_they_are_on():
    standing = may_know(PROD, policies(), REQ, people(UREQ={"guest": True}))
    assert standing.may is False
    assert "guest" in standing.why


def test_nobody_but_owners_where_no_rule_covers_it():
    other = Target.parse("payments/other")
    assert may_know(other, policies(), REQ, people()).may is False
    assert may_know(other, policies(), OWNER, people()).may is True


def test_what_is_looked_at():
    wanted = knowing(PROD, policies(), STRANGER)
    assert (wanted.users, wanted.groups) == (frozenset({STRANGER}), frozenset({DEVS, LEADS}))
    assert knowing(ROLE, policies(), STRANGER).groups == frozenset({DEVS, LEADS})
