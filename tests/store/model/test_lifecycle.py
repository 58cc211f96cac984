"""Lifecycle: every state answers every command, as the table of the design says."""

from dataclasses import replace
from typing import Final, get_args

import pytest

from store.model.command import (
    Absent,
    Activate,
    Cancel,
    Command,
    Countersign,
    Deploy,
    Dispute,
    Due,
    End,
    Merge,
    Overdue,
    Present,
    Refused,
    Report,
    Tally,
    Trouble,
    Withdraw,
)
from store.model.errors import AccessError, Conflict, Forbidden
from store.model.lifecycle import World, transition
from store.model.lifecycle.world import spoken
from store.model.policy import HOUR, MINUTE
from store.model.request import TERMINAL, Request, State
from store.model.slots import Slots
from tests.builders import (
    ANA,
    BEN,
    BOB,
    CAT,
    NOW,
    REQ,
    approve,
    deny,
    edit,
    extension,
    head,
    moved,
    people,
    policies,
    request,
    smash,
    soft,
    touch,
    world,
)

RULES: Final = policies(soft(merge="by-hand", actions=frozenset({"open", "access", "change", "deploy", "policy"})))

# Each row a state, each column a command; a dot is a refusal that changes nothing.
TABLE: Final = """
             Approve   Deny    Tally    Break     Withdraw   Activate  Merge   End       Due       Present  Absent  Refused   Trouble   Edit     Deploy   Cancel     Report
pending      approved  denied  pending  approved  withdrawn  .         .       .         expired   .        .       .         .         pending  .        .          .
approved     .         .       .        .         withdrawn  active    .       .         expired   .        .       .         .         .        .        .          .
approved*    .         .       .        .         withdrawn  granting  .       .         expired   .        .       .         .         .        .        .          .
approved#    .         .       .        .         withdrawn  .         merged  .         expired   .        .       .         .         .        .        .          .
stale#       .         .       .        .         withdrawn  .         .       .         expired   .        .       .         .         pending  .        .          .
granting*    .         .       .        .         .          .         .       revoking  revoking  active   .       failed    granting  .        .        .          .
active       .         .       .        .         .          .         .       ended     ended     .        .       active    active    .        .        .          .
active*      .         .       .        .         .          .         .       revoking  revoking  .        .       active    active    .        .        .          .
revoking*    .         .       .        .         .          .         .       .         .         .        ended   revoking  revoking  .        .        .          .
denied       .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
withdrawn    .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
expired      .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
merged#      .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
pending+     extended  denied  pending  .         withdrawn  .         .       .         expired   .        .       .         .         pending  .        .          .
extended+    .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
ended        .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
failed*      .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
pending@     approved  denied  pending  approved  withdrawn  .         .       .         expired   .        .       .         .         pending  .        .          .
approved@    .         .       .        .         withdrawn  .         .       .         expired   .        .       .         .         .        running  cancelled  .
running@     .         .       .        .         .          .         .       .         failed    .        .       .         .         .        .        cancelled  succeeded
succeeded@   .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
failed@      .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
cancelled@   .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
superseded@  .         .       .        .         .          .         .       .         .         .        .       .         .         .        .        .          .
"""
HEADER, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS: Final = [(row[0], name, cell) for row in ROWS for name, cell in zip(HEADER, row[1:], strict=True)]
OF_A_DEBT: Final = {"Countersign", "Dispute", "Overdue"}  # these move a debt, and are in a table of their own
KINDS: Final = {"*": "access", "#": "change", "@": "deploy"}


def do(at: World, *commands: Command, now_ms: int | None = None) -> World:
    """What is true after these commands, one after the other."""
    for command in commands:
        at = moved(at, transition(at, command, people(at.now_ms)))
    return at if now_ms is None else replace(at, now_ms=now_ms)


