"""Reviews: whose verdict counts, what the verdicts come to, and when."""

from dataclasses import replace

import pytest

from store.model.command import Tally
from store.model.errors import Conflict, Forbidden, Invalid, Unavailable
from store.model.lifecycle import World, transition
from store.model.people import FRESH_MS, People
from store.model.policy import HOUR, Access, Circle, Policy, Threshold
from store.model.request import Opening
from tests.builders import (
    ANA,
    BEN,
    BOB,
    CAT,
    ENVIRONMENT,
    LEADS,
    NOW,
    REQ,
    approve,
    deny,
    head,
    leads,
    people,
    policies,
    policy,
    request,
    world,
)

TALLY = Tally(id="t", actor="relay")


def cast(at: World, *verdicts, known: People | None = None) -> World:
    for verdict in verdicts:
        at = replace(at, request=transition(at, verdict, known or people(at.now_ms)).request)
    return at


def under(then: Policy, now: Policy | None = None, **changed) -> World:
    rules = policies(then)
    at = world(request(rules=rules, **changed), rules=rules)
    return replace(at, policy_now=policies(now, number=2)) if now else at


@pytest.mark.parametrize(
    ("user", "facts", "says"),
    [
        (REQ, {}, "your own request"),
        (BEN, {}, "your own request"),
        ("USTRANGER", {}, "does not name you as an approver"),
        ("UOWNER", {}, "does not name you as an approver"),
        ("UONCALL", {}, "does not name you as an approver"),
        (ANA, {"guest": True}, "a guest"),
        (ANA, {"human": False}, "not a person"),
        (ANA, {"active": False}, "deactivated"),
        (ANA, {"home": False}, "another workspace"),
    ],
)
@pytest.mark.parametrize("verdict", [approve, deny])
def test_who_may_not_review_is_told_why(user, facts, says, verdict):
    at = world(request(beneficiary=BEN))
    with pytest.raises(Forbidden, match=says):
        transition(at, verdict(at.request, user), people(**{user: facts}))


@pytest.mark.parametrize("without", [[REQ], [REQ, LEADS], [LEADS]])
def test_a_no_that_is_known_waits_for_no_other_fact(without):
    at = world(request())
    with pytest.raises(Forbidden, match="your own"):
        transition(at, approve(at.request, REQ), people(without=without))
    with pytest.raises(Forbidden, match="a guest"):
        transition(at, approve(at.request, ANA), people(without=[LEADS], UANA={"guest": True}))
    with pytest.raises(Forbidden, match="does not name you"):
        transition(at, approve(at.request, "USTRANGER"), people(without=["USTRANGER"]))


def test_two_distinct_people_decide_and_one_twice_does_not():
    at = world(request())
    once = cast(at, approve(at.request, ANA))
    assert cast(once, approve(at.request, ANA, id="again")).request.state == "pending"
    both = transition(once, approve(at.request, BOB), people())
    assert both.request.state == "approved"
    assert both.request.decision is not None
    assert both.request.decision.by == (ANA, BOB)
    assert [entry.event for entry in both.audit] == ["review.approved", "request.approved"]
    assert both.good_until_ms == NOW + FRESH_MS


def test_a_second_review_replaces_the_first():
    at = under(policy(denials=2))
    at = cast(at, approve(at.request, ANA), deny(at.request, ANA), approve(at.request, BOB))
    assert [(review.by, review.verdict) for review in at.request.reviews] == [(ANA, "deny"), (BOB, "approve")]
    assert at.request.state == "pending"
    assert cast(at, approve(at.request, ANA)).request.state == "approved"


@pytest.mark.parametrize(("then", "now", "needed"), [(1, 1, 1), (2, 2, 2), (3, 1, 1), (1, 3, 1), (3, 2, 2)])
def test_the_smaller_number_of_denials_denies(then, now, needed):
    at = under(policy(denials=then), policy(denials=now))
    for count, user in enumerate((ANA, BOB, CAT)[:needed], 1):
        result = transition(at, deny(at.request, user, reason=f"no {user}"), people())
        assert result.request.state == ("denied" if count == needed else "pending")
        at = replace(at, request=result.request)
    assert at.request.decision is not None
    assert len(at.request.decision.by) == needed
    assert at.request.decision.reason == f"no {(ANA, BOB, CAT)[needed - 1]}"


