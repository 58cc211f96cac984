"""Extending: more time for what somebody holds, asked for in a form behind a button or the slash command."""

from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.slack import ids
from bot.slack.conversation import Conversation
from bot.slack.doors import Click, Submission, submission
from bot.slack.sending import finish
from bot.slack.views import answers
from bot.slack.views import forms as ask
from bot.slack.views.facts import Prefill
from bot.slack.views.reading import BadForm
from store.model.errors import Conflict
from store.model.lifecycle import more_for
from store.redis.requests import Outcome


class Extending:
    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._slack = talk.slack
        self._asking = talk.asking
        self._pictures = talk.pictures

    async def open_for(self, pressed: Click) -> None:
        """The form behind a button. Raises `AccessError`."""
        await self.open(pressed.user, pressed.reference.request, Prefill(channel=pressed.channel), pressed.trigger)

    async def open(self, user: str, request: str, prefill: Prefill, trigger: str) -> None:
        """Raises `AccessError`."""
        world, facts = await self._pictures.card(request)
        if facts.rules is None:
            raise Conflict("No rule covers this any more, so nobody could decide it. Ask an owner.", code="no_rule")
        _, room_ms = more_for(world, user, facts.rules.max_access_ms)
        terms = await self._pictures.terms(
            user, world.request.kind, world.request.asked, beneficiary=world.request.beneficiary
        )
        about = ids.parse_reference(world.request.reference)
        view = ask.extend(facts, replace(terms, max_ms=room_ms), prefill, ids.Origin(about, prefill.channel))
        await self._slack.call("views.open", trigger_id=trigger, view=view)

    async def sent(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        sent = submission(body)
        await finish(self._talk, ack, sent, self._ask(sent), refused="Not asked")

    async def _ask(self, sent: Submission) -> Outcome:
        about = ids.parse_metadata(sent.metadata).about
        form = answers.read_edit(sent.values)
        if form.duration_ms is None:
            raise BadForm({ids.DURATION: "Choose a time."})
        return await self._asking.extend(
            sent.user,
            about.request,
            duration_ms=form.duration_ms,
            reason=form.reason,
            ticket=form.ticket,
            command_id=sent.command_id,
        )