def in_state(row: str) -> World:
    """A request that came to this state by a history of commands. A pending one lacks one approval."""
    state, kind = row.rstrip("*#+@"), KINDS.get(row[-1], "open")
    start = world(request(kind, rules=RULES), rules=RULES)
    asked = start.request
    approved = [approve(asked, ANA), approve(asked, BOB)]
    if row.endswith("+"):
        more = extension(do(start, *approved, Activate(id="a", actor=REQ)), duration_ms=30 * MINUTE)
        votes = [approve(more.request, ANA), approve(more.request, BOB)]
        return do(more, *(votes if state == "extended" else votes[:1]))
    activate, end = Activate(id="a", actor=REQ), End(id="e", actor=REQ)
    match state:
        case "pending":
            return do(start, approved[0])
        case "approved":
            return do(start, *approved)
        case "stale":
            return do(replace(start, head=head(A=2, number=2)), *approved, Merge(id="m", actor=REQ))
        case "granting":
            return do(start, *approved, activate)
        case "active":
            seen = [Present(id="p", actor="relay")] if kind == "access" else []
            return do(start, *approved, activate, *seen)
        case "revoking":
            return do(start, *approved, activate, end)
        case "denied":
            return do(start, deny(asked, ANA))
        case "withdrawn":
            return do(start, Withdraw(id="w", actor=REQ))
        case "expired":
            late = replace(start, now_ms=asked.timers["deadline"])
            return do(late, Due(id="d", actor="clock", timer="deadline", at_ms=late.now_ms))
        case "merged":
            return do(start, *approved, Merge(id="m", actor=REQ))
        case "ended":
            return do(start, *approved, activate, end)
        case "running":
            return do(start, *approved, Deploy(id="y", actor=ANA))
        case "succeeded" | "failed" if kind == "deploy":
            return do(start, *approved, Deploy(id="y", actor=ANA), Report(id="z", actor="relay", outcome=state))
        case "cancelled":
            return do(start, *approved, Cancel(id="c", actor=REQ, reason="not today"))
        case "superseded":
            newer = Slots(newest={"payments/prod": NOW + 1})
            return do(replace(start, slots=newer), *approved, Deploy(id="y", actor=ANA))
        case "failed":
            return do(start, *approved, activate, Refused(id="r", actor="relay", sentence="No.", absent=True))
        case _:
            raise AssertionError(state)


def command(name: str, asked: Request) -> Command:
    match name:
        case "Approve":
            return approve(asked, BOB)
        case "Deny":
            return deny(asked, BOB)
        case "Break":
            return smash(asked)
        case "Tally":
            return Tally(id="t", actor="relay")
        case "Edit":
            return edit(asked, reason="another")
        case "Withdraw":
            return Withdraw(id="w2", actor=REQ)
        case "Activate":
            return Activate(id="a2", actor=REQ)
        case "Merge":
            return Merge(id="m2", actor=REQ)
        case "Deploy":
            return Deploy(id="y2", actor=ANA)
        case "Cancel":
            return Cancel(id="n2", actor=REQ, reason="not now")
        case "Report":
            return Report(id="z2", actor="relay", outcome="succeeded")
        case "End":
            return End(id="e2", actor=REQ)
        case "Due":
            return Due(id="d2", actor="clock", timer="deadline", at_ms=asked.timers.get("deadline", NOW))
        case "Present":
            return Present(id="p2", actor="relay")
        case "Absent":
            return Absent(id="b2", actor="relay")
        case "Refused":
            return Refused(id="r2", actor="relay", sentence="It will not.", absent=True)
        case "Trouble":
            return Trouble(id="x2", actor="relay", sentence="Not yet.")
        case "Countersign":
            return Countersign(id="c2", actor=BOB)
        case "Dispute":
            return Dispute(id="s2", actor=BOB, reason="Why?")
        case "Overdue":
            return Overdue(id="o2", actor="clock", at_ms=NOW)
        case _:
            raise AssertionError(name)


def test_the_table_has_every_state_and_every_command():
    assert {row[0].rstrip("*#+@") for row in ROWS} == set(get_args(State))
    assert set(HEADER) | OF_A_DEBT | {"Leave"} == {each.__name__ for each in get_args(Command)}


@pytest.mark.parametrize(("row", "name", "expected"), CELLS)
def test_each_state_answers_each_command(row, name, expected):
    at = in_state(row)
    assert at.request.state == row.rstrip("*#+@")
    told = command(name, at.request)
    if isinstance(told, Due):
        at = replace(at, now_ms=told.at_ms)
    if expected == ".":
        with pytest.raises(Conflict) as refusal:
            transition(at, told, people(at.now_ms))
        assert refusal.value.sentence.endswith(".")
        return
    result = transition(at, told, people(at.now_ms))
    assert result.request.state == expected
    moved = result.request.state != at.request.state
    assert not moved or (result.audit and result.effects and result.request.since_ms == at.now_ms)


