"""Explanation: what a policy set makes of one request before anybody is asked, as facts that every door puts into words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from store.model.identity import Target
from store.model.lifecycle.deploying import deploying
from store.model.people import Group, People, Wanted
from store.model.policy import Circle, Policy, PolicySet, TargetConfig, Threshold, covers, places_open
from store.model.request import Request
from store.model.standing import Rules, may_review

LASTING: Final = ("open", "access")  # the actions that are asked for a time
NEEDS: Final = {  # what an action is asked for
    "change": ("environment",),
    "open": ("environment",),
    "deploy": ("environment", "application"),
    "access": ("role",),
    "policy": ("policy",),
}

Hindrance: TypeAlias = Literal[
    "unknown_target", "no_rule", "other_kind", "no_hook", "barred", "not_requester", "too_long", "unreachable"
]
Counts: TypeAlias = Callable[[Circle, str], bool | None]


@dataclass(frozen=True, slots=True)
class Question:
    """Who would ask for what. `duration_ms` None: what the rule gives by itself. `beneficiary` None: for who asks."""

    user: str
    action: str
    target: Target
    duration_ms: int | None = None
    beneficiary: str | None = None

    @property
    def own(self) -> tuple[str, ...]:
        """Whom it concerns: where the rule says so, they do not decide it."""
        return (self.user,) if self.beneficiary in (None, self.user) else (self.user, self.beneficiary)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody a circle names. `why_not`: words that follow their name; empty where they could."""

    user: str
    groups: tuple[str, ...] = ()  # through which; none where the list names them
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Filling:
    """One threshold, and who there is for it now. `unknown`: groups of which nobody has told us the members."""

    threshold: Threshold
    candidates: tuple[Candidate, ...]
    unknown: tuple[str, ...] = ()

    @property
    def able(self) -> tuple[Candidate, ...]:
        return tuple(candidate for candidate in self.candidates if not candidate.why_not)

    @property
    def unable(self) -> tuple[Candidate, ...]:
        return tuple(candidate for candidate in self.candidates if candidate.why_not)


