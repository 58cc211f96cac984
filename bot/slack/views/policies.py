"""Policies: the page of App Home on which owners read the rules in force, whom they name today, and how they came about."""

from dataclasses import dataclass
from typing import Final

from bot.slack import ids
from bot.slack.ids import Place
from bot.slack.views import amendment
from bot.slack.views import blocks as b
from bot.slack.views.facts import Block, Proposed, View
from bot.slack.views.parts import NONE, Part, pager, titled
from bot.slack.views.words import cleaned, date, mention, people, plural
from store.model.enactment import Enactment
from store.model.lockout import Danger
from store.model.policy import Circle

# The lists in this order, and how many of each are shown at a time.
RULES, HISTORY = range(2)
SIZES: Final = (8, 8)  # of four blocks each, and one
LINE_MOST: Final = 600
LINES_MOST: Final = 16
GROUPS_MOST: Final = 12  # of one rule
MEMBERS_MOST: Final = 20  # of one group
TEXT_MOST: Final = 2_900
START: Final = Place("policies")
NOBODY: Final = Circle()


@dataclass(frozen=True, slots=True)
class Members:
    """Who is in a group today; None: Slack has not told yet."""

    group: str
    users: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Rule:
    """`lines` are its sentences, which quote the file."""

    number: int
    name: str
    lines: tuple[str, ...]
    groups: tuple[Members, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """`enactment` None: it came into force before that was kept."""

    number: int
    enactment: Enactment | None = None


@dataclass(frozen=True, slots=True)
class PoliciesFacts:
    place: Place = START
    number: int = 1
    owners: Circle = NOBODY
    owning: tuple[Members, ...] = ()  # the groups of owners
    dangers: tuple[Danger, ...] = ()
    rules: Part[Rule] = NONE
    versions: Part[Version] = NONE


def page(facts: PoliciesFacts) -> list[Block]:
    owners = [f"*Owners:* {people(facts.owners.principals, most=MEMBERS_MOST)}.", *map(_members, facts.owning)]
    warned = [b.section(f":warning: *{_now(sentence)}*") for sentence in amendment.warnings(facts.dangers)]
    first = [
        b.header(f"Policies, version {facts.number}"),
        *_texts(owners),
        *warned,
        b.context(
            "Other policies: `countersign policy apply FILE` at a terminal asks for them, and they are decided here in Slack."
        ),
    ]
    rules = [block for rule in facts.rules.items for block in _rule(rule)] or [b.context("There is no rule.")]
    versions = [_version(version) for version in facts.versions.items]
    return [
        *first,
        b.divider(),
        titled("Rules: the first that matches decides", facts.rules),
        *rules,
        *pager(facts.rules, facts.place, RULES, SIZES[RULES], "Rules"),
        b.divider(),
        titled("History", facts.versions),
        *versions,
        *pager(facts.versions, facts.place, HISTORY, SIZES[HISTORY], "History"),
    ]


def changed(version: Version, proposed: Proposed) -> View:
    """What a version changed of the one before: behind the button beside it."""
    blocks = [b.section(_history(version)), *_why(version), *amendment.whole(proposed)]
    return b.modal(ids.NOTICE, f"Version {version.number}", blocks, origin=ids.Origin())


def _now(sentence: str) -> str:
    """The warning of a change, as a warning of what is so already."""
    return (
        sentence.replace("After this nobody could", "Nobody can")
        .replace("After this there would be", "There is")
        .replace("After this one person alone could", "One person alone can")
    )


def _rule(rule: Rule) -> list[Block]:
    lines = [[b.text(cleaned(line, LINE_MOST))] for line in rule.lines[:LINES_MOST]]
    if left := len(rule.lines) - len(lines):
        lines.append([b.text(f"and {plural(left, 'more sentence')}")])
    title = b.line(b.text(f"{rule.number}. {cleaned(rule.name, LINE_MOST)}", bold=True))
    named = [_members(group) for group in rule.groups[:GROUPS_MOST]]
    if more := len(rule.groups) - len(named):
        named.append(f"and {plural(more, 'more group')}: `countersign policy explain` names everybody.")
    return [b.rich(title, b.bullets(lines)), *_texts(named)]


def _members(group: Members) -> str:
    if group.users is None:
        return f"{mention(group.group)}: Slack has not told yet who is in it."
    if not group.users:
        return f"{mention(group.group)} is nobody today."
    return f"{mention(group.group)} is today {people(group.users, most=MEMBERS_MOST)}."


def _texts(lines: list[str]) -> list[Block]:
    """As few blocks as hold them all."""
    found: list[str] = []
    for line in lines:
        if found and len(found[-1]) + len(line) < TEXT_MOST:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return [b.section(text) for text in found]


def _version(version: Version) -> Block:
    if version.number == 1:
        return b.section(_history(version))
    button = b.button(
        "What changed", ids.HOME_POLICY_CHANGES, str(version.number), about=f"in version {version.number}"
    )
    return b.section(_history(version), button)


def _history(version: Version) -> str:
    """mrkdwn, our own words only."""
    enactment = version.enactment
    head = f"*Version {version.number}*"
    if enactment is None:
        return f"{head} · how it came into force is not known any more"
    when = date(enactment.at_ms)
    match enactment.how:
        case "first":
            return f"{head} · {when} · taken in from the file by the first start"
        case "request":
            approved = f", approved by {people(enactment.approved_by)}" if enactment.approved_by else ""
            return f"{head} · {when} · asked by {mention(enactment.by)}{approved} · request `{enactment.request}`"
        case "recovered":
            again = f"version {enactment.restored} again, " if enactment.restored is not None else ""
            return f"{head} · {when} · :warning: {again}put into force by {mention(enactment.by)} at the terminal of the machine, without an approval"


def _why(version: Version) -> list[Block]:
    return (
        [b.said("Why", version.enactment.reason)] if version.enactment is not None and version.enactment.reason else []
    )
