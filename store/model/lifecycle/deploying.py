"""Deploying: what was approved is started by a deployer, one at a time for each application, and reported on by who does it."""

import re
from dataclasses import replace
from typing import Final, Literal

from store.model.command import Cancel, Deploy, Report
from store.model.effect import Effect, ShowCard
from store.model.errors import Conflict, Invalid
from store.model.identity import Target, UserId
from store.model.lifecycle.firing import delivery, fires, listening
from store.model.lifecycle.notifying import notices
from store.model.lifecycle.world import (
    Transition,
    World,
    audit,
    changed,
    demand,
    moved_to,
    rules_of,
    shown,
    spoken,
    tell,
    undisputed,
)
from store.model.people import People
from store.model.policy import DAY, GATE, MINUTE, Hook, TargetConfig
from store.model.request import CLOCK, REASON_MOST, Deployment, Ending, Gate, Request, Run
from store.model.slots import Slots
from store.model.standing import Rules, may_cancel, may_deploy

LOG_MOST: Final = 2_000  # characters of a link
LOG: Final = r"https://[^\s<>|\x00]+"
SAID_MOST: Final = 300


def deploy(world: World, command: Deploy, people: People) -> Transition:
    request, rules = world.request, rules_of(world)
    demand(may_deploy(request, rules, command.actor, people))
    undisputed(world)
    started = launch(world, request, rules, command.actor)
    return replace(started, good_until_ms=min(people.good_until_ms, request.timers["deadline"]))


def launch(world: World, request: Request, rules: Rules, actor: str) -> Transition:
    """Raises `Conflict` while it must not start. One that was asked for before another that was started never does."""
    now_ms, slots = world.now_ms, world.slots or Slots()
    if slots.overtaken(request.asked, request.created_ms):
        return _superseded(request, now_ms)
    may_start(request, rules, slots, now_ms)
    config = world.policy_now.target(request.asked)
    hooks = tuple(hook.name for hook in deploying(config, request.asked, request.gate))
    if not hooks:
        raise Conflict(f"No hook deploys {request.target} any more. Ask an owner.", code="no_hook")
    report_by_ms = now_ms + rules.report_within_ms
    running = moved_to(
        request,
        "running",
        now_ms,
        deadline=report_by_ms,
        run=Run(by=actor, at_ms=now_ms, report_by_ms=report_by_ms),
        hooks=hooks,
    )
    older = tuple(
        _passed(sibling, request, now_ms)
        for sibling in world.siblings
        if sibling.target == request.target
        and sibling.state in ("pending", "approved")
        and sibling.created_ms < request.created_ms
    )
    return Transition(
        running,
        "Started. The card shows how it goes.",
        audit=(
            audit(running, "deploy.started", actor, now_ms),
            *(audit(sibling, "deploy.superseded", actor, now_ms, by=request.id) for sibling in older),
        ),
        effects=(
            ShowCard(request=request.id),
            *tell(running, "running", now_ms),
            *fires(running, hooks, "deploy", now_ms),
            *shown(older, "superseded", now_ms),
        ),
        slots=slots.taken(request.asked, request.id, request.created_ms),
        siblings=older,
        deliveries=tuple(delivery(running, hook, "deploy", now_ms) for hook in hooks),
    )


def may_start(request: Request, rules: Rules, slots: Slots, now_ms: int) -> None:
    """Raises `Conflict` with what it waits for."""
    if (running := slots.occupied(request.asked)) is not None:
        raise Conflict(f"Deploy {running} is running there. Wait for its end, or cancel it.", code="occupied")
    if (left_ms := starts_ms(request, rules) - now_ms) > 0:
        raise Conflict(
            f"The rule “{rules.now.name}” waits for {spoken(rules.wait_ms)} after the approval: {_left(left_ms)} are left.",
            code="waiting",
        )
    if (frozen := frozen_until(request, rules, now_ms)) is not None:
        until_ms, name = frozen
        called = f" ({name})" if name else ""
        raise Conflict(
            f"Deploys of {request.target} are frozen{called} for another {_left(until_ms - now_ms)}.",
            code="frozen",
        )


def starts_ms(request: Request, rules: Rules) -> int:
    """From when on the rules let what was approved start. Who broke the glass waits for nothing."""
    decision = request.decision
    if decision is None or decision.basis == "break-glass":
        return 0
    return decision.at_ms + rules.wait_ms


def frozen_until(request: Request, rules: Rules, now_ms: int) -> tuple[int, str] | None:
    """See `freeze.frozen_until`. A broken glass passes it, where the rules are soft."""
    decision = request.decision
    broken = decision is not None and decision.basis == "break-glass"
    return None if broken and rules.soft else rules.frozen_until(now_ms)


def cancel(world: World, command: Cancel, people: People) -> Transition:
    request, now_ms = world.request, world.now_ms
    demand(may_cancel(request, world.rules, world.policy_now.owners, command.actor, people))
    if not command.reason.strip():
        raise Invalid("Say why it is cancelled: who asked and who started it read it.", code="reason_required")
    reason = command.reason[:REASON_MOST]
    cancelled = moved_to(request, "cancelled", now_ms, ending=Ending(by=command.actor, at_ms=now_ms, reason=reason))
    ran = request.state == "running"
    by = (command.actor,) if request.machine is None or command.actor != request.machine.actor else ()
    return Transition(
        cancelled,
        "Cancelled. What the receiver has begun, it must stop by itself." if ran else "Cancelled.",
        audit=(audit(cancelled, "deploy.cancelled", command.actor, now_ms, was=request.state, reason=reason),),
        effects=_over(world, cancelled, "cancelled", by),
        slots=_freed(world) if ran else None,
    )


