"""Sight: who may be shown a request: whoever it concerns, and whoever clicks a card of it where the program put one."""

from bot.slack.conversation import Conversation
from bot.slack.doors import Click
from store.model.errors import NotFound
from store.model.lifecycle import World
from store.model.standing import may_deploy, may_review, wanted
from store.redis.cards import COPY, Cards


class Sight:
    def __init__(self, talk: Conversation, cards: Cards) -> None:
        self._cards = cards
        self._directory = talk.directory

    async def demand(self, user: str, world: World) -> None:
        """Those who asked, who may decide or deploy and who own this see it; for everybody else it is not there. Raises `NotFound`."""
        if not await self._concerned(user, world):
            raise unseen(world.request.id)

    async def demand_here(self, pressed: Click, world: World) -> None:
        """The same, and whoever clicks it in the channel where its card stands, or on a message that we posted of it. Raises `NotFound`."""
        if not await self.stands(world, pressed.channel, pressed.ts):
            await self.demand(pressed.user, world)

    async def stands(self, world: World, channel: str | None, ts: str | None) -> bool:
        """Whether a message about it is there, by the policies and by what was posted."""
        if channel is None or ts is None:
            return False
        asked = world.request.asked
        targets = (world.policy_now.target(asked), world.policy_then.target(asked))
        if any(target is not None and target.channel == channel for target in targets):
            return True
        posted = await self._cards.of(world.request.id)
        return any(
            (card.channel, card.ts) == (channel, ts) for place, card in posted.items() if not place.startswith(COPY)
        )

    async def _concerned(self, user: str, world: World) -> bool:
        request, rules = world.request, world.rules
        if user in (request.requester, request.beneficiary):
            return True
        owners = world.policy_now.owners
        people = await self._directory.people(wanted(request, rules, user) if rules else owners.wanted)
        if rules is None:
            return bool(owners.has(user, people))
        deploys = request.kind == "deploy" and may_deploy(request, rules, user, people).may
        return bool(owners.has(user, people)) or bool(may_review(request, rules, user, people).may) or bool(deploys)


def unseen(request: str) -> NotFound:
    return NotFound(f"There is no request {request} here, or it is not yours to see.")