@dataclass(frozen=True, slots=True)
class Explanation:
    """`verdict` "depends": a fact that is missing decides. Without a rule everything after `near` is empty."""

    question: Question
    verdict: Literal["possible", "depends", "refused"]
    hindrances: tuple[Hindrance, ...] = ()
    barred: str = ""  # why the asker may do nothing here; words that follow "they are"
    near: tuple[Policy, ...] = ()  # where no rule decides: the rules for this target, which are about other actions
    rule: Policy | None = None
    number: int = 0  # of the rule, from 1
    rules: int = 0  # how many there are
    shadowed: tuple[tuple[int, str], ...] = ()  # later rules that cover this too, and never decide it
    asks: bool | None = None
    through: tuple[str, ...] = ()  # groups that make the asker a requester
    fillings: tuple[Filling, ...] = ()
    enough: bool | None = None  # could different people fill all places at once?
    lacking: tuple[Threshold, ...] = ()  # the places nobody is left for, if everybody else agrees
    duration_ms: int | None = None
    channel: str | None = None
    passers: tuple[Candidate, ...] = ()  # who could break the glass
    passers_unknown: tuple[str, ...] = ()

    @property
    def needed(self) -> int:
        return sum(filling.threshold.count for filling in self.fillings)

    @property
    def able(self) -> frozenset[str]:
        return frozenset(candidate.user for filling in self.fillings for candidate in filling.able)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Groups that nobody has told us of."""
        found = {group for filling in self.fillings for group in filling.unknown} | {*self.passers_unknown}
        if self.rule is not None and self.asks is None:
            found |= self.rule.requesters.groups
        return tuple(sorted(found))


def wanted(question: Question, policies: PolicySet) -> Wanted:
    """The groups to know first; then who is in them: `everybody`."""
    asker = Wanted(users=frozenset(question.own))
    rule = policies.rule(question.action, question.target)
    return asker if rule is None else rule.wanted | asker


def everybody(rule: Policy, people: People) -> frozenset[str]:
    """Whose own facts the answer names, as far as the groups are known."""
    circles = (rule.bypassers, *(threshold.circle for threshold in rule.approvals))
    return frozenset().union(*(circle.members(people) for circle in circles))


def explain(question: Question, policies: PolicySet, people: People, counts: Counts | None = None) -> Explanation:
    """`counts` says whether a circle names a user, for who knows better than the ids do."""
    rule = policies.rule(question.action, question.target)
    config = policies.target(question.target)
    if rule is None or config is None:
        near = tuple(each for each in policies.policies if any(covers(at, question.target) for at in each.targets))
        missing: Hindrance = "unknown_target" if config is None else "no_rule"
        return Explanation(
            question, "refused", (missing,), near=() if config is None else near, rules=len(policies.policies)
        )
    counted: Counts = counts or (lambda circle, user: circle.has(user, people))
    person = people.persons.get(question.user)
    asks = counted(rule.requesters, question.user)
    own = () if rule.self_approval else question.own
    filled = fillings(rule, people, lambda user: _own(question, user) if user in own else barred(user, people))
    enough, lacking = _together(filled, people)
    length = question.duration_ms or (rule.access.default_ms if question.action in LASTING else None)
    found = _hindrances(
        question, rule, config, length, asks=asks, enough=enough, barred=person is not None and bool(person.barred)
    )
    number = policies.policies.index(rule) + 1
    soft = rule.enforcement == "soft" and question.action != "policy"
    passers, passers_unknown = _named(rule.bypassers, people, lambda user: barred(user, people)) if soft else ((), ())
    sure = asks is True and enough is True and person is not None
    return Explanation(
        question,
        "refused" if found else "possible" if sure else "depends",
        found,
        barred=(person.barred or "") if person is not None else "",
        rule=rule,
        number=number,
        rules=len(policies.policies),
        shadowed=tuple(_shadowed(question, policies, number)),
        asks=asks,
        through=tuple(group for group in sorted(rule.requesters.groups) if _member(question.user, group, people)),
        fillings=filled,
        enough=enough,
        lacking=lacking,
        duration_ms=length,
        channel=config.channel,
        passers=passers,
        passers_unknown=passers_unknown,
    )


def fillings(policy: Policy, people: People, why_not: Callable[[str], str]) -> tuple[Filling, ...]:
    """`why_not` says of one user why their approval would not count; empty where it would."""
    found = []
    for threshold in policy.approvals:
        candidates, unknown = _named(threshold.circle, people, why_not)
        found.append(Filling(threshold, candidates, unknown))
    return tuple(found)


def of_request(request: Request, rules: Rules, people: People) -> tuple[Filling, ...]:
    """Who could still approve a request that was made, under the rule of now, and who could not and why."""
    approved = {review.by for review in request.votes("approve")}

    def why_not(user: str) -> str:
        if not rules.self_approval and user in (request.requester, request.beneficiary):
            return "asked for it" if user == request.requester else "gets it"
        if why := barred(user, people):
            return why
        if may_review(request, rules, user, people).may is False:
            return "may not approve by the rule it was asked under"
        return "has approved it" if user in approved else ""

    return fillings(rules.now, people, why_not)


def _own(question: Question, user: str) -> str:
    return "asks for it" if user == question.user else "gets it"


def barred(user: str, people: People) -> str:
    """Words that follow a name. Who is not known yet is not barred."""
    person = people.persons.get(user)
    return f"is {person.barred}" if person is not None and person.barred else ""


def _named(
    circle: Circle, people: People, why_not: Callable[[str], str]
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    groups = sorted(circle.groups)
    candidates = tuple(
        Candidate(user, tuple(group for group in groups if _member(user, group, people)), why_not(user))
        for user in sorted(circle.members(people))
    )
    return candidates, tuple(group for group in groups if group not in people.groups)


def _member(user: str, group: str, people: People) -> bool:
    return group in people.groups and user in people.groups[group].members


def _together(filled: tuple[Filling, ...], people: People) -> tuple[bool | None, tuple[Threshold, ...]]:
    """Different people for all places, out of those who could; None where it hangs on groups that are not known."""
    thresholds = [filling.threshold for filling in filled]
    able = {candidate.user for filling in filled for candidate in filling.able}
    if not (lacking := tuple(places_open(thresholds, able, people))):
        return True, ()
    unknown = {group for filling in filled for group in filling.unknown}
    crowd = _crowded(unknown, sum(threshold.count for threshold in thresholds), people)
    strangers = {user for group in unknown for user in crowd.groups[group].members}
    still = tuple(places_open(thresholds, able | strangers, crowd))
    return (False, still) if still else (None, lacking)


def _crowded(unknown: Iterable[str], needed: int, people: People) -> People:
    """As many people in every unknown group as could be needed: what cannot be met then cannot be met at all."""
    groups = {
        group: Group(id=group, handle=group, members=frozenset(f"UX{place}X{number}" for number in range(needed)))
        for place, group in enumerate(sorted(unknown))
    }
    return replace(people, groups={**people.groups, **groups})


def _hindrances(
    question: Question,
    rule: Policy,
    config: TargetConfig,
    length: int | None,
    *,
    asks: bool | None,
    enough: bool | None,
    barred: bool,
) -> tuple[Hindrance, ...]:
    """Everything that stands in the way, not only the first."""
    found: list[tuple[Hindrance, bool]] = [
        ("other_kind", question.target.kind not in NEEDS[question.action]),
        ("no_hook", question.action == "deploy" and not deploying(config, question.target)),
        ("barred", barred),
        ("not_requester", asks is False),
        ("too_long", length is not None and length > rule.access.max_ms),
        ("unreachable", enough is False),
    ]
    return tuple(hindrance for hindrance, is_there in found if is_there)


def _shadowed(question: Question, policies: PolicySet, number: int) -> Iterable[tuple[int, str]]:
    for place, rule in enumerate(policies.policies[number:], start=number + 1):
        if question.action in rule.actions and any(covers(pattern, question.target) for pattern in rule.targets):
            yield place, rule.name
