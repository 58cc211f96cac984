"""Next steps: what the person who asked can do now, in a sentence and in buttons."""

from bot.slack.views import blocks as b
from bot.slack.views import buttons
from bot.slack.views.facts import CardFacts
from bot.slack.views.status import count, held_up, unusable
from bot.slack.views.words import date, mention, people, spoken
from store.model.request import CLOCK, MERGED, Enrolling, Minting


def next_step(facts: CardFacts, reader: str) -> tuple[str, list[b.Element]]:
    """mrkdwn without anything typed, and the buttons that do it. Only the beneficiary uses what was approved."""
    request = facts.request
    mine = reader == request.beneficiary
    whose = "You have" if mine else f"{mention(request.beneficiary)} has"
    until = f" until {date(request.lease.until_ms)}" if request.lease else ""
    match request.state:
        case "pending":
            edits = [buttons.edit(request)] if facts.rules is not None else []
            return _waiting(facts), [*edits, buttons.withdraw(request)]
        case "approved" if unusable(facts):
            step = "Withdraw this: the glass that was broken for it was disputed, so it cannot be used. You may ask for something new."
            return step, [buttons.withdraw(request)]
        case "approved" if request.kind in MERGED:
            return f"Merge it{_before(facts)}.", [buttons.merge(request), buttons.withdraw(request)]
        case "approved" if request.kind == "deploy":
            own = reader in (request.requester, request.beneficiary)
            step = (
                f"Deploy it{_before(facts)}{', if you may; else somebody who may is asked on the card' if own else ''}."
            )
            return " ".join([step, *held_up(facts)]), [buttons.deploy(request), buttons.cancel(request)]
        case "running":
            report = (
                f" A report is waited for until {date(deadline)}."
                if (deadline := request.timers.get("deadline"))
                else ""
            )
            return f"Wait: you get a message when the receiver says how it went.{report}", [buttons.cancel(request)]
        case "succeeded":
            return "There is nothing to do: it is deployed.", _back(facts)
        case "cancelled":
            look = "There is nothing to do." if request.run is None else "Look whether the receiver has stopped."
            return f"{look} Ask again if it is to be deployed after all{_or_back(facts)}.", _back(facts)
        case "superseded":
            return "There is nothing to do: a later one is on its way. Ask again if this one is meant after all.", []
        case "approved":
            length = spoken(request.granted_ms or request.duration_ms or 0)
            if mine:
                step = f"Activate it when you are ready{_comma(facts)}. Your {length} begin then, not before."
                return step, [buttons.activate(request), buttons.withdraw(request)]
            step = f"{mention(request.beneficiary)} can activate it{_before(facts)}. The {length} begin then."
            return step, [buttons.withdraw(request)]
        case "stale" if facts.debt is not None:
            return "Withdraw this and ask for something new: the glass was broken for it once.", [
                buttons.withdraw(request)
            ]
        case "stale" if request.kind == "policy":
            step = f"Ask again on what is in force now{_before(facts)}: `countersign policy apply FILE --request {request.id}`. Or withdraw it."
            return step, [buttons.withdraw(request)]
        case "stale":
            step = f"Press *Ask again on what is there now*{_before(facts)}: your values are kept, and everybody decides anew. Or withdraw it."
            return step, [buttons.edit(request), buttons.withdraw(request)]
        case "granting":
            return "Wait a moment: you get a message when the membership is confirmed.", [buttons.done(request)]
        case "active":
            shows = [buttons.show_values(request)] if mine and facts.shows and request.kind == "open" else []
            longer = [buttons.extend(request)] if buttons.extensible(facts) else []
            return f"{whose} it{until}.{_use(facts) if mine else ''}", [*shows, *longer, buttons.done(request)]
        case "revoking":
            return "There is nothing to do: it is being taken back, and you get a message when it is gone.", []
        case "denied":
            return "Talk to the person who denied it, or ask again with what they need to know.", []
        case "withdrawn":
            return "There is nothing to do. Ask again if you need it after all.", []
        case "expired":
            again = "Ask again if you still need it"
            return f"{again}." if request.decision else f"{again}, and tell an approver that you wait.", []
        case "merged":
            return _merged(facts), []
        case "extended":
            return "Nothing: it goes on without an interruption.", []
        case "ended" if facts.debt is not None and facts.debt.state == "disputed":
            return "Talk to whoever disputed it, and to an owner.", []
        case "ended":
            return "There is nothing to do. Ask again if you need more time.", []
        case "failed" if request.kind == "deploy":
            return f"Look at {_failing(facts)}. Then ask again{_or_back(facts)}.", _back(facts)
        case "failed":
            return "Show an owner what the outside system said, then ask again.", []


def _failing(facts: CardFacts) -> str:
    """What to look at, where a deploy has failed."""
    ending, told = facts.request.ending, facts.deliveries
    if told and all(each.state != "delivered" for each in told):
        return "the receiver: it was never told to deploy"
    silent = ending is not None and ending.by == CLOCK
    return "what the receiver does: it may still be at it" if silent else "the log of the receiver"


def _back(facts: CardFacts) -> list[b.Element]:
    return [buttons.deploy_again(facts.request)] if facts.back_to is not None else []


def _or_back(facts: CardFacts) -> str:
    return (
        f", or go back to `{facts.back_to.of.version}`, the last that succeeded there"
        if facts.back_to is not None
        else ""
    )


def _waiting(facts: CardFacts) -> str:
    if facts.rules is None:
        return "Ask an owner: no rule covers this any more, so nobody can decide it."
    asked = f" Asked: {people(facts.asked)}." if facts.asked and not facts.needed else ""
    return f"Wait: you get a message when it is decided. So far: {'; '.join(count(facts))}.{asked}"


def _before(facts: CardFacts) -> str:
    deadline = facts.request.timers.get("deadline")
    return f" before {date(deadline)}" if deadline is not None else ""


def _comma(facts: CardFacts) -> str:
    before = _before(facts)
    return f",{before}" if before else ""


def _use(facts: CardFacts) -> str:
    request = facts.request
    if request.kind != "open":
        return " Press *I'm done* when you have finished: it ends at once."
    way = (
        "*Show values* shows them here, to you only."
        if facts.shows
        else f"`{request.target}` does not show its values in Slack."
    )
    return f" {way} Press *I'm done* when you have finished."


def _merged(facts: CardFacts) -> str:
    if isinstance(facts.request.payload, Enrolling):
        if facts.request.payload.what == "add":
            return "It learns every key within a minute: `countersign keys list` shows it."
        return (
            "It is given no key any more. Rotate the keys now, for what it was given before: `countersign keys rotate`."
        )
    if isinstance(facts.request.payload, Minting):
        return "Its token works from now on, as `countersign token create` has shown it. App Home, *Signed in*, shows its use and revokes it."
    if facts.request.kind == "policy":
        return "Nothing: the new policies are in force."
    if not facts.deliveries:
        return "There is nothing to do: the change is in."
    waiting = [delivery for delivery in facts.deliveries if delivery.state == "waiting"]
    failed = [delivery for delivery in facts.deliveries if delivery.state == "failed"]
    if failed:
        return f"Look at the receiver: {len(failed)} of {len(facts.deliveries)} hooks could not be told of the new version."
    if waiting:
        return "There is nothing to do: the change is in, and its hooks are being told."
    return "There is nothing to do: the change is in, and its hooks were told."
