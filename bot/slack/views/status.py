"""Status: where a request stands, in our own words only. Everything here may be read as mrkdwn."""

from typing import Final

from bot.slack.views.facts import CardFacts
from bot.slack.views.words import cut, date, mention, people, places, plural, spoken
from store.model.debt import Debt
from store.model.lifecycle import LAPSED
from store.model.request import (
    CLOCK,
    MERGED,
    Amendment,
    Change,
    Deployment,
    Enrolling,
    Extending,
    Gate,
    Machine,
    Minting,
    Request,
    State,
)
from store.model.slots import Landed

STATES: Final[dict[State, str]] = {
    "pending": "Waiting for approval",
    "approved": "Approved, not started yet",
    "stale": "Out of date",
    "granting": "Approved, not confirmed yet",
    "active": "Active",
    "revoking": "Ending, not confirmed yet",
    "denied": "Denied",
    "withdrawn": "Withdrawn",
    "expired": "Expired",
    "merged": "Merged",
    "extended": "Approved: it ends later",
    "ended": "Ended",
    "failed": "Failed",
    "running": "Deploying",
    "succeeded": "Deployed",
    "cancelled": "Cancelled",
    "superseded": "Superseded",
}
VERSION_MOST: Final = 24  # of a deploy, in a line; its card has all of it
DEBTS: Final = {
    "open": "glass broken",
    "countersigned": "glass broken, countersigned",
    "disputed": "glass broken, disputed",
    "overdue": "glass broken, nobody countersigned",
}


def state(request: Request) -> str:
    if request.state == "approved" and request.kind in MERGED:
        return "Approved, not merged yet"
    if request.state == "approved" and request.kind == "deploy":
        return "Approved, not deployed yet"
    if request.state == "expired":
        used = "started" if request.kind == "deploy" else "used"
        return f"Expired before it was {used}" if request.decision else "Expired without a decision"
    if request.state == "merged" and request.merged is not None:
        return f"Merged as version {request.merged}"
    return STATES[request.state]


def unusable(facts: CardFacts) -> bool:
    """Approved by a broken glass that was disputed before anybody used it: nobody can any more."""
    return facts.request.state == "approved" and facts.debt is not None and facts.debt.state == "disputed"


def stands(facts: CardFacts) -> str:
    """The state, and the broken glass if there was one."""
    request = facts.request
    glass = f", {DEBTS[facts.debt.state]}" if facts.debt else ", glass broken" if broken(request) else ""
    return f"{'Not to be used' if unusable(facts) else state(request)}{glass}"


def title(facts: CardFacts) -> str:
    """Plain text: where it stands, and what it is about."""
    return f"{stands(facts)} · {subject(facts.request)}"


def subject(request: Request) -> str:
    """Plain text: `open payments/prod`."""
    if isinstance(request.payload, Extending):
        return f"more time for {request.target}"
    if isinstance(request.payload, Enrolling):
        return f"{request.payload.what} the key holder {request.payload.name}"
    if isinstance(request.payload, Minting):
        return f"let in the machine {request.payload.name}"
    if isinstance(request.payload, Deployment):
        return f"deploy {cut(request.payload.version, VERSION_MOST)} to {request.target}"
    does = {"open": "open", "access": "access to", "change": "change", "policy": "change the policies,"}
    return f"{does[request.kind]} {request.target}"


def broken(request: Request) -> bool:
    return request.decision is not None and request.decision.basis == "break-glass"


def action(request: Request) -> str:
    """`open payments/prod for 2 h`."""
    target = f"`{request.target}`"
    length = spoken(request.granted_ms or request.duration_ms or 0)
    match request.payload:
        case Change() as change if change.back_to is not None:
            return f"take {target} back to version {change.back_to}, {plural(len(change.touches), 'secret')}"
        case Change() as change:
            return f"change {plural(len(change.touches), 'secret')} in {target}"
        case Deployment() as deployment:
            return f"deploy `{deployment.version}` to {target}"
        case Amendment():
            return "change the policies, `policy:main`"
        case Enrolling() as holder:
            return f"{holder.what} the key holder `{holder.name}`"
        case Minting() as machine:
            return f"let in the machine `{machine.name}`"
        case Extending():
            return f"keep {target} for {length} longer"
        case _ if request.kind == "access":
            return f"have {target} for {length}"
        case _:
            return f"open {target} for {length}"


