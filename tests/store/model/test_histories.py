"""Histories: whatever people, the clock and the outside do, in any order, the invariants hold.

The oracle beside the machine was written from the design and knows nothing of the code: a quorum is tried out by every way of
seating people, and what a review is worth is asked of the persons themselves.
"""

from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from store.model.command import (
    Absent,
    Activate,
    Command,
    Countersign,
    Dispute,
    Due,
    Edit,
    End,
    Merge,
    Overdue,
    Present,
    Refused,
    Tally,
    Trouble,
    Withdraw,
)
from store.model.errors import AccessError
from store.model.lifecycle import Transition, World, transition
from store.model.people import People
from store.model.policy import HOUR, MINUTE, Access, BreakGlass, Circle, Escalation, Policy, Threshold
from store.model.request import Request
from tests.builders import (
    ANA,
    BEN,
    BOB,
    CAT,
    EVERYBODY,
    LEADS,
    NOW,
    ONCALL,
    PAGER,
    REQ,
    approve,
    deny,
    edit,
    head,
    moved,
    people,
    policies,
    policy,
    request,
    smash,
    world,
)

MOVES: dict[str, set[str]] = {
    "pending": {"approved", "denied", "withdrawn", "expired", "merged", "stale", "active", "granting"},
    "approved": {"active", "granting", "merged", "stale", "withdrawn", "expired"},
    "stale": {"pending", "withdrawn", "expired"},
    "granting": {"active", "failed", "revoking"},
    "active": {"ended", "revoking"},
    "revoking": {"ended"},
}  # all others are the end
USERS = st.sampled_from(EVERYBODY)
FACTS = ("active", "home", "human", "guest")

circles = st.builds(
    Circle,
    users=st.frozensets(st.sampled_from([ANA, BOB, CAT, REQ]), max_size=2),
    groups=st.frozensets(st.sampled_from([LEADS, PAGER]), max_size=2),
)
all_leads = st.just(Circle(groups=frozenset({LEADS})))
rules = st.builds(
    policy,
    approvals=st.lists(
        st.builds(Threshold, count=st.sampled_from([1, 1, 2]), circle=all_leads | all_leads | circles),
        min_size=1,
        max_size=2,
    ).map(tuple),
    denials=st.integers(1, 2),
    self_approval=st.booleans(),
    enforcement=st.sampled_from(["hard", "soft"]),
    bypassers=circles | st.just(Circle(groups=frozenset({PAGER}))),
    break_glass=st.builds(BreakGlass, max_duration_ms=st.sampled_from([MINUTE, HOUR])),
    access=st.builds(
        Access, max_ms=st.sampled_from([30 * MINUTE, 4 * HOUR]), activate=st.sampled_from(["by-hand", "on-approval"])
    ),
    merge=st.sampled_from(["by-hand", "on-approval"]),
    remind=st.sampled_from([(), (20 * MINUTE, 2 * HOUR)]),
    escalate=st.sampled_from([(), (Escalation(after_ms=HOUR, to=Circle(users=frozenset({ONCALL}))),)]),
)


class Oracle:
    """What the design says of one policy and of what is known of people."""

    def __init__(self, rule: Policy, known: People) -> None:
        self.rule = rule
        self.known = known

    def sound(self, user: str) -> bool:
        person = self.known.persons.get(user)
        return person is not None and person.active and person.home and person.human and not person.guest

    def within(self, circle: Circle, user: str) -> bool:
        listed = any(user in self.known.groups[group].members for group in circle.groups if group in self.known.groups)
        return user in circle.users or listed

    def names(self, user: str) -> bool:
        return any(self.within(threshold.circle, user) for threshold in self.rule.approvals)

    def satisfied_by(self, voters: set[str]) -> bool:
        """Some way of seating different people fills every place."""
        places = [threshold.circle for threshold in self.rule.approvals for _ in range(threshold.count)]
        ways = permutations(sorted(voters), len(places))
        return any(all(self.within(circle, user) for circle, user in zip(places, way, strict=True)) for way in ways)


