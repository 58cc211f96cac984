"""Audited: entries of the audit log, for owners, in rich text: nothing that somebody typed is read as a link or a mention."""

import re
from collections.abc import Sequence
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.facts import Message
from bot.slack.views.words import cleaned, spoken
from store.model.audit import Audit
from store.model.request import CLOCK, RELAY

DETAIL_MOST: Final = 120
DETAILS_MOST: Final = 4
PEOPLE_MOST: Final = 8
HASH_SHOWN: Final = 12  # `countersign audit tail` has all of it
LENGTHS: Final = frozenset({"longer_ms", "granted_ms", "cap_ms"})
TYPED: Final = frozenset({"reason", "note", "said"})  # by somebody: it names nobody
MACHINES: Final = {CLOCK: "the clock", RELAY: "the relay"}
_HASH: Final = re.compile(r"[0-9a-f]{64}")
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
        _user(entry.actor) if person else b.text(MACHINES.get(entry.actor) or cleaned(entry.actor, DETAIL_MOST))
    )
    about = " ".join(cleaned(part, 150) for part in (entry.target, entry.request) if part)
    pairs = [(name, value) for name, value in entry.details.items() if value not in (None, "")][:DETAILS_MOST]
    pieces = [
        b.text(f"{number} · "),
        b.date_element(entry.at_ms),
        b.text(" · "),
        b.text(event, bold=True),
        b.text(", made by " if entry.event == "attempt.refused" else " by "),
        who,
    ]
    if about:
        pieces.append(b.text(f" · {about}"))
    for place, (name, value) in enumerate(pairs):
        pieces += [b.text("; " if place else " · "), *_detail(name, value)]
    return pieces


def _detail(name: str, value: str | int) -> list[b.Element]:
    """People by name, moments in the reader's zone, lengths in words, the beginning of a hash; everything else as it is."""
    label = name.removesuffix("_ms").replace("_", " ")
    if name in LENGTHS and isinstance(value, int):
        return [b.text(f"{label}: {spoken(value)}")]
    if name.endswith("_ms") and isinstance(value, int):
        return [b.text(f"{label}: "), b.date_element(value)]
    people = value.split(" ") if isinstance(value, str) and name not in TYPED else []
    if people and len(people) <= PEOPLE_MOST and all(_PERSON.fullmatch(each) for each in people):
        named = [piece for each in people for piece in (b.text(" "), _user(each))]
        return [b.text(f"{label}:"), *named]
    if isinstance(value, str) and _HASH.fullmatch(value):
        return [b.text(f"{label}: {value[:HASH_SHOWN]}…")]
    return [b.text(f"{label}: {cleaned(str(value), DETAIL_MOST)}")]


def _user(id_: str) -> b.Element:
    return {"type": "user", "user_id": id_}
