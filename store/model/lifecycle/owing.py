"""Owing: what a broken glass leaves to be looked at."""

from dataclasses import replace

from store.model.command import Countersign, Dispute, Overdue
from store.model.debt import Debt
from store.model.effect import Announce, Decided, ShowCard
from store.model.errors import Conflict, Forbidden, Invalid
from store.model.lifecycle.locking import lock
from store.model.lifecycle.notifying import notices
from store.model.lifecycle.using import take_back
from store.model.lifecycle.world import Transition, World, audit, demand, rules_of
from store.model.people import People
from store.model.request import REASON_MOST
from store.model.standing import may_review


def settle(world: World, debt: Debt, command: Countersign | Dispute | Overdue, people: People) -> Transition:
    request, now_ms = world.request, world.now_ms
    if isinstance(command, Overdue):
        if now_ms < debt.due_ms or command.at_ms != debt.due_ms:
            raise Conflict("This timer was moved.", code="nothing_new")
        overdue = debt.model_copy(update={"state": "overdue", "closed_ms": now_ms})
        settled = _settled(world, overdue, "overdue", command.actor)
        return settled.then(replace(lock(world, overdue, command.actor), answer=settled.answer))
    if isinstance(command, Countersign) and now_ms >= debt.due_ms:
        raise Conflict("The time to countersign is over.", code="out_of_time")
    if command.actor == debt.by:
        raise Forbidden("Somebody else must look at a glass that you broke.", code="own_debt")
    demand(may_review(request, rules_of(world), command.actor, people))
    if isinstance(command, Dispute) and not command.reason.strip():
        raise Invalid("Say what is wrong: everybody concerned reads it.", code="reason_required")
    word: Decided = "countersigned" if isinstance(command, Countersign) else "disputed"
    reason = command.reason[:REASON_MOST] if isinstance(command, Dispute) else None
    closed = debt.model_copy(update={"state": word, "closed_by": command.actor, "closed_ms": now_ms, "reason": reason})
    settled = _settled(world, closed, word, command.actor)
    if word == "disputed":
        settled = settled.then(replace(lock(world, closed, command.actor), answer=settled.answer))
    if word == "disputed" and request.state in ("granting", "active"):
        over = take_back(world, request, command.actor, reason)
        taken = "The access was taken back." if over.request.ended else "The access is being taken back."
        settled = settled.then(replace(over, answer=f"{settled.answer} {taken}"))
    good_until = min(people.good_until_ms, debt.due_ms) if word == "countersigned" else people.good_until_ms
    return replace(settled, good_until_ms=good_until)


def _settled(world: World, debt: Debt, news: Decided, actor: str) -> Transition:
    request, now_ms = world.request, world.now_ms
    by = (debt.closed_by,) if debt.closed_by is not None else ()
    return Transition(
        request,
        {"countersigned": "Countersigned.", "disputed": "Disputed. Everybody concerned is told."}.get(news, "Overdue."),
        audit=(audit(request, f"debt.{news}", actor, now_ms, by=debt.by, reason=debt.reason),),
        effects=(
            ShowCard(request=request.id),
            Announce(request=request.id, news=news, at_ms=now_ms),
            *notices(request, world.rules, news, now_ms, by),
        ),
        debt=debt,
    )
