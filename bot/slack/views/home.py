"""Home: the frame of App Home: the way to each page, and what stands on all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.slack.ids import HOME_GO, Place
from bot.slack.views import blocks as b
from bot.slack.views.facts import Block, View
from bot.slack.views.words import joined, people, plural
from store.model.people import Wanted


@dataclass(frozen=True, slots=True)
class Tab:
    """`name` is what a button carries."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What stands on every page. `waits`: how many requests wait for this person, in words; empty for none."""

    user: str
    place: Place
    tabs: tuple[Tab, ...]
    waits: str = ""
    lacking: Wanted = field(default_factory=Wanted)  # what Slack has not told yet


def home(facts: HomeFacts, page: Sequence[Block]) -> View:
    notice = [b.context(_asking(facts))] if facts.lacking.users | facts.lacking.groups else []
    return _view([b.actions(*(_tab(tab, facts) for tab in facts.tabs)), *notice, b.divider(), *page])


def closed(barred: str) -> View:
    """For who may do nothing here. `barred` follows "You are"."""
    told = f"You are {barred}. Only active members of this workspace ask and decide here."
    return _view(
        [b.plain_section(told), b.context("Something that you still have: `/countersign done` gives it back.")]
    )


def broken(place: Place, sentence: str) -> View:
    """When what should stand here cannot be read. `sentence` is ours, and may quote an outside system."""
    again = b.button("Look again", f"{HOME_GO}{place.page}", str(place))
    told = "This page cannot be shown now. What was decided stays decided; what is due meanwhile happens when this works again."
    return _view([b.header("Not available now"), b.section(told), b.plain_section(sentence), b.actions(again)])


def _view(blocks: list[Block]) -> View:
    return {"type": "home", "blocks": b.fresh(blocks)}


def _tab(tab: Tab, facts: HomeFacts) -> b.Element:
    here = tab.name == facts.place.page
    waits = f" ({facts.waits})" if facts.waits and tab is facts.tabs[0] else ""
    about = "you are here; draws it again" if here else "go there"
    style = "primary" if here else None
    return b.button(f"{tab.title}{waits}", f"{HOME_GO}{tab.name}", str(Place(tab.name)), about=about, style=style)


def _asking(facts: HomeFacts) -> str:
    users, groups = facts.lacking.users - {facts.user}, facts.lacking.groups
    you = ["you"] if facts.user in facts.lacking.users else []
    groups_named = (
        [people(groups)] if groups and len(groups) <= 3 else [plural(len(groups), "user group")] if groups else []
    )
    others = [people(users)] if users and len(users) <= 3 else [f"{len(users):,} people"] if users else []
    about = joined([*you, *groups_named, *others])
    return (
        f"Still asking Slack about {about}. Until it answers, something that waits for you may be missing here; "
        "this page is drawn again then."
    )
