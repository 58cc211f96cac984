"""Tell: one piece of news, in a message of its own: what happened, who did it, why, and what to do next."""

from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views import buttons, refusals
from bot.slack.views.facts import Block, CardFacts, Message
from bot.slack.views.hooks import hook_line, progress_line, reported
from bot.slack.views.next_steps import next_step
from bot.slack.views.status import action, asker, decided, overtaken, owed, standing, stands
from bot.slack.views.words import date, mention, places, spoken
from store.model.effect import Decided, News
from store.model.policy import MINUTE

__all__ = ["announce", "hook_line", "notice", "passed", "progress_line", "tell"]

_LOCKED: Final = "Whoever broke it cannot break a glass again until an owner unlocks them, under *Health* in App Home."
_WITH_BUTTONS: Final = frozenset(
    {"approved", "active", "warning", "succeeded", "failed"}
)  # the next step is one click away


def tell(facts: CardFacts, news: News, *, link: str | None = None, to: str | None = None) -> Message:
    """The DM to the requester or the beneficiary. `to`: who reads it, else the beneficiary; `link`: where the card is."""
    request = facts.request
    reader = to or request.beneficiary
    happened, step = _happened(facts, news, reader), _next(facts, news, reader)
    _, pressed = next_step(facts, reader)
    fits = news in _WITH_BUTTONS  # and true: they come from what the request is now
    if news in ("broken", "disputed", "overdue"):
        pressed, fits = buttons.of_debt(facts), reader not in _own(facts)
    row = [b.actions(*pressed)] if pressed and fits else []
    next_line = [b.section(f"*What next:* {step}")] if step else []
    blocks = [b.section(happened), *_why(facts, news), *next_line, *row, _where(facts, link)]
    return Message(f"{happened} {step}".strip(), b.fresh(blocks))


def announce(facts: CardFacts, news: News, *, link: str | None = None, to: str | None = None) -> Message:
    """For everybody concerned: approvers, owners, the channel. `to`: who reads it, where it is one person."""
    debt = facts.debt
    happened, step = _happened(facts, news, to), _next_for_all(facts, news, to)
    own = to is not None and to in (*_own(facts), debt.by if debt else None)
    pressed = buttons.of_debt(facts) if news == "broken" and not own and facts.decides is not False else []
    row = [b.actions(*pressed)] if pressed else []
    next_line = [b.section(f"*What next:* {step}")] if step else []
    blocks = [b.section(happened), *_why(facts, news), *next_line, *row, _where(facts, link)]
    return Message(f"{happened} {step}".strip(), b.fresh(blocks))


def notice(facts: CardFacts, news: Decided, *, link: str | None = None) -> Message:
    """For a channel that only listens: who decides does it at the card."""
    told = announce(facts, news, link=link)
    return Message(told.text, [block for block in told.blocks if block["type"] != "actions"])


def passed(facts: CardFacts, link: str | None = None) -> Message:
    """What is left of news that asked for something, once that is over: one line, and where the card is."""
    lease = facts.request.lease if facts.request.state == "active" else None
    until = f", until {date(lease.until_ms)}" if lease is not None else ""
    line = f"*{stands(facts)}* by now{until}: {action(facts.request)}"
    return Message(f"{line}.", b.fresh([b.context(f"{line} · {_place(facts, link)}")]))


