"""Ledger: every answer of a key server, on disk before it is given, each line bound to the one before."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from store.model.errors import Unavailable

GENESIS: Final = "0" * 64
LINE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    at: str  # ISO 8601, UTC
    caller: str
    did: str
    about: str
    answer: str
    previous: str  # SHA-256 of the line before, as it stands in the file

    def text(self) -> str:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(fields, ensure_ascii=True, separators=(",", ":")) + "\n"


class Ledger:
    """One process writes; whoever may read the file can verify it. Cut off at its end it still verifies: keep a copy elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._number, self._previous = 0, GENESIS

    def open(self) -> Self:
        """Raises `Unavailable` where it cannot be written, and where what is there was altered."""
        for line in self.read():
            self._number, self._previous = line.number, _digest(line.text())
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._refused(error) from None
        return self

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def write(self, *, at: str, caller: str, did: str, about: str, answer: str) -> None:
        """On disk when it returns. Raises `Unavailable`."""
        line = Line(self._number + 1, at, caller, did, about, answer, self._previous)
        text = line.text()
        try:
            self._append(text.encode())
        except OSError as error:
            raise self._refused(error) from None
        self._number, self._previous = line.number, _digest(text)

    def _append(self, raw: bytes) -> None:
        """The whole line or nothing of it: half a line would break the chain for every one after it."""
        if self._file is None:
            raise OSError(errno.EBADF, "it is not open")
        start = os.fstat(self._file).st_size
        if os.write(self._file, raw) != len(raw):
            os.ftruncate(self._file, start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._file)

    def read(self) -> Iterator[Line]:
        """Raises `Unavailable` at the first line that does not follow from the one before."""
        number, previous = 0, GENESIS
        try:
            file = self._path.open(encoding="ascii", newline="\n")
        except FileNotFoundError:
            return
        with file:
            while text := file.readline(LINE_BYTES):
                line = _line(text)
                number += 1
                if line is None or line.number != number or line.previous != previous or line.text() != text:
                    raise Unavailable(
                        f"{self._path}, line {number}, does not follow from the line before: the ledger was altered or cut.",
                        code="ledger",
                    )
                previous = _digest(text)
                yield line

    def _refused(self, error: OSError) -> Unavailable:
        return Unavailable(
            f"{self._path} cannot be written ({error.strerror}), and nothing is answered that is not written down.",
            code="ledger",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _line(text: str) -> Line | None:
    try:
        fields: dict[str, Any] = json.loads(text)
        return Line(**fields)
    except (TypeError, ValueError):
        return None
