"""Break glass: who may, what it owes, and who looks at it afterwards."""

from dataclasses import replace

import pytest

from store.model.command import Activate, Countersign, Dispute, Merge, Overdue
from store.model.errors import Conflict, Forbidden, Invalid
from store.model.lifecycle import World, transition
from store.model.people import FRESH_MS
from store.model.policy import DAY, HOUR, BreakGlass
from tests.builders import (
    ANA,
    BEN,
    BOB,
    NOW,
    ONCALL,
    PAGER,
    REQ,
    approve,
    head,
    people,
    policies,
    policy,
    request,
    smash,
    soft,
    touch,
    world,
)

SOFT = policies(soft())


def broken(kind: str = "open", *, by: str = ONCALL, **changed) -> World:
    rules = policies(soft(merge="by-hand"))
    at = world(request(kind, rules=rules, **changed), rules=rules)
    result = transition(at, smash(at.request, by), people())
    return replace(at, request=result.request, debt=result.debt)


def test_access_debt_and_announcement_are_one_commit():
    at = world(request(duration_ms=4 * HOUR, rules=SOFT), rules=SOFT)
    result = transition(at, smash(at.request, reason="The shop is down."), people())
    assert result.request.state == "approved"
    assert result.request.decision is not None
    assert (result.request.decision.basis, result.request.decision.by) == ("break-glass", (ONCALL,))
    assert result.request.granted_ms == HOUR  # the rule's for a broken glass, not the four hours that were asked for
    assert result.debt is not None
    assert (result.debt.by, result.debt.state, result.debt.due_ms) == (ONCALL, "open", NOW + DAY)
    assert f"announce:{at.request.id}:broken:{NOW}" in [effect.key for effect in result.effects]
    assert [entry.event for entry in result.audit] == ["glass.broken", "request.approved"]
    assert result.good_until_ms == NOW + FRESH_MS


@pytest.mark.parametrize(
    ("then", "now", "user", "says"),
    [
        (policy(), policy(), ONCALL, "is hard"),
        (soft(), policy(), ONCALL, "is hard"),
        (policy(), soft(), ONCALL, "is hard"),
        (soft(), soft(), BOB, "may break the glass"),
        (soft(), soft(), "UOWNER", "may break the glass"),
        (soft(), policy(enforcement="soft"), ONCALL, "may break the glass"),
        (policy(enforcement="soft"), soft(), ONCALL, "may break the glass"),
    ],
)
def test_who_may_not_break_it(then, now, user, says):
    rules = policies(then)
    at = replace(world(request(rules=rules), rules=rules), policy_now=policies(now, number=2))
    with pytest.raises(Forbidden, match=says):
        transition(at, smash(at.request, user), people())


@pytest.mark.parametrize("facts", [{"guest": True}, {"active": False}, {"home": False}, {"human": False}])
def test_somebody_listed_who_may_do_nothing_here_breaks_nothing(facts):
    at = world(request(rules=SOFT), rules=SOFT)
    with pytest.raises(Forbidden):
        transition(at, smash(at.request), people(UONCALL=facts))


@pytest.mark.parametrize("without", [[ONCALL], [PAGER]])
def test_who_is_not_known_breaks_nothing(without):
    at = world(request(rules=SOFT), rules=SOFT)
    with pytest.raises(Forbidden) as refusal:
        transition(at, smash(at.request), people(without=without))
    assert refusal.value.detail == "not_known"


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_breaking_it_needs_a_reason(reason):
    at = world(request(rules=SOFT), rules=SOFT)
    with pytest.raises(Invalid, match="Say why"):
        transition(at, smash(at.request, reason=reason), people())


def test_it_is_broken_for_what_was_seen():
    at = world(request(rules=SOFT), rules=SOFT)
    with pytest.raises(Conflict, match="edited since"):
        transition(at, smash(at.request, digest="0" * 64), people())


def test_both_policies_shorten_what_it_gives_and_how_long_it_may_be_owed():
    then = soft(break_glass=BreakGlass(max_duration_ms=HOUR, review_within_ms=2 * HOUR))
    now = soft(break_glass=BreakGlass(max_duration_ms=2 * HOUR, review_within_ms=HOUR))
    rules = policies(then)
    at = replace(world(request(rules=rules, duration_ms=3 * HOUR), rules=rules), policy_now=policies(now, number=2))
    result = transition(at, smash(at.request), people())
    assert result.request.granted_ms == HOUR
    assert result.debt is not None
    assert result.debt.due_ms == NOW + HOUR


