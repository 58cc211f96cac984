"""Merging: the next version of an environment, and whom it overtakes."""

from dataclasses import replace

import pytest

from store.model.command import Approve, Merge
from store.model.errors import Conflict, Forbidden, Unavailable
from store.model.lifecycle import World, transition
from store.model.people import FRESH_MS
from store.model.policy import DAY, HOUR, Hook, TargetConfig
from store.model.request import Enrolling
from tests.builders import (
    ANA,
    BOB,
    CAT,
    NOW,
    REQ,
    TARGETS,
    approve,
    head,
    held,
    leads,
    people,
    policies,
    policy,
    request,
    touch,
    world,
)


def asked(*touches, identity: str = "REQVEST001", by_hand: bool = False):
    rules = policies(policy(merge="by-hand" if by_hand else "on-approval"))
    return request("change", rules=rules, touches=touches, identity=identity), rules


def decided(*touches, by_hand: bool = False, **changed) -> tuple[World, Approve]:
    """With one of the two approvals, and the command that brings the other."""
    change, rules = asked(*touches, by_hand=by_hand)
    at = world(change, rules=rules, **changed)
    at = replace(at, request=transition(at, approve(change, ANA), people()).request)
    return at, approve(change, BOB)


def test_what_was_approved_becomes_the_next_version():
    at, last = decided(
        touch("A", base=1, to=2), touch("B", to=1), touch("C", base=1, to=None), head=head(A=1, C=1, D=1)
    )
    result = transition(at, last, people())
    assert result.request.state == "merged"
    assert result.request.merged == 2
    assert result.head is not None
    assert result.head.follows(at.head)
    assert result.head.entries == {"A": held("A", version=2), "B": held("B"), "D": held("D")}
    assert [effect.key for effect in result.effects if effect.lane == "hook"] == ["redeploy:env1/api"]
    assert [delivery.hook for delivery in result.deliveries] == ["api"]
    assert result.good_until_ms == NOW + FRESH_MS


def test_to_remove_what_is_not_there_removes_nothing():
    at, last = decided(touch("A", base=None, to=None), touch("B"), head=head(C=1))
    merged = transition(at, last, people()).head
    assert merged is not None
    assert merged.entries == {"B": held("B"), "C": held("C")}


@pytest.mark.parametrize(
    ("touched", "there", "merges"),
    [
        (touch("A", to=1), {}, True),
        (touch("A", to=1), {"A": 1}, False),  # made for an absence, and there is something
        (touch("A", base=1, to=2), {"A": 1}, True),
        (touch("A", base=1, to=2), {"A": 3}, False),
        (touch("A", base=1, to=2), {}, False),
        (touch("A", base=1, to=None), {"A": 1}, True),
        (touch("A", base=1, to=None), {}, False),
        (touch("A", to=1), {"B": 9}, True),  # an untouched name may move
    ],
)
def test_only_a_touched_name_that_moved_makes_it_stale(touched, there, merges):
    at, last = decided(touched, head=head(number=5, **there))
    result = transition(at, last, people())
    assert result.request.state == ("merged" if merges else "stale")
    assert (result.head is None) is not merges
    waits = {} if merges else {"deadline": at.now_ms + at.policy_now.policies[0].request_ttl_ms}
    assert result.request.timers == waits


def test_siblings_that_touch_the_same_name_are_overtaken_at_once():
    same, _ = asked(touch("A", to=2), identity="REQVEST002")
    other, _ = asked(touch("B", to=2), identity="REQVEST003")
    approved, _ = asked(touch("A", to=3), touch("B", to=3), identity="REQVEST004")
    approved = approved.model_copy(update={"state": "approved", "timers": {"deadline": NOW + DAY}})
    gone, _ = asked(touch("A", to=4), identity="REQVEST005")
    gone = gone.model_copy(update={"state": "denied", "timers": {}})
    at, last = decided(touch("A", to=1), siblings=(same, other, approved, gone))
    result = transition(at, last, people())
    assert [(sibling.id, sibling.state) for sibling in result.siblings] == [
        (same.id, "stale"),
        (approved.id, "stale"),
    ]
    a_new_wait = at.now_ms + at.policy_now.policies[0].request_ttl_ms
    assert [sibling.timers["deadline"] for sibling in result.siblings] == [a_new_wait, a_new_wait]
    assert sorted(str(entry.request) for entry in result.audit if entry.event == "request.stale") == [
        same.id,
        approved.id,
    ]
    assert {f"card:{same.id}", f"card:{approved.id}"} <= {effect.key for effect in result.effects}


