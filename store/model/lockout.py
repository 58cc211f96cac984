"""Lock-out: what of other policies would keep people from ever changing them again."""

from typing import Final, Literal, TypeAlias

from store.model.identity import POLICIES
from store.model.people import People, Wanted
from store.model.policy import Circle, Policy, PolicySet, places_open
from store.model.standing import reachable

Danger: TypeAlias = Literal["no_rule", "no_requester", "unreachable", "alone", "no_owner", "unknown"]
# After these nobody could take it back by a request.
LOCKED: Final[frozenset[Danger]] = frozenset({"no_rule", "no_requester", "unreachable"})


def wanted(policies: PolicySet) -> Wanted:
    """The groups to know first; then who is in them: `everybody`."""
    rule = policies.rule("policy", POLICIES)
    return policies.owners.wanted if rule is None else policies.owners.wanted | rule.wanted


def everybody(policies: PolicySet, people: People) -> frozenset[str]:
    rule = policies.rule("policy", POLICIES)
    circles = [policies.owners]
    if rule is not None:
        circles += [rule.requesters, *(threshold.circle for threshold in rule.approvals)]
    return frozenset().union(*(circle.members(people) for circle in circles))


def dangers(policies: PolicySet, people: People) -> tuple[Danger, ...]:
    """The worst first. "unknown": Slack did not tell who is in a group that matters. Somebody whose own facts are not known counts as able."""
    found: list[Danger] = []
    rule = policies.rule("policy", POLICIES)
    if rule is None:
        found.append("no_rule")
    elif people.lacks(Wanted(groups=rule.wanted.groups)):
        found.append("unknown")
    else:
        found += _of_rule(rule, people)
    if not policies.owners.groups - people.groups.keys() and not _able(policies.owners, people):
        found.append("no_owner")
    return tuple(found)


def _of_rule(rule: Policy, people: People) -> list[Danger]:
    askers = _able(rule.requesters, people)
    if not askers:
        return ["no_requester"]
    if not any(reachable(rule, () if rule.self_approval else (asker,), people) for asker in askers):
        return ["unreachable"]
    alone = rule.self_approval and any(not places_open(rule.approvals, (asker,), people) for asker in askers)
    return ["alone"] if alone else []


def _able(circle: Circle, people: People) -> list[str]:
    persons = people.persons
    return sorted(user for user in circle.members(people) if user not in persons or not persons[user].barred)
