"""Facts: which of them a decision needs, and what is concluded from those that are there."""

from dataclasses import replace

import pytest

from store.model.command import End
from store.model.errors import Forbidden
from store.model.lifecycle import transition
from store.model.lock import Cause, Lock
from store.model.people import People, Wanted, not_told
from store.model.policy import Circle, Threshold
from store.model.standing import Rules, may_end, reachable, rules_for, still_needed, tally, wanted
from tests.builders import (
    ANA,
    BEN,
    BOB,
    CAT,
    DEVS,
    LEADS,
    NOW,
    ONCALL,
    OWNER,
    PAGER,
    REQ,
    STRANGER,
    approve,
    deny,
    leads,
    people,
    policies,
    policy,
    request,
    soft,
    world,
)


def voted(*by: str, kind: str = "open"):
    at = world(request(kind, beneficiary=BEN if kind == "open" else REQ))
    for user in by:
        at = replace(at, request=transition(at, approve(at.request, user), people()).request)
    return at.request


def test_a_decision_needs_everybody_it_is_about_and_the_groups_of_both_policies():
    rules = Rules(policy(), soft(), Circle(groups=frozenset({"SOWNERS"})))
    needed = wanted(voted(ANA), rules, BOB)
    assert needed.users == {REQ, BEN, ANA, BOB}
    assert needed.groups == {DEVS, LEADS, PAGER, "SOWNERS"}


def test_the_owners_are_those_of_now():
    then, now = policies(), policies(owners=Circle(users=frozenset({CAT})))
    rules = rules_for(request(), then, now)
    assert rules is not None
    assert rules.owners == now.owners


@pytest.mark.parametrize(("by", "lacks"), [((), 2), ((ANA,), 1)])
def test_what_is_still_needed_is_what_nobody_has_filled_of_the_rule_of_now(by, lacks):
    rules = Rules(policy(approvals=(leads(3),)), policy(), Circle())
    assert still_needed(voted(*by), rules, people()) == [leads(lacks)]
    assert still_needed(voted(*by), rules, people(UANA={"guest": True})) == [leads(2)]


def test_what_the_reviews_come_to_has_a_name():
    rules = Rules(policy(), policy(), Circle())
    asked = voted(ANA)
    assert tally(asked, rules, people()) == "pending"
    assert tally(asked, rules, people(without=[ANA])) == "unknown"
    both = asked.model_copy(update={"reviews": (*asked.reviews, asked.reviews[0].model_copy(update={"by": BOB}))})
    assert tally(both, rules, people()) == "approved"
    no = transition(world(asked), deny(asked, CAT), people()).request
    assert tally(no, rules, people()) == "denied"


def test_who_could_decide_comes_out_of_all_thresholds():
    one = Threshold(circle=Circle(users=frozenset({CAT})))
    other = Threshold(circle=Circle(users=frozenset({ONCALL})))
    assert reachable(policy(approvals=(one, other)), (), people())
    assert not reachable(policy(approvals=(one, other)), (CAT,), people())


def test_an_owner_by_group_ends_access_and_who_may_be_one_is_not_sent_away_as_a_stranger():
    asked = voted()
    owners = Circle(groups=frozenset({"SOWNERS"}))
    known = people(members={"SOWNERS": {OWNER}})
    assert may_end(asked, None, owners, OWNER, known).may is True
    assert may_end(asked, None, owners, STRANGER, known).may is False
    assert may_end(asked, None, owners, STRANGER, people()).may is None
    rules = policies(policy(), owners=owners)
    at = world(voted(ANA, BOB), rules=rules)
    active = replace(at, request=at.request.model_copy(update={"state": "active", "timers": {}}))
    with pytest.raises(Forbidden) as refusal:
        transition(active, End(id="e", actor=STRANGER), people())
    assert refusal.value.detail == "not_known"


@pytest.mark.parametrize(
    ("needed", "lacks"),
    [
        (Wanted(), False),
        (Wanted(users=frozenset({ANA})), False),
        (Wanted(groups=frozenset({LEADS})), False),
        (Wanted(frozenset({ANA}), frozenset({LEADS})), False),
        (Wanted(users=frozenset({ANA, BOB})), True),
        (Wanted(groups=frozenset({LEADS, DEVS})), True),
    ],
)
def test_all_that_is_wanted_must_be_there_and_no_more(needed, lacks):
    everything = people()
    known = People(NOW, {ANA: everything.persons[ANA]}, {LEADS: everything.groups[LEADS]})
    assert known.lacks(needed) is lacks


def test_a_lock_holds_from_its_first_cause_on():
    causes = tuple(Cause(request="REQVEST009", why="disputed", at_ms=at_ms) for at_ms in (1, 2, 3))
    lock = Lock(user=ONCALL, causes=causes)
    assert (lock.since_ms, lock.newest.at_ms) == (1, 3)


def test_a_fact_that_is_missing_is_asked_for_again():
    for missing, who in [(not_told(), "you are"), (not_told("this is for"), "this is for")]:
        assert missing.sentence == f"Slack has not told us in time who {who}. Try again in a moment."
        assert missing.detail == "people_unknown"
