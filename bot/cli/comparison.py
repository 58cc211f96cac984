"""Comparison: the policies in force, written out and held against a file."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bot import policy_file
from bot.cli.local import local
from bot.policy_file.difference import Difference, differences, read_like, told, unified
from bot.policy_file.writing import text
from bot.slack.views.words import cleaned, utc
from store.model.enactment import Enactment
from store.model.errors import NotFound
from store.model.policy import PolicySet

__all__ = ["color", "differences", "exported", "in_force", "lines", "of_files", "to_dict", "unified", "with_file"]


@dataclass(frozen=True, slots=True)
class Version:
    """One version, and where it was looked at what it changed. `names`: id -> how the policies call them."""

    number: int
    enactment: Enactment | None
    names: Mapping[str, str]
    changes: tuple[Difference, ...] = ()

    def row(self) -> tuple[str, str, str, str, str]:
        enactment = self.enactment
        if enactment is None:
            return str(self.number), "", "not known", "", ""
        how = f"version {enactment.restored} again, without an approval" if enactment.restored else HOW[enactment.how]
        who = self._called(enactment.by)
        if enactment.approved_by:
            who += f", approved by {', '.join(map(self._called, enactment.approved_by))}"
        return str(self.number), utc(enactment.at_ms), how, who, enactment.request or ""

    def lines(self) -> Iterator[str]:
        if self.enactment is not None and self.enactment.reason:
            yield f"because: {cleaned(self.enactment.reason)}"
        for each in self.changes:
            yield from lines(each)

    def to_dict(self) -> dict[str, Any]:
        enactment = self.enactment.model_dump(mode="json", exclude_none=True) if self.enactment is not None else None
        return {"version": self.number, "enactment": enactment, "differences": [to_dict(each) for each in self.changes]}

    def _called(self, who: str) -> str:
        return cleaned(self.names.get(who, who))


HOW: Final = {"first": "the first start", "request": "request", "recovered": "recovered, without an approval"}


async def in_force(environ: Mapping[str, str], version: int | None = None) -> PolicySet:
    """Or this version. Raises `AccessError`."""
    async with local(environ) as here:
        current = await here.policies.current()
        if version is None:
            return current
        if version > current.number:
            raise NotFound(f"There is no version {version}: version {current.number} is in force.", code="no_version")
        return await here.policies.get(version)


async def history(environ: Mapping[str, str], most: int, *, with_changes: bool) -> list[Version]:
    """The newest first. Raises `AccessError`."""
    async with local(environ) as here:
        found = []
        for number, enactment in await here.policies.enactments(most=most):
            policies = await here.policies.get(number)
            before = await here.policies.get(number - 1) if with_changes and number > 1 else None
            changes = differences(before, policies) if before is not None else ()
            found.append(Version(number, enactment, policies.names, changes))
        return found


async def with_file(environ: Mapping[str, str], file: Path) -> tuple[PolicySet, PolicySet]:
    """Raises `PolicyFileInvalid`, before anything else is looked at, and `AccessError`."""
    document = policy_file.read(file)
    current = await in_force(environ)
    return current, read_like(document, current.names)


def of_files(one: Path, other: Path) -> tuple[PolicySet, PolicySet]:
    """Raises `PolicyFileInvalid`."""
    return read_like(policy_file.read(one)), read_like(policy_file.read(other))


def exported(policies: PolicySet) -> Iterator[str]:
    """With the names of those who stand there by id, as remarks."""
    body = text(policies)
    yield f"# Version {policies.number} of the policies."
    for principal, name in sorted(policies.names.items()):
        if principal != name and principal in body:
            yield f"# {principal} is {cleaned(name)}."
    yield body.removesuffix("\n")


def lines(difference: Difference) -> Iterator[str]:
    """What happened to it, and then key by key."""
    head, fields = told(difference)
    yield cleaned(head)
    yield from (f"  {cleaned(field)}" for field in fields)


def to_dict(difference: Difference) -> dict[str, Any]:
    found = asdict(difference)
    found["from"], found["to"] = found.pop("places")
    return {key: value for key, value in found.items() if value is not None}


def color(line: str) -> str | None:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
