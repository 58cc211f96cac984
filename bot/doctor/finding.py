"""Finding: one thing that was looked at, and how it is."""

from enum import StrEnum
from typing import NamedTuple


class Word(StrEnum):
    OK = "OK"
    WARN = "WARN"  # it works, and somebody should know
    FAIL = "FAIL"  # something does not work, or nothing is promised of it


class Finding(NamedTuple):
    """`about`: one word for the part. `sentence`: what is the case, and where it is not well what to do."""

    word: Word
    about: str
    sentence: str


def ok(about: str, sentence: str) -> Finding:
    return Finding(Word.OK, about, sentence)


def warn(about: str, sentence: str) -> Finding:
    return Finding(Word.WARN, about, sentence)


def fail(about: str, sentence: str) -> Finding:
    return Finding(Word.FAIL, about, sentence)
