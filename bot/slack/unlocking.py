"""Unlocking: an owner lets somebody break the glass again, from App Home or by the slash command."""

from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.slack import ids
from bot.slack.conversation import Conversation
from bot.slack.doors import Click, Submission, submission
from bot.slack.sending import finish
from bot.slack.views import locked as draw
from bot.slack.views import modals
from bot.slack.views import replies as words
from bot.slack.views.facts import Message
from store.model.command import Unlock
from store.model.errors import Conflict, Forbidden

LISTED: Final = 100


class Unlocking:
    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._slack = talk.slack
        self._locks = talk.locks
        self._policies = talk.policies
        self._directory = talk.directory
        self._replies = talk.replies
        self._counted = talk.counted

    async def open_for(self, pressed: Click) -> None:
        """The form behind the button on App Home. Raises `AccessError`."""
        user, _ = ids.parse_lock_reference(pressed.value)
        await self._open(pressed.user, user, pressed.trigger)

    async def decided(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        sent = submission(body)
        answer = await finish(self._talk, ack, sent, self._unlock(sent), refused="Not unlocked")
        if answer is not None:
            self._replies.sentence(sent.user, None, answer)
            self._replies.opened_home(sent.user)

    async def _unlock(self, sent: Submission) -> str:
        user, seen_ms = ids.parse_lock_reference(sent.metadata)
        reason = modals.read_reason(sent.values)
        command = Unlock(id=sent.command_id, actor=sent.user, user=user, reason=reason, seen_ms=seen_ms)
        return await self._locks.unlock(command)

    async def command(self, actor: str, user: str | None, reason: str, trigger: str) -> Message | None:
        """`/countersign unlock …`: who is locked, the form, or at once where a reason is given. Raises `AccessError`."""
        if user is None:
            await self._demand_owner(actor)
            return draw.listing(*await self._locks.holding(most=LISTED))
        if not reason:
            await self._open(actor, user, trigger)
            return None
        answer = await self._locks.unlock(Unlock(id=f"slash:{trigger}", actor=actor, user=user, reason=reason))
        self._counted("unlock", "ok")
        return words.sentence(answer)

    async def _open(self, actor: str, user: str, trigger: str) -> None:
        await self._demand_owner(actor)
        lock = await self._locks.of(user)
        if lock is None or not lock.holds:
            raise Conflict("Their break-glass is not locked.", code="not_locked")
        await self._slack.call("views.open", trigger_id=trigger, view=draw.unlock_reason(lock))

    async def _demand_owner(self, user: str) -> None:
        """What others may not see. That only an owner unlocks is decided when the form is sent off."""
        if not await self._policies.owned_by(user, self._directory):
            raise Forbidden("Only an owner sees whose break-glass is locked, and can unlock it.")
