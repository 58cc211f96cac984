"""Changes of the policies: always hard, on top of one version, and in force when they are approved."""

from dataclasses import replace
from typing import Any

import pytest

from store.model.command import Activate, Approve, Merge
from store.model.errors import Conflict, Forbidden, Invalid
from store.model.lifecycle import World, transition
from store.model.policy import DAY, HOUR, Circle, Threshold
from store.model.request import Amendment, Opening, digest
from tests.builders import (
    ANA,
    BOB,
    CAT,
    ENVIRONMENT,
    INSTALLATION,
    NOW,
    ONCALL,
    PROD,
    REQ,
    STRANGER,
    approve,
    edit,
    people,
    policies,
    policy,
    request,
    smash,
    soft,
    world,
)

OTHER = Amendment(base=2, content="d" * 64)


def half(**how: Any) -> tuple[World, Approve]:
    """With one of the two approvals, and the command that brings the other."""
    rules = policies(policy(**how))
    asked = request("policy", rules=rules)
    at = world(asked, rules=rules)
    return replace(at, request=transition(at, approve(asked, ANA), people()).request), approve(asked, BOB)


def test_what_was_approved_is_the_next_version_of_the_policies():
    at, last = half()
    result = transition(at, last, people())
    assert (result.request.state, result.request.merged) == ("merged", 2)
    assert result.policies == at.request.payload
    assert result.answer == "Merged: version 2 of the policies is in force."
    assert [(entry.event, entry.details) for entry in result.audit][-1] == (
        "policy.changed",
        {"version": 2, "content": "c" * 64},
    )
    assert result.head is None
    assert result.request.lease is None


def test_by_hand_it_waits_and_is_merged_by_who_asked_or_approves():
    at, last = half(merge="by-hand", merge_within_ms=HOUR)
    approved = transition(at, last, people())
    assert (approved.request.state, approved.policies) == ("approved", None)
    assert approved.request.timers["deadline"] == NOW + HOUR
    at = replace(at, request=approved.request)
    for user in (REQ, CAT):
        assert transition(at, Merge(id="m", actor=user), people()).policies == at.request.payload
    with pytest.raises(Forbidden):
        transition(at, Merge(id="m", actor=STRANGER), people())
    with pytest.raises(Conflict, match="approved already"):
        transition(at, Activate(id="a", actor=REQ), people())


def test_nobody_breaks_the_glass_for_the_policies_however_soft_the_rule_says_it_is():
    rules = policies(soft())
    asked = request("policy", rules=rules)
    with pytest.raises(Forbidden, match="hard: nobody passes"):
        transition(world(asked, rules=rules), smash(asked, ONCALL), people())
    opened = request("open", rules=rules)
    assert transition(world(opened, rules=rules), smash(opened, ONCALL), people()).request.state == "approved"


def test_what_was_made_on_another_version_is_not_merged():
    at, last = half()
    moved = replace(at, policy_now=policies(number=2))
    result = transition(moved, last, people())
    assert (result.request.state, result.policies) == ("stale", None)
    assert "version 2 is in force by now" in (result.request.note or "")


def test_it_is_decided_by_the_policies_of_then_and_of_now():
    at, last = half()
    strict = policies(policy(approvals=(Threshold(circle=Circle(users=frozenset({CAT}))),)), number=2)
    moved = replace(at, policy_now=strict)
    with pytest.raises(Forbidden, match="does not name you as an approver"):
        transition(moved, last, people())
    assert transition(moved, approve(at.request, CAT), people()).request.state == "pending", "ANA counts no more"


def test_who_asked_does_not_approve():
    at, _ = half()
    with pytest.raises(Forbidden, match="your own request"):
        transition(at, approve(at.request, REQ), people())


def test_the_others_are_out_of_date_in_the_same_step():
    at, last = half()
    sibling, over, change = (
        request("policy", identity="REQVEST002"),
        request("policy", identity="REQVEST003").model_copy(update={"state": "denied"}),
        request("change", identity="REQVEST004"),
    )
    result = transition(replace(at, siblings=(sibling, over, change)), last, people())
    [stale] = result.siblings
    assert (stale.id, stale.state) == (sibling.id, "stale")
    assert stale.note == "Version 2 of the policies is in force by now."
    assert ("request.stale", sibling.id) in [(entry.event, entry.request) for entry in result.audit]
    told = {effect.key for effect in result.effects}
    assert {f"card:{sibling.id}", f"tell:{sibling.id}:stale:{NOW}:{REQ}"} <= told


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"payload": OTHER}, Conflict, "made on top of version 2 of the policies, and version 1 is in force now"),
        ({"payload": Opening(environment_id=ENVIRONMENT, duration_ms=HOUR)}, Invalid, "not what a request of the kind"),
        ({"target": PROD}, Forbidden, "No rule says who may decide “policy” for payments/prod"),
        ({"requester": STRANGER, "beneficiary": STRANGER}, Forbidden, "does not name you"),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(changed, error, says):
    rules = policies(
        policy(targets=("policy:main",), actions=frozenset({"policy"})),
        policy(name="open", actions=frozenset({"open"})),
    )
    with pytest.raises(error, match=says):
        request("policy", rules=rules, **changed)


def test_its_digest_is_that_of_its_content_and_its_base():
    asked = request("policy")
    others = [Amendment(base=2, content="c" * 64), Amendment(base=1, content="d" * 64)]
    found = {digest(INSTALLATION, asked.model_copy(update={"payload": each})) for each in (asked.payload, *others)}
    assert len(found) == 3


def test_other_policies_in_the_same_request_are_decided_anew():
    at, _ = half()
    other = OTHER.model_copy(update={"base": 1})
    after = transition(at, edit(at.request, amendment=other), people()).request
    assert (after.state, after.revision, after.payload, after.reviews) == ("pending", 2, other, ())
    assert after.digest != at.request.digest
    asked = request("open")
    with pytest.raises(Invalid, match="Only a change of the policies"):
        transition(world(asked), edit(asked, amendment=other), people())
    with pytest.raises(Invalid, match="no duration"):
        transition(at, edit(at.request, duration_ms=DAY), people())


def test_what_is_out_of_date_is_asked_again_on_what_is_in_force_and_never_as_it_was():
    at, last = half()
    moved = replace(at, policy_now=policies(number=2))
    moved = replace(moved, request=transition(moved, last, people()).request)
    with pytest.raises(Conflict, match="Apply the file again"):
        transition(moved, edit(moved.request), people())
    with pytest.raises(Conflict, match="version 2 is in force now"):
        transition(moved, edit(moved.request, amendment=OTHER.model_copy(update={"base": 1})), people())
    again = transition(moved, edit(moved.request, amendment=OTHER), people()).request
    assert (again.state, again.revision, again.policy) == ("pending", 2, 2)
