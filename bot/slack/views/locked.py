"""Locked: whose break-glass is locked, and the form by which an owner unlocks it."""

from collections.abc import Sequence
from typing import Final

from bot.slack import ids
from bot.slack.views import blocks as b
from bot.slack.views.facts import Block, Message, View
from bot.slack.views.words import date, mention
from store.model.lock import Lock
from store.model.request import REASON_MOST

LISTED_MOST: Final = 15
_WHY: Final = {"disputed": "was disputed", "overdue": "was not countersigned in time"}


def about(lock: Lock) -> str:
    """mrkdwn, our own words only: who, since when, for which request."""
    cause = lock.newest
    more = f" That is the newest of {len(lock.causes)} such requests." if len(lock.causes) > 1 else ""
    return (
        f"{mention(lock.user)} has not been allowed to break the glass since {date(lock.since_ms)}: what they did for request "
        f"`{cause.request}` {_WHY[cause.why]}.{more}"
    )


def row(lock: Lock, reader: str) -> Block:
    """On App Home, for owners. One's own has no button."""
    if lock.user == reader:
        return b.section(f"{about(lock)} Another owner must unlock it.")
    return b.section(
        about(lock),
        b.button("Unlock", ids.HOME_UNLOCK, ids.lock_reference(lock), about=f"request {lock.newest.request}"),
    )


def listing(locks: Sequence[Lock], more: int = 0) -> Message:
    if not locks:
        return Message("Nobody's break-glass is locked.", b.fresh([b.section("Nobody's break-glass is locked.")]))
    lines = [b.section(f"{about(lock)}\n`/countersign unlock @name`") for lock in locks[:LISTED_MOST]]
    left = max(len(locks) - LISTED_MOST, 0) + more
    rest = [b.context(f"and {left:,} more.")] if left else []
    return Message(
        f"Locked: {len(locks) + more:,}.", b.fresh([b.section("*Break-glass is locked for*"), *lines, *rest])
    )


def unlock_reason(lock: Lock) -> View:
    """What is unlocked is what the owner sees here: a lock of later is another."""
    told = f"{about(lock)}\nUnlocked, they may break the glass again wherever a rule names them. They are told, with your reason."
    field = b.text_input(ids.REASON, most=REASON_MOST, multiline=True, focus=True)
    blocks = [b.section(told), b.entry("Why may they again?", ids.REASON, field)]
    return b.modal(ids.UNLOCK_REASON, "Unlock", blocks, about=ids.lock_reference(lock), submit="Unlock")
