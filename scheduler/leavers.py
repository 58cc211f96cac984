"""Leavers: whoever may do nothing here any more loses what they hold. Slack's events say so; where one was missed, looking around does."""

from typing import Final

import structlog

from store.model.command import Leave
from store.model.effect import Depart
from store.model.errors import Conflict
from store.model.people import Directory, Wanted
from store.model.request import CLOCK, Request
from store.redis.outbox import Claimed, Outbox
from store.redis.requests import Requests
from store.redis.tokens import Tokens

# Grants at one look: with `LOOK_S` of the clock 40 people a minute, of the hundred that Slack tells us.
PACE: Final = 10
MOST: Final = 500  # requests of one person

log = structlog.stdlib.get_logger(__name__)


class Leavers:
    def __init__(self, requests: Requests, directory: Directory, outbox: Outbox, tokens: Tokens) -> None:
        self._tokens = tokens
        self._requests = requests
        self._directory = directory
        self._outbox = outbox
        self._place = 0  # in the list of what is held, for the next look

    async def heard(self, user: str, event: str) -> None:
        """An event of Slack's says that this person is gone. It is believed once Slack says the same when it is asked."""
        await self._outbox.put([Depart(user=user)], command_id=f"depart:{event}")

    async def depart(self, effect: Depart, claimed: Claimed) -> None:
        """Raises `Unavailable` until Slack tells who this is."""
        people = await self._directory.people(Wanted(users=frozenset({effect.user})), patient=True)
        gone = people.persons[effect.user].barred is not None
        if gone and await self._tokens.of(effect.user):  # first what could still ask for something
            await self._tokens.end_all(effect.user, CLOCK, f"depart:{effect.user}:{claimed.fence}", "left")
        for index in (f"live:{effect.user}", f"mine:{effect.user}"):
            for request in await self._requests.listed(index, most=MOST):
                await self._leave(request)

    async def look(self) -> None:
        """The next few that hold something. Of whom Slack does not tell in time is looked at the next time round."""
        start, self._place = self._place, self._place + PACE  # also where this page cannot be read
        held = await self._requests.page("live", start, PACE)
        if len(held) < PACE:
            self._place = 0
        people = await self._directory.people(Wanted(users=frozenset(request.beneficiary for request in held)))
        for request in held:
            person = people.persons.get(request.beneficiary)
            if person is not None and person.barred is not None:
                await self._leave(request)

    async def _leave(self, request: Request) -> None:
        if request.ended or request.state == "revoking":
            return
        try:
            await self._requests.apply(request.id, Leave(id=f"leave:{request.id}", actor=CLOCK))
        except Conflict as error:
            log.info(
                "nobody left", request=request.id, code=error.detail
            )  # it is for somebody else, or moved meanwhile
