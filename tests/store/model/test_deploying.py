"""Deploys: approved, then started by who may, one at a time, and ended by a report or by the clock."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.command import Cancel, Deploy, Due, Report
from store.model.effect import Announce, Fire, Tell
from store.model.errors import AccessError, Conflict, Forbidden, Invalid
from store.model.freeze import WEEK_MINUTES, Dated, Weekly, frozen_until
from store.model.identity import Target
from store.model.lifecycle import Transition, World, submit, too_late, transition
from store.model.lifecycle.deploying import LOG_MOST, is_log, starts_ms
from store.model.lifecycle.world import rules_of
from store.model.people import FRESH_MS
from store.model.policy import DAY, HOUR, MINUTE, Circle, Hook, Policy, PolicySet, TargetConfig
from store.model.request import REASON_MOST, Deployment, Ending, Request, deployment
from store.model.slots import Slots, meets
from tests.builders import (
    ANA,
    BEN,
    BOB,
    CAT,
    INSTALLATION,
    NOW,
    ONCALL,
    OWNER,
    PROD,
    REQ,
    STRANGER,
    approve,
    draft,
    leads,
    moved,
    people,
    policies,
    policy,
    smash,
    soft,
    world,
)

API, WEB = Target.parse("payments/prod#api"), Target.parse("payments/prod#web")
ON: Final = frozenset({"change", "deploy"})
HOOKS: Final = (
    Hook(name="api", url="https://api", on=ON),
    Hook(name="web", url="https://web", on=ON),
    Hook(name="cache", url="https://cache"),
)
DEPLOYS: Final = {"actions": frozenset({"deploy"}), "approvals": (leads(1),)}


def ruled(*rules: Policy, hooks: tuple[Hook, ...] = HOOKS, **changed: Any) -> PolicySet:
    return policies(*(rules or (policy(**DEPLOYS),)), targets={"payments/prod": TargetConfig(hooks=hooks)}, **changed)


def asked(
    rules: PolicySet | None = None, *, target: Target = API, now_ms: int = NOW, identity: str = "REQVEST001"
) -> Request:
    drawn = draft("deploy", target=target, identity=identity)
    return submit(drawn, INSTALLATION, rules or ruled(), people(now_ms), now_ms).request


def approved(rules: PolicySet | None = None, by: str = ANA, **how: Any) -> World:
    rules = rules or ruled()
    at = world(asked(rules, **how), rules=rules, now_ms=how.get("now_ms", NOW))
    return after(at, approve(at.request, by))


def done(at: World, command: Any) -> Transition:
    return transition(at, command, people(at.now_ms))


def after(at: World, command: Any) -> World:
    return moved(at, done(at, command))


def start(by: str = ANA) -> Deploy:
    return Deploy(id=f"deploy:{by}", actor=by)


def told(result: Transition) -> set[tuple[str, str]]:
    return {(effect.news, effect.to) for effect in result.effects if isinstance(effect, Tell)}


def written(result: Transition) -> list[tuple[str, str, dict[str, Any]]]:
    return [(entry.event, entry.actor, entry.details) for entry in result.audit]


def refused(at: World, command: Any) -> tuple[type[AccessError], str, str]:
    with pytest.raises(AccessError) as refusal:
        done(at, command)
    return type(refusal.value), refusal.value.detail, refusal.value.sentence


def test_it_is_started_by_hand_and_told_to_the_hook_of_its_name():
    at = approved()
    assert at.request.state == "approved"
    result = done(at, start())
    assert (result.request.state, result.request.hooks) == ("running", ("api",))
    assert result.request.run is not None
    assert (result.request.run.by, result.request.run.report_by_ms) == (ANA, NOW + HOUR)
    assert result.request.timers == {"deadline": NOW + HOUR}
    assert [effect.hook for effect in result.effects if isinstance(effect, Fire)] == ["api"]
    assert [(each.hook, each.message_id) for each in result.deliveries] == [("api", "msg_REQVEST001_api_deploy")]
    assert result.slots == Slots(running={API.id: "REQVEST001"}, newest={API.id: NOW})
    assert told(result) == {("running", REQ)}


def test_what_was_approved_waits_for_its_start_as_long_as_the_shorter_rule_says():
    then = ruled(policy(**DEPLOYS, deploy_within_ms=3 * HOUR, merge_within_ms=MINUTE))
    now = ruled(policy(**DEPLOYS, deploy_within_ms=2 * HOUR, merge_within_ms=MINUTE), number=2)
    for former, present, waits_ms in ((then, then, 3 * HOUR), (then, now, 2 * HOUR), (now, then, 2 * HOUR)):
        at = replace(world(asked(former), rules=former), policy_now=present)
        assert done(at, approve(at.request, ANA)).request.timers == {"deadline": NOW + waits_ms}


def test_of_a_whole_environment_all_hooks_hear_that_deploy():
    assert done(approved(target=PROD), start()).request.hooks == ("api", "web")


def test_what_no_hook_deploys_cannot_be_asked_for_nor_started():
    with pytest.raises(Invalid, match="No hook named old deploys payments/prod#old") as refused:
        asked(target=Target.parse("payments/prod#old"))
    assert refused.value.detail == "no_hook"
    with pytest.raises(Invalid, match="No hook deploys payments/prod"):
        asked(ruled(hooks=HOOKS[2:]), target=PROD)
    at = approved()
    with pytest.raises(Conflict, match="No hook deploys payments/prod#api any more") as late:
        done(replace(at, policy_now=ruled(hooks=HOOKS[1:])), start())
    assert late.value.detail == "no_hook"


@pytest.mark.parametrize(
    ("rule", "may", "may_not"),
    [
        ({}, [ANA, BOB, OWNER], [REQ, STRANGER]),
        ({"deployers": Circle(users=frozenset({STRANGER}))}, [STRANGER], [ANA, OWNER, REQ]),
        ({"deployers": Circle()}, [], [ANA, OWNER, REQ, STRANGER]),
    ],
)
def test_who_may_deploy(rule: dict[str, Any], may: list[str], may_not: list[str]):
    # Who asked is one of the leads, and nobody keeps an approver from starting their own: it was approved by another.
    rules = ruled(policy(**DEPLOYS, **rule))
    at = approved(rules)
    for who in may:
        assert done(at, start(who)).request.state == "running"
    for who in may_not:
        if rule or who != REQ:
            with pytest.raises(Forbidden):
                done(at, start(who))
    with pytest.raises(Forbidden):
        transition(at, start(ANA), people(UANA={"guest": True}))


def test_deployers_must_be_so_under_both_policies():
    then, now = ruled(), ruled(policy(**DEPLOYS, deployers=Circle(users=frozenset({STRANGER}))), number=2)
    at = replace(approved(then), policy_now=now)
    for who in (ANA, STRANGER):
        with pytest.raises(Forbidden):
            done(at, start(who))


def test_who_broke_the_glass_may_deploy_it():
    rules = ruled(soft(**DEPLOYS, deployers=Circle(users=frozenset({CAT}))))
    at = world(asked(rules), rules=rules)
    at = after(at, smash(at.request))
    assert done(at, start(ONCALL)).request.state == "running"
    with pytest.raises(Forbidden):
        done(at, start(BOB))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (API, API, True),
        (API, WEB, False),
        (PROD, API, True),
        (API, PROD, True),
        (PROD, Target.parse("payments/staging"), False),
    ],
)
def test_which_deploys_meet(one: Target, other: Target, expected: bool):  # noqa: FBT001 - a column of the table
    assert meets(one, other) is expected
    slots = Slots(running={other.id: "REQVEST0X1"})
    assert (slots.occupied(one) is not None) is expected
    at = replace(approved(target=one) if one in (API, PROD) else approved(), slots=slots)
    if expected:
        with pytest.raises(Conflict, match="Deploy REQVEST0X1 is running there") as refused:
            done(at, start())
        assert refused.value.detail == "occupied"
    else:
        assert done(at, start()).request.state == "running"


def test_starting_supersedes_what_was_asked_for_before_and_nothing_else():
    rules = ruled()
    older, waiting = asked(rules, identity="REQVEST0A1"), asked(rules, identity="REQVEST0A2")
    older = after(world(older, rules=rules), approve(older, ANA)).request
    elsewhere = asked(rules, identity="REQVEST0A3", target=WEB)
    newer = asked(rules, identity="REQVEST0A4", now_ms=NOW + 2)
    at = replace(approved(rules, now_ms=NOW + 1), siblings=(older, waiting, elsewhere, newer))
    result = done(at, start())
    assert [(each.id, each.state) for each in result.siblings] == [
        ("REQVEST0A1", "superseded"), ("REQVEST0A2", "superseded"),
    ]  # fmt: skip
    passed = Ending(by="clock", at_ms=NOW + 1, reason="REQVEST001 was started.")
    assert [(each.ending, each.since_ms) for each in result.siblings] == [(passed, NOW + 1)] * 2
    assert ("superseded", REQ) in told(result)
    assert written(result) == [
        ("deploy.started", ANA, {}),
        ("deploy.superseded", ANA, {"by": "REQVEST001"}),
        ("deploy.superseded", ANA, {"by": "REQVEST001"}),
    ]
    at_once = asked(rules, identity="REQVEST0A5", now_ms=NOW + 1)
    assert done(replace(at, siblings=(at_once,)), start()).siblings == ()


def test_asking_supersedes_nothing_and_what_was_passed_finds_out_when_it_would_start():
    at = replace(approved(), slots=Slots(newest={API.id: NOW + 1}))
    result = done(at, start())
    assert (result.request.state, result.slots) == ("superseded", None)
    assert "asked for later" in result.answer
    assert done(replace(at, slots=Slots(newest={API.id: NOW, WEB.id: NOW + 1})), start()).request.state == "running"


def test_approve_and_deploy_where_this_vote_decides_and_they_may():
    at = world(asked(ruled()), rules=ruled())
    result = done(at, approve(at.request, ANA, deploys=True))
    assert result.request.state == "running"
    assert [entry.event for entry in result.audit] == ["review.approved", "request.approved", "deploy.started"]
    assert result.slots == Slots(running={API.id: "REQVEST001"}, newest={API.id: NOW})
    assert [each.hook for each in result.deliveries] == ["api"]
    assert result.good_until_ms is not None
    two = ruled(policy(**{**DEPLOYS, "approvals": (leads(2),)}))
    half = world(asked(two), rules=two)
    assert done(half, approve(half.request, ANA, deploys=True)).request.state == "pending"


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ({"deployers": Circle(users=frozenset({CAT}))}, "Approved. Somebody who may deploy starts it."),
        (
            {"wait_ms": 10 * MINUTE},
            "Approved, and not started yet. The rule “rule” waits for 10 min after the approval: 10 min are left.",
        ),
    ],
)
def test_approve_and_deploy_stays_approved_where_it_must_not_start(rule: dict[str, Any], answer: str):
    rules = ruled(policy(**DEPLOYS, **rule))
    at = world(asked(rules), rules=rules)
    result = done(at, approve(at.request, ANA, deploys=True))
    assert (result.request.state, result.answer) == ("approved", answer)


def test_it_waits_as_long_as_the_longer_rule_says():
    then, now = ruled(policy(**DEPLOYS, wait_ms=MINUTE)), ruled(policy(**DEPLOYS, wait_ms=10 * MINUTE), number=2)
    at = replace(approved(then), policy_now=now)
    with pytest.raises(Conflict, match="1 min are left") as refused:
        done(replace(at, now_ms=NOW + 9 * MINUTE), start())
    assert refused.value.detail == "waiting"
    assert done(replace(at, now_ms=NOW + 10 * MINUTE), start()).request.state == "running"


def test_it_waits_to_the_millisecond_and_a_broken_glass_for_nothing():
    rules = ruled(soft(**DEPLOYS, wait_ms=10 * MINUTE))
    at = approved(rules)
    assert refused(replace(at, now_ms=NOW + 10 * MINUTE - 1), start()) == (
        Conflict, "waiting", "The rule “rule” waits for 10 min after the approval: 1 s are left.",
    )  # fmt: skip
    assert done(replace(at, now_ms=NOW + 10 * MINUTE), start()).request.state == "running"
    pending = world(asked(rules), rules=rules)
    assert done(after(pending, smash(pending.request)), start(ONCALL)).request.state == "running"
    broken = after(pending, smash(pending.request)).request
    found = [starts_ms(each, rules_of(at)) for each in (at.request, broken, pending.request)]
    assert found == [NOW + 10 * MINUTE, 0, 0]  # what is not decided has nothing to wait for


@pytest.mark.parametrize(
    ("left_ms", "said"),
    [
        (2 * DAY, "2 days"),
        (2 * DAY + 1, "3 days"),
        (2 * DAY - 1, "48 h"),
        (HOUR + 1, "1 h 1 min"),
        (MINUTE + 1, "2 min"),
        (MINUTE, "1 min"),
        (MINUTE - 999, "1 min"),
        (MINUTE - 1_000, "59 s"),
        (1_001, "2 s"),
        (1, "1 s"),
    ],
)
def test_what_is_left_of_a_freeze_is_rounded_up(left_ms: int, said: str):
    window = Dated(from_ms=NOW, until_ms=NOW + left_ms)  # without a name
    assert refused(approved(ruled(policy(**DEPLOYS, freeze=(window,)))), start()) == (
        Conflict, "frozen", f"Deploys of payments/prod#api are frozen for another {said}.",
    )  # fmt: skip


def frozen(**how: Any) -> Policy:
    window = Dated(from_ms=NOW - HOUR, until_ms=NOW + HOUR, name="end of year")
    return soft(**DEPLOYS, freeze=(window,)) if how.pop("soft", False) else policy(**DEPLOYS, freeze=(window,), **how)


def test_nothing_starts_in_a_freeze_of_either_policy():
    for then, now in ((frozen(), policy(**DEPLOYS)), (policy(**DEPLOYS), frozen())):
        at = replace(approved(ruled(then)), policy_now=ruled(now, number=2))
        with pytest.raises(Conflict, match=r"frozen \(end of year\) for another 1 h") as refused:
            done(at, start())
        assert refused.value.detail == "frozen"
        assert done(replace(at, now_ms=NOW + HOUR), start()).request.state == "running"


def test_a_broken_glass_passes_a_freeze_only_where_it_is_soft_still():
    rules = ruled(frozen(soft=True))
    at = world(asked(rules), rules=rules)
    at = after(at, smash(at.request))
    assert done(at, start(ONCALL)).request.state == "running"
    with pytest.raises(Conflict, match="frozen"):
        done(replace(at, policy_now=ruled(frozen(), number=2)), start(ONCALL))
    with pytest.raises(Conflict, match="frozen"):
        done(approved(rules), start())


def running(**how: Any) -> World:
    return after(approved(**how), start())


def test_what_the_receiver_says_is_kept_and_its_end_ends_it():
    at = running()
    going = Report(id="r1", actor="relay", outcome="running", stage="Rolling out", log="https://ci/1")
    said = done(at, going)
    assert (said.request.state, said.slots) == ("running", None)
    assert said.request.timers == at.request.timers
    at = replace(at, request=said.request, now_ms=NOW + MINUTE)
    with pytest.raises(Conflict, match="Known already") as again:
        done(at, replace(going, id="r2"))
    assert again.value.detail == "nothing_new"
    result = done(at, Report(id="r3", actor="machine:X", outcome="failed", said="3 of 6 " + "x" * 400))
    assert (result.request.state, result.slots) == ("failed", Slots(newest={API.id: NOW}))
    run, ending = result.request.run, result.request.ending
    assert run is not None
    assert ending is not None
    assert (run.stage, run.log, len(run.said or ""), run.said_ms) == ("Rolling out", "https://ci/1", 300, NOW + MINUTE)
    assert (ending.by, len(ending.reason or "")) == ("machine:X", 300)
    assert told(result) == {("failed", REQ), ("failed", ANA)}
    with pytest.raises(Conflict, match="This has failed"):
        done(replace(at, request=result.request), Report(id="r4", actor="relay", outcome="succeeded"))


def late(at: World) -> World:
    return replace(at, now_ms=NOW + MINUTE)


CARD: Final = "card:REQVEST001"
HOOK: Final = "fire:REQVEST001/api/deploy"
WHY: Final = {"reason": "the build is red"}
STEPS: Final[dict[str, tuple[Callable[[], World], Any, str, tuple[str, str, dict[str, Any]], list[str]]]] = {
    "started": (
        approved, start(), "Started. The card shows how it goes.",
        ("deploy.started", ANA, {}), [CARD, "running UREQ", HOOK],
    ),
    "passed by a newer one": (
        lambda: replace(approved(), slots=Slots(newest={API.id: NOW + 1})), start(),
        "Not started: a deploy that was asked for later has been started before it.",
        ("deploy.superseded", "clock", {}), [CARD, "superseded UREQ"],
    ),
    "reported on": (
        running, Report(id="r", actor="relay", outcome="running", stage="Rolling out"), "Recorded.",
        ("deploy.reported", "relay", {"stage": "Rolling out"}), [CARD],
    ),
    "succeeded": (
        running, Report(id="r", actor="relay", outcome="succeeded", said="All green."), "Recorded.",
        ("deploy.succeeded", "relay", {"reason": "All green."}), [CARD, "succeeded UREQ", "succeeded UANA", HOOK],
    ),
    "failed without a word": (
        running, Report(id="r", actor="machine:X", outcome="failed"), "Recorded.",
        ("deploy.failed", "machine:X", {}), [CARD, "failed UREQ", "failed UANA", HOOK],
    ),
    "cancelled before it was started": (
        approved, Cancel(id="c", actor=REQ, **WHY), "Cancelled.",
        ("deploy.cancelled", REQ, {"was": "approved", **WHY}), [CARD, "cancelled UREQ"],
    ),
    "cancelled while it ran": (
        running, Cancel(id="c", actor=BOB, **WHY), "Cancelled. What the receiver has begun, it must stop by itself.",
        ("deploy.cancelled", BOB, {"was": "running", **WHY}), [CARD, "cancelled UREQ", "cancelled UANA", HOOK],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_what_each_step_answers_writes_into_the_audit_log_and_sets_going(name: str):
    before, command, answer, entry, going = STEPS[name]
    result = done(late(before()), command)
    assert (result.answer, written(result)) == (answer, [entry])
    assert [
        f"{each.news} {each.to}" if isinstance(each, Tell) else each.key for each in result.effects
    ] == going  # in the order in which they are said
    ended = result.request.ended
    if ended:
        said = entry[2].get("reason")
        assert result.request.ending == Ending(by=entry[1], at_ms=NOW + MINUTE, reason=said)
    if ended or name == "started":
        assert result.request.since_ms == NOW + MINUTE


def test_a_start_is_decided_by_facts_that_are_fresh_and_before_its_time_is_over():
    at = approved()
    deadline = at.request.timers["deadline"]
    assert deadline == NOW + DAY
    assert done(at, start()).good_until_ms == NOW + FRESH_MS
    assert done(replace(at, now_ms=deadline - FRESH_MS - 1), start()).good_until_ms == deadline - 1
    assert done(replace(at, now_ms=deadline - FRESH_MS + 1), start()).good_until_ms == deadline


def test_what_is_said_of_a_start_that_must_not_be():
    going = Report(id="r", actor="relay", outcome="running", stage="Rolling out")
    told = after(running(), going)
    unstarted = replace(told, request=told.request.model_copy(update={"run": None}))
    for at, command, refusal in (
        (approved(), Cancel(id="c", actor=REQ, reason=" "),
         (Invalid, "reason_required", "Say why it is cancelled: who asked and who started it read it.")),
        (running(), replace(going, log="http://ci/1"), (Invalid, "bad_log", "The log is a link that begins with https://.")),
        (told, replace(going, id="r2"), (Conflict, "nothing_new", "Known already.")),
        (unstarted, going, (Conflict, "too_late", "This deploy was never started.")),
    ):  # fmt: skip
        assert refused(at, command) == refusal


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("pending", "This is not decided yet."),
        ("running", "This was started already."),
        ("succeeded", "This was deployed already."),
        ("failed", "This has failed, and is over."),
        ("cancelled", "This was cancelled."),
        ("superseded", "Another deploy that was asked for later was started instead."),
    ],
)
def test_who_comes_too_late_reads_how_it_stands(state: str, said: str):
    at = approved()
    at = replace(at, request=at.request.model_copy(update={"state": state}))
    assert refused(at, start()) == (Conflict, "too_late", said)
    assert too_late(at).sentence == said
    assert too_late(at, of_debt=True).sentence == "Nobody broke a glass here."


def test_a_reason_is_kept_up_to_its_length():
    for length in (REASON_MOST, REASON_MOST + 1):
        result = done(approved(), Cancel(id="c", actor=REQ, reason="x" * length))
        assert result.request.ending == Ending(by=REQ, at_ms=NOW, reason="x" * REASON_MOST)


def test_a_link_to_a_log_has_a_length():
    longest = "https://".ljust(LOG_MOST, "x")
    assert is_log(longest)
    assert not is_log(longest + "x")


@pytest.mark.parametrize("log", ["http://ci/1", "javascript:alert(1)", "https://" + "x" * 2_000, "https://ci/1>", ""])
def test_a_log_is_a_link(log: str):
    for outcome in ("running", "succeeded"):
        with pytest.raises(Invalid, match="begins with https"):
            done(running(), Report(id="r", actor="relay", outcome=outcome, log=log))


def test_without_a_report_in_time_it_has_failed_and_the_place_is_free():
    at = running()
    late = replace(at, now_ms=NOW + HOUR)
    result = done(late, Due(id="d", actor="clock", timer="deadline", at_ms=NOW + HOUR))
    assert (result.request.state, result.slots) == ("failed", Slots(newest={API.id: NOW}))
    assert result.request.ending is not None
    assert (result.request.ending.by, result.request.ending.reason) == ("clock", "No report came in time.")
    with pytest.raises(Conflict, match="over already"):
        done(late, Report(id="r", actor="relay", outcome="succeeded"))


@pytest.mark.parametrize("who", [REQ, BEN, BOB, OWNER])
def test_who_asked_decides_deploys_or_owns_may_cancel(who: str):
    why = Cancel(id="c", actor=who, reason="the build is red")
    waits = done(approved(), why)
    assert (waits.request.state, waits.slots) == ("cancelled", None)
    runs = done(running(), why)
    assert (runs.request.state, runs.slots) == ("cancelled", Slots(newest={API.id: NOW}))
    assert told(runs) == {("cancelled", REQ), ("cancelled", ANA)}


def test_others_and_those_without_a_reason_cancel_nothing():
    with pytest.raises(Forbidden, match="Only the person who asked"):
        done(running(), Cancel(id="c", actor=STRANGER, reason="no"))
    with pytest.raises(Invalid, match="Say why"):
        done(running(), Cancel(id="c", actor=REQ, reason=" "))
    at = replace(running(), policy_now=policies(policy(targets=("role:*",)), number=2))
    assert done(at, Cancel(id="c", actor=OWNER, reason="no rule is left")).request.state == "cancelled"


def test_the_digest_is_over_version_and_ref():
    at = asked()
    payloads = [
        Deployment(version="v1.2.3", ref="9f2c41d"),
        Deployment(version="v1.2.4", ref="9f2c41d"),
        Deployment(version="v1.2.3"),
        Deployment(version="v1.2.3", ref="9f2c41e"),
    ]
    digests = {
        submit(replace(draft("deploy", target=API), payload=each), INSTALLATION, ruled(), people(), NOW).request.digest
        for each in payloads
    }
    assert at.digest in digests
    assert len(digests) == 4


FRIDAY, MONDAY = 4 * 24 * 60 + 16 * 60, 8 * 60  # Friday 16:00, Monday 08:00
WEEKEND = Weekly(starts=FRIDAY, ends=MONDAY, zone="Europe/Berlin", name="weekend")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-20T14:59:59", None),  # Berlin is an hour ahead of UTC in November
        ("2026-11-20T15:00:00", "2026-11-23T07:00:00"),
        ("2026-11-23T06:59:59", "2026-11-23T07:00:00"),
        ("2026-11-23T07:00:00", None),
        ("2026-10-23T14:00:00", "2026-10-26T07:00:00"),  # the clocks went back in between
        ("2026-03-27T15:00:00", "2026-03-30T06:00:00"),  # and forward
    ],
)
def test_a_weekly_freeze_goes_by_the_clocks_on_the_wall(now: str, until: str | None):
    assert frozen_until([WEEKEND], at_ms(now)) == (None if until is None else (at_ms(until), "weekend"))


@pytest.mark.parametrize(
    ("zone", "now", "until"),
    [
        ("Pacific/Auckland", "2026-11-15T11:30:00", "2026-11-15T12:00:00"),  # Monday there since half an hour
        ("America/Los_Angeles", "2026-11-16T08:30:00", "2026-11-16T09:00:00"),
        ("America/Los_Angeles", "2026-11-16T07:59:59", None),  # Sunday there
        ("Pacific/Auckland", "2026-11-22T10:59:59", None),
    ],
)
def test_a_week_begins_on_monday_where_the_freeze_is(zone: str, now: str, until: str | None):
    window = Weekly(starts=0, ends=60, zone=zone)
    assert window.end_ms(at_ms(now)) == (None if until is None else at_ms(until))


def test_freezes_that_follow_one_another_are_one():
    windows = [Dated(from_ms=0, until_ms=10, name="a"), Dated(from_ms=10, until_ms=20), Dated(from_ms=15, until_ms=30)]
    assert frozen_until(windows, 5) == (30, "a")
    assert frozen_until(windows, 30) is None


@given(st.integers(0, WEEK_MINUTES - 1), st.integers(0, WEEK_MINUTES - 1), st.integers(0, WEEK_MINUTES - 1))
def test_a_week_has_no_seam(starts: int, ends: int, minute: int):
    monday = at_ms("2026-11-16T00:00:00")
    window = Weekly(starts=starts, ends=ends, name="w")
    inside = (starts <= minute < ends) if starts <= ends else (minute >= starts or minute < ends)
    found = window.end_ms(monday + minute * MINUTE)
    assert (found is not None) is inside
    if found is not None:
        assert (found - monday) // MINUTE % WEEK_MINUTES == ends
        assert found > monday + minute * MINUTE


def at_ms(utc: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(f"{utc}+00:00").timestamp() * 1000)


def test_what_was_disputed_before_it_started_starts_no_more():
    rules = ruled(soft(**DEPLOYS))
    at = world(asked(rules), rules=rules)
    at = after(at, smash(at.request))
    assert at.debt is not None
    disputed = replace(at, debt=at.debt.model_copy(update={"state": "disputed"}))
    with pytest.raises(Conflict, match="disputed"):
        done(disputed, start(ONCALL))


@pytest.mark.parametrize(
    ("target", "hook", "started", "expected"),
    [
        (API, "api", API, True),
        (API, "api", PROD, True),
        (API, "api", WEB, False),
        (PROD, "api", API, True),
        (PROD, "api", WEB, False),
    ],
)
def test_what_a_hook_deploys_is_followed_by_a_newer_one(target: Target, hook: str, started: Target, expected: bool):  # noqa: FBT001 - a column of the table
    slots = Slots().taken(started, "REQVEST002", NOW)
    assert slots.followed(target, hook, NOW - 1) is expected
    assert not slots.followed(target, hook, NOW)


def test_what_succeeded_is_known_by_target_the_newest_first_and_two_of_them():
    slots = Slots()
    for number in range(3):
        slots = slots.succeeded(API, f"REQVEST0A{number}", Deployment(version=f"v{number}"))
    assert [each.of.version for each in slots.landed[API.id]] == ["v2", "v1"]
    newest, before = slots.before(API, "REQVEST001"), slots.before(API, "REQVEST0A2")
    assert newest is not None
    assert before is not None
    assert (newest.of.version, before.of.version, slots.before(WEB, "REQVEST001")) == ("v2", "v1", None)
    at = replace(running(), slots=Slots(running={API.id: "REQVEST001"}))
    over = done(at, Report(id="r", actor="relay", outcome="succeeded")).slots
    assert over is not None
    assert [each.request for each in over.landed[API.id]] == ["REQVEST001"]
    failed = done(at, Report(id="r", actor="relay", outcome="failed")).slots
    assert failed is not None
    assert failed.landed == {}


def test_an_older_one_that_starts_by_itself_makes_no_older_one_of_the_newest():
    """A glass that was broken for it changes nothing of that."""
    slots = Slots(newest={API.id: NOW + 5}).taken(API, "REQVEST001", NOW)
    assert slots.overtaken(API, NOW + 4)


def test_the_rules_deployers_are_called_and_others_are_not():
    for deployers, called in ((Circle(users=frozenset({STRANGER})), [("approved", frozenset({STRANGER}))]), (None, [])):
        at = world(
            asked(ruled(policy(**DEPLOYS, deployers=deployers))), rules=ruled(policy(**DEPLOYS, deployers=deployers))
        )
        result = done(at, approve(at.request, ANA))
        announced = [each for each in result.effects if isinstance(each, Announce)]
        assert [(each.news, each.to.users if each.to else None) for each in announced] == called


BAD_VERSION: Final = "is not a version: up to 128 letters, digits and . _ + / @ : -, like v1.2.3."
BAD_REF: Final = "is neither a commit nor a digest: those look like 9f2c41d or sha256:9f2c41d…."


@pytest.mark.parametrize(
    ("version", "ref", "code", "said"),
    [
        ("", None, "bad_version", f"“” {BAD_VERSION}"),
        ("-rf", None, "bad_version", f"“-rf” {BAD_VERSION}"),
        ("v1\n", None, "bad_version", f"“v1�” {BAD_VERSION}"),
        ("v" * 129, None, "bad_version", f"“{'v' * 60}…” {BAD_VERSION}"),
        ("v1", "main", "bad_ref", f"“main” {BAD_REF}"),
        ("v1", "9f2c41", "bad_ref", f"“9f2c41” {BAD_REF}"),
        ("v1", "SHA256:" + "a" * 64, "bad_ref", f"“SHA256:{'a' * 53}…” {BAD_REF}"),
    ],
)
def test_what_is_no_version_is_refused_with_a_sentence(version: str, ref: str | None, code: str, said: str):
    with pytest.raises(Invalid) as refusal:
        deployment(version, ref)
    assert (refusal.value.detail, refusal.value.sentence) == (code, said)


@pytest.mark.parametrize(
    ("version", "ref"),
    [
        ("7", None),
        ("v" * 128, "9f2c41d"),
        ("release/1.2_3+b@x:y-z", "a" * 128),
        ("v1", "sha256:" + "a" * 64),
    ],
)
def test_what_is_a_version_is_kept_as_it_was_typed(version: str, ref: str | None):
    assert deployment(version, ref) == Deployment(version=version, ref=ref)
