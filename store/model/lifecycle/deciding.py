"""Deciding: verdicts, what they come to, and the glass that is broken instead."""

from dataclasses import replace

from store.model.command import Approve, Break, Deny
from store.model.debt import Debt
from store.model.effect import Announce, Count, ShowCard
from store.model.errors import Conflict, Forbidden, Invalid, Unavailable
from store.model.lifecycle.deploying import launch
from store.model.lifecycle.extending import extend
from store.model.lifecycle.locking import not_locked
from store.model.lifecycle.merging import merge
from store.model.lifecycle.notifying import mails, notices
from store.model.lifecycle.using import start
from store.model.lifecycle.world import (
    Transition,
    World,
    audit,
    changed,
    demand,
    moved_to,
    rules_of,
    same_content,
    tell,
)
from store.model.people import People
from store.model.request import HELD, MERGED, REASON_MOST, Decision, Extending, Request, Review
from store.model.standing import Rules, counted_approvers, first_use_ms, may_bypass, may_deploy, may_review, tally


def review(world: World, command: Approve | Deny, people: People) -> Transition:
    request = world.request
    same_content(request, command.revision, command.digest)
    rules = rules_of(world)
    standing = may_review(request, rules, command.actor, people)
    if standing.may is False:
        raise Forbidden(standing.why, code="not_an_approver")
    if isinstance(command, Approve) and command.cap_ms is not None and command.cap_ms <= 0:
        raise Invalid("Approve for longer than nothing, or deny.", code="bad_cap")
    if isinstance(command, Deny) and not command.reason.strip():
        raise Invalid("Say why you deny it: the person who asked reads it.", code="reason_required")
    approve = isinstance(command, Approve)
    review = Review(
        by=command.actor,
        verdict="approve" if approve else "deny",
        at_ms=world.now_ms,
        reason=None if isinstance(command, Approve) else command.reason[:REASON_MOST],
        cap_ms=command.cap_ms if isinstance(command, Approve) else None,
    )
    kept = tuple(other for other in request.reviews if other.by != command.actor)
    cast = changed(request, reviews=(*kept, review))
    event = "review.approved" if approve else "review.denied"
    first = Transition(
        cast,
        "Your vote is cast. It counts as soon as Slack confirms who you are."
        if standing.may is None
        else "Your vote counts.",
        audit=(
            audit(cast, event, command.actor, world.now_ms, reason=review.reason, counted=int(standing.may is True)),
        ),
        effects=(ShowCard(request=request.id),),
    )
    decided = first.then(count(world, cast, people, command.actor, otherwise=first.answer))
    deploys = isinstance(command, Approve) and command.deploys
    return _started(world, decided, rules, command.actor, people) if deploys else decided


def _started(world: World, decided: Transition, rules: Rules, actor: str, people: People) -> Transition:
    """Approve and deploy: where it was this vote that decided. What it must wait for, it waits for as approved."""
    request = decided.request
    if request.kind != "deploy" or request.state != "approved":
        return decided
    if may_deploy(request, rules, actor, people).may is not True:
        return replace(decided, answer="Approved. Somebody who may deploy starts it.")
    try:
        return decided.then(launch(world, request, rules, actor))
    except Conflict as error:
        return replace(decided, answer=f"Approved, and not started yet. {error.sentence}")


def count(world: World, request: Request, people: People, actor: str, *, otherwise: str = "Counted.") -> Transition:
    """Decides if the reviews suffice. A decision is only as good as the facts it was made on."""
    rules = rules_of(world)
    verdict = tally(request, rules, people)
    if verdict == "unknown" and request is world.request:
        # Nothing new was cast: what put this here tries again later, and slower.
        raise Unavailable("Slack has not told us yet who voted.", code="people_unknown")
    if verdict == "unknown":
        return Transition(request, otherwise, effects=(Count(request=request.id),))
    if verdict == "pending":
        return Transition(request, otherwise, effects=(ShowCard(request=request.id),))
    if verdict == "denied":
        decided = deny(world, request, rules, people, actor)
    else:
        by = counted_approvers(request, rules, people)
        caps = [vote.cap_ms for vote in request.votes("approve") if vote.cap_ms is not None and vote.by in by]
        decision = Decision(basis="quorum", by=tuple(sorted(by)), at_ms=world.now_ms)
        decided = approve(world, request, rules, decision, actor, caps)
    return replace(decided, good_until_ms=min(people.good_until_ms, request.timers["deadline"]))


