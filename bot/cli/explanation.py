"""Explanation: the question as it is typed at a terminal, the facts it is answered by, and the answer for people and for scripts."""

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from bot.cli.local import Local, local
from bot.policy_file import PolicyFile
from bot.policy_file.durations import parse, words
from bot.policy_file.names import Name, names_in, policy_set, stand_in
from bot.policy_file.scalars import EMAIL, USER_ID
from bot.slack.directory import SlackDirectory
from bot.slack.lookup import SlackLookup
from bot.slack.views import explained
from bot.slack.views.words import cleaned
from bot.slack.wire import Slack
from store.model.errors import Invalid, NotFound, Unavailable
from store.model.explain import LASTING, Candidate, Explanation, Question, everybody, explain, wanted
from store.model.identity import Target, shown
from store.model.people import People, Wanted
from store.model.policy import Circle, PolicySet
from store.redis.clock import Dial, no_skew
from store.redis.facts import Facts

NAMES_MOST: Final = 20  # in a row at a terminal; JSON has all
PERSONS_MOST: Final = 60  # looked up: Slack allows a hundred a minute


@dataclass(frozen=True, slots=True)
class Answer:
    """`lines`: label and sentence. `only_slack_knows`: what stayed open, because nobody was asked."""

    facts: Explanation
    sentence: str
    lines: tuple[explained.Line, ...]
    names: Mapping[str, str]
    place: str | None = None
    only_slack_knows: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "verdict": facts.verdict,
            "sentence": self.sentence,
            "hindrances": list(facts.hindrances),
            "rule": facts.rule and {"name": facts.rule.name, "number": facts.number, "place": self.place},
            "shadowed": [{"number": number, "name": name} for number, name in facts.shadowed],
            "asks": facts.asks,
            "thresholds": [
                {
                    "count": filling.threshold.count,
                    "from": [self._called(one) for one in sorted(filling.threshold.circle.principals)],
                    "could": [self._candidate(each) for each in filling.able],
                    "could_not": [self._candidate(each) for each in filling.unable],
                    "unknown": [self._called(group) for group in filling.unknown],
                }
                for filling in facts.fillings
            ],
            "needed": facts.needed,
            "could": len(facts.able),
            "enough": facts.enough,
            "missing": [
                {"count": each.count, "from": [self._called(one) for one in sorted(each.circle.principals)]}
                for each in facts.lacking
            ],
            "bypassers": [self._candidate(each) for each in facts.passers],
            "terms": facts.rule and facts.rule.model_dump(mode="json", include=TERMS, exclude_none=True),
            "duration_ms": facts.duration_ms,
            "channel": facts.channel and self._called(facts.channel),
            "lines": [f"{label}: {line}" if label else line for label, line in self.lines],
            "only_slack_knows": list(self.only_slack_knows),
        }

    def _candidate(self, candidate: Candidate) -> dict[str, Any]:
        why = {"why_not": candidate.why_not} if candidate.why_not else {}
        return {
            "id": candidate.user,
            "name": self._called(candidate.user),
            "groups": [self._called(group) for group in candidate.groups],
            **why,
        }

    def _called(self, principal: str) -> str:
        return self.names.get(principal, principal)


TERMS: Final = {
    "enforcement",
    "denials",
    "self_approval",
    "break_glass",
    "access",
    "request_ttl_ms",
    "merge",
    "merge_within_ms",
    "reason",
    "ticket",
    "remind",
    "escalate",
    "notify",
}


def by_file(file: PolicyFile, who: str, action: str, target: str, duration: str | None = None) -> Answer:
    """As far as a file can tell without Slack. Raises `Invalid` for a question that makes no sense."""
    length_ms = _duration(action, duration)
    asked = Target.parse(target, organization=file.document.organization)
    names = {name for _, name in names_in(file.document)}
    user = _user(who, names)
    called = {stand_in(name): name.shown for name in names} | {stand_in(user): user.shown}
    policies = policy_set(file.document, stand_in, called, number=1)

    def counts(circle: Circle, one: str) -> bool | None:
        """Nobody has said whose address an id has."""
        if one in circle.users:
            return True
        other = any(bool(USER_ID.fullmatch(called.get(each, each))) != user.is_id for each in circle.users)
        return None if circle.groups or other else False

    facts = explain(Question(stand_in(user), action, asked, length_ms), policies, People(0), counts)
    line = file.places.of(("policies", facts.number - 1)).line
    place = f"{file.places.file}:{line}" if facts.rule is not None else None
    open_: tuple[str, ...] = (
        f"whether {user.shown} and the approvers are active members of the workspace, and not guests",
    )
    groups = facts.unknown
    if groups:
        open_ = (f"who is in {', '.join(sorted(called.get(group, group) for group in groups))}", *open_)
    return _answer(facts, called, place, open_ if facts.verdict != "refused" else ())


