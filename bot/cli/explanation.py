"""Explanation: what a policy file makes of one request, as far as a file can tell without Slack."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from bot.policy_file import PolicyFile, describe
from bot.policy_file.durations import parse, words
from bot.policy_file.names import Name, names_in, policy_set, stand_in
from bot.policy_file.rules import NEEDS
from bot.policy_file.scalars import EMAIL, USER_ID
from store.model.errors import AccessError, Invalid
from store.model.identity import Target, shown
from store.model.lifecycle import rule_for
from store.model.people import Group, People
from store.model.policy import Circle, Policy, PolicySet, covers
from store.model.request import Kind
from store.model.standing import reachable

LASTING: Final = ("open", "access")
VERBS: Final = {
    "open": "open {}",
    "change": "change {}",
    "access": "hold {}",
    "deploy": "deploy {}",
    "policy": "change {}",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`verdict`: refused for certain, possible, or only Slack can tell. `lines` are sentences."""

    verdict: Literal["refused", "possible", "depends"]
    sentence: str
    rule: str | None = None
    lines: tuple[str, ...] = ()
    only_slack_knows: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def explain(file: PolicyFile, who: str, action: str, target: str, duration: str | None = None) -> Explanation:
    """Raises `Invalid` for a question that makes no sense."""
    asked = Target.parse(target, organization=file.document.organization)
    names = {name for _, name in names_in(file.document)}
    user = _user(who, names)
    called = {stand_in(name): name.shown for name in names} | {stand_in(user): user.shown}
    policies = policy_set(file.document, stand_in, called, number=1)
    duration_ms = _duration(action, duration)
    try:
        rule = rule_for(action, asked, policies)
    except AccessError as refusal:
        return Explanation("refused", refusal.sentence, lines=tuple(_others(policies, asked)))
    return _under(file, policies, rule, user, action, asked, duration_ms)


def _under(
    file: PolicyFile,
    policies: PolicySet,
    rule: Policy,
    user: Name,
    action: str,
    target: Target,
    duration_ms: int | None,
) -> Explanation:
    number = policies.policies.index(rule)
    place = file.places.of(("policies", number))
    lines = [
        f"Rule {number + 1} decides, “{rule.name}” ({file.places.file}:{place.line}):",
        *(f"  {line}" for line in describe(rule, policies.names)),
    ]
    length = duration_ms or (rule.access.default_ms if action in LASTING else None)
    asks = _names(rule.requesters, user, policies)
    if why := _refusal(rule, user, action, target, length, asks=asks):
        return Explanation("refused", f"Refused. {why}", rule.name, tuple(lines))
    own = _own(rule, user, policies, action)
    lines += ["For this request:", *(f"  {line}" for line in own)] if own else []
    wish = VERBS[action].format(target) + (f" for {words(length)}" if length else "")
    sentence = f"{user.shown} may ask to {wish}"
    if asks is None:
        who = _listed([policies.names.get(one, one) for one in sorted(rule.requesters.principals)], "or")
        sentence += f", if Slack counts them among {who}"
    return Explanation(
        "possible" if asks else "depends", f"{sentence}.", rule.name, tuple(lines), tuple(_open(rule, user, policies))
    )


def _refusal(
    rule: Policy, user: Name, action: str, target: Target, length: int | None, *, asks: bool | None
) -> str | None:
    if target.kind not in NEEDS[action] or (action in ("open", "change") and target.kind != "environment"):
        fit = "an environment" if action in ("open", "change") else _listed(NEEDS[action], "or")
        return f"“{action}” is asked for {fit}, and {target} is {_a(target.kind)}."
    if action not in get_args(Kind):
        return f"This version of Countersign takes no requests of the kind “{action}” yet."
    if asks is False:
        return f"The rule “{rule.name}” does not name {user.shown} among those who may ask for {target}."
    if length is not None and length > rule.access.max_ms:
        return f"{target} can be had for {words(rule.access.max_ms)} at most, not for {words(length)}."
    if not reachable(rule, () if rule.self_approval else (stand_in(user),), _crowded(rule)):
        return f"Nobody could approve it: apart from {user.shown}, the rule “{rule.name}” names too few people."
    return None


def _own(rule: Policy, user: Name, policies: PolicySet, action: str) -> list[str]:
    """What is particular to this person."""
    lines = []
    approves = [_names(threshold.circle, user, policies) for threshold in rule.approvals]
    if not rule.self_approval and True in approves:
        lines.append(f"{user.shown} is listed as an approver and does not count here: it is their own request.")
    elif not rule.self_approval and None in approves:
        lines.append(f"If {user.shown} is among the approvers too, they do not count here: it is their own request.")
    if rule.enforcement == "soft" and not rule.bypassers.empty and action != "policy":
        may = _names(rule.bypassers, user, policies)
        if may is None:
            who = _listed([policies.names.get(one, one) for one in sorted(rule.bypassers.principals)], "or")
            lines.append(f"{user.shown} may break the glass, if Slack counts them among {who}.")
        else:
            lines.append(f"{user.shown} may{'' if may else ' not'} break the glass.")
    return lines


def _open(rule: Policy, user: Name, policies: PolicySet) -> list[str]:
    groups = sorted(policies.names.get(group, group) for group in rule.wanted.groups)
    asked = [f"who is in {_listed(groups)}"] if groups else []
    return [*asked, f"whether {user.shown} and the approvers are active members of the workspace, and not guests"]


def _others(policies: PolicySet, target: Target) -> list[str]:
    """Where no rule decides: what the rules for this target are about."""
    near = [rule for rule in policies.policies if any(covers(pattern, target) for pattern in rule.targets)]
    return [f"The rule “{rule.name}” is for {target}, to {_listed(sorted(rule.actions), 'or')}." for rule in near]


def _names(circle: Circle, user: Name, policies: PolicySet) -> bool | None:
    """Is this person among them? None where it hangs on a group, or on whose address an id has."""
    if stand_in(user) in circle.users:
        return True
    other_form = any(bool(USER_ID.fullmatch(policies.names.get(one, one))) != user.is_id for one in circle.users)
    return None if circle.groups or other_form else False


def _crowded(rule: Policy) -> People:
    """As many people in every group as could be needed: what cannot be met then cannot be met at all."""
    needed = sum(threshold.count for threshold in rule.approvals)
    groups = {
        group: Group(id=group, handle=group, members=frozenset(f"UX{place}X{number}" for number in range(needed)))
        for place, group in enumerate(sorted(rule.wanted.groups))
    }
    return People(as_of_ms=0, groups=groups)


def _user(who: str, known: Iterable[Name]) -> Name:
    if not USER_ID.fullmatch(who) and not EMAIL.fullmatch(who):
        raise Invalid(
            f"{shown(who)} is neither an e-mail address nor a Slack user id. Write ana@example.com or U024BE7LH.",
            code="bad_user",
        )
    written = (name for name in known if name.kind == "user" and name.text.lower() == who.lower())
    return next(written, Name("user", who))


def _duration(action: str, duration: str | None) -> int | None:
    if duration is None:
        return None
    if action not in LASTING:
        raise Invalid(f"“{action}” has no duration: leave out --for.", code="bad_duration")
    try:
        return parse(duration)
    except ValueError as error:
        raise Invalid(str(error), code="bad_duration") from None


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _listed(items: Iterable[str], last: str = "and") -> str:
    *first, end = [*items] or [""]
    return f"{', '.join(first)} {last} {end}" if first else end