def headline(facts: CardFacts) -> str:
    """One sentence without anything that somebody typed: for notifications, lists and screen readers."""
    request = facts.request
    asks = "asks" if request.state == "pending" else "asked"
    whom = f" for {mention(request.beneficiary)}" if request.beneficiary != request.requester else ""
    return f"{stands(facts)}: {asker(request)} {asks} to {action(request)}{whom}."


def progress(facts: CardFacts, *, deadline: bool = True) -> str:
    """`1 of 2 approvals · still needed: 1 of @security · decide before …`."""
    if facts.rules is None:
        return "No rule covers this any more, so nobody can decide it. Ask an owner."
    due = facts.request.timers.get("deadline") if deadline else None
    return " · ".join([*count(facts), *([f"decide before {date(due)}"] if due is not None else [])])


def count(facts: CardFacts) -> list[str]:
    """Of the votes that count: how many there are, and what is missing."""
    request, rules = facts.request, facts.rules
    if rules is None:
        return []
    total = sum(threshold.count for threshold in rules.now.approvals)
    missing = sum(threshold.count for threshold in facts.needed)
    parts = [f"{max(total - missing, 0)} of {plural(total, 'approval')}"]
    if facts.needed:
        parts.append(f"still needed: {places(facts.needed)}")
    if denials := request.votes("deny"):
        parts.append(f"{len(denials)} of {plural(rules.denials, 'denial')}")
    return parts


def votes(request: Request) -> str | None:
    """Who has voted how on this content."""
    if not request.reviews:
        return None
    said = []
    for review in request.reviews:
        word = "approved" if review.verdict == "approve" else "denied"
        cap = f" ({spoken(review.cap_ms)} at most)" if review.cap_ms is not None else ""
        said.append(f"{mention(review.by)} {word}{cap}")
    return "Votes: " + " · ".join(said[:20]) + (f" · {len(said) - 20} more" if len(said) > 20 else "")


def edited(request: Request) -> str | None:
    """Who made this revision of it, and that everybody decides anew."""
    edit = request.edited
    if edit is None:
        return None
    dropped = "; earlier votes were dropped" if edit.dropped else ""
    return f"Edited by {mention(edit.by)} {date(edit.at_ms)}{dropped}."


def extended(request: Request) -> str | None:
    """What has moved its end since the first use."""
    if not request.extended:
        return None
    said = [f"by {spoken(each.longer_ms)} {date(each.at_ms)}, with request `{each.by}`" for each in request.extended]
    left = f", and {len(said) - 5} times more" if len(said) > 5 else ""
    return f"Extended {'; '.join(said[-5:])}{left}."


def waits(facts: CardFacts) -> str | None:
    """That more time is asked for."""
    if facts.waits is None:
        return None
    return f"More time is asked for, with request `{facts.waits}`: nobody has decided that yet."


def decided(request: Request) -> str | None:
    """Who decided, and when."""
    decision = request.decision
    if decision is None:
        return None
    word = {"quorum": "Approved", "denial": "Denied", "break-glass": "Glass broken"}[decision.basis]
    return f"{word} by {people(decision.by)} {date(decision.at_ms)}."


