"""Replies: sentences to one person, and App Homes that are open, sent without anybody waiting for them."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from bot.slack.homes import Homes, Shown
from bot.slack.views import replies as words
from bot.slack.views.facts import CardFacts, Message
from bot.slack.wire import Slack
from store.model.errors import AccessError, Unavailable
from store.model.people import Wanted

HOMES: Final = 500  # App Homes that are kept true while somebody may be looking at them
LEARNT_TIMES: Final = 6  # how often one that was drawn without a fact is drawn again for it, until it is opened again
LEARN_PAUSE_S: Final = 5.0  # and how long Slack is let alone when it does not tell, twice as long each time

log = structlog.stdlib.get_logger(__name__)


class Replies:
    """Best effort: what must not be lost is an effect, not a reply."""

    def __init__(self, slack: Slack, homes: Homes) -> None:
        self._slack = slack
        self._drawing = homes
        self._tasks: set[asyncio.Task[None]] = set()
        self._homes: OrderedDict[str, None] = OrderedDict()
        self._stale: dict[str, bool] = {}  # whose home is being drawn, and whether it must be drawn once more
        self._learning: dict[str, asyncio.Task[None]] = {}  # whose home waits for what Slack has not told yet
        self._learnt: dict[str, int] = {}  # how often that was so since they opened it

    def sentence(self, user: str, channel: str | None, text: str) -> None:
        self.message(user, channel, words.sentence(text))

    def message(self, user: str, channel: str | None, message: Message) -> None:
        """Seen by this person only, where they are; in the DM where they are nowhere."""
        self.later(self._send(user, channel, message))

    def opened_home(self, user: str) -> None:
        self._homes[user] = None
        self._homes.move_to_end(user)
        while len(self._homes) > HOMES:
            self._homes.popitem(last=False)
        self._learnt.pop(user, None)
        self._draw(user)

    async def drawn(self, facts: CardFacts) -> None:
        """A card changed: so did the homes of those it concerns. Who is asked cannot be told from here, so all open ones."""
        for user in list(self._homes):
            concerned = user in (facts.request.requester, facts.request.beneficiary) or bool(facts.asked)
            if concerned:
                self._draw(user)

    def _draw(self, user: str) -> None:
        """One at a time, and once more for all that came meanwhile: an older picture never covers a newer one."""
        if user in self._stale:
            self._stale[user] = True
            return
        self._stale[user] = False
        self.later(self._keep_true(user))

    async def _keep_true(self, user: str) -> None:
        try:
            shown = await self._publish(user)
            while self._stale[user]:
                self._stale[user] = False
                shown = await self._publish(user)
        finally:
            del self._stale[user]
        learnt = self._learnt.get(user, 0)
        if shown.lacking != Wanted() and user not in self._learning and learnt < LEARNT_TIMES:
            self._learnt[user] = learnt + 1
            task = asyncio.create_task(self._learn(user, shown.lacking))
            self._learning[user] = task
            task.add_done_callback(lambda _: self._learning.pop(user, None))

    async def _publish(self, user: str) -> Shown:
        shown = await self._drawing.shown(user)
        await self._slack.call("views.publish", user_id=user, view=shown.view)
        return shown

    async def _learn(self, user: str, lacking: Wanted) -> None:
        """Whoever looks at a home that lacks something sees the rest as soon as Slack tells it."""
        for time in range(LEARNT_TIMES):
            try:
                await self._drawing.learn(lacking)
            except Unavailable:
                await asyncio.sleep(LEARN_PAUSE_S * 2**time)
            else:
                del self._learning[user]
                self._draw(user)
                return

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that nobody waits for."""
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, within_s: float) -> None:
        """What is being said is said; what waits for Slack to tell something is not waited for."""
        for learning in list(self._learning.values()):
            learning.cancel()
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
        await self._slack.post(await self._slack.dm(user), message)
