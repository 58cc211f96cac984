"""Storybook of environments: one page of App Home, the form to go back to a version, and what approvers are told of values."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from bot.slack import samples as s
from bot.slack.ids import Place
from bot.slack.views import deleting, environment
from bot.slack.views.environment import EnvironmentFacts
from bot.slack.views.facts import Block, CardFacts, Offer, Terms, View
from bot.slack.views.parts import Part
from store.model.caution import Caution
from store.model.policy import DAY
from store.model.request import Change
from store.model.sealed import MAX_NAME, MAX_PATH
from store.model.versions import Tombstone, VersionInfo, Word

TARGET: Final = "payments/prod"
PLACE: Final = Place(environment.PAGE, about=TARGET)
OFFERS: Final = (Offer("open", TARGET), Offer("change", TARGET))
LONG: Final = tuple(f"{number:03}_{'n' * (MAX_NAME - 4)}" for number in range(100))


def pages() -> Iterator[tuple[str, list[Block]]]:
    """What stands on App Home."""
    few = EnvironmentFacts(
        TARGET,
        PLACE,
        OFFERS,
        4,
        {"DATABASE_URL": None, "STRIPE_KEY": None, "tls/key.pem": 0o600},
        versions=_versions(4),
    )
    long = {f"{number:03}/{'p' * (MAX_PATH - 4)}": 0o644 for number in range(500)}
    yield "environment", environment.page(few)
    yield "environment-empty", environment.page(EnvironmentFacts(TARGET, PLACE, OFFERS))
    yield "environment-1-version", environment.page(replace(few, version=1, names={}, versions=_versions(1)))
    yield "environment-secure-to-look-at", environment.page(replace(few, offers=(), secure=True))
    stone = Tombstone(id="e1", target=TARGET, by=s.ANA, at_ms=s.NOW_MS, version=12, reason=s.REASON)
    yield "environment-deleted", environment.page(EnvironmentFacts(TARGET, PLACE, OFFERS, deleted=stone))
    yield "environment-deleted-and-made-again", environment.page(replace(few, deleted=stone))
    yield "environment-not-yours", environment.page(replace(few, refusal=environment.UNSEEN))
    yield (
        "environment-longest",
        environment.page(
            replace(few, version=5_000, names=long, place=PLACE.at(0, 7), versions=_versions(5_000, LONG))
        ),
    )


def forms(terms: Terms, refused: Terms) -> Iterator[tuple[str, View]]:
    version = VersionInfo(number=2, at_ms=s.NOW_MS - DAY, by=s.DEV, request=s.ID, changed=("STRIPE_KEY",))
    moved: dict[str, Word] = {"STRIPE_KEY": "changed", "NEW": "removed", "OLD": "new", "SAME": "unchanged"}
    many: dict[str, Word] = dict.fromkeys(LONG, "changed")
    about = (TARGET, 4)
    yield "rollback/form", environment.rollback(version, moved, about, terms)
    yield "rollback/refused", environment.rollback(version, moved, about, refused)
    yield "rollback/nothing", environment.rollback(version, {"SAME": "unchanged"}, about, terms)
    yield "rollback/100-names", environment.rollback(version, many, about, terms)
    yield "modal/delete-environment", deleting.confirm("payments/old", 12)


def cards() -> Iterator[tuple[str, CardFacts]]:
    told = [Caution("PROCESSOR_KEY_1", "empty"), Caution("KEY", "white_space"), Caution("OTHER", "unchanged")]
    told.append(Caution("PROCESSOR_KEY_2", "same", "payments/staging", ("A", "B", "C", "D")))
    asked = s.request("change")
    yield "change-pending-cautions", s.facts(asked, cautions=tuple(told))
    yield "change-pending-cautions-unknown", s.facts(asked, cautions=None)
    most = tuple(Caution(name, "same", f"{'a' * 50}/{'b' * 49}", LONG[:9]) for name in LONG)
    yield "change-pending-cautions-100", s.facts(asked, cautions=most)
    if isinstance(asked.payload, Change):
        back = asked.model_copy(update={"payload": asked.payload.model_copy(update={"back_to": 12})})
        yield "change-pending-rollback", s.facts(back)


def _versions(newest: int, names: tuple[str, ...] = ("STRIPE_KEY", "DATABASE_URL", "OLD")) -> Part[VersionInfo]:
    shown = [
        VersionInfo(
            number=number, at_ms=s.NOW_MS - (newest - number) * DAY, by=s.DEV, request=s.ID,
            added=names[:1], changed=names[1:2], removed=names[2:], back_to=1 if number == 3 else None,
        )
        if number > 1 else VersionInfo(number=1, at_ms=s.NOW_MS - DAY, by="clock")
        for number in range(newest, max(0, newest - environment.SIZE), -1)
    ]  # fmt: skip
    return Part(tuple(shown), 0, min(newest, 100))
