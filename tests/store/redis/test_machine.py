"""The store against the reference: whatever arrives, in any order and over any replica, both say the same, and every invariant holds.

`make test` runs the same short histories each time; `make soak` runs long ones from random seeds for `SOAK_S` seconds.
"""

import asyncio
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis.asyncio import Redis

from store.model import command as commands
from store.model.command import (
    Absent,
    Activate,
    Approve,
    Break,
    Command,
    Countersign,
    Deny,
    Dispute,
    Due,
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
from store.model.lifecycle import Draft
from store.model.policy import HOUR, MINUTE, Access, BreakGlass, Circle, Policy, Threshold
from store.model.request import CLOCK, RELAY, Change, Opening, Payload
from store.model.sealed import SealedEntry
from store.model.secret import Secret
from store.redis.environments import Value
from store.redis.outbox import Claimed
from tests import builders, servers
from tests.builders import ANA, BEN, BOB, CAT, DEVS, EVERYBODY, INSTALLATION, LEADS, ONCALL, OWNER, PAGER, REQ, STRANGER
from tests.store.redis.corridor import Corridor, Gate
from tests.store.redis.evidence import Evidence, check, look
from tests.store.redis.reference import Asked, Facts, No, Reference, Result

SHORT: Final = settings(max_examples=60, stateful_step_count=50, derandomize=True, database=None)
LONG: Final = settings(max_examples=50, stateful_step_count=200, database=None, print_blob=True)
QUIET: Final = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SOAK_S: Final = float(os.environ.get("SOAK_S", "300"))
REPLICAS: Final = 3

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
        max_ms=st.sampled_from([30 * MINUTE, 4 * HOUR]),
        grant_expiration_ms=st.sampled_from([10 * MINUTE, 8 * HOUR]),
        activate=st.sampled_from(["by-hand", "by-hand", "on-approval"]),
    ),
    request_ttl_ms=st.sampled_from([20 * MINUTE, 8 * HOUR]),
    merge=st.sampled_from(["by-hand", "on-approval"]),
    merge_within_ms=st.sampled_from([15 * MINUTE, 24 * HOUR]),
)
picks = st.integers(0, 1 << 16)
replicas = st.integers(0, REPLICAS - 1)
meanwhiles = st.sampled_from([None, None, None, None, None, None, "time", "somebody", "somebody", "policy"])
Act: TypeAlias = tuple[int, int, int, str | None]  # which request, what, over which replica, what happens meanwhile
acts = st.lists(st.tuples(picks, picks, replicas, meanwhiles), min_size=1, max_size=8)
WEIGHTS: Final[dict[type, float]] = {
    Approve: 8, Activate: 6, Merge: 6, Present: 6, Absent: 4, Break: 3, Countersign: 2, Dispute: 2, Deny: 1,
    Withdraw: 0.3, End: 0.4, Due: 3, Overdue: 3, Refused: 1, Trouble: 0.4, Tally: 1,
}  # fmt: skip
assert set(WEIGHTS) == set(commands.Command.__args__)


@dataclass(frozen=True)
class Wish:
    """What somebody asks, as it is sent and as the reference sees it."""

    draft: Draft
    entries: tuple[SealedEntry, ...]
    asked: Asked
    values: dict[str, str]  # entry id -> value


