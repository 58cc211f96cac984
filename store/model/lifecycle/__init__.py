"""The only place where a request's state changes.

`submit` and `transition` are pure: what was read goes in, what is to be committed comes out, or an `AccessError` says why not.
"""

from typing import Final, assert_never

from store.model.command import (
    Absent,
    Activate,
    Approve,
    Break,
    Cancel,
    Command,
    Countersign,
    Deny,
    Deploy,
    Dispute,
    Due,
    Edit,
    End,
    Leave,
    Merge,
    Overdue,
    Present,
    Refused,
    Report,
    Tally,
    Trouble,
    Withdraw,
)
from store.model.effect import ShowCard
from store.model.errors import Conflict, Forbidden
from store.model.lifecycle.asking import Draft, rule_for, submit, wanted_to_ask
from store.model.lifecycle.deciding import break_glass, count, review
from store.model.lifecycle.deploying import cancel, deploy, deploying, hear, turned_away, unreported
from store.model.lifecycle.editing import draft_of, edit
from store.model.lifecycle.extending import LAPSED, beside, lapse, more_for, room_ms
from store.model.lifecycle.leaving import leave
from store.model.lifecycle.locking import unlock, whose_lock, why_locked
from store.model.lifecycle.merging import merge_by_hand
from store.model.lifecycle.notifying import named
from store.model.lifecycle.owing import settle
from store.model.lifecycle.reminding import escalate, next_calls, remind, still_calls
from store.model.lifecycle.using import activate, end, report, take_back
from store.model.lifecycle.world import Transition, World, audit, changed, moved_to, tell
from store.model.people import People
from store.model.request import HELD, LIVE, MERGED, Ending

UNDECIDED: Final = frozenset({"pending", "approved", "stale"})

__all__ = [
    "LAPSED",
    "Draft",
    "Transition",
    "World",
    "deploying",
    "draft_of",
    "more_for",
    "named",
    "next_calls",
    "room_ms",
    "rule_for",
    "still_calls",
    "submit",
    "too_late",
    "transition",
    "unlock",
    "wanted_to_ask",
    "whose_lock",
    "why_locked",
]


def transition(world: World, command: Command, people: People) -> Transition:
    """Raises `Forbidden` for who may not, `Conflict` for what is no longer possible."""
    return turned_away(world, beside(world, lapse(world, _transition(world, command, people), command.actor)))


def _transition(world: World, command: Command, people: People) -> Transition:
    state = world.request.state
    if world.out_of_time and not isinstance(
        command, (Due, End, Trouble, Refused, Countersign, Dispute, Overdue, Leave, Cancel)
    ):
        over = {"pending": "before it was decided", "approved": "before it was used"}.get(state, "already")
        raise Conflict(f"The time for this was over {over}.", code="out_of_time")
    match command:
        case Approve() | Deny() if state == "pending":
            return review(world, command, people)
        case Tally() if state == "pending":
            return count(world, world.request, people, command.actor)
        case Break() if state == "pending":
            return break_glass(world, command, people)
        case Edit() if state in ("pending", "stale"):
            return edit(world, command, people)
        case Withdraw() if state in UNDECIDED:
            return withdraw(world, command)
        case Activate() if state == "approved" and world.request.kind in HELD:
            return activate(world, command, people)
        case Merge() if state == "approved" and world.request.kind in MERGED:
            return merge_by_hand(world, command, people)
        case Deploy() if state == "approved" and world.request.kind == "deploy":
            return deploy(world, command, people)
        case Cancel() if state in ("approved", "running") and world.request.kind == "deploy":
            return cancel(world, command, people)
        case Report() if state == "running":
            return hear(world, command)
        case End() if state in ("granting", "active"):
            return end(world, command, people)
        case Leave() if state in UNDECIDED or state in ("granting", "active"):
            return leave(world, command.actor, people)
        case Due():
            return due(world, command)
        case Present() | Absent() | Refused() | Trouble() if state in LIVE:
            return report(world, command)
        case Countersign() | Dispute() | Overdue() if world.debt is not None and world.debt.state == "open":
            return settle(world, world.debt, command, people)
        case (
            Approve() | Deny() | Tally() | Break() | Edit() | Withdraw() | Activate() | Merge() | End()
            | Deploy() | Cancel() | Report()
            | Present() | Absent() | Refused() | Trouble() | Countersign() | Dispute() | Overdue() | Leave()
        ):  # fmt: skip
            raise too_late(world, of_debt=isinstance(command, (Countersign, Dispute, Overdue)))
        case _:
            assert_never(command)


def withdraw(world: World, command: Withdraw) -> Transition:
    request, now_ms = world.request, world.now_ms
    if command.actor not in (request.requester, request.beneficiary, request.asker):
        raise Forbidden("Only the person who asked can withdraw this.", code="not_the_requester")
    withdrawn = moved_to(request, "withdrawn", now_ms, ending=Ending(by=command.actor, at_ms=now_ms))
    return Transition(
        withdrawn,
        "Withdrawn.",
        audit=(audit(withdrawn, "request.withdrawn", command.actor, now_ms),),
        effects=(ShowCard(request=request.id),),
    )


def due(world: World, command: Due) -> Transition:
    request, now_ms = world.request, world.now_ms
    if request.timers.get(command.timer) != command.at_ms or now_ms < command.at_ms:
        raise Conflict("This timer was moved.", code="nothing_new")
    if command.timer == "warning":
        warned = changed(request, timers={name: at for name, at in request.timers.items() if name != "warning"})
        return Transition(
            warned,
            "Warned.",
            audit=(audit(warned, "grant.warned", command.actor, now_ms),),
            effects=tell(warned, "warning", now_ms),
        )
    if command.timer in ("remind", "escalate") and not world.out_of_time:
        return remind(world, command.actor) if command.timer == "remind" else escalate(world, command.actor)
    if request.state in ("granting", "active"):
        return take_back(world, request, command.actor)
    if request.state == "running":
        return unreported(world)
    expired = moved_to(
        request, "expired", now_ms, ending=Ending(by=command.actor, at_ms=now_ms, reason=f"was {request.state}")
    )
    return Transition(
        expired,
        "Expired.",
        audit=(audit(expired, "request.expired", command.actor, now_ms, was=request.state),),
        effects=(ShowCard(request=request.id), *tell(expired, "expired", now_ms)),
    )


def too_late(world: World, *, of_debt: bool = False) -> Conflict:
    """The true state, for a click that came late. `of_debt`: it was about a broken glass."""
    request = world.request
    if of_debt:
        settled = "There is nothing left to countersign." if world.debt else "Nobody broke a glass here."
        return Conflict(settled, code="too_late")
    sentence = {
        "pending": "This is not decided yet.",
        "approved": "This was approved already.",
        "stale": "What this changes was changed by somebody else meanwhile. It must be asked again.",
        "granting": "This was approved already, and is being granted.",
        "active": "This is active already.",
        "revoking": "This is ending already.",
        "denied": "This was denied.",
        "withdrawn": "This was withdrawn by the person who asked.",
        "expired": "This expired before it was used." if request.decision else "This expired before it was decided.",
        "running": "This was started already.",
        "succeeded": "This was deployed already.",
        "cancelled": "This was cancelled.",
        "superseded": "Another deploy that was asked for later was started instead.",
        "merged": "This was merged already.",
        "extended": "This was approved already, and it ends later now.",
        "ended": "This has ended.",
        "failed": "This has failed, and is over."
        if request.kind == "deploy"
        else "This could not be granted, and is over.",
    }[request.state]
    return Conflict(sentence, code="too_late")
