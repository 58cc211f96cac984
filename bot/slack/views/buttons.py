"""Buttons: each carries the request's reference and nothing else."""

from typing import Any, Final

from bot.slack import ids
from bot.slack.views import blocks as b
from bot.slack.views.facts import CardFacts
from bot.slack.views.status import subject
from bot.slack.views.words import spoken
from store.model.lifecycle import room_ms
from store.model.policy import MINUTE
from store.model.request import Amendment, Extending, Request

LEAST_MS: Final = MINUTE  # what is no longer than this cannot be approved for less


def breakable(facts: CardFacts) -> bool:
    """Soft under both policies, and each names somebody who may pass: an empty list is nobody. Never for more time."""
    rules = facts.rules
    if rules is None or isinstance(facts.request.payload, Extending):
        return False
    return rules.soft and not any(policy.bypassers.empty for policy in rules.both)


def extensible(facts: CardFacts) -> bool:
    """The rules leave room for a minute more at least, and nobody has asked for more yet."""
    rules = facts.rules
    return rules is not None and facts.waits is None and room_ms(facts.request, rules.max_access_ms) >= LEAST_MS


def _button(label: str, action_id: str, request: Request, **more: Any) -> b.Element:
    return b.button(label, action_id, request.reference, about=subject(request), **more)


def review(facts: CardFacts) -> list[b.Element]:
    """Approve, for a deploy also at once, and Deny; only Deny where what the policies would be cannot be read, and so not approved."""
    request = facts.request
    readable = not isinstance(request.payload, Amendment) or facts.proposed is not None
    approve = _button("Approve", ids.APPROVE, request, style="primary")
    deploys = request.kind == "deploy"
    at_once = [_button("Approve and deploy", ids.APPROVE_AND_DEPLOY, request)] if deploys else []
    deny = _button("Decline" if deploys else "Deny", ids.DENY, request, style="danger")
    return [*([approve] if readable else []), *at_once, deny]


def deploy(request: Request) -> b.Element:
    sure = b.confirm(f"Deploy to {request.target}?", "It starts at once, unless it must wait.", "Deploy")
    return _button("Deploy", ids.DEPLOY, request, style="primary", confirm=sure)


def cancel(request: Request) -> b.Element:
    return _button("Cancel", ids.CANCEL, request, style="danger")


def retry(request: Request, hook: str) -> b.Element:
    """Which hook says the block it stands in."""
    return b.button("Retry", ids.RETRY_HOOK, request.reference, about=f"{hook} of {request.target}")


def deploy_again(request: Request) -> b.Element:
    """Its form says which version that is."""
    return b.button("Deploy the last that succeeded", ids.DEPLOY_AGAIN, request.reference, about=request.target)


def roll_back(request: Request) -> b.Element:
    """Its form says to what."""
    return _button("Roll back", ids.ROLL_BACK, request)


def break_glass(facts: CardFacts) -> b.Element:
    question = (
        "Only in an emergency. Everybody concerned is told at once, and somebody else must countersign afterwards."
    )
    return _button(
        "Break glass",
        ids.BREAK_GLASS,
        facts.request,
        style="danger",
        confirm=b.confirm("Break the glass?", question, "Yes, and say why"),
    )


def of_debt(facts: CardFacts) -> list[b.Element]:
    """While somebody must still look at a broken glass."""
    if facts.debt is None or facts.debt.state != "open":
        return []
    about = facts.request
    return [
        _button("Countersign", ids.COUNTERSIGN, about, style="primary"),
        _button("Dispute", ids.DISPUTE, about, style="danger"),
    ]


def edit(request: Request) -> b.Element:
    """For a stale change it is the way on, so it stands out."""
    if request.state == "stale":
        return _button("Ask again on what is there now", ids.EDIT, request, style="primary")
    return _button("Edit", ids.EDIT, request)


def withdraw(request: Request) -> b.Element:
    sure = b.confirm("Withdraw this request?", "Nobody can decide or use it afterwards.", "Withdraw")
    return _button("Withdraw", ids.WITHDRAW, request, confirm=sure)


def activate(request: Request) -> b.Element:
    label = f"Activate for {spoken(request.granted_ms)}" if request.granted_ms else "Activate"
    return _button(label, ids.ACTIVATE, request, style="primary")


def merge(request: Request) -> b.Element:
    return _button("Merge", ids.MERGE, request, style="primary")


def show_values(request: Request) -> b.Element:
    return _button("Show values", ids.SHOW_VALUES, request, style="primary")


def extend(request: Request) -> b.Element:
    return _button("Extend", ids.EXTEND, request)


def done(request: Request) -> b.Element:
    return _button("I'm done", ids.END, request)


def end_now(request: Request) -> b.Element:
    """Its form says what comes of it, so it needs no question of its own."""
    return _button("End now", ids.END_NOW, request, style="danger")


def more(facts: CardFacts, *, whole: bool) -> b.Element:
    """The rest of what one can do. `whole`: everything is shown already."""
    request = facts.request
    options = []
    if (request.duration_ms or 0) > LEAST_MS:
        options.append(b.option("Approve for less time", ids.choice(ids.MORE_APPROVE_LESS, request)))
    if not whole:
        options.append(b.option("Show all of it", ids.choice(ids.MORE_DETAILS, request)))
    options.append(b.option("Who decides, and why me?", ids.choice(ids.MORE_WHY, request)))
    return b.overflow(ids.MORE, options)