def test_a_stale_one_overtakes_nobody():
    sibling, _ = asked(touch("A", to=2), identity="REQVEST002")
    at, last = decided(touch("A", to=1), head=head(A=9), siblings=(sibling,))
    result = transition(at, last, people())
    assert result.request.state == "stale"
    assert result.siblings == ()


@pytest.mark.parametrize(
    ("user", "may"), [(REQ, True), (ANA, True), (CAT, True), ("UOWNER", False), ("USTRANGER", False)]
)
def test_who_may_merge_by_hand(user, may):
    at, last = decided(touch("A"), by_hand=True)
    approved = transition(at, last, people()).request
    assert approved.state == "approved"
    at = replace(at, request=approved)
    if may:
        result = transition(at, Merge(id="m", actor=user), people())
        assert result.request.state == "merged"
        assert result.good_until_ms == NOW + FRESH_MS
    else:
        with pytest.raises(Forbidden):
            transition(at, Merge(id="m", actor=user), people())


def test_a_requester_who_left_does_not_merge():
    at, last = decided(touch("A"), by_hand=True)
    at = replace(at, request=transition(at, last, people()).request)
    with pytest.raises(Forbidden):
        transition(at, Merge(id="m", actor=REQ), people(UREQ={"active": False}))


@pytest.mark.parametrize(("then", "now"), [("on-approval", "by-hand"), ("by-hand", "on-approval")])
def test_it_merges_at_once_only_where_both_policies_say_so(then, now):
    rules = policies(policy(merge=then))
    at = replace(world(request("change", rules=rules), rules=rules), policy_now=policies(policy(merge=now), number=2))
    at = replace(at, request=transition(at, approve(at.request, ANA), people()).request)
    assert transition(at, approve(at.request, BOB), people()).request.state == "approved"


def test_without_an_environment_nothing_is_merged():
    at, last = decided(touch("A"))
    with pytest.raises(Conflict):
        transition(replace(at, head=None), last, people())


def test_nothing_is_merged_into_another_environment():
    at, last = decided(touch("A"))
    with pytest.raises(Unavailable) as refusal:
        transition(replace(at, head=head().model_copy(update={"environment_id": "env2"})), last, people())
    assert refusal.value.detail == "tampered"


def test_only_hooks_that_listen_to_changes_hear_of_them():
    hooks = (Hook(name="a", url="https://a"), Hook(name="b", url="https://b", on=frozenset({"deploy"})))
    targets = {**TARGETS, "payments/prod": TargetConfig(hooks=hooks)}
    rules = policies(policy(request_ttl_ms=HOUR), targets=targets)
    at = world(request("change", rules=rules), rules=rules)
    at = replace(at, request=transition(at, approve(at.request, ANA), people()).request)
    assert transition(at, approve(at.request, BOB), people()).request.hooks == ("a",)


@pytest.mark.parametrize(
    ("on", "back_to", "event"),
    [
        ({"change"}, None, "change"),
        ({"change"}, 1, "change"),
        ({"change", "rollback"}, None, "change"),
        ({"change", "rollback"}, 1, "rollback"),
        ({"rollback"}, 1, "rollback"),
        ({"rollback"}, None, None),
        ({"deploy"}, 1, None),
    ],
)
def test_a_rollback_is_told_as_such_to_who_listens_for_it_and_as_a_change_to_all_others(on, back_to, event):
    hook = Hook(name="a", url="https://a", on=frozenset(on))
    rules = policies(policy(approvals=(leads(1),)), targets={**TARGETS, "payments/prod": TargetConfig(hooks=(hook,))})
    asked = request("change", rules=rules)
    asked = asked.model_copy(update={"payload": asked.payload.model_copy(update={"back_to": back_to})})
    result = transition(world(asked, rules=rules, head=head(number=4)), approve(asked, ANA), people())
    assert [(each.hook, each.event, each.version) for each in result.deliveries] == [("a", event, 5)][: bool(event)]
    assert [effect.key for effect in result.effects if effect.lane == "hook"] == ["redeploy:env1/a"][: bool(event)]


@pytest.mark.parametrize("what", ["add", "remove"])
def test_only_a_key_holder_moves_the_roster(what):
    rules = policies(policy(approvals=(leads(1),)))
    holder = Enrolling(what=what, name="keys-3:8490", address="https://keys-3:8490", fingerprint="a" * 32)
    for kind, payload, enrols in (("policy", holder, True), ("policy", None, False), ("change", None, False)):
        asked = request(kind, rules=rules)
        asked = asked.model_copy(update={"payload": payload or asked.payload})
        result = transition(world(asked, rules=rules), approve(asked, ANA), people())
        assert (result.request.state, result.enrols) == ("merged", enrols)
