"""Requests: the corridor. Load, decide, commit; and again from the start if somebody was faster."""

import contextlib
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from redis.asyncio import Redis

from store.model.command import Activate, Approve, Break, Command, Deploy, Edit, Leave, Merge, Tally
from store.model.debt import Debt
from store.model.effect import Announce
from store.model.enactment import Enactment
from store.model.errors import AccessError, Conflict, Invalid, NotFound, Unavailable
from store.model.lifecycle import (
    Draft,
    Transition,
    World,
    draft_of,
    rule_for,
    submit,
    transition,
    wanted_to_ask,
    whose_lock,
)
from store.model.people import Directory, People, Wanted
from store.model.policy import PolicySet
from store.model.recent import Recent
from store.model.request import (
    CLOCK,
    RELAY,
    TERMINAL,
    Amendment,
    Change,
    Deployment,
    Extending,
    Payload,
    Request,
    startable,
)
from store.model.sealed import Manifest, SealedEntry
from store.model.slots import Slots
from store.model.standing import starters, wanted
from store.model.token import is_machine
from store.model.versions import merged
from store.redis import projection
from store.redis.audit import Attempts
from store.redis.blobs import Taking
from store.redis.clock import Skew
from store.redis.commit import TRIES, Commit, contended, text
from store.redis.deliveries import waiting_index
from store.redis.keys import Keys
from store.redis.locks import stored_lock, write_lock
from store.redis.policies import PROPOSED, Policies, fingerprint, put_into_force
from store.redis.scripts import Scripts
from store.redis.stored import stored
from store.redis.tokens import write_token_record

RECENT: Final = 1_000  # requests whose last reading is remembered
AHEAD_MS: Final = 1_000  # how far this process's clock may be ahead of the server's for a decision without asking it
BEHIND_MS: Final = 10_000  # and behind it, with the time on the way: what a server that stood hears late still counts
SIBLINGS: Final = 24  # open changes of one name that are marked at once; the rest find out when they are merged

# A commit that comes to these is let through by a full server: not what puts something into force, nor more time.
FREEING: Final = TERMINAL - {"merged", "extended"} | {"revoking"}
GIVING: Final = (Approve, Break, Activate, Merge, Deploy, Tally)  # what may end in access

# What a full server does not take. All else takes away, or says what is so already: a denial, a dispute, what the outside
# reports, and the clock, whose timer would keep the ones behind it waiting.
ADDING: Final = (*GIVING, Edit)

# The unsigned version and the one before it: nothing is built on what is not genuine.
Sign = Callable[[Manifest, Manifest], Awaitable[Manifest]]


class Custodian(Protocol):
    """Who looks after keys, and must be able to do what is decided about them."""

    async def enrol(self, commit: Commit, request: Request) -> None:
        """Writes the roster that a request for a key holder makes into its commit. Raises `AccessError`."""
        ...

    async def able(self, before: PolicySet, after: PolicySet) -> None:
        """Raises `Unavailable` where `after` wants more of the key holders than they can do now."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where this command had been answered before, `answer` is that of then, and `request` as it is now; None where nobody knows any more which one it was."""

    answer: str
    request: Request | None = None
    news: bool = True  # False: nothing was committed now


@dataclass(frozen=True, slots=True)
class Say:
    """Of one request, all that tells whose word it waits for; as `projection.say` writes it."""

    kind: str
    target: str
    policy: int
    asking: tuple[str, str]  # requester, beneficiary
    heard: tuple[str, ...]  # who voted on it; of a broken glass, who broke it

    @classmethod
    def read(cls, written: str) -> "Say":
        kind, target, policy, requester, beneficiary, *heard = written.split(" ")
        return cls(kind, target, int(policy), (requester, beneficiary), tuple(heard))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """`recalled`: as it was when it was last read here, so whatever is decided on it is guarded by all `versions`."""

    now_ms: int
    answered: tuple[str, str] | None
    policy: int
    world: World | None
    versions: dict[str, int]  # key -> version
    recalled: bool = False
    locks: str | None = None  # the user whose lock was read as well