def _happened(facts: CardFacts, news: News, reader: str | None) -> str:
    """One or two sentences, with nothing that somebody typed. `reader` None: for everybody."""
    request, debt = facts.request, facts.debt
    yours = reader == request.requester and request.machine is None
    whose = "your request" if yours else f"the request of {asker(request)}"
    you = reader == request.beneficiary
    other = request.beneficiary != request.requester
    whom = f" for {'you' if you else mention(request.beneficiary)}" if other else ""
    what = f"{whose}{whom} to {action(request)}"
    them = mention(request.beneficiary)
    who, access = ("you", "your access") if you else (them, f"the access of {them}")
    how = decided(request) or ""
    match news:
        case "requested":
            return f"You are asked to decide {what}."
        case "reminder" | "escalated":
            word = "Still waiting" if news == "reminder" else "Escalated"
            return f"*{word}:* {what}. Asked {date(request.since_ms)}, and not decided yet."
        case "approved":
            return _so("Approved", what, how)
        case "extended":
            return f"*Extended:* {what}. {how} {standing(facts) or ''}".strip()
        case "denied":
            return _so("Denied", what, how)
        case "withdrawn":
            return _so("Withdrawn", what, standing(facts) or "")
        case "expired":
            return f"*Expired:* {what}. {standing(facts) or ''}".strip()
        case "stale":
            return f"*Out of date:* {what}. {overtaken(request)}, so it was not merged."
        case "merged":
            return f"*Merged as version {request.merged or 'new'}:* {what}. {how}".strip()
        case "active":
            return f"*Active:* {who} may {action(request)}.{_until(facts) if _brief(facts) else ''}"
        case "running":
            return _so("Deploying", what, standing(facts) or "")
        case "succeeded":
            return _so("Deployed", what, standing(facts) or "")
        case "cancelled" | "superseded":
            return _so(news.capitalize(), what, standing(facts) or "")
        case "warning":
            return f"*Ends soon:* {access} to `{request.target}`.{_until(facts)}"
        case "ended":
            return _so("Ended", f"{access} to `{request.target}`", standing(facts) or "")
        case "failed":
            return f"*Failed:* {what}. {standing(facts) or ''}".strip()
        case "broken":
            by = "somebody" if debt is None else "you" if reader == debt.by else mention(debt.by)
            if debt is not None and debt.by == request.requester:
                what = f"{'your' if reader == debt.by else 'their'} own request to {action(request)}"
            return f"*The glass was broken:* {by} let {what} pass without the approvals."
        case "overdue":
            by = "somebody" if debt is None else "you" if reader == debt.by else mention(debt.by)
            since = f" before {date(debt.due_ms)}" if debt is not None else ""
            return f"*Nobody countersigned:* {by} broke the glass for {what}, and nobody looked at it{since}. An owner must look at what was done."
        case "countersigned" | "disputed":
            word = {"countersigned": "Countersigned", "disputed": "Disputed"}[news]
            return _so(word, what, owed(debt) if debt else "")
        case "locked" | "unlocked":
            return _locking(facts, news, reader)
        case "edited":
            return f"*Edited:* {what}. Your vote was for what was asked before, so it was dropped."
        case "no_rule":
            return f"*Nobody can decide:* {what}. No rule covers it any more."
        case "undelivered":
            return f"*Not everybody was told:* news of {what} did not arrive where the policies send it."
        case "channel_closed" | "refused":
            return refusals.happened(facts, news, f"the request of {mention(request.requester)} to {action(request)}")
        case "trouble":
            return f"*Trouble outside:* {what}. The outside system has not done what Countersign told it to do."


def _locking(facts: CardFacts, news: News, reader: str | None) -> str:
    whose = "your break-glass" if reader is None or facts.lock is None or reader == facts.lock.user else "a break-glass"
    name = f"request `{facts.request.id}`"
    opened = facts.lock.opened if facts.lock is not None else None
    if news == "unlocked":
        by = f"{mention(opened.by)} unlocked" if opened is not None else "An owner unlocked"
        return f"*Unlocked:* {by} {whose}."
    why = (
        "was not countersigned in time" if facts.debt is not None and facts.debt.state == "overdue" else "was disputed"
    )
    return f"*Locked:* {whose} is locked, because what you did for {name} {why}."


def _so(word: str, what: str, sentence: str) -> str:
    """`*Approved:* your request, by @ben …`: a sentence that begins with the word does not say it again."""
    if sentence.startswith(f"{word} "):
        return f"*{word}:* {what}, {sentence.removeprefix(f'{word} ')}"
    return f"*{word}:* {what}. {sentence}".strip()


def _next(facts: CardFacts, news: News, reader: str) -> str:
    request = facts.request
    match news:
        case "requested":
            return f"Approve or deny it{_before(facts)}."
        case "reminder" | "escalated":
            return _to_decide(facts)
        case (
            "approved"
            | "denied"
            | "expired"
            | "stale"
            | "merged"
            | "active"
            | "ended"
            | "failed"
            | "extended"
            | "withdrawn"
            | "running"
            | "succeeded"
            | "cancelled"
            | "superseded"
        ):
            # The card may have moved on since this was news: then its next step is the true one.
            return next_step(facts, reader)[0]
        case "edited":
            if request.state != "pending":
                return "There is nothing to do: it went on without your vote."
            deadline = request.timers.get("deadline")
            return f"Look at what is asked now, and decide again{f' before {date(deadline)}' if deadline is not None else ''}."
        case "warning":
            if request.ended or request.state == "revoking":
                return "There is nothing to do: it has ended already."
            if facts.waits is not None:
                return f"Finish what you are doing. More time is asked for already, as request `{facts.waits}`: it must be approved before this ends."
            if buttons.extensible(facts):
                return "Finish what you are doing, or extend it: who decides must agree before it ends."
            return "Finish what you are doing, or ask again when it has ended."
        case (
            "broken"
            | "countersigned"
            | "disputed"
            | "overdue"
            | "no_rule"
            | "trouble"
            | "locked"
            | "unlocked"
            | "undelivered"
            | "channel_closed"
            | "refused"
        ):
            return _next_for_all(facts, news, reader)


def _own(facts: CardFacts) -> tuple[str, str]:
    """Those whom it was approved for: they do not countersign it."""
    return facts.request.requester, facts.request.beneficiary


def _before(facts: CardFacts) -> str:
    deadline = facts.request.timers.get("deadline")
    return f" before {date(deadline)}" if deadline is not None else ""


