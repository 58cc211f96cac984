"""Extending: more time for what somebody holds, asked for and decided like anything else, and given only while they hold it."""

from dataclasses import replace
from typing import Final

from store.model.effect import ShowCard
from store.model.errors import Conflict, Invalid, NotFound
from store.model.grant import Lease
from store.model.lifecycle.notifying import notices
from store.model.lifecycle.world import Transition, World, audit, changed, moved_to, spoken, tell
from store.model.policy import Policy
from store.model.request import Decision, Ending, Extending, Extension, Payload, Request, Timer
from store.model.standing import Rules

LAPSED: Final = "what it would extend has ended"  # why an extension expired that nobody let lie too long


def room_ms(parent: Request, most_ms: int) -> int:
    """How much longer it may be held: the whole counts, from the first use."""
    return 0 if parent.lease is None else max(0, most_ms - (parent.lease.until_ms - parent.lease.starts_ms))


def held_until(parent: Request | None, now_ms: int) -> Lease:
    """The lease of what would be extended. Raises `Conflict` once it is not held any more, or not yet."""
    if parent is None or parent.state != "active" or parent.lease is None or not parent.lease.covers(now_ms):
        raise Conflict("Only what is active can be extended, and this is not. Ask for it anew.", code="not_active")
    return parent.lease


def admit(
    requester: str,
    beneficiary: str,
    kind: str,
    target: str,
    longer: Extending,
    rule: Policy,
    parent: Request | None,
    now_ms: int,
) -> None:
    """Raises where this may not be asked for."""
    if parent is None or requester not in (parent.requester, parent.beneficiary):
        raise NotFound(f"There is no request {longer.parent} here, or it is not yours to extend.")
    if (kind, target, beneficiary) != (parent.kind, parent.target, parent.beneficiary):
        raise Invalid("An extension is of the same access, for the same person.", code="other_grant")
    if held_until(parent, now_ms).until_ms != longer.until_ms:
        raise Conflict("Its end was moved meanwhile. Look at the card as it is now.", code="moved")
    if longer.duration_ms > (room := room_ms(parent, rule.access.max_ms)):
        most = f"{target} can be had for {spoken(rule.access.max_ms)} at most, from the first use"
        left = f"{spoken(room)} more are possible" if room else "nothing can be added"
        raise Invalid(f"{most}: {left}.", code="too_long")


def decide_by(payload: Payload, rule: Policy, now_ms: int) -> int:
    """Until when it waits for a decision: an extension no longer than there is something to extend."""
    due_ms = now_ms + rule.request_ttl_ms
    return min(due_ms, payload.until_ms) if isinstance(payload, Extending) else due_ms


def more_for(world: World, user: str, rule_ms: int) -> tuple[Lease, int]:
    """The lease of this grant, and how much longer than that `user` may ask it to be. Raises where they may not ask at all."""
    parent = world.request
    if user not in (parent.requester, parent.beneficiary):
        raise NotFound(f"There is no request {parent.id} here, or it is not yours to extend.")
    lease = held_until(parent, world.now_ms)
    _alone(world)
    if (room := room_ms(parent, rule_ms)) <= 0:
        raise Conflict(
            f"{parent.target} can be had for {spoken(rule_ms)} at most, from the first use: nothing can be added.",
            code="too_long",
        )
    return lease, room


def waits(grant: World, asked: Request) -> Request:
    """The grant, with the extension that is asked for now. One at a time."""
    _alone(grant)
    return changed(grant.request, extension=asked.id)


def _alone(grant: World) -> None:
    if grant.kin is not None and grant.kin.state == "pending":
        raise Conflict(
            f"More time was asked for already, as request {grant.kin.id}. Withdraw that, or edit it.", code="waits"
        )


def extend(
    world: World,
    request: Request,
    longer: Extending,
    rules: Rules,
    decision: Decision,
    actor: str,
    caps: list[int],
) -> Transition:
    """The end of the grant moves, and the approval is used by that. What is held is not touched: nobody loses it in between."""
    parent, now_ms = world.kin, world.now_ms
    lease = held_until(parent, now_ms)
    if parent is None or lease.until_ms != longer.until_ms:
        raise Conflict("Its end was moved since this was asked. Ask again.", code="moved")
    granted = min([longer.duration_ms, room_ms(parent, rules.max_access_ms), *caps])
    if granted <= 0:
        raise Conflict(
            f"{spoken(rules.max_access_ms)} is the most by the rules of now: nothing can be added.", code="too_long"
        )
    until_ms = lease.until_ms + granted
    later = Lease(starts_ms=lease.starts_ms, until_ms=until_ms)
    timers: dict[Timer, int] = {"deadline": until_ms}
    if now_ms < later.warning_ms:
        timers["warning"] = later.warning_ms
    used = Extension(by=request.id, longer_ms=granted, at_ms=now_ms)
    kept = changed(parent, lease=later, timers=timers, extended=(*parent.extended, used), extension=None)
    done = moved_to(request, "extended", now_ms, decision=decision, granted_ms=granted)
    return Transition(
        done,
        f"Approved. It ends {spoken(granted)} later now.",
        audit=(
            audit(done, "request.approved", actor, now_ms, basis=decision.basis, by=" ".join(decision.by)),
            audit(kept, "grant.extended", actor, now_ms, by=request.id, longer_ms=granted, until_ms=until_ms),
        ),
        effects=(
            ShowCard(request=done.id),
            ShowCard(request=kept.id),
            *tell(done, "extended", now_ms),
            *notices(done, rules, "approved", now_ms, decision.by),
        ),
        siblings=(kept,),
    )


def beside(world: World, result: Transition) -> Transition:
    """The card of what would be extended says whether more time is asked for: once that is over, it is drawn again."""
    longer, decided = world.request.payload, result.request.state != "pending"
    if not isinstance(longer, Extending) or world.request.state != "pending" or not decided:
        return result
    card = ShowCard(request=longer.parent)
    return result if card in result.effects else replace(result, effects=(*result.effects, card))


def lapse(world: World, result: Transition, actor: str) -> Transition:
    """What ends takes with it the extension that nobody has decided yet."""
    asked, now_ms = world.kin, world.now_ms
    over = world.request.state == "active" and result.request.state != "active"
    if not over or asked is None or asked.state != "pending":
        return result
    lapsed = moved_to(asked, "expired", now_ms, ending=Ending(by=actor, at_ms=now_ms, reason=LAPSED))
    other = Transition(
        result.request,
        result.answer,
        audit=(audit(lapsed, "request.expired", actor, now_ms, was="pending", ended=world.request.id),),
        effects=(ShowCard(request=lapsed.id), *tell(lapsed, "expired", now_ms)),
        siblings=(*result.siblings, lapsed),
    )
    return result.then(other)
