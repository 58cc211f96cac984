"""Who may do what to a request, under the policy it was made under and under the policy of now."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from store.model.freeze import frozen_until
from store.model.identity import Target
from store.model.people import People, Wanted
from store.model.policy import ASKED_OF, Circle, Policy, PolicySet, Threshold, one_of, places_open, quorum_met
from store.model.request import Request


@dataclass(frozen=True, slots=True)
class Standing:
    """`may` is None while a fact is missing: then the answer is not "yes" and not yet "no"."""

    may: bool | None
    why: str = ""


YES = Standing(may=True)
UNKNOWN = Standing(may=None, why="Slack has not told us who you are yet.")


@dataclass(frozen=True)
class Rules:
    """Two policies, never merged into one: each predicate must hold under both, each number is the smaller."""

    then: Policy
    now: Policy
    owners: Circle
    always_hard: bool = False  # whatever the policies say

    @cached_property
    def both(self) -> tuple[Policy, ...]:
        return (self.then,) if self.then == self.now else (self.then, self.now)

    @property
    def self_approval(self) -> bool:
        return all(policy.self_approval for policy in self.both)

    @property
    def denials(self) -> int:
        return min(policy.denials for policy in self.both)

    @property
    def soft(self) -> bool:
        return not self.always_hard and all(policy.enforcement == "soft" for policy in self.both)

    @property
    def max_access_ms(self) -> int:
        return min(policy.access.max_ms for policy in self.both)

    @property
    def grant_expiration_ms(self) -> int:
        return min(policy.access.grant_expiration_ms for policy in self.both)

    @property
    def merge_within_ms(self) -> int:
        return min(policy.merge_within_ms for policy in self.both)

    @property
    def request_ttl_ms(self) -> int:
        return min(policy.request_ttl_ms for policy in self.both)

    @property
    def deploy_within_ms(self) -> int:
        return min(policy.deploy_within_ms for policy in self.both)

    @property
    def report_within_ms(self) -> int:
        return min(policy.report_within_ms for policy in self.both)

    @property
    def wait_ms(self) -> int:
        """The longer of the two: each must have been waited for."""
        return max(policy.wait_ms for policy in self.both)

    def frozen_until(self, now_ms: int) -> tuple[int, str] | None:
        """In a window of either; see `freeze.frozen_until`."""
        return frozen_until([window for policy in self.both for window in policy.freeze], now_ms)

    @property
    def max_broken_ms(self) -> int:
        return min(policy.break_glass.max_duration_ms for policy in self.both)

    @property
    def review_within_ms(self) -> int:
        return min(policy.break_glass.review_within_ms for policy in self.both)

    @property
    def merges_at_once(self) -> bool:
        return all(policy.merge == "on-approval" for policy in self.both)

    @property
    def activates_at_once(self) -> bool:
        return all(policy.access.activate == "on-approval" for policy in self.both)

    @property
    def wanted(self) -> Wanted:
        wanted = self.owners.wanted
        for policy in self.both:
            wanted |= policy.wanted
        return wanted


def wanted(request: Request, rules: Rules, *others: str) -> Wanted:
    """The facts a decision on this request needs."""
    reviewers = frozenset(review.by for review in request.reviews)
    return rules.wanted | Wanted(users=reviewers | {request.requester, request.beneficiary, *others})


def may_act(user: str, people: People) -> Standing:
    """Is this an active person of the home workspace?"""
    person = people.persons.get(user)
    if person is None:
        return UNKNOWN
    return Standing(may=False, why=f"You are {person.barred}.") if person.barred else YES


def rules_for(request: Request, then: PolicySet, now: PolicySet) -> Rules | None:
    """By the policies it was made under and those of now. None when either has no rule for this: then nobody decides."""
    former, rule = then.rule(request.kind, request.asked), now.rule(request.kind, request.asked)
    return Rules(former, rule, now.owners, always_hard=request.kind == "policy") if former and rule else None


def may_review(request: Request, rules: Rules, user: str, people: People) -> Standing:
    """May this user's verdict count?"""
    if user in (request.requester, request.beneficiary) and not rules.self_approval:
        return Standing(may=False, why="You cannot review your own request.")
    return is_approver(rules, user, people)


def is_approver(rules: Rules, user: str, people: People) -> Standing:
    """May this user review what others ask for under these rules?"""
    named = _named(rules, "an approver", [policy.may_approve(user, people) for policy in rules.both])
    return _both(may_act(user, people), named)


def may_bypass(rules: Rules, user: str, people: People) -> Standing:
    """May this user break the glass?"""
    if not rules.soft:
        return Standing(
            may=False, why=f"The rule “{rules.now.name}” is hard: nobody passes without the approvals it asks for."
        )
    named = _named(
        rules, "somebody who may break the glass", [policy.bypassers.has(user, people) for policy in rules.both]
    )
    return _both(may_act(user, people), named)


def knowing(target: Target, policies: PolicySet, user: str) -> Wanted:
    """The facts `may_know` looks at."""
    found = policies.owners.wanted | Wanted(users=frozenset((user,)))
    for rule in _rules_on(target, policies):
        found |= rule.wanted
    return found


def may_know(target: Target, policies: PolicySet, user: str, people: People) -> Standing:
    """May this user see what an environment holds, by name, and its versions: who may ask for something there, decide it, or owns this."""
    rules = _rules_on(target, policies)
    answers = [policies.owners.has(user, people)]
    answers += [rule.requesters.has(user, people) for rule in rules] + [
        rule.may_approve(user, people) for rule in rules
    ]
    return _both(may_act(user, people), _one_of(answers, f"No rule names you for {target}."))


