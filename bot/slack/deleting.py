"""Deleting: an owner has an environment forgotten that the policies do not name any more, by the slash command and a form that asks for its name."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.slack import ids
from bot.slack.conversation import Conversation
from bot.slack.doors import Submission, submission
from bot.slack.sending import finish
from bot.slack.views import deleting as draw
from store.model.identity import Target
from store.redis.deletions import Deletions


class Deleting:
    def __init__(self, talk: Conversation, deletions: Deletions) -> None:
        self._talk = talk
        self._slack = talk.slack
        self._replies = talk.replies
        self._deletions = deletions

    async def open(self, user: str, name: str, trigger: str) -> None:
        """Raises `AccessError`."""
        environment, newest = await self._deletions.deletable(user, Target.parse(name))
        await self._slack.call("views.open", trigger_id=trigger, view=draw.confirm(environment.target, newest))

    async def sent(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        sent = submission(body)
        answer = await finish(self._talk, ack, sent, self._delete(sent), refused="Not deleted")
        if answer is not None:
            self._replies.sentence(sent.user, None, answer)
            self._replies.opened_home(sent.user)

    async def _delete(self, sent: Submission) -> str:
        target, seen = ids.parse_version_reference(sent.metadata)
        reason = draw.read(sent.values, target.id)
        return await self._deletions.delete(sent.user, target, seen=seen, reason=reason, command_id=sent.command_id)
