"""A policy file, read and judged by itself: no network, nothing looked up."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from bot.policy_file import mistakes, rules, whole
from bot.policy_file.form import Document
from bot.policy_file.mending import doubted, further
from bot.policy_file.names import names_in, policy_set, stand_in
from bot.policy_file.problems import Finding, Path, Places, PolicyFileInvalid, Problem
from bot.policy_file.tree import MOST_BYTES, read_tree
from bot.policy_file.words import describe


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What a file says, in its own words, with where it says it."""

    document: Document
    places: Places
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `lines` says each rule in words, where the file can be used."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    lines: tuple[str, ...] = ()


def read(path: FilePath) -> PolicyFile:
    """Raises `PolicyFileInvalid` with everything that is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise PolicyFileInvalid(
            [Problem(str(path), None, "there is no such file; create it, or name another.")]
        ) from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise PolicyFileInvalid(
            [Problem(str(path), None, f"cannot be read ({reason}); check the path and who may read it.")]
        ) from None
    return parse(data, str(path))


def parse(data: bytes, file: str = "policies.yml") -> PolicyFile:
    """`file` is what errors call it. Raises `PolicyFileInvalid` with everything that is wrong."""
    tree, places, findings = read_tree(data, file)
    document, more = _judged(tree, places, blamed={finding.path for finding in findings})
    findings += more
    errors = places.problems(finding for finding in findings if not finding.warning)
    warnings = places.problems(finding for finding in findings if finding.warning)
    if errors or document is None:
        raise PolicyFileInvalid(errors)
    return PolicyFile(document, places, warnings)


def check(path: FilePath) -> Report:
    """For people: never raises for what is wrong with the file."""
    try:
        file = read(path)
    except PolicyFileInvalid as invalid:
        return Report(invalid.problems)
    return Report((), tuple(sorted(file.warnings)), tuple(_lines(file.document)))


def _lines(document: Document) -> Iterator[str]:
    words = {stand_in(name): name.shown for _, name in names_in(document)}
    for number, policy in enumerate(policy_set(document, stand_in, words, number=1).policies, start=1):
        yield f"{number}. {policy.name}"
        yield from (f"   {line}" for line in describe(policy, words))


def _judged(tree: Any, places: Places, blamed: set[Path]) -> tuple[Document | None, list[Finding]]:
    """`blamed`: what was refused while reading. It is missing from the tree, which is not its mistake a second time."""
    try:
        document = Document.model_validate(tree)
    except ValidationError as error:
        found = [each for each in mistakes.findings(error, tree) if not _follows(each.path, blamed)]
        return None, found + list(further(tree, {each.path for each in found} | blamed))
    findings = list(rules.of_parts(document))
    findings += whole.misfits(document)
    if all(finding.warning for finding in findings):
        findings += whole.warnings(document, places)
    return document, [
        finding for finding in findings if not _follows(finding.path, blamed) and not doubted(finding.path, blamed)
    ]


def _follows(path: Path, blamed: set[Path]) -> bool:
    """Of a target that lacks something `doubted` knows more."""
    whole = not (path[:1] == ("targets",) and len(path) == 2)
    return any(path == each or (whole and path == each[:-1]) for each in blamed)
