"""Cards: where each copy of a request's card is, and what it shows. Messages are pictures of the record, never read back."""

import json
from dataclasses import dataclass

from redis.asyncio import Redis

from store.redis.commit import text
from store.redis.keys import Keys
from store.redis.scripts import Scripts


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
        """By place: `channel`, `requester`, `hook/NAME`, `tell/MOMENT/…` for news with buttons, `copy/…` for one that turned up by a click."""
        found = await self._redis.hgetall(self._keys.cards(request))
        return {text(place): Card(text(place), *json.loads(body)) for place, body in found.items()}

    async def keep(self, request: str, card: Card) -> None:
        body = json.dumps([card.channel, card.ts, card.shows])
        await self._scripts.run("keep", [self._keys.cards(request)], [card.place, body], frees=True)

    async def forget(self, request: str, place: str) -> None:
        await self._redis.hdel(self._keys.cards(request), place)
