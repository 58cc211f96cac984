"""Recovered: what is in force without anybody's approval, policies or key holders, told to every owner."""

from bot.slack.views import amendment
from bot.slack.views import blocks as b
from bot.slack.views.facts import Message, Proposed
from bot.slack.views.words import date, mention
from store.model.effect import Recovered
from store.model.enactment import Enactment

__all__ = ["Message", "holders", "recovered"]


def holders(effect: Recovered) -> Message:
    """Who began the roster of key holders anew, why, and who is in it."""
    who = mention(effect.by) if effect.by is not None else "somebody"
    names = b.rich(b.line(b.text("Key holders: ", bold=True), b.text(", ".join(effect.holders or ()))))
    happened = f"*The roster of key holders was begun anew without an approval:* {who} made roster {effect.number} at the terminal of the machine, when no holder of the one before worked."
    step = "Whoever did this holds the machine: if you did not expect it, talk to them at once, and to each other. What only the lost holders could open stays closed; new values are sealed under new keys."
    why = [b.said("Why", effect.reason)] if effect.reason else []
    blocks = [b.section(happened), names, *why, b.section(f"*What next:* {step}")]
    return Message(f"{happened} {step}", b.fresh(blocks))


def recovered(number: int, enactment: Enactment | None, proposed: Proposed) -> Message:
    """Who did it, why, and what is another since."""
    who = mention(enactment.by) if enactment is not None else "somebody"
    when = f" {date(enactment.at_ms)}" if enactment is not None else ""
    again = (
        f" It is version {enactment.restored} again."
        if enactment is not None and enactment.restored is not None
        else ""
    )
    happened = f"*The policies were changed without an approval:* {who} put version {number} into force{when}, at the terminal of the machine, instead of version {number - 1}.{again}"
    step = "Look at what is another. Whoever did this holds the machine and its keys: if you did not expect it, talk to them at once, and to each other."
    why = [b.said("Why", enactment.reason)] if enactment is not None else []
    shown = amendment.changes(proposed, whole=True)
    blocks = [b.section(happened), *why, b.section(f"*What next:* {step}"), *shown]
    return Message(f"{happened} {step}", b.fresh(blocks))