def standing(facts: CardFacts) -> str | None:
    """What is so now, after the decision."""
    request = facts.request
    has, ending = mention(request.beneficiary), request.ending
    match request.state:
        case "approved" if unusable(facts):
            return "It cannot be used: the glass that was broken for it was disputed."
        case "approved" if request.kind in MERGED:
            return "It is not merged yet."
        case "approved" if request.kind == "deploy":
            return " ".join(["Nobody has started it yet.", *held_up(facts)])
        case "running" if request.run is not None:
            heard = f", last heard of {date(request.run.said_ms)}" if request.run.said_ms is not None else ""
            return f"{_started(request)}{heard}."
        case "succeeded":
            return f"{_started(request)}. The receiver reported success {date(request.since_ms)}."
        case "failed" if request.kind == "deploy":
            silent = ending is not None and ending.by == CLOCK
            what = (
                "No report came in time, so nobody knows how it went" if silent else "The receiver reported a failure"
            )
            return f"{_started(request)}. {what}. This ended {date(request.since_ms)}."
        case "cancelled" if ending:
            run = request.run
            ran = (
                f" {mention(run.by)} had started it {date(run.at_ms)}: what the receiver has begun, it must stop by itself."
                if run
                else ""
            )
            return f"Cancelled by {actor(request, ending.by)} {date(ending.at_ms)}.{ran}"
        case "superseded":
            return f"A deploy that was asked for later was started instead {date(request.since_ms)}."
        case "approved":
            return f"{has} has not activated it yet."
        case "stale":
            return f"{overtaken(request)}, so this was not merged. It must be asked again."
        case "granting":
            return f"Decided, not confirmed yet: the outside system has not shown {has} as a member. Its time is running already."
        case "active":
            return f"{has} has access now."
        case "revoking":
            return f"Decided, not confirmed yet: {has} may still be a member. This is tried again until the outside system shows that they are gone."
        case "withdrawn" if ending and ending.by == CLOCK:
            return f"Withdrawn by itself {date(ending.at_ms)}: whom it concerns may do nothing here any more."
        case "withdrawn" if ending:
            return f"Withdrawn by {actor(request, ending.by)} {date(ending.at_ms)}."
        case "extended" if isinstance(request.payload, Extending):
            return f"That moved its end to {date(request.payload.until_ms + (request.granted_ms or 0))}."
        case "expired" if ending and ending.reason == LAPSED:
            return f"What it would have extended ended {date(ending.at_ms)}."
        case "expired" if ending:
            word = (
                f"Nobody {'started' if request.kind == 'deploy' else 'used'} it"
                if request.decision
                else "Nobody decided"
            )
            return f"{word} in time. It expired {date(ending.at_ms)}."
        case "ended":
            return _ended(request)
        case "failed":
            return f"The outside system refused, and {has} is not a member. This ended {date(request.since_ms)}."
        case _:
            return None


def _started(request: Request) -> str:
    """A deploy, by whom and when. The sentence goes on."""
    run = request.run
    return f"Started by {mention(run.by)} {date(run.at_ms)}" if run is not None else "Started"


def asker(request: Request) -> str:
    """Who asked. A machine is named with who answers for it."""
    match request.machine:
        case Machine() as machine:
            return f"the machine `{machine.name}` (token of {mention(request.requester)})"
        case Gate() as gate:
            return f"GitHub, from `{gate.repository}` ({mention(request.requester)} answers for it)"
        case None:
            return mention(request.requester)


def actor(request: Request, by: str) -> str:
    machine = request.machine
    return f"the machine `{machine.name}`" if machine is not None and by == machine.actor else mention(by)


def held_up(facts: CardFacts) -> list[str]:
    """Until when a deploy cannot start, as far as that is known already."""
    waits = [f"Its rule lets it start from {date(facts.starts_ms)} on."] if facts.starts_ms is not None else []
    frozen = [f"Deploys are frozen until {date(facts.frozen[0])}."] if facts.frozen is not None else []
    return [*waits, *frozen]


def landed(found: Landed) -> str:
    ref = f" (`{found.of.ref}`)" if found.of.ref is not None else ""
    return f"`{found.of.version}`{ref}, with request `{found.request}`"


def overtaken(request: Request) -> str:
    """Why it is stale; the sentence goes on."""
    what = "the policies" if request.kind == "policy" else "the same secrets"
    return f"Somebody else changed {what} meanwhile"


def owed(debt: Debt) -> str:
    """What the broken glass owes, or how that came out."""
    closer = mention(debt.closed_by) if debt.closed_by else "nobody"
    closed = date(debt.closed_ms) if debt.closed_ms is not None else ""
    match debt.state:
        case "open":
            return f"{mention(debt.by)} passed without the approvals. Somebody else who may approve must countersign or dispute it before {date(debt.due_ms)}."
        case "countersigned":
            return f"Countersigned by {closer} {closed}: they looked at what {mention(debt.by)} did, and agree."
        case "disputed":
            return f"Disputed by {closer} {closed}: they do not agree with what {mention(debt.by)} did."
        case "overdue":
            return f"Nobody countersigned what {mention(debt.by)} did before {date(debt.due_ms)}. An owner must look at what was done."


def _ended(request: Request) -> str:
    ending = request.ending
    somebody = ending is not None and ending.by.startswith(("U", "W"))
    who = mention(ending.by) if ending is not None and somebody else "itself"
    timely = ending is not None and ending.by == CLOCK and not ending.reason
    why = ", because its time was over" if timely else ""
    sure = (
        " The outside system shows that they are no longer a member."
        if request.kind == "access" and not request.note
        else ""
    )
    return f"Ended by {who} {date(request.since_ms)}{why}.{sure}"
