"""Reminders and escalations: when they come, what is left of them, and what they never do."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.command import Due, Withdraw
from store.model.errors import Conflict
from store.model.lifecycle import World, next_calls, still_calls, transition
from store.model.policy import HOUR, MINUTE, Circle, Escalation
from tests.builders import (
    ANA,
    BOB,
    NOW,
    OWNER,
    PAGER,
    REQ,
    approve,
    people,
    policies,
    policy,
    request,
    smash,
    soft,
    world,
)

HEADS, OTHERS = Circle(users=frozenset({OWNER})), Circle(groups=frozenset({PAGER}))
CALLS = {
    "remind": (15 * MINUTE, HOUR, 3 * HOUR),
    "escalate": (Escalation(after_ms=2 * HOUR, to=HEADS), Escalation(after_ms=4 * HOUR, to=OTHERS)),
}
RULES = policies(policy(**CALLS))
DEADLINE = NOW + 8 * HOUR


def asked(**changed) -> World:
    return world(request(rules=RULES), rules=RULES, **changed)


def due(at: World, timer, *, at_ms: int | None = None) -> Due:
    return Due(id="due", actor="clock", timer=timer, at_ms=at.request.timers[timer] if at_ms is None else at_ms)


def call(at: World, timer, *, late_ms: int = 0):
    at = replace(at, now_ms=at.request.timers[timer] + late_ms)
    result = transition(at, due(at, timer), people(at.now_ms))
    return replace(at, request=result.request), result


def test_a_request_begins_with_one_entry_for_each():
    assert asked().request.timers == {"deadline": DEADLINE, "remind": NOW + 15 * MINUTE, "escalate": NOW + 2 * HOUR}
    assert request(rules=policies(policy())).timers == {"deadline": DEADLINE}


@pytest.mark.parametrize(
    ("passed_ms", "left"),
    [
        (0, {"remind": 15 * MINUTE, "escalate": 2 * HOUR}),
        (15 * MINUTE - 1, {"remind": 15 * MINUTE, "escalate": 2 * HOUR}),
        (15 * MINUTE, {"remind": HOUR, "escalate": 2 * HOUR}),
        (2 * HOUR, {"remind": 3 * HOUR, "escalate": 4 * HOUR}),
        (3 * HOUR, {"escalate": 4 * HOUR}),
        (4 * HOUR, {}),
    ],
)
def test_what_comes_next(passed_ms, left):
    found = next_calls(policy(**CALLS), NOW, NOW + passed_ms)
    assert found == {timer: NOW + after_ms for timer, after_ms in left.items()}
    assert next_calls(None, NOW, NOW) == {}


def test_one_reminder_follows_the_other_and_then_there_is_none():
    at, came = asked(), []
    while "remind" in at.request.timers:
        at, result = call(at, "remind")
        came.append(at.now_ms - NOW)
        assert [entry.event for entry in result.audit] == ["request.reminded"]
        assert [effect.key for effect in result.effects] == [f"announce:{at.request.id}:reminder:{at.now_ms}"]
        assert at.request.state == "pending"
        assert at.request.timers["deadline"] == DEADLINE
        assert at.request.timers["escalate"] == NOW + 2 * HOUR
    assert came == list(CALLS["remind"])


def test_who_was_down_calls_once_for_all_that_was_missed():
    at, result = call(asked(), "remind", late_ms=2 * HOUR)
    assert len(result.effects) == 1
    assert at.request.timers["remind"] == NOW + 3 * HOUR


@pytest.mark.parametrize(
    ("late_ms", "to", "left"),
    [
        (0, HEADS, 4 * HOUR),
        (2 * HOUR - 1, HEADS, 4 * HOUR),
        (2 * HOUR, Circle(users=HEADS.users, groups=OTHERS.groups), None),
    ],
)
def test_an_escalation_names_everybody_whose_turn_has_come(late_ms, to, left):
    at, result = call(asked(), "escalate", late_ms=late_ms)
    [announced], [entry] = result.effects, result.audit
    assert announced.to == to
    assert (entry.event, entry.actor, entry.details) == (
        "request.escalated",
        "clock",
        {"to": " ".join(sorted(to.principals))},
    )
    assert at.request.timers.get("escalate") == (None if left is None else NOW + left)


def test_the_second_escalation_tells_the_second_circle_only():
    at, _ = call(asked(), "escalate")
    _, result = call(at, "escalate")
    assert result.effects[0].to == OTHERS


def test_it_goes_by_the_policy_it_was_made_under():
    at = replace(asked(), policy_now=policies(policy(remind=(MINUTE,)), number=2))
    at, _ = call(at, "remind")
    assert at.request.timers["remind"] == NOW + HOUR


def test_whom_it_is_escalated_to_becomes_no_approver():
    at, _ = call(asked(), "escalate")
    with pytest.raises(Exception, match="does not name you as an approver"):
        transition(at, approve(at.request, OWNER), people(at.now_ms))


@pytest.mark.parametrize("timer", ["remind", "escalate"])
@pytest.mark.parametrize("off_ms", [-1, 1])
def test_a_moment_that_is_not_its_own_calls_nobody(timer, off_ms):
    at = asked(now_ms=NOW + 7 * HOUR)
    moved = due(at, timer, at_ms=at.request.timers[timer] + off_ms)
    with pytest.raises(Conflict, match="moved"):
        transition(at, moved, people(at.now_ms))
    early = asked(now_ms=NOW + 15 * MINUTE - 1)
    with pytest.raises(Conflict, match="moved"):
        transition(early, due(early, timer), people(early.now_ms))


@pytest.mark.parametrize("timer", ["remind", "escalate"])
def test_what_ran_out_meanwhile_expires_instead(timer):
    at = asked(now_ms=DEADLINE)
    result = transition(at, due(at, timer), people(DEADLINE))
    assert (result.request.state, result.request.timers) == ("expired", {})
    assert not [effect for effect in result.effects if effect.type == "announce"]


def approved(at: World) -> World:
    for user in (ANA, BOB):
        at = replace(at, request=transition(at, approve(at.request, user), people()).request)
    return at


def test_a_vote_keeps_them_and_a_decision_ends_them():
    at = asked()
    voted = transition(at, approve(at.request, ANA), people()).request
    assert voted.timers == at.request.timers
    assert approved(at).request.timers.keys() == {"deadline"}
    assert transition(at, Withdraw(id="w", actor=REQ), people()).request.timers == {}
    rules = policies(soft(**CALLS))
    glass = world(request(rules=rules), rules=rules)
    assert transition(glass, smash(glass.request), people()).request.timers.keys() == {"deadline"}


def test_what_was_called_out_is_said_until_it_is_decided_or_called_out_again():
    at = asked(now_ms=NOW + 15 * MINUTE)
    for reminder in (True, False):
        assert still_calls(at, at.now_ms, reminder=reminder)
        assert not still_calls(approved(at), at.now_ms, reminder=reminder)
        assert not still_calls(replace(at, now_ms=DEADLINE), DEADLINE - 1, reminder=reminder)
        assert not still_calls(at, NOW - 1, reminder=reminder)  # of an earlier time that it waited
        assert still_calls(replace(at, now_ms=NOW), NOW, reminder=reminder)
    assert still_calls(replace(at, now_ms=NOW + HOUR - 1), NOW + 15 * MINUTE, reminder=True)
    for later in (replace(at, now_ms=NOW + HOUR), replace(at, now_ms=NOW + 2 * HOUR)):
        assert not still_calls(later, NOW + 15 * MINUTE, reminder=True)
        assert still_calls(later, NOW + 15 * MINUTE, reminder=False)


@given(
    st.lists(st.integers(1, 479), unique=True, max_size=5), st.lists(st.integers(1, 479), unique=True, max_size=3),
    st.lists(st.integers(1, 200), max_size=12),
)  # fmt: skip
def test_whenever_the_clock_is_looked_at_each_is_called_once_and_the_deadline_is_one(remind, escalate, steps):
    rules = policies(
        policy(
            remind=tuple(sorted(minute * MINUTE for minute in remind)),
            escalate=tuple(
                Escalation(after_ms=minute * MINUTE, to=Circle(users=frozenset({f"UHEAD{minute}"})))
                for minute in sorted(escalate)
            ),
        )
    )
    at = world(request(rules=rules), rules=rules)
    reminded: list[Any] = []
    told: list[Any] = []
    for step in steps:
        at = replace(at, now_ms=at.now_ms + step * MINUTE)
        for timer in ("remind", "escalate", "deadline"):
            while at.request.timers.get(timer, at.now_ms + 1) <= at.now_ms:
                result = transition(at, due(at, timer), people(at.now_ms))
                at = replace(at, request=result.request)
                for effect in result.effects:
                    if effect.type == "announce":
                        (reminded if effect.news == "reminder" else told).append(effect)
        pending = at.request.state == "pending"
        assert ("deadline" in at.request.timers) is pending
        assert all(at_ms > at.now_ms for at_ms in at.request.timers.values())
    over_ms = min(at.now_ms, DEADLINE - 1) - NOW
    if at.now_ms < DEADLINE:
        assert sorted(user for effect in told for user in effect.to.users) == sorted(
            f"UHEAD{minute}" for minute in escalate if minute * MINUTE <= over_ms
        )
        last = max((minute for minute in remind if minute * MINUTE <= over_ms), default=None)
        assert bool(reminded) is (last is not None)
        assert last is None or reminded[-1].at_ms - NOW >= last * MINUTE
    assert len({effect.at_ms for effect in reminded}) == len(reminded) <= len(remind)
