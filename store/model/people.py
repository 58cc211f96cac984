"""What is known of the persons a decision needs, and when it was known."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from store.model.errors import Unavailable
from store.model.identity import GroupId, UserId
from store.model.record import Record

FRESH_MS: Final = 30_000  # a fact older than this decides nothing


class Person(Record):
    """One Slack user of this installation. `email` is what an outside system knows the person by."""

    id: UserId
    name: str
    email: str | None = None
    tz: str | None = None
    active: bool = True
    home: bool = True
    human: bool = True
    guest: bool = False

    @property
    def barred(self) -> str | None:
        """Why this person may do nothing here, in words that follow "you are" or "they are"; None when they may."""
        if not self.active:
            return "deactivated in Slack"
        if not self.home:
            return "from another workspace"
        if not self.human:
            return "not a person"
        if self.guest:
            return "a guest in this workspace"
        return None


class Group(Record):
    """A Slack user group and the ids of its members."""

    id: GroupId
    handle: str
    members: frozenset[UserId] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The persons and groups whose facts a decision needs."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __or__(self, other: "Wanted") -> "Wanted":
        return Wanted(self.users | other.users, self.groups | other.groups)


@dataclass(frozen=True, slots=True)
class People:
    """One dated snapshot. What is not in it is not known, which is never the same as "no"."""

    as_of_ms: int
    persons: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    @property
    def good_until_ms(self) -> int:
        return self.as_of_ms + FRESH_MS

    def missing(self, wanted: Wanted) -> Wanted:
        return Wanted(wanted.users - self.persons.keys(), wanted.groups - self.groups.keys())

    def lacks(self, wanted: Wanted) -> bool:
        return self.missing(wanted) != Wanted()


class Directory(Protocol):
    """Supplies facts about people. Slack's is `bot.slack.directory`."""

    async def people(self, wanted: Wanted, *, patient: bool = False) -> People:
        """At most `FRESH_MS` old. What cannot be had in time is left out, unless `patient`: then `Unavailable` is raised."""
        ...


def not_told(who: str = "you are") -> Unavailable:
    """A fact is missing that decides."""
    return Unavailable(f"Slack has not told us in time who {who}. Try again in a moment.", code="people_unknown")
