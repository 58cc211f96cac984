"""Pictures: the facts that cards, messages and App Home are drawn from, gathered."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bot.slack.views import why
from bot.slack.views.facts import Block, CardFacts, HomeFacts, Offer, Terms, WhoIsAsked
from bot.slack.views.home import LOCKS_MOST
from store.model.errors import AccessError
from store.model.explain import LASTING, Explanation, Question, everybody, explain, of_request
from store.model.explain import wanted as groups_of
from store.model.identity import Target
from store.model.lifecycle import World, rule_for
from store.model.people import Directory, People, Wanted
from store.model.policy import Policy, PolicySet
from store.model.request import Request
from store.model.standing import may_act, may_review, reachable, rules_for, still_needed, wanted
from store.redis.deliveries import Deliveries
from store.redis.environments import Environments
from store.redis.locks import Locks
from store.redis.policies import Policies
from store.redis.requests import Requests

ON_HOME: Final = 10  # requests a section
COUNTED: Final = 500  # that wait for somebody; more are said to be so many
PERSONS_MOST: Final = 40  # looked up for one explanation: Slack allows a hundred a minute, and clicks need them too


class Pictures:
    def __init__(
        self,
        requests: Requests,
        policies: Policies,
        environments: Environments,
        deliveries: Deliveries,
        directory: Directory,
        locks: Locks,
    ) -> None:
        self._requests = requests
        self._policies = policies
        self._environments = environments
        self._deliveries = deliveries
        self._directory = directory
        self._locks = locks

    async def card(self, request_id: str) -> tuple[World, CardFacts]:
        """Raises `NotFound`."""
        world = await self._requests.get(request_id)
        return world, await self.facts(world)

    async def facts(self, world: World, *, patient: bool = False) -> CardFacts:
        """Where not `patient`, a vote whose facts are missing does not count in it. Raises `Unavailable` only where it is."""
        request, rules = world.request, world.rules
        people = (
            await self._directory.people(wanted(request, rules), patient=patient) if rules else People(world.now_ms)
        )
        target = world.policy_now.target(request.asked)
        return CardFacts(
            request=request,
            rules=rules,
            debt=world.debt,
            needed=tuple(still_needed(request, rules, people)) if rules else (),
            shows=target is not None and target.shows,
            deliveries=await self._deliveries.of(request.id, request.hooks),
            asked=tuple(sorted(rules.now.approvers)) if rules else (),
        )

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
        people = await (self._everybody(first, rule) if rule is not None else self._directory.people(first))
        return explain(question, policies, people)

    async def _everybody(self, first: Wanted, rule: Policy) -> People:
        """The groups, and then those in them, as far as there is time for."""
        people = await self._directory.people(first)
        persons = sorted(everybody(rule, people))[:PERSONS_MOST]
        return await self._directory.people(first | Wanted(users=frozenset(persons)))

    async def several(self, requests: Sequence[Request]) -> tuple[CardFacts, ...]:
        return tuple([(await self.card(request.id))[1] for request in requests])

    async def waiting(self, user: str) -> tuple[list[Request], int]:
        """Pending requests that this person may decide, and how many more there are."""
        policies = await self._policies.current()
        groups = frozenset(principal for principal in policies.approvers if principal.startswith("S"))
        people = await self._directory.people(Wanted(users=frozenset((user,)), groups=groups))
        mine = [group.id for group in people.groups.values() if user in group.members]
        found: list[Request] = []
        ids = await self._requests.waiting([user, *mine], most=COUNTED)
        read = 0
        while len(found) < ON_HOME and read < len(ids):
            for request in await self._requests.read(ids[read : read + ON_HOME]):
                rules = rules_for(request, await self._policies.get(request.policy), policies)
                if request.state == "pending" and rules and may_review(request, rules, user, people).may:
                    found.append(request)  # unless it was decided since the index was read; what it owes stands below
            read += ON_HOME
        more = len(ids[read:])  # some may be their own, or not theirs for another reason: reading them all would say so
        owed = []
        for request in await self._requests.listed("debts", most=ON_HOME, newest_first=False):
            if any(request.id == other.id for other in found):
                continue  # its glass was broken between the two readings
            world = await self._requests.get(request.id)
            if (
                world.rules
                and world.debt
                and world.debt.by != user
                and may_review(request, world.rules, user, people).may
            ):
                owed.append(request)
        both = [*owed, *found]
        return both[:ON_HOME], more + max(0, len(both) - ON_HOME)

    async def mine(self, user: str, *, most: int = 100) -> list[Request]:
        return await self._requests.listed(f"mine:{user}", most=most)

    async def home(self, user: str, health: Sequence[str] = ()) -> HomeFacts:
        """Raises `Unavailable`."""
        policies = await self._policies.current()
        waiting, more_waiting = await self.waiting(user)
        live = await self._requests.listed(f"live:{user}", most=ON_HOME)
        asked = [request for request in await self.mine(user) if not request.ended and request not in live]
        people = await self._directory.people(Wanted(users=frozenset((user,)), groups=policies.owners.groups))
        owner = policies.owners.has(user, people)
        locks, more_locks = await self._locks.holding(most=LOCKS_MOST) if owner else ([], 0)
        more = {"waiting": more_waiting, "mine": max(0, len(asked) - ON_HOME), "locks": more_locks}
        return HomeFacts(
            user=user,
            waiting=await self.several(waiting),
            mine=await self.several(asked[:ON_HOME]),
            grants=await self.several(live),
            offers=tuple(await self.offers(user, policies)),
            health=tuple(health) if owner else None,
            locks=tuple(locks),
            more={name: count for name, count in more.items() if count},
        )

    async def offers(self, user: str, policies: PolicySet) -> list[Offer]:
        """What this person may ask for, by the rules of now."""
        people = await self._directory.people(Wanted(users=frozenset((user,)), groups=policies.requesting_groups))
        if may_act(user, people).may is not True:
            return []
        mine = frozenset(group.id for group in people.groups.values() if user in group.members)
        return [Offer(kind, target) for kind, target in policies.offers(mine | {user})]

    async def knows(self, user: str) -> bool:
        """Whether what this person may ask for could be told: Slack has said who they are, and who is in the groups that may ask."""
        policies = await self._policies.current()
        wants = Wanted(users=frozenset((user,)), groups=policies.requesting_groups)
        return not (await self._directory.people(wants)).lacks(wants)

    async def terms(
        self, user: str, kind: str, target: Target, duration_ms: int | None = None, *, within_s: float | None = None
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
        question = Question(user, kind, target, length)
        try:
            async with asyncio.timeout(within_s):
                people, asking = await self._everybody(groups_of(question, policies), rule), False
        except TimeoutError:
            people, asking = People(as_of_ms=0), True
        refusal = None
        if rule.requesters.has(user, people) is False:
            refusal = f"The rule “{rule.name}” does not name you among those who may ask for {target}."
        elif not people.lacks(rule.wanted) and not reachable(rule, () if rule.self_approval else (user,), people):
            refusal = "Nobody could approve this but you. Ask an owner to change the rule."
        names: tuple[str, ...] = ()
        if kind == "change" and (environment := await self._environments.find(target.id)) is not None:
            names = tuple(sorted((await self._environments.head(environment.id)).entries))
        return Terms(
            who=WhoIsAsked(explain(question, policies, people), refusal, asking),
            default_ms=rule.access.default_ms,
            max_ms=rule.access.max_ms,
            grant_expiration_ms=rule.access.grant_expiration_ms,
            reason_required=rule.reason.required,
            ticket=rule.ticket,
            enters=config is not None and config.enters,
            names=names,
        )
