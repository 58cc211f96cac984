"""Delivery: what Slack is told, as performers of the relay. Look at the record, draw, post or update, remember where."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from bot.slack.pictures import Pictures
from bot.slack.views import card as draw
from bot.slack.views import tell as say
from bot.slack.views.facts import CardFacts, Message
from bot.slack.views.status import unusable
from bot.slack.wire import Slack, SlackRefused
from scheduler.relay import Again
from scheduler.undelivered import undelivered
from store.model.command import Tally
from store.model.effect import Announce, Count, Post, ShowCard, Tell
from store.model.errors import AccessError, Conflict, NotFound, Unavailable
from store.model.lifecycle import World, named, still_calls
from store.model.people import Directory, Wanted
from store.model.policy import Circle
from store.model.request import RELAY, startable
from store.model.standing import may_act, may_deploy, may_review, wanted
from store.redis.cards import APPROVER, BENEFICIARY, CHANNEL, COPY, HOOK, REPORT, REQUESTER, TELL, Card, Cards
from store.redis.channels import Channels
from store.redis.locks import Locks
from store.redis.outbox import Claimed, Outbox
from store.redis.requests import Requests

LOST: Final = frozenset(
    {"message_not_found", "edit_window_closed", "is_inactive", "cant_update_message", "channel_not_found"}
)
CLOSED: Final = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "restricted_action_non_threadable_channel",
        "team_access_not_granted",
        "no_permission",
    }
)
UNREACHABLE: Final = frozenset(
    {"user_not_found", "user_disabled", "users_not_found", "cannot_dm_bot", "user_not_visible"}
)
DEAF: Final = CLOSED | UNREACHABLE  # nobody hears it there, however often it is said
CALLS: Final = frozenset({"reminder", "escalated"})  # to decide; over once it is decided
LOCKING: Final = frozenset({"locked", "unlocked"})
ANNOUNCED: Final = frozenset(
    {"broken", "countersigned", "disputed", "overdue", "no_rule", "trouble", *LOCKING}
    | {"channel_closed", "refused", "undelivered"}
)
FOR_OWNERS: Final = frozenset({"channel_closed", "refused", "undelivered"})  # which only an owner can mend
OWED: Final = frozenset({"broken", "countersigned", "disputed", "overdue"})  # of the debt, whatever the request does
ENDING: Final = frozenset({"active", "warning"})  # they say when it ends, which an extension moves
COPIES_KNOWN: Final = 10_000  # places of cards that this process remembers, so that a click on one asks Redis nothing
DEPLOYERS_TOLD: Final = 20  # of what waits for their Deploy
APPROVERS_TOLD: Final = 20  # in a DM of their own, where the channel is closed to us

log = structlog.stdlib.get_logger(__name__)


class Delivery:
    """`seen` hears of every request whose card was drawn, for App Homes that are open."""

    def __init__(
        self,
        slack: Slack,
        cards: Cards,
        channels: Channels,
        pictures: Pictures,
        requests: Requests,
        directory: Directory,
        outbox: Outbox,
        seen: Callable[[CardFacts], Awaitable[None]],
        locks: Locks,
    ) -> None:
        self._slack = slack
        self._cards = cards
        self._channels = channels
        self._pictures = pictures
        self._requests = requests
        self._directory = directory
        self._outbox = outbox
        self._seen = seen
        self._locks = locks
        self._closed_here: set[str] = set()  # channels that this process found closed
        self._copies: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def show_card(self, effect: ShowCard, _: Claimed) -> Again | None:
        """Every copy shows what is true now; a copy that is lost is posted anew."""
        try:
            world, facts = await self._pictures.card(effect.request)
        except NotFound:
            return None
        if world.rules is None and facts.request.state == "pending":
            await self._requests.nobody_decides(world)
        known = await self._cards.of(effect.request)
        for_approvers = draw.for_approvers(await self._pictures.cautioned(world, facts))
        refusals: list[SlackRefused] = []  # what is refused in one place holds up no other
        try:
            channel = await self._channel_card(world, known.get(CHANNEL), for_approvers)
        except SlackRefused as refusal:
            channel = None
            refusals.append(refusal)
        asked = [f"{APPROVER}{user}" for user in await self._approvers(world)] if channel is None else []
        for place in dict.fromkeys((*asked, *(place for place in known if place.startswith(APPROVER)))):
            user = place.removeprefix(APPROVER)
            refusals += await self._place_dm(effect.request, place, user, known, for_approvers)
        if channel is not None:
            for delivery in facts.deliveries:
                place, line = f"{HOOK}{delivery.place}", say.hook_line(delivery, facts.request)
                await self._place(effect.request, place, channel.channel, known.get(place), line, thread=channel.ts)
            if (report := say.progress_line(facts.request)) is not None:
                there = known.get(REPORT)
                await self._place(effect.request, REPORT, channel.channel, there, report, thread=channel.ts)
        for place, copy in known.items():
            if place.startswith(COPY):
                await self._copy(effect.request, copy, for_approvers)
        await self._pass(facts, known)
        # Who answers for a machine is not written to each time that it asks.
        own = () if facts.request.machine is not None else (facts.request.requester, facts.request.beneficiary)
        for user in dict.fromkeys(own):
            place = REQUESTER if user == facts.request.requester else f"{BENEFICIARY}{user}"
            refusals += await self._place_dm(effect.request, place, user, known, draw.for_requester(facts, to=user))
        await self._seen(facts)
        if refusals:
            raise refusals[0]
        return None

    async def tell(self, effect: Tell, claimed: Claimed) -> Again | None:
        world, facts = await self._pictures.card(effect.request)
        if effect.news == "warning" and world.request.state != "active":
            return None  # late, and over: its end is told by itself
        about_self = effect.to in (world.request.requester, world.request.beneficiary)
        if effect.news == "approved" and not about_self and not await self._starts(world, effect.to):
            return None  # somebody was faster
        if effect.news in LOCKING:
            lock = await self._locks.of(effect.to)
            if lock is None or lock.holds is not (effect.news == "locked"):
                return None  # it is the other way by now, which is told by itself
            facts = replace(facts, lock=lock)
        if effect.news == "no_rule" and (world.rules is not None or world.request.state != "pending"):
            return None  # it is covered again, or over
        if effect.news == "channel_closed":
            closing = await self._channels.of(effect.detail or "")
            if closing is None:
                return None  # it is open again
            facts = replace(facts, closed=(closing.channel, closing.why))
        if effect.news == "refused":
            what, _, why = (effect.detail or "").partition(" ")
            facts = replace(facts, refused=(what, why))
        if effect.news in CALLS:
            if (decides := await self._called(world, effect)) is None:
                return None
            # Said once and not drawn again, so it must be true: what is still needed is counted with every fact at hand.
            facts = replace(await self._pictures.facts(world, patient=True), decides=decides)
        if effect.news == "broken" and world.rules is not None:  # an owner hears of it, and need not be an approver
            people = await self._directory.people(wanted(world.request, world.rules, effect.to), patient=True)
            facts = replace(facts, decides=may_review(world.request, world.rules, effect.to, people).may)
        facts = replace(facts, undelivered=effect.detail)
        known = await self._cards.of(effect.request)
        theirs = CHANNEL if CHANNEL in known else f"{APPROVER}{effect.to}"
        link = await self._link(known, REQUESTER if about_self else theirs)
        if effect.news in ANNOUNCED:
            message = say.announce(facts, effect.news, link=link, to=effect.to)
        else:
            message = say.tell(facts, effect.news, link=link, to=effect.to)
        try:
            channel, ts = await self._slack.post(await self._slack.dm(effect.to), message)
            if _has_buttons(message):
                place = f"{TELL}{_moment(facts, effect.news)}/{effect.to}/{effect.news}"
                await self._keep(effect.request, Card(place, channel, ts))
                await self._overtaken(effect, facts, claimed)
        except SlackRefused as refusal:
            if refusal.error not in UNREACHABLE:
                raise
            log.warning("person cannot be told", user=effect.to, news=effect.news, why=refusal.error)
        return None

    async def _starts(self, world: World, user: str) -> bool:
        """Whether it waits for this person to start it."""
        request, rules = world.request, world.rules
        if not startable(request) or rules is None:
            return False
        people = await self._directory.people(wanted(request, rules, user), patient=True)
        return may_deploy(request, rules, user, people).may is True

    async def _overtaken(self, effect: Tell, told: CardFacts, claimed: Claimed) -> None:
        """It moved on while this was posted: the card that was drawn then did not know of this message yet."""
        _, facts = await self._pictures.card(effect.request)
        if _moment(facts, effect.news) != _moment(told, effect.news):
            redrawn = ShowCard(request=effect.request)
            await self._outbox.put([redrawn], command_id=f"{effect.key}:{claimed.generation}:{claimed.fence}")

    async def announce(self, effect: Announce, _: Claimed) -> Again | None:
        """One message a person, so that one who cannot be reached holds nobody up."""
        world = await self._requests.get(effect.request)
        if effect.news in CALLS:
            everybody = await self._callable(world, effect)
        elif effect.news == "approved":
            everybody = await self._deployers(world, effect)
        else:
            owners = world.policy_now.owners
            people = await self._directory.people(owners.wanted, patient=True)
            everybody = set(owners.members(people))
            if effect.news not in FOR_OWNERS:
                everybody |= {*await self._approvers(world, most=None)}
                everybody |= {world.request.requester, world.request.beneficiary}
        tells = [
            Tell(request=effect.request, news=effect.news, to=user, at_ms=effect.at_ms, detail=effect.detail)
            for user in sorted(everybody)
        ]
        await self._outbox.put(tells, command_id=effect.key)
        return None

    async def post(self, effect: Post, claimed: Claimed) -> None:
        """A channel that the rule names under notify. What is closed to us stays so until a person opens it."""
        world, facts = await self._pictures.card(effect.request)
        if not named(world.policy_now, effect):
            return
        link = await self._link(await self._cards.of(effect.request), CHANNEL)
        try:
            await self._slack.post(effect.channel, say.notice(facts, effect.news, link=link))
        except SlackRefused as refusal:
            if refusal.error not in CLOSED:
                raise
            called = world.policy_now.names.get(effect.channel, effect.channel)
            await undelivered(self._outbox, world, effect, claimed, route="channel", to=called, why=refusal.sentence)

    async def _callable(self, world: World, effect: Announce) -> set[str]:
        """Whom a rule names and who has not voted, and whom it is escalated to. If it still waits, and what they may, is looked at as each is told."""
        voted = {review.by for review in world.request.reviews}
        to = effect.to or Circle()
        besides = to.members(await self._directory.people(to.wanted, patient=True))
        own = world.rules is not None and world.rules.self_approval
        themselves = {world.request.requester, world.request.beneficiary} if own else set()
        return {*await self._approvers(world, most=None), *themselves} - voted | besides

    async def _deployers(self, world: World, effect: Announce) -> set[str]:
        """A few of those who may start what waits for that; the card and App Home call everybody."""
        if not startable(world.request) or effect.to is None:
            return set()
        named = effect.to.members(await self._directory.people(effect.to.wanted, patient=True))
        return set(sorted(named - {world.request.requester, world.request.beneficiary})[:DEPLOYERS_TOLD])

    async def _called(self, world: World, effect: Tell) -> bool | None:
        """Whether they may decide it; None for who need not hear of it (any more)."""
        request, rules = world.request, world.rules
        if not still_calls(world, effect.at_ms, reminder=effect.news == "reminder"):
            return None
        wants = wanted(request, rules, effect.to) if rules else Wanted(users=frozenset((effect.to,)))
        people = await self._directory.people(wants, patient=True)
        voted = any(review.by == effect.to for review in request.reviews)
        decides = rules is not None and not voted and may_review(request, rules, effect.to, people).may is True
        if effect.news == "reminder" and not decides:
            return None
        return decides if may_act(effect.to, people).may else None

    async def count(self, effect: Count, claimed: Claimed) -> Again | None:
        """Facts that were missing in time for the click are fetched without hurry, then the votes are counted."""
        try:
            await self._requests.apply(
                effect.request, Tally(id=f"tally:{effect.request}:{claimed.generation}:{claimed.fence}", actor=RELAY)
            )
        except Conflict:
            return None
        return None

    async def refused(self, claimed: Claimed, error: AccessError) -> None:
        """Slack keeps saying no to this: the owners hear of it, once a day, unless it is that which is refused. Raises `Unavailable`."""
        effect = claimed.effect
        if not isinstance(effect, (ShowCard, Tell, Announce)) or getattr(effect, "news", None) == "refused":
            return
        detail = f"{effect.type} {error.detail}"
        told = Announce(request=effect.request, news="refused", at_ms=claimed.now_ms, detail=detail)
        await self._outbox.put([told], command_id=f"refused:{claimed.member}")

    def knows(self, channel: str, ts: str) -> bool:
        """This card is kept true already. False where only Redis can tell."""
        return (channel, ts) in self._copies

    async def adopt(self, request: str, channel: str, ts: str) -> None:
        """A card that somebody clicked and that we do not know of (its post was not confirmed) is kept true as well."""
        if not any((card.channel, card.ts) == (channel, ts) for card in (await self._cards.of(request)).values()):
            await self._keep(request, Card(f"{COPY}{channel}/{ts}", channel, ts))
        self._remember(channel, ts)

    async def refresh(self, request: str, channel: str, ts: str, click: str) -> None:
        """Somebody has clicked what this copy no longer offers, so it does not show what is true: it is drawn again."""
        await self.adopt(request, channel, ts)
        for place, card in (await self._cards.of(request)).items():
            if (card.channel, card.ts) == (channel, ts):
                await self._keep(request, Card(place, channel, ts))
        effect = ShowCard(request=request)
        await self._outbox.put([effect], command_id=f"refresh:{click}")

    async def _pass(self, facts: CardFacts, known: dict[str, Card]) -> None:
        """News whose moment is over has buttons that promise what is over: it becomes one line."""
        request = facts.request
        told = [(place.split("/"), card) for place, card in known.items() if place.startswith(TELL)]
        over = [(user, card) for (_, moment, user, news), card in told if moment != _moment(facts, news)]
        if not over:
            return
        own, theirs = await self._link(known, REQUESTER), await self._link(known, CHANNEL)
        for user, card in over:
            about_self = user in (request.requester, request.beneficiary)
            line = say.passed(facts, own if about_self else theirs)
            await self._place(request.id, card.place, card.channel, card, line)

    async def _channel_card(self, world: World, known: Card | None, message: Message) -> Card | None:
        """None where the channel is gone or closed to us."""
        target = world.policy_now.target(world.request.asked) or world.policy_then.target(world.request.asked)
        listed = target.channel if target else None
        channel = known.channel if known else listed
        if channel is None:
            return None
        try:
            card = await self._place(world.request.id, CHANNEL, channel, known, message)
        except SlackRefused as refusal:
            if refusal.error not in CLOSED:
                raise
            log.warning("channel is closed to us", channel=channel, request=world.request.id, why=refusal.error)
            if listed is not None and listed != channel:  # the policies name another one by now
                await self._cards.forget(world.request.id, CHANNEL)
                return await self._channel_card(world, None, message)
            await self._closed(world, channel, refusal.error)
            return None
        if channel in self._closed_here or known is None:
            await self._channels.opened(channel)
            self._closed_here.discard(channel)
        return card

    async def _closed(self, world: World, channel: str, why: str) -> None:
        """The owners hear of it once, until it is open again. The card does not wait for that."""
        self._closed_here.add(channel)
        try:
            closing = await self._channels.closed(channel, why, world.now_ms)
            if not closing.told:
                news = Announce(request=world.request.id, news="channel_closed", at_ms=closing.since_ms, detail=channel)
                await self._outbox.put([news], command_id=f"closed:{channel}:{closing.since_ms}")
                await self._channels.told(closing)
        except Unavailable as error:
            log.warning("owners not told of a closed channel", channel=channel, why=error.sentence)

    async def _copy(self, request: str, copy: Card, message: Message) -> None:
        try:
            await self._place(request, copy.place, copy.channel, copy, message)
        except SlackRefused as refusal:
            if refusal.error not in CLOSED:
                raise
            await self._cards.forget(request, copy.place)  # it stays as it is, and holds up no other

    async def _place_dm(
        self, request: str, place: str, user: str, known: dict[str, Card], message: Message
    ) -> list[SlackRefused]:
        """What Slack says no to, but for people it cannot reach at all: that is so, and nothing to be tried again."""
        try:
            card = known.get(place)
            await self._place(request, place, card.channel if card else await self._slack.dm(user), card, message)
        except SlackRefused as refusal:
            if refusal.error not in UNREACHABLE:
                return [refusal]
            log.warning("person cannot be shown a card", user=user, request=request, why=refusal.error)
        return []

    async def _place(
        self, request: str, place: str, channel: str, known: Card | None, message: Message, *, thread: str | None = None
    ) -> Card:
        shows = _digest(message)
        if known is not None and known.shows == shows:
            return known
        if known is not None:
            try:
                await self._slack.call(
                    "chat.update", channel=known.channel, ts=known.ts, text=message.text, blocks=message.blocks
                )
            except SlackRefused as refusal:
                if refusal.error not in LOST:
                    raise
                await self._cards.forget(request, place)
                self._copies.pop((known.channel, known.ts), None)
                if place.startswith((COPY, TELL)):
                    return known
            else:
                card = Card(place, known.channel, known.ts, shows)
                await self._keep(request, card)
                return card
        posted_channel, ts = await self._slack.post(channel, message, thread=thread)
        card = Card(place, posted_channel, ts, shows)
        await self._keep(request, card)
        return card

    async def _keep(self, request: str, card: Card) -> None:
        await self._cards.keep(request, card)
        self._remember(card.channel, card.ts)

    def _remember(self, channel: str, ts: str) -> None:
        self._copies[channel, ts] = None
        self._copies.move_to_end((channel, ts))
        while len(self._copies) > COPIES_KNOWN:
            self._copies.popitem(last=False)

    async def _link(self, known: dict[str, Card], place: str) -> str | None:
        card = known.get(place)
        return await self._slack.link(card.channel, card.ts) if card is not None else None

    async def _approvers(self, world: World, *, most: int | None = APPROVERS_TOLD) -> Sequence[str]:
        """Everybody the rule of now names, but for those who asked."""
        if world.rules is None:
            return ()
        rule = world.rules.now
        people = await self._directory.people(rule.wanted, patient=True)
        named = {user for threshold in rule.approvals for user in threshold.circle.members(people)}
        return sorted(named - {world.request.requester, world.request.beneficiary})[:most]


def _moment(facts: CardFacts, news: str) -> str:
    """As long as this is the same, the buttons of that news still do what they say."""
    if facts.debt and news in OWED:
        return f"debt-{facts.debt.state}"
    extended = len(facts.request.extended)
    if extended and news in ENDING:
        return f"{facts.request.state}-{extended}"
    return "unusable" if unusable(facts) else facts.request.state


def _has_buttons(message: Message) -> bool:
    return any(block["type"] == "actions" for block in message.blocks)


def _digest(message: Message) -> str:
    return hashlib.sha256(json.dumps([message.text, message.blocks], sort_keys=True).encode()).hexdigest()[:16]
