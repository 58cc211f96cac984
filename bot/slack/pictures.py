"""Pictures: the facts that cards, messages and App Home are drawn from, gathered."""

from collections.abc import Sequence

from bot.slack.views import why
from bot.slack.views.facts import Block, CardFacts, HomeFacts, Offer, Terms, WhoIsAsked
from store.model.errors import AccessError
from store.model.explain import Explanation, Question, everybody, explain, of_request
from store.model.explain import wanted as groups_of
from store.model.identity import Target
from store.model.lifecycle import World, rule_for
from store.model.people import Directory, People, Wanted
from store.model.policy import Policy, PolicySet
from store.model.request import Request
from store.model.standing import may_act, may_review, reachable, still_needed, wanted
from store.redis.deliveries import Deliveries
from store.redis.environments import Environments
from store.redis.policies import Policies
from store.redis.requests import Requests

ON_HOME = 20  # requests a section
PERSONS_MOST = 40  # looked up for one explanation: Slack allows a hundred a minute, and clicks need them too


class Pictures:
    def __init__(
        self,
        requests: Requests,
        policies: Policies,
        environments: Environments,
        deliveries: Deliveries,
        directory: Directory,
    ) -> None:
        self._requests = requests
        self._policies = policies
        self._environments = environments
        self._deliveries = deliveries
        self._directory = directory

    async def card(self, request_id: str) -> tuple[World, CardFacts]:
        """Raises `NotFound`."""
        world = await self._requests.get(request_id)
        return world, await self.facts(world)

    async def facts(self, world: World) -> CardFacts:
        request, rules = world.request, world.rules
        people = await self._directory.people(wanted(request, rules)) if rules else People(world.now_ms)
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
        groups = frozenset().union(*(policy.approvers for policy in policies.policies)) - {user}
        groups = frozenset(principal for principal in groups if principal.startswith("S"))
        people = await self._directory.people(Wanted(users=frozenset((user,)), groups=groups))
        mine = [group.id for group in people.groups.values() if user in group.members]
        found = []
        for request in await self._requests.waiting([user, *mine], most=200):
            world = await self._requests.get(request.id)
            if world.request.state != "pending" or world.rules is None:
                continue  # decided since the index was read; what it owes stands below
            if may_review(world.request, world.rules, user, people).may:
                found.append(world.request)
        owed = await self._requests.listed("debts", most=ON_HOME, newest_first=False)
        for request in owed:
            world = await self._requests.get(request.id)
            if (
                world.rules
                and world.debt
                and world.debt.by != user
                and may_review(request, world.rules, user, people).may
            ):
                found.append(request)
        return found[:ON_HOME], max(0, len(found) - ON_HOME)

    async def mine(self, user: str, *, most: int = 100) -> list[Request]:
        return await self._requests.listed(f"mine:{user}", most=most)

    async def home(self, user: str, health: Sequence[str] = ()) -> HomeFacts:
        """Raises `Unavailable`."""
        policies = await self._policies.current()
        waiting, more_waiting = await self.waiting(user)
        live = await self._requests.listed(f"live:{user}", most=ON_HOME)
        asked = [request for request in await self.mine(user) if not request.ended and request not in live]
        people = await self._directory.people(Wanted(users=frozenset((user,)), groups=policies.owners.groups))
        more = {"waiting": more_waiting, "mine": max(0, len(asked) - ON_HOME)}
        return HomeFacts(
            user=user,
            waiting=await self.several(waiting),
            mine=await self.several(asked[:ON_HOME]),
            grants=await self.several(live),
            offers=tuple(await self.offers(user, policies)),
            health=tuple(health) if policies.owners.has(user, people) else None,
            more={name: count for name, count in more.items() if count},
        )

    async def offers(self, user: str, policies: PolicySet) -> list[Offer]:
        """What this person may ask for, by the rules of now."""
        groups = frozenset().union(*(policy.requesters.groups for policy in policies.policies))
        people = await self._directory.people(Wanted(users=frozenset((user,)), groups=groups))
        if may_act(user, people).may is not True:
            return []
        found = []
        for name in sorted(policies.targets):
            target = Target.parse(name)
            for kind in (
                ("open", "change") if target.kind == "environment" else ("access",) if target.kind == "role" else ()
            ):
                rule = policies.rule(kind, target)
                if rule is not None and rule.requesters.has(user, people):
                    found.append(Offer(kind, name))
        return found

    async def terms(self, user: str, kind: str, target: Target) -> Terms:
        """What the form says of this target, for this person, before anybody is asked."""
        policies = await self._policies.current()
        try:
            rule = rule_for(kind, target, policies)
        except AccessError as error:
            return Terms(who=WhoIsAsked(refusal=error.sentence))
        config = policies.target(target)
        people = await self._directory.people(rule.wanted | Wanted(users=frozenset((user,))))
        refusal = None
        if rule.requesters.has(user, people) is False:
            refusal = f"The rule “{rule.name}” does not name you among those who may ask for {target}."
        elif not people.lacks(rule.wanted) and not reachable(rule, () if rule.self_approval else (user,), people):
            refusal = "Nobody could approve this but you. Ask an owner to change the rule."
        names: tuple[str, ...] = ()
        if kind == "change" and (environment := await self._environments.find(target.id)) is not None:
            names = tuple(sorted((await self._environments.head(environment.id)).entries))
        return Terms(
            who=WhoIsAsked(rule.approvals, config.channel if config else None, refusal),
            default_ms=rule.access.default_ms,
            max_ms=rule.access.max_ms,
            grant_expiration_ms=rule.access.grant_expiration_ms,
            reason_required=rule.reason.required,
            ticket=rule.ticket,
            enters=config is not None and config.enters,
            names=names,
        )
