"""Cards: where each copy of a request's card is, and what it shows. Messages are pictures of the record, never read back."""

import json
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from store.redis.commit import text
from store.redis.keys import Keys
from store.redis.scripts import Scripts

# The places of copies; what ends in a slash goes on with whom or what it is of.
CHANNEL: Final = "channel"
REQUESTER: Final = "requester"
APPROVER: Final = "approver/"
BENEFICIARY: Final = "beneficiary/"
HOOK: Final = "hook/"  # a line in the thread
REPORT: Final = "report"  # another
TELL: Final = "tell/"  # news with buttons: the moment, the person and the news
COPY: Final = "copy/"  # known only by a click, which proves nothing


@dataclass(frozen=True, slots=True)
class Card:
    """`shows` is a digest of what was drawn last; empty where that is not known."""

    place: str
    channel: str
    ts: str
    shows: str = ""


class Cards:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

    async def of(self, request: str) -> dict[str, Card]:
        """By place."""
        found = await self._redis.hgetall(self._keys.cards(request))
        return {text(place): Card(text(place), *json.loads(body)) for place, body in found.items()}

    async def keep(self, request: str, card: Card) -> None:
        body = json.dumps([card.channel, card.ts, card.shows])
        await self._scripts.run("keep", [self._keys.cards(request)], [card.place, body], frees=True)

    async def forget(self, request: str, place: str) -> None:
        await self._redis.hdel(self._keys.cards(request), place)
