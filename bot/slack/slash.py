"""Slash: `/countersign …`, answered to the person who typed it."""

from collections.abc import Awaitable
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.slack import grammar
from bot.slack.conversation import Conversation
from bot.slack.deleting import Deleting
from bot.slack.doors import Line, line
from bot.slack.extending import Extending
from bot.slack.filling import AT_HAND_S
from bot.slack.forms import Forms
from bot.slack.sight import Sight
from bot.slack.signing_in import SigningIn
from bot.slack.unlocking import Unlocking
from bot.slack.views import audited, why
from bot.slack.views import card as draw
from bot.slack.views import replies as words
from bot.slack.views.facts import CardFacts, Message, Prefill
from store.model.command import Cancel, End, Withdraw
from store.model.errors import AccessError, Forbidden, Invalid, NotFound
from store.model.explain import Question
from store.model.identity import Target
from store.model.lifecycle import World
from store.redis.audit import AuditLog

AUDIT_SHOWN: Final = 15
AUDIT_READ: Final = 2_000  # entries that are looked through for those of one request; the command line has them all


class Slash:
    def __init__(
        self,
        talk: Conversation,
        *,
        forms: Forms,
        unlocking: Unlocking,
        deleting: Deleting,
        extending: Extending,
        sight: Sight,
        signing_in: SigningIn,
        log: AuditLog,
    ) -> None:
        self._signing_in = signing_in
        self._forms = forms
        self._unlocking = unlocking
        self._deleting = deleting
        self._extending = extending
        self._sight = sight
        self._requests = talk.requests
        self._policies = talk.policies
        self._pictures = talk.pictures
        self._directory = talk.directory
        self._replies = talk.replies
        self._log = log

    async def command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        typed = line(body)
        user, channel = typed.user, typed.channel or ""
        try:
            answer = await self._answer(user, channel, typed)
        except AccessError as error:
            answer = words.sentence(error.sentence)
        await ack()
        if answer is not None:
            self._replies.message(user, channel, answer)

    async def _answer(self, user: str, channel: str, typed: Line) -> Message | None:
        policies = await self._policies.current()
        match grammar.parse(typed.text, organization=policies.organization):
            case grammar.Ask() as ask:
                prefill = Prefill(
                    ask.target, ask.duration_ms, ask.reason, "", channel, ask.whom, version=ask.version, ref=ask.ref
                )
                await self._forms.ask(user, ask.kind, prefill, typed.trigger)
                return None
            case grammar.Audit(id=about):
                return await self._audit(user, about)
            case grammar.Pending():
                cards, more = await self._pictures.waiting(user)
                return words.listing("Waiting for you", cards, empty="Nothing waits for your decision.", more=more)
            case grammar.Mine():
                mine = await self._pictures.mine(user, most=10)
                return words.listing("Your requests", mine, empty="You have asked for nothing yet.")
            case grammar.Show(id=request):
                world, facts = await self._seen(user, request)
                mine_too = user in (world.request.requester, world.request.beneficiary)
                if mine_too:
                    return draw.for_requester(facts, to=user, whole=True)
                told = await self._pictures.cautioned(world, facts, within_s=AT_HAND_S)
                return draw.for_approvers(told, whole=True)
            case grammar.Why(id=request):
                world, facts = await self._seen(user, request)
                self._replies.later(self._explained(user, channel, self._why(user, world, facts)))
                return None
            case grammar.WhyAsk() as ask:
                question = Question(user, ask.kind, Target.parse(ask.target), ask.duration_ms)
                self._replies.later(self._explained(user, channel, self._why_ask(user, question)))
                return None
            case grammar.Cancel(id=request, reason=reason):
                return await self._cancel(user, request, reason, typed)
            case grammar.Done(id=request, reason=reason):
                ended = request or await self._only(user, "done")
                outcome = await self._requests.apply(
                    ended, End(id=f"slash:{typed.trigger}", actor=user, reason=reason or None)
                )
                return words.sentence(outcome.answer)
            case grammar.Extend(id=request) as more:
                held = request or await self._only(user, "extend")
                wish = Prefill(None, more.duration_ms, more.reason, "", channel)
                await self._extending.open(user, held, wish, typed.trigger)
                return None
            case grammar.Unlock(user=locked, reason=reason):
                return await self._unlocking.command(user, locked, reason, typed.trigger)
            case grammar.Login(code=code):
                return await self._signing_in.command(user, code, typed.trigger)
            case grammar.Delete(target=name):
                await self._deleting.open(user, name, typed.trigger)
                return None
            case grammar.Mistake(sentence=sentence, target=target):
                near = await self._forms.near(user, target) if target else ""
                return words.sentence(f"{near} {sentence}".strip())
            case _:
                return words.help_text()

    async def _cancel(self, user: str, request: str, reason: str, typed: Line) -> Message | None:
        """What waits is withdrawn by who asked. A deploy that was approved or runs is cancelled, and others may do that too."""
        command: Withdraw | Cancel = Withdraw(id=f"slash:{typed.trigger}", actor=user)
        about = (await self._requests.get(request)).request
        if about.kind == "deploy" and about.state in ("approved", "running"):
            if not reason:
                world, _ = await self._seen(user, request)
                await self._forms.cancel(world.request, typed)
                return None
            command = Cancel(id=f"slash:{typed.trigger}", actor=user, reason=reason)
        outcome = await self._requests.apply(request, command)
        return words.sentence(outcome.answer)

    async def _audit(self, user: str, request: str | None) -> Message:
        """For owners."""
        if not await self._policies.owned_by(user, self._directory):
            raise Forbidden("Only owners read the audit log.", code="not_an_owner")
        entries = await self._log.newest(most=AUDIT_READ)
        found = [(number, entry) for number, entry in entries if request in (None, entry.request)]
        return audited.entries(found[:AUDIT_SHOWN], request, more=len(found) > AUDIT_SHOWN)

    async def _explained(self, user: str, channel: str, explanation: Awaitable[Message]) -> None:
        """After the acknowledgement: everybody concerned is looked up by name, which may take a while."""
        try:
            answer = await explanation
        except AccessError as error:
            answer = words.sentence(error.sentence)
        self._replies.message(user, channel, answer)

    async def _why(self, user: str, world: World, facts: CardFacts) -> Message:
        you, who = await self._pictures.why(user, world)
        return words.why(facts, you=you, who=who)

    async def _why_ask(self, user: str, question: Question) -> Message:
        return why.before(await self._pictures.explained(question), user)

    async def _seen(self, user: str, request: str) -> tuple[World, CardFacts]:
        """Those who asked, who may decide and who own this see it; for everybody else it is not there."""
        world, facts = await self._pictures.card(request)
        await self._sight.demand(user, world)
        return world, facts

    async def _only(self, user: str, verb: str) -> str:
        live = [
            request for request in await self._requests.listed(f"live:{user}", most=2) if request.state != "revoking"
        ]
        if not live:
            raise NotFound("You hold nothing now.")
        if len(live) > 1:
            raise Invalid(f"You hold several things. Say which one: /countersign {verb} ID", code="which")
        return live[0].id
