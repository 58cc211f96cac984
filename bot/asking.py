"""Asking: what a person wants, from whichever door, becomes a draft with everything it needs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from store.model.blob import Pasted
from store.model.command import Edit
from store.model.environment import Environment
from store.model.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.grant import Membership
from store.model.identity import POLICIES, Target, request_id
from store.model.lifecycle import Draft, more_for, rule_for
from store.model.people import Directory, Wanted, not_told
from store.model.policy import Policy, PolicySet, TargetConfig
from store.model.request import (
    CLOCK,
    Amendment,
    Change,
    Door,
    Enrolling,
    Extending,
    Gate,
    Joining,
    Machine,
    Minting,
    Opening,
    Request,
    deployment,
)
from store.model.sealed import check_request
from store.redis.blobs import Blobs, Taking
from store.redis.environments import Environments, Value
from store.redis.epochs import Epochs
from store.redis.policies import Policies, fingerprint
from store.redis.requests import Outcome, Requests
from store.redis.versions import Versions


class Asking:
    """`command_id` makes a wish that arrives twice one request. Every method raises `AccessError`."""

    def __init__(
        self,
        requests: Requests,
        environments: Environments,
        policies: Policies,
        directory: Directory,
        random: Callable[[int], bytes],
        *,
        versions: Versions,
        blobs: Blobs,
        epochs: Epochs | None = None,
    ) -> None:
        self._requests = requests
        self._environments = environments
        self._versions = versions
        self._blobs = blobs
        self._policies = policies
        self._directory = directory
        self._random = random
        self._epochs = epochs

    async def open(
        self,
        user: str,
        target: Target,
        *,
        duration_ms: int | None,
        reason: str,
        ticket: str | None,
        command_id: str,
        beneficiary: str | None = None,
        use_within_ms: int | None = None,
        door: Door = "slack",
    ) -> Outcome:
        """`beneficiary` None: for who asks. `use_within_ms`: how long an approval waits for its first use, at the most."""
        rule, config = await self._rule("open", target)
        environment = await self._environments.ensure(_environment(target), secure=config.secure)
        length = duration_ms or rule.access.default_ms
        payload = Opening(environment_id=environment.id, duration_ms=length, use_within_ms=use_within_ms)
        draft = Draft(self._id(), "open", target, user, beneficiary or user, payload, reason, ticket, door)
        return await self._requests.submit(draft, command_id)

    async def access(
        self,
        user: str,
        target: Target,
        *,
        duration_ms: int | None,
        reason: str,
        ticket: str | None,
        command_id: str,
        beneficiary: str | None = None,
        use_within_ms: int | None = None,
        door: Door = "slack",
    ) -> Outcome:
        """`beneficiary` None: for who asks. `use_within_ms`: how long an approval waits for its first use, at the most."""
        rule, config = await self._rule("access", target)
        if config.connector is None or config.group is None:
            raise Invalid(f"{target} names no outside group to join.", code="no_group")
        whom = beneficiary or user
        person = (await self._directory.people(Wanted(users=frozenset((whom,))))).persons.get(whom)
        if person is None:
            raise not_told("you are" if whom == user else "this is for")
        if person.email is None:
            whose = "of yours" if whom == user else f"of {person.name}"
            raise Forbidden(
                f"Slack tells no e-mail address {whose}, and {config.connector} knows people by it.", code="no_account"
            )
        membership = Membership(connector=config.connector, group=config.group, user=whom, account=person.email)
        length = duration_ms or rule.access.default_ms
        payload = Joining(membership=membership, duration_ms=length, use_within_ms=use_within_ms)
        draft = Draft(self._id(), "access", target, user, whom, payload, reason, ticket, door)
        return await self._requests.submit(draft, command_id)

    async def change(
        self,
        user: str,
        target: Target,
        values: Mapping[str, Value | Pasted],
        *,
        reason: str,
        ticket: str | None,
        command_id: str,
        door: Door = "slack",
    ) -> Outcome:
        """Seals before anything is stored; what was sealed by itself before is taken by the request."""
        _, config = await self._rule("change", target)
        if not values:
            raise Invalid("Name at least one secret to set or to remove.", code="nothing_to_change")
        environment = await self._environments.ensure(_environment(target), secure=config.secure)
        if config.secure and not environment.secure:
            # Made before it was to be secure: what is sealed from now on is, and what lies there moves after it.
            environment = await self._renew(environment.target)
        try:
            found, taking = await self._found(environment, user, values)
        except NotFound:
            before = await self._requests.answered(command_id)
            if before is not None and before.request is not None and _same(before.request, user, target):
                return before  # the same wish once more: it has taken them
            raise
        sealing = await self._environments.seal(environment, found)
        payload = Change(environment_id=environment.id, touches=sealing.touches)
        draft = Draft(self._id(), "change", target, user, user, payload, reason, ticket, door)
        return await self._requests.submit(draft, command_id, sealing.entries, taking=taking)

    async def deploy(
        self,
        user: str,
        target: Target,
        *,
        version: str,
        ref: str | None,
        reason: str,
        ticket: str | None,
        command_id: str,
        door: Door = "slack",
        machine: Machine | Gate | None = None,
    ) -> Outcome:
        """`version` as people call it, `ref` what names the same for ever. `machine`: what asks, where `user` answers for it."""
        await self._rule("deploy", target)
        payload = deployment(version, ref)
        draft = Draft(self._id(), "deploy", target, user, user, payload, reason, ticket, door, machine)
        return await self._requests.submit(draft, command_id)

    async def rollback(
        self,
        user: str,
        target: Target,
        to: int,
        *,
        reason: str,
        ticket: str | None,
        command_id: str,
        names: Collection[str] = (),
        door: Door = "slack",
    ) -> Outcome:
        """A change like any other, whose entries are those of version `to`, of these names, else of all."""
        await self._rule("change", target)
        environment = await self._environments.find(_environment(target))
        if environment is None:
            raise NotFound(f"{target} has no versions yet.", code="unknown_version")
        sealing = await self._versions.rollback(environment, to, names)
        payload = Change(environment_id=environment.id, touches=sealing.touches, back_to=sealing.back_to)
        draft = Draft(self._id(), "change", target, user, user, payload, reason, ticket, door)
        return await self._requests.submit(draft, command_id, sealing.entries)

    async def policies(
        self, user: str, new: PolicySet, *, base: int, reason: str, ticket: str | None, door: Door, command_id: str
    ) -> Outcome:
        """Asks for `new` instead of version `base`."""
        amendment, body = _amendment(new, base)
        draft = Draft(self._id(), "policy", POLICIES, user, user, amendment, reason, ticket, door)
        return await self._requests.submit(draft, command_id, policies=body)

    async def holder(
        self, user: str, holder: Enrolling, *, reason: str, ticket: str | None, door: Door, command_id: str
    ) -> Outcome:
        """Asks for a key holder to be added or removed."""
        draft = Draft(self._id(), "policy", POLICIES, user, user, holder, reason, ticket, door)
        return await self._requests.submit(draft, command_id)

    async def machine(
        self, user: str, machine: Minting, *, reason: str, ticket: str | None, door: Door, command_id: str
    ) -> Outcome:
        """Asks for a machine to be let in."""
        draft = Draft(self._id(), "policy", POLICIES, user, user, machine, reason, ticket, door)
        return await self._requests.submit(draft, command_id)

    async def other_policies(self, request: Request, command: Edit, new: PolicySet, *, base: int) -> Outcome:
        """The same request, for `new` instead of version `base`."""
        amendment, body = _amendment(new, base)
        return await self._requests.apply(request.id, replace(command, amendment=amendment), policies=body)

    async def extend(
        self,
        user: str,
        request: str,
        *,
        duration_ms: int,
        reason: str,
        ticket: str | None,
        command_id: str,
        door: Door = "slack",
    ) -> Outcome:
        """More time for what is held already: a request of its own."""
        grant = await self._requests.get(request)
        held = grant.request
        rule = rule_for(held.kind, held.asked, grant.policy_now)
        lease, _ = more_for(grant, user, rule.access.max_ms)
        payload = Extending(parent=held.id, until_ms=lease.until_ms, duration_ms=duration_ms)
        draft = Draft(self._id(), held.kind, held.asked, user, held.beneficiary, payload, reason, ticket, door)
        return await self._requests.submit(draft, command_id)

    async def edit(
        self, request: Request, command: Edit, values: Mapping[str, Value | Pasted], left: Collection[str]
    ) -> Outcome:
        """`values` are sealed into the change, over what it sets; the names `left` are touched no more. With neither it stays as it is."""
        if not isinstance(request.payload, Change) or not (values or left):
            return await self._requests.apply(request.id, command)
        environment = await self._environments.find(request.target)
        if environment is None or environment.id != request.payload.environment_id:
            raise Conflict(
                f"{request.target} is another environment by now. Withdraw this, and ask anew.", code="no_environment"
            )
        try:
            found, taking = await self._found(environment, command.actor, values)
        except NotFound:
            if (before := await self._requests.answered(command.id, request.id)) is not None:
                return before
            raise
        sealing = await self._environments.seal(environment, found)
        out = {*left, *values}
        kept = [touch for touch in request.payload.touches if touch.name not in out]
        sealed = await self._environments.pending(request)
        ids = [touch.entry.entry_id for touch in kept if touch.entry is not None]
        entries = [*(sealed[entry] for entry in ids if entry in sealed), *sealing.entries]
        if values:  # what several edits bring is not more than one request may
            check_request([len(entry.ciphertext) for entry in entries])
        touches = tuple(sorted((*kept, *sealing.touches), key=lambda touch: touch.name))
        return await self._requests.apply(request.id, replace(command, touches=touches), entries, taking=taking)

    async def _found(
        self, environment: Environment, user: str, values: Mapping[str, Value | Pasted]
    ) -> tuple[dict[str, Value], Taking | None]:
        """With the values that references stand for."""
        found: dict[str, Value] = {}
        members = []
        for name, value in values.items():
            if isinstance(value, Pasted):
                member, found[name] = await self._blobs.look(environment, user, value.reference, name)
                members.append(member)
            else:
                found[name] = value
        if len(members) != len(set(members)):
            raise Invalid(
                "A reference stands for one name only. Seal the value once more for the other.", code="bad_reference"
            )
        return found, Taking(user, tuple(members)) if members else None

    async def _renew(self, target: str) -> Environment:
        """Raises `Unavailable` where fewer than two key holders work."""
        if self._epochs is None:
            raise Unavailable(
                f"{target} is to be secure, and is not yet. Try again in a minute.", code="not_secure_yet"
            )
        return await self._epochs.renew(target, actor=CLOCK, secure=True)

    async def _rule(self, kind: str, target: Target) -> tuple[Policy, TargetConfig]:
        policies: PolicySet = await self._policies.current()
        rule = rule_for(kind, target, policies)
        config = policies.target(target)
        if config is None:
            raise Invalid(f"There is no target {target} here.", code="unknown_target")
        return rule, config

    def _id(self) -> str:
        return request_id(self._random(7))


def _same(request: Request, user: str, target: Target) -> bool:
    return (request.requester, request.target, request.kind) == (user, target.id, "change")


def _amendment(new: PolicySet, base: int) -> tuple[Amendment, str]:
    body = new.model_copy(update={"number": base + 1}).to_json()
    return Amendment(base=base, content=fingerprint(body)), body


def _environment(target: Target) -> str:
    if target.kind != "environment":
        raise Invalid(f"{target} is not an environment: those look like payments/prod.", code="not_an_environment")
    return target.id
