"""Card: one request as a message, for those who decide and for the person who asked."""

from typing import Final

from bot.slack.views import amendment, buttons, holders, machines
from bot.slack.views import blocks as b
from bot.slack.views.change import CAUTIONS_MOST, CAUTIONS_SHOWN, NAMES_SHOWN, cautions, touched
from bot.slack.views.facts import Block, CardFacts, Message
from bot.slack.views.hooks import lines, reported, retries
from bot.slack.views.next_steps import next_step
from bot.slack.views.status import (
    asker,
    broken,
    decided,
    edited,
    extended,
    headline,
    held_up,
    landed,
    owed,
    progress,
    standing,
    title,
    unusable,
    votes,
    waits,
)
from bot.slack.views.words import cleaned, date, mention, people, spoken
from store.model.request import (
    MERGED,
    REASON_MOST,
    Amendment,
    Change,
    Deployment,
    Enrolling,
    Extending,
    Joining,
    Minting,
    Request,
)
from store.model.standing import first_use_ms

__all__ = ["CardFacts", "Message", "for_approvers", "for_requester"]

_NOTED: Final = {"stale": "What changed", "ended": "Note"}


def for_approvers(facts: CardFacts, *, whole: bool = False) -> Message:
    """The card in the channel. `whole`: with the reason in full, for who asks to see it."""
    request = facts.request
    pressed = [
        *buttons.of_debt(facts),
        *_deciding(facts),
        *([buttons.more(facts, whole=not is_cut(facts))] if _undecided(facts) else []),
    ]
    row = [*retries(facts.deliveries, request), *([b.actions(*pressed)] if pressed else [])]
    still = frozenset[str]().union(*(place.circle.principals for place in facts.needed))
    others = request.state == "pending" and not still.issuperset(facts.asked)
    asked = [f"Asked: {people(facts.asked)}"] if others else []
    warned = cautions(facts.cautions, CAUTIONS_MOST if whole else CAUTIONS_SHOWN)
    return Message(_notice(facts), b.fresh([*_body(facts, whole=whole), *warned, *_foot(facts, *asked), *row]))


def for_requester(facts: CardFacts, *, to: str | None = None, whole: bool = False) -> Message:
    """The copy in a DM: the same truth, with the reader's own next step. `to`: who reads it, else the beneficiary."""
    request = facts.request
    reader = to or request.beneficiary
    step, pressed = next_step(facts, reader)
    head, *body = _body(facts, whole=whole)
    row = [b.actions(*pressed)] if pressed else []
    return Message(
        f"{headline(facts)} {step}",
        b.fresh([head, b.section(f"*What next:* {step}"), *body, *_foot(facts, own=True), *row]),
    )


def _notice(facts: CardFacts) -> str:
    request = facts.request
    deadline = request.timers.get("deadline")
    by = f" Decide before {date(deadline)}." if request.state == "pending" and deadline is not None else ""
    return f"{headline(facts)}{by}"


def _body(facts: CardFacts, *, whole: bool) -> list[Block]:
    """What was asked, and what has come of it."""
    request = facts.request
    parts = [b.header(title(facts)), b.fields(_fields(facts)), _typed(request, whole=whole)]
    if isinstance(request.payload, Change):
        parts.append(b.rich(*touched(request.payload, None if whole else NAMES_SHOWN)))
    if isinstance(request.payload, Amendment):
        parts += amendment.changes(facts.proposed, whole=whole)
    if isinstance(request.payload, Enrolling):
        parts += holders.asked(request.payload)
    if isinstance(request.payload, Minting):
        parts += machines.asked(request.payload)
    so = [
        sentence
        for sentence in (edited(request), decided(request), extended(request), standing(facts), waits(facts))
        if sentence
    ]
    if so:
        parts.append(b.section("\n".join(so)))
    decision, ending = request.decision, request.ending
    told = (request.note, facts.debt.reason if facts.debt else None)
    if decision is not None and decision.reason:
        parts.append(b.said("Why the glass was broken" if broken(request) else "Why it was denied", decision.reason))
    if request.note:
        parts.append(b.said(_NOTED.get(request.state, "What the outside system said"), request.note))
    reported_on = request.kind == "deploy" and request.state in ("succeeded", "failed")
    if (
        ending is not None
        and ending.reason
        and request.state != "expired"
        and not reported_on
        and ending.reason not in told
    ):
        word = request.state if request.state in ("withdrawn", "cancelled", "superseded") else "ended"
        parts.append(b.said(f"Why it was {word}", ending.reason))
    if request.state == "pending" and (stops := held_up(facts)):
        parts.append(b.section(" ".join(stops)))
    if facts.frozen is not None and facts.frozen[1]:
        parts.append(b.said("Why deploys are frozen", facts.frozen[1]))
    if request.run is not None:
        parts += reported(request.run)
    if facts.back_to is not None:
        parts.append(b.section(f"The last that succeeded there: {landed(facts.back_to)}."))
    if facts.debt is not None:
        parts.append(b.section(owed(facts.debt)))
        if facts.debt.reason:
            parts.append(b.said("Why it was disputed", facts.debt.reason))
    if facts.deliveries:
        parts.append(lines(facts.deliveries))
    return parts


