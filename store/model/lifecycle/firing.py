"""Firing: which hooks hear of what happened, and what is kept of telling them."""

from dataclasses import replace
from typing import Literal

from store.model.delivery import Delivery
from store.model.effect import Fire
from store.model.identity import Target
from store.model.lifecycle.world import Transition, World, changed
from store.model.policy import Hook, HookEvent, TargetConfig
from store.model.request import Request


def listening(config: TargetConfig | None, target: Target, *events: HookEvent) -> tuple[Hook, ...]:
    """The hooks that one of these events is for: of an application those of its name, of all else every one."""
    application = target.id.partition("#")[2]
    return tuple(
        hook
        for hook in (config.hooks if config is not None else ())
        if hook.on.intersection(events) and application in ("", hook.name)
    )


def accessed(
    world: World, result: Transition, event: Literal["access.granted", "access.ended"], until_ms: int | None = None
) -> Transition:
    """And the hooks hear that somebody's access has begun, or is over."""
    request, now_ms = result.request, world.now_ms
    names = tuple(hook.name for hook in listening(world.policy_now.target(request.asked), request.asked, event))
    if not names:
        return result
    return replace(
        result,
        request=changed(request, hooks=tuple(dict.fromkeys((*request.hooks, *names)))),
        effects=(*result.effects, *fires(request, names, event, now_ms)),
        deliveries=(*result.deliveries, *(delivery(request, name, event, now_ms, until_ms=until_ms) for name in names)),
    )


def fires(request: Request, hooks: tuple[str, ...], event: HookEvent, now_ms: int) -> tuple[Fire, ...]:
    return tuple(
        Fire(request=request.id, hook=hook, event=event, at_ms=now_ms, target=request.target) for hook in hooks
    )


def delivery(
    request: Request, hook: str, event: HookEvent, now_ms: int, *, version: int = 0, until_ms: int | None = None
) -> Delivery:
    word = str(version) if version else event
    return Delivery(
        request=request.id,
        environment=request.target,
        hook=hook,
        event=event,
        version=version,
        message_id=f"msg_{request.id}_{hook}_{word.replace('.', '_')}",
        at_ms=now_ms,
        until_ms=until_ms,
    )
