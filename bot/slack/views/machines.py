"""Machines: what a request for the token of a machine asks, in words."""

from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.facts import Block
from bot.slack.views.words import joined, spoken
from store.model.request import Minting
from store.model.token import DAY_MS, Action

MAY: Final[dict[Action, str]] = {
    "read": "read the secrets",
    "deploy": "ask for deploys",
    "report": "report on deploys",
}


def asked(machine: Minting) -> list[Block]:
    """Name, targets, actions and lifetime, and what approving it means. All of it was checked to be plain words."""
    what = f"*Machine:* `{machine.name}`\n*May:* {may(machine.actions, machine.targets)}\n*For:* {life(machine.lifetime_ms)}, from when it is approved"
    warning = "Whoever has its token may that, day and night and unasked. Who asks has the token already: it works from the approval on."
    if "read" in machine.actions:
        warning = f":warning: *It reads the values without anybody being asked again.* {warning}"
    return [
        b.section(what),
        b.section(f"{warning} Owners see its last use on App Home, *Signed in*, and revoke it there."),
    ]


def may(actions: tuple[Action, ...], targets: tuple[str, ...]) -> str:
    """`read the secrets of payments/prod and payments/dev`."""
    return f"{joined(MAY[action] for action in actions)} of {joined(f'`{target}`' for target in targets)}"


def life(lifetime_ms: int) -> str:
    days, rest = divmod(lifetime_ms, DAY_MS)
    parts = [f"{days:,} day{'' if days == 1 else 's'}"] if days else []
    return " ".join([*parts, *([spoken(rest)] if rest or not days else [])])
