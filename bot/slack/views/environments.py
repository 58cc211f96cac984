"""Environments: the page of App Home with everything that one person may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.slack import ids
from bot.slack.ids import HOME_GO, Place
from bot.slack.views import blocks as b
from bot.slack.views.facts import Block, Offer
from bot.slack.views.parts import NONE, Part, pager, titled
from store.model.request import Kind

SIZE: Final = 20  # targets of two blocks each
ASKS: Final[dict[Kind, tuple[str, str]]] = {
    "open": ("Request to open", ids.HOME_ASK_OPEN),
    "access": ("Request to join", ids.HOME_ASK_ACCESS),
    "change": ("Request a change", ids.HOME_ASK_CHANGE),
    "deploy": ("Request a deploy", ids.HOME_ASK_DEPLOY),
}
DOES: Final[dict[Kind, str]] = {
    "open": "read its secrets for a time",
    "access": "be a member for a time",
    "change": "set or remove its secrets",
    "deploy": "deploy a version",
}
NOTHING: Final = "No rule names you among those who may ask. An owner can add you to one."
NOT_KNOWN: Final = "What you may ask for is not known yet."

START: Final = Place("environments")


@dataclass(frozen=True, slots=True)
class Offered:
    """One target, and what may be asked for of it."""

    target: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentsFacts:
    place: Place = START
    offered: Part[Offered] = NONE
    sure: bool = True  # False: Slack has not told yet of whom this follows from


def by_target(offers: Sequence[Offer]) -> list[Offered]:
    """In the order of the targets."""
    found: dict[str, list[Offer]] = {}
    for offer in offers:
        found.setdefault(offer.target, []).append(offer)
    return [Offered(target, tuple(each)) for target, each in found.items()]


def page(facts: EnvironmentsFacts) -> list[Block]:
    title = titled("What you may ask for", facts.offered)
    if not facts.offered.items:
        return [title, b.context(NOTHING if facts.sure else NOT_KNOWN)]
    shown = [block for offered in facts.offered.items for block in _offered(offered)]
    return [title, *shown, *pager(facts.offered, facts.place, 0, SIZE, "What you may ask for")]


def _offered(offered: Offered) -> list[Block]:
    asked = [offer for kind in ASKS for offer in offered.offers if offer.kind == kind]
    about = b.section(f"`{offered.target}` · {', '.join(DOES[offer.kind] for offer in asked)}")
    pressed = [b.button(*ASKS[offer.kind], offered.target, about=offered.target) for offer in asked]
    return [about, b.actions(*pressed, *_versions(offered))]


def _versions(offered: Offered) -> list[b.Element]:
    """Roles have none, and an application's are its environment's."""
    if all(offer.kind == "access" for offer in offered.offers) or "#" in offered.target:
        return []
    place = Place("environment", about=offered.target)
    return [b.button("Versions", f"{HOME_GO}environment", str(place), about=offered.target)]
