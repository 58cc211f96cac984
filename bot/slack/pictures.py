"""Pictures: the facts that cards, messages and App Home are drawn from, gathered."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from bot.proposing import concerned, proposal
from bot.slack.queue import Queues, principals
from bot.slack.views import why
from bot.slack.views.facts import Block, CardFacts, Offer, Proposed, Terms, WhoIsAsked
from store.model.errors import AccessError, Unavailable
from store.model.explain import LASTING, Explanation, Question, everybody, explain, of_request
from store.model.explain import wanted as groups_of
from store.model.freeze import frozen_until as in_freeze
from store.model.identity import Target
from store.model.lifecycle import World, rule_for
from store.model.lifecycle.deploying import frozen_until, starts_ms
from store.model.lifecycle.world import demand
from store.model.people import Directory, People, Wanted
from store.model.policy import Asked, Policy, PolicySet
from store.model.request import Amendment, Change
from store.model.sealed import TAMPERED
from store.model.standing import may_act, may_bypass, may_review, reachable, still_needed, wanted
from store.redis.cautions import Cautions
from store.redis.deliveries import Deliveries
from store.redis.environments import Environments
from store.redis.policies import Policies
from store.redis.requests import Requests

PATIENCE_S: Final = 3.0  # for the cautions on a card that nobody waits for
SIBLINGS_MOST: Final = 20
LISTED: Final = 10  # requests in an answer to a command
PERSONS_MOST: Final = 40  # looked up for one explanation: Slack allows a hundred a minute, and clicks need them too

log = structlog.stdlib.get_logger(__name__)


class Pictures:
    def __init__(
        self,
        requests: Requests,
        policies: Policies,
        environments: Environments,
        deliveries: Deliveries,
        directory: Directory,
        cautions: Cautions,
        now_ms: Callable[[], int],
    ) -> None:
        self._requests = requests
        self._queues = Queues(requests, policies)
        self._policies = policies
        self._environments = environments
        self._deliveries = deliveries
        self._directory = directory
        self._cautions = cautions
        self._now_ms = now_ms

    async def card(self, request_id: str) -> tuple[World, CardFacts]:
        """Raises `NotFound`."""
        world = await self._requests.get(request_id)
        return world, await self.facts(world)

    async def cautioned(self, world: World, facts: CardFacts, *, within_s: float = PATIENCE_S) -> CardFacts:
        """With what approvers are told of the values of a change that waits for them. It raises nothing: no decision waits for it."""
        request = world.request
        if not isinstance(request.payload, Change) or request.state not in ("pending", "approved"):
            return facts
        siblings = _siblings(request.asked, world.policy_now)
        try:
            async with asyncio.timeout(within_s):
                return replace(facts, cautions=await self._cautions.of(request, siblings))
        except (AccessError, TimeoutError):
            log.info("cautions not worked out", request=request.id)
            return replace(facts, cautions=None)

    async def facts(self, world: World, *, patient: bool = False) -> CardFacts:
        """Where not `patient`, a vote whose facts are missing does not count in it. Raises `Unavailable` only where it is."""
        request, rules = world.request, world.rules
        people = (
            await self._directory.people(wanted(request, rules), patient=patient) if rules else People(world.now_ms)
        )
        return await self._facts(world, people, patient=patient)

    async def _facts(
        self, world: World, people: People, *, patient: bool = False, reader: str | None = None
    ) -> CardFacts:
        request, rules = world.request, world.rules
        target = world.policy_now.target(request.asked)
        proposed = await self._proposed(world, patient=patient) if request.kind == "policy" else None
        return CardFacts(
            request=request,
            rules=rules,
            debt=world.debt,
            needed=tuple(still_needed(request, rules, people)) if rules else (),
            shows=target is not None and target.shows,
            deliveries=await self._deliveries.of(request),
            asked=tuple(sorted(rules.now.approvers)) if rules else (),
            proposed=proposed,
            waits=_waits(world),
            passes=may_bypass(rules, reader, people).may if reader and rules else None,
            **await self._of_deploy(world),
        )

    async def _of_deploy(self, world: World) -> dict[str, Any]:
        """What holds it up, and what to go back to when it is over."""
        request, rules = world.request, world.rules
        if request.kind != "deploy" or (request.ended and request.gate is not None):
            return {}  # what GitHub deploys, it also deploys once more
        if request.run is not None and request.ended:
            return {"back_to": (await self._requests.slots(request)).before(request.asked, request.id)}
        if rules is None or request.state not in ("pending", "approved"):
            return {}
        waits_until = starts_ms(request, rules) if request.state == "approved" and rules.wait_ms else 0
        return {"starts_ms": waits_until or None, "frozen": frozen_until(request, rules, world.now_ms)}

    async def _proposed(self, world: World, *, patient: bool) -> Proposed | None:
        """None where what lies there is not what was asked: then it is not approved either."""
        request = world.request
        amendment = request.payload
        if not isinstance(amendment, Amendment):
            return None
        try:
            new = await self._policies.proposed(request)
        except Unavailable as error:
            if error.detail != TAMPERED:
                raise
            return None
        base, undecided = await self._policies.get(amendment.base), request.state in ("pending", "approved")
        people = await concerned(self._directory, new, patient=patient) if undecided else None
        now = world.policy_now.number
        return proposal(base, new, people, now=now if undecided and now != base.number else None)

    async def why(self, user: str, world: World) -> tuple[str | None, list[Block]]:
        """Why this reader may, or may not, decide it; and while it waits, who else could, by name."""
        request, rules = world.request, world.rules
        if rules is None:
            return None, []
        people = await self._everybody(wanted(request, rules, user), rules.now)
        standing = may_review(request, rules, user, people)
        you = "You may decide this." if standing.may else standing.why
        waits = request.state == "pending"
        return you, why.who(of_request(request, rules, people), user, request.requester) if waits else []

    async def explained(self, question: Question) -> Explanation:
        """What would become of a request, by the policies and people of now. It may ask Slack twice: nobody's click waits for it."""
        policies = await self._policies.current()
        rule = policies.rule(question.action, question.target)
        first = groups_of(question, policies)
        demand(may_act(question.user, await self._directory.people(first)))  # who may not ask is told only that
        people = await (self._everybody(first, rule) if rule is not None else self._directory.people(first))
        return explain(question, policies, people)

    async def _everybody(self, first: Wanted, rule: Policy) -> People:
        """The groups, and then those in them, as far as there is time for."""
        people = await self._directory.people(first)
        persons = sorted(everybody(rule, people))[:PERSONS_MOST]
        return await self._directory.people(first | Wanted(users=frozenset(persons)))

    async def several(self, ids: Sequence[str], *, reader: str | None = None) -> tuple[tuple[CardFacts, ...], Wanted]:
        """Those that are there, in that order, and what Slack has not told yet of the people they are about.

        `reader`: the one person who sees them, and is offered only what they may do.
        """
        worlds = await self._requests.worlds(ids)
        needs = Wanted(users=frozenset((reader,))) if reader else Wanted()
        for world in worlds:
            needs |= wanted(world.request, world.rules) if world.rules else Wanted()
        people = await self._directory.people(needs)  # all at once: each look may wait for Slack
        return tuple([await self._facts(world, people, reader=reader) for world in worlds]), people.missing(needs)

    async def waiting(self, user: str, *, most: int = LISTED) -> tuple[tuple[CardFacts, ...], int]:
        """What waits for this person's word, and how many more there are at the least."""
        policies = await self._policies.current()
        groups = await self._queues.groups(policies)
        people = await self._directory.people(Wanted(frozenset((user,)), groups))
        found = await self._queues.of(user, groups, people, policies, upto=most)
        cards, _ = await self.several(found.ids[:most])
        return cards, len(found.ids) - len(cards) + found.left

    async def mine(self, user: str, *, most: int = 100) -> tuple[CardFacts, ...]:
        ids, *_ = await self._requests.part(f"mine:{user}", first=0, most=most)
        return (await self.several(ids))[0]

    async def offers(self, user: str, policies: PolicySet) -> list[Offer]:
        """What this person may ask for, by the rules of now."""
        people = await self._directory.people(Wanted(users=frozenset((user,)), groups=policies.requesting_groups))
        return offers(user, people, policies)

    async def knows(self, user: str) -> bool:
        """Whether what this person may ask for could be told: Slack has said who they are, and who is in the groups that may ask."""
        policies = await self._policies.current()
        wants = Wanted(users=frozenset((user,)), groups=policies.requesting_groups)
        return not (await self._directory.people(wants)).lacks(wants)

    async def terms(
        self,
        user: str,
        kind: str,
        target: Target,
        duration_ms: int | None = None,
        *,
        beneficiary: str | None = None,
        within_s: float | None = None,
    ) -> Terms:
        """What the form says of this target, for this person, before anybody is asked.

        What is not at hand after `within_s` is left out, and `asking` says so; without it Slack is given its time.
        """
        policies = await self._policies.current()
        try:
            rule = rule_for(kind, target, policies)
        except AccessError as error:
            return Terms(who=WhoIsAsked(refusal=error.sentence))
        config = policies.target(target)
        length = min(duration_ms or rule.access.default_ms, rule.access.max_ms) if kind in LASTING else None
        whom = beneficiary if beneficiary != user else None
        question = Question(user, kind, target, length, whom)
        try:
            async with asyncio.timeout(within_s):
                people, asking = await self._everybody(groups_of(question, policies), rule), False
        except TimeoutError:
            people, asking = People(as_of_ms=0), True
        refusal = None
        if (standing := may_act(user, people)).may is False:
            return Terms(who=WhoIsAsked(refusal=standing.why))
        if rule.requesters.has(user, people) is False:
            refusal = f"The rule “{rule.name}” does not name you among those who may ask for {target}."
        elif not people.lacks(rule.wanted) and not reachable(rule, () if rule.self_approval else (user,), people):
            refusal = "Nobody could approve this but you. Ask an owner to change the rule."
        not_for = whom if whom is not None and rule.requesters.has(whom, people) is False else None
        names: tuple[str, ...] = ()
        if kind == "change" and (environment := await self._environments.find(target.id)) is not None:
            names = tuple(sorted((await self._environments.head(environment.id)).entries))
        return Terms(
            who=WhoIsAsked(explain(question, policies, people), refusal, asking, not_for),
            default_ms=rule.access.default_ms,
            max_ms=rule.access.max_ms,
            grant_expiration_ms=rule.access.grant_expiration_ms,
            reason_required=rule.reason.required,
            ticket=rule.ticket,
            enters=config is not None and config.enters,
            names=names,
            frozen=in_freeze(rule.freeze, self._now_ms()) if kind == "deploy" else None,
        )


def _siblings(target: Target, policies: PolicySet) -> list[str]:
    """The other environments of its project."""
    project = target.id.partition("/")[0]
    found = [name for name in policies.targets if name.startswith(f"{project}/") and "#" not in name]
    return sorted(name for name in found if name != target.id)[:SIBLINGS_MOST]


def _waits(world: World) -> str | None:
    """The request for more time of this one, while nobody has decided it."""
    kin = world.kin
    return kin.id if kin is not None and kin.id == world.request.extension and kin.state == "pending" else None


def offers(user: str, people: People, policies: PolicySet) -> list[Offer]:
    return [Offer(kind, target) for kind, target in offered(user, people, policies)]


def offered(user: str, people: People, policies: PolicySet) -> tuple[tuple[Asked, str], ...]:
    """Kind and target of what they may ask for. Nothing for who may not act, or of whom that is not known."""
    return policies.offers(principals(user, people)) if may_act(user, people).may is True else ()
