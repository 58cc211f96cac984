"""Trying: an owner sends a test to a hook from App Home, and reads what its receiver said."""

from collections.abc import Awaitable, Callable

from bot.slack import ids
from bot.slack.conversation import Conversation
from bot.slack.doors import Click
from bot.slack.views import hooks as draw
from scheduler.connectors.hook import Receipt
from store.redis.hooks import Hooks, Named


class Trying:
    """`send` sends it once and answers what came of it."""

    def __init__(self, talk: Conversation, hooks: Hooks, send: Callable[[Named], Awaitable[Receipt]]) -> None:
        self._hooks = hooks
        self._send = send
        self._replies = talk.replies
        self._counted = talk.counted

    async def test(self, pressed: Click) -> None:
        """Raises `AccessError`. The receiver is not waited for; a press that comes twice sends one."""
        named = await self._hooks.named(*ids.parse_hook_reference(pressed.value))
        if await self._hooks.test(named, actor=pressed.user, command_id=pressed.command_id):
            self._replies.later(self._tell(pressed.user, named))
        self._counted(pressed.action, "ok")

    async def _tell(self, user: str, named: Named) -> None:
        came = await self._send(named)
        told = draw.tried(named.target, named.hook.name, came.status, came.latency_ms, came.error, came.excerpt)
        self._replies.message(user, None, told)