class Histories(RuleBasedStateMachine):
    at: World
    made: Request

    @initialize(kind=st.sampled_from(["open", "access", "change"]), then=rules, for_another=st.booleans())
    def ask(self, kind: str, then: Policy, *, for_another: bool) -> None:
        roomy = policies(policy())
        asked: dict[str, Any] = {} if kind == "change" else {"duration_ms": 20 * MINUTE}
        self.made = request(kind, rules=roomy, beneficiary=BEN if for_another else REQ, **asked)
        self.policy_number = 1
        rule_set = policies(then)
        self.at = world(self.made, rules=rule_set)
        self.changed: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {LEADS: {ANA, BOB, CAT, REQ}, PAGER: {ONCALL, ANA}}
        self.without: set[str] = set()
        self.ids = 0
        self.before: Request | None = None  # the last revision but one

    # -- the world moves ----------------------------------------------------------------------------------------------

    @rule(by=st.sampled_from([1, MINUTE, 9 * MINUTE]))
    def time_passes(self, by: int) -> None:
        self.at = replace(self.at, now_ms=self.at.now_ms + by)

    @rule(by=st.sampled_from([-1, -1, 0, 1]), name=st.sampled_from(["deadline", "warning"]))
    def a_timer_is_near(self, by: int, name: Any) -> None:
        at_ms = self.at.request.timers.get(name, 0) + by
        self.at = replace(self.at, now_ms=max(self.at.now_ms, at_ms))

    @rule(user=USERS, fact=st.sampled_from(FACTS), fine=st.sampled_from([True, True, False]))
    def a_person_changes(self, user: str, fact: str, *, fine: bool) -> None:
        self.changed.setdefault(user, {})[fact] = fine is not (fact == "guest")

    @rule(group=st.sampled_from([LEADS, PAGER]), user=USERS)
    def a_group_changes(self, group: str, user: str) -> None:
        self.members[group] = self.members[group] ^ {user}

    @rule(who=st.sampled_from([ANA, BOB, LEADS, PAGER]))
    def a_fact_is_missing_or_found(self, who: str) -> None:
        self.without ^= {who}

    @rule(now=st.one_of(rules, st.none()))
    def the_policy_changes(self, now: Policy | None) -> None:
        self.policy_number += 1
        rule_set = policies(now or policy(targets=("other/*",)), number=self.policy_number)
        self.at = replace(self.at, policy_now=rule_set)

    @rule()
    def somebody_else_merges(self) -> None:
        if self.at.head is not None:
            self.at = replace(self.at, head=head(A=7, number=5))

    # -- people act ---------------------------------------------------------------------------------------------------

    @rule(
        user=st.sampled_from([ANA, BOB, CAT, ANA, BOB, REQ, BEN, "USTRANGER"]),
        cap=st.sampled_from([None, None, MINUTE]),
    )
    def approves(self, user: str, cap: int | None) -> None:
        self.do(approve(self.at.request, user, id=self.id(), cap_ms=cap))

    @rule()
    def the_leads_approve(self) -> None:
        for user in (ANA, BOB, CAT):
            self.do(approve(self.at.request, user, id=self.id()))

    @rule(user=st.sampled_from([ANA, REQ, "USTRANGER"]))
    def denies(self, user: str) -> None:
        self.do(deny(self.at.request, user, id=self.id()))

    @rule(user=st.sampled_from([ANA, BOB]))
    def approves_another_content(self, user: str) -> None:
        self.do(approve(self.at.request, user, id=self.id(), digest="0" * 64), never=True)

    @rule(user=st.sampled_from([ONCALL, ANA, REQ, "USTRANGER"]))
    def breaks_the_glass(self, user: str) -> None:
        self.do(smash(self.at.request, user, id=self.id()))

    @rule(
        of=st.sampled_from([Withdraw, Activate, Activate, Activate, Merge, End, Countersign]),
        user=st.sampled_from([REQ, BEN, REQ, BEN, ANA, BOB, "UOWNER", "USTRANGER"]),
    )
    def acts(self, of: Any, user: str) -> None:
        self.do(of(id=self.id(), actor=user))

    @rule(
        user=st.sampled_from([REQ, REQ, REQ, BEN, ANA]),
        reason=st.sampled_from(["because", "why not"]),
        minutes=st.sampled_from([None, None, 10, 20]),
    )
    def edits(self, user: str, reason: str, minutes: int | None) -> None:
        length = minutes * MINUTE if minutes else None
        self.do(edit(self.at.request, user, id=self.id(), reason=reason, duration_ms=length))

    @rule(user=st.sampled_from([ANA, BOB]))
    def approves_the_revision_before(self, user: str) -> None:
        if self.before is not None:
            self.do(approve(self.before, user, id=self.id()), never=True)

    @rule(user=st.sampled_from([ANA, BOB, REQ, ONCALL]))
    def disputes(self, user: str) -> None:
        self.do(Dispute(id=self.id(), actor=user, reason="?"))

    @rule(of=st.sampled_from([Present, Present, Absent, Tally]))
    def the_outside_reports(self, of: Any) -> None:
        self.do(of(id=self.id(), actor="relay"))

    @rule(absent=st.booleans())
    def the_outside_refuses(self, *, absent: bool) -> None:
        self.do(Refused(id=self.id(), actor="relay", sentence="No.", absent=absent))

    @rule()
    def the_outside_is_in_trouble(self) -> None:
        self.do(Trouble(id=self.id(), actor="relay", sentence=f"Hm {self.ids}."))

    @rule(name=st.sampled_from(["deadline", "deadline", "warning", "remind", "escalate"]))
    def the_clock_ticks(self, name: Any) -> None:
        self.do(Due(id=self.id(), actor="clock", timer=name, at_ms=self.at.request.timers.get(name, 0)))

    @rule()
    def nobody_countersigned(self) -> None:
        due_ms = self.at.debt.due_ms if self.at.debt else NOW
        self.do(Overdue(id=self.id(), actor="clock", at_ms=due_ms))

    # -- what must hold -----------------------------------------------------------------------------------------------

    def id(self) -> str:
        self.ids += 1
        return f"c{self.ids}"

    def do(self, command: Command, *, never: bool = False) -> None:
        before = self.at
        known = people(before.now_ms, members=self.members, without=self.without, **self.changed)
        try:
            result = transition(before, command, known)
        except AccessError as refusal:
            assert refusal.sentence[-1] in ".?!"  # noqa: PT017  # a refusal is most of the answers here
            return
        assert not never
        self.check(before, command, known, result)
        self.at = moved(before, result)
        if isinstance(command, Edit):
            self.made, self.before = result.request, before.request
            self.at = replace(self.at, policy_then=before.policy_now)

    def check(self, before: World, command: Command, known: People, result: Transition) -> None:
        was, now = before.request, result.request
        if isinstance(command, Edit):
            self.check_edit(command, was, now)
        if was.state != now.state:
            event(f"{was.state} -> {now.state}")
            assert now.state in MOVES.get(was.state, set())
            assert result.audit
            assert any(effect.key == f"card:{now.id}" for effect in result.effects)
            assert now.since_ms == before.now_ms
            deadline = was.timers.get("deadline")
            if now.state in ("approved", "active", "granting", "merged") and was.state in ("pending", "approved"):
                assert deadline is not None
                assert before.now_ms < deadline
                assert result.good_until_ms is not None
                assert result.good_until_ms <= deadline
        if was.decision is None and now.decision is not None:
            self.check_decision(before, command, known, result)
        if was.lease is None and now.lease is not None:
            assert now.granted_ms is not None
            assert now.lease.until_ms - now.lease.starts_ms == now.granted_ms > 0
            assert now.lease.starts_ms == before.now_ms
            assert now.decision is not None
            if isinstance(command, Activate):
                assert command.actor == now.beneficiary
        if was.lease is not None:
            assert now.lease == was.lease
        if now.state == "active" and was.state == "granting":
            assert isinstance(command, Present)
        if now.state == "ended" and was.state == "revoking":
            assert isinstance(command, Absent)
        if result.debt is not None and before.debt is not None:
            assert before.debt.state == "open"
            assert result.debt.state != "open"
            if isinstance(command, Countersign):
                assert command.actor != before.debt.by

    def check_edit(self, command: Edit, was: Request, now: Request) -> None:
        """Asked anew: nobody has agreed to it yet, and nothing that was said of it before holds."""
        event(f"{was.state} edited, {len(was.reviews)} votes")
        assert was.state in ("pending", "stale")
        assert command.actor in (was.requester, was.beneficiary)
        assert (now.state, now.reviews, now.decision, now.granted_ms) == ("pending", (), None, None)
        assert (now.id, now.revision, now.policy) == (was.id, was.revision + 1, self.at.policy_now.number)
        assert now.digest != was.digest

    def check_decision(self, before: World, command: Command, known: People, result: Transition) -> None:
        """Decided: under both policies, by people who may now; or by somebody who broke the glass, and owes for it."""
        now = result.request
        assert now.decision is not None
        kept = [(before.policy_then.rule(now.kind, now.asked)), (before.policy_now.rule(now.kind, now.asked))]
        both = [Oracle(kept_rule, known) for kept_rule in kept if kept_rule is not None]
        assert len(both) == 2
        own = {now.requester, now.beneficiary}
        if all(oracle.rule.self_approval for oracle in both):
            own = set()

        def counts(user: str) -> bool:
            return user not in own and all(oracle.sound(user) and oracle.names(user) for oracle in both)

        verdicts = {review.by: review.verdict for review in now.reviews}
        yes = {user for user, verdict in verdicts.items() if verdict == "approve" and counts(user)}
        no = {user for user, verdict in verdicts.items() if verdict == "deny" and counts(user)}
        fewest = min(oracle.rule.denials for oracle in both)
        event(f"decided by {now.decision.basis}")
        match now.decision.basis:
            case "quorum":
                assert all(oracle.satisfied_by(yes) for oracle in both)
                assert len(no) < fewest
                assert set(now.decision.by) == yes
            case "denial":
                assert len(no) >= fewest
                assert now.state == "denied"
            case "break-glass":
                assert all(oracle.rule.enforcement == "soft" for oracle in both)
                assert all(oracle.within(oracle.rule.bypassers, command.actor) for oracle in both)
                assert both[0].sound(command.actor)
                assert result.debt is not None
                assert result.debt.by == command.actor
                assert any(effect.key.startswith("announce:") for effect in result.effects)
        if now.granted_ms is not None:
            caps = [review.cap_ms for review in now.reviews if review.by in yes and review.cap_ms is not None]
            longest = min(oracle.rule.access.max_ms for oracle in both)
            broken = [oracle.rule.break_glass.max_duration_ms for oracle in both]
            limits = broken if now.decision.basis == "break-glass" else caps
            assert now.granted_ms == min([self.made.duration_ms or 0, longest, *limits])

    @invariant()
    def one_person_one_review(self) -> None:
        reviewers = [review.by for review in self.at.request.reviews]
        assert len(reviewers) == len(set(reviewers))

    @invariant()
    def each_state_has_its_timers(self) -> None:
        asked = self.at.request
        expected = asked.state in ("pending", "approved", "stale", "granting", "active")
        assert ("deadline" in asked.timers) is expected
        assert ("warning" not in asked.timers) or asked.state == "active"
        assert not asked.timers.keys() & {"remind", "escalate"} or asked.state == "pending"

    @invariant()
    def what_is_held_was_decided(self) -> None:
        asked = self.at.request
        if asked.state in ("approved", "granting", "active", "revoking", "merged"):
            assert asked.decision is not None
            assert asked.decision.basis != "denial"
        if asked.state in ("granting", "active", "revoking", "ended", "failed"):
            assert asked.lease is not None
            assert asked.timers.get("deadline", asked.lease.until_ms) == asked.lease.until_ms

    @invariant()
    def the_content_never_changes(self) -> None:
        for field in ("id", "kind", "target", "requester", "beneficiary", "payload", "revision", "digest", "policy"):
            assert getattr(self.at.request, field) == getattr(self.made, field)

    @invariant()
    def a_debt_that_went_wrong_locks(self) -> None:
        wrong = self.at.debt is not None and self.at.debt.state in ("disputed", "overdue")
        assert (self.at.lock is not None) is wrong
        assert self.at.lock is None or (self.at.debt is not None and self.at.lock.user == self.at.debt.by)

    @invariant()
    def a_broken_glass_owes(self) -> None:
        decision = self.at.request.decision
        assert (self.at.debt is not None) is (decision is not None and decision.basis == "break-glass")

    @invariant()
    def it_is_read_back_as_it_was(self) -> None:
        assert Request.from_json(self.at.request.to_json()) == self.at.request
        assert self.at.now_ms >= NOW


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=40)
