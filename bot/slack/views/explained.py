"""Explained: an explanation in plain words, for a terminal and for Slack alike. Who is named how is the caller's business."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.slack.views.words import joined, plural
from store.model.explain import Candidate, Explanation, Filling, Hindrance
from store.model.policy import Circle, Policy, Threshold

VERBS: Final = {
    "open": "open {}",
    "change": "change {}",
    "access": "hold {}",
    "deploy": "deploy {}",
    "policy": "change {}",
}
KINDS: Final = {
    "open": "an environment, like payments/prod",
    "change": "an environment, like payments/prod",
    "deploy": "an environment or an application, like payments/prod#api",
    "access": "a role, like role:aws-admin",
    "policy": "policy:main",
}

OURS: Final = frozenset({"you", "a", "if", "nobody", "whoever"})
STEPS: Final = 4  # of an escalation; most rules have one or two

Line = tuple[str, str]  # a label and what there is to say of it


@dataclass(frozen=True, slots=True)
class Tongue:
    """`name` calls a user, a group or a channel; `safe` makes fit what people wrote; `asker` is who would ask, `you` the reader."""

    name: Callable[[str], str]
    time: Callable[[int], str]
    asker: str
    safe: Callable[[str], str] = str
    you: bool = False
    most: int = 8  # names in a row, then how many more there are

    @property
    def are(self) -> str:
        return "are" if self.you else "is"

    def people(self, principals: Iterable[str], word: str = "and") -> str:
        """Groups first."""
        listed = sorted((not one.startswith("S"), self.name(one)) for one in set(principals))
        return self.row([name for _, name in listed], word)

    def row(self, items: Sequence[str], word: str = "and") -> str:
        shown = [*items[: self.most]]
        if len(items) > self.most:
            return joined([*shown, f"{len(items) - self.most} more"], "and")
        return joined(shown, word) or "nobody"

    def circle(self, circle: Circle) -> str:
        return self.people(circle.principals, "or")

    def places(self, thresholds: Iterable[Threshold]) -> str:
        return joined([f"{each.count} of {self.circle(each.circle)}" for each in thresholds])


def sentence(explained: Explanation, tongue: Tongue) -> str:
    """The answer, in one sentence; with everything that stands in the way where it is no."""
    question, rule = explained.question, explained.rule
    wish = VERBS[question.action].format(question.target)
    if explained.verdict == "refused":
        return " ".join(["Refused.", *(_hindrance(each, explained, tongue) for each in explained.hindrances)])
    length = f" for {tongue.time(explained.duration_ms)}" if explained.duration_ms is not None else ""
    able = f"{_begun(tongue.asker)} may ask to {wish}{length}"
    if explained.asks is None and rule is not None:
        return f"{able}, if Slack counts them among {tongue.circle(rule.requesters)}."
    return f"{able}."


def _hindrance(hindrance: Hindrance, explained: Explanation, tongue: Tongue) -> str:
    question, rule = explained.question, explained.rule
    name = f"The rule “{tongue.safe(rule.name)}”" if rule is not None else ""
    match hindrance:
        case "unknown_target":
            return f"There is no target {question.target} here. Ask an owner to list it in the policies."
        case "no_rule":
            return f"No rule says who may decide “{question.action}” for {question.target}."
        case "other_kind":
            kind = question.target.kind
            article = "an" if kind[0] in "aeiou" else "a"
            return (
                f"“{question.action}” is asked for {KINDS[question.action]}, and {question.target} is {article} {kind}."
            )
        case "no_hook":
            return f"No hook deploys {question.target}: an owner adds one with “deploy” among its events."
        case "barred":
            return f"{_begun(tongue.asker)} {tongue.are} {explained.barred}, and only active members of this workspace may ask."
        case "not_requester":
            among = f": it names {tongue.circle(rule.requesters)}" if rule is not None else ""
            return f"{name} does not name {tongue.asker} among those who may ask for {question.target}{among}."
        case "too_long":
            most = tongue.time(rule.access.max_ms) if rule is not None else ""
            return (
                f"{question.target} can be had for {most} at most, not for {tongue.time(explained.duration_ms or 0)}."
            )
        case "unreachable":
            apart = (
                f": apart from {tongue.asker}, the rule names too few people who may"
                if _asker_left_out(explained)
                else ""
            )
            return f"Nobody could approve it{apart}; missing: {tongue.places(explained.lacking)}."


def _asker_left_out(explained: Explanation) -> bool:
    return any(each.user == explained.question.user for filling in explained.fillings for each in filling.unable)


def lines(explained: Explanation, tongue: Tongue) -> list[Line]:
    """Everything else there is to say. A label may be empty: then the line belongs to the one before."""
    rule = explained.rule
    if rule is None:
        return [
            (
                "Rules",
                f"“{tongue.safe(each.name)}” is for {explained.question.target}, to {joined(sorted(each.actions), 'or')}.",
            )
            for each in explained.near
        ]
    found: list[Line] = [("Rule", _rule(explained, rule, tongue)), ("May ask", _asks(explained, rule, tongue))]
    for place, filling in enumerate(explained.fillings):
        found += [
            ("" if place or more else "Must agree", line) for more, line in enumerate(filling_lines(filling, tongue))
        ]
    found.append(("Altogether", _altogether(explained, rule, tongue)))
    found.append(("Will be told", " ".join(told(rule, explained.channel, tongue, explained.question.beneficiary))))
    if explained.duration_ms is not None:
        found.append(("Time", _time(explained, rule, tongue)))
    found.append(("Waiting", " ".join(waiting(rule, tongue))))
    if needs := _needs(rule, tongue):
        found.append(("Needed", needs))
    if explained.question.action in ("change", "policy") and rule.merge == "by-hand":
        found.append(
            ("Afterwards", f"An approved change is merged by hand within {tongue.time(rule.merge_within_ms)}.")
        )
    if explained.question.action == "deploy":
        found.append(("Started", _started(rule, tongue)))
    found.append(("Without them", _glass(explained, rule, tongue)))
    return found


def _rule(explained: Explanation, rule: Policy, tongue: Tongue) -> str:
    line = (
        f"“{tongue.safe(rule.name)}” decides: number {explained.number} of {explained.rules}, the first that matches."
    )
    if explained.shadowed:
        later = tongue.row([f"“{tongue.safe(name)}” (number {place})" for place, name in explained.shadowed])
        line += (
            f" {_begun(later)} would match too, and {'does' if len(explained.shadowed) == 1 else 'do'} not decide this."
        )
    return line


def _asks(explained: Explanation, rule: Policy, tongue: Tongue) -> str:
    who = tongue.circle(rule.requesters)
    if explained.asks is None:
        return f"{who}. Whether {tongue.asker} {tongue.are} among them, only Slack knows."
    if not explained.asks:
        return f"{who}. {_begun(tongue.asker)} {tongue.are} not among them."
    through = f"through {tongue.people(explained.through)}" if explained.through else "by name"
    return f"{_begun(tongue.asker)}, {through}."


def filling_lines(filling: Filling, tongue: Tongue) -> list[str]:
    """How many of whom; who could; who could not, and why."""
    threshold = filling.threshold
    lines = [f"{threshold.count} of {tongue.circle(threshold.circle)}."]
    if filling.able:
        lines.append(f"Could now: {tongue.row([_candidate(each, tongue) for each in filling.able])}.")
    elif not filling.unknown:
        lines.append("Could now: nobody.")
    if filling.unable:
        lines.append(
            f"Could not: {tongue.row([f'{_candidate(each, tongue)}, who {each.why_not}' for each in filling.unable])}."
        )
    if filling.unknown:
        lines.append(f"Only Slack knows who is in {tongue.people(filling.unknown)}.")
    return lines


def _candidate(candidate: Candidate, tongue: Tongue) -> str:
    return (
        f"{tongue.name(candidate.user)} ({tongue.people(candidate.groups)})"
        if candidate.groups
        else tongue.name(candidate.user)
    )


def _altogether(explained: Explanation, rule: Policy, tongue: Tongue) -> str:
    needed, able = explained.needed, len(explained.able)
    different = ", all different" if needed > 1 else ""
    need = f"{'1 approval is' if needed == 1 else f'{needed} approvals are'} needed{different}."
    denials = " One denial ends it." if rule.denials == 1 else f" {rule.denials} denials end it."
    if explained.enough:
        return (
            f"{need} {plural(able, 'person')} could give {'it' if needed == 1 else 'them'}: enough.{denials}".replace(
                "persons", "people"
            )
        )
    missing = f"missing: {tongue.places(explained.lacking)}."
    if explained.enough is None:
        return (
            f"{need} Whether enough people could, only Slack knows; of those listed by name alone, {missing}{denials}"
        )
    return f"{need} Too few different people could; {missing}"


def told(rule: Policy, channel: str | None, tongue: Tongue, beneficiary: str | None = None) -> list[str]:
    """Who hears of it, where, and of what. `beneficiary`: for whom it is, where that is somebody else."""
    where = (
        f"The card goes to {tongue.name(channel)}."
        if channel is not None
        else "No channel is set: the card goes to the approvers, up to 20, as a direct message."
    )
    own = f"{tongue.asker} and {tongue.name(beneficiary)}" if beneficiary is not None else tongue.asker
    get = "get" if tongue.you or beneficiary is not None else "gets"
    found = [where, f"{_begun(own)} {get} it as a direct message too."]
    routes = [
        *(tongue.name(each) for each in rule.notify.channels),
        *map(tongue.safe, (*rule.notify.email, *rule.notify.webhooks)),
    ]
    if routes:
        found.append(f"The decision is announced to {tongue.row(routes)}.")
    return found


def waiting(rule: Policy, tongue: Tongue) -> list[str]:
    found = [f"The request expires after {tongue.time(rule.request_ttl_ms)} without a decision."]
    if rule.remind:
        found.append(f"Approvers are reminded after {tongue.row([tongue.time(each) for each in rule.remind])}.")
    found += [
        f"After {tongue.time(each.after_ms)}, word also goes to {tongue.circle(each.to)}."
        for each in rule.escalate[:STEPS]
    ]
    if len(rule.escalate) > STEPS:
        found.append(f"And {len(rule.escalate) - STEPS} more steps after that.")
    return found


def _time(explained: Explanation, rule: Policy, tongue: Tongue) -> str:
    access, length = rule.access, explained.duration_ms or 0
    asked = "" if explained.question.duration_ms is not None else ", because nothing else was said"
    begins = (
        "Access begins with the approval."
        if explained.question.action == "access" and access.activate == "on-approval"
        else f"An approval waits {tongue.time(access.grant_expiration_ms)} for its first use, and the time runs from then."
    )
    if length > access.max_ms:
        return f"{tongue.time(length)} is too long: {tongue.time(access.max_ms)} is the most, {tongue.time(access.default_ms)} is usual. {begins}"
    return f"{tongue.time(length)}{asked}; {tongue.time(access.max_ms)} at most, extensions included. {begins}"


def _started(rule: Policy, tongue: Tongue) -> str:
    who = tongue.circle(rule.deployers) if rule.deployers is not None else "approvers and owners"
    wait = f", and no sooner than {tongue.time(rule.wait_ms)} after it" if rule.wait_ms else ""
    frozen = " In a freeze nothing starts." if rule.freeze else ""
    return f"Approved is not deployed: {who} may start it, within {tongue.time(rule.deploy_within_ms)} of the approval{wait}.{frozen} The receiver reports how it goes within {tongue.time(rule.report_within_ms)}."


def _needs(rule: Policy, tongue: Tongue) -> str:
    needs = ["A reason"] if rule.reason.required else []
    if rule.ticket is not None:
        word = "a ticket" if rule.ticket.required else "if there is one, a ticket"
        needs.append(f"{word} like {tongue.safe(rule.ticket.pattern)}")
    return f"{_begun(joined(needs))}." if needs else ""


def _glass(explained: Explanation, rule: Policy, tongue: Tongue) -> str:
    if explained.question.action == "policy":
        return "Nobody passes: requests to change the policies are always hard."
    if rule.enforcement == "hard":
        return "Nobody passes: the rule is hard."
    if rule.bypassers.empty:
        return "Nobody passes: the rule is soft, and names no bypassers."
    limits = (
        f"for {tongue.time(rule.break_glass.max_duration_ms)} at most; " if explained.duration_ms is not None else ""
    )
    who = [_candidate(each, tongue) for each in explained.passers if not each.why_not]
    barred = [f"{_candidate(each, tongue)}, who {each.why_not}" for each in explained.passers if each.why_not]
    unknown = [f"whoever is in {tongue.people(explained.passers_unknown)}"] if explained.passers_unknown else []
    line = (
        f"{_begun(tongue.row([*who, *unknown]))} could break the glass, with a reason, {limits}everybody is told, and "
        f"somebody else must countersign within {tongue.time(rule.break_glass.review_within_ms)}."
    )
    return line + (f" Not {tongue.row(barred)}." if barred else "")


def _begun(text: str) -> str:
    """A sentence begins with a capital where it begins with a word of ours; names stay as they are."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0] in OURS else text