def _rules_on(target: Target, policies: PolicySet) -> list[Policy]:
    found = [policies.rule(action, target) for action in ASKED_OF[target.kind]]
    return [rule for rule in found if rule is not None]


def may_end(request: Request, rules: Rules | None, owners: Circle, user: str, people: People) -> Standing:
    """The beneficiary, the requester, an approver or an owner may take access back. To give back needs no rule."""
    if user in (request.beneficiary, request.requester):
        return YES
    if (standing := may_act(user, people)).may is not True:
        return standing
    answers = [owners.has(user, people)]
    if rules is not None:
        answers.append(rules.now.may_approve(user, people))
    return _one_of(answers, "Only the person who has it, an approver or an owner can end this.")


def may_deploy(request: Request, rules: Rules, user: str, people: People) -> Standing:
    """The deployers that the rule names; where it names none, approvers and owners. And who broke the glass for it."""
    decision = request.decision
    if decision is not None and decision.basis == "break-glass" and user in decision.by:
        return may_act(user, people)
    return is_deployer(rules, user, people)


def is_deployer(rules: Rules, user: str, people: People) -> Standing:
    """May this user start what was approved under these rules?"""
    named = _named(rules, "somebody who may deploy", [_deploys(policy, rules, user, people) for policy in rules.both])
    return _both(may_act(user, people), named)


def may_cancel(request: Request, rules: Rules | None, owners: Circle, user: str, people: People) -> Standing:
    """Who asked, an approver, a deployer or an owner. To stop needs no more than one of the rules of now."""
    if user in (request.requester, request.asker):
        return YES
    if (standing := may_act(user, people)).may is not True:
        return standing
    answers = [owners.has(user, people)]
    if rules is not None:
        answers += [rules.now.may_approve(user, people), _deploys(rules.now, rules, user, people)]
    return _one_of(answers, "Only the person who asked, an approver, a deployer or an owner can cancel this.")


def may_retry(request: Request, rules: Rules | None, owners: Circle, user: str, people: People) -> Standing:
    """Who asked, who uses it, an approver, a deployer or an owner. To tell again what is true needs no more than one of the rules of now."""
    if user == request.beneficiary:
        return may_act(user, people)
    found = may_cancel(request, rules, owners, user, people)
    if found.may is not False:
        return found
    why = "Only the person who asked, an approver, a deployer or an owner can have a hook told again."
    return Standing(may=False, why=why)


def _deploys(policy: Policy, rules: Rules, user: str, people: People) -> bool | None:
    if policy.deployers is not None:
        return policy.deployers.has(user, people)
    return one_of((policy.may_approve(user, people), rules.owners.has(user, people)))


def starters(request: Request, rule: Policy, owners: Circle) -> frozenset[str]:
    """Users and groups whose Deploy what was approved waits for."""
    decision = request.decision
    broke = decision.by if decision is not None and decision.basis == "break-glass" else ()
    named = rule.deployers.principals if rule.deployers is not None else rule.approvers | owners.principals
    return named | frozenset(broke)


def _both(one: Standing, other: Standing) -> Standing:
    """A "no" needs no further fact, a "yes" needs them all."""
    return min(one, other, key=lambda standing: (False, None, True).index(standing.may))


def _one_of(answers: list[bool | None], why: str) -> Standing:
    may = one_of(answers)
    return YES if may else UNKNOWN if may is None else Standing(may=False, why=why)


def _named(rules: Rules, role: str, answers: list[bool | None]) -> Standing:
    if False in answers:
        return Standing(may=False, why=f"The rule “{rules.now.name}” does not name you as {role}.")
    return UNKNOWN if None in answers else YES


def first_use_ms(request: Request, rules: Rules) -> int:
    """How long an approval waits for its first use: what was asked, and no longer than both rules say."""
    return min(rules.grant_expiration_ms, request.use_within_ms or rules.grant_expiration_ms)


def tally(request: Request, rules: Rules, people: People) -> Literal["approved", "denied", "unknown", "pending"]:
    """What the reviews of this revision come to. "unknown": a missing fact could change the answer."""
    yes, doubtful = _counted(request, rules, people, "approve")
    no, doubtful_no = _counted(request, rules, people, "deny")
    if len(no) >= rules.denials:
        return "denied"
    if len(no) + len(doubtful_no) >= rules.denials:
        return "unknown"
    if all(quorum_met(policy.approvals, yes, people) for policy in rules.both):
        return "approved"
    return "unknown" if doubtful else "pending"


def counted_approvers(request: Request, rules: Rules, people: People) -> frozenset[str]:
    return frozenset(_counted(request, rules, people, "approve")[0])


def still_needed(request: Request, rules: Rules, people: People) -> list[Threshold]:
    """The places of the rule of now that nobody has filled."""
    return places_open(rules.now.approvals, counted_approvers(request, rules, people), people)


def reachable(policy: Policy, excluded: Iterable[str], people: People) -> bool:
    """Could the thresholds be met by people who exist? Somebody whose own facts are not known yet counts as possible."""
    barred = {user for user, person in people.persons.items() if person.barred}
    candidates: set[str] = set()
    for threshold in policy.approvals:
        candidates |= threshold.circle.members(people)
    return quorum_met(policy.approvals, candidates - barred - set(excluded), people)


def _counted(
    request: Request, rules: Rules, people: People, verdict: Literal["approve", "deny"]
) -> tuple[list[str], list[str]]:
    standings = {review.by: may_review(request, rules, review.by, people).may for review in request.votes(verdict)}
    return [by for by, may in standings.items() if may], [by for by, may in standings.items() if may is None]
