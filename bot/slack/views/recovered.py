"""Recovered: policies that are in force without anybody's approval, told to every owner."""

from bot.slack.views import amendment
from bot.slack.views import blocks as b
from bot.slack.views.facts import Message, Proposed
from bot.slack.views.words import date, mention
from store.model.enactment import Enactment

__all__ = ["Message", "recovered"]


def recovered(number: int, enactment: Enactment | None, proposed: Proposed) -> Message:
    """Who did it, why, and what has changed."""
    who = mention(enactment.by) if enactment is not None else "somebody"
    when = f" {date(enactment.at_ms)}" if enactment is not None else ""
    again = (
        f" It is version {enactment.restored} again."
        if enactment is not None and enactment.restored is not None
        else ""
    )
    happened = f"*The policies were changed without an approval:* {who} put version {number} into force{when}, at the terminal of the machine, instead of version {number - 1}.{again}"
    step = "Look at what changed, below. Whoever did this holds the machine and its keys: if you did not expect it, talk to them at once, and to each other."
    why = [b.said("Why", enactment.reason)] if enactment is not None else []
    shown = amendment.changes(proposed, whole=True)
    blocks = [b.section(happened), *why, b.section(f"*What next:* {step}"), *shown]
    return Message(f"{happened} {step}", b.fresh(blocks))