class Histories(RuleBasedStateMachine):
    """`steps` counts over all histories of a run."""

    steps = 0

    def __init__(self, runner: asyncio.Runner, redis: Redis, reading: Redis, hashes: dict[str, str]) -> None:
        super().__init__()
        self.hashes = hashes  # of the scripts, which the server knows for as long as it runs
        self.run = runner.run
        self.redis = redis
        self.reading = reading

    @initialize(first=rules, kinds=st.lists(st.sampled_from(["open", "access", "change"]), min_size=1, max_size=3), pick=picks)
    def begins(self, first: Policy, kinds: list[str], pick: int) -> None:
        self.run(self.begin(first))
        for kind in kinds:
            self.run(self.ask(self.run(self.wish(kind, REQ, REQ, 20 * MINUTE, ["A"], pick)), 0))

    async def begin(self, first: Policy) -> None:
        await self.redis.flushall()
        self.corridor = Corridor(self.redis)
        self.corridor.scripts._hashes = self.hashes
        self.replicas = [self.corridor.requests, *(self.corridor.replica() for _ in range(REPLICAS - 1))]
        self.environment = await self.corridor.environments.ensure("payments/prod")
        self.reference = Reference(Circle(users=frozenset({OWNER})))
        self.crowd = self.corridor.crowd
        self.all_is_well()
        self.evidence = Evidence()
        self.drafts: list[Wish] = []
        self.written_down: list[tuple[str, Command]] = []
        self.sent: list[tuple[str, Command]] = []
        self.answers: dict[str, tuple[Any, str]] = {}
        self.noted: set[str] = set()
        self.values: dict[str, str] = {}
        self.claims: list[Claimed] = []
        self.in_hand: dict[tuple[str, str], int] = {}
        self.ids = 0
        await self.enact(first)

    def all_is_well(self) -> None:
        self.crowd.members = {group: set(members) for group, members in builders.MEMBERS.items()}
        self.crowd.changed, self.crowd.without, self.crowd.age_ms = {}, set(), 0
        self.corridor.drift_ms = 0

    # -- the world moves ----------------------------------------------------------------------------------------------

    @rule(by=st.sampled_from([1, 999, 20_000, MINUTE, 9 * MINUTE, HOUR, None, None, None]), near=st.sampled_from([-500, -1, 0, 1]), pick=picks)
    def time_passes(self, by: int | None, near: int, pick: int) -> None:
        """So much, or until a timer is near."""
        if by is None and (timers := sorted(self.evidence.of.get("due", {}).values())):
            by = max(0, int(timers[pick % min(3, len(timers))]) + near - self.corridor.now_ms)
        self.corridor.skew_ms += by or 0

    @rule(
        what=st.sampled_from(["person", "person", "group", "group", "missing", "age", "drift", "well", "well", "well"]),
        user=st.sampled_from([ANA, BOB, CAT, REQ, BEN, ONCALL, OWNER]),
        group=st.sampled_from([LEADS, LEADS, PAGER, DEVS]),
        pick=picks,
    )
    def people_change(self, what: str, user: str, group: str, pick: int) -> None:
        """And what is known of them, and of the time."""
        match what:
            case "person":
                self.crowd.changed[user] = [{"active": False}, {"home": False}, {"human": False}, {"guest": True}][pick % 4]
            case "group":
                self.crowd.members[group] ^= {user}
            case "missing":
                self.crowd.without = {(user, group)[pick % 2]}
            case "age":
                self.crowd.age_ms = (29_999, 30_000)[pick % 2]
            case "drift":
                self.corridor.drift_ms = (900, -3_000, 1_500, 30_000)[pick % 4]
            case _:
                self.all_is_well()

    @rule(now=rules | rules | rules | st.none())
    def the_policy_changes(self, now: Policy | None) -> None:
        self.run(self.enact(now))

    # -- people, the clock and the outside act ------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(["open", "access", "change", "change"]),
        requester=st.sampled_from([REQ, REQ, REQ, ANA, STRANGER]),
        beneficiary=st.sampled_from([None, None, None, BEN, BOB]),
        duration_ms=st.sampled_from([20 * MINUTE, 20 * MINUTE, 20 * MINUTE, 3 * HOUR, 5 * HOUR]),
        names=st.frozensets(st.sampled_from("ABC"), min_size=1, max_size=2),
        pick=picks,
        later=st.sampled_from([False, False, False, True]),
        meanwhile=meanwhiles,
    )
    def somebody_asks(self, kind, requester, beneficiary, duration_ms, names, pick, later, meanwhile):  # noqa: PLR0917
        wish = self.run(self.wish(kind, requester, beneficiary or requester, duration_ms, sorted(names), pick))
        self.drafts.append(wish)
        if not later:
            self.run(self.ask(wish, 0, self.meanwhile(meanwhile, pick)))

    @rule(acts=acts)
    def people_may(self, acts: list[Act]) -> None:
        for which, pick, replica, meanwhile in acts:
            self.act(which, pick, replica, meanwhile, useful=True)

    @rule(acts=acts)
    def it_goes_on_with_the_newest(self, acts: list[Act]) -> None:
        for _, pick, replica, meanwhile in acts:
            self.act(0, pick, replica, meanwhile, useful=True)

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
        holds = [one for one in self.reference.requests.values() if one.lease is not None] or [self.some_request(which)]
        if (one := holds[which % len(holds)]) is not None:
            self.run(self.read(one, STRANGER if other else one.beneficiary))

    # -- what there is to do ------------------------------------------------------------------------------------------

    def id(self) -> str:
        self.ids += 1
        return f"c{self.ids}"

    def some_request(self, which: int) -> Asked | None:
        """One that is still open if there is one, mostly."""
        every = list(self.reference.requests.values())
        still = [one for one in every if one.deadline is not None or one.state == "revoking"]
        found = every if which % 8 == 7 or not still else still
        return found[-1 - which % len(found)] if found else None

    def act(self, which: int, pick: int, replica: int, meanwhile: str | None, *, useful: bool) -> None:
        """Where nothing can be done any more, something new is asked."""
        if found := self.some_command(which, pick, useful=useful):
            self.run(self.send(*found, replica, self.meanwhile(meanwhile, pick)))
        else:
            kind = ("open", "access", "change")[pick % 3]
            wishes = [self.run(self.wish(kind, REQ, REQ, 20 * MINUTE, ["AB"[which % 2]], pick + n)) for n in range(2)]
            for wish in wishes[: 1 + (kind == "change")]:
                self.run(self.ask(wish, replica))

    def some_command(self, which: int, pick: int, *, useful: bool) -> tuple[str, Command] | None:
        """One that the reference takes, or one that it refuses."""
        one = self.some_request(which)
        if one is None:
            return None
        chance = random.Random(pick)  # noqa: S311  # to be the same in each run
        kinds = sorted(WEIGHTS, key=lambda of: (-chance.random() ** (1 / WEIGHTS[of]), of.__name__))
        for kind in kinds:
            made = list(self.possible(one, kind))
            chance.shuffle(made)
            made.sort(key=lambda each: useful and each.actor in {verdict.by for verdict in one.verdicts})
            for each in made:
                if (self.judged(one.id, each) is not None) is useful:
                    return one.id, replace(each, id=self.id())
        return None

    def possible(self, one: Asked, kind: type) -> Iterator[Command]:
        """All that anybody could send, also what nobody should."""
        seen: dict[str, Any] = {"revision": 1, "digest": one.digest}
        wrong: list[dict[str, Any]] = [{"revision": 2, "digest": one.digest}, {"revision": 1, "digest": "0" * 64}]
        timers = [("deadline", one.deadline or 0), ("warning", one.warning or 0), ("deadline", one.warning or 1)]
        timers += [("warning", one.deadline or 1), ("deadline", (one.deadline or 0) - 1)]
        due_ms = one.owed.due_ms if one.owed else 0
        fields: dict[type, list[dict[str, Any]]] = {
            Approve: [seen, seen, seen, seen | {"cap_ms": MINUTE}, seen | {"cap_ms": 7 * MINUTE}, seen | {"cap_ms": 0}, *wrong],
            Deny: [{**each, "reason": "no"} for each in (seen, *wrong)],
            Break: [seen | {"reason": "fire"}, seen | {"reason": " "}, *({**each, "reason": "fire"} for each in wrong)],
            Dispute: [{"reason": "?"}],
            Due: [{"timer": timer, "at_ms": at_ms} for timer, at_ms in timers],
            Overdue: [{"at_ms": due_ms}, {"at_ms": due_ms - 1}],
            Absent: [{}, {"kept_by": "REQVEST999"}],
            Refused: [{"sentence": said, "absent": absent} for said in ("No.", "Never.") for absent in (True, False)],
            Trouble: [{"sentence": "No."}, {"sentence": "Hm."}],
        }
        actors = {Due: [CLOCK], Overdue: [CLOCK]} | dict.fromkeys((Present, Absent, Refused, Trouble, Tally), [RELAY])
        for actor in actors.get(kind, EVERYBODY):
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
            await self.enact([None, builders.policy(approvals=(stricter,)), builders.soft()][pick % 3])

        return {None: None, "time": time_moves, "somebody": somebody_acts, "policy": policies_change}[what]

    # -- both are asked -----------------------------------------------------------------------------------------------

    def facts(self, at_ms: int) -> Facts:
        """Whoever differs in anything here may do nothing."""
        members = {group: frozenset(members) for group, members in self.crowd.members.items()}
        return Facts(members, frozenset(self.crowd.changed), frozenset(self.crowd.without), at_ms - self.crowd.age_ms)

    def judged(
        self, name: str, command: Command, at_ms: int | None = None, *, drift_ms: int = 0, then_ms: int | None = None
    ) -> Result | None:
        """What the reference says to it at that time, committed now or `then_ms`; None: it refuses."""
        at_ms = self.corridor.now_ms if at_ms is None else at_ms
        try:
            result = self.reference.judge(self.reference.requests[name], command, self.facts(at_ms), at_ms + drift_ms)
        except No:
            return None
        then_ms = at_ms if then_ms is None else then_ms
        return None if result.good_until_ms is not None and then_ms >= result.good_until_ms else result

    async def send(
        self, name: str, command: Command, replica: int, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        start_ms, number, before = self.corridor.now_ms, self.reference.number, self.judged(name, command)
        answered = self.answers.get(command.id)
        self.sent.append((name, command))
        refusal = outcome = None
        self.gate(meanwhile)
        try:
            outcome = await self.replicas[replica].apply(name, command)
        except AccessError as error:
            refusal = error
        self.corridor.scripts.gate = None
        end_ms, drift_ms = self.corridor.now_ms, self.corridor.drift_ms
        after = self.judged(name, command)
        doubtful = isinstance(command, Tally) and bool(self.crowd.without)  # also what is long known needs its facts
        if outcome is not None and outcome.news:
            assert answered is None
            event(f"{type(command).__name__} done")
            self.answers[command.id] = (name, command), outcome.answer
            allowed = [after, self.judged(name, command, start_ms, then_ms=end_ms)]
            if drift_ms <= 1_000:
                allowed.append(self.judged(name, command, start_ms, drift_ms=drift_ms, then_ms=end_ms))
            if number != self.reference.number and before is not None and before.good_until_ms is None:
                allowed.append(before)  # what decides nothing needs no policy of now
            await self.compare(name, [result for result in allowed if result is not None])
            return
        if outcome is not None:
            assert answered == ((name, command), outcome.answer)
        elif answered is not None:
            assert refusal is not None
            assert (answered[0] != (name, command) and refusal.detail == "other_command") or doubtful
        else:
            assert before is None or after is None or doubtful, f"refused: {refusal}"
        await self.nothing_moved(command.id, command.actor, type(command).__name__.lower(), refusal)

    async def ask(
        self, wish: Wish, replica: int, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        command_id, name = f"ask:{wish.draft.id}", wish.draft.id
        before, answered, start_ms = self.judged_wish(wish), self.answers.get(command_id), self.corridor.now_ms
        refusal = outcome = None
        self.gate(meanwhile)
        try:
            outcome = await self.replicas[replica].submit(wish.draft, command_id, wish.entries)
        except AccessError as error:
            refusal = error
        self.corridor.scripts.gate = None
        after = self.judged_wish(wish)
        if outcome is not None and outcome.news:
            assert answered is None
            event(f"{wish.draft.kind} asked")
            self.answers[command_id] = wish, outcome.answer
            self.values |= wish.values
            earlier = self.judged_wish(wish, start_ms, then_ms=self.corridor.now_ms)
            await self.compare(name, [result for result in (after, earlier) if result is not None])
            return
        if outcome is not None:
            assert answered == (wish, outcome.answer)
        else:
            assert answered is None
            assert before is None or after is None, f"refused: {refusal}"
        await self.nothing_moved(command_id, wish.draft.requester, "submit", refusal)

    def judged_wish(self, wish: Wish, at_ms: int | None = None, *, then_ms: int | None = None) -> Result | None:
        at_ms = self.corridor.now_ms if at_ms is None else at_ms
        try:
            result = self.reference.submit(wish.asked, self.facts(at_ms), at_ms)
        except No:
            return None
        then_ms = at_ms if then_ms is None else then_ms
        return None if then_ms >= (result.good_until_ms or 0) else result

    def gate(self, meanwhile: Callable[[], Awaitable[None]] | None) -> None:
        async def once() -> None:
            self.corridor.scripts.gate = None
            assert meanwhile is not None
            await meanwhile()

        self.corridor.scripts.gate = Gate(1, once) if meanwhile else None

    async def compare(self, name: str, allowed: list[Result]) -> None:
        """What lies in Redis is one of what the reference allows, and from now on the reference's own."""
        await self.look()
        found = self.evidence.asked
        entries = self.head_entries()
        for result in allowed:
            expected = {**self.reference.requests, **{one.id: one for one in (result.asked, *result.others)}}
            if expected == found and entries == dict(self.reference.head if result.head is None else result.head):
                self.reference.take(result)
                return
        raise AssertionError(f"{name} is {found[name]}, and may be {[result.asked for result in allowed]}")

    async def nothing_moved(self, command_id: str, actor: str, name: str, refusal: AccessError | None) -> None:
        """But for the trace of who tried in vain."""
        await self.look()
        assert self.evidence.asked == self.reference.requests
        assert self.head_entries() == self.reference.head
        traced = refusal is not None and refusal.detail not in ("contended", "other_command")
        if traced and actor not in (CLOCK, RELAY) and command_id not in self.noted:
            self.noted.add(command_id)
            (trace,) = self.evidence.new
            assert (trace["event"], trace["actor"], trace["details"]["command"]) == ("attempt.refused", actor, name)
        else:
            assert not self.evidence.new

    def head_entries(self) -> dict[str, str]:
        newest = self.evidence.of[f"manifest:{self.environment.id}:{self.evidence.of[f'head:{self.environment.id}']['version']}"]
        return {name: held["entry_id"] for name, held in json.loads(newest)["entries"].items()}

    async def look(self) -> None:
        Histories.steps += 1
        before = self.evidence
        self.evidence = await look(self.reading, self.corridor.keys, before)
        check(before, self.evidence, self.environment.id, self.reference.policies)
        now_ms = self.corridor.now_ms
        for key, effect in self.evidence.named("effect").items():
            lane, _, member = key.partition(":")
            score = self.evidence.of[f"lane:{lane}"][member]
            former = before.of.get(f"effect:{key}", {}).get("generation")
            if self.in_hand.get((lane, member), 0) > now_ms:
                assert score == self.in_hand[lane, member]
            elif former != effect["generation"]:
                assert score <= now_ms

    # -- how it is done -----------------------------------------------------------------------------------------------

    async def enact(self, now: Policy | None) -> None:
        await self.corridor.enact(now or builders.policy(targets=("other/*",)))
        self.reference.policies[len(self.reference.policies) + 1] = now
        await self.look()

    async def wish(
        self, kind: Any, requester: str, beneficiary: str, duration_ms: int, names: list[str], pick: int
    ) -> Wish:
        identity, entries, values = self.corridor.id(), (), {}
        payload: Payload = Opening(environment_id=self.environment.id, duration_ms=duration_ms)
        if kind == "access":
            payload = builders.payload(kind, duration_ms=duration_ms, beneficiary=beneficiary)
        if kind == "change":
            gone = {name for name in names if name in self.reference.head and pick % 3 == 0}
            wanted = {name: Value(None if name in gone else Secret(f"{name}{pick}".encode())) for name in names}
            sealing = await self.corridor.environments.seal(self.environment, wanted)
            payload, entries = Change(environment_id=self.environment.id, touches=sealing.touches), sealing.entries
            values = {touch.entry.entry_id: f"{touch.name}{pick}" for touch in sealing.touches if touch.entry}
        draft = builders.draft(kind, identity=identity, requester=requester, beneficiary=beneficiary, payload=payload)
        touches = payload.touches if isinstance(payload, Change) else ()
        asked = Asked(
            id=identity,
            kind=kind,
            requester=requester,
            beneficiary=beneficiary,
            policy=0,
            digest="",
            created_ms=0,
            since_ms=0,
            wants_ms=None if kind == "change" else duration_ms,
            touches={touch.name: (touch.base, touch.entry.entry_id if touch.entry else None) for touch in touches},
            deadline=None,
        )
        return Wish(draft, entries, replace(asked, digest=_digest(draft)), values)

    async def sweep(self, replica: int, most: int) -> None:
        """As the scheduler does it."""
        due = await self.corridor.timers.due(most=most)
        passed = {member: at for member, at in self.evidence.of.get("due", {}).items() if at <= self.corridor.now_ms}
        assert {timer.member for timer in due} <= passed.keys()
        assert len(due) == min(most, len(passed))
        for timer in due:
            fields: dict[str, Any] = {"id": f"due:{timer.member}:{timer.at_ms}", "actor": CLOCK, "at_ms": timer.at_ms}
            command = Overdue(**fields) if timer.name == "debt" else Due(**fields, timer=timer.name)  # type: ignore[arg-type]  # of the timers there are
            await self.send(timer.request, command, replica)
            if timer.name == "debt" or most > 1:
                assert timer.member not in self.evidence.of.get("due", {})

    async def claim(self, lane: Any, most: int, lease_ms: int) -> None:
        now_ms = self.corridor.now_ms
        there: dict[str, float] = self.evidence.of.get(f"lane:{lane}", {})
        ready = sorted((at, member) for member, at in there.items() if at <= now_ms)
        found = await self.corridor.outbox.claim(lane, most=most, lease_ms=lease_ms)
        assert [claimed.member for claimed in found] == [member for _, member in ready[:most]]
        for claimed in found:
            assert self.in_hand.get((lane, claimed.member), 0) <= now_ms
            self.in_hand[lane, claimed.member] = now_ms + lease_ms
        self.claims += found
        await self.look()
        assert not self.evidence.new

    async def settle(self, claimed: Claimed, again_in_ms: int | None) -> None:
        key = f"effect:{claimed.lane}:{claimed.member}"
        effect = self.evidence.of.get(key, {})
        answer = await self.corridor.outbox.settle(claimed, again_in_ms=again_in_ms)
        if effect.get("fence") != str(claimed.fence):
            expected = "lost"
        else:
            self.in_hand.pop((claimed.lane, claimed.member), None)
            renewed = effect["generation"] != str(claimed.generation)
            expected = "again" if renewed else "done" if again_in_ms is None else "later"
        event(f"settled: {answer}")
        assert answer == expected
        await self.look()
        there = self.evidence.of.get(f"lane:{claimed.lane}", {}).get(claimed.member)
        if expected == "lost":
            assert self.evidence.of.get(key, {}) == effect
        else:
            wait_ms = again_in_ms or 0 if expected == "later" else 0
            assert there == (None if expected == "done" else self.corridor.now_ms + wait_ms)

    async def read(self, one: Asked, reader: str) -> None:
        held = one.kind == "open" and one.state == "active" and one.lease is not None and reader == one.beneficiary
        may = held and one.lease is not None and self.corridor.now_ms < one.lease[1]
        try:
            opened = await self.corridor.environments.read(one.id, reader)
        except AccessError:
            opened = None
        assert (opened is not None) is may
        await self.look()
        assert [entry["event"] for entry in self.evidence.new] == (["secrets.read"] if may else [])
        if opened is not None:
            event("values read")
            values = {name: value.secret.reveal().decode() for name, value in opened.values.items() if value.secret}
            assert values == {name: self.values[entry] for name, entry in self.reference.head.items()}


def _digest(draft: Draft) -> str:
    """Over what is asked, each field behind its length: a second time, as reviews are bound to it."""
    payload = draft.payload.model_dump(mode="json")
    fields = ["countersign request 1", INSTALLATION, draft.id, "1", draft.kind, draft.target.id]
    fields += [draft.requester, draft.beneficiary]
    if membership := payload.get("membership"):
        fields += [membership[name] for name in ("connector", "group", "user", "account")]
    else:
        fields.append(payload["environment_id"])
    if "duration_ms" in payload:
        fields.append(str(payload["duration_ms"]))
    for touch in payload.get("touches", ()):
        held = touch["entry"] or {"entry_id": "", "ciphertext_hash": ""}
        fields += [touch["name"], touch["base"] or "", held["entry_id"], held["ciphertext_hash"], ""]
    return hashlib.sha256(b"".join(len(field).to_bytes(4, "big") + field.encode() for field in fields)).hexdigest()


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


@pytest.mark.timeout(900)  # to find the shortest history that fails
def test_the_store_does_what_the_reference_says(server: servers.Server, capsys: pytest.CaptureFixture[str]):
    if os.environ.get("HYPOTHESIS_PROFILE") != "soak":
        run(server, SHORT)
        return
    until = time.monotonic() + SOAK_S
    while time.monotonic() < until:
        number = random.SystemRandom().getrandbits(32)
        try:
            run(server, LONG, number)
        finally:
            with capsys.disabled():
                sys.stderr.write(f"state machine: seed {number}, {Histories.steps:,} steps so far\n")