def approve(
    world: World, request: Request, rules: Rules, decision: Decision, actor: str, caps: list[int]
) -> Transition:
    """Approved, and whatever the policy lets follow by itself."""
    now_ms = world.now_ms
    if isinstance(request.payload, Extending):
        return extend(world, request, request.payload, rules, decision, actor, caps)
    granted = min([request.duration_ms, rules.max_access_ms, *caps]) if request.duration_ms is not None else None
    lasts = request.kind in MERGED
    waits = {"change": rules.merge_within_ms, "policy": rules.merge_within_ms, "deploy": rules.deploy_within_ms}
    wait_ms = waits.get(request.kind, first_use_ms(request, rules))
    approved = moved_to(request, "approved", now_ms, deadline=now_ms + wait_ms, decision=decision, granted_ms=granted)
    goes_on = rules.merges_at_once if lasts else request.kind in HELD and rules.activates_at_once
    news = () if goes_on else tell(approved, "approved", now_ms)
    quorum = decision.basis == "quorum"  # of a broken glass its own notices tell
    routes = notices(approved, rules, "approved", now_ms, decision.by) if quorum else ()
    result = Transition(
        approved,
        "Approved.",
        audit=(audit(approved, "request.approved", actor, now_ms, basis=decision.basis, by=" ".join(decision.by)),),
        effects=(ShowCard(request=request.id), *news, *_called(approved, rules, now_ms), *routes),
    )
    if not goes_on:
        return result
    return result.then(merge(world, approved, actor) if lasts else start(world, approved, actor))


def _called(approved: Request, rules: Rules, now_ms: int) -> tuple[Announce, ...]:
    """Those whom the rule names to deploy: a deploy waits for them."""
    deployers = rules.now.deployers
    if approved.kind != "deploy" or deployers is None:
        return ()
    return (Announce(request=approved.id, news="approved", at_ms=now_ms, to=deployers),)


def deny(world: World, request: Request, rules: Rules, people: People, actor: str) -> Transition:
    by = tuple(review.by for review in request.votes("deny") if may_review(request, rules, review.by, people).may)
    reason = next((review.reason for review in reversed(request.votes("deny")) if review.reason), None)
    decision = Decision(basis="denial", by=by, at_ms=world.now_ms, reason=reason)
    denied = moved_to(request, "denied", world.now_ms, decision=decision)
    return Transition(
        denied,
        "Denied.",
        audit=(audit(denied, "request.denied", actor, world.now_ms, reason=reason),),
        effects=(
            ShowCard(request=request.id),
            *tell(denied, "denied", world.now_ms),
            *notices(denied, rules, "denied", world.now_ms, by),
        ),
    )


def break_glass(world: World, command: Break, people: People) -> Transition:
    """Approved at once, loudly, and owing a countersignature: announcement and debt are in the same commit."""
    request, now_ms = world.request, world.now_ms
    same_content(request, command.revision, command.digest)
    rules = rules_of(world)
    if isinstance(request.payload, Extending):
        raise Conflict("More time needs the approvals: nobody breaks the glass for it.", code="not_for_this")
    demand(may_bypass(rules, command.actor, people))
    not_locked(world)
    if not command.reason.strip():
        raise Invalid("Say why the glass must be broken: everybody concerned will read it.", code="reason_required")
    decision = Decision(basis="break-glass", by=(command.actor,), at_ms=now_ms, reason=command.reason[:REASON_MOST])
    debt = Debt(request=request.id, by=command.actor, opened_ms=now_ms, due_ms=now_ms + rules.review_within_ms)
    first = Transition(
        request,
        "",
        audit=(audit(request, "glass.broken", command.actor, now_ms, reason=decision.reason),),
        effects=(
            Announce(request=request.id, news="broken", at_ms=now_ms),
            mails(request, now_ms, command.actor),
            *notices(request, rules, "broken", now_ms, decision.by),
        ),
        debt=debt,
        good_until_ms=min(people.good_until_ms, request.timers["deadline"]),
    )
    broken = first.then(approve(world, request, rules, decision, command.actor, [rules.max_broken_ms]))
    if broken.request.state == "stale":
        return broken
    return replace(
        broken, answer="The glass is broken. Everybody concerned is told, and somebody else must countersign."
    )
