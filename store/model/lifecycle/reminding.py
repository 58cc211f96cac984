"""Reminding: who could still decide hears again of what waits, and later others hear of it too."""

from store.model.effect import Announce
from store.model.lifecycle.world import Transition, World, audit, changed
from store.model.policy import Circle, Policy
from store.model.request import Timer


def next_calls(rule: Policy | None, since_ms: int, now_ms: int) -> dict[Timer, int]:
    """The next reminder and the next escalation of what has waited since `since_ms`. What was missed is not made up for."""
    if rule is None:
        return {}
    listed: dict[Timer, list[int]] = {
        "remind": [since_ms + after_ms for after_ms in rule.remind],
        "escalate": [since_ms + each.after_ms for each in rule.escalate],
    }
    ahead = {timer: [at_ms for at_ms in times if at_ms > now_ms] for timer, times in listed.items()}
    return {timer: min(times) for timer, times in ahead.items() if times}


def remind(world: World, actor: str) -> Transition:
    request, now_ms = world.request, world.now_ms
    reminded = changed(request, timers=_timers(world, "remind"))
    return Transition(
        reminded,
        "Reminded.",
        audit=(audit(reminded, "request.reminded", actor, now_ms),),
        effects=(Announce(request=request.id, news="reminder", at_ms=now_ms),),
    )


def escalate(world: World, actor: str) -> Transition:
    """Everybody whose turn has come since the last time is told, also where several turns were missed."""
    request, now_ms = world.request, world.now_ms
    rule, from_ms = _rule(world), request.timers["escalate"]
    turns = [
        each.to for each in (rule.escalate if rule else ()) if from_ms <= request.since_ms + each.after_ms <= now_ms
    ]
    to = Circle(
        users=frozenset().union(*(circle.users for circle in turns)),
        groups=frozenset().union(*(circle.groups for circle in turns)),
    )
    escalated = changed(request, timers=_timers(world, "escalate"))
    return Transition(
        escalated,
        "Escalated.",
        audit=(audit(escalated, "request.escalated", actor, now_ms, to=" ".join(sorted(to.principals))),),
        effects=(Announce(request=request.id, news="escalated", at_ms=now_ms, to=to),),
    )


def still_calls(world: World, at_ms: int, *, reminder: bool) -> bool:
    """Is what was called out at `at_ms` worth saying now? Not once it is decided, and not beside a later reminder."""
    request, rule = world.request, _rule(world)
    if request.state != "pending" or world.out_of_time or at_ms < request.since_ms:
        return False
    later = [request.since_ms + after_ms for after_ms in rule.remind] if reminder and rule else []
    return not any(at_ms < time_ms <= world.now_ms for time_ms in later)


def _timers(world: World, over: Timer) -> dict[Timer, int]:
    """Those of now, and of the one that is over the next."""
    kept = {timer: at_ms for timer, at_ms in world.request.timers.items() if timer != over}
    coming = next_calls(_rule(world), world.request.since_ms, world.now_ms)
    return kept | {timer: at_ms for timer, at_ms in coming.items() if timer == over}


def _rule(world: World) -> Policy | None:
    """The one it was made under: who waits for an answer was told by it what would happen."""
    return world.policy_then.rule(world.request.kind, world.request.asked)
