"""Merging: a change becomes the next version of its environment, or of the policies."""

from dataclasses import replace

from store.model.command import Merge
from store.model.effect import Entrust, Redeploy, ShowCard
from store.model.errors import Conflict
from store.model.lifecycle.firing import delivery, listening
from store.model.lifecycle.world import Transition, World, audit, demand, moved_to, rules_of, shown, tell, undisputed
from store.model.people import People
from store.model.policy import Hook, HookEvent
from store.model.request import Amendment, Change, Enrolling, Minting, Request
from store.model.sealed import Manifest, tampered
from store.model.standing import may_act, may_review
from store.model.token import Token


def merge_by_hand(world: World, command: Merge, people: People) -> Transition:
    rules = rules_of(world)
    request = world.request
    if command.actor not in (request.requester, request.beneficiary):
        demand(may_review(request, rules, command.actor, people))
    demand(may_act(command.actor, people))
    undisputed(world)
    merged = merge(world, request, command.actor)
    return replace(merged, good_until_ms=min(people.good_until_ms, request.timers["deadline"]))


def merge(world: World, request: Request, actor: str) -> Transition:
    """The next version, unless what it changes has moved since the request was made."""
    if isinstance(request.payload, Amendment):
        return _amend(world, request, request.payload, actor)
    if isinstance(request.payload, Enrolling):
        return _enrol(world, request, request.payload, actor)
    if isinstance(request.payload, Minting):
        return _mint(world, request, request.payload, actor)
    return _merge(world, request, actor)


def _amend(world: World, request: Request, amendment: Amendment, actor: str) -> Transition:
    """The next version of the policies. One that was made on top of another version would take that one's changes back unseen."""
    now_ms, deadline = world.now_ms, world.now_ms + rules_of(world).request_ttl_ms
    if amendment.base != world.policy_now.number:
        return _stale(request, world, [f"the policies (version {world.policy_now.number} is in force by now)"], actor)
    merged = moved_to(request, "merged", now_ms, merged=amendment.number)
    stale = tuple(
        moved_to(
            sibling,
            "stale",
            now_ms,
            deadline=deadline,
            note=f"Version {amendment.number} of the policies is in force by now.",
        )
        for sibling in world.siblings
        if isinstance(sibling.payload, Amendment) and sibling.state in ("pending", "approved")
    )
    return Transition(
        merged,
        f"Merged: version {amendment.number} of the policies is in force.",
        audit=(
            audit(merged, "policy.changed", actor, now_ms, version=amendment.number, content=amendment.content),
            *(audit(sibling, "request.stale", actor, now_ms, overtaken_by=request.id) for sibling in stale),
        ),
        effects=(
            ShowCard(request=request.id),
            *tell(merged, "merged", now_ms),
            *shown(stale, "stale", now_ms),
            Entrust(),
        ),
        policies=amendment,
        siblings=stale,
    )


def _enrol(world: World, request: Request, holder: Enrolling, actor: str) -> Transition:
    """The next roster of key holders. Which one that is, and whether it may be made, is seen when it is signed."""
    merged = moved_to(request, "merged", world.now_ms)
    added = holder.what == "add"
    event = "keys.added" if added else "keys.removed"
    return Transition(
        merged,
        f"{holder.name} is {'now in' if added else 'no longer in'} the roster of key holders.",
        audit=(
            audit(
                merged,
                event,
                actor,
                world.now_ms,
                name=holder.name,
                fingerprint=holder.fingerprint,
                address=holder.address,
            ),
        ),
        effects=(ShowCard(request=request.id), *tell(merged, "merged", world.now_ms), Entrust()),
        enrols=True,
    )


