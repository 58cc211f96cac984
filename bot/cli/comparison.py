"""Comparison: the policies in force, written out and held against a file."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot import policy_file
from bot.cli.local import local
from bot.policy_file.difference import Difference, differences, read_like, told, unified
from bot.policy_file.writing import text
from bot.slack.views.words import cleaned
from store.model.policy import PolicySet

__all__ = ["color", "differences", "exported", "in_force", "lines", "of_files", "to_dict", "unified", "with_file"]


async def in_force(environ: Mapping[str, str]) -> PolicySet:
    """Raises `AccessError`."""
    async with local(environ) as here:
        return await here.policies.current()


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
    yield f"# Version {policies.number} of the policies, as they are in force."
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
