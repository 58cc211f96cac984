"""What must fit together across a policy file: rules with targets, roles with connectors, rules with the rules before them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from itertools import product

from bot.policy_file import form, names
from bot.policy_file.names import plain_pattern
from bot.policy_file.problems import Finding, Place, Places
from bot.policy_file.rules import NEEDS, unmeetable
from store.model.errors import Invalid
from store.model.identity import Target
from store.model.policy import GATE, covers

Match = tuple[str, Target]  # an action and what it is asked for


def misfits(document: form.Document) -> Iterator[Finding]:
    """Also of a document whose parts are wrong in themselves."""
    yield from _names(document)
    yield from _connectors(document)
    yield from _gates(document)
    targets = [*_targets(document).values()]
    for index, policy in enumerate(document.policies):
        yield from _reaches(document, index, policy, targets)


def warnings(document: form.Document, places: Places) -> Iterator[Finding]:
    """Of a document that is sound."""
    targets = [*_targets(document).values()]
    yield from _shadows(document, _universe(document, targets), places)
    yield from _uncovered(document, targets)
    for index, policy in enumerate(document.policies):
        yield from _hopeless(policy, index)
        yield from _without_owners(document.owners, policy, index)


def _hopeless(policy: form.Policy, index: int) -> Iterator[Finding]:
    """People who may ask and whose requests nobody could ever approve. Whoever is in a group may be anybody."""
    if policy.self_approval:
        return
    thresholds = [names.threshold(each) for each in policy.approvals]
    stuck = [user for user in policy.requesters.users if unmeetable(thresholds, without=_id(user))]
    if not stuck:
        return
    everybody = len(stuck) == len(policy.requesters.users) and not policy.requesters.groups
    who = "anybody who may ask here" if everybody else " and ".join(stuck)
    locked = ", so everybody is locked out of changing this file" if everybody and "policy" in policy.actions else ""
    sentence = (
        f"no request of {who} can ever be approved{locked}: nobody approves their own, and too few others are listed; "
        f"list more, or {'set self_approval: true' if everybody else f'take {who} from the requesters'}."
    )
    yield Finding(("policies", index, "approvals"), sentence, warning=True)


def _without_owners(owners: form.Circle, policy: form.Policy, index: int) -> Iterator[Finding]:
    if "policy" not in policy.actions or owners.groups or policy.requesters.groups:
        return
    if not set(owners.users) & set(policy.requesters.users):
        sentence = "no owner may ask for a change of this file by this rule; list one of them here too."
        yield Finding(("policies", index, "requesters"), sentence, warning=True)


def _id(user: str) -> str:
    return names.stand_in(names.Name("user", user))


def _targets(document: form.Document) -> dict[str, Target]:
    """By the name that was written. One written in capitals is wrong, and meant; what is no target at all is left out."""
    found = {}
    for name in document.targets:
        with suppress(Invalid):
            found[name] = Target.parse(name.lower(), organization=document.organization)
    return found


def _names(document: form.Document) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, target in _targets(document).items():
        first = seen.setdefault(target.id, name)
        if first != name:
            yield Finding(("targets", name), f"this is the same target as “{first}”; keep one of the two.", at_key=True)
    called = [policy.name for policy in document.policies]
    for index, name in enumerate(called):
        if name in called[:index]:
            yield Finding(("policies", index, "name"), f"another rule is called “{name}”; give each its own name.")


def _connectors(document: form.Document) -> Iterator[Finding]:
    for name, target in document.targets.items():
        if target.connector is not None and target.connector not in document.connectors:
            near = get_close_matches(target.connector, document.connectors, n=1)
            right = f"did you mean “{near[0]}”?" if near else f"define {target.connector} under connectors."
            yield Finding(("targets", name, "connector"), f"no connector is called “{target.connector}”; {right}")
    listed = {target.id for target in _targets(document).values()}
    for name, target in document.targets.items():
        for index, hook in enumerate(target.hooks):
            if hook.credentials is not None and plain_pattern(hook.credentials, document.organization) not in listed:
                sentence = f"“{hook.credentials}” is not listed, so nobody can ask to put the token there; add it under targets."
                yield Finding(("targets", name, "hooks", index, "credentials"), sentence, warning=True)
    for name, connector in document.connectors.items():
        if plain_pattern(connector.credentials, document.organization) not in listed:
            yield Finding(
                ("connectors", name, "credentials"),
                f"“{connector.credentials}” is not listed, so nobody can ask to put the token there; add it under targets.",
                warning=True,
            )


def _gates(document: form.Document) -> Iterator[Finding]:
    """An environment of GitHub is one target: what waits there must be asked once, of those who decide it."""
    seen: dict[tuple[str, str], str] = {}
    for name, target in document.targets.items():
        for index, hook in enumerate(target.hooks):
            if hook.preset != GATE:
                continue
            first = seen.setdefault((hook.url.casefold(), (hook.environment or "").casefold()), f"{name}, {hook.name}")
            if first != f"{name}, {hook.name}":
                sentence = (
                    f"this environment of that repository is that of another hook ({first}); keep one of the two."
                )
                yield Finding(("targets", name, "hooks", index, "environment"), sentence)


def _reaches(document: form.Document, index: int, policy: form.Policy, targets: list[Target]) -> Iterator[Finding]:
    """Every pattern matches something listed, and every action has something it can be asked for."""
    kinds: set[str] = set()
    unknown = False
    odd = document.targets.keys() - _targets(document).keys()
    for place, written in enumerate(policy.targets):
        pattern = plain_pattern(written, document.organization)
        matched = {target.kind for target in targets if covers(pattern, target)}
        environment, hash_, _ = pattern.partition("#")
        if hash_ and any(target.kind == "environment" and covers(environment, target) for target in targets):
            matched.add("application")
        if not matched and (pattern.count("/") > 1 or get_close_matches(pattern, odd, n=1)):
            unknown = True  # it is told already that the one or the other is no name of a target
        elif not matched:
            unknown = True
            near = get_close_matches(pattern, [target.id for target in targets], n=1)
            right = f"did you mean “{near[0]}”?" if near else "list it under targets."
            yield Finding(("policies", index, "targets", place), f"no target matches “{written}”; {right}")
        kinds |= matched
    for place, action in enumerate(policy.actions):
        if not unknown and not kinds & set(NEEDS[action]):
            sentence = f"“{action}” is asked for {_KIND_WORDS[action]}, and this rule has none; remove it, or add such a target."
            yield Finding(("policies", index, "actions", place), sentence)


_KIND_WORDS = {
    "change": "environments",
    "open": "environments",
    "deploy": "environments and applications",
    "access": "roles",
    "policy": "policy:main",
}


def _universe(document: form.Document, targets: list[Target]) -> list[Match]:
    """Everything that can be asked, as far as the rules can tell it apart: what is listed, and applications as the rules name them."""
    patterns = [plain_pattern(text, document.organization) for policy in document.policies for text in policy.targets]
    applications = {pattern.partition("#")[2] for pattern in patterns if "#" in pattern} - {""}
    named = {
        application.replace("*", filler).strip("-") for application in applications for filler in ("", "x", "zq")
    } - {""}
    found = {target.id: target for target in targets}
    for target, application in product(targets, sorted(named)):
        if target.kind == "environment":
            found.setdefault(f"{target.id}#{application}", Target(f"{target.id}#{application}", "application"))
    return [(action, target) for action, kinds in NEEDS.items() for target in found.values() if target.kind in kinds]


def _shadows(document: form.Document, universe: list[Match], places: Places) -> Iterator[Finding]:
    taken: dict[Match, int] = {}
    for index, policy in enumerate(document.policies):
        matches = [match for match in universe if _matches(document, policy, match)]
        before = sorted({taken[match] for match in matches if match in taken})
        if matches and all(match in taken for match in matches):
            called = " and ".join(
                f"“{document.policies[each].name}” ({_line(places.of(('policies', each)))})" for each in before
            )
            sentence = f"this rule never decides: {called} comes first for all of it; move it up, or remove it."
            yield Finding(("policies", index), sentence, warning=True)
        _take(taken, matches, index)


def _take(taken: dict[Match, int], matches: list[Match], index: int) -> None:
    for match in matches:
        taken.setdefault(match, index)


def _line(place: Place) -> str:
    return f"line {place.line}"


def _matches(document: form.Document, policy: form.Policy, match: Match) -> bool:
    action, target = match
    patterns = (plain_pattern(text, document.organization) for text in policy.targets)
    return action in policy.actions and any(covers(pattern, target) for pattern in patterns)


def _uncovered(document: form.Document, targets: list[Target]) -> Iterator[Finding]:
    written: Mapping[str, str] = {target.id: name for name, target in _targets(document).items()}
    for target in targets:
        asked = [(action, target) for action, kinds in NEEDS.items() if target.kind in kinds]
        if not any(_matches(document, policy, match) for policy in document.policies for match in asked):
            sentence = "no rule is for this target, so every request for it is refused; add a rule, or remove it."
            yield Finding(("targets", written[target.id]), sentence, warning=True, at_key=True)
    if not any("policy" in policy.actions for policy in document.policies):
        sentence = "no rule has the action policy, so nobody can change this file by a request; list the target policy:main and add a rule."
        yield Finding(("policies",), sentence, warning=True, at_key=True)