async def in_force(environ: Mapping[str, str], who: str, action: str, target: str, duration: str | None) -> Answer:
    """Against the policies in Redis; with SLACK_BOT_TOKEN, against the people of now too. Raises `AccessError`."""
    length_ms = _duration(action, duration)
    async with local(environ) as here, _slack(here) as slack:
        policies = await here.policies.current()
        asked = Target.parse(target, organization=policies.organization)
        user = await slack_id(who, policies, slack)
        question = Question(user, action, asked, length_ms)
        people = await _people(here, question, policies, slack)
        facts = explain(question, policies, people)
        called = {user: who} | {one: person.name for one, person in people.persons.items()} | policies.names
        open_ = [f"who is in {called.get(group, group)}" for group in facts.unknown]
        if user not in people.persons:
            open_.append(f"whether {called[user]} is an active member of the workspace, and not a guest")
        unsure = {each for each in facts.able if each not in people.persons} - {user}
        if unsure:
            open_.append(f"whether {len(unsure)} of those who could approve are active, and not guests")
        return _answer(facts, called, f"version {policies.number} in force", tuple(open_) if facts.rule else ())


def _answer(facts: Explanation, called: Mapping[str, str], place: str | None, open_: tuple[str, ...]) -> Answer:
    def name(principal: str) -> str:
        return cleaned(called.get(principal, principal))

    tongue = explained.Tongue(name, words, asker=name(facts.question.user), safe=cleaned, most=NAMES_MOST)
    lines = explained.lines(facts, tongue)
    if place is not None and facts.rule is not None:
        lines[0] = (lines[0][0], f"{lines[0][1]} ({place})")
    return Answer(facts, explained.sentence(facts, tongue), tuple(lines), called, place, open_)


@asynccontextmanager
async def _slack(here: Local) -> AsyncIterator[Slack | None]:
    if here.settings.slack_bot_token is None:
        yield None
        return
    slack = Slack.at(here.settings.slack_api_url, here.settings.slack_bot_token.reveal().decode())
    try:
        yield slack
    finally:
        await slack.close()


async def slack_id(who: str, policies: PolicySet, slack: Slack | None) -> str:
    """The user id of somebody named by address or by id. Raises `AccessError`."""
    if USER_ID.fullmatch(who):
        return who
    if not EMAIL.fullmatch(who):
        raise _not_a_user(who)
    found = [one for one, name in policies.names.items() if name.lower() == who.lower()]
    if found:
        return found[0]
    if slack is None:
        raise Invalid(
            f"The policies do not name {shown(who)}, and without SLACK_BOT_TOKEN nobody can be asked who that is. Write the user id.",
            code="bad_user",
        )
    known = await SlackLookup(slack).user(who)
    if known is None:
        raise NotFound(f"Slack knows nobody as {shown(who)}.", code="unknown_user")
    return known[0]


async def _people(here: Local, question: Question, policies: PolicySet, slack: Slack | None) -> People:
    """The groups, and then who is in them. What Slack does not tell stays open."""
    if slack is None:
        return People(0)
    dial = Dial(here.redis, no_skew, time.monotonic)
    await dial.sync()
    team_id = str((await slack.call("auth.test")).get("team_id", ""))
    facts = Facts(here.redis, here.keys)
    directory = SlackDirectory(slack, facts, team_id=lambda: team_id, now_ms=dial.now_ms)
    try:
        first = wanted(question, policies)
        people = await _told(directory, first)
        rule = policies.rule(question.action, question.target)
        persons = sorted(everybody(rule, people))[:PERSONS_MOST] if rule is not None else []
        return await _told(directory, first | Wanted(users=frozenset(persons)))
    finally:
        await directory.close()


async def _told(directory: SlackDirectory, wanted: Wanted) -> People:
    """As much as Slack tells while it is waited for."""
    try:
        return await directory.people(wanted, patient=True)
    except Unavailable:
        return await directory.people(wanted)


def _user(who: str, known: Iterable[Name]) -> Name:
    if not USER_ID.fullmatch(who) and not EMAIL.fullmatch(who):
        raise _not_a_user(who)
    written = (name for name in known if name.kind == "user" and name.text.lower() == who.lower())
    return next(written, Name("user", who))


def _not_a_user(who: str) -> Invalid:
    return Invalid(
        f"{shown(who)} is neither an e-mail address nor a Slack user id. Write ana@example.com or U024BE7LH.",
        code="bad_user",
    )


def _duration(action: str, duration: str | None) -> int | None:
    if duration is None:
        return None
    if action not in LASTING:
        raise Invalid(f"“{action}” has no duration: leave out --for.", code="bad_duration")
    try:
        return parse(duration)
    except ValueError as error:
        raise Invalid(str(error), code="bad_duration") from None
