"""Home: the tab where everything that concerns one person stands."""

from collections.abc import Callable, Sequence
from typing import Final

from bot.slack import ids
from bot.slack.views import blocks as b
from bot.slack.views import buttons, locked
from bot.slack.views.change import touched
from bot.slack.views.facts import Block, CardFacts, HomeFacts, Offer, View
from bot.slack.views.next_steps import next_step
from bot.slack.views.status import action, headline, owed, progress, stands
from bot.slack.views.words import cleaned, date, mention, plural
from store.model.request import Change, Kind

__all__ = ["HomeFacts", "Offer", "home"]

# Together, with their headings, never more than a view's hundred blocks.
WAITING_MOST: Final = 10  # three blocks each
GRANTS_MOST: Final = 8  # two
MINE_MOST: Final = 10  # two
OFFERS_MOST: Final = 15  # one
HEALTH_MOST: Final = 20
LOCKS_MOST: Final = 3  # one
REASON_MOST: Final = 200  # characters
NAMES_MOST: Final = 5

VERBS: Final[dict[Kind, str]] = {"open": "Open", "access": "Join", "change": "Change"}
ASKS: Final[dict[Kind, str]] = {"open": ids.HOME_ASK_OPEN, "access": ids.HOME_ASK_ACCESS, "change": ids.HOME_ASK_CHANGE}


def home(facts: HomeFacts) -> View:
    waiting = _part(
        "Waiting for you",
        facts.waiting,
        WAITING_MOST,
        _waiting,
        "Nothing waits for your decision.",
        facts.more.get("waiting", 0),
        "pending",
    )
    grants = _part(
        "What you have now", facts.grants, GRANTS_MOST, lambda one: _grant(one, facts.user), "You have no access right now. What you activate stands here, with the time it ends.",
        facts.more.get("grants", 0), "mine",
    )  # fmt: skip
    mine = _part(
        "Your requests", facts.mine, MINE_MOST, lambda one: _mine(one, facts.user), "You have no open requests. Ask below, or type `/countersign help`.",
        facts.more.get("mine", 0), "mine",
    )  # fmt: skip
    parts = [waiting, grants, mine, _offers(facts), _health(facts)]
    blocks = [block for part in parts if part for block in (b.divider(), *part)][1:]
    return {"type": "home", "blocks": b.fresh(blocks)}


def _part(
    title: str,
    cards: Sequence[CardFacts],
    most: int,
    draw: Callable[[CardFacts], list[Block]],
    empty: str,
    more: int,
    command: str,
) -> list[Block]:
    shown = [block for card in cards[:most] for block in draw(card)]
    left = max(len(cards) - most, 0) + more
    rest = [b.context(f"and {left:,} more: `/countersign {command}` lists them.")] if left else []
    count = f" ({len(cards) + more:,})" if cards else ""
    return [b.header(f"{title}{count}"), *(shown or [b.context(empty)]), *rest]


def _waiting(facts: CardFacts) -> list[Block]:
    request = facts.request
    name = f" `{request.id}`"
    if request.state != "pending" and facts.debt is not None:
        about = b.section(f"{headline(facts)}{name}\n{owed(facts.debt)}")
        pressed = buttons.of_debt(facts)
        return [about, *([b.actions(*pressed)] if pressed else [])]
    whom = f", for {mention(request.beneficiary)}" if request.beneficiary != request.requester else ""
    about = b.section(f"{mention(request.requester)} asks to {action(request)}{whom}.{name}\n{progress(facts)}")
    names = touched(request.payload, NAMES_MOST) if isinstance(request.payload, Change) else []
    said = [*([b.quoted(request.reason, REASON_MOST)] if request.reason else []), *names]
    reason = [b.rich(*said)] if said else []
    if facts.rules is None:
        return [about, *reason]
    glass = [buttons.break_glass(facts)] if buttons.breakable(facts) else []
    return [
        about,
        *reason,
        b.actions(buttons.approve(request), buttons.deny(request), *glass, buttons.more(facts, whole=False)),
    ]


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
    about = b.section(f"*{stands(facts)}* · {action(request)}{whom} · `{request.id}`\n{step}")
    return [about, *([b.actions(*pressed)] if pressed else [])]


def _offers(facts: HomeFacts) -> list[Block]:
    """Everything there is to ask for: as buttons beside what it is, and as a form where the list is cut."""
    title = b.header("Ask for something")
    if not facts.offers:
        return [title, b.context("No rule names you among those who may ask. An owner can add you to one.")]
    kinds = [kind for kind in VERBS if any(offer.kind == kind for offer in facts.offers)]
    labels = {"open": "Open an environment", "access": "Request access", "change": "Change secrets"}
    forms = b.actions(*(b.button(labels[kind], ASKS[kind], ids.NO_TARGET) for kind in kinds))
    shown = [_offer(offer) for offer in facts.offers[:OFFERS_MOST]]
    left = len(facts.offers) - len(shown)
    rest = [b.context(f"and {plural(left, 'more thing')} to ask for: the buttons above find them.")] if left else []
    return [title, forms, *shown, *rest]


def _offer(offer: Offer) -> Block:
    does = {"open": "read its secrets", "access": "be a member for a time", "change": "set or remove its secrets"}[
        offer.kind
    ]
    label = f"{VERBS[offer.kind]} {offer.target}"
    return b.section(f"`{offer.target}` · {does}", b.button(label, ASKS[offer.kind], offer.target))


def _health(facts: HomeFacts) -> list[Block]:
    """For owners. The lines may quote outside systems, so they are plain."""
    lines = facts.health
    if lines is None:
        return []
    locks = [locked.row(lock, facts.user) for lock in facts.locks[:LOCKS_MOST]]
    if more := max(len(facts.locks) - LOCKS_MOST, 0) + facts.more.get("locks", 0):
        locks.append(b.context(f"and {more:,} more whose break-glass is locked: `/countersign unlock` lists them."))
    items = [[b.text(cleaned(line, 300))] for line in lines[:HEALTH_MOST]]
    left = len(lines) - len(items)
    rest = [b.line(b.text(f"and {left} more"))] if left else []
    state = b.rich(b.bullets(items), *rest) if items else b.context("Nothing to report.")
    return [b.header("Health, for owners"), *([] if locks and not items else [state]), *locks]
