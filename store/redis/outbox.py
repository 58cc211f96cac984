"""Outbox: lanes of effects, put there by commits, claimed for the length of a lease, settled when done."""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter
from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.effect import (
    Align,
    Announce,
    Count,
    Depart,
    Effect,
    Entrust,
    Fire,
    Knock,
    Lane,
    Mail,
    MailApprovers,
    Post,
    Recovered,
    Redeploy,
    Retire,
    ShowCard,
    Signal,
    Tell,
    TellToken,
)
from store.model.errors import Unavailable
from store.redis.clock import Skew
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts

KINDS: dict[str, type[Effect]] = {
    "show_card": ShowCard, "tell": Tell, "announce": Announce, "count": Count, "depart": Depart, "align": Align,
    "redeploy": Redeploy, "fire": Fire, "knock": Knock, "retire": Retire, "post": Post, "signal": Signal, "mail": Mail, "mail_approvers": MailApprovers,
    "recovered": Recovered, "tell_token": TellToken, "entrust": Entrust,
}  # fmt: skip
_ANY: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(dict[str, Any])
_TYPE: Final = re.compile(rb'\{"schema":[0-9]{1,9},"type":"([a-z_]{1,40})"')  # how most of them begin


class Claimed(NamedTuple):
    """One effect in hand. `effect` is None where its body cannot be read: it is pushed back and alarmed, never dropped."""

    lane: Lane
    member: str
    effect: Effect | None
    generation: int
    attempts: int  # made before this one
    fence: int
    since_ms: int
    late_ms: int  # how long after it was due it was claimed
    now_ms: int


class Outbox:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, *, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def claim(self, lane: Lane, *, most: int, lease_ms: int) -> list[Claimed]:
        """Raises `Unavailable`."""
        args: list[str | int | bytes] = [self._skew(), lease_ms, most, self._keys.effect(lane, "")]
        now_ms, *found = await self._scripts.run(
            "claim", [self._keys.lane(lane), self._keys.fence(lane)], args, frees=True
        )
        return [_claimed(lane, row, now_ms) for row in found]

    async def settle(self, claimed: Claimed, *, again_in_ms: int | None = None) -> str:
        """Done, or to be tried again. Answers `done`, `again` (it was put anew meanwhile), `later` or `lost`."""
        again = "" if again_in_ms is None else max(0, again_in_ms)
        args: list[str | int | bytes] = [self._skew(), claimed.member, claimed.generation, claimed.fence, again]
        effect = self._keys.effect(claimed.lane, claimed.member)
        return text(await self._scripts.run("settle", [self._keys.lane(claimed.lane), effect], args, frees=True))

    async def put(self, effects: Iterable[Effect], *, command_id: str, audit: Iterable[Audit] = ()) -> None:
        """What an effect falls apart into, or leaves behind. The same id puts it once. Raises `Unavailable`."""
        commit = Commit(self._keys, f"put:{command_id}", frees=True)
        commit.put(effects)
        commit.audit(audit)
        await commit.run(self._scripts, self._skew())

    async def depth(self, lane: Lane) -> int:
        return int(await self._redis.zcard(self._keys.lane(lane)))


def _claimed(lane: Lane, row: list[Any], now_ms: int) -> Claimed:
    member, body, generation, attempts, fence, since_ms, late_ms = row
    return Claimed(lane, text(member), _effect(body), generation, attempts, fence, since_ms, late_ms, now_ms)


def _effect(body: bytes | str) -> Effect | None:
    try:
        begins = _TYPE.match(raw := body.encode() if isinstance(body, str) else body)
        return KINDS[begins[1].decode() if begins else _ANY.validate_json(raw)["type"]].from_json(raw)
    except (KeyError, TypeError, ValueError, Unavailable):
        return None