@pytest.mark.parametrize("row", [row[0] for row in ROWS])
@pytest.mark.parametrize("name", sorted(OF_A_DEBT))
def test_without_a_broken_glass_there_is_nothing_to_look_at(row, name):
    at = in_state(row)
    with pytest.raises(Conflict, match="Nobody broke a glass here"):
        transition(at, command(name, at.request), people())


@pytest.mark.parametrize("row", [row[0] for row in ROWS])
def test_a_state_has_its_timers_and_no_others(row):
    asked = in_state(row).request
    expected = {"deadline"} if asked.state not in TERMINAL | {"revoking"} else set()
    if asked.state == "active":
        expected |= {"warning"}
    assert asked.timers.keys() == expected


@pytest.mark.parametrize("row", ["pending", "approved", "approved*", "approved#", "stale#"])
@pytest.mark.parametrize("name", ["Approve", "Deny", "Tally", "Break", "Withdraw", "Activate", "Merge"])
@pytest.mark.parametrize("past_ms", [0, 1, HOUR])
def test_at_its_deadline_a_request_is_over_before_the_clock_says_so(row, name, past_ms):
    at = in_state(row)
    at = replace(at, now_ms=at.request.timers["deadline"] + past_ms)
    with pytest.raises(Conflict) as refusal:
        transition(at, command(name, at.request), people(at.now_ms))
    assert refusal.value.detail == "out_of_time"


@pytest.mark.parametrize(("row", "name"), [("pending", "Approve"), ("approved", "Activate"), ("approved#", "Merge")])
def test_one_millisecond_before_its_deadline_it_is_not(row, name):
    at = in_state(row)
    at = replace(at, now_ms=at.request.timers["deadline"] - 1)
    result = transition(at, command(name, at.request), people(at.now_ms))
    assert result.request.state != at.request.state
    assert result.good_until_ms == at.request.timers["deadline"]


def test_who_comes_late_is_told_what_is_true():
    at = in_state("active")
    at = replace(at, now_ms=at.request.timers["deadline"])
    with pytest.raises(Conflict, match="over already"):
        transition(at, Activate(id="z", actor=REQ), people(at.now_ms))


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
@pytest.mark.parametrize("row", ["pending", "approved", "granting*", "active", "active*"])
def test_the_clock_is_believed_no_earlier_than_the_deadline(row, by_ms):
    at = in_state(row)
    deadline = at.request.timers["deadline"]
    at = replace(at, now_ms=deadline + by_ms)
    due = Due(id="d", actor="clock", timer="deadline", at_ms=deadline)
    if by_ms < 0:
        with pytest.raises(Conflict, match="moved"):
            transition(at, due, people(at.now_ms))
    else:
        assert transition(at, due, people(at.now_ms)).request.state in ("expired", "ended", "revoking")


def test_an_earlier_timer_of_the_same_name_is_not_taken_for_this_one():
    at = in_state("approved")
    at = replace(at, now_ms=NOW + 100 * HOUR)
    with pytest.raises(Conflict, match="moved"):
        transition(at, Due(id="d", actor="clock", timer="deadline", at_ms=NOW + 8 * HOUR - 1), people(at.now_ms))


def test_a_warning_comes_once_and_changes_nothing_but_itself():
    at = in_state("active")
    at = replace(at, now_ms=at.request.timers["warning"])
    due = Due(id="d", actor="clock", timer="warning", at_ms=at.now_ms)
    result = transition(at, due, people(at.now_ms))
    assert result.request.state == "active"
    assert result.request.timers.keys() == {"deadline"}
    assert [effect.key.split(":")[2] for effect in result.effects] == ["warning"]
    with pytest.raises(Conflict):
        transition(replace(at, request=result.request), due, people(at.now_ms))


# -- who may withdraw, activate, end ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "may"), [(REQ, True), (BEN, True), (ANA, False), ("UOWNER", False), ("USTRANGER", False)]
)
def test_who_asked_or_for_whom_may_withdraw(user, may):
    at = world(request(beneficiary=BEN))
    told = Withdraw(id="w", actor=user)
    if may:
        assert transition(at, told, people()).request.state == "withdrawn"
    else:
        with pytest.raises(Forbidden):
            transition(at, told, people())


