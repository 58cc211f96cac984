"""Forms: modals that are opened, filled in and sent off."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, get_args

from slack_bolt.async_app import AsyncAck

from bot.slack import ids, meant
from bot.slack.conversation import Conversation
from bot.slack.doors import Click, Line, Submission, choice, submission
from bot.slack.filling import AT_HAND_S, Filling
from bot.slack.sending import finish
from bot.slack.sight import Sight
from bot.slack.views import amendment, answers, modals
from bot.slack.views import card as draw
from bot.slack.views import forms as ask
from bot.slack.views import replies as words
from bot.slack.views.facts import CardFacts, Message, Offer, Prefill, Terms, View
from bot.slack.views.reading import block_of
from store.model.blob import Pasted
from store.model.command import Approve, Break, Cancel, Command, Deny, Dispute, Edit, End
from store.model.errors import Conflict, Forbidden, Invalid, NotFound
from store.model.identity import Target
from store.model.lifecycle import World, room_ms, too_late, why_locked
from store.model.lifecycle.world import same_content
from store.model.people import not_told
from store.model.policy import PolicySet, TargetConfig
from store.model.request import Amendment, Extending, Kind, Request
from store.model.secret import Secret
from store.redis.environments import Environments, Value
from store.redis.requests import Outcome

KINDS: Final = ask.KINDS
FORMS: Final = {
    "open": ask.ask_open,
    "access": ask.ask_access,
    "change": ask.ask_change,
    "deploy": ask.ask_deploy,
}
FROM_HOME: Final[dict[str, Kind]] = {
    ids.HOME_ASK_OPEN: "open",
    ids.HOME_ASK_ACCESS: "access",
    ids.HOME_ASK_CHANGE: "change",
    ids.HOME_ASK_DEPLOY: "deploy",
}
SHORTCUTS: Final[dict[str, Kind]] = {
    ids.SHORTCUT_OPEN: "open",
    ids.SHORTCUT_ACCESS: "access",
    ids.SHORTCUT_CHANGE: "change",
    ids.SHORTCUT_DEPLOY: "deploy",
}


class Forms:
    def __init__(
        self,
        talk: Conversation,
        *,
        environments: Environments,
        filling: Filling,
        sight: Sight,
    ) -> None:
        self._talk = talk
        self._slack = talk.slack
        self._requests = talk.requests
        self._locks = talk.locks
        self._policies = talk.policies
        self._environments = environments
        self._asking = talk.asking
        self._pictures = talk.pictures
        self._filling = filling
        self._sight = sight
        self._replies = talk.replies

    # -- opening -------------------------------------------------------------------------------------------------------

    async def ask(self, user: str, kind: Kind | None, prefill: Prefill, trigger: str) -> None:
        """`kind` None: the first that this person may ask for. Raises `AccessError`."""
        policies = await self._policies.current()
        offers = await self._pictures.offers(user, policies)
        target = None
        if prefill.target is not None:
            target = Target.parse(prefill.target, organization=policies.organization)
            if policies.target(target) is None:
                raise Invalid(f"There is no target {target} here.{_near(target.id, offers)}", code="unknown_target")
        kind = kind or _likely(target, offers)
        targets = sorted({offer.target for offer in offers if offer.kind == kind} | ({target.id} if target else set()))
        if kind is None or not targets:
            if not await self._pictures.knows(user):
                raise not_told()
            what = f" to {VERBS[kind]}" if kind else " for"
            raise NotFound(f"There is nothing here that you may ask{what}. Ask an owner to name you in a rule.")
        if target is None and len(targets) == 1:
            target = Target.parse(targets[0])
        filled = replace(prefill, target=target.id if target else None, kinds=_kinds(offers))
        if target is None:
            await self._open(trigger, FORMS[kind](targets, filled, None))
            return
        draw, terms = (
            partial(FORMS[kind], targets, filled),
            partial(self._terms, user, kind, target, prefill.duration_ms, prefill.whom),
        )
        await self._filling.open(trigger, draw, terms)

    async def near(self, user: str, typed: str) -> str:
        """A question that names a target like the one that was typed, of those that this person may ask for; else nothing."""
        return _near(typed, await self._pictures.offers(user, await self._policies.current()))

    async def ask_from_home(self, pressed: Click) -> None:
        target = None if pressed.value in ("", ids.NO_TARGET) else pressed.value
        await self.ask(pressed.user, FROM_HOME[pressed.action], Prefill(target=target), pressed.trigger)

    async def ask_from_shortcut(self, user: str, shortcut: str, trigger: str) -> None:
        await self.ask(user, SHORTCUTS[shortcut], Prefill(), trigger)

    async def ask_about(self, user: str, channel: str, ts: str, trigger: str) -> None:
        """With a link to that message as the beginning of the reason, where Slack tells it in time. Raises `AccessError`."""
        link = None  # of a conversation that we are not in: then whoever asks says what it is about
        with suppress(TimeoutError):
            async with asyncio.timeout(AT_HAND_S):
                link = await self._slack.link(channel, ts)
        await self.ask(user, None, Prefill(reason=f"About {link}\n" if link else ""), trigger)

    async def chosen(self, body: dict[str, Any]) -> None:
        """The same form, or that of another kind, with what follows from the choice. What was typed stays: its fields keep their ids."""
        made = choice(body)
        form, values, before = made.form, made.form.values, KINDS.get(made.form.callback)
        if before is None:
            return
        kind = made.value if made.action == ids.KIND and made.value in FORMS else before
        policies = await self._policies.current()
        offers = await self._pictures.offers(form.user, policies)
        targets = [offer.target for offer in offers if offer.kind == kind]
        name = ask.chosen_target(values)
        target = Target.parse(name, organization=policies.organization) if name else None
        if target is not None and kind != before and target.id not in targets:
            target = None
        channel = ids.parse_metadata(form.metadata).channel
        has_fields = block_of(values, ids.REASON) in values
        held = self._filling.kept(form.view, answers.so_far(values, channel), has_fields=has_fields)
        wanted = None if held.duration_ms == _usual(before, values, policies) else held.duration_ms
        held = replace(held, target=target.id if target else None, duration_ms=wanted, kinds=_kinds(offers))
        if target is None:
            self._filling.again(made, lambda _: FORMS[kind](targets, held, None), _nothing)
            return
        draw = partial(FORMS[kind], sorted({*targets, target.id}), held)
        self._filling.again(made, draw, partial(self._terms, form.user, kind, target, wanted, held.whom))

    async def _terms(
        self, user: str, kind: str, target: Target, duration_ms: int | None, whom: str | None, within_s: float | None
    ) -> Terms:
        return await self._pictures.terms(user, kind, target, duration_ms, beneficiary=whom, within_s=within_s)

    async def targets(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The choices of a select that has too many for a plain one."""
        policies = await self._policies.current()
        form = submission(body)
        kind, query = KINDS.get(form.callback, "open"), body.get("value")
        offers = await self._pictures.offers(form.user, policies)
        found = [offer.target for offer in offers if offer.kind == kind]
        await ack(options=ask.target_options(found, query if isinstance(query, str) else ""))

    async def open_for(self, pressed: Click) -> None:
        """The modal behind a button of a card. Raises `AccessError`."""
        if pressed.action == ids.MORE:
            await self._more(pressed)
            return
        about = pressed.reference
        origin = ids.Origin(about, pressed.channel, pressed.ts)
        if pressed.action == ids.SHOW_VALUES:
            await self._show_values(pressed, about.request)
            return
        world = await self._requests.get(about.request)
        if pressed.action == ids.EDIT:
            await self._edit(pressed, origin)
            return
        if pressed.action in (ids.BREAK_GLASS, ids.DENY):
            same_content(world.request, about.revision, about.digest)
            _in_time(pressed.action, world)
        if pressed.action == ids.BREAK_GLASS:
            await self._not_locked(pressed.user, world.policy_now)
            await self._open(
                pressed.trigger, modals.break_reason((await self._pictures.card(about.request))[1], origin)
            )
            return
        if pressed.action == ids.DENY:
            await self._open(pressed.trigger, modals.deny_reason(world.request, origin))
            return
        await self._sight.demand_here(pressed, world)
        _in_time(pressed.action, world)
        if pressed.action == ids.END_NOW:
            await self._open(pressed.trigger, modals.end_reason(world.request, origin))
        elif pressed.action == ids.CANCEL:
            await self._open(pressed.trigger, modals.cancel_reason(world.request, origin))
        else:
            await self._open(pressed.trigger, modals.dispute_reason(world.request, origin))

    async def cancel(self, request: Request, typed: Line) -> None:
        """The form for it, of what was named in a command. Raises `AccessError`."""
        origin = ids.Origin(ids.parse_reference(request.reference), typed.channel)
        await self._open(typed.trigger, modals.cancel_reason(request, origin))

    async def deploy_again(self, pressed: Click) -> None:
        """The form for a deploy, filled in with the last that succeeded there. Raises `AccessError`."""
        world, facts = await self._pictures.card(pressed.reference.request)
        await self._sight.demand_here(pressed, world)
        if facts.back_to is None:
            raise Conflict("There is nothing that succeeded there to go back to.", code="too_late")
        found = facts.back_to.of
        reason = f"Back to {found.version}, instead of request {world.request.id}."
        wish = Prefill(world.request.target, reason=reason, version=found.version, ref=found.ref or "")
        await self.ask(pressed.user, "deploy", wish, pressed.trigger)

    async def _not_locked(self, user: str, policies: PolicySet) -> None:
        """Said before anybody describes an emergency for nothing; the commit decides it all the same."""
        lock = await self._locks.of(user)
        if lock is not None and lock.holds:
            raise Forbidden(why_locked(lock, policies), code="locked")

    async def _edit(self, pressed: Click, origin: ids.Origin) -> None:
        """What was asked, to be asked differently, by who asked it. Raises `AccessError`."""
        seen = pressed.reference
        world, facts = await self._pictures.card(seen.request)
        request = world.request
        same_content(request, seen.revision, seen.digest)
        if pressed.user not in (request.requester, request.beneficiary):
            raise Forbidden("Only the person who asked can edit this.", code="not_the_requester")
        by, whom = request.requester, request.beneficiary
        about = partial(self._terms, by, request.kind, request.asked, request.duration_ms, whom)

        def drawn(terms: Terms) -> View:
            if isinstance(request.payload, Extending) and world.kin is not None:
                terms = replace(terms, max_ms=room_ms(world.kin, terms.max_ms))
            return ask.edit(facts, terms, origin)

        await self._filling.open(pressed.trigger, drawn, about)

    async def _more(self, pressed: Click) -> None:
        name, about = ids.parse_choice(pressed.value)
        world, facts = await self._pictures.card(about.request)
        await self._sight.demand_here(pressed, world)
        if name == ids.MORE_APPROVE_LESS:
            same_content(world.request, about.revision, about.digest)
            _in_time(name, world)
            origin = ids.Origin(about, pressed.channel, pressed.ts)
            await self._open(pressed.trigger, modals.approve_less(world.request, origin))
        elif name == ids.MORE_WHY:
            view = modals.details(words.why(facts), "Why")
            opened = await self._slack.call("views.open", trigger_id=pressed.trigger, view=view)
            self._replies.later(self._explain(opened["view"]["id"], pressed.user, world, facts))
        elif isinstance(world.request.payload, Amendment):
            changes = Message("", amendment.whole(facts.proposed))
            await self._open(pressed.trigger, modals.details(changes, "Changes"))
        else:
            told = await self._pictures.cautioned(world, facts, within_s=AT_HAND_S)
            await self._open(pressed.trigger, modals.details(draw.for_approvers(told, whole=True)))

    async def _explain(self, view_id: str, user: str, world: World, facts: CardFacts) -> None:
        """The same modal with names in it, which Slack is asked for while it is open."""
        you, who = await self._pictures.why(user, world)
        view = modals.details(words.why(facts, you=you, who=who), "Why")
        await self._slack.call("views.update", view_id=view_id, view=view)

    async def _show_values(self, pressed: Click, request_id: str) -> None:
        """Values in a modal, where the target says so, for the holder of the grant. Raises `AccessError`."""
        world = await self._requests.get(request_id)
        target = world.policy_now.target(world.request.asked)
        if target is None or not target.shows:
            raise Invalid(
                f"{world.request.target} does not show its values in Slack. An owner of the policies can allow it.",
                code="not_in_slack",
            )
        opened = await self._environments.read(request_id, pressed.user)
        shown = {name: value.secret for name, value in opened.values.items() if value.secret is not None}
        until_ms = world.request.lease.until_ms if world.request.lease else world.now_ms
        await self._open(pressed.trigger, modals.values(world.request.target, opened.version, shown, until_ms))

    async def _open(self, trigger: str, view: View) -> None:
        await self._slack.call("views.open", trigger_id=trigger, view=view)

    # -- sent off ------------------------------------------------------------------------------------------------------

    async def asked(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        sent = submission(body)
        kind = KINDS[sent.callback]
        await finish(self._talk, ack, sent, self._submit(sent, kind), refused="Not asked", name=f"ask_{kind}")

    async def _submit(self, sent: Submission, kind: str) -> Outcome:
        policies = await self._policies.current()
        if kind == "change":
            asked = answers.read_change(sent.values)
            target = _target(asked.target, policies)
            config = policies.target(target)
            values = _values(asked.set, target, config) | {name: Value(None) for name in asked.remove}
            return await self._asking.change(
                sent.user, target, values, reason=asked.reason, ticket=asked.ticket, command_id=sent.command_id
            )
        if kind == "deploy":
            wish = answers.read_deploy(sent.values)
            return await self._asking.deploy(
                sent.user,
                _target(wish.target, policies),
                version=wish.version,
                ref=wish.ref,
                reason=wish.reason,
                ticket=wish.ticket,
                command_id=sent.command_id,
            )
        form = answers.read_open(sent.values)
        target = _target(form.target, policies)
        method = self._asking.open if kind == "open" else self._asking.access
        return await method(
            sent.user,
            target,
            duration_ms=form.duration_ms,
            reason=form.reason,
            ticket=form.ticket,
            command_id=sent.command_id,
            beneficiary=form.whom,
        )

    async def edited(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Another reason, ticket or length; or the same once more, on what is there now."""
        sent = submission(body)
        await finish(self._talk, ack, sent, self._save(sent), refused="Not edited")

    async def _save(self, sent: Submission) -> Outcome:
        about = ids.parse_metadata(sent.metadata).about
        form = answers.read_edit(sent.values)
        edit = Edit(
            id=sent.command_id,
            actor=sent.user,
            revision=about.revision,
            digest=about.digest,
            reason=form.reason,
            ticket=form.ticket,
            duration_ms=form.duration_ms,
        )
        world = await self._requests.get(about.request)
        target = world.policy_now.target(world.request.asked)
        values = _values(form.set, world.request.asked, target)
        return await self._asking.edit(world.request, edit, values, form.left)

    async def decided(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Deny, break glass, dispute, end, cancel, approve for less: with a reason or a number."""
        sent = submission(body)
        outcome = await finish(self._talk, ack, sent, self._decide(sent), refused="Not done")
        if outcome is None:
            return
        channel = ids.parse_metadata(sent.metadata).channel
        if outcome.request is None or outcome.request.state == "pending":
            self._replies.sentence(sent.user, channel, outcome.answer)
        if channel is None:
            self._replies.opened_home(sent.user)

    async def _decide(self, sent: Submission) -> Outcome:
        about = ids.parse_metadata(sent.metadata).about
        return await self._requests.apply(about.request, _verdict(sent, about))


def _in_time(action: str, world: World) -> None:
    """Or somebody would give reasons for nothing. Raises `Conflict`; the commit decides it all the same."""
    if action == ids.DISPUTE:
        if world.debt is None or world.debt.state != "open":
            raise too_late(world, of_debt=True)
    elif world.request.state not in IN_TIME.get(action, ("pending",)):
        raise too_late(world)


IN_TIME: Final = {ids.END_NOW: ("granting", "active"), ids.CANCEL: ("approved", "running")}


VERBS: Final = {"open": "open", "access": "join", "change": "change", "deploy": "deploy"}


def _usual(kind: str, values: Mapping[str, Any], policies: PolicySet) -> int | None:
    """What the form proposed by itself, for the target that was chosen before: nobody's wish."""
    before = block_of(values, ids.DURATION).partition(":")[2]
    rule = policies.rule(kind, Target.parse(before)) if before else None
    return rule.access.default_ms if rule is not None else None


def _kinds(offers: Sequence[Offer]) -> tuple[Kind, ...]:
    """What this person may ask for at all."""
    offered = {offer.kind for offer in offers}
    return tuple(kind for kind in get_args(Kind) if kind in offered)


def _likely(target: Target | None, offers: Sequence[Offer]) -> Kind | None:
    """What this person may ask for at this target, or at all, where nothing else was said: the form offers the rest."""
    if target is None:
        return next(iter(_kinds(offers)), None)
    here = _kinds([offer for offer in offers if offer.target == target.id])
    return here[0] if here else "access" if target.kind == "role" else "open"


def _near(typed: str, offers: Sequence[Offer]) -> str:
    """An application only where no environment or role is like it."""
    every = {offer.target for offer in offers}
    found = meant.target(typed, {target for target in every if "#" not in target}) or meant.target(typed, every)
    return f" Did you mean {found}?" if found else ""


async def _nothing(_: float | None) -> Terms:
    """No target is chosen, so there are no terms yet."""
    return Terms()


def _values(
    typed: Mapping[str, Secret | Pasted], target: Target, config: TargetConfig | None
) -> dict[str, Value | Pasted]:
    """References anywhere, values only where the target takes them in Slack. Raises `Invalid`."""
    plain = any(isinstance(value, Secret) for value in typed.values())
    if plain and not (config is not None and config.enters):
        raise Invalid(
            f"Values of {target} are not entered in Slack. Paste references, NAME=sealed:…: `countersign seal {target}` prints them. "
            "What you have typed here has been through Slack: use another value.",
            code="not_in_slack",
        )
    return {name: Value(value) if isinstance(value, Secret) else value for name, value in typed.items()}


def _target(name: str, policies: PolicySet) -> Target:
    return Target.parse(name, organization=policies.organization)


def _verdict(sent: Submission, about: ids.Reference) -> Command:
    """Raises `BadForm`."""
    known = {"id": sent.command_id, "actor": sent.user}
    content = {"revision": about.revision, "digest": about.digest}
    match sent.callback:
        case ids.DENY_REASON:
            return Deny(**known, **content, reason=modals.read_reason(sent.values))  # type: ignore[arg-type]
        case ids.BREAK_REASON:
            return Break(**known, **content, reason=modals.read_reason(sent.values))  # type: ignore[arg-type]
        case ids.END_REASON:
            return End(**known, reason=modals.read_remark(sent.values))
        case ids.DISPUTE_REASON:
            return Dispute(**known, reason=modals.read_reason(sent.values))
        case ids.CANCEL_REASON:
            return Cancel(**known, reason=modals.read_reason(sent.values))
        case _:
            return Approve(**known, **content, cap_ms=modals.read_cap(sent.values))  # type: ignore[arg-type]