@pytest.mark.parametrize(
    ("then", "now", "decided"),
    [(1, 1, True), (2, 1, False), (1, 2, False), (2, 2, False)],
)
def test_the_quorum_must_be_met_under_both_policies(then, now, decided):
    at = under(policy(approvals=(leads(then),)), policy(approvals=(leads(now),)))
    result = transition(at, approve(at.request, ANA), people())
    assert (result.request.state == "approved") is decided


def test_an_approver_must_be_named_by_both_policies():
    only_ana = policy(approvals=(Threshold(circle=Circle(users=frozenset({ANA}))),))
    for then, now in ((only_ana, policy(approvals=(leads(1),))), (policy(approvals=(leads(1),)), only_ana)):
        at = under(then, now)
        with pytest.raises(Forbidden):
            transition(at, approve(at.request, BOB), people())
        assert transition(at, approve(at.request, ANA), people()).request.state == "approved"


@pytest.mark.parametrize(("then", "now", "may"), [(True, True, True), (True, False, False), (False, True, False)])
def test_self_approval_needs_both_policies(then, now, may):
    at = under(policy(self_approval=then, approvals=(leads(1),)), policy(self_approval=now, approvals=(leads(1),)))
    if may:
        assert transition(at, approve(at.request, REQ), people()).request.state == "approved"
    else:
        with pytest.raises(Forbidden, match="your own"):
            transition(at, approve(at.request, REQ), people())


def test_where_the_rule_is_gone_nobody_decides():
    at = replace(world(request()), policy_now=policies(policy(targets=("other/*",)), number=2))
    for verdict in (approve, deny):
        with pytest.raises(Conflict, match="Ask an owner"):
            transition(at, verdict(at.request, ANA), people())
    with pytest.raises(Conflict):
        transition(at, TALLY, people())


@pytest.mark.parametrize("changed", [{"revision": 2}, {"digest": "0" * 64}])
@pytest.mark.parametrize("verdict", [approve, deny])
def test_a_verdict_on_another_content_is_none(verdict, changed):
    at = world(request())
    with pytest.raises(Conflict, match="edited since"):
        transition(at, verdict(at.request, ANA, **changed), people())


# -- what is not known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("without", [[ANA], [LEADS], [ANA, LEADS]])
def test_a_vote_whose_facts_are_missing_is_cast_and_counted_later(without):
    at = under(policy(approvals=(leads(1),)))
    result = transition(at, approve(at.request, ANA), people(without=without))
    assert result.request.state == "pending"
    assert [review.by for review in result.request.reviews] == [ANA]
    assert "as soon as" in result.answer
    assert result.audit[0].details["counted"] == 0
    assert f"count:{at.request.id}" in [effect.key for effect in result.effects]

    waiting = replace(at, request=result.request)
    with pytest.raises(Unavailable):  # the relay tries again, and slower
        transition(waiting, TALLY, people(without=without))
    assert transition(waiting, TALLY, people()).request.state == "approved"
    assert transition(waiting, TALLY, people(UANA={"guest": True})).request.state == "pending"
    assert transition(waiting, TALLY, people(members={LEADS: {BOB, CAT}})).request.state == "pending"


def test_a_denial_whose_facts_are_missing_holds_the_decision_up():
    at = under(policy(approvals=(leads(1),)))
    at = cast(at, deny(at.request, CAT), known=people(without=[CAT]))
    held_up = transition(at, approve(at.request, ANA), people(without=[CAT]))
    assert held_up.request.state == "pending"
    later = replace(at, request=held_up.request)
    assert transition(later, TALLY, people()).request.state == "denied"
    assert transition(later, TALLY, people(UCAT={"guest": True})).request.state == "approved"


def test_a_denial_that_could_not_deny_holds_nothing_up():
    at = under(policy(approvals=(leads(1),), denials=2))
    at = cast(at, deny(at.request, CAT), known=people(without=[CAT]))
    assert transition(at, approve(at.request, ANA), people(without=[CAT])).request.state == "approved"