def _to_decide(facts: CardFacts) -> str:
    """What somebody who was called can do: decide it, or find those who may."""
    if facts.rules is None:
        return "No rule covers it any more, so nobody can decide it. An owner must add one, or it expires."
    missing = f"Still needed: {places(facts.needed)}." if facts.needed else ""
    if facts.decides:
        return f"Approve or deny it{_before(facts)}. {missing}".strip()
    return f"Find somebody who may decide it{_before(facts)}, or it expires. {missing}".strip()


def _next_for_all(facts: CardFacts, news: News, reader: str | None) -> str:
    debt = facts.debt
    match news:
        case "broken" if debt is not None and debt.state == "open" and reader == debt.by:
            return f"Somebody else who may approve must countersign or dispute it before {date(debt.due_ms)}. Be ready to tell them what you did."
        case "broken" if debt is not None and debt.state == "open" and reader in _own(facts):
            return f"Somebody who may approve, other than {mention(debt.by)}, looks at what was done, and countersigns or disputes it before {date(debt.due_ms)}."
        case "broken" if debt is not None and debt.state == "open":
            return f"Look at what was done. Somebody who may approve, other than {mention(debt.by)}, countersigns or disputes it before {date(debt.due_ms)}."
        case "disputed":
            over = "The access was taken back." if facts.request.state in ("revoking", "ended") else ""
            return f"{over} Talk to each other, and to an owner. {_LOCKED}".strip()
        case "overdue":
            return f"Talk to the approvers, and to the person who broke the glass. {_LOCKED}"
        case "locked":
            return "Talk to an owner: only an owner can unlock it, and nobody their own."
        case "unlocked":
            return "There is nothing to do. Where a rule names you, you may break the glass again."
        case "no_rule":
            return "An owner must add a rule to the policies, or the request expires."
        case "channel_closed" | "refused":
            return refusals.what_next(facts, news)
        case "trouble":
            them = "You" if reader == facts.request.beneficiary else mention(facts.request.beneficiary)
            still = f" {them} may still be a member there." if facts.request.state == "revoking" else ""
            return f"An owner must look at the outside system.{still} This is tried again until it works."
        case "undelivered":
            return "Look whether the address is right, and tell them yourself. It is not tried again."
        case "requested":
            return "Approve or deny it."
        case "failed":
            return next_step(facts, reader or "")[0]
        case _:
            return ""


def _why(facts: CardFacts, news: News) -> list[Block]:
    """What somebody gave as a reason for this news, or what the outside said."""
    request, debt, ending = facts.request, facts.debt, facts.request.ending
    reason = request.decision.reason if request.decision else None
    match news:
        case "requested" | "reminder" | "escalated" if request.reason:
            return [b.said("Their reason", request.reason)]
        case "denied" if reason:
            return [b.said("Why", reason)]
        case "broken":
            asked = [b.said("What it was asked for", request.reason)] if request.reason else []
            return [*([b.said("Why the glass was broken", reason)] if reason else []), *asked]
        case "undelivered" if facts.undelivered:
            return [b.said("What did not arrive, and why", facts.undelivered)]
        case "unlocked" if facts.lock is not None and facts.lock.opened is not None:
            return [b.said("Why it was unlocked", facts.lock.opened.reason)]
        case "locked" if debt is not None and debt.reason:
            return [b.said("Why it was disputed", debt.reason)]
        case "disputed" if debt is not None and debt.reason:
            return [b.said("Why it was disputed", debt.reason)]
        case "withdrawn" if ending is not None and ending.reason:
            return [b.said("Why", ending.reason)]
        case "cancelled" | "superseded" if ending is not None and ending.reason:
            return [b.said("Why", ending.reason)]
        case "succeeded" | "failed" if request.run is not None:
            return reported(request.run)
        case "ended" if ending is not None and ending.reason and ending.reason != request.note:
            return [b.said("Why", ending.reason), *_noted(facts)]
        case "ended" | "failed" | "trouble" | "stale":
            return _noted(facts)
        case _:
            return []


def _noted(facts: CardFacts) -> list[Block]:
    request = facts.request
    if not request.note:
        return []
    label = {"stale": "What changed", "ended": "Note"}.get(request.state, "What the outside system said")
    return [b.said(label, request.note)]


def _until(facts: CardFacts) -> str:
    lease = facts.request.lease
    if lease is None:
        return ""
    short = f", {spoken(lease.until_ms - lease.starts_ms)} after it began" if _brief(facts) else ""
    return f" It ends {date(lease.until_ms)}{short}."


def _brief(facts: CardFacts) -> bool:
    """A minute is the finest that a date shows."""
    lease = facts.request.lease
    return lease is not None and lease.until_ms - lease.starts_ms < 10 * MINUTE


def _where(facts: CardFacts, link: str | None) -> Block:
    return b.context(_place(facts, link))


def _place(facts: CardFacts, link: str | None) -> str:
    name = f"Request `{facts.request.id}`"
    sound = link is not None and link.startswith(("https://", "http://")) and not set(link) & set("<>| \n")
    return f"{name} · <{link}|Open the card>" if sound else name
