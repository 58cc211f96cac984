"""Letters: what a mail says of a decision. Pure: a record in, plain text and modest HTML out."""

from collections.abc import Sequence
from html import escape
from typing import Final

from bot.slack.views.status import action, subject
from bot.slack.views.words import cleaned, joined, utc
from scheduler.connectors.smtp import Letter, is_address
from store.model.effect import Decided, Mail
from store.model.lifecycle import World
from store.model.people import People
from store.model.request import CLOCK, Request

TYPED_MOST: Final = 500  # characters of a reason
NAME_MOST: Final = 80

_WORDS: Final[dict[Decided, str]] = {
    "approved": "Approved",
    "denied": "Denied",
    "broken": "Glass broken",
    "countersigned": "Broken glass countersigned",
    "disputed": "Broken glass disputed",
    "overdue": "Broken glass: nobody countersigned",
    "succeeded": "Deployed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


def letter(world: World, notice: Mail, people: People) -> Letter:
    """Nothing in it was a value, and nothing that somebody typed stands in the subject. `people`: whose names are known."""
    request = world.request
    heading = f"{_WORDS[notice.news]}: {subject(request)}"
    happened, step = _happened(request, notice, people), _next(world, notice)
    rows = [*_reasons(world, notice), ("When", utc(notice.at_ms)), ("Rule", cleaned(request.rule, NAME_MOST))]
    rows.append(("Request", request.id))
    why = (
        "You get this because you are one of its approvers."
        if notice.to is not None
        else "You get this because the policies name this address under notify."
    )
    foot = f"{why} Nothing is decided by mail: in Slack, /countersign show {request.id} shows the card."
    return Letter(heading, _text(happened, rows, step, foot), _html(heading, happened, rows, step, foot))


def trial(host: str) -> Letter:
    """What `doctor --mail-to` sends."""
    happened = f"This is a test. Countersign can send mail through {host}."
    foot = "Somebody ran countersign doctor --mail-to with this address."
    return Letter("Countersign: a test", _text(happened, [], "", foot), _html("A test", happened, [], "", foot))


def _happened(request: Request, notice: Mail, people: People) -> str:
    by = joined(_name(user, people) for user in notice.by)
    of = f"the request of {_name(request.requester, people)}"
    if request.beneficiary != request.requester:
        of += f" for {_name(request.beneficiary, people)}"
    what = f"{of} to {action(request).replace('`', '')}"  # a mail has no mark for code
    match notice.news:
        case "approved":
            return f"{by} approved {what}."
        case "denied":
            return f"{by} denied {what}."
        case "broken":
            return f"{by} let {what} pass without the approvals that the rule asks for."
        case "countersigned":
            return f"{by} countersigned what was done when the glass was broken for {what}."
        case "disputed":
            return f"{by} disputed that the glass had to be broken for {what}."
        case "overdue":
            return f"The glass was broken for {what}, and nobody countersigned it in time."
        case "succeeded":
            return f"The receiver reported success of {what}."
        case "failed" if request.ending is not None and request.ending.by == CLOCK:
            return f"No report came in time of {what}, so nobody knows how it went."
        case "failed":
            return f"The receiver reported a failure of {what}."
        case "cancelled":
            return f"{by or 'The machine that asked'} cancelled {what}."


def _reasons(world: World, notice: Mail) -> list[tuple[str, str]]:
    request, debt = world.request, world.debt
    decision = request.decision.reason if request.decision else None
    given: list[tuple[str, str | None]] = []
    if notice.news == "disputed":
        given.append(("Why it was disputed", debt.reason if debt else None))
    if notice.news == "denied":
        given.append(("Why", decision))
    if notice.news in ("broken", "disputed", "overdue", "countersigned"):
        given.append(("Why the glass was broken", decision))
    if notice.news == "cancelled":
        given.append(("Why", request.ending.reason if request.ending else None))
    if notice.news in ("succeeded", "failed") and request.run is not None:
        run = request.run
        given += [("Stage", run.stage), ("What the receiver said", run.said), ("Log", run.log)]
    given.append(("What it was asked for", request.reason))
    return [(label, cleaned(typed, TYPED_MOST)) for label, typed in given if typed]


def _next(world: World, notice: Mail) -> str:
    debt = world.debt
    match notice.news:
        case "broken" if debt is not None:
            return (
                "Look at what was done. Somebody who may approve, other than who broke the glass, countersigns or disputes it "
                f"in Slack before {utc(debt.due_ms)}."
            )
        case "disputed" | "overdue":
            return "Talk to each other, and to an owner. Whoever broke it cannot break a glass again until an owner unlocks them."
        case "failed":
            return "Look at the log of the receiver, then ask again, or go back to what ran before, at its card."
        case "cancelled" if world.request.run is not None:
            return "Look at the receiver: what it has begun, it must stop by itself."
        case _:
            return ""


def _name(user: str, people: People) -> str:
    """`Ben (ben@example.com)`, since anybody may call themselves Ben; the id alone where Slack does not say in time."""
    person = people.persons.get(user)
    if person is None:
        return user
    known = person.email if person.email is not None and is_address(person.email) else user
    return f"{cleaned(person.name, NAME_MOST)} ({known})"


def _text(happened: str, rows: Sequence[tuple[str, str]], step: str, foot: str) -> str:
    told = "\n".join(f"{label}: {said}" for label, said in rows)
    following = f"What next: {step}" if step else ""
    return "\n\n".join(filter(None, (happened, told, following, f"-- \n{foot}"))) + "\n"


def _html(heading: str, happened: str, rows: Sequence[tuple[str, str]], step: str, foot: str) -> str:
    """No image, no link, no style but what stands here: nothing is fetched when it is read."""
    told = "".join(
        f'<tr><th align="left" valign="top" style="padding:2px 12px 2px 0">{escape(label)}</th><td valign="top">{escape(said)}</td></tr>'
        for label, said in rows
    )
    following = f"<p><b>What next:</b> {escape(step)}</p>" if step else ""
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;line-height:1.5">'
        f'<h1 style="font-size:1.2em">{escape(heading)}</h1><p>{escape(happened)}</p>'
        f"<table>{told}</table>{following}"
        f'<p style="color:#666;font-size:.9em">{escape(foot)}</p></body></html>\n'
    )
