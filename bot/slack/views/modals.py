"""Modals: a reason, less time, values, a notice."""

from collections.abc import Mapping
from typing import Any

from bot.slack import ids
from bot.slack.ids import Origin
from bot.slack.views import blocks as b
from bot.slack.views import lengths
from bot.slack.views.facts import Block, CardFacts, Message, View
from bot.slack.views.reading import BadForm, typed
from bot.slack.views.shown_values import values
from bot.slack.views.status import action, asker
from bot.slack.views.words import mention, places, spoken
from store.model.policy import HOUR
from store.model.request import REASON_MOST, Request

__all__ = [
    "BadForm",
    "approve_less",
    "break_reason",
    "cancel_reason",
    "deny_reason",
    "details",
    "dispute_reason",
    "end_reason",
    "notice",
    "read_cap",
    "read_reason",
    "read_remark",
    "values",
]


def deny_reason(request: Request, origin: Origin) -> View:
    """`origin.reference` is what the person saw, not what the request is by now."""
    word, did = ("Decline", "declined") if request.kind == "deploy" else ("Deny", "denied")
    about = f"{asker(request)} asks to {action(request)}. They are told that you {did} it, and why."
    hint = "What would they have to do or know?"
    return _reason(ids.DENY_REASON, word, word, b.section(about), "Why not?", hint, origin)


def break_reason(facts: CardFacts, origin: Origin) -> View:
    request, rules = facts.request, facts.rules
    about = [f"*You let this pass alone:* {asker(request)} asks to {action(request)}."]
    if facts.needed:
        about.append(f"Still missing: {places(facts.needed)}.")
    if rules is not None and request.duration_ms is not None:
        about.append(
            f"It holds for {spoken(min(request.duration_ms, rules.max_access_ms, rules.max_broken_ms))} at most."
        )
    if rules is not None:
        about.append(f"Somebody else must countersign within {spoken(rules.review_within_ms)}.")
    about.append("The approvers and the owners are told at once, with your reason.")
    words = "What is the emergency?"
    return _reason(
        ids.BREAK_REASON, "Break the glass", "Break the glass", b.section("\n".join(about)), words, "", origin
    )


def dispute_reason(request: Request, origin: Origin) -> View:
    about = f"You do not agree that {mention(request.requester)} had to {action(request)} without the approvals. Access that still runs ends at once, and everybody concerned is told."
    return _reason(ids.DISPUTE_REASON, "Dispute", "Dispute", b.section(about), "What is wrong?", "", origin)


def cancel_reason(request: Request, origin: Origin) -> View:
    ran = request.state == "running"
    comes = (
        "It counts as over at once, and another may start. What the receiver has begun, it must stop by itself."
        if ran
        else "It is not started any more; to have it again, it must be asked again."
    )
    told = f"Whoever asked for it{' and whoever started it' if ran else ''} is told that you cancelled it, and why."
    if request.machine is not None:
        told = "The card and the machine say that you cancelled it, and why."
    about = f"{asker(request)} asked to {action(request)}. {comes} {told}"
    view = _reason(ids.CANCEL_REASON, "Cancel this deploy", "Cancel the deploy", b.section(about), "Why?", "", origin)
    return {**view, "close": b.plain("Go back", b.TITLE_MOST)}  # *Cancel* would be read as the other button


def end_reason(request: Request, origin: Origin) -> View:
    """Nobody has to say why: it may be urgent."""
    whom = mention(request.beneficiary)
    about = f"{whom} may {action(request)}. It is taken back at once; to have it again, it must be asked again. They are told that you ended it, and why."
    field = b.text_input(ids.REASON, most=REASON_MOST, multiline=True, focus=True)
    blocks = [b.section(about), b.entry("Why?", ids.REASON, field, optional=True)]
    return b.modal(ids.END_REASON, "End this access", blocks, origin=origin, submit="End it now")


def read_remark(state: Mapping[str, Any]) -> str | None:
    """A reason that may be left out."""
    return typed(state, ids.REASON).strip()[:REASON_MOST] or None


def _reason(callback: str, title: str, submit: str, about: Block, label: str, hint: str, origin: Origin) -> View:
    field = b.text_input(ids.REASON, most=REASON_MOST, multiline=True, focus=True)
    return b.modal(callback, title, [about, b.entry(label, ids.REASON, field, hint=hint)], origin=origin, submit=submit)


def read_reason(state: Mapping[str, Any]) -> str:
    """Raises `BadForm`."""
    reason = typed(state, ids.REASON).strip()
    if not reason:
        raise BadForm({ids.REASON: "Say why, in a few words."})
    if len(reason) > REASON_MOST:
        raise BadForm({ids.REASON: f"This is too long: {REASON_MOST:,} characters are the limit."})
    return reason


def approve_less(request: Request, origin: Origin) -> View:
    asked = request.duration_ms or HOUR
    offered = [length for length in lengths.offered(asked) if length < asked] or [max(asked // 2, 1_000)]
    options = [lengths.choice(length) for length in offered]
    about = f"{mention(request.requester)} asks to {action(request)}. The shortest time that any approver agrees to is what they get."
    field = b.select(ids.DURATION, options, "Choose a time", initial=options[-1])
    blocks = [b.section(about), b.entry("You approve it for", ids.DURATION, field)]
    return b.modal(ids.APPROVE_LESS, "Approve for less time", blocks, origin=origin, submit="Approve")


def read_cap(state: Mapping[str, Any]) -> int:
    """Milliseconds. Raises `BadForm`."""
    length = lengths.read(typed(state, ids.DURATION))
    if length is None:
        raise BadForm({ids.DURATION: "Choose a time."})
    return length


def notice(title: str, sentence: str) -> View:
    """`sentence` may repeat what somebody typed: it is shown as plain text."""
    return b.modal(ids.NOTICE, title, [b.plain_section(sentence)])


def details(message: Message, title: str = "Request") -> View:
    """A card in full, as a modal: to read, so without its buttons."""
    shown = [block for block in message.blocks if block["type"] != "actions"]
    return b.modal(ids.NOTICE, title, shown)