@pytest.mark.parametrize("facts", [{"active": False}, {"guest": True}, {"home": False}, {"human": False}])
def test_every_vote_is_checked_again_at_the_deciding_moment(facts):
    at = world(request())
    at = cast(at, approve(at.request, ANA))
    result = transition(at, approve(at.request, BOB), people(UANA=facts))
    assert result.request.state == "pending"
    left = transition(at, approve(at.request, BOB), people(members={LEADS: {BOB, CAT}}))
    assert left.request.state == "pending"


@pytest.mark.parametrize("age_ms", [0, FRESH_MS - 1, FRESH_MS, HOUR])
def test_a_decision_is_good_for_as_long_as_its_facts(age_ms):
    at = under(policy(approvals=(leads(1),)))
    for verdict in (approve, deny):
        result = transition(at, verdict(at.request, ANA), people(NOW - age_ms))
        assert result.good_until_ms == NOW - age_ms + FRESH_MS


# -- how long ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "then", "now", "caps", "granted"),
    [
        (60, 240, 240, (None, None), 60),
        (60, 240, 30, (None, None), 30),
        (60, 60, 240, (None, None), 60),
        (60, 240, 240, (20, None), 20),
        (60, 240, 240, (40, 20), 20),
        (60, 240, 10, (40, 20), 10),
        (60, 240, 240, (300, None), 60),
    ],
)
def test_what_is_granted_is_the_least_of_all(asked, then, now, caps, granted):
    at = under(
        policy(access=Access(max_ms=then * 60_000)),
        policy(access=Access(max_ms=now * 60_000)),
        duration_ms=asked * 60_000,
    )
    first, second = (cap and cap * 60_000 for cap in caps)
    at = cast(at, approve(at.request, ANA, cap_ms=first), approve(at.request, BOB, cap_ms=second))
    assert at.request.granted_ms == granted * 60_000


def test_a_cap_counts_as_long_as_its_approval_does():
    at = under(policy(approvals=(leads(1), leads(1)), denials=3))
    at = cast(at, approve(at.request, CAT, cap_ms=1_000))
    gone = people(UCAT={"active": False})
    at = cast(at, approve(at.request, ANA), approve(at.request, BOB), known=gone)
    assert at.request.granted_ms == HOUR


@pytest.mark.parametrize(("then", "now"), [(1, 1), (1, 5), (5, 1)])
def test_nothing_waits_longer_than_either_policy_lets_it(then, now):
    def waits(kind: str, state: str, *both: Policy) -> None:
        at = replace(under(*both, kind=kind), head=head(A=1) if state == "stale" else head())
        at = cast(at, approve(at.request, ANA), approve(at.request, BOB))
        assert (at.request.state, at.request.timers) == (state, {"deadline": NOW + HOUR})

    times = (then * HOUR, now * HOUR)
    waits("open", "approved", *(policy(access=Access(grant_expiration_ms=ms)) for ms in times))
    waits("change", "approved", *(policy(merge="by-hand", merge_within_ms=ms) for ms in times))
    waits("change", "stale", *(policy(request_ttl_ms=ms) for ms in times))


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_nobody_denies_without_saying_why(reason):
    at = world(request())
    with pytest.raises(Invalid, match="Say why you deny it"):
        transition(at, deny(at.request, ANA, reason=reason), people())


@pytest.mark.parametrize("cap_ms", [0, -1, -HOUR])
def test_nobody_approves_for_no_time(cap_ms):
    at = world(request())
    assert cast(at, approve(at.request, ANA, cap_ms=1)).request.reviews[0].cap_ms == 1
    with pytest.raises(Invalid):
        transition(at, approve(at.request, ANA, cap_ms=cap_ms), people())


@pytest.mark.parametrize(("asked_ms", "waits_ms"), [(None, 8 * HOUR), (HOUR, HOUR), (9 * HOUR, 8 * HOUR)])
def test_an_approval_waits_as_long_as_was_asked_and_no_longer_than_the_rule_says(asked_ms, waits_ms):
    payload = Opening(environment_id=ENVIRONMENT, duration_ms=HOUR, use_within_ms=asked_ms)
    at = world(request(payload=payload))
    usual = request(payload=payload.model_copy(update={"use_within_ms": None}))
    assert (at.request.digest == usual.digest) is (asked_ms is None)  # an approver agrees to it, too
    at = cast(at, approve(at.request, ANA), approve(at.request, BOB))
    assert (at.request.state, at.request.timers["deadline"]) == ("approved", NOW + waits_ms)
