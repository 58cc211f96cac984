"""Pages: what App Home consists of. Another page is another row of `pages`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bot import VERSION
from bot.doctor.finding import Finding, Word
from bot.slack.ids import Place
from bot.slack.pictures import Pictures, offered, offers
from bot.slack.queue import Queue
from bot.slack.views import approvals, environment, environments, health
from bot.slack.views.approvals import GRANTS, MINE, WAITING, ApprovalsFacts
from bot.slack.views.environment import EnvironmentFacts
from bot.slack.views.environments import EnvironmentsFacts, by_target
from bot.slack.views.facts import Block, CardFacts
from bot.slack.views.health import LOCKS_MOST, Closed, HealthFacts, Line
from bot.slack.views.health import Word as HowItIs
from bot.slack.views.parts import Part, T
from store.model.errors import AccessError
from store.model.identity import Target
from store.model.people import People, Wanted
from store.model.policy import PolicySet
from store.model.standing import may_know
from store.redis.channels import Channels
from store.redis.environments import Environments
from store.redis.locks import Locks
from store.redis.requests import Requests
from store.redis.versions import Versions

Look = Callable[[], Awaitable[Sequence[Finding]]]  # at how the program is

WORDS: Final[dict[Word, HowItIs]] = {Word.OK: "ok", Word.WARN: "warn", Word.FAIL: "fail"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at App Home, and what was known when they did. `sure`: nothing was missing of what the rules name."""

    user: str
    policies: PolicySet
    people: People
    sure: bool
    queue: Queue


@dataclass(frozen=True, slots=True)
class Drawn:
    """`lacking`: what Slack has not told yet of the people on this page."""

    blocks: list[Block]
    lacking: Wanted = field(default_factory=Wanted)


@dataclass(frozen=True, slots=True)
class Page:
    """`name` stands in a `Place`. `for_owners`: others neither see it nor get there. `under`: the page that leads to it; it has no tab of its own."""

    name: str
    title: str
    draw: Callable[[Reader, Place], Awaitable[Drawn]]
    for_owners: bool = False
    under: str | None = None


def pages(
    *,
    pictures: Pictures,
    requests: Requests,
    locks: Locks,
    held: Environments,
    versions: Versions,
    channels: Channels,
    look: Look,
    rules: Callable[[Reader, Place], Awaitable[Drawn]],
    signed_in: Callable[[Reader, Place], Awaitable[Drawn]],
    now_ms: Callable[[], int],
) -> tuple[Page, ...]:
    """The first one is what App Home opens with."""
    return (
        Page("approvals", "Approvals", _Approvals(pictures, requests).draw),
        Page("environments", "Environments", _environments),
        Page(environment.PAGE, "Environment", _Environment(held, versions).draw, under="environments"),
        Page("signedin", "Signed in", signed_in),
        Page("policies", "Policies", rules, for_owners=True),
        Page("health", "Health", _Health(locks, channels, look, now_ms).draw, for_owners=True),
    )


class _Approvals:
    def __init__(self, pictures: Pictures, requests: Requests) -> None:
        self._pictures = pictures
        self._requests = requests

    async def draw(self, reader: Reader, place: Place) -> Drawn:
        queue = reader.queue
        waits = part(queue.ids, place.part(WAITING), approvals.SIZES[WAITING], more=queue.left > 0)
        live = await self._ids(f"live:{reader.user}", place, GRANTS)
        open_ = await self._ids(f"open:{reader.user}", place, MINE)
        cards, lacking = await self._pictures.several([*waits.items, *live.items, *open_.items], reader=reader.user)
        card_of = {card.request.id: card for card in cards}

        def shown(part: Part[str]) -> Part[CardFacts]:
            return Part(
                tuple(card_of[each] for each in part.items if each in card_of), part.first, part.total, part.more
            )

        facts = ApprovalsFacts(
            user=reader.user,
            place=place,
            waiting=shown(waits),
            unsure=queue.unsure,
            grants=shown(live),
            mine=shown(open_),
            kinds=frozenset(kind for kind, _ in offered(reader.user, reader.people, reader.policies)),
            sure=reader.sure,
        )
        return Drawn(approvals.page(facts), lacking)

    async def _ids(self, index: str, place: Place, of: int) -> Part[str]:
        size = approvals.SIZES[of]
        ids, first, total = await self._requests.part(index, first=place.part(of) * size, most=size)
        return Part(tuple(ids), first, total)


async def _environments(reader: Reader, place: Place) -> Drawn:
    targets = by_target(offers(reader.user, reader.people, reader.policies))
    return Drawn(
        environments.page(EnvironmentsFacts(place, part(targets, place.part(0), environments.SIZE), reader.sure))
    )


class _Environment:
    """One of them, for who may know its names."""

    def __init__(self, held: Environments, versions: Versions) -> None:
        self._held = held
        self._versions = versions

    async def draw(self, reader: Reader, place: Place) -> Drawn:
        offered = environment.kinds(offers(reader.user, reader.people, reader.policies), place.about)
        facts = EnvironmentFacts(place.about, place, offered)
        try:
            target = Target.parse(place.about)
            may = may_know(target, reader.policies, reader.user, reader.people).may is True
            if not may or target.kind != "environment":
                return Drawn(environment.page(replace(facts, refusal=environment.UNSEEN)))
            return Drawn(environment.page(await self._facts(facts, place)))
        except AccessError as error:  # a key holder that is away takes no page away
            return Drawn(environment.page(replace(facts, refusal=error.sentence)))

    async def _facts(self, facts: EnvironmentFacts, place: Place) -> EnvironmentFacts:
        found = await self._held.find(facts.target)
        facts = replace(facts, deleted=await self._versions.buried(facts.target))
        if found is None:
            return facts
        head = await self._held.head(found.id)
        size, total = environment.SIZE, head.number + 1 - await self._versions.oldest(found.id)
        first = min(place.part(0) * size, (total - 1) // size * size)
        versions = await self._versions.history(found.id, size, before=head.number + 1 - first)
        return replace(
            facts,
            version=head.number,
            names={name: held.mode for name, held in sorted(head.entries.items())},
            secure=found.secure,
            versions=Part(tuple(versions), first, total),
        )


class _Health:
    def __init__(self, locks: Locks, channels: Channels, look: Look, now_ms: Callable[[], int]) -> None:
        self._locks = locks
        self._channels = channels
        self._look = look
        self._now_ms = now_ms

    async def draw(self, reader: Reader, place: Place) -> Drawn:  # noqa: ARG002 - a page with one place
        locks, more = await self._locks.holding(most=LOCKS_MOST)
        lines = tuple(Line(WORDS[found.word], found.about, found.sentence) for found in await self._look())
        closed = tuple(
            Closed(each.channel, each.why, each.since_ms, targets)
            for each in await self._channels.all()
            if (targets := _sent_to(each.channel, reader.policies))
        )
        hooks = tuple(
            (target, hook) for target, config in sorted(reader.policies.targets.items()) for hook in config.hooks
        )
        now_ms = self._now_ms()
        return Drawn(health.page(HealthFacts(reader.user, VERSION, now_ms, lines, tuple(locks), more, closed, hooks)))


def _sent_to(channel: str, policies: PolicySet) -> tuple[str, ...]:
    """The targets whose cards go there."""
    return tuple(sorted(target for target, config in policies.targets.items() if config.channel == channel))


def part(items: Sequence[T], part: int, size: int, *, more: bool = False) -> Part[T]:
    """Past the end: the last one."""
    first = min(part * size, max(0, len(items) - 1) // size * size)
    return Part(tuple(items[first : first + size]), first, len(items), more)