@pytest.mark.parametrize("user", [REQ, ANA, "UOWNER", "USTRANGER", "clock"])
def test_only_for_whom_it_was_approved_can_activate(user):
    at = world(request(beneficiary=BEN))
    at = do(at, approve(at.request, ANA), approve(at.request, BOB))
    with pytest.raises(Forbidden):
        transition(at, Activate(id="a", actor=user), people())
    assert transition(at, Activate(id="a", actor=BEN), people()).request.state == "active"


@pytest.mark.parametrize(
    ("user", "ends"),
    [(REQ, True), (BEN, True), (CAT, True), ("UOWNER", True), ("USTRANGER", False), ("UONCALL", False)],
)
@pytest.mark.parametrize("kind", ["open", "access"])
def test_who_may_end_access(user, ends, kind):
    at = world(request(kind, beneficiary=BEN))
    at = do(at, approve(at.request, ANA), approve(at.request, BOB), Activate(id="a", actor=BEN))
    told = End(id="e", actor=user, reason="x" * 5_000)
    if not ends:
        with pytest.raises(Forbidden):
            transition(at, told, people())
        return
    ended = transition(at, told, people()).request
    assert ended.state == ("ended" if kind == "open" else "revoking")
    assert ended.ending is not None
    assert len(ended.ending.reason or "") == 2_000


@pytest.mark.parametrize("facts", [{"active": False}, {"home": False}, {"human": False}, {"guest": True}])
def test_who_may_do_nothing_here_ends_nobody_elses_access(facts):
    for user in (CAT, "UOWNER"):
        with pytest.raises(Forbidden):
            transition(in_state("active"), End(id="e", actor=user), people(**{user: facts}))
        with pytest.raises(Forbidden):
            transition(in_state("active"), End(id="e", actor=user), people(without=[user]))


def test_to_give_back_needs_no_rule_and_no_facts():
    at = in_state("active")
    at = replace(at, policy_now=policies(soft(targets=("other/*",)), number=2))
    assert at.rules is None
    assert transition(at, End(id="e", actor=REQ), replace(people(), persons={})).request.state == "ended"
    assert transition(at, End(id="e", actor="UOWNER"), people()).request.state == "ended"
    with pytest.raises(Forbidden):
        transition(at, End(id="e", actor=CAT), people())


@pytest.mark.parametrize("state", ["approved", "approved#"])
def test_without_a_rule_nothing_that_was_approved_is_used(state):
    at = replace(in_state(state), policy_now=policies(soft(targets=("other/*",)), number=2))
    told: Command = Activate(id="a", actor=REQ) if state == "approved" else Merge(id="m", actor=REQ)
    with pytest.raises(Conflict, match="No rule"):
        transition(at, told, people())


@pytest.mark.parametrize("fact", ["active", "home", "human"])
def test_who_left_cannot_activate(fact):
    with pytest.raises(Forbidden):
        transition(in_state("approved"), Activate(id="a", actor=REQ), people(UREQ={fact: False}))
    with pytest.raises(Forbidden):
        transition(in_state("approved"), Activate(id="a", actor=REQ), people(without=[REQ]))


# -- leases and what the outside says ---------------------------------------------------------------------------------


def test_a_lease_is_half_open_and_whole():
    lease = in_state("active").request.lease
    assert lease is not None
    assert (lease.starts_ms, lease.until_ms) == (NOW, NOW + HOUR)
    assert [lease.covers(lease.starts_ms + by) for by in (-1, 0, 1)] == [False, True, True]
    assert [lease.covers(lease.until_ms + by) for by in (-1, 0, 1)] == [True, False, False]


@pytest.mark.parametrize(("minutes", "before"), [(60, 10), (50, 10), (49, 9.8), (10, 2), (1, 0.2)])
def test_the_warning_is_ten_minutes_before_or_a_fifth(minutes, before):
    at = world(request(duration_ms=minutes * MINUTE))
    at = do(at, approve(at.request, ANA), approve(at.request, BOB), Activate(id="a", actor=REQ))
    assert at.request.timers["deadline"] - at.request.timers["warning"] == before * MINUTE


