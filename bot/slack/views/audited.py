"""Audited: entries of the audit log, for owners, in rich text: nothing that somebody typed is read as a link or a mention."""

import re
from collections.abc import Sequence
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.facts import Message
from bot.slack.views.words import cleaned
from store.model.audit import Audit
from store.model.request import CLOCK, RELAY

DETAIL_MOST: Final = 120
DETAILS_MOST: Final = 4
MACHINES: Final = {CLOCK: "the clock", RELAY: "the relay"}
_PERSON: Final = re.compile(r"[UW][A-Z0-9]{2,20}")


def entries(found: Sequence[tuple[int, Audit]], request: str | None, *, more: bool) -> Message:
    """Newest first. `request`: of which they are, where it is one."""
    about = f" of request {request}" if request else ""
    if not found:
        nothing = f"The audit log has nothing{about}, as far back as this command looks."
        return Message(nothing, b.fresh([b.section(nothing)]))
    title = f"The newest entries of the audit log{about}"
    listed = b.rich(b.bullets([_entry(number, entry) for number, entry in found]))
    rest = "There are more: `countersign audit tail` reads them all." if more else "That is all there is."
    return Message(f"{title}.", b.fresh([b.section(f"*{title}*"), listed, b.context(rest)]))


def _entry(number: int, entry: Audit) -> list[b.Element]:
    event = entry.event.replace(".", " ").replace("_", " ")
    person = _PERSON.fullmatch(entry.actor) is not None
    who: b.Element = (
        {"type": "user", "user_id": entry.actor}
        if person
        else b.text(MACHINES.get(entry.actor) or cleaned(entry.actor, DETAIL_MOST))
    )
    about = " ".join(cleaned(part, 150) for part in (entry.target, entry.request) if part)
    pairs = [(name, value) for name, value in entry.details.items() if value not in (None, "")][:DETAILS_MOST]
    told = "; ".join(f"{name}: {cleaned(str(value), DETAIL_MOST)}" for name, value in pairs)
    pieces = [
        b.text(f"{number} · "),
        b.date_element(entry.at_ms),
        b.text(" · "),
        b.text(event, bold=True),
        b.text(" by "),
        who,
    ]
    tail = " · ".join(part for part in (about, told) if part)
    return [*pieces, b.text(f" · {tail}")] if tail else pieces
