"""Undelivered: a route that will never hear of a decision. It is in the audit log, and the owners are told, once."""

from typing import Final

import structlog

from store.model.audit import Audit
from store.model.effect import Announce, Mail, Post, Signal
from store.model.lifecycle import World
from store.model.request import RELAY
from store.redis.outbox import Claimed, Outbox

DETAIL_MOST: Final = 400  # characters

log = structlog.stdlib.get_logger(__name__)


async def undelivered(
    outbox: Outbox, world: World, effect: Post | Mail | Signal, claimed: Claimed, *, route: str, to: str, why: str
) -> None:
    """`route`: mail, channel or webhook. In one commit, whose id is the effect's. Raises `Unavailable`."""
    log.error("notice not delivered", route=route, request=effect.request, news=effect.news, to=to, why=why)
    entry = Audit(
        event="notice.undelivered",
        actor=RELAY,
        at_ms=claimed.now_ms,
        request=effect.request,
        target=world.request.target,
        details={"route": route, "news": effect.news, "to": to, "why": why},
    )
    told = Announce(request=effect.request, news="undelivered", at_ms=effect.at_ms, detail=f"{to}: {why}"[:DETAIL_MOST])
    await outbox.put([told], command_id=f"undelivered:{effect.key}", audit=[entry])
