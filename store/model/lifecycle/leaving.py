"""Leaving: whoever Slack says may do nothing here any more holds nothing, and asks for nothing."""

from dataclasses import replace

from store.model.effect import ShowCard
from store.model.errors import Conflict, Unavailable
from store.model.lifecycle.using import take_back
from store.model.lifecycle.world import Transition, World, audit, moved_to, tell
from store.model.people import People
from store.model.request import LIVE, Ending


def leave(world: World, actor: str, people: People) -> Transition:
    """Raises `Conflict` where everybody is still there, `Unavailable` where that is not known."""
    request, now_ms = world.request, world.now_ms
    why = _gone(world, people)
    if request.state in LIVE:
        left = take_back(world, request, actor, why)
    else:
        withdrawn = moved_to(request, "withdrawn", now_ms, ending=Ending(by=actor, at_ms=now_ms, reason=why))
        left = Transition(
            withdrawn,
            "Withdrawn.",
            audit=(audit(withdrawn, "request.withdrawn", actor, now_ms, reason=why),),
            effects=(ShowCard(request=request.id), *tell(withdrawn, "withdrawn", now_ms)),
        )
    return replace(left, good_until_ms=people.good_until_ms)


def _gone(world: World, people: People) -> str:
    """A sentence. Once it is decided, only who uses it counts: who asked for somebody else may go."""
    request = world.request
    waits = request.state in ("pending", "stale")
    for user in dict.fromkeys((request.beneficiary, *((request.requester,) if waits else ()))):
        person = people.persons.get(user)
        if person is None:
            raise Unavailable("Slack has not told us who this concerns.", code="people_unknown")
        if person.barred:
            return f"{person.name} is {person.barred}."
    raise Conflict("Everybody whom this concerns is still here.", code="nothing_new")
