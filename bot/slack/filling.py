"""Filling: forms that are open, drawn again as they are filled in, so that they say who will be asked."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import structlog

from bot.slack.doors import Choice
from bot.slack.replies import Replies
from bot.slack.views.facts import Prefill, Terms, View
from bot.slack.wire import Slack, SlackRefused

AT_HAND_S: Final = 0.3  # what is not known by then is asked for while the form is open already
FORMS_KNOWN: Final = 1_000
CLOSED: Final = frozenset({"not_found", "view_not_found"})

# Within so many seconds, or as long as it takes.
Ask = Callable[[float | None], Awaitable[Terms]]
Draw = Callable[[Terms], View]

log = structlog.stdlib.get_logger(__name__)


class Filling:
    """What a process remembers of a form only saves typing and flicker: what is asked is what is sent off."""

    def __init__(self, slack: Slack, replies: Replies) -> None:
        self._slack = slack
        self._replies = replies
        self._newest: OrderedDict[str, float] = OrderedDict()  # the last choice in each form
        self._words: OrderedDict[str, Prefill] = OrderedDict()  # of forms that have no field for them now

    async def open(self, trigger: str, draw: Draw, ask: Ask) -> None:
        """Raises `AccessError`."""
        terms = await ask(AT_HAND_S)
        opened = await self._slack.call("views.open", trigger_id=trigger, view=draw(terms))
        if terms.who.asking:
            self._replies.later(self._complete(opened["view"], draw, ask))

    def again(self, made: Choice, draw: Draw, ask: Ask) -> None:
        """After a choice. Nobody's click waits for it; where another choice comes first, that one is drawn."""
        view = made.form.view
        if made.at_s < self._newest.get(view, 0):
            return
        _remember(self._newest, view, made.at_s)
        self._replies.later(self._redraw(view, made, draw, ask))

    def kept(self, view: str, typed: Prefill, *, has_fields: bool) -> Prefill:
        """With the reason and ticket that were typed before a form came that could not hold them."""
        if has_fields:
            _remember(self._words, view, typed)
            return typed
        before = self._words.get(view, typed)
        return replace(typed, reason=before.reason, ticket=before.ticket)

    async def _redraw(self, view: str, made: Choice, draw: Draw, ask: Ask) -> None:
        terms = await ask(AT_HAND_S)
        drawn = await self._update(view, made.shown, draw(terms))
        if drawn is None and self._newest.get(view) == made.at_s:
            # It was drawn meanwhile with what was chosen before, or filled up: this is newer.
            drawn = await self._update(view, None, draw(terms))
        if drawn is not None and terms.who.asking:
            await self._complete(drawn, draw, ask)

    async def _complete(self, view: dict[str, Any], draw: Draw, ask: Ask) -> None:
        await self._update(view["id"], view["hash"], draw(await ask(None)))

    async def _update(self, view_id: str, seen: str | None, view: View) -> dict[str, Any] | None:
        """The view as it is now; None where it is another one by now, or closed."""
        try:
            answer = await self._slack.call("views.update", view_id=view_id, hash=seen, view=view)
        except SlackRefused as refusal:
            if refusal.error != "hash_conflict" and refusal.error not in CLOSED:
                raise
            log.info("form not drawn again", why=refusal.error)
            return None
        updated: dict[str, Any] = answer["view"]
        return updated


def _remember(memory: OrderedDict[str, Any], view: str, fact: object) -> None:
    memory[view] = fact
    memory.move_to_end(view)
    while len(memory) > FORMS_KNOWN:
        memory.popitem(last=False)
