"""Environment: the page of App Home about one of them: what it holds, by name, its versions, and the form to go back to one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.slack import ids
from bot.slack.ids import HOME_GO, Place
from bot.slack.views import blocks as b
from bot.slack.views.asked import who_is_asked
from bot.slack.views.environments import ASKS, DOES
from bot.slack.views.environments import START as ALL
from bot.slack.views.facts import Block, Offer, Terms, View
from bot.slack.views.forms import words_of
from bot.slack.views.parts import NONE, Part, pager, titled
from bot.slack.views.words import date, mention, plural
from store.model.versions import Tombstone, VersionInfo, Word

UNSEEN: Final = "There is no such environment here, or it is not yours to see."
PAGE: Final = "environment"
SIZE: Final = 10  # versions of three blocks each
NAMES_MOST: Final = 40  # on the page; a longer list is the command's
TOUCHED_MOST: Final = 12  # of one version
LISTED_MOST: Final = 60  # in the form
ORDER: Final[tuple[Word, ...]] = ("new", "changed", "removed")


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """`names`: name -> file mode, None for a value. `version` 0: nothing was ever set. `refusal`: why the rest cannot be shown."""

    target: str
    place: Place
    offers: tuple[Offer, ...] = ()
    version: int = 0
    names: Mapping[str, int | None] = field(default_factory=dict)
    secure: bool = False
    versions: Part[VersionInfo] = NONE
    deleted: Tombstone | None = None  # an earlier one of this name
    refusal: str | None = None

    @property
    def may_change(self) -> bool:
        return any(offer.kind == "change" for offer in self.offers)


def page(facts: EnvironmentFacts) -> list[Block]:
    way = b.button("All environments", f"{HOME_GO}all", str(ALL))
    asked = [b.button(*ASKS[offer.kind], facts.target, about=facts.target) for offer in facts.offers]
    title = b.header(facts.target)
    if facts.refusal is not None:
        return [title, b.plain_section(facts.refusal), b.actions(way)]
    does = [DOES[offer.kind] for offer in facts.offers]
    about = [b.context(f"You may ask to {' or to '.join(does)}.")] if does else []
    if not facts.version:
        empty = "Nothing was set here since." if facts.deleted else "Nothing was ever set here."
        return [title, *about, *_buried(facts), b.section(empty), b.actions(*asked, way)]
    versions = [_version(version, facts) for version in facts.versions.items]
    return [
        title,
        *_holds(facts),
        *about,
        b.actions(*asked, way),
        b.divider(),
        titled("Versions", facts.versions),
        *[block for blocks in versions for block in blocks],
        *pager(facts.versions, facts.place, 0, SIZE, f"Versions of {facts.target}"),
        *_buried(facts),
    ]


def _buried(facts: EnvironmentFacts) -> list[Block]:
    stone = facts.deleted
    if stone is None:
        return []
    told = f"Another environment of this name, with {plural(stone.version, 'version')}, was deleted {date(stone.at_ms)} by {mention(stone.by)}. Nothing of it can be read any more."
    return [b.context(told)]


def _holds(facts: EnvironmentFacts) -> list[Block]:
    files = sum(mode is not None for mode in facts.names.values())
    count = plural(len(facts.names), "secret") if len(facts.names) != 1 else "1 secret"
    parts = [f"*Version {facts.version}* holds {count}"]
    if files:
        parts.append(f"{plural(files, 'file')} among them")
    told = b.section(", ".join(parts) + (". It is kept by two key holders at least." if facts.secure else "."))
    shown = list(facts.names)[:NAMES_MOST]
    if not shown:
        return [told]
    left = len(facts.names) - len(shown)
    more = [b.line(b.text(f"and {left:,} more: `countersign secrets names {facts.target}` lists all."))] if left else []
    names = [
        [b.text(name, code=True), *([b.text(f" file, mode {mode:o}")] if mode is not None else [])]
        for name, mode in list(facts.names.items())[:NAMES_MOST]
    ]
    return [told, b.rich(b.bullets(names), *more)]


def _version(version: VersionInfo, facts: EnvironmentFacts) -> list[Block]:
    newest = version.number == facts.version
    rolls = facts.may_change and not newest
    button = b.button(
        "Roll back to this", ids.HOME_ROLL_BACK, ids.version_reference(facts.target, version.number), about=f"version {version.number} of {facts.target}"
    ) if rolls else None  # fmt: skip
    blocks = [b.section(history(version, newest=newest), button)]
    touched = _touched(version)
    return [*blocks, b.rich(b.bullets(touched))] if touched else blocks


def history(version: VersionInfo, *, newest: bool = False) -> str:
    """mrkdwn, our own words only."""
    parts = [f"*Version {version.number}*" + (", the newest" if newest else "")]
    if version.at_ms is not None:
        parts.append(date(version.at_ms))
    if version.number == 1 and version.request is None:
        parts.append("made, empty")
    if version.by is not None and version.request is not None:
        parts.append(f"asked by {mention(version.by)}")
        parts.append(f"request `{version.request}`")
    if version.back_to is not None:
        parts.append(f"back to version {version.back_to}")
    return " · ".join(parts)


def _touched(version: VersionInfo) -> list[list[b.Element]]:
    words: dict[Word, Sequence[str]] = {"new": version.added, "changed": version.changed, "removed": version.removed}
    listed = [(name, word) for word in ORDER for name in words[word]]
    lines = [[b.text(name, code=True), b.text(f" {word}")] for name, word in listed[:TOUCHED_MOST]]
    if left := listed[TOUCHED_MOST:]:
        told = [word for _, word in left]
        lines.append([b.text(f"and {len(left)} more: {_counted(told)}")])
    return lines


def _counted(words: Sequence[Word]) -> str:
    return ", ".join(f"{words.count(word)} {word}" for word in ORDER if word in words)


def rollback(version: VersionInfo, difference: Mapping[str, Word], about: tuple[str, int], terms: Terms) -> View:
    """The form for going back to `version`. `difference`: name -> what that does to it, of the newest version; `about`: the
    environment, and its newest version."""
    target, newest = about
    moved = {name: word for name, word in difference.items() if word != "unchanged"}
    said = b.section(f"`{target}` is to hold again what it held in version {version.number}. {history(version)}.")
    title = f"Back to version {version.number}"
    if terms.who.refusal is not None:
        refused = [said, b.plain_section(f"This cannot be asked for: {terms.who.refusal}")]
        return _modal(title, refused, target, version.number)
    if not moved:
        same = b.section(f"Version {newest}, the newest, holds just that already: there is nothing to go back to.")
        return _modal(title, [said, same], target, version.number)
    kept = "The sealed values of then are used again as they are: nobody types or sees them. It is decided as any other change."
    reason = f"Back to version {version.number}, from version {newest}."
    blocks = [
        said,
        b.rich(*_moving(moved)),
        b.context(kept),
        *words_of(terms, reason),
        *who_is_asked(terms.who),
    ]
    return _modal(title, blocks, target, version.number, submit="Request")


def _moving(moved: Mapping[str, Word]) -> list[b.Element]:
    listed = sorted(moved.items(), key=lambda one: (ORDER.index(one[1]), one[0]))
    shown = listed[:LISTED_MOST]
    parts = [
        b.line(b.text("Secrets", bold=True), b.text(f": {_counted(list(moved.values()))}")),
        b.bullets([b.text(name, code=True), b.text(f" {word}")] for name, word in shown),
    ]
    if left := listed[LISTED_MOST:]:
        parts.append(b.line(b.text(f"and {len(left)} more: {_counted([word for _, word in left])}")))
    return parts


def _modal(title: str, blocks: list[Block], target: str, number: int, submit: str | None = None) -> View:
    return b.modal(ids.ROLL_BACK_TO, title, blocks, about=ids.version_reference(target, number), submit=submit)


def kinds(offers: Collection[Offer], target: str) -> tuple[Offer, ...]:
    """What may be asked for of this one, in the order of the buttons."""
    return tuple(offer for kind in ASKS for offer in offers if (offer.kind, offer.target) == (kind, target))
