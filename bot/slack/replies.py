"""Replies: sentences to one person, and App Homes that are open, sent without anybody waiting for them."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog

from bot.slack.pictures import Pictures
from bot.slack.views import replies as words
from bot.slack.views.facts import CardFacts, Message
from bot.slack.views.home import home
from bot.slack.wire import Slack
from store.model.errors import AccessError

HOMES: Final = 500  # App Homes that are kept true while somebody may be looking at them

log = structlog.stdlib.get_logger(__name__)


class Replies:
    """Best effort: what must not be lost is an effect, not a reply."""

    def __init__(self, slack: Slack, pictures: Pictures, health: Callable[[], Sequence[str]]) -> None:
        self._slack = slack
        self._pictures = pictures
        self._tasks: set[asyncio.Task[None]] = set()
        self._homes: OrderedDict[str, None] = OrderedDict()
        self._health = health

    def sentence(self, user: str, channel: str | None, text: str) -> None:
        self.message(user, channel, words.sentence(text))

    def message(self, user: str, channel: str | None, message: Message) -> None:
        """Seen by this person only, where they are; in the DM where they are nowhere."""
        self._spawn(self._send(user, channel, message))

    def opened_home(self, user: str) -> None:
        self._homes[user] = None
        self._homes.move_to_end(user)
        while len(self._homes) > HOMES:
            self._homes.popitem(last=False)
        self._spawn(self._publish(user))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that nobody waits for."""
        self._spawn(work)

    async def drawn(self, facts: CardFacts) -> None:
        """A card changed: so did the homes of those it concerns. Who is asked cannot be told from here, so all open ones."""
        for user in list(self._homes):
            concerned = user in (facts.request.requester, facts.request.beneficiary) or bool(facts.asked)
            if concerned:
                self._spawn(self._publish(user))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, within_s: float) -> None:
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except AccessError as error:
            log.warning("reply not sent", why=error.sentence, code=error.detail)

    async def _send(self, user: str, channel: str | None, message: Message) -> None:
        if channel is not None and not channel.startswith("D"):
            try:
                await self._slack.call(
                    "chat.postEphemeral", channel=channel, user=user, text=message.text, blocks=message.blocks
                )
            except AccessError as error:
                # Not a member there, or the bot is not: then where it always can.
                log.info("ephemeral not sent", code=error.detail)
            else:
                return
        opened = await self._slack.call("conversations.open", users=user)
        await self._slack.call(
            "chat.postMessage", channel=opened["channel"]["id"], text=message.text, blocks=message.blocks
        )

    async def _publish(self, user: str) -> None:
        facts = await self._pictures.home(user, self._health())
        await self._slack.call("views.publish", user_id=user, view=home(facts))
