"""Contest: store and reference are told the same, and must say the same; after each word all that lies in Redis is looked at."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from hypothesis import event
from redis.asyncio import Redis

from store.model.command import Command, Due, Overdue, Tally, Unlock
from store.model.errors import AccessError
from store.model.identity import Target
from store.model.lifecycle import Draft
from store.model.policy import Circle, Hook, Policy, TargetConfig
from store.model.request import CLOCK, RELAY, Change, Deployment, Extending, Opening, Payload
from store.model.sealed import SealedEntry
from store.model.secret import Secret
from store.redis.environments import Value
from store.redis.locks import Locks
from store.redis.outbox import Claimed
from tests import builders
from tests.builders import OWNER
from tests.store.redis.corridor import Corridor, Gate
from tests.store.redis.evidence import Evidence, check, digest, look
from tests.store.redis.reference import FRESH_MS, NEW_DIGEST, Asked, Facts, No, Reference, Result

REPLICAS: Final = 3
APPLICATION: Final = Target.parse("payments/prod#api")
API: Final = Hook(name="api", url="https://deploy.example.com/api", on=frozenset({"change", "deploy"}))
TARGETS: Final = {**builders.TARGETS, "payments/prod": TargetConfig(hooks=(API,))}


@dataclass(frozen=True)
class Wish:
    """What somebody asks, as it is sent and as the reference sees it."""

    draft: Draft
    entries: tuple[SealedEntry, ...]
    asked: Asked
    values: dict[str, str]  # entry id -> value


class Contest:
    """`steps` counts the looks over all histories of a run."""

    steps = 0

    def __init__(self, redis: Redis, reading: Redis, hashes: dict[str, str]) -> None:
        """`reading` decodes its answers. `hashes` of the scripts: the server knows them for as long as it runs."""
        self.redis = redis
        self.reading = reading
        self.hashes = hashes

    async def begin(self, first: Policy) -> None:
        await self.redis.flushall()
        self.corridor = Corridor(self.redis)
        self.corridor.scripts._hashes = self.hashes
        self.replicas = [self.corridor.requests, *(self.corridor.replica() for _ in range(REPLICAS - 1))]
        self.locks = Locks(
            self.redis,
            self.corridor.keys,
            self.corridor.scripts,
            self.corridor.policies,
            self.corridor.crowd,
            self.corridor.skew,
            lambda: self.corridor.now_ms,
        )
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

    def id(self) -> str:
        self.ids += 1
        return f"c{self.ids}"

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
            if -10_000 < start_ms + drift_ms - end_ms <= 1_000:  # of what is remembered, by the clock of the process
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

    async def unlock(self, command: Unlock) -> None:
        """By an owner, or who would like to be one."""
        causes = self.causes(command.user)
        owed = {one.id: one.owed for one in self.reference.requests.values() if one.owed is not None}
        wrong = {
            name for name, each in owed.items() if each.by == command.user and each.state in ("disputed", "overdue")
        }
        assert causes.keys() == wrong - self.reference.forgiven
        facts = self.facts(self.corridor.now_ms)
        may = self.reference.unlock(command, causes, facts) and facts.as_of_ms + FRESH_MS > self.corridor.now_ms
        refusal = None
        try:
            await self.locks.unlock(command)
        except AccessError as error:
            refusal = error
        assert (refusal is None) is may
        if may:
            self.reference.forgiven |= causes.keys()
            event("unlocked")
            await self.look()
            assert [entry["event"] for entry in self.evidence.new] == ["glass.unlocked"]
        else:
            await self.nothing_moved(command.id, command.actor, "unlock", refusal)

    def causes(self, user: str) -> dict[str, float]:
        """Of a lock that holds: request -> when it came."""
        written = json.loads(self.evidence.of.get(f"lock:{user}", {}).get("body", '{"causes": []}'))["causes"]
        return {
            cause["request"]: cause["at_ms"] for cause in written if cause["request"] not in self.reference.forgiven
        }

    async def ask(self, wish: Wish, replica: int, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
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
        for each in allowed:
            result = each
            if each.asked.digest == NEW_DIGEST:  # the stored one was worked out anew by who looked
                result = replace(each, asked=replace(each.asked, digest=found[name].digest))
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
        newest = self.evidence.of[
            f"manifest:{self.environment.id}:{self.evidence.of[f'head:{self.environment.id}']['version']}"
        ]
        return {name: held["entry_id"] for name, held in json.loads(newest)["entries"].items()}

    async def look(self) -> None:
        Contest.steps += 1
        before = self.evidence
        self.evidence = await look(self.reading, self.corridor.keys, before)
        check(before, self.evidence, self.environment.id, self.reference.policies, self.reference.forgiven)
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
        await self.corridor.enact(now or builders.policy(targets=("other/*",)), targets=TARGETS)
        self.reference.policies[len(self.reference.policies) + 1] = now
        await self.look()

    async def wish(
        self, kind: Any, requester: str, beneficiary: str, duration_ms: int, names: list[str], pick: int
    ) -> Wish:
        identity = self.corridor.id()
        entries: tuple[SealedEntry, ...] = ()
        values: dict[str, str] = {}
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
        if kind == "deploy":
            payload = Deployment(version=f"v{pick}", ref="9f2c41d")
            draft = replace(draft, payload=payload, target=builders.PROD if "B" in names else APPLICATION)
        touches = payload.touches if isinstance(payload, Change) else ()
        asked = Asked(
            id=identity,
            kind=kind,
            requester=requester,
            beneficiary=beneficiary,
            policy=0,
            digest=_digest(draft),
            reason=draft.reason,
            created_ms=0,
            since_ms=0,
            wants_ms=None if kind in ("change", "deploy") else duration_ms,
            target=draft.target.id,
            touches={touch.name: (touch.base, touch.entry.entry_id if touch.entry else None) for touch in touches},
            deadline=None,
        )
        return Wish(draft, entries, asked, values)

    def more(self, held: Asked, requester: str, duration_ms: int, off_ms: int) -> Wish:
        """More time for what is active; `off_ms`: how wrong its end is."""
        assert held.lease is not None
        payload = Extending(parent=held.id, until_ms=held.lease[1] + off_ms, duration_ms=duration_ms)
        fields: dict[str, Any] = {"identity": self.corridor.id(), "requester": requester, "payload": payload}
        draft = builders.draft(held.kind, beneficiary=held.beneficiary, **fields)
        asked = Asked(
            id=draft.id,
            kind=held.kind,
            requester=requester,
            beneficiary=held.beneficiary,
            policy=0,
            digest=_digest(draft),
            reason=draft.reason,
            created_ms=0,
            since_ms=0,
            wants_ms=duration_ms,
            touches={},
            deadline=None,
            target=held.target,
            parent=held.id,
            from_ms=payload.until_ms,
        )
        return Wish(draft, (), asked, {})

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
                assert self.evidence.of.get("due", {}).get(timer.member) != timer.at_ms

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
    fields = {name: getattr(draft, name) for name in ("id", "kind", "requester", "beneficiary")}
    return digest(
        {**fields, "revision": 1, "target": draft.target.id, "payload": draft.payload.model_dump(mode="json")}
    )