def _mint(world: World, request: Request, machine: Minting, actor: str) -> Transition:
    """The token is there from this moment on; who asked has its secret already."""
    now_ms = world.now_ms
    merged = moved_to(request, "merged", now_ms)
    token = Token(
        id=machine.token,
        kind="machine",
        holder=request.requester,
        name=machine.name,
        hash=machine.hash,
        created_ms=now_ms,
        expires_ms=now_ms + machine.lifetime_ms,
        targets=machine.targets,
        actions=machine.actions,
        request=request.id,
    )
    minted = audit(
        merged,
        "token.minted",
        actor,
        now_ms,
        token=token.id,
        name=token.name,
        targets=" ".join(token.targets),
        actions=" ".join(token.actions),
        expires_ms=token.expires_ms,
    )
    return Transition(
        merged,
        f"The machine {machine.name} is let in.",
        audit=(minted,),
        effects=(ShowCard(request=request.id), *tell(merged, "merged", now_ms)),
        token=token,
    )


def _merge(world: World, request: Request, actor: str) -> Transition:
    """The next version of the environment, unless a touched name has moved since the request was made."""
    change, head, now_ms = request.payload, world.head, world.now_ms
    if not isinstance(change, Change) or head is None:
        raise Conflict("There is no environment to merge this into.", code="no_environment")
    if head.environment_id != change.environment_id:
        raise tampered("The version that this would follow")
    if moved := [touch.name for touch in change.touches if head.entry_id(touch.name) != touch.base]:
        return _stale(request, world, moved, actor)
    entries = dict(head.entries)
    for touch in change.touches:
        if touch.entry is None:
            entries.pop(touch.name, None)
        else:
            entries[touch.name] = touch.entry
    version = head.successor(entries)
    target = world.policy_now.target(request.asked)
    events: tuple[HookEvent, ...] = ("change",) if change.back_to is None else ("change", "rollback")
    told = listening(target, request.asked, *events)
    hooks = tuple(hook.name for hook in told)
    merged = moved_to(request, "merged", now_ms, merged=version.number, hooks=hooks)
    touched = {touch.name for touch in change.touches}
    overtaken = [
        _overtaken(sibling, touched, now_ms, now_ms + rules_of(world).request_ttl_ms)
        for sibling in world.siblings
        if sibling.state in ("pending", "approved")
    ]
    stale = tuple(sibling for sibling in overtaken if sibling is not None)
    return Transition(
        merged,
        f"Merged as version {version.number}.",
        audit=(
            audit(merged, "change.merged", actor, now_ms, version=version.number),
            *(audit(sibling, "request.stale", actor, now_ms, overtaken_by=request.id) for sibling in stale),
        ),
        effects=(
            ShowCard(request=request.id),
            *tell(merged, "merged", now_ms),
            *(_redeploy(merged, version, hook, now_ms) for hook in hooks),
            *shown(stale, "stale", now_ms),
        ),
        head=version,
        siblings=stale,
        deliveries=tuple(
            delivery(merged, hook.name, _event(hook, events), now_ms, version=version.number) for hook in told
        ),
    )


def _redeploy(merged: Request, version: Manifest, hook: str, now_ms: int) -> Redeploy:
    return Redeploy(
        environment=merged.target,
        environment_id=version.environment_id,
        hook=hook,
        version=version.number,
        request=merged.id,
        at_ms=now_ms,
    )


def _event(hook: Hook, events: tuple[HookEvent, ...]) -> HookEvent:
    """A hook that does not tell a rollback from another change hears of it as a change."""
    return "rollback" if "rollback" in events and "rollback" in hook.on else "change"


def _overtaken(sibling: Request, touched: set[str], now_ms: int, deadline: int) -> Request | None:
    if not isinstance(sibling.payload, Change) or not touched & {touch.name for touch in sibling.payload.touches}:
        return None
    return moved_to(sibling, "stale", now_ms, deadline=deadline)


def _stale(request: Request, world: World, moved: list[str], actor: str) -> Transition:
    names = ", ".join(moved[:3])
    stale = moved_to(
        request,
        "stale",
        world.now_ms,
        deadline=world.now_ms + rules_of(world).request_ttl_ms,
        note=f"Changed meanwhile by somebody else: {names}.",
    )
    return Transition(
        stale,
        f"Not merged: {names} changed meanwhile. Ask again from what is there now.",
        audit=(audit(stale, "request.stale", actor, world.now_ms, names=names),),
        effects=(ShowCard(request=request.id), *tell(stale, "stale", world.now_ms)),
    )
