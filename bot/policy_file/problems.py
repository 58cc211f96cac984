"""What is wrong in a file, and where: a finding has a path of keys, a problem has a line and a column."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from store.model.errors import Invalid

Key = str | int
Path = tuple[Key, ...]


class Place(NamedTuple):
    """Both count from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Finding:
    """`sentence` says what is wrong and what would be right. A warning lets the file pass.

    `path` leads through the file as it was written; `at_key` points at the key instead of its value.
    """

    path: Path
    sentence: str
    warning: bool = False
    at_key: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One line for people. `place` is None where the whole file is meant."""

    file: str
    place: Place | None
    sentence: str

    def __post_init__(self) -> None:
        # Parts of the file are repeated in sentences, and sentences are printed on terminals.
        clean = "".join(ch if ch.isprintable() else "�" for ch in self.sentence)
        object.__setattr__(self, "sentence", clean)

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else self.file
        return f"{where}: {self.sentence}"


class PolicyFileInvalid(Invalid):
    """The file cannot be used. `problems` holds everything that is wrong with it, in the order of the file."""

    code = "bad_policy_file"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Places:
    """Where each path of a file stands."""

    file: str
    values: Mapping[Path, Place]
    keys: Mapping[Path, Place]

    def problem(self, finding: Finding) -> Problem:
        return Problem(self.file, self.of(finding.path, at_key=finding.at_key), finding.sentence)

    def of(self, path: Path, *, at_key: bool = False) -> Place:
        """The place of the nearest thing that was written: a key that is missing stands where its mapping does."""
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(1, 1))

    def problems(self, findings: Iterable[Finding]) -> tuple[Problem, ...]:
        return tuple(sorted({self.problem(finding) for finding in findings}))
