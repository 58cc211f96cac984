"""Rulebook: the policies in force as owners see them on App Home."""

from collections.abc import Iterable

from bot.policy_file.words import describe
from bot.proposing import concerned, proposal
from bot.slack.doors import Click
from bot.slack.ids import Place
from bot.slack.pages import Drawn, Reader
from bot.slack.views import policies as draw
from bot.slack.views.parts import Part
from bot.slack.views.policies import HISTORY, RULES, SIZES, Members, PoliciesFacts, Rule, Version
from bot.slack.wire import Slack
from store.model import lockout
from store.model.errors import Forbidden, Invalid
from store.model.people import Directory, People, Wanted
from store.model.policy import Circle, Policy
from store.redis.policies import Policies


class Rulebook:
    def __init__(self, slack: Slack, policies: Policies, directory: Directory) -> None:
        self._slack = slack
        self._policies = policies
        self._directory = directory

    async def draw(self, reader: Reader, place: Place) -> Drawn:
        policies = reader.policies
        size = SIZES[RULES]
        total = len(policies.policies)
        first = min(place.part(RULES) * size, max(0, total - 1) // size * size)
        shown = policies.policies[first : first + size]
        groups = lockout.wanted(policies).groups.union(*map(_groups, shown))
        people = await self._directory.people(Wanted(groups=groups))
        rules = tuple(
            Rule(number, each.name, tuple(describe(each, policies.names)), _members(_groups(each), people))
            for number, each in enumerate(shown, start=first + 1)
        )
        dangers = lockout.dangers(policies, await concerned(self._directory, policies))
        facts = PoliciesFacts(
            place=place,
            number=policies.number,
            owners=policies.owners,
            owning=_members(policies.owners.groups, people),
            dangers=tuple(each for each in dangers if each != "unknown"),  # the groups say so themselves
            rules=Part(rules, first, total),
            versions=await self._versions(policies.number, place),
        )
        return Drawn(draw.page(facts), people.missing(Wanted(groups=groups)))

    async def _versions(self, newest: int, place: Place) -> Part[Version]:
        size = SIZES[HISTORY]
        first = min(place.part(HISTORY) * size, max(0, newest - 1) // size * size)
        enactments = await self._policies.enactments(most=size, before=newest + 1 - first)
        return Part(tuple(Version(number, enactment) for number, enactment in enactments), first, newest)

    async def open_changes(self, pressed: Click) -> None:
        """What one version changed, in a modal, for an owner. Raises `AccessError`."""
        if not await self._policies.owned_by(pressed.user, self._directory):
            raise Forbidden("Only an owner sees the policies.", code="not_an_owner")
        number = (
            int(pressed.value) if pressed.value.isascii() and pressed.value.isdigit() and len(pressed.value) < 9 else 0
        )
        if not 1 < number <= await self._policies.number():
            raise Invalid("This button is not one of ours.", code="bad_reference")
        old, new = await self._policies.get(number - 1), await self._policies.get(number)
        version = Version(number, await self._policies.enactment(number))
        view = draw.changed(version, proposal(old, new, None))
        await self._slack.call("views.open", trigger_id=pressed.trigger, view=view)


def _groups(rule: Policy) -> frozenset[str]:
    """Everybody that a rule names by group."""
    circles: Iterable[Circle] = (
        rule.requesters,
        rule.bypassers,
        rule.deployers or Circle(),
        *(threshold.circle for threshold in rule.approvals),
        *(step.to for step in rule.escalate),
    )
    return frozenset().union(*(circle.groups for circle in circles))


def _members(groups: Iterable[str], people: People) -> tuple[Members, ...]:
    known = people.groups
    return tuple(
        Members(group, tuple(sorted(known[group].members)) if group in known else None) for group in sorted(groups)
    )
