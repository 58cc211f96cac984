"""The store against the reference: whatever arrives, in any order and over any replica, both say the same, and every invariant holds.

`make test` runs the same short histories each time; `make soak` runs long ones from random seeds for `SOAK_S` seconds.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from redis.asyncio import Redis

from store.model.command import (
    Absent,
    Activate,
    Approve,
    Break,
    Cancel,
    Command,
    Countersign,
    Deny,
    Deploy,
    Dispute,
    Due,
    Edit,
    End,
    Merge,
    Overdue,
    Present,
    Refused,
    Report,
    Tally,
    Trouble,
    Unlock,
    Withdraw,
)
from store.model.policy import HOUR, MINUTE, Access, BreakGlass, Circle, Escalation, Policy, Threshold
from store.model.request import CLOCK, RELAY
from tests import builders, servers
from tests.builders import ANA, BEN, BOB, CAT, DEVS, EVERYBODY, LEADS, ONCALL, OWNER, PAGER, REQ, STRANGER
from tests.lengths import PROFILE, length
from tests.store.redis.contest import REPLICAS, Contest
from tests.store.redis.reference import Asked

SHORT: Final = settings(max_examples=length(15, 65, 65), stateful_step_count=40, derandomize=True, database=None)
LONG: Final = settings(max_examples=15, stateful_step_count=150, database=None, print_blob=True)
QUIET: Final = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SOAK_S: Final = float(os.environ.get("SOAK_S", "300"))


circles = st.builds(
    Circle,
    users=st.frozensets(st.sampled_from([ANA, BOB, CAT, REQ]), max_size=2),
    groups=st.frozensets(st.sampled_from([LEADS, PAGER]), max_size=2),
)
leads = st.just(Circle(groups=frozenset({LEADS})))
on_call = st.just(Circle(groups=frozenset({PAGER})))
rules = st.builds(
    builders.policy,
    approvals=st.lists(
        st.builds(Threshold, count=st.sampled_from([1, 1, 2]), circle=leads | leads | circles), min_size=1, max_size=2
    ).map(tuple),
    denials=st.sampled_from([1, 2, 2]),
    self_approval=st.sampled_from([False, False, True]),
    enforcement=st.sampled_from(["soft", "soft", "hard"]),
    bypassers=on_call | on_call | circles,
    break_glass=st.builds(
        BreakGlass,
        max_duration_ms=st.sampled_from([5 * MINUTE, HOUR]),
        review_within_ms=st.sampled_from([MINUTE, 24 * HOUR]),
    ),
    access=st.builds(
        Access,
        max_ms=st.sampled_from([30 * MINUTE, 4 * HOUR, 4 * HOUR]),
        grant_expiration_ms=st.sampled_from([10 * MINUTE, 8 * HOUR]),
        activate=st.sampled_from(["by-hand", "by-hand", "on-approval"]),
    ),
    request_ttl_ms=st.sampled_from([20 * MINUTE, 8 * HOUR]),
    remind=st.sampled_from([(), (5 * MINUTE,), (5 * MINUTE, 15 * MINUTE)]),
    escalate=st.sampled_from([(), (Escalation(after_ms=10 * MINUTE, to=Circle(users=frozenset({OWNER}))),)]),
    merge=st.sampled_from(["by-hand", "on-approval"]),
    merge_within_ms=st.sampled_from([15 * MINUTE, 24 * HOUR]),
    actions=st.just(frozenset({"open", "access", "change", "deploy", "policy"})),
    deployers=st.none() | st.none() | circles,
    deploy_within_ms=st.sampled_from([15 * MINUTE, 24 * HOUR]),
    report_within_ms=st.sampled_from([15 * MINUTE, HOUR]),
    wait_ms=st.sampled_from([0, 0, MINUTE]),
)
picks = st.integers(0, 1 << 16)
replicas = st.integers(0, REPLICAS - 1)
meanwhiles = st.sampled_from([None, None, None, None, None, None, "time", "somebody", "somebody", "policy"])
Act: TypeAlias = tuple[int, int, int, str | None]  # which request, what, over which replica, what happens meanwhile
acts = st.lists(st.tuples(picks, picks, replicas, meanwhiles), min_size=1, max_size=8)
WEIGHTS: Final[dict[type, float]] = {
    Approve: 8, Activate: 6, Merge: 6, Present: 6, Absent: 4, Break: 4, Countersign: 2, Dispute: 4, Deny: 1,
    Withdraw: 0.3, Edit: 1.5, End: 0.4, Due: 3, Overdue: 3, Refused: 1, Trouble: 0.4, Tally: 1,
    Deploy: 6, Cancel: 0.6, Report: 3,
}  # fmt: skip
FITTING: Final[dict[str, tuple[type, ...]]] = {
    "pending": (Approve, Deny, Break, Edit, Withdraw, Due, Tally),
    "approved": (Activate, Merge, Deploy, Withdraw, Cancel, Due, Countersign, Dispute),
    "running": (Report, Cancel, Due, Deploy),
    "stale": (Withdraw, Edit, Due, Countersign),
    "granting": (Present, Absent, Refused, End, Due, Dispute),
    "active": (End, Due, Countersign, Dispute, Overdue, Absent),
    "revoking": (Absent, Present, Overdue),
}
BY_THE_RELAY: Final = (Present, Absent, Refused, Trouble, Tally, Report)


def seldom(history: "Histories") -> bool:
    """So that what is set up on purpose does not crowd out what comes by chance."""
    return history.ids % 4 == 0


class Histories(RuleBasedStateMachine, Contest):
    """What may happen, in any order."""

    def __init__(self, runner: asyncio.Runner, redis: Redis, reading: Redis, hashes: dict[str, str]) -> None:
        RuleBasedStateMachine.__init__(self)
        Contest.__init__(self, redis, reading, hashes)
        self.run = (
            runner.get_loop().run_until_complete
        )  # `runner.run` minds Ctrl-C anew each time, which costs more than most steps

    @initialize(
        first=rules,
        kinds=st.lists(st.sampled_from(["open", "access", "change", "deploy"]), min_size=1, max_size=3),
        pick=picks,
    )
    def begins(self, first: Policy, kinds: list[str], pick: int) -> None:
        self.run(self.begin(first))
        for kind in kinds:
            self.run(self.ask(self.run(self.wish(kind, REQ, REQ, 3 * HOUR, ["A"], pick)), 0))

    # -- the world moves ----------------------------------------------------------------------------------------------

    @rule(
        by=st.sampled_from([1, 999, 20_000, MINUTE, 9 * MINUTE, HOUR, None, None, None]),
        near=st.sampled_from([-500, -1, 0, 0, 1]),
        swept=st.booleans(),
        pick=picks,
    )
    def time_passes(self, by: int | None, near: int, pick: int, *, swept: bool) -> None:
        """So much, or until a timer is near."""
        if by is None and (timers := sorted(self.evidence.of.get("due", {}).values())):
            by = max(0, int(timers[pick % min(3, len(timers))]) + near - self.corridor.now_ms)
        self.corridor.skew_ms += by or 0
        if swept:
            self.run(self.sweep(pick % REPLICAS, 200))

    @rule(
        what=st.sampled_from(["person", "person", "group", "group", "missing", "age", "age", "well", "well", "well"]),
        user=st.sampled_from([ANA, BOB, CAT, REQ, BEN, ONCALL, OWNER]),
        group=st.sampled_from([LEADS, LEADS, PAGER, DEVS]),
        pick=picks,
    )
    def people_change(self, what: str, user: str, group: str, pick: int) -> None:
        """And what is known of them."""
        match what:
            case "person":
                self.crowd.changed[user] = [{"active": False}, {"home": False}, {"human": False}, {"guest": True}][
                    pick % 4
                ]
            case "group":
                self.crowd.members[group] ^= {user}
            case "missing":
                self.crowd.without = {(user, group)[pick % 2]}
            case "age":
                self.crowd.age_ms = (29_999, 30_000)[pick % 2]
            case _:
                self.all_is_well()

    @rule(now=rules | rules | rules | st.none())
    def the_policy_changes(self, now: Policy | None) -> None:
        self.run(self.enact(now))

    @rule(
        what=st.sampled_from(
            [
                {"access": Access(max_ms=30 * MINUTE)},
                {"access": Access(max_ms=10 * MINUTE)},
                {"access": Access(max_ms=4 * HOUR)},
                {"self_approval": True},
                {"denials": 1},
                {"denials": 2},
                {"enforcement": "soft", "bypassers": Circle(groups=frozenset({PAGER}))},
                {"enforcement": "hard"},
                {"merge": "by-hand"},
            ]
        )
    )
    def one_thing_changes_in_the_policy(self, what: dict[str, Any]) -> None:
        before = self.reference.policies[self.reference.number] or builders.policy()
        self.run(self.enact(before.model_copy(update=what)))

    # -- people, the clock and the outside act ------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(["open", "access", "change", "change", "deploy"]),
        requester=st.sampled_from([REQ, REQ, REQ, ANA, STRANGER]),
        beneficiary=st.sampled_from([None, None, None, BEN, BOB]),
        duration_ms=st.sampled_from([20 * MINUTE, 20 * MINUTE, 3 * HOUR, 3 * HOUR, 5 * HOUR]),
        names=st.frozensets(st.sampled_from("ABC"), min_size=1, max_size=2),
        pick=picks,
        later=st.sampled_from([False, False, False, True]),
        meanwhile=meanwhiles,
    )
    def somebody_asks(self, kind, requester, beneficiary, duration_ms, names, pick, later, meanwhile):
        wish = self.run(self.wish(kind, requester, beneficiary or requester, duration_ms, sorted(names), pick))
        self.drafts.append(wish)
        if not later:
            self.run(self.ask(wish, 0, self.meanwhile(meanwhile, pick)))

    @rule(
        which=picks,
        requester=st.sampled_from([None, None, None, BEN, STRANGER]),
        duration_ms=st.sampled_from([10 * MINUTE, 10 * MINUTE, HOUR, 4 * HOUR]),
        off_ms=st.sampled_from([0, 0, 0, 0, 1, -1]),
        votes=st.sampled_from([(), (ANA,), (ANA, BOB), (ANA, BOB, CAT), (CAT, BOB, ANA)]),
        cap_ms=st.sampled_from([None, None, 7 * MINUTE]),
        replica=replicas,
        meanwhile=meanwhiles,
    )
    def somebody_wants_more_time(self, which, requester, duration_ms, off_ms, votes, cap_ms, replica, meanwhile):
        """And some agree; meanwhile it may end."""
        holds = self.holds()
        if not holds:
            self.is_given(("open", "access")[which % 2], replica)
            holds = self.holds()
        if not holds:
            return
        held = holds[which % len(holds)]
        wish = self.more(held, requester or held.beneficiary, duration_ms, off_ms)
        self.drafts.append(wish)
        self.run(self.ask(wish, replica, self.meanwhile(meanwhile, which)))
        content: dict[str, Any] = {"revision": 1, "digest": wish.asked.digest, "cap_ms": cap_ms}
        for user in votes:
            if wish.draft.id in self.reference.requests:
                command = Approve(id=self.id(), actor=user, **content)
                self.run(self.send(wish.draft.id, command, replica, self.meanwhile(meanwhile, which)))
        if wish.draft.id in self.reference.requests:
            event(f"more time: {self.reference.requests[wish.draft.id].state}")

    def holds(self) -> list[Asked]:
        now_ms = self.corridor.now_ms
        every = self.reference.requests.values()
        return [one for one in every if one.state == "active" and one.lease and now_ms < one.lease[1]]

    def is_given(self, kind: str, replica: int) -> None:
        """Or that is tried: the rules of now may be against it."""
        self.all_is_well()
        wish = self.run(self.wish(kind, REQ, REQ, 20 * MINUTE, [], self.ids))
        self.run(self.ask(wish, replica))
        content: dict[str, Any] = {"revision": 1, "digest": wish.asked.digest}
        steps: list[Command] = [Approve(id=self.id(), actor=user, **content) for user in (ANA, BOB, CAT)]
        steps += [Activate(id=self.id(), actor=REQ), Present(id=self.id(), actor=RELAY)]
        for command in steps:
            if wish.draft.id in self.reference.requests:
                self.run(self.send(wish.draft.id, command, replica))

    @rule(acts=acts)
    def people_may(self, acts: list[Act]) -> None:
        for which, pick, replica, meanwhile in acts:
            self.act(which, pick, replica, meanwhile, useful=True)

    @rule(acts=acts)
    def it_goes_on_with_the_newest(self, acts: list[Act]) -> None:
        for _, pick, replica, meanwhile in acts:
            self.act(0, pick, replica, meanwhile, useful=True)

    @rule(
        kind=st.sampled_from(["open", "access", "change"]),
        looked_at=st.sampled_from([Countersign, Dispute]),
        replica=replicas,
    )
    def a_glass_is_broken_and_looked_at(self, kind: str, looked_at: Any, replica: int) -> None:
        """And what came of it is used, or that is tried."""
        wish = self.run(self.wish(kind, REQ, REQ, 20 * MINUTE, ["C"], self.ids))
        self.run(self.ask(wish, replica))
        if wish.draft.id in self.reference.requests:
            content: dict[str, Any] = {"revision": 1, "digest": wish.asked.digest}
            said = {"reason": "?"} if looked_at is Dispute else {}
            use = Merge if kind == "change" else Activate
            for each in (
                Break(id=self.id(), actor=ONCALL, reason="fire", **content),
                looked_at(id=self.id(), actor=CAT, **said),
                use(id=self.id(), actor=REQ),
            ):
                self.run(self.send(wish.draft.id, each, replica))

    @precondition(seldom)
    @rule(
        names=st.sampled_from([["A"], ["A"], ["B"]]),
        goes=st.sampled_from([[], [], ["succeeded"], ["running", "failed"]]),
        replica=replicas,
        meanwhile=meanwhiles,
    )
    def a_deploy_is_started(self, names: list[str], goes: list[Any], replica: int, meanwhile: str | None) -> None:
        """Or that is tried: another may run, and the rules of now may be against it."""
        self.all_is_well()
        wish = self.run(self.wish("deploy", REQ, REQ, HOUR, names, self.ids))
        self.run(self.ask(wish, replica))
        content: dict[str, Any] = {"revision": 1, "digest": wish.asked.digest}
        steps: list[Command] = [Approve(id=self.id(), actor=user, **content) for user in (ANA, BOB, CAT)]
        steps += [Deploy(id=self.id(), actor=user) for user in (OWNER, ANA)]
        steps += [Report(id=self.id(), actor=RELAY, outcome=outcome, stage="1 of 2") for outcome in goes]
        for command in steps:
            if wish.draft.id in self.reference.requests:
                self.run(self.send(wish.draft.id, command, replica, self.meanwhile(meanwhile, self.ids)))
        if wish.draft.id in self.reference.requests:
            event(f"deploy: {self.reference.requests[wish.draft.id].state}")

    @rule(
        by=st.sampled_from([OWNER, OWNER, OWNER, ANA, ONCALL]),
        user=st.sampled_from([ONCALL, ONCALL, REQ, ANA, OWNER]),
        seen_ms=st.sampled_from([None, None, 1]),
        reason=st.sampled_from(["We talked.", "We talked.", " "]),
    )
    def an_owner_unlocks(self, by: str, user: str, seen_ms: int | None, reason: str) -> None:
        self.run(self.unlock(Unlock(id=self.id(), actor=by, user=user, reason=reason, seen_ms=seen_ms)))

    # -- what chance comes to too seldom ------------------------------------------------------------------------------

    @precondition(seldom)
    @rule(
        kind=st.sampled_from(["open", "open", "access", "change"]),
        denials=st.sampled_from([1, 1, 2]),
        since=st.sampled_from(
            [
                {"access": Access(max_ms=30 * MINUTE)},
                {"access": Access(max_ms=30 * MINUTE)},
                {"denials": 1},
                {"denials": 2},
            ]
        ),
        verdicts=st.sampled_from([(Approve, Approve), (Deny,), *[(Deny, Approve, Approve)] * 3]),
        unknown=st.sampled_from([None, ANA, ANA]),
        replica=replicas,
    )
    def it_is_decided_under_two_policies(
        self, kind: str, denials: int, since: dict[str, Any], verdicts: Any, unknown: str | None, replica: int
    ) -> None:
        """And perhaps without knowing who the first voter is."""
        one = self.asked_anew(kind, builders.policy(denials=denials), replica)
        self.run(self.enact(builders.policy(**{"denials": denials, **since})))
        self.crowd.without = {unknown} if unknown else set()
        for actor, verdict in zip((ANA, BOB, CAT), verdicts, strict=False):
            self.says(one, actor, verdict, replica)
        self.all_is_well()
        self.run(self.send(one.id, Tally(id=self.id(), actor=RELAY), replica))

    @precondition(seldom)
    @rule(by=st.sampled_from([-1, 0, 0, 1]), replica=replicas)
    def somebody_reads_at_the_last_moment(self, by: int, replica: int) -> None:
        """Before any clock has swept."""
        one = self.asked_anew("open", builders.policy(), replica)
        for actor in (ANA, BOB):
            self.says(one, actor, Approve, replica)
        self.run(self.send(one.id, Activate(id=self.id(), actor=one.beneficiary), replica))
        one = self.reference.requests[one.id]
        assert one.lease is not None
        self.corridor.skew_ms += one.lease[1] + by - self.corridor.now_ms
        self.run(self.read(one, one.beneficiary))

    @precondition(seldom)
    @rule(
        kind=st.sampled_from(["open", "access", "change"]),
        behind_ms=st.sampled_from([12_000, 40_000]),
        replica=replicas,
    )
    def a_process_that_lags_decides_what_it_remembers(self, kind: str, behind_ms: int, replica: int) -> None:
        """By a clock of long ago, when everything was still in time."""
        one = self.asked_anew(kind, builders.policy(), replica)
        self.says(one, ANA, Approve, replica)
        self.run(self.replicas[replica].get(one.id))
        self.corridor.drift_ms = -behind_ms
        self.says(one, BOB, Approve, replica)
        self.corridor.drift_ms = 0

    @precondition(seldom)
    @rule(
        wrong=st.sampled_from([Dispute, Dispute, Overdue]),
        seen=st.sampled_from([None, 0, 0, 1]),
        replica=replicas,
    )
    def a_glass_is_wrongly_broken_twice_and_an_owner_unlocks(self, wrong: Any, seen: int | None, replica: int) -> None:
        """In between nobody locked breaks another one."""
        rule = builders.soft(break_glass=BreakGlass(max_duration_ms=HOUR, review_within_ms=MINUTE))
        for _ in range(2):
            one = self.asked_anew("open", rule, replica)
            self.says(one, ONCALL, Break, replica)
            if (owed := self.reference.requests[one.id].owed) is None:
                continue  # who is locked
            if wrong is Overdue:
                self.corridor.skew_ms += owed.due_ms - self.corridor.now_ms
                self.run(self.send(one.id, Overdue(id=self.id(), actor=CLOCK, at_ms=owed.due_ms), replica))
            else:
                self.run(self.send(one.id, Dispute(id=self.id(), actor=CAT, reason="?"), replica))
        newest = int(max(self.causes(ONCALL).values(), default=0))
        seen_ms = None if seen is None else newest - seen
        told: dict[str, Any] = {"actor": OWNER, "user": ONCALL, "reason": "We talked.", "seen_ms": seen_ms}
        self.run(self.unlock(Unlock(id=self.id(), **told)))
        self.says(self.asked_anew("open", rule, replica), ONCALL, Break, replica)

    def asked_anew(self, kind: str, rule: Policy, replica: int) -> Asked:
        """Under this rule, and everybody is known."""
        self.all_is_well()
        self.run(self.enact(rule))
        wish = self.run(self.wish(kind, REQ, REQ, 3 * HOUR, ["C"], self.ids))
        self.run(self.ask(wish, replica))
        return self.reference.requests[wish.draft.id]

    def says(self, one: Asked, actor: str, verdict: Any, replica: int) -> None:
        said = {} if verdict is Approve else {"reason": "no"}
        seen = {"revision": one.revision, "digest": one.digest}
        self.run(self.send(one.id, verdict(id=self.id(), actor=actor, **seen, **said), replica))

    @rule(acts=acts)
    def people_may_not(self, acts: list[Act]) -> None:
        for which, pick, replica, meanwhile in acts:
            self.act(which, pick, replica, meanwhile, useful=False)

    @rule(what=st.sampled_from(["look", "write", "late", "late", "again", "again", "other", "wish"]), acts=acts)
    def things_arrive_late_and_again(self, what: str, acts: list[Act]) -> None:
        for which, pick, replica, _ in acts:
            match what:
                case "look" if one := self.some_request(which):  # and the replica remembers it
                    self.run(self.replicas[replica].get(one.id))
                case "write" if found := self.some_command(which, pick, useful=pick % 3 > 0):
                    self.written_down.append(found)
                case "late" if self.written_down:
                    self.run(self.send(*self.written_down.pop(pick % len(self.written_down)), replica))
                case "wish" if self.drafts:
                    self.run(self.ask(self.drafts[-1 - pick % len(self.drafts)], replica))
                case "again" | "other" if self.sent:
                    name, sent = self.sent[-1 - pick % min(6, len(self.sent))]
                    self.run(self.send(name, replace(sent, actor=CAT) if what == "other" else sent, replica))

    @rule(replica=replicas, most=st.sampled_from([1, 200, 200]))
    def the_clock_sweeps(self, replica: int, most: int) -> None:
        self.run(self.sweep(replica, most))

    @rule(
        lane=st.sampled_from(["slack", "connector"]),
        most=st.integers(0, 4),
        lease_ms=st.sampled_from([1_000, HOUR]),
        settled=st.lists(st.tuples(picks, st.sampled_from([None, None, 0, 5_000])), max_size=4),
    )
    def effects_are_taken_and_settled(self, lane: Any, most: int, lease_ms: int, settled: list[tuple[int, int | None]]):
        """In any order, late or never."""
        if most:
            self.run(self.claim(lane, most, lease_ms))
        for pick, again_in_ms in settled:
            if self.claims:
                self.run(self.settle(self.claims.pop(pick % len(self.claims)), again_in_ms))

    @rule(which=picks, other=st.sampled_from([False, False, True]))
    def somebody_reads(self, which: int, *, other: bool) -> None:
        holds = [one for one in self.reference.requests.values() if one.kind == "open" and one.state == "active"]
        one = holds[which % len(holds)] if holds else self.some_request(which)
        if one is not None:
            self.run(self.read(one, STRANGER if other else one.beneficiary))

    # -- what there is to do ------------------------------------------------------------------------------------------

    def some_request(self, which: int) -> Asked | None:
        """One that is still open if there is one, mostly."""
        every = list(self.reference.requests.values())
        still = [one for one in every if one.deadline is not None or one.state == "revoking"]
        found = every if which % 8 == 7 or not still else still
        return found[-1 - which % len(found)] if found else None

    def act(self, which: int, pick: int, replica: int, meanwhile: str | None, *, useful: bool) -> None:
        """Where nothing can be done any more, something new is asked."""
        if found := self.some_command(which, pick, useful=useful):
            if pick & 8:  # a replica that remembers it, and whose own clock may be wrong
                self.run(self.replicas[replica].get(found[0]))
                self.corridor.drift_ms = (0, 0, 0, 900, -3_000, 1_500, 30_000)[(pick >> 4) % 7]
            self.run(self.send(*found, replica, self.meanwhile(meanwhile, pick)))
            self.corridor.drift_ms = 0
        else:
            kind, duration_ms = (
                ("open", "access", "change", "deploy")[pick % 4],
                (20 * MINUTE, 3 * HOUR)[(pick >> 1) % 2],
            )
            wishes = [
                self.run(self.wish(kind, REQ, REQ, duration_ms, ["AB"[(pick >> 2) % 2]], pick + n)) for n in range(2)
            ]
            for wish in wishes[: 1 + (kind in ("change", "deploy"))]:
                self.run(self.ask(wish, replica))

    def some_command(self, which: int, pick: int, *, useful: bool) -> tuple[str, Command] | None:
        """One that the reference takes, or one that it refuses."""
        one = self.some_request(which)
        if one is None:
            return None
        chance = random.Random(pick)  # noqa: S311  # to be the same in each run
        kinds = sorted(WEIGHTS, key=lambda of: (-(chance.random() ** (1 / WEIGHTS[of])), of.__name__))
        if not useful and pick % 8:  # nearly right: at the right moment, and by the wrong person or in the wrong words
            kinds.sort(key=lambda of: of not in FITTING.get(one.state, ()))
        for kind in kinds:
            made = list(self.possible(one, kind))
            chance.shuffle(made)
            if useful:  # whoever has voted already changes little
                made.sort(key=lambda each: each.actor in {verdict.by for verdict in one.verdicts})
            elif pick % 4 == 1:  # whoever could, but for what is different about them now
                made.sort(key=lambda each: each.actor not in self.crowd.changed)
            elif pick % 4 > 1:  # whose it is, but it is not the moment
                made.sort(key=lambda each: each.actor != one.beneficiary)
            for each in made:
                if (self.judged(one.id, each) is not None) is useful:
                    return one.id, replace(each, id=self.id())
        return None

    def possible(self, one: Asked, kind: type) -> Iterator[Command]:
        """All that anybody could send, also what nobody should."""
        seen: dict[str, Any] = {"revision": one.revision, "digest": one.digest}
        wrong: list[dict[str, Any]] = [seen | {"revision": one.revision + 1}, seen | {"digest": "0" * 64}]
        timers = [("deadline", one.deadline or 0), ("warning", one.warning or 0), ("deadline", one.warning or 1)]
        timers += [("remind", one.remind or 1), ("escalate", one.escalate or 1), ("remind", one.deadline or 1)]
        timers += [("warning", one.deadline or 1), ("deadline", (one.deadline or 0) - 1)]
        due_ms = one.owed.due_ms if one.owed else 0
        fields: dict[type, list[dict[str, Any]]] = {
            Approve: [
                seen,
                seen,
                seen,
                seen | {"cap_ms": MINUTE},
                seen | {"cap_ms": 7 * MINUTE},
                seen | {"cap_ms": 0},
                *wrong,
            ],
            Deny: [{**each, "reason": "no"} for each in (seen, *wrong)],
            Break: [seen | {"reason": "fire"}, seen | {"reason": " "}, *({**each, "reason": "fire"} for each in wrong)],
            Dispute: [{"reason": "?"}],
            Edit: [
                seen | {"reason": f"because {one.revision}"},
                seen | {"reason": "because", "duration_ms": (20 * MINUTE, 2 * HOUR)[one.revision % 2]},
                seen | {"reason": "because"},
                seen | {"reason": " "},
                *({**each, "reason": "otherwise"} for each in wrong),
            ],
            Due: [{"timer": timer, "at_ms": at_ms} for timer, at_ms in timers],
            Overdue: [{"at_ms": due_ms}, {"at_ms": due_ms - 1}],
            Absent: [{}, {"kept_by": "REQVEST999"}],
            Refused: [{"sentence": said, "absent": absent} for said in ("No.", "Never.") for absent in (True, False)],
            Trouble: [{"sentence": "No."}, {"sentence": "Hm."}],
            Cancel: [{"reason": "red"}, {"reason": " "}],
            Report: [
                *({"outcome": "running", "stage": stage} for stage in ("1 of 2", "2 of 2", None)),
                {"outcome": "succeeded"},
                {"outcome": "failed"},
                {"outcome": "failed", "log": "http://ci"},
            ],
        }
        actors = (CLOCK,) if kind in (Due, Overdue) else (RELAY,) if kind in BY_THE_RELAY else EVERYBODY
        for actor in actors:
            for each in fields.get(kind, [{}]):
                yield kind(id="", actor=actor, **each)

    def meanwhile(self, what: str | None, pick: int) -> Callable[[], Awaitable[None]] | None:
        """What happens between the reading and the commit."""

        async def time_moves() -> None:
            self.corridor.skew_ms += [1, 8_000, 31_000, HOUR][pick % 4]

        async def somebody_acts() -> None:
            if found := self.some_command(pick >> 3, pick, useful=True):
                await self.send(*found, pick % REPLICAS)

        async def policies_change() -> None:
            stricter = Threshold(count=2, circle=Circle(users=frozenset({ANA, BOB}), groups=frozenset({LEADS})))
            now = self.reference.policies[self.reference.number] or builders.policy()
            shorter = now.model_copy(update={"access": Access(max_ms=30 * MINUTE)})
            await self.enact([None, builders.policy(approvals=(stricter,)), builders.soft(), shorter][pick % 4])

        return {None: None, "time": time_moves, "somebody": somebody_acts, "policy": policies_change}[what]


@pytest.fixture
def server() -> Iterator[servers.Server]:
    """Real, and without a disk: what is written here is looked at at once."""
    binary = servers.redis_binary()
    if binary is None:
        servers.missing("redis-server", "redis-server")
        return
    server = servers.Server(binary).start()
    yield server
    server.remove()


def run(server: servers.Server, how: settings, number: int | None = None) -> None:
    """All histories of one seed."""
    with asyncio.Runner() as runner:
        redis = Redis.from_url(server.url)
        reading = Redis.from_url(server.url, decode_responses=True)
        hashes: dict[str, str] = {}

        def histories() -> Histories:
            return Histories(runner, redis, reading, hashes)

        made: Any = histories if number is None else seed(number)(histories)
        try:
            run_state_machine_as_test(made, settings=settings(how, suppress_health_check=QUIET, deadline=None))
        finally:
            runner.run(redis.aclose())
            runner.run(reading.aclose())


@pytest.mark.search
@pytest.mark.timeout(900)  # to find the shortest history that fails
def test_the_store_does_what_the_reference_says(server: servers.Server, capsys: pytest.CaptureFixture[str]):
    if PROFILE != "soak":
        run(server, SHORT)
        return
    until = time.monotonic() + SOAK_S
    while time.monotonic() < until:
        number = random.SystemRandom().getrandbits(32)
        try:
            run(server, LONG, number)
        finally:
            with capsys.disabled():
                sys.stderr.write(f"state machine: seed {number}, {Contest.steps:,} steps so far\n")
