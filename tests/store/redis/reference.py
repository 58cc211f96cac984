"""Reference: the rules of how a request goes on, a second time, small and slow. It knows nothing of the code that it is held against.

What comes in are commands and policies as records. A quorum is tried out by every way of seating people.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

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
    Leave,
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
from store.model.policy import MINUTE, Circle, Policy

FRESH_MS = 30_000
NO_TIME_NEEDED = (
    Due,
    End,
    Trouble,
    Refused,
    Countersign,
    Dispute,
    Overdue,
    Cancel,
)  # these may come after the deadline


class No(Exception):
    """It must be refused, and nothing may change."""


def demand(allowed: object) -> None:
    """Not knowing is not being allowed."""
    if allowed is not True:
        raise No


@dataclass(frozen=True)
class Facts:
    """What Slack would say now."""

    members: Mapping[str, frozenset[str]]
    barred: frozenset[str]
    missing: frozenset[str]  # persons and groups that it would say nothing of
    as_of_ms: int

    def sound(self, user: str) -> bool | None:
        return None if user in self.missing else user not in self.barred

    def within(self, circle: Circle, user: str) -> bool | None:
        if user in circle.users or any(user in self.members[of] for of in circle.groups - self.missing):
            return True
        return None if circle.groups & self.missing else False


@dataclass(frozen=True)
class Verdict:
    by: str
    word: str
    cap_ms: int | None
    at_ms: int


@dataclass(frozen=True)
class Owed:
    by: str
    due_ms: int
    state: str = "open"


@dataclass(frozen=True)
class Asked:
    """A request, as anybody would write it down. `touches`: name -> (entry it was made against, entry it brings).

    Of a deploy: by whom and when it was started, and what its receiver said of it. Of an extension: `parent`, and its end that it is about. Of what was extended: by which, by how much, when.
    """

    id: str
    kind: str
    requester: str
    beneficiary: str
    policy: int
    digest: str
    created_ms: int
    since_ms: int
    wants_ms: int | None
    touches: Mapping[str, tuple[str | None, str | None]]
    deadline: int | None
    state: str = "pending"
    reason: str = ""
    revision: int = 1
    warning: int | None = None
    remind: int | None = None
    escalate: int | None = None
    verdicts: tuple[Verdict, ...] = ()
    basis: str | None = None
    by: frozenset[str] = frozenset()
    granted_ms: int | None = None
    lease: tuple[int, int] | None = None
    note: str | None = None
    merged: int | None = None
    owed: Owed | None = None
    parent: str | None = None
    from_ms: int | None = None
    extension: str | None = None
    longer: tuple[tuple[str, int, int], ...] = ()
    target: str = ""
    started: tuple[str, int] | None = None  # of a deploy: by whom, and when
    stage: str | None = None


@dataclass(frozen=True)
class Result:
    """`good_until_ms`: it may not be committed then or later."""

    asked: Asked
    others: tuple[Asked, ...] = ()
    head: Mapping[str, str] | None = None
    good_until_ms: int | None = None


NEW_DIGEST = "that of the new revision"  # worked out from what was stored, by whoever compares


def locked(asked: Iterable[Asked], forgiven: Collection[str]) -> set[str]:
    """Whose break-glass is. `forgiven`: the requests of the causes that an owner has looked at."""
    owed = {one.id: one.owed for one in asked if one.owed is not None and one.owed.state in ("disputed", "overdue")}
    return {each.by for name, each in owed.items() if name not in forgiven}


def calls(rule: Policy, since_ms: int, now_ms: int) -> dict[str, Any]:
    """When it is reminded of and escalated next."""
    reminders = [since_ms + after_ms for after_ms in rule.remind]
    escalations = [since_ms + each.after_ms for each in rule.escalate]
    return {
        name: min((at_ms for at_ms in times if at_ms > now_ms), default=None)
        for name, times in (("remind", reminders), ("escalate", escalations))
    }


def all_of(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return False if False in found else None if None in found else True


def any_of(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False


def names(rule: Policy, user: str, facts: Facts) -> bool | None:
    return any_of(facts.within(threshold.circle, user) for threshold in rule.approvals)


def seated(rule: Policy, voters: Iterable[str], facts: Facts) -> bool:
    """Some way of seating different people fills every place."""
    places = [threshold.circle for threshold in rule.approvals for _ in range(threshold.count)]
    return any(
        all(facts.within(circle, user) is True for circle, user in zip(places, way, strict=True))
        for way in permutations(sorted(voters), len(places))
    )


def moved(one: Asked, state: str, now_ms: int, *, deadline: int | None = None, warning: int | None = None) -> Asked:
    return replace(one, state=state, since_ms=now_ms, deadline=deadline, warning=warning, remind=None, escalate=None)


def taken_back(one: Asked, now_ms: int) -> Asked:
    return moved(one, "revoking" if one.kind == "access" else "ended", now_ms)


def in_use(one: Asked, now_ms: int) -> Asked:
    assert one.lease is not None
    starts_ms, until_ms = one.lease
    warning = until_ms - min(10 * MINUTE, (until_ms - starts_ms) // 5)
    return moved(one, "active", now_ms, deadline=until_ms, warning=warning if now_ms < warning else None)


@dataclass
class Reference:
    """`policies`: by number; None where no rule covers anything."""

    owners: Circle
    policies: dict[int, Policy | None] = field(default_factory=dict)
    requests: dict[str, Asked] = field(default_factory=dict)
    head: dict[str, str] = field(default_factory=dict)  # name -> entry
    version: int = 1
    forgiven: set[str] = field(default_factory=set)

    @property
    def number(self) -> int:
        return max(self.policies)

    def rule(self, number: int, kind: str) -> Policy | None:
        found = self.policies[number]
        return found if found is not None and kind in found.actions else None

    def take(self, result: Result) -> None:
        for one in (result.asked, *result.others):
            self.requests[one.id] = one
        if result.head is not None:
            self.head, self.version = dict(result.head), self.version + 1

    # -- asking -------------------------------------------------------------------------------------------------------

    def submit(self, wish: Asked, facts: Facts, now_ms: int) -> Result:
        """`wish` says what is asked; when, until when and under which policy is found here. Raises `No`."""
        rule = self._admitted(wish, facts)
        asked = replace(
            wish,
            policy=self.number,
            created_ms=now_ms,
            since_ms=now_ms,
            deadline=now_ms + rule.request_ttl_ms,
            **calls(rule, now_ms, now_ms),
        )
        if wish.parent is not None:
            return self._more(asked, rule, facts, now_ms)
        return Result(asked, good_until_ms=facts.as_of_ms + FRESH_MS)

    def _admitted(self, wish: Asked, facts: Facts) -> Policy:
        rule = self.rule(self.number, wish.kind)
        if rule is None:
            raise No
        circles = [rule.requesters, rule.bypassers, *(threshold.circle for threshold in rule.approvals)]
        needed = {wish.requester, wish.beneficiary}.union(*(circle.groups for circle in circles))
        needed |= rule.deployers.groups if rule.deployers is not None else set()
        demand(not needed & facts.missing)
        demand(facts.sound(wish.requester))
        demand(facts.sound(wish.beneficiary))
        demand(facts.within(rule.requesters, wish.requester))
        demand(facts.within(rule.requesters, wish.beneficiary))
        demand(wish.wants_ms is None or wish.wants_ms <= rule.access.max_ms)
        # Of the others nothing is known yet but where they are members.
        able = set().union(*(threshold.circle.users for threshold in rule.approvals))
        able = able.union(*(facts.members[group] for circle in circles[2:] for group in circle.groups))
        if not rule.self_approval:
            able -= {wish.requester, wish.beneficiary}
        demand(seated(rule, able, facts))
        demand(bool(wish.reason.strip()))
        demand(wish.wants_ms is None or wish.wants_ms > 0)
        return rule

    def unlock(self, command: Unlock, since: Mapping[str, float], facts: Facts) -> bool:
        """Whether an owner may. `since`: of each cause that holds, by its request, when it came."""
        owns = all_of([facts.sound(command.actor), facts.within(self.owners, command.actor)])
        seen = command.seen_ms is None or command.seen_ms == max(since.values(), default=None)
        return owns is True and command.actor != command.user and bool(since) and bool(command.reason.strip()) and seen

    def edit(self, one: Asked, command: Edit, facts: Facts, now_ms: int) -> Result:
        demand(one.state in ("pending", "stale"))
        demand(command.actor in (one.requester, one.beneficiary))
        demand((command.revision, command.digest) == (one.revision, one.digest))
        demand(one.owed is None)
        demand(command.duration_ms is None or one.kind not in ("change", "deploy"))
        wants_ms = one.wants_ms if command.duration_ms is None else command.duration_ms
        wish = replace(one, reason=command.reason, wants_ms=wants_ms)
        rule = self._admitted(wish, facts)
        deadline = now_ms + rule.request_ttl_ms
        if one.parent is not None:
            _, length_ms = self._held(one, now_ms)
            demand((wants_ms or 0) <= rule.access.max_ms - length_ms)
            deadline = min(deadline, one.from_ms or 0)
        touches = {
            name: (self.head.get(name), entry)
            for name, (_, entry) in one.touches.items()
            if entry is not None or name in self.head
        }
        demand(one.kind != "change" or bool(touches))
        wish = replace(wish, reason=wish.reason.strip(), touches=touches)
        demand(one.state == "stale" or wish != one)
        again = replace(
            moved(wish, "pending", now_ms, deadline=deadline),
            policy=self.number,
            digest=NEW_DIGEST,
            revision=one.revision + 1,
            verdicts=(),
            basis=None,
            by=frozenset(),
            note=None,
            **calls(rule, now_ms, now_ms),
        )
        return Result(again, good_until_ms=facts.as_of_ms + FRESH_MS)

    def _more(self, asked: Asked, rule: Policy, facts: Facts, now_ms: int) -> Result:
        held, length_ms = self._held(asked, now_ms)
        demand(asked.requester in (held.requester, held.beneficiary))
        demand((asked.kind, asked.beneficiary) == (held.kind, held.beneficiary))
        demand((asked.wants_ms or 0) <= rule.access.max_ms - length_ms)
        demand(held.extension is None or self.requests[held.extension].state != "pending")
        deadline = min(asked.deadline or 0, asked.from_ms or 0)
        others = (replace(held, extension=asked.id),)
        return Result(replace(asked, deadline=deadline), others, good_until_ms=min(facts.as_of_ms + FRESH_MS, deadline))

    def _held(self, asked: Asked, now_ms: int) -> tuple[Asked, int]:
        """What would be extended, and how long that is so far: active, and with the end that was seen."""
        held = self.requests[asked.parent or ""]
        if held.lease is None:
            raise No
        starts_ms, until_ms = held.lease
        demand(held.state == "active" and starts_ms <= now_ms < until_ms == asked.from_ms)
        return held, until_ms - starts_ms

    # -- deciding -----------------------------------------------------------------------------------------------------

    def both(self, one: Asked) -> tuple[Policy, Policy]:
        then, now = self.rule(one.policy, one.kind), self.rule(self.number, one.kind)
        if then is None or now is None:
            raise No
        return then, now

    def may_decide(self, one: Asked, user: str, facts: Facts) -> bool | None:
        both = self.both(one)
        if user in (one.requester, one.beneficiary) and not all(rule.self_approval for rule in both):
            return False
        return all_of([facts.sound(user), *(names(rule, user, facts) for rule in both)])

    def judge(self, one: Asked, command: Command, facts: Facts, now_ms: int) -> Result:
        """What must become of it, and of the extension that waits for it. Raises `No`."""
        result = self._judge(one, command, facts, now_ms)
        waits = self.requests.get(one.extension or "")
        if one.state != "active" or result.asked.state == "active" or waits is None or waits.state != "pending":
            return result
        return replace(result, others=(*result.others, moved(waits, "expired", now_ms)))

    def _judge(self, one: Asked, command: Command, facts: Facts, now_ms: int) -> Result:
        demand(one.deadline is None or now_ms < one.deadline or isinstance(command, NO_TIME_NEEDED))
        in_time = facts.as_of_ms + FRESH_MS
        match command:
            case Approve() | Deny() | Tally():
                demand(one.state == "pending")
                return self._count(one, command, facts, now_ms)
            case Break():
                demand(one.state == "pending")
                return self._break(one, command, facts, now_ms)
            case Withdraw():
                demand(one.state in ("pending", "approved", "stale"))
                demand(command.actor in (one.requester, one.beneficiary))
                return Result(moved(one, "withdrawn", now_ms))
            case Activate():
                demand(one.state == "approved" and one.kind in ("open", "access"))
                demand(command.actor == one.beneficiary)
                demand(facts.sound(command.actor))
                self.both(one)
                demand(one.owed is None or one.owed.state != "disputed")
                return replace(self._start(one, now_ms), good_until_ms=min(in_time, one.deadline or 0))
            case Merge():
                demand(one.state == "approved" and one.kind == "change")
                self.both(one)
                own = command.actor in (one.requester, one.beneficiary)
                demand(facts.sound(command.actor) if own else self.may_decide(one, command.actor, facts))
                demand(one.owed is None or one.owed.state != "disputed")
                return replace(self._merge(one, now_ms), good_until_ms=min(in_time, one.deadline or 0))
            case Deploy():
                demand(one.state == "approved" and one.kind == "deploy")
                demand(self.may_deploy(one, command.actor, facts))
                demand(one.owed is None or one.owed.state != "disputed")
                started = self._launch(one, command.actor, now_ms)
                return replace(started, good_until_ms=min(in_time, one.deadline or 0))
            case Cancel():
                demand(one.kind == "deploy" and one.state in ("approved", "running"))
                demand(self._may_cancel(one, command.actor, facts))
                demand(bool(command.reason.strip()))
                return Result(moved(one, "cancelled", now_ms))
            case Report():
                demand(one.state == "running")
                demand(command.log is None or command.log.startswith("https://"))
                said = replace(one, stage=command.stage or one.stage)
                if command.outcome != "running":
                    return Result(moved(said, command.outcome, now_ms))
                demand(said != one)
                return Result(said)
            case End():
                demand(one.state in ("granting", "active"))
                demand(self._may_end(one, command.actor, facts))
                return Result(taken_back(one, now_ms))
            case Due():
                return self._due(one, command, now_ms)
            case Present() | Absent() | Refused() | Trouble():
                demand(one.state in ("granting", "active", "revoking"))
                return self._report(one, command, now_ms)
            case Countersign() | Dispute() | Overdue():
                return self._settle(one, command, facts, now_ms)
            case Edit():
                return self.edit(one, command, facts, now_ms)
            case Leave():
                raise NotImplementedError("In no history somebody leaves.")

    def _count(self, one: Asked, command: Approve | Deny | Tally, facts: Facts, now_ms: int) -> Result:
        both = self.both(one)
        if isinstance(command, Tally):
            circles = [circle for rule in both for circle in (rule.requesters, rule.bypassers)]
            circles += [threshold.circle for rule in both for threshold in rule.approvals]
            voters = {one.requester, one.beneficiary, *(verdict.by for verdict in one.verdicts)}
            demand(not voters.union(*(circle.groups for circle in circles)) & facts.missing)
        else:
            demand((command.revision, command.digest) == (one.revision, one.digest))
            demand(self.may_decide(one, command.actor, facts) is not False)
            cap_ms = command.cap_ms if isinstance(command, Approve) else None
            demand(cap_ms is None or cap_ms > 0)
            word = "approve" if isinstance(command, Approve) else "deny"
            others = tuple(verdict for verdict in one.verdicts if verdict.by != command.actor)
            one = replace(one, verdicts=(*others, Verdict(command.actor, word, cap_ms, now_ms)))
        worth = {verdict.by: self.may_decide(one, verdict.by, facts) for verdict in one.verdicts}
        against = [verdict.by for verdict in one.verdicts if verdict.word == "deny" and worth[verdict.by] is not False]
        sure = frozenset(by for by in against if worth[by])
        good_until_ms = min(facts.as_of_ms + FRESH_MS, one.deadline or 0)
        limit = min(rule.denials for rule in both)
        if len(sure) >= limit:
            denied = replace(moved(one, "denied", now_ms), basis="denial", by=sure)
            return Result(denied, good_until_ms=good_until_ms)
        votes = [verdict for verdict in one.verdicts if verdict.word == "approve"]
        yes = frozenset(verdict.by for verdict in votes if worth[verdict.by])
        if len(against) < limit and all(seated(rule, yes, facts) for rule in both):
            caps = [verdict.cap_ms for verdict in votes if verdict.by in yes and verdict.cap_ms is not None]
            decided = replace(one, basis="quorum", by=yes)
            return replace(self._approved(decided, both, caps, now_ms), good_until_ms=good_until_ms)
        return Result(one)

    def _break(self, one: Asked, command: Break, facts: Facts, now_ms: int) -> Result:
        both = self.both(one)
        demand((command.revision, command.digest) == (one.revision, one.digest))
        demand(one.parent is None)
        demand(all(rule.enforcement == "soft" for rule in both))
        demand(facts.sound(command.actor))
        demand(all_of(facts.within(rule.bypassers, command.actor) for rule in both))
        demand(bool(command.reason.strip()))
        demand(command.actor not in locked(self.requests.values(), self.forgiven))
        owed = Owed(command.actor, now_ms + min(rule.break_glass.review_within_ms for rule in both))
        broken = replace(one, basis="break-glass", by=frozenset({command.actor}), owed=owed)
        caps = [rule.break_glass.max_duration_ms for rule in both]
        good_until_ms = min(facts.as_of_ms + FRESH_MS, one.deadline or 0)
        return replace(self._approved(broken, both, caps, now_ms), good_until_ms=good_until_ms)

    def _approved(self, one: Asked, both: tuple[Policy, Policy], caps: list[int], now_ms: int) -> Result:
        if one.parent is not None:
            return self._extended(one, both, caps, now_ms)
        if one.kind == "deploy":
            until_ms = now_ms + min(rule.deploy_within_ms for rule in both)
            return Result(moved(one, "approved", now_ms, deadline=until_ms))
        if one.wants_ms is None:
            one = moved(one, "approved", now_ms, deadline=now_ms + min(rule.merge_within_ms for rule in both))
            at_once = all(rule.merge == "on-approval" for rule in both)
            return self._merge(one, now_ms) if at_once else Result(one)
        granted_ms = min([one.wants_ms, *(rule.access.max_ms for rule in both), *caps])
        waits_ms = min(rule.access.grant_expiration_ms for rule in both)
        one = replace(moved(one, "approved", now_ms, deadline=now_ms + waits_ms), granted_ms=granted_ms)
        at_once = all(rule.access.activate == "on-approval" for rule in both)
        return self._start(one, now_ms) if at_once else Result(one)

    def _extended(self, one: Asked, both: tuple[Policy, Policy], caps: list[int], now_ms: int) -> Result:
        held, length_ms = self._held(one, now_ms)
        assert held.lease is not None
        granted_ms = min([one.wants_ms or 0, *(rule.access.max_ms - length_ms for rule in both), *caps])
        demand(granted_ms > 0)
        lease = (held.lease[0], held.lease[1] + granted_ms)
        later = in_use(replace(held, lease=lease), now_ms)
        longer = (*held.longer, (one.id, granted_ms, now_ms))
        others = (replace(later, since_ms=held.since_ms, longer=longer, extension=None),)
        return Result(replace(moved(one, "extended", now_ms), granted_ms=granted_ms), others)

    # -- using --------------------------------------------------------------------------------------------------------

    def _start(self, one: Asked, now_ms: int) -> Result:
        assert one.granted_ms is not None
        leased = replace(one, lease=(now_ms, now_ms + one.granted_ms))
        if one.kind == "access":
            return Result(moved(leased, "granting", now_ms, deadline=now_ms + one.granted_ms))
        return Result(in_use(leased, now_ms))

    def _merge(self, one: Asked, now_ms: int) -> Result:
        until_ms = now_ms + min(rule.request_ttl_ms for rule in self.both(one))
        overtaken = [name for name, (base, _) in one.touches.items() if self.head.get(name) != base]
        if overtaken:
            note = f"Changed meanwhile by somebody else: {', '.join(overtaken[:3])}."
            return Result(replace(moved(one, "stale", now_ms, deadline=until_ms), note=note))
        head = {name: entry for name, entry in self.head.items() if name not in one.touches}
        head |= {name: entry for name, (_, entry) in one.touches.items() if entry is not None}
        others = tuple(
            moved(other, "stale", now_ms, deadline=until_ms)
            for other in self.requests.values()
            if other.id != one.id and other.state in ("pending", "approved") and other.touches.keys() & one.touches
        )
        return Result(replace(moved(one, "merged", now_ms), merged=self.version + 1), others, head)

    # -- deploying ----------------------------------------------------------------------------------------------------

    def may_deploy(self, one: Asked, user: str, facts: Facts) -> bool | None:
        both = self.both(one)
        if one.basis == "break-glass" and user in one.by:
            return facts.sound(user)
        return all_of([facts.sound(user), *(self._deploys(rule, user, facts) for rule in both)])

    def _deploys(self, rule: Policy, user: str, facts: Facts) -> bool | None:
        if rule.deployers is not None:
            return facts.within(rule.deployers, user)
        return any_of([names(rule, user, facts), facts.within(self.owners, user)])

    def _may_cancel(self, one: Asked, user: str, facts: Facts) -> bool | None:
        if user == one.requester:
            return True
        covered = self.rule(one.policy, one.kind) is not None
        rule = self.rule(self.number, one.kind) if covered else None
        of_rule = [names(rule, user, facts), self._deploys(rule, user, facts)] if rule is not None else []
        return all_of([facts.sound(user), any_of([facts.within(self.owners, user), *of_rule])])

    def _launch(self, one: Asked, by: str, now_ms: int) -> Result:
        others = [other for other in self.requests.values() if other.kind == "deploy" and other.id != one.id]
        if any(each.target == one.target and each.started and each.created_ms > one.created_ms for each in others):
            return Result(moved(one, "superseded", now_ms))
        meets = [
            each for each in others if each.target == one.target or "#" not in each.target or "#" not in one.target
        ]
        demand(all(each.state != "running" for each in meets))
        both = self.both(one)
        waited = one.basis == "break-glass" or one.since_ms + max(rule.wait_ms for rule in both) <= now_ms
        demand(waited)
        running = moved(one, "running", now_ms, deadline=now_ms + min(rule.report_within_ms for rule in both))
        passed = tuple(
            moved(each, "superseded", now_ms)
            for each in others
            if each.target == one.target and each.state in ("pending", "approved") and each.created_ms < one.created_ms
        )
        return Result(replace(running, started=(by, now_ms)), passed)

    def _may_end(self, one: Asked, user: str, facts: Facts) -> bool | None:
        if user in (one.requester, one.beneficiary):
            return True
        then, now = self.policies[one.policy], self.policies[self.number]
        rule = now if then is not None else None
        circles = [self.owners, *(threshold.circle for threshold in (rule.approvals if rule else ()))]
        return all_of([facts.sound(user), any_of(facts.within(circle, user) for circle in circles)])

    def _due(self, one: Asked, command: Due, now_ms: int) -> Result:
        at_ms = getattr(one, command.timer)
        demand(at_ms is not None and at_ms == command.at_ms <= now_ms)
        if command.timer in ("remind", "escalate") and now_ms < (one.deadline or 0):
            then = self.policies[one.policy]
            assert then is not None
            following = calls(then, one.since_ms, now_ms)[command.timer]
            return Result(replace(one, **{command.timer: following}))
        if command.timer == "warning":
            return Result(replace(one, warning=None))
        if one.state == "running":
            return Result(moved(one, "failed", now_ms))
        return Result(taken_back(one, now_ms) if one.lease is not None else moved(one, "expired", now_ms))

    def _report(self, one: Asked, command: Present | Absent | Refused | Trouble, now_ms: int) -> Result:
        if isinstance(command, Present):
            demand(one.state == "granting")
            return Result(replace(in_use(one, now_ms), note=None))
        if isinstance(command, Absent):
            demand(one.state == "revoking")
            note = f"Still a member because of request {command.kept_by}." if command.kept_by else None
            return Result(replace(moved(one, "ended", now_ms), note=note))
        if one.state == "granting" and isinstance(command, Refused):
            over = moved(one, "failed" if command.absent else "revoking", now_ms)
            return Result(replace(over, note=command.sentence))
        demand(one.note != command.sentence)
        return Result(replace(one, note=command.sentence))

    # -- owing --------------------------------------------------------------------------------------------------------

    def _settle(self, one: Asked, command: Countersign | Dispute | Overdue, facts: Facts, now_ms: int) -> Result:
        owed = one.owed
        if owed is None or owed.state != "open":
            raise No
        if isinstance(command, Overdue):
            demand(command.at_ms == owed.due_ms <= now_ms)
            return Result(replace(one, owed=replace(owed, state="overdue")))
        demand(command.actor != owed.by)
        demand(self.may_decide(one, command.actor, facts))
        in_time = facts.as_of_ms + FRESH_MS
        if isinstance(command, Countersign):
            demand(now_ms < owed.due_ms)
            looked_at = replace(one, owed=replace(owed, state="countersigned"))
            return Result(looked_at, good_until_ms=min(in_time, owed.due_ms))
        disputed = replace(one, owed=replace(owed, state="disputed"))
        ends = one.state in ("granting", "active")
        return Result(taken_back(disputed, now_ms) if ends else disputed, good_until_ms=in_time)