class Requests:
    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        policies: Policies,
        directory: Directory,
        sign: Sign,
        skew: Skew,
        now_ms: Callable[[], int],
        fit: Callable[[], str | None] = lambda: None,
        custodian: Custodian | None = None,
    ) -> None:
        """`now_ms` is the one clock as this process carries it. `fit` answers why nothing may be given now, None where it may: a Redis that forgets gives no access."""
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._policies = policies
        self._directory = directory
        self._sign = sign
        self._skew = skew
        self._now_ms = now_ms
        self._fit = fit
        self._custodian = custodian
        self._attempts = Attempts(keys, scripts, skew)
        self._recent: Recent[str, _Loaded] = Recent(RECENT)

    async def submit(
        self,
        draft: Draft,
        command_id: str,
        entries: Sequence[SealedEntry] = (),
        policies: str | None = None,
        taking: Taking | None = None,
    ) -> Outcome:
        """Takes a request in. `entries` are the sealed values of a change, `policies` the stored form of other policies, `taking` what it came by. Raises `AccessError`."""
        _check_entries(draft.payload, entries)
        _check_policies(draft.payload, policies)
        fingerprint = _fingerprint(draft)
        for _ in range(TRIES):
            loaded = await self._load(draft.id, command_id)
            if loaded.answered:
                return await self._asked_before(_answered(loaded.answered, fingerprint), command_id)
            if loaded.world is not None:
                raise Conflict(f"There is a request {draft.id} already.", code="taken")
            in_force = await self._policies.get(loaded.policy)
            try:
                rule = rule_for(draft.kind, draft.target, in_force)
                people = await self._directory.people(wanted_to_ask(draft, rule, in_force))
                held, grant = await self._grant(draft.payload)
                asked = submit(draft, self._keys.installation, in_force, people, loaded.now_ms, grant)
            except AccessError as refusal:
                await self._attempts.refused(
                    refusal, "submit", command_id,
                    actor=draft.asker, at_ms=loaded.now_ms, request=draft.id, target=draft.target.id,
                )  # fmt: skip
                raise
            commit = self._commit(command_id, fingerprint, asked)
            commit.guard(self._keys.policy_head, loaded.policy)
            commit.fill(self._keys.command(command_id), {"request": draft.id})
            self._write(commit, None, asked.request, 0, in_force)
            if held is not None and grant is not None:
                await self._write_siblings(commit, held, (grant.request,), asked.siblings)
                self._recent.pop(grant.request.id, None)
            if payload := _payload(entries, policies):
                commit.fill(self._keys.payload(draft.id, asked.request.revision), payload)
            if taking is not None:
                await taking.demand(self._redis, self._keys)
                taking.write(commit)
            if isinstance(done := await self._run(commit, asked), Outcome):
                return done if done.news else await self._asked_before(done, command_id)
        raise contended()

    async def apply(
        self,
        request_id: str,
        command: Command,
        entries: Sequence[SealedEntry] = (),
        policies: str | None = None,
        taking: Taking | None = None,
    ) -> Outcome:
        """Applies one command. `entries` are all sealed values of a change that is edited, `policies` what an edit brings instead, `taking` what it came by. Raises `AccessError`; `NotFound` for a request that is not there."""
        fingerprint = f"{request_id} {command.fingerprint}"
        loaded = self._recall(request_id)
        missed: int | None = None  # the version of the request whose policies were not there
        for _ in range(TRIES):
            loaded = loaded or await self._load(request_id, command.id)
            if loaded.answered:
                request = loaded.world.request if loaded.world is not None else None
                return replace(_answered(loaded.answered, fingerprint), request=request)
            loaded = await self._with_lock(loaded, command)
            world = await self._world(loaded, request_id)
            try:
                if isinstance(command, GIVING) and (why := self._fit()) is not None:
                    raise Unavailable(why, code="degraded")
                result = await self._versioned(world, transition(world, command, await self._people(world, command)))
                if isinstance(command, Edit) and command.touches is not None:
                    _check_entries(result.request.payload, entries)
                if isinstance(command, Edit) and (command.amendment is not None or policies is not None):
                    _check_policies(result.request.payload, policies)
            except AccessError as refusal:
                if loaded.recalled and not isinstance(refusal, Unavailable):  # what it is refused for may have changed
                    loaded = None
                    continue
                if command.actor not in (CLOCK, RELAY):
                    await self._attempts.refused(
                        refusal, type(command).__name__.lower(), command.id,
                        actor=command.actor, at_ms=loaded.now_ms, request=request_id, target=world.request.target,
                    )  # fmt: skip
                if refusal.detail == "no_rule":
                    await self.nobody_decides(world)
                raise
            commit = self._commit(command.id, fingerprint, result)
            commit.frees |= not isinstance(command, ADDING)
            try:
                await self._gather(commit, loaded, world, result)
            except Unavailable:
                version = loaded.versions[self._keys.request(request_id)]
                if result.policies is None or missed == version:
                    raise
                # The policies that it brings lay somewhere else by then, unless nobody moved it.
                missed, loaded = version, None
                continue
            if isinstance(command, Edit) and isinstance(result.request.payload, Change | Amendment):
                kept = command.touches is None and command.amendment is None
                self._carry(commit, world.request, result.request, None if kept else _payload(entries, policies))
            if taking is not None:
                await taking.demand(self._redis, self._keys)
                taking.write(commit)
            commit.otherwise(*self._names(request_id), SIBLINGS)
            self._recent.pop(request_id, None)  # it is not so any more
            if isinstance(done := await self._run(commit, result), Outcome):
                return done if done.news else replace(done, request=(await self.get(request_id)).request)
            loaded = self._loaded(request_id, done)
        raise contended()

    async def answered(self, command_id: str, request_id: str | None = None) -> Outcome | None:
        """What was answered under this id, where something was: for a wish whose means it has used up. `request_id`: what it was about, else what it asked for."""
        answer, asked = await self._redis.hmget(self._keys.command(command_id), ["answer", "request"])
        about = request_id or (text(asked) if asked is not None else None)
        if answer is None or about is None:
            return None
        found = await self.read([about])
        return Outcome(text(answer), found[0] if found else None, news=False)

    async def get(self, request_id: str) -> World:
        """Raises `NotFound`."""
        return await self._world(await self._load(request_id, ""), request_id)

    async def slots(self, request: Request) -> Slots:
        """What is deployed, and what runs, in the environment that a deploy is about."""
        return (await stored(self._redis, self._keys.head(projection.slots(request)), Slots))[0] or Slots()

    def record(self, request_id: str) -> str:
        """What moves whenever anything is committed to it."""
        return self._keys.request(request_id)

    async def nobody_decides(self, world: World) -> None:
        """No rule covers it under the policies of now: the owners hear of it, once under these. That they cannot be told now changes nothing."""
        about = f"no_rule:{world.request.id}:{world.policy_now.number}"
        commit = Commit(self._keys, about, frees=True)
        commit.put([Announce(request=world.request.id, news="no_rule", at_ms=world.now_ms)])
        with contextlib.suppress(Conflict, Unavailable):
            await commit.run(self._scripts, self._skew())

    async def listed(self, index: str, *, most: int) -> list[Request]:
        """The requests of one index, such as `mine:U1`, newest first."""
        ids = await self._redis.zrange(self._keys.index(index), 0, most - 1, desc=True)
        return await self.read([text(member) for member in ids])

    async def page(self, index: str, start: int, most: int) -> list[Request]:
        """The requests of one index from place `start` on, oldest first."""
        ids = await self._redis.zrange(self._keys.index(index), start, start + most - 1)
        return await self.read([text(member) for member in ids])

    async def part(self, index: str, *, first: int, most: int) -> tuple[list[str], int, int]:
        """Ids of one index, newest first, from which one on, and how many it has in all. Past its end: its last ones."""
        key = self._keys.index(index)
        total = int(await self._redis.zcard(key))
        first = min(first, max(0, total - 1) // most * most)
        found = await self._redis.zrange(key, first, first + most - 1, desc=True)
        return [text(member) for member in found], first, total

    async def queue(self, principals: Sequence[str], *, most: int) -> tuple[list[tuple[str, str]], int]:
        """Requests that these users and groups decide, and broken glasses, the earliest deadline first: each with what
        `Say` reads, many with the same. And how many more there are at the least."""
        names = [*(f"waiting:{principal}" for principal in principals), "debts"]
        left, *lines = await self._scripts.run(
            "queue", [self._keys.index(name) for name in names], [self._keys.prefix, most]
        )
        return [(request, say) for request, _, say in (text(line).partition(" ") for line in lines)], int(left)

    async def worlds(self, ids: Sequence[str]) -> list[World]:
        """Those that are there, as far as they are drawn: without what else a merge would look at."""
        now_ms = self._now_ms()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(self._keys.policy_head, "version")
            for request_id in ids:
                pipe.hget(self._keys.request(request_id), "body")
                pipe.hget(self._keys.debt(request_id), "body")
            number, *bodies = await pipe.execute()
        current = await self._policies.get(int(number or 0))
        found = []
        for body, debt in zip(bodies[::2], bodies[1::2], strict=True):
            if body is not None:
                request = Request.from_json(body)
                then = await self._policies.get(request.policy)
                owed = Debt.from_json(debt) if debt else None
                found.append(World(now_ms, request, then, current, self._keys.installation, owed))
        return found

    async def read(self, ids: Sequence[str]) -> list[Request]:
        """Those that are there, in one turn."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for request_id in ids:
                pipe.hget(self._keys.request(request_id), "body")
            bodies = await pipe.execute()
        return [Request.from_json(body) for body in bodies if body is not None]

    # -- reading -------------------------------------------------------------------------------------------------------

    def _names(self, request_id: str) -> tuple[str, str, str]:
        return self._keys.request(request_id), self._keys.debt(request_id), self._keys.policy_head

    async def _load(self, request_id: str, command_id: str) -> _Loaded:
        names = [*self._names(request_id), self._keys.command(command_id)]
        reply = await self._scripts.run("load", names, [self._skew(), self._keys.prefix, SIBLINGS], frees=True)
        return self._loaded(request_id, reply)

    def _recall(self, request_id: str) -> _Loaded | None:
        """The request as it was last read here: what a person clicks on was mostly drawn a moment ago."""
        loaded = self._recent.get(request_id)
        if loaded is None or loaded.world is None:
            return None
        now_ms = self._now_ms()
        return replace(loaded, now_ms=now_ms, world=replace(loaded.world, now_ms=now_ms), answered=None, recalled=True)

    def _loaded(self, request_id: str, reply: list[Any]) -> _Loaded:
        keys = self._keys
        now, fingerprint, answer, policy, body, version, debt, debt_version, head, head_version, siblings = reply
        if policy is None:
            raise Unavailable("There are no policies yet, so nothing can be asked.", code="no_policy")
        answered = (text(fingerprint), text(answer)) if fingerprint is not None else None
        if body is None:
            return _Loaded(int(now), answered, int(policy), None, {})
        request = Request.from_json(body)
        versions = {
            keys.request(request_id): int(version),
            keys.debt(request_id): int(debt_version or 0),
            keys.policy_head: int(policy),
        }
        head_key = keys.head(_head(request))
        if head is not None or isinstance(request.payload, Deployment):
            versions[head_key] = int(head_version or 0)
        slots = head if isinstance(request.payload, Deployment) else None
        others = []
        for other_body, other_version in zip(siblings[::2], siblings[1::2], strict=True):
            other = Request.from_json(other_body)
            versions[keys.request(other.id)] = int(other_version)
            others.append(other)
        world = World(
            now_ms=int(now),
            request=request,
            policy_then=_NO_POLICY,
            policy_now=_NO_POLICY,
            installation=keys.installation,
            debt=Debt.from_json(debt) if debt else None,
            head=Manifest.from_json(head) if head and slots is None else None,
            slots=Slots.from_json(slots) if slots else None,
            siblings=tuple(others),
        )
        loaded = _Loaded(int(now), answered, int(policy), world, versions)
        self._recent[request_id] = loaded
        return loaded

    async def _world(self, loaded: _Loaded, request_id: str) -> World:
        if loaded.world is None:
            raise NotFound(f"There is no request {request_id} here, or it is not yours to see.")
        then = await self._policies.get(loaded.world.request.policy)
        return replace(loaded.world, policy_then=then, policy_now=await self._policies.get(loaded.policy))

    async def _grant(self, payload: Payload) -> tuple[_Loaded | None, World | None]:
        """What an extension would extend. Raises `NotFound`."""
        if not isinstance(payload, Extending):
            return None, None
        loaded = await self._load(payload.parent, "")
        return loaded, await self._world(loaded, payload.parent)

    async def _with_lock(self, loaded: _Loaded, command: Command) -> _Loaded:
        """And the lock that this command looks at. Few do, so it costs the others nothing; its version is guarded."""
        user = whose_lock(loaded.world.debt, command) if loaded.world is not None else None
        if user is None or loaded.world is None:
            return loaded
        lock, version = await stored_lock(self._redis, self._keys, user)
        self._scripts.round_trips += 1
        versions = {**loaded.versions, self._keys.lock(user): version}
        return replace(loaded, world=replace(loaded.world, lock=lock), versions=versions, locks=user)

    async def _people(self, world: World, command: Command) -> People:
        """Nothing for what the clock or the outside says, unless votes are counted."""
        actor, machine = command.actor, command.actor in (CLOCK, RELAY) or is_machine(command.actor)
        if isinstance(command, Leave):
            concerned = frozenset((world.request.requester, world.request.beneficiary))
            return await self._directory.people(Wanted(users=concerned), patient=True)
        if machine and not isinstance(command, Tally):
            return People(as_of_ms=world.now_ms)
        if isinstance(command, Edit):
            draft = draft_of(world.request, command)
            return await self._directory.people(
                wanted_to_ask(draft, rule_for(draft.kind, draft.target, world.policy_now), world.policy_now)
            )
        persons = () if machine else (actor,)
        rules = world.rules
        needs = (
            wanted(world.request, rules, *persons)
            if rules
            else world.policy_now.owners.wanted | Wanted(users=frozenset(persons))
        )
        return await self._directory.people(needs, patient=actor == RELAY)

    async def _asked_before(self, outcome: Outcome, command_id: str) -> Outcome:
        """The same wish under the same id: what came of it."""
        request_id = await self._redis.hget(self._keys.command(command_id), "request")
        if request_id is None:
            return outcome
        found = await self.read([text(request_id)])
        return replace(outcome, request=found[0] if found else None)

    # -- committing ----------------------------------------------------------------------------------------------------

    def _commit(self, command_id: str, fingerprint: str, result: Transition) -> Commit:
        return Commit(
            self._keys,
            command_id,
            fingerprint=fingerprint,
            answer=result.answer,
            good_until_ms=result.good_until_ms,
            frees=result.request.state in FREEING,
        )

    async def _gather(self, commit: Commit, loaded: _Loaded, world: World, result: Transition) -> None:
        """Everything one decision changes, in one commit; what it only looked at is guarded."""
        keys, before, after = self._keys, world.request, result.request
        policies = world.policy_then if after.policy == before.policy else world.policy_now
        self._write(commit, before, after, loaded.versions[keys.request(before.id)], policies, world.policy_then)
        if loaded.recalled:
            commit.good_from_ms = loaded.now_ms - AHEAD_MS
            commit.good_until_ms = min(loaded.now_ms + BEHIND_MS, result.good_until_ms or sys.maxsize)
            for key, version in loaded.versions.items():
                commit.guard(key, version)
        elif result.good_until_ms is not None:
            commit.guard(keys.policy_head, loaded.policy)
        if loaded.locks is not None and not loaded.recalled:
            commit.guard(keys.lock(loaded.locks), loaded.versions[keys.lock(loaded.locks)])
        if result.lock is not None:
            write_lock(commit, result.lock, loaded.versions[keys.lock(result.lock.user)])
        if after.revision != before.revision and isinstance(after.payload, Change) and not loaded.recalled:
            head_key = keys.head(after.payload.environment_id)  # its bases are those of this version
            commit.guard(head_key, loaded.versions[head_key])
        if result.debt is not None:
            commit.write(keys.debt(before.id), loaded.versions[keys.debt(before.id)], result.debt.to_json())
            due = projection.debt_timers(result.debt)
            commit.rank(keys.due, f"{before.id}/debt", due.get(f"{before.id}/debt"))
            commit.rank(keys.index("debts"), before.id, result.debt.due_ms if due else None)
        await self._move(commit, loaded, world, result)
        for delivery in result.deliveries:
            commit.write(keys.delivery(delivery.request, delivery.place), 0, delivery.to_json())
            index, score = waiting_index(delivery, after.environment_id)
            commit.rank(keys.index(index), f"{delivery.request}/{delivery.place}", score)
        await self._write_siblings(commit, loaded, world.siblings, result.siblings)

    async def _versioned(self, world: World, result: Transition) -> Transition:
        """A deploy that starts is of the newest version of its environment, by its number of now."""
        run, environment = result.request.run, result.request.asked.environment
        if run is None or world.request.run is not None or environment is None:
            return result
        known = await self._redis.hget(self._keys.environment(environment), "id")
        number = await self._redis.hget(self._keys.head(text(known)), "number") if known is not None else None
        if number is None:
            return result
        run = run.model_copy(update={"environment_version": int(number)})
        return replace(result, request=result.request.model_copy(update={"run": run}))

    async def _move(self, commit: Commit, loaded: _Loaded, world: World, result: Transition) -> None:
        """What is true besides, once it is merged, started or over: a version, a holder, a token, a slot, policies."""
        keys, before, after = self._keys, world.request, result.request
        if result.head is not None and world.head is not None:
            head = await self._sign(result.head, world.head)
            environment = head.environment_id
            moved = loaded.versions[keys.head(environment)]
            commit.write(keys.head(environment), moved, head.to_json(), projection.head_fields(head))
            commit.set(keys.manifest(environment, head.number), head.to_json())
            commit.set(keys.version(environment, head.number), merged(before, head.number, world.now_ms).to_json())
            commit.adopt(keys.payload(before.id, before.revision), keys.entries(environment))
        if result.enrols:
            if self._custodian is None:
                raise Unavailable("This process does not ask the key holders.", code="no_holders")
            await self._custodian.enrol(commit, after)
        if result.token is not None:
            if await self._redis.exists(keys.token(result.token.id)):
                raise Conflict("There is a token of this id already. Ask for another one.", code="taken")
            write_token_record(commit, result.token, 0)
        if result.slots is not None:
            slots_key = keys.head(_head(before))
            commit.write(slots_key, loaded.versions[slots_key], result.slots.to_json())
        if result.policies is not None:
            body = await self._policies.proposal(before)
            if self._custodian is not None:
                await self._custodian.able(world.policy_now, PolicySet.from_json(body))
            by = after.decision.by if after.decision is not None else ()
            enactment = Enactment(
                how="request",
                by=after.requester,
                at_ms=world.now_ms,
                request=after.id,
                approved_by=by,
                reason=after.reason,
            )
            put_into_force(commit, result.policies.base, body, enactment)
            commit.drop(keys.payload(before.id, before.revision))

    async def _write_siblings(
        self, commit: Commit, loaded: _Loaded, before: Sequence[Request], after: Sequence[Request]
    ) -> None:
        for sibling in after:
            known = next(other for other in before if other.id == sibling.id)
            policies = await self._policies.get(sibling.policy)
            self._write(commit, known, sibling, loaded.versions[self._keys.request(sibling.id)], policies)

    def _carry(self, commit: Commit, before: Request, after: Request, payload: dict[str, str] | None) -> None:
        """The payload of the new revision, `payload` or that which there was; the old one keeps none."""
        old, new = self._keys.payload(before.id, before.revision), self._keys.payload(after.id, after.revision)
        if payload is None:
            commit.adopt(old, new)
            return
        commit.drop(old)
        if payload:
            commit.fill(new, payload)

    def _write(
        self,
        commit: Commit,
        before: Request | None,
        after: Request,
        version: int,
        policies: PolicySet,
        were: PolicySet | None = None,
    ) -> None:
        """The record, and what lies beside it where that changed. `were`: the policies of `before`, where those are others."""
        keys = self._keys
        commit.write(keys.request(after.id), version, after.to_json(), projection.fields(after))
        old = projection.ranks(before, _approvers(before, were or policies)) if before else {}
        new = projection.ranks(after, _approvers(after, policies))
        for index in sorted(old.keys() | new.keys()):
            if old.get(index) != new.get(index):
                commit.rank(keys.index(index), after.id, new.get(index))
        old, new = projection.timers(before) if before else {}, projection.timers(after)
        for member in sorted(old.keys() | new.keys()):
            if old.get(member) != new.get(member):
                commit.rank(keys.due, member, new.get(member))
        if before is not None and (payload := projection.drops_payload(before, after, keys)):
            commit.drop(payload)

    async def _run(self, commit: Commit, result: Transition) -> Outcome | list[Any]:
        """What is there now instead, where somebody was faster or what it was decided on grew old."""
        commit.put(result.effects)
        commit.audit(result.audit)
        committed = await commit.run(self._scripts, self._skew())
        if committed.status == "seen":
            return Outcome(committed.answer, news=False)
        return Outcome(result.answer, result.request) if committed.status == "ok" else committed.world or []


_NO_POLICY: Final = PolicySet.model_validate({"number": 0, "owners": {}})


def _head(request: Request) -> str:
    """By which name that stands in the keys which merging it, or starting it, moves."""
    return projection.slots(request) if isinstance(request.payload, Deployment) else request.environment_id or ""


def _approvers(request: Request, policies: PolicySet) -> frozenset[str]:
    """Whose word it waits for: users and groups."""
    rule = policies.rule(request.kind, request.asked)
    if rule is None:
        return frozenset()
    return starters(request, rule, policies.owners) if startable(request) else rule.approvers


def _answered(answered: tuple[str, str], fingerprint: str) -> Outcome:
    if answered[0] != fingerprint:
        raise Conflict("This id was used for something else.", code="other_command")
    return Outcome(answered[1], news=False)


def _check_entries(payload: Payload, entries: Sequence[SealedEntry]) -> None:
    """What is approved is what was sealed, all of it: an environment must never name a value that is not there."""
    touches = payload.touches if isinstance(payload, Change) else ()
    named = {(touch.entry.entry_id, touch.entry.ciphertext_hash) for touch in touches if touch.entry is not None}
    if named != {(entry.entry_id, entry.ciphertext_hash) for entry in entries}:
        raise Invalid("The sealed values are not those that this change names.", code="other_entries")


def _check_policies(payload: Payload, policies: str | None) -> None:
    """What is approved is what was brought, to the byte."""
    named = (payload.content, payload.number) if isinstance(payload, Amendment) else None
    brought = (fingerprint(policies), PolicySet.from_json(policies).number) if policies is not None else None
    if named != brought:
        raise Invalid("The policies are not those that this change names.", code="other_policies")


def _payload(entries: Sequence[SealedEntry], policies: str | None) -> dict[str, str]:
    if policies is not None:
        return {PROPOSED: policies}
    return {entry.entry_id: entry.to_json() for entry in entries}


def _fingerprint(draft: Draft) -> str:
    """Over what was asked. Sealing the same values again gives other entries, so a change is known by its names and what goes."""
    payload: dict[str, Any] = draft.payload.model_dump(mode="json")
    payload["touches"] = [[touch["name"], touch["entry"] is None] for touch in payload.get("touches", [])]
    content = [draft.kind, draft.target.id, draft.requester, draft.beneficiary, draft.reason, draft.ticket, payload]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
