"""Locking: who has broken a glass wrongly breaks none until an owner has looked at it."""

from dataclasses import dataclass

from store.model.audit import Audit
from store.model.command import Break, Command, Dispute, Overdue, Unlock
from store.model.debt import Debt
from store.model.effect import Effect, ShowCard, Tell
from store.model.errors import Conflict, Forbidden, Invalid
from store.model.lifecycle.world import Transition, World, audit, demand
from store.model.lock import Cause, Lock, Opening
from store.model.people import People
from store.model.policy import PolicySet
from store.model.request import REASON_MOST
from store.model.standing import UNKNOWN, Standing, may_act

NAMED_MOST = 5  # owners in a sentence


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What to commit. `good_until_ms`: later than this, who is an owner may have changed."""

    lock: Lock
    answer: str
    audit: tuple[Audit, ...]
    effects: tuple[Effect, ...]
    good_until_ms: int


def whose_lock(debt: Debt | None, command: Command) -> str | None:
    """The user whose lock this command must look at; most look at none."""
    match command:
        case Break():
            return command.actor
        case Dispute() | Overdue() if debt is not None:
            return debt.by
        case _:
            return None


def not_locked(world: World) -> None:
    """Raises `Forbidden` for somebody whose break-glass is locked."""
    if world.lock is not None and world.lock.holds:
        raise Forbidden(why_locked(world.lock, world.policy_now), code="locked")


def why_locked(lock: Lock, policies: PolicySet) -> str:
    cause = lock.newest
    what = {"disputed": "was disputed", "overdue": "was countersigned by nobody in time"}[cause.why]
    owners = sorted(policies.names.get(owner, owner) for owner in policies.owners.principals)
    named = ", ".join(owners[:NAMED_MOST]) + (" and others" if len(owners) > NAMED_MOST else "")
    return (
        f"Your break-glass is locked, because the glass you broke for request {cause.request} {what}. "
        f"An owner must look at it and unlock it, and nobody unlocks their own: {named}."
    )


def lock(world: World, debt: Debt, actor: str) -> Transition:
    """What follows for the one who broke the glass from a debt that was disputed or is overdue."""
    request, now_ms = world.request, world.now_ms
    cause = Cause(request=request.id, why="disputed" if debt.state == "disputed" else "overdue", at_ms=now_ms)
    before = world.lock.causes if world.lock is not None and world.lock.holds else ()
    return Transition(
        request,
        "",
        audit=(audit(request, "glass.locked", actor, now_ms, user=debt.by, why=cause.why),),
        effects=(Tell(request=request.id, news="locked", to=debt.by, at_ms=now_ms),),
        lock=Lock(user=debt.by, causes=(*before, cause)),
    )


def unlock(lock: Lock | None, command: Unlock, policies: PolicySet, people: People, now_ms: int) -> Unlocked:
    """Raises `Forbidden` for who is no owner, and for the locked person; `Conflict` where there is nothing to unlock."""
    demand(_may_unlock(command.actor, policies, people))
    if command.actor == command.user:
        raise Forbidden("Nobody unlocks their own break-glass. Another owner must.", code="own_lock")
    if not command.reason.strip():
        raise Invalid("Say why this person may break the glass again.", code="reason_required")
    if lock is None or not lock.holds:
        raise Conflict("Their break-glass is not locked.", code="not_locked")
    cause = lock.newest
    if command.seen_ms is not None and command.seen_ms != cause.at_ms:
        raise Conflict("It was locked for something else since. Look at it before you unlock it.", code="other_content")
    reason = command.reason.strip()[:REASON_MOST]
    return Unlocked(
        lock.model_copy(update={"opened": Opening(by=command.actor, at_ms=now_ms, reason=reason)}),
        "Unlocked. They are told.",
        audit=(
            Audit(
                event="glass.unlocked",
                actor=command.actor,
                at_ms=now_ms,
                request=cause.request,
                details={"user": lock.user, "reason": reason},
            ),
        ),
        effects=(
            ShowCard(request=cause.request),
            Tell(request=cause.request, news="unlocked", to=lock.user, at_ms=now_ms),
        ),
        good_until_ms=people.good_until_ms,
    )


def _may_unlock(user: str, policies: PolicySet, people: People) -> Standing:
    if (standing := may_act(user, people)).may is not True:
        return standing
    owns = policies.owners.has(user, people)
    return UNKNOWN if owns is None else Standing(may=owns, why="Only an owner can unlock somebody's break-glass.")