def test_a_slow_outside_costs_the_user_time_never_the_company():
    at = in_state("granting*")
    until = at.request.timers["deadline"]
    late = replace(at, now_ms=until - 1)
    active = transition(late, Present(id="p", actor="relay"), people()).request
    assert (active.state, active.timers) == ("active", {"deadline": until})  # too late for a warning
    with pytest.raises(Conflict):
        transition(replace(at, now_ms=until), Present(id="p", actor="relay"), people())


@pytest.mark.parametrize(("by_ms", "warns"), [(-1, True), (0, False), (1, False)])
def test_who_is_let_in_when_the_warning_would_come_gets_none(by_ms, warns):
    at = in_state("granting*")
    assert at.request.lease is not None
    late = replace(at, now_ms=at.request.lease.warning_ms + by_ms)
    assert ("warning" in transition(late, Present(id="p", actor="relay"), people()).request.timers) is warns


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (0, "0 s"),
        (999, "0 s"),
        (1_000, "1 s"),
        (59_000, "59 s"),
        (MINUTE, "1 min"),
        (59 * MINUTE + 59_000, "59 min 59 s"),
        (HOUR, "1 h"),
        (90 * MINUTE, "1 h 30 min"),
        (26 * HOUR + 61 * MINUTE + 1_500, "27 h 1 min 1 s"),
    ],
)
def test_a_duration_is_said_in_its_units(duration_ms, words):
    assert spoken(duration_ms) == words


def test_a_refusal_that_may_have_left_something_is_taken_back():
    at = in_state("granting*")
    told = Refused(id="r", actor="relay", sentence="Perhaps.", absent=False)
    result = transition(at, told, people())
    assert (result.request.state, result.request.note) == ("revoking", "Perhaps.")
    assert any(effect.key.startswith("member:") for effect in result.effects)


def test_revoking_ends_by_nothing_but_absence():
    at = in_state("revoking*")
    for told in (Present(id="p", actor="relay"), End(id="e3", actor=REQ), Activate(id="a3", actor=REQ)):
        with pytest.raises(AccessError):
            transition(at, told, people())
    for year in range(3):
        refused = Refused(id=f"r{year}", actor="relay", sentence=f"No {year}.", absent=False)
        at = do(replace(at, now_ms=NOW + year * 10**10), refused)
        assert at.request.state == "revoking"
    result = transition(at, Absent(id="b", actor="relay", kept_by="REQVEST009"), people())
    assert result.request.state == "ended"
    assert "REQVEST009" in (result.request.note or "")


def test_trouble_is_told_once():
    at = in_state("revoking*")
    told = Trouble(id="t", actor="relay", sentence="Still there.")
    at = do(at, told)
    assert at.request.note == "Still there."
    with pytest.raises(Conflict, match="Known already"):
        transition(at, told, people())


def test_an_effect_to_the_outside_goes_with_granting_and_with_revoking():
    asked = in_state("approved*")
    started = transition(asked, Activate(id="a", actor=REQ), people())
    ended = transition(in_state("active*"), End(id="e", actor=REQ), people())
    for result in (started, ended):
        assert [effect.key for effect in result.effects if effect.lane == "connector"] == [f"member:okta/admins/{REQ}"]


def test_what_may_start_by_itself_starts_with_the_approval():
    access = soft().access.model_copy(update={"activate": "on-approval"})
    both = policies(soft(access=access))
    for kind, state in (("open", "active"), ("access", "granting")):
        at = world(request(kind, rules=both), rules=both)
        assert do(at, approve(at.request, ANA), approve(at.request, BOB)).request.state == state
        by_hand = replace(at, policy_now=policies(soft(), number=2))
        assert do(by_hand, approve(at.request, ANA), approve(at.request, BOB)).request.state == "approved"


def test_a_change_of_two_names_says_which_moved():
    at = world(request("change", touches=(touch("A", base=1, to=2), touch("B", base=1, to=2))), head=head(A=1, B=7))
    result = transition(do(at, approve(at.request, ANA)), approve(at.request, BOB), people())
    assert result.request.state == "stale"
    assert "B changed meanwhile" in result.answer
    assert "A" not in (result.request.note or "").partition(":")[2]