@pytest.mark.parametrize(
    ("by", "user", "says"),
    [
        (ONCALL, ONCALL, "that you broke"),
        (ANA, ANA, "that you broke"),  # an approver, but the one who broke it
        (ONCALL, REQ, "your own"),
        (ONCALL, BEN, "your own"),
        (ONCALL, "USTRANGER", "does not name you"),
        (REQ, REQ, "that you broke"),
    ],
)
@pytest.mark.parametrize("word", ["Countersign", "Dispute"])
def test_who_does_not_look_at_a_debt(by, user, says, word):
    at = broken(by=by, beneficiary=BEN)
    told = Countersign(id="c", actor=user) if word == "Countersign" else Dispute(id="c", actor=user, reason="?")
    with pytest.raises(Forbidden, match=says):
        transition(at, told, people())


def test_another_approver_countersigns_once():
    at = broken()
    result = transition(at, Countersign(id="c", actor=BOB), people())
    assert result.debt is not None
    assert (result.debt.state, result.debt.closed_by) == ("countersigned", BOB)
    assert result.request == at.request
    assert result.good_until_ms == NOW + FRESH_MS
    with pytest.raises(Conflict, match="nothing left"):
        transition(replace(at, debt=result.debt), Countersign(id="d", actor=ANA), people())


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
def test_a_debt_is_overdue_from_its_hour_on(by_ms):
    at = broken()
    assert at.debt is not None
    due_ms = at.debt.due_ms
    at = replace(at, now_ms=due_ms + by_ms)
    overdue, late = Overdue(id="o", actor="clock", at_ms=due_ms), Countersign(id="c", actor=BOB)
    if by_ms < 0:
        with pytest.raises(Conflict):
            transition(at, overdue, people(at.now_ms))
        countersigned = transition(at, late, people(at.now_ms))
        assert countersigned.good_until_ms == due_ms
        return
    result = transition(at, overdue, people(at.now_ms))
    assert result.debt is not None
    assert result.debt.state == "overdue"
    with pytest.raises(Conflict, match="over"):
        transition(at, late, people(at.now_ms))


def test_a_debt_is_not_overdue_by_another_hour_than_its_own():
    at = broken()
    assert at.debt is not None
    with pytest.raises(Conflict):
        transition(
            replace(at, now_ms=at.debt.due_ms), Overdue(id="o", actor="clock", at_ms=at.debt.due_ms - 1), people()
        )


@pytest.mark.parametrize(
    ("kind", "state", "taken"),
    [("open", "ended", "The access was taken back."), ("access", "revoking", "The access is being taken back.")],
)
def test_disputed_access_ends(kind, state, taken):
    at = broken(kind)
    at = replace(at, request=transition(at, Activate(id="a", actor=REQ), people()).request)
    result = transition(at, Dispute(id="s", actor=BOB, reason="Nothing was down."), people())
    assert result.request.state == state
    assert result.answer == f"Disputed. Everybody concerned is told. {taken}"
    assert result.debt is not None
    assert (result.debt.state, result.debt.reason) == ("disputed", "Nothing was down.")
    assert result.audit[0].event == "debt.disputed"
    assert result.request.timers == {}


@pytest.mark.parametrize(
    ("kind", "told"), [("open", Activate(id="a", actor=REQ)), ("change", Merge(id="a", actor=REQ))]
)
def test_what_was_disputed_before_its_use_is_not_used(kind, told):
    at = broken(kind)
    disputed = transition(at, Dispute(id="s", actor=BOB, reason="No."), people())
    assert disputed.request.state == "approved"
    with pytest.raises(Conflict, match="disputed"):
        transition(replace(at, debt=disputed.debt), told, people())
    assert transition(at, told, people()).request.state in ("active", "merged")


def test_a_glass_broken_for_a_change_that_was_overtaken_says_so():
    at = world(request("change", rules=SOFT, touches=(touch(),)), rules=SOFT, head=head(A=1))
    result = transition(at, smash(at.request), people())
    assert result.request.state == "stale"
    assert "Not merged" in result.answer
    assert result.debt is not None


def test_a_glass_is_broken_once_and_not_after_a_decision():
    at = broken()
    with pytest.raises(Conflict, match="approved already"):
        transition(at, smash(at.request, ANA), people())
    with pytest.raises(Conflict, match="approved already"):
        transition(at, approve(at.request, ANA), people())


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_nobody_disputes_without_saying_why(reason):
    with pytest.raises(Invalid, match="Say what is wrong"):
        transition(broken(), Dispute(id="s", actor=BOB, reason=reason), people())


def test_a_dispute_without_a_rule_is_not_decided():
    at = replace(broken(), policy_now=policies(policy(targets=("other/*",)), number=2))
    with pytest.raises(Conflict, match="No rule"):
        transition(at, Dispute(id="s", actor=BOB, reason="?"), people())
