"""Signing in: somebody types the code that a computer shows, looks at what asks, and confirms or denies; and ends it again."""

from collections.abc import Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck

from bot.logging_in import LoggingIn
from bot.slack.conversation import Conversation
from bot.slack.delivery import DEAF
from bot.slack.doors import Click, submission
from bot.slack.ids import Place
from bot.slack.pages import Drawn, Reader, part
from bot.slack.views import modals
from bot.slack.views import signed_in as view
from bot.slack.views.facts import Message
from bot.slack.wire import Slack, SlackRefused
from store.keys.computer import fingerprint
from store.model.effect import TellToken
from store.model.errors import AccessError, NotFound
from store.model.identity import parse_request_id
from store.model.token import Token
from store.redis.outbox import Claimed
from store.redis.tokens import Tokens
from store.redis.uses import Uses

log = structlog.stdlib.get_logger(__name__)


class SignedInPage:
    """The page of App Home."""

    def __init__(self, tokens: Tokens, uses: Uses, now_ms: Callable[[], int]) -> None:
        self._tokens = tokens
        self._uses = uses
        self._now_ms = now_ms

    async def draw(self, reader: Reader, place: Place) -> Drawn:
        owner = reader.policies.owners.has(reader.user, reader.people) is True
        sessions = await self._live(await self._tokens.of(reader.user))
        machines = await self._live(await self._tokens.machines()) if owner else []
        facts = view.SignedInFacts(
            place=place,
            sessions=part(sessions, place.part(view.SESSIONS), view.SIZE),
            machines=part(machines, place.part(view.MACHINES), view.SIZE) if owner else None,
        )
        return Drawn(view.page(facts))

    async def _live(self, tokens: list[Token]) -> list[view.SignedIn]:
        live = [token for token in tokens if self._now_ms() < token.ends_ms]
        uses = await self._uses.of(token.id for token in live)
        return [view.SignedIn(token, uses.get(token.id)) for token in live]


class SigningIn:
    def __init__(
        self, talk: Conversation, logging_in: LoggingIn, tokens: Tokens, now_ms: Callable[[], int], session_ms: int
    ) -> None:
        self._slack = talk.slack
        self._policies = talk.policies
        self._directory = talk.directory
        self._replies = talk.replies
        self._counted = talk.counted
        self._logging_in = logging_in
        self._tokens = tokens
        self._now_ms = now_ms
        self._session_ms = session_ms

    async def command(self, user: str, code: str | None, trigger: str) -> Message | None:
        """`/countersign login CODE`: what asks, in a modal. Raises `AccessError`."""
        if code is None:
            return view.how()
        attempt = await self._logging_in.typed(user, code)
        key = fingerprint(attempt.seals, attempt.signs)
        asked = view.confirm(attempt, key, self._now_ms(), self._session_ms)
        await self._slack.call("views.open", trigger_id=trigger, view=asked)
        return None

    async def confirmed(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        sent = submission(body)
        try:
            token = await self._logging_in.confirm(sent.user, parse_request_id(sent.metadata))
        except AccessError as error:
            self._counted(sent.callback, error.code)
            await ack(response_action="update", view=modals.notice("Not logged in", error.sentence))
            return
        self._counted(sent.callback, "ok")
        self._replies.opened_home(sent.user)
        told = f"{token.name} speaks for you now. Your terminal goes on by itself; App Home, Signed in, ends it."
        await ack(response_action="update", view=modals.notice("Logged in", told))

    async def denied(self, pressed: Click) -> None:
        """The button in the modal. Raises `AccessError`."""
        await self._logging_in.deny(pressed.user, parse_request_id(pressed.value))
        self._counted(pressed.action, "ok")
        told = "Denied: that computer got nothing. If somebody sent you the code, tell your security people who it was."
        if pressed.view is not None:
            await self._slack.call("views.update", view_id=pressed.view, view=modals.notice("Denied", told))

    async def revoke(self, pressed: Click) -> None:
        """One's own session; of a machine's token, an owner. Raises `AccessError`."""
        token, _ = await self._tokens.find(parse_request_id(pressed.value))
        mine = token is not None and token.kind == "person" and token.holder == pressed.user
        if token is None or not (
            mine or (token.kind == "machine" and await self._policies.owned_by(pressed.user, self._directory))
        ):
            raise NotFound("It has ended already, or it is not yours to revoke.")
        await self._tokens.revoke(token.id, pressed.user, pressed.command_id)
        self._ended(pressed)

    async def sign_out(self, pressed: Click) -> None:
        """Raises `AccessError`."""
        if not await self._tokens.of(pressed.user):
            raise NotFound("No computer speaks for you.")
        await self._tokens.end_all(pressed.user, pressed.user, pressed.command_id, "asked")
        self._ended(pressed)

    def _ended(self, pressed: Click) -> None:
        self._counted(pressed.action, "ok")
        self._replies.opened_home(pressed.user)


class TokenNews:
    """What became of a token, told to whom it concerns."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def told(self, effect: TellToken, _: Claimed) -> None:
        message = view.told(effect)
        try:
            await self._slack.post(await self._slack.dm(effect.to), message)
        except SlackRefused as refusal:
            if refusal.error not in DEAF:
                raise
            log.warning("cannot be told of a token", to=effect.to, token=effect.token, why=refusal.error)
