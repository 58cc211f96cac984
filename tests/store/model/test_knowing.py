"""Knowing: who may see what an environment holds, by name."""

import pytest

from store.model.identity import Target
from store.model.policy import Circle
from store.model.standing import knowing, may_know
from tests.builders import ANA, DEVS, LEADS, ONCALL, OWNER, PROD, REQ, ROLE, STRANGER, people, policies, policy, soft


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


def test_what_is_not_known_is_no_yes():
    assert may_know(PROD, policies(), REQ, people(without=[DEVS, LEADS])).may is None
    assert may_know(PROD, policies(), REQ, people(without=[REQ])).may is None


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
