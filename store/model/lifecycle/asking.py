"""Asking: a draft becomes a request, or an error says why not."""

from dataclasses import dataclass
from typing import Final

from store.model.effect import ShowCard
from store.model.errors import Conflict, Forbidden, Invalid
from store.model.identity import POLICIES, Target, canonical, shown
from store.model.lifecycle.deploying import deploying
from store.model.lifecycle.extending import admit, decide_by, waits
from store.model.lifecycle.reminding import next_calls
from store.model.lifecycle.world import Transition, World, audit, changed, demand, spoken
from store.model.people import People, Wanted, not_told
from store.model.policy import Policy, PolicySet, TargetConfig
from store.model.request import (
    REASON_MOST,
    Amendment,
    Change,
    Deployment,
    Door,
    Enrolling,
    Extending,
    Gate,
    Joining,
    Kind,
    Machine,
    Minting,
    Opening,
    Payload,
    Request,
    digest,
)
from store.model.standing import Standing, may_act, reachable


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to ask. `id` is minted by the door."""

    id: str
    kind: Kind
    target: Target
    requester: str
    beneficiary: str
    payload: Payload
    reason: str = ""
    ticket: str | None = None
    door: Door = "slack"
    machine: Machine | Gate | None = None  # what asks; `requester` is who answers for it

    @property
    def asker(self) -> str:
        return self.requester if self.machine is None else self.machine.actor


def wanted_to_ask(draft: Draft, rule: Policy, policies: PolicySet) -> Wanted:
    asking = rule.wanted | Wanted(users=frozenset((draft.requester, draft.beneficiary)))
    return asking | policies.owners.wanted if isinstance(draft.payload, Minting) else asking


def rule_for(kind: str, target: Target, policies: PolicySet) -> Policy:
    """Raises `Invalid` for a target nobody listed, `Forbidden` where no rule decides."""
    if policies.target(target) is None:
        raise Invalid(
            f"There is no target {target} here. Ask an owner to list it in the policies.", code="unknown_target"
        )
    rule = policies.rule(kind, target)
    if rule is None:
        raise Forbidden(f"No rule says who may decide “{kind}” for {target}, so it is refused.", code="no_rule")
    return rule


def admitted(draft: Draft, policies: PolicySet, people: People, now_ms: int, parent: Request | None = None) -> Policy:
    """The rule it is asked under. `parent`: what an extension would extend.

    Raises `Invalid`, `Forbidden`, or `Conflict` where nobody could ever decide it.
    """
    rule = rule_for(draft.kind, draft.target, policies)
    if people.lacks(wanted_to_ask(draft, rule, policies)):
        raise not_told("you and the approvers are")
    demand(may_act(draft.requester, people))
    if (person := people.persons[draft.beneficiary]).barred:
        raise Forbidden(f"This is for {person.name}, and they are {person.barred}.", code="forbidden")
    # A machine asks by the token that was approved for it: who answers for it need not be among those who may ask.
    asks = rule.requesters.has(draft.requester, people) if draft.machine is None else draft.kind == "deploy"
    demand(
        Standing(may=asks, why=f"The rule “{rule.name}” does not name you among those who may ask for {draft.target}.")
    )
    if isinstance(draft.payload, Minting):
        demand(Standing(policies.owners.has(draft.requester, people), "Only owners ask for the token of a machine."))
    _check_beneficiary(draft, rule, people)
    _check_words(draft, rule)
    if isinstance(draft.payload, Extending):
        admit(draft.requester, draft.beneficiary, draft.kind, draft.target.id, draft.payload, rule, parent, now_ms)
    else:
        _check_payload(draft, policies)
    if isinstance(draft.payload, Opening | Joining | Extending) and draft.payload.duration_ms > rule.access.max_ms:
        raise Invalid(f"{draft.target} can be had for {spoken(rule.access.max_ms)} at most.", code="too_long")
    if not reachable(rule, () if rule.self_approval else (draft.requester, draft.beneficiary), people):
        raise Conflict(
            f"Nobody could approve this: apart from you, the rule “{rule.name}” names too few people who may. Ask an owner to change it.",
            code="unreachable",
        )
    return rule


def submit(
    draft: Draft,
    installation: str,
    policies: PolicySet,
    people: People,
    now_ms: int,
    grant: World | None = None,
) -> Transition:
    """Takes a request in. `grant`: what an extension would extend, and what lies beside it. Raises as `admitted` does."""
    parent = grant.request if grant is not None else None
    rule = admitted(draft, policies, people, now_ms, parent)
    request = Request(
        id=draft.id,
        kind=draft.kind,
        target=draft.target.id,
        requester=draft.requester,
        beneficiary=draft.beneficiary,
        payload=draft.payload,
        reason=draft.reason.strip(),
        ticket=draft.ticket,
        door=draft.door,
        machine=draft.machine,
        digest="",
        policy=policies.number,
        rule=rule.name,
        created_ms=now_ms,
        since_ms=now_ms,
        timers={"deadline": decide_by(draft.payload, rule, now_ms), **next_calls(rule, now_ms, now_ms)},
    )
    request = changed(request, digest=digest(installation, request))
    return Transition(
        request,
        "Asked. The card shows how it goes, and you get a message when it is decided.",
        audit=(
            audit(
                request,
                "request.submitted",
                request.asker,
                now_ms,
                rule=rule.name,
                policy=policies.number,
                door=draft.door if draft.door != "slack" else None,
                machine=draft.machine.name if draft.machine is not None else None,
                answers=draft.requester if draft.machine is not None else None,
            ),
        ),
        effects=tuple(ShowCard(request=each.id) for each in (request, parent) if each is not None),
        siblings=(waits(grant, request),) if grant is not None else (),
        good_until_ms=min(people.good_until_ms, request.timers["deadline"]),
    )


def _check_beneficiary(draft: Draft, rule: Policy, people: People) -> None:
    """Nobody has for somebody what they could not ask for themselves."""
    if draft.beneficiary == draft.requester:
        return
    name = people.persons[draft.beneficiary].name
    if rule.requesters.has(draft.beneficiary, people) is not True:
        why = f"The rule “{rule.name}” does not name {name} among those who may have {draft.target}."
        raise Forbidden(why, code="not_for_them")


# What is asked under a kind of another name.
_KINDS: Final = {"enrolling": "policy", "minting": "policy"}


def _check_payload(draft: Draft, policies: PolicySet) -> None:
    """A rule was found by kind and target, so the payload must be of that kind and of that target."""
    payload, config = draft.payload, policies.target(draft.target)
    if _KINDS.get(payload.type, payload.type) != draft.kind:
        raise Invalid(f"This is not what a request of the kind “{draft.kind}” asks for.", code="other_kind")
    if isinstance(payload, Amendment):
        amendable(payload, policies)
        return
    if isinstance(payload, Enrolling):
        if draft.target != POLICIES:
            raise Invalid(f"Key holders are decided on under {POLICIES}.", code="other_target")
        return
    if isinstance(payload, Minting):
        _check_machine(draft, payload, policies)
        return
    if isinstance(payload, Deployment):
        if isinstance(draft.machine, Gate):
            _check_gate(draft, draft.machine, config)
        elif not deploying(config, draft.target):
            name = draft.target.id.partition("#")[2]
            which = f"named {name} " if name else ""
            raise Invalid(
                f"No hook {which}deploys {draft.target}: an owner adds one with “deploy” among its events.",
                code="no_hook",
            )
        return
    if not isinstance(payload, Joining):
        if draft.target.kind != "environment":
            # An application may have a rule of its own, but the secrets are those of the whole environment.
            raise Invalid(f"Secrets belong to an environment, and {draft.target} is none.", code="no_environment")
        names = [touch.name for touch in payload.touches] if isinstance(payload, Change) else []
        if len(names) != len(set(names)):
            raise Invalid("A change names each secret once.", code="named_twice")
        return
    of = payload.membership
    if config is None or (config.connector, config.group, draft.beneficiary) != (of.connector, of.group, of.user):
        raise Invalid(f"{draft.target} is another membership than this.", code="other_membership")


def _check_gate(draft: Draft, gate: Gate, config: TargetConfig | None) -> None:
    """Which environment of GitHub is which target, and who answers for it, was approved with the policies."""
    if not any(hook.holder == draft.requester for hook in deploying(config, draft.target, gate)):
        raise Invalid(
            f"No hook of {draft.target} is for the environment {shown(gate.environment)} of {gate.repository}.",
            code="no_hook",
        )


def _check_machine(draft: Draft, machine: Minting, policies: PolicySet) -> None:
    if draft.target != POLICIES or draft.beneficiary != draft.requester:
        raise Invalid(f"Machines are let in under {POLICIES}, by who asks for them.", code="other_target")
    if len(set(machine.targets)) < len(machine.targets) or len(set(machine.actions)) < len(machine.actions):
        raise Invalid("Name each target and each action once.", code="named_twice")
    targets = [canonical(target) for target in machine.targets]
    if unlisted := [target for target in targets if not policies.target(target)]:
        raise Invalid(f"There is no target {unlisted[0]} here.", code="unknown_target")
    for target in targets:
        if target.environment is None or ("read" in machine.actions and target.kind != "environment"):
            raise Invalid(
                f"A machine reads the secrets of environments, and deploys those or applications in them: {target} is none.",
                code="no_environment",
            )


def amendable(amendment: Amendment, policies: PolicySet) -> None:
    """Raises `Conflict` where other policies are in force than those that it would replace."""
    if amendment.base != policies.number:
        raise Conflict(
            f"This was made on top of version {amendment.base} of the policies, and version {policies.number} is in force now. Apply the file again.",
            code="other_base",
        )


def _check_words(draft: Draft, rule: Policy) -> None:
    if rule.reason.required and not draft.reason.strip():
        raise Invalid("Say why: the people who decide need a reason.", code="reason_required")
    if len(draft.reason) > REASON_MOST:
        raise Invalid(f"The reason is too long: {REASON_MOST:,} characters are the limit.", code="reason_too_long")
    if rule.ticket is None:
        return
    if not draft.ticket:
        if rule.ticket.required:
            raise Invalid("Name the ticket this belongs to.", code="ticket_required")
    elif not rule.ticket.matches(draft.ticket):
        raise Invalid(f"The ticket must look like {rule.ticket.pattern}.", code="bad_ticket")
