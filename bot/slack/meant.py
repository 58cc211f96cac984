"""Meant: what somebody who typed a wrong line most likely wanted to type."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

from bot.policy_file import durations

# What others call it, or what one does on a card.
OTHERS: Final = {
    "ask": "request", "need": "request", "get": "request", "read": "open", "join": "access", "role": "access",
    "set": "change", "edit": "change", "waiting": "pending", "queue": "pending", "todo": "pending", "list": "pending",
    "ls": "pending", "my": "mine", "requests": "mine", "status": "show", "view": "show", "info": "show",
    "explain": "why", "who": "why", "withdraw": "cancel", "abort": "cancel", "undo": "cancel", "stop": "done",
    "finish": "done", "revoke": "done", "return": "done", "release": "done", "commands": "help", "?": "help",
    "log": "audit", "history": "audit", "ship": "deploy", "rollout": "deploy",
}  # fmt: skip
ON_A_CARD: Final = frozenset(
    {
        "approve",
        "deny",
        "reject",
        "decline",
        "activate",
        "use",
        "break",
        "breakglass",
        "countersign",
        "dispute",
        "merge",
    }
)
_AMOUNT: Final = re.compile(
    r"(?:about|ca|~)?(?P<count>[0-9]{1,5}(?:[.,][0-9]{1,2})?|an?|one|half(?:an?)?|two|three|four)(?P<unit>[a-z]*)"
)
_COUNTS: Final = {"a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}
_UNITS_MS: Final = {"d": 24 * 3_600_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
HOURS_MOST: Final = 12  # a bare number up to that is hours, a larger one minutes


def word(typed: str, known: Iterable[str]) -> str | None:
    listed = list(known)
    if (other := OTHERS.get(typed.lower())) in listed:
        return other
    begun = [each for each in listed if len(typed) > 1 and each.startswith(typed.lower())]
    if len(begun) == 1:
        return begun[0]
    return next(iter(difflib.get_close_matches(typed.lower(), listed, n=1)), None)


def target(typed: str, offered: Iterable[str]) -> str | None:
    """One that looks like it, or the only one that contains it."""
    listed, small = sorted(offered), typed.lower()
    if near := difflib.get_close_matches(small, listed, n=1, cutoff=0.7):
        return near[0]
    holding = [each for each in listed if small in each]
    return holding[0] if small and len(holding) == 1 else None


def duration(typed: str) -> str | None:
    """As a policy file writes it: `2`, `2hs`, `half an hour`, `1.5h`."""
    found = _AMOUNT.fullmatch("".join(typed.lower().split()))
    if found is None:
        return None
    count, unit = found["count"].replace(",", "."), found["unit"][:1]
    number = 0.5 if count.startswith("half") else _COUNTS.get(count) or float(count)
    if not unit and count[0].isdigit():
        unit = "h" if number <= HOURS_MOST else "m"
    if unit not in _UNITS_MS:
        return None
    length_ms = int(number * _UNITS_MS[unit]) // 1_000 * 1_000
    return durations.compact(length_ms) if 0 < length_ms <= durations.LONGEST_MS else None