def _fields(facts: CardFacts) -> list[tuple[str, str]]:
    request, rules = facts.request, facts.rules
    pairs = [("Requester", asker(request))]
    if request.beneficiary != request.requester:
        pairs.append(("For", mention(request.beneficiary)))
    does = {
        "open": "Open: read its secrets",
        "access": "Join: be a member",
        "change": "Change its secrets",
        "deploy": "Deploy",
        "policy": "Change the policies",
    }
    if isinstance(request.payload, Enrolling):
        does["policy"] = "Add a key holder" if request.payload.what == "add" else "Remove a key holder"
    if isinstance(request.payload, Minting):
        does["policy"] = "Let a machine in"
    if isinstance(request.payload, Change) and request.payload.back_to is not None:
        does["change"] = f"Take it back to version {request.payload.back_to}"
    longer = request.payload if isinstance(request.payload, Extending) else None
    pairs += [("Target", f"`{request.target}`"), ("Action", "Keep it longer" if longer else does[request.kind])]
    if longer is not None:
        pairs += [("Longer by", _duration(request)), ("Of request", f"`{longer.parent}`")]
        if request.state == "pending":
            pairs += [("Ends", date(longer.until_ms)), ("Would end", date(longer.until_ms + longer.duration_ms))]
    elif isinstance(request.payload, Deployment):
        pairs.append(("Version", f"`{request.payload.version}`"))
        if request.payload.ref is not None:
            pairs.append(("Commit or digest", f"`{request.payload.ref}`"))
        if (gate := request.gate) is not None:
            pairs.append(("At GitHub", f"<{gate.page}|run {gate.run}>, started by `{gate.by}`"))
    elif request.duration_ms is not None:
        pairs.append(("Access duration", _duration(request)))
        if request.state == "pending" and rules is not None:
            pairs.append(("Use within", f"{spoken(first_use_ms(request, rules))} of the approval"))
    deadline = request.timers.get("deadline")
    if deadline is not None and request.state in ("pending", "approved") and not unusable(facts):
        does_by = "Decide before" if request.state == "pending" else "Use before"
        used = {"change": "Merge before", "policy": "Merge before", "deploy": "Deploy before"}
        pairs.append((used.get(request.kind, does_by) if request.state == "approved" else does_by, date(deadline)))
    if deadline is not None and request.state == "running":
        pairs.append(("Report before", date(deadline)))
    if request.lease is not None and request.state in ("granting", "active"):
        pairs.append(("Ends", date(request.lease.until_ms)))
    return pairs


def _duration(request: Request) -> str:
    asked, granted = request.duration_ms or 0, request.granted_ms
    return spoken(asked) if granted in (None, asked) else f"{spoken(granted or 0)} ({spoken(asked)} asked)"


def _typed(request: Request, *, whole: bool) -> Block:
    """Whatever somebody typed: the reason, the ticket, names out of the policy file."""
    small = []
    if isinstance(request.payload, Joining):
        of = request.payload.membership
        small.append([b.text("Group: ", bold=True), b.text(f"{cleaned(of.group, 200)} in {of.connector}")])
    if request.gate is not None:
        small.append([b.text("Environment at GitHub: ", bold=True), b.text(cleaned(request.gate.environment, 200))])
    if request.ticket:
        small.append([b.text("Ticket: ", bold=True), b.text(cleaned(request.ticket, 200))])
    small.append([b.text("Rule: ", bold=True), b.text(cleaned(request.rule, 200))])
    last = [piece for place, pieces in enumerate(small) for piece in ([b.text(" · "), *pieces] if place else pieces)]
    if not request.reason:
        return b.rich(b.line(b.text("Reason: ", bold=True), b.text("none was given")), b.line(*last))
    reason = b.quoted(request.reason, REASON_MOST if whole else b.REASON_SHOWN)
    return b.rich(b.line(b.text("Reason", bold=True)), reason, b.line(*last))


def _foot(facts: CardFacts, *first: str, own: bool = False) -> list[Block]:
    """Where the decision stands, and what to call this request. `own`: the next step says where it stands."""
    request = facts.request
    pending = request.state == "pending"
    told = [b.context(progress(facts, deadline=False))] if pending and not own else []
    capped = request.state == "approved" and any(review.cap_ms is not None for review in request.reviews)
    cast = votes(request) if pending or capped else None
    cut_short = f" · `/countersign show {request.id}` shows all of it" if is_cut(facts) else ""
    over_http = isinstance(request.payload, Minting)  # from anywhere: who asks is logged in
    where = " of the machine" if request.kind == "policy" and not over_http else ""
    door = {"slack": "", "terminal": f" at a terminal{where}", "machine": " by a machine", "github": " by GitHub"}[
        request.door
    ]
    asked = f"Request `{request.id}` · asked {date(request.created_ms)}{door}{cut_short}"
    small = [*first, *([cast] if cast else []), asked]
    return [*told, b.context(*small)]


def is_cut(facts: CardFacts) -> bool:
    request = facts.request
    long = isinstance(request.payload, Change) and len(request.payload.touches) > NAMES_SHOWN
    long = long or len(facts.cautions or ()) > CAUTIONS_SHOWN
    return long or amendment.is_cut(facts.proposed) or len(cleaned(request.reason)) > b.REASON_SHOWN


def _undecided(facts: CardFacts) -> bool:
    return facts.request.state == "pending" and facts.rules is not None


def _deciding(facts: CardFacts) -> list[b.Element]:
    """Buttons for those who decide, and for those who may take back."""
    request = facts.request
    match request.state:
        case "pending" if facts.rules is not None:
            glass = [buttons.break_glass(facts)] if buttons.breakable(facts) else []
            return [*buttons.review(facts), *glass]
        case "approved" if request.kind == "deploy" and not unusable(facts):
            return [buttons.deploy(request), buttons.cancel(request)]
        case "running":
            return [buttons.cancel(request)]
        case "succeeded" | "failed" | "cancelled" if facts.back_to is not None:
            return [buttons.deploy_again(request)]
        case "merged" if isinstance(request.payload, Change):
            return [buttons.roll_back(request)]
        case "approved" if request.kind in MERGED and not unusable(facts):
            return [buttons.merge(request)]
        case "granting" | "active":
            return [buttons.end_now(request)]
        case _:
            return []
