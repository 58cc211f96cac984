"""Using: from the first use to the moment nothing is left of it."""

from dataclasses import replace

from store.model.command import Absent, Activate, End, Present, Refused, Trouble
from store.model.effect import Align, Announce, News, ShowCard
from store.model.errors import Conflict, Forbidden
from store.model.grant import Lease
from store.model.lifecycle.firing import accessed
from store.model.lifecycle.world import (
    Transition,
    World,
    audit,
    changed,
    demand,
    moved_to,
    rules_of,
    spoken,
    tell,
    undisputed,
)
from store.model.people import People
from store.model.request import REASON_MOST, Ending, Joining, Request
from store.model.standing import may_act, may_end


def activate(world: World, command: Activate, people: People) -> Transition:
    if command.actor != world.request.beneficiary:
        raise Forbidden("Only the person it was approved for can activate it.", code="not_the_beneficiary")
    demand(may_act(command.actor, people))
    rules_of(world)
    undisputed(world)
    started = start(world, world.request, command.actor)
    return replace(started, good_until_ms=min(people.good_until_ms, world.request.timers["deadline"]))


def start(world: World, request: Request, actor: str) -> Transition:
    """`until` is fixed before anything outside is tried: a slow connector costs the user time, never the company."""
    now_ms = world.now_ms
    if request.granted_ms is None:
        raise Conflict("This request has no access to start.", code="no_access")
    lease = Lease(starts_ms=now_ms, until_ms=now_ms + request.granted_ms)
    if isinstance(request.payload, Joining):
        granting = moved_to(request, "granting", now_ms, deadline=lease.until_ms, lease=lease)
        return Transition(
            granting,
            "Started. You get a message as soon as the membership is confirmed.",
            audit=(audit(granting, "grant.started", actor, now_ms, until_ms=lease.until_ms),),
            effects=(Align(membership=request.payload.membership), ShowCard(request=request.id)),
        )
    active = moved_to(request, "active", now_ms, deadline=lease.until_ms, warning=lease.warning_ms, lease=lease)
    begun = Transition(
        active,
        f"Active for {spoken(request.granted_ms)}.",
        audit=(audit(active, "grant.activated", actor, now_ms, until_ms=lease.until_ms),),
        effects=(ShowCard(request=request.id), *tell(active, "active", now_ms)),
    )
    return accessed(world, begun, "access.granted", lease.until_ms)


def end(world: World, command: End, people: People) -> Transition:
    demand(may_end(world.request, world.rules, world.policy_now.owners, command.actor, people))
    return take_back(world, world.request, command.actor, command.reason and command.reason[:REASON_MOST])


def take_back(world: World, request: Request, actor: str, reason: str | None = None) -> Transition:
    now_ms = world.now_ms
    ending = Ending(by=actor, at_ms=now_ms, reason=reason)
    if isinstance(request.payload, Joining):
        revoking = moved_to(request, "revoking", now_ms, ending=ending)
        return Transition(
            revoking,
            "Ending. The card says so when the membership is gone.",
            audit=(audit(revoking, "grant.revoking", actor, now_ms, reason=reason),),
            effects=(Align(membership=request.payload.membership), ShowCard(request=request.id)),
        )
    ended = moved_to(request, "ended", now_ms, ending=ending)
    over = Transition(
        ended,
        "Ended.",
        audit=(audit(ended, "grant.ended", actor, now_ms, reason=reason),),
        effects=(ShowCard(request=request.id), *tell(ended, "ended", now_ms)),
    )
    return accessed(world, over, "access.ended")


def report(world: World, report: Present | Absent | Refused | Trouble) -> Transition:
    """What the outside said. Only what was read back moves a state."""
    request, now_ms = world.request, world.now_ms
    loud = Announce(request=request.id, news="trouble", at_ms=now_ms)
    match request.state, report:
        case "granting", Present() if request.lease is not None:
            active = moved_to(
                request, "active", now_ms, deadline=request.lease.until_ms, warning=request.lease.warning_ms, note=None
            )
            begun = _reported(active, "grant.activated", report.actor, now_ms, "active")
            return accessed(world, begun, "access.granted", request.lease.until_ms)
        case "granting", Refused(absent=True):
            ending = Ending(by=report.actor, at_ms=now_ms, reason=report.sentence)
            return _reported(
                moved_to(request, "failed", now_ms, ending=ending, note=report.sentence),
                "grant.failed",
                report.actor,
                now_ms,
                "failed",
            )
        case "granting", Refused():
            back = take_back(world, changed(request, note=report.sentence), report.actor, report.sentence)
            return replace(back, effects=(*back.effects, loud))
        case "revoking", Absent():
            note = f"Still a member because of request {report.kept_by}." if report.kept_by else None
            over = _reported(
                moved_to(request, "ended", now_ms, note=note), "grant.ended", report.actor, now_ms, "ended"
            )
            return accessed(world, over, "access.ended")
        case _, Trouble() | Refused():
            if request.note == report.sentence:
                raise Conflict("Known already.", code="nothing_new")
            troubled = _reported(changed(request, note=report.sentence), "grant.trouble", report.actor, now_ms, None)
            return replace(troubled, effects=(*troubled.effects, loud))
        case _:
            raise Conflict("Nothing changes by this.", code="nothing_new")


def _reported(request: Request, event: str, actor: str, now_ms: int, news: News | None) -> Transition:
    told = tell(request, news, now_ms) if news else ()
    return Transition(
        request,
        "Recorded.",
        audit=(audit(request, event, actor, now_ms, note=request.note),),
        effects=(ShowCard(request=request.id), *told),
    )