def is_log(link: str) -> bool:
    """Nothing in it ends a link in Slack."""
    return len(link) <= LOG_MOST and re.fullmatch(LOG, link) is not None


def hear(world: World, command: Report) -> Transition:
    """What the receiver says of it. Its end is said once; what it says later changes nothing."""
    request, now_ms, run = world.request, world.now_ms, world.request.run
    if run is None:
        raise Conflict("This deploy was never started.", code="too_late")
    said = run.model_copy(
        update={
            "stage": command.stage or run.stage,
            "log": command.log or run.log,
            "said": command.said[:SAID_MOST] if command.said is not None else run.said,
            "said_ms": now_ms,
        }
    )
    if command.log is not None and not is_log(command.log):
        raise Invalid("The log is a link that begins with https://.", code="bad_log")
    if command.outcome == "running":
        if (said.stage, said.log, said.said) == (run.stage, run.log, run.said):
            raise Conflict("Known already.", code="nothing_new")
        goes = changed(request, run=said)
        return Transition(
            goes,
            "Recorded.",
            audit=(audit(goes, "deploy.reported", command.actor, now_ms, stage=said.stage),),
            effects=(ShowCard(request=request.id),),
        )
    return finish(world, changed(request, run=said), command.outcome, command.actor, command.said)


def unreported(world: World) -> Transition:
    """The time to report is over."""
    return finish(world, world.request, "failed", CLOCK, "No report came in time.")


def finish(
    world: World, request: Request, outcome: Literal["succeeded", "failed"], actor: str, why: str | None
) -> Transition:
    now_ms = world.now_ms
    ended = moved_to(request, outcome, now_ms, ending=Ending(by=actor, at_ms=now_ms, reason=why and why[:SAID_MOST]))
    return Transition(
        ended,
        "Recorded.",
        audit=(audit(ended, f"deploy.{outcome}", actor, now_ms, reason=why and why[:SAID_MOST]),),
        effects=_over(world, ended, outcome),
        slots=_freed(world, landed=request.payload if outcome == "succeeded" else None),
    )


def deploying(config: TargetConfig | None, target: Target, gate: Gate | None = None) -> tuple[Hook, ...]:
    """The hooks that deploy it: of an application those of its name, of an environment all. A gate at GitHub lets the job
    through that waits there, and nothing else does."""
    return tuple(
        hook
        for hook in listening(config, target, "deploy")
        if (hook.preset != GATE if gate is None else hook.gates(gate.repository, gate.environment))
    )


def turned_away(world: World, result: Transition) -> Transition:
    """And the job that waits at GitHub hears of it, where it ends without having been started: else it has its answer."""
    if world.request.ended:
        return result
    now_ms, everyone = world.now_ms, (result.request, *result.siblings)
    told = {each.id: hooks for each in everyone if (hooks := _gates(world, each))}
    if not told:
        return result
    request, *siblings = (changed(each, hooks=told.get(each.id, each.hooks)) for each in everyone)
    pairs = [(each, hook) for each in everyone for hook in told.get(each.id, ())]
    return replace(
        result,
        request=request,
        siblings=tuple(siblings),
        effects=(*result.effects, *(fire for each, hook in pairs for fire in fires(each, (hook,), "deploy", now_ms))),
        deliveries=(*result.deliveries, *(delivery(each, hook, "deploy", now_ms) for each, hook in pairs)),
    )


def _gates(world: World, request: Request) -> tuple[str, ...]:
    if request.gate is None or not request.ended or request.run is not None:
        return ()
    return tuple(hook.name for hook in deploying(world.policy_now.target(request.asked), request.asked, request.gate))


def _over(
    world: World, ended: Request, news: Literal["succeeded", "failed", "cancelled"], by: tuple[UserId, ...] = ()
) -> tuple[Effect, ...]:
    """Who asked hears of it, who started it, and every route of the rule; hooks that wait look at it again. `by`: who cancelled it."""
    run, at_ms = ended.run, world.now_ms
    return (
        ShowCard(request=ended.id),
        *tell(ended, news, at_ms, *((run.by,) if run is not None and run.by not in by else ())),
        *notices(ended, world.rules, news, at_ms, by),
        *(fires(ended, ended.hooks, "deploy", at_ms) if run is not None and ended.gate is None else ()),
    )


def _freed(world: World, *, landed: object = None) -> Slots:
    request = world.request
    freed = (world.slots or Slots()).freed(request.id)
    return freed.succeeded(request.asked, request.id, landed) if isinstance(landed, Deployment) else freed


def _superseded(request: Request, now_ms: int) -> Transition:
    """Found out when it would start."""
    passed = moved_to(request, "superseded", now_ms, ending=Ending(by=CLOCK, at_ms=now_ms))
    return Transition(
        passed,
        "Not started: a deploy that was asked for later has been started before it.",
        audit=(audit(passed, "deploy.superseded", CLOCK, now_ms),),
        effects=(ShowCard(request=request.id), *tell(passed, "superseded", now_ms)),
    )


def _passed(older: Request, newer: Request, now_ms: int) -> Request:
    ending = Ending(by=CLOCK, at_ms=now_ms, reason=f"{newer.id} was started.")
    return moved_to(older, "superseded", now_ms, ending=ending)


def _left(left_ms: int) -> str:
    """Rounded up: whole days from two on, then minutes; seconds at the last."""
    if left_ms >= 2 * DAY:
        return f"{-(-left_ms // DAY)} days"
    step = MINUTE if left_ms > MINUTE else 1_000
    return spoken(-(-left_ms // step) * step)
