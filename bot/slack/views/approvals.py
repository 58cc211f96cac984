"""Approvals: the page of App Home with what waits for somebody, what they hold, and what they asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.slack import ids
from bot.slack.ids import Place
from bot.slack.views import amendment, buttons, holders, machines
from bot.slack.views import blocks as b
from bot.slack.views.change import touched
from bot.slack.views.environments import NOT_KNOWN, NOTHING
from bot.slack.views.facts import Block, CardFacts
from bot.slack.views.next_steps import next_step
from bot.slack.views.parts import NONE, Part, pager, titled
from bot.slack.views.status import action, asker, headline, held_up, owed, progress, stands
from bot.slack.views.words import date, mention, plural
from store.model.request import Change, Enrolling, Kind, Minting, startable

# The lists in this order, and how many of each are shown at a time: together with all else on the page, within a view's
# hundred blocks. A change of the policies has one block more, and a rule has few of them.
WAITING, GRANTS, MINE = range(3)
SIZES: Final = (10, 8, 10)  # of three blocks each, two, and two
REASON_MOST: Final = 200  # characters
NAMES_MOST: Final = 5

FORMS: Final[dict[Kind, tuple[str, str]]] = {
    "open": ("Open an environment", ids.HOME_ASK_OPEN),
    "access": ("Request access", ids.HOME_ASK_ACCESS),
    "change": ("Change secrets", ids.HOME_ASK_CHANGE),
    "deploy": ("Request a deploy", ids.HOME_ASK_DEPLOY),
}
START: Final = Place("approvals")


@dataclass(frozen=True, slots=True)
class ApprovalsFacts:
    """What one person's page shows."""

    user: str
    place: Place = START
    waiting: Part[CardFacts] = NONE  # for this person to decide, to countersign, or to deploy
    unsure: int = 0  # requests of which Slack has not told yet whether they are theirs to decide
    grants: Part[CardFacts] = NONE  # granting, active, revoking, for this person
    mine: Part[CardFacts] = NONE  # asked by or for this person, not over, and nothing they hold
    kinds: frozenset[Kind] = frozenset()  # of what this person may ask for
    sure: bool = True  # False: Slack has not told yet of whom this follows from


def page(facts: ApprovalsFacts) -> list[Block]:
    unsure = (
        [b.context(f"{plural(facts.unsure, 'more request')} may wait for you: Slack has not told yet who decides.")]
        if facts.unsure
        else []
    )
    parts = (
        [*_part(facts, WAITING, "Waiting for you", facts.waiting, _waiting, "Nothing waits for your decision." if facts.sure else "Whether something waits for your decision is not known yet."), *unsure],
        _part(facts, GRANTS, "What you have now", facts.grants, lambda one: _grant(one, facts.user), "You have no access right now. What you activate stands here, with the time it ends."),
        _part(facts, MINE, "Your requests", facts.mine, lambda one: _mine(one, facts.user), "You have no open requests. Ask below, or type `/countersign help`."),
        _asking(facts),
    )  # fmt: skip
    return [block for part in parts for block in (b.divider(), *part)][1:]


def _part(
    facts: ApprovalsFacts,
    of: int,
    title: str,
    part: Part[CardFacts],
    draw: Callable[[CardFacts], Sequence[Block]],
    empty: str,
) -> list[Block]:
    shown = [block for card in part.items for block in draw(card)]
    return [titled(title, part), *(shown or [b.context(empty)]), *pager(part, facts.place, of, SIZES[of], title)]


def _waiting(facts: CardFacts) -> list[Block]:
    request = facts.request
    name = f" `{request.id}`"
    if startable(request) and (facts.debt is None or facts.debt.state != "open"):
        step = " ".join([f"Approved: it waits for a Deploy{_before(facts)}.", *held_up(facts)])
        about = b.section(f"{headline(facts)}{name}\n{step}")
        return [about, b.actions(buttons.deploy(request), buttons.cancel(request))]
    if request.state != "pending" and facts.debt is not None:
        about = b.section(f"{headline(facts)}{name}\n{owed(facts.debt)}")
        pressed = buttons.of_debt(facts)
        return [about, *([b.actions(*pressed)] if pressed else [])]
    whom = f", for {mention(request.beneficiary)}" if request.beneficiary != request.requester else ""
    about = b.section(f"{asker(request)} asks to {action(request)}{whom}.{name}\n{progress(facts)}")
    names = touched(request.payload, NAMES_MOST) if isinstance(request.payload, Change) else []
    said = [*([b.quoted(request.reason, REASON_MOST)] if request.reason else []), *names]
    reason = [b.rich(*said)] if said else []
    if isinstance(request.payload, Enrolling):
        reason += holders.asked(request.payload)
    elif isinstance(request.payload, Minting):
        reason += machines.asked(request.payload)
    elif request.kind == "policy":
        reason += amendment.brief(facts.proposed)
    if facts.rules is None:
        return [about, *reason]
    glass = [buttons.break_glass(facts)] if buttons.breakable(facts) and facts.passes is not False else []
    return [
        about,
        *reason,
        b.actions(*buttons.review(facts), *glass, buttons.more(facts, whole=False)),
    ]


def _before(facts: CardFacts) -> str:
    deadline = facts.request.timers.get("deadline")
    return f" before {date(deadline)}" if deadline is not None else ""


def _grant(facts: CardFacts, user: str) -> list[Block]:
    request = facts.request
    step, pressed = next_step(facts, user)
    ends = f" · ends {date(request.lease.until_ms)}" if request.lease and request.state == "granting" else ""
    about = b.section(f"*{stands(facts)}* · {action(request)}{ends} · `{request.id}`\n{step}")
    return [about, *([b.actions(*pressed)] if pressed else [])]


def _mine(facts: CardFacts, user: str) -> list[Block]:
    step, pressed = next_step(facts, user)
    request = facts.request
    whom = f" for {mention(request.beneficiary)}" if request.beneficiary != user else ""
    if request.state == "running" and user != request.requester:
        whom = f", asked by {asker(request)}"
    about = b.section(f"*{stands(facts)}* · {action(request)}{whom} · `{request.id}`\n{step}")
    return [about, *([b.actions(*pressed)] if pressed else [])]


def _asking(facts: ApprovalsFacts) -> list[Block]:
    title = b.header("Ask for something")
    if not facts.kinds:
        return [title, b.context(NOTHING if facts.sure else NOT_KNOWN)]
    forms = [b.button(label, form, ids.NO_TARGET) for kind, (label, form) in FORMS.items() if kind in facts.kinds]
    return [title, b.actions(*forms), b.context("*Environments*, above, lists everything that you may ask for.")]
