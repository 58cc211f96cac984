"""Editing: the same request asks something else, or the same on top of what is there now, and everybody decides again."""

from typing import Final

from store.model.command import Edit
from store.model.effect import ShowCard, Tell
from store.model.errors import Conflict, Forbidden, Invalid
from store.model.lifecycle.asking import Draft, admitted
from store.model.lifecycle.extending import decide_by
from store.model.lifecycle.reminding import next_calls
from store.model.lifecycle.world import Transition, World, audit, changed, moved_to, same_content
from store.model.people import People
from store.model.request import (
    Amendment,
    Change,
    Editing,
    Extending,
    Joining,
    Kind,
    Opening,
    Payload,
    Request,
    Touch,
    digest,
)
from store.model.sealed import MAX_REQUEST_ENTRIES, Manifest, tampered


def draft_of(request: Request, command: Edit) -> Draft:
    """What would be asked, were it asked for the first time: its bases are still the old ones."""
    return Draft(
        request.id,
        request.kind,
        request.asked,
        request.requester,
        request.beneficiary,
        _amending(_touching(_lasting(request.payload, command.duration_ms), command.touches), command.amendment),
        command.reason,
        command.ticket,
        request.door,
        request.machine,
    )


def edit(world: World, command: Edit, people: People) -> Transition:
    """The next revision, pending, without a vote, under the policy of now. Raises as submission does, and `Conflict` where nothing is new."""
    request, now_ms = world.request, world.now_ms
    if command.actor not in (request.requester, request.beneficiary):
        raise Forbidden("Only the person who asked can edit this.", code="not_the_requester")
    same_content(request, command.revision, command.digest)
    if world.debt is not None:
        # One request owes for one glass.
        raise Conflict("The glass was broken for this once. Withdraw it, and ask for something new.", code="broken")
    draft = draft_of(request, command)
    asker = people.persons.get(request.requester)
    if asker is not None and asker.barred and command.actor != request.requester:
        raise Forbidden(f"{asker.name} asked for this, and they are {asker.barred}.", code="forbidden")
    rule = admitted(draft, world.policy_now, people, now_ms, world.kin)
    payload = _rebased(draft.payload, world.head) if isinstance(draft.payload, Change) else draft.payload
    asked = changed(request, reason=draft.reason.strip(), ticket=draft.ticket, payload=payload)
    if request.state == "pending" and asked == request:
        raise Conflict("Nothing is different from what is asked already.", code="nothing_new")
    edited = moved_to(
        asked,
        "pending",
        now_ms,
        deadline=decide_by(payload, rule, now_ms),
        revision=request.revision + 1,
        policy=world.policy_now.number,
        rule=rule.name,
        reviews=(),
        decision=None,
        note=None,
        edited=Editing(by=command.actor, at_ms=now_ms, dropped=bool(request.reviews)),
    )
    calls = next_calls(rule, now_ms, now_ms)
    edited = changed(edited, digest=digest(world.installation, edited), timers={**edited.timers, **calls})
    voters = [review.by for review in request.reviews]
    return Transition(
        edited,
        "Edited. Earlier votes were dropped: it is decided anew." if voters else "Edited.",
        audit=(audit(edited, "request.edited", command.actor, now_ms, **_what(request, edited)),),
        effects=(
            ShowCard(request=request.id),
            *(Tell(request=request.id, news="edited", to=voter, at_ms=now_ms) for voter in voters),
        ),
        good_until_ms=min(people.good_until_ms, edited.timers["deadline"]),
    )


_WHAT: Final[dict[Kind, str]] = {
    "change": "touches",
    "policy": "policies",
    "open": "duration",
    "access": "duration",
    "deploy": "version",
}


def _what(before: Request, after: Request) -> dict[str, str | int | None]:
    """What is another, by name: never what it was, nor a value."""
    names = {"reason": "reason", "ticket": "ticket", "payload": _WHAT[after.kind]}
    new = [name for field, name in names.items() if getattr(before, field) != getattr(after, field)]
    return {
        "revision": after.revision,
        "changed": " ".join(new) or None,
        "touches": " ".join(_moved(before.payload, after.payload)) or None,
        "dropped": " ".join(review.by for review in before.reviews) or None,
        "rule": after.rule,
        "policy": after.policy,
    }


def _lasting(payload: Payload, duration_ms: int | None) -> Payload:
    if duration_ms is None:
        return payload
    if not isinstance(payload, Opening | Joining | Extending):
        raise Invalid("A change lasts: it has no duration.", code="bad_duration")
    if duration_ms <= 0:
        raise Invalid("Ask for longer than nothing.", code="bad_duration")
    return payload.model_copy(update={"duration_ms": duration_ms})


def _touching(payload: Payload, touches: tuple[Touch, ...] | None) -> Payload:
    if touches is None:
        return payload
    if not isinstance(payload, Change):
        raise Invalid("Only a change touches names.", code="other_kind")
    if len(touches) > MAX_REQUEST_ENTRIES:
        raise Invalid(
            f"One request changes at most {MAX_REQUEST_ENTRIES} secrets. Make it two.", code="too_many_entries"
        )
    return payload.model_copy(update={"touches": touches, "back_to": None})  # no longer just what that version held


def _amending(payload: Payload, amendment: Amendment | None) -> Payload:
    if amendment is None:
        return payload
    if not isinstance(payload, Amendment):
        raise Invalid("Only a change of the policies brings other policies.", code="other_kind")
    return amendment


def _rebased(change: Change, head: Manifest | None) -> Change:
    """The same sealed entries on the bases of now. A name that is as it is to be needs nothing more. Raises `Invalid`, `Conflict`."""
    if head is None:
        raise Conflict("There is no environment to change any more.", code="no_environment")
    if head.environment_id != change.environment_id:
        raise tampered("The version that this would follow")
    touches = tuple(_on(touch, head) for touch in change.touches if touch.entry != head.entries.get(touch.name))
    if not touches:
        raise Conflict("Nothing is left to change by this. Withdraw it instead.", code="nothing_left")
    kept = {name: held for name, held in head.entries.items() if name not in {touch.name for touch in touches}}
    head.successor(kept | {touch.name: touch.entry for touch in touches if touch.entry is not None})
    return change.model_copy(update={"touches": touches})


def _on(touch: Touch, head: Manifest) -> Touch:
    """Of a value that moved nothing is known here, so it counts as changed."""
    base = head.entry_id(touch.name)
    return touch if base == touch.base else touch.model_copy(update={"base": base, "same": False})


def _moved(before: Payload, after: Payload) -> list[str]:
    """Names that are touched in another way, from another base, or on one side only."""
    if not isinstance(before, Change) or not isinstance(after, Change):
        return []
    return sorted({touch.name for touch in set(before.touches) ^ set(after.touches)})
