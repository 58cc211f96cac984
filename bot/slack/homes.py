"""Homes: what stands on one person's App Home, on the page where they are.

Where they are is kept in Redis for an hour. Slack gives no `private_metadata` of a published view back when a home is opened, and
most redraws follow from what others do, in whichever replica performs the effect: a memory of this process would throw people back
to where another one last saw them. A button carries the place that it leads to, so it works from a view however old.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.slack.ids import Place, parse_place
from bot.slack.pages import Page, Reader
from bot.slack.queue import Queues
from bot.slack.views.approvals import SIZES, WAITING
from bot.slack.views.facts import View
from bot.slack.views.home import HomeFacts, Tab, broken, closed, home
from store.model.errors import Forbidden, Invalid, Unavailable
from store.model.people import Directory, Wanted
from store.redis.places import Places
from store.redis.policies import Policies
from store.redis.requests import Requests

FURTHEST: Final = 2_000  # of what waits: a place comes back from a client, and each step towards it is looked at


@dataclass(frozen=True, slots=True)
class Shown:
    """`lacking`: drawn without it, and to be drawn again when Slack has told it."""

    view: View
    lacking: Wanted = field(default_factory=Wanted)


class Homes:
    def __init__(
        self, pages: Sequence[Page], places: Places, requests: Requests, policies: Policies, directory: Directory
    ) -> None:
        self._pages = {page.name: page for page in pages}
        self._places = places
        self._queues = Queues(requests, policies)
        self._policies = policies
        self._directory = directory

    async def go(self, user: str, value: str) -> None:
        """To the place that a button carries. Raises `AccessError`."""
        place = parse_place(value)
        page = self._pages.get(place.page)
        if page is None:
            raise Invalid("This page is not here any more.", code="unknown_page")
        if page.for_owners:
            await self._demand_owner(user, page)
        await self._places.keep(user, str(place))

    async def shown(self, user: str) -> Shown:
        """Never raises `AccessError`: what cannot be read is said where it should stand."""
        place = Place(next(iter(self._pages)))
        try:
            place = await self._place(user) or place
            return await self._draw(user, place)
        except Unavailable as error:
            return Shown(broken(place, error.sentence))

    async def learn(self, lacking: Wanted) -> None:
        """Without hurry. Raises `Unavailable`."""
        await self._directory.people(lacking, patient=True)

    async def _place(self, user: str) -> Place | None:
        kept = await self._places.of(user)
        try:
            place = parse_place(kept) if kept is not None else None
        except Invalid:  # of another version of ours
            return None
        return place if place is not None and place.page in self._pages else None

    async def _draw(self, user: str, place: Place) -> Shown:
        policies = await self._policies.current()
        decide = await self._queues.groups(policies)
        groups = decide | policies.owners.groups | policies.requesting_groups
        needs = Wanted(frozenset((user,)), groups)
        people = await self._directory.people(needs)
        lacking = people.missing(needs)
        known = people.persons.get(user)
        if known is not None and known.barred is not None:
            return Shown(closed(known.barred))
        owner = policies.owners.has(user, people) is True
        tabs = [page for page in self._pages.values() if owner or not page.for_owners]
        if all(page.name != place.page for page in tabs):  # an owner no longer
            place = Place(tabs[0].name)
        upto = min(FURTHEST, (place.part(WAITING) + 1) * SIZES[WAITING]) if place.page == tabs[0].name else 1
        waits = await self._queues.of(user, decide, people, policies, upto=upto)
        here = self._pages[place.page]
        drawn = await here.draw(Reader(user, policies, people, lacking == Wanted(), waits), place)
        lacking |= drawn.lacking
        shown = tuple(Tab(page.name, page.title) for page in tabs if page.under is None)
        facts = HomeFacts(user, place, shown, waits.words, lacking)
        return Shown(home(facts, drawn.blocks), lacking)

    async def _demand_owner(self, user: str, page: Page) -> None:
        if not await self._policies.owned_by(user, self._directory):
            raise Forbidden(f"Only an owner sees {page.title}.", code="not_an_owner")
