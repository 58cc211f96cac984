"""Rollbacks: the page of one environment on App Home, and the request to go back to one of its versions."""

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.slack import ids
from bot.slack.conversation import Conversation
from bot.slack.doors import Click, Submission, submission
from bot.slack.filling import Filling
from bot.slack.sending import finish
from bot.slack.views import answers
from bot.slack.views import environment as draw
from bot.slack.views.facts import Terms
from store.model.errors import Conflict, Invalid, NotFound
from store.model.identity import Target
from store.model.request import Change
from store.model.standing import knowing, may_know
from store.model.versions import difference
from store.redis.environments import Environments
from store.redis.requests import Outcome
from store.redis.versions import Versions


class Rollbacks:
    def __init__(self, talk: Conversation, *, environments: Environments, versions: Versions, filling: Filling) -> None:
        self._talk = talk
        self._requests = talk.requests
        self._policies = talk.policies
        self._directory = talk.directory
        self._pictures = talk.pictures
        self._asking = talk.asking
        self._environments = environments
        self._versions = versions
        self._filling = filling

    async def open_for(self, pressed: Click) -> None:
        """The form behind the button beside a version, or on the card of a change. Raises `AccessError`."""
        target, number = await self._wanted(pressed)
        await self._demand(pressed.user, target)
        environment = await self._environments.find(target.id)
        if environment is None:
            raise NotFound(draw.UNSEEN, code="unseen")
        head = await self._environments.head(environment.id)
        old = await self._versions.manifest(environment.id, number)
        version = await self._versions.info(environment.id, number)
        moved = difference(head.entries, old.entries)
        view = partial(draw.rollback, version, moved, (target.id, head.number))
        terms = partial(self._terms, pressed.user, target)
        await self._filling.open(pressed.trigger, view, terms)

    async def _wanted(self, pressed: Click) -> tuple[Target, int]:
        """Beside a version that one; on the card of a change, the version before what it made."""
        if pressed.action == ids.HOME_ROLL_BACK:
            return ids.parse_version_reference(pressed.value)
        request = (await self._requests.get(pressed.reference.request)).request
        if not isinstance(request.payload, Change) or request.merged is None:
            raise Conflict("This was not merged, so there is nothing to go back from.", code="too_late")
        return request.asked, request.merged - 1

    async def sent(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        sent = submission(body)
        await finish(self._talk, ack, sent, self._ask(sent), refused="Not asked")

    async def _ask(self, sent: Submission) -> Outcome:
        target, number = ids.parse_version_reference(sent.metadata)
        form = answers.read_edit(sent.values)
        return await self._asking.rollback(
            sent.user, target, number, reason=form.reason, ticket=form.ticket, command_id=sent.command_id
        )

    async def _terms(self, user: str, target: Target, within_s: float | None) -> Terms:
        return await self._pictures.terms(user, "change", target, within_s=within_s)

    async def _demand(self, user: str, target: Target) -> None:
        """Names tell something. Raises `Invalid`, `NotFound`."""
        policies = await self._policies.current()
        if target.kind != "environment":
            raise Invalid("Only an environment has versions.", code="not_an_environment")
        people = await self._directory.people(knowing(target, policies, user))
        if may_know(target, policies, user, people).may is not True:
            raise NotFound(draw.UNSEEN, code="unseen")
