"""Dotenv: `NAME=value` lines as shells and frameworks agree on them. Nothing is expanded, and what they disagree on is refused."""

import re
from collections.abc import Iterator
from typing import Final

from bot.cli.reading.entry import At, Entry, once, place
from store.model.secret import Secret

_SKIPPED: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_NAME: Final = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_BARE: Final = re.compile(r"[^\n]*")
_COMMENT: Final = re.compile(r"[ \t]+#.*")
_SINGLE: Final = re.compile(r"'([^']*)'")
_DOUBLE: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REST: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\r?\n|\r?\Z)")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "`": "`"}
_EXPANDS: Final = re.compile(r"\$(?:\{|\(|[A-Za-z_])|`")


def read(text: str, file: str) -> list[Entry]:
    """Raises `Invalid`."""
    return once(_entries(text.removeprefix("\ufeff"), file))


def _entries(text: str, file: str) -> Iterator[tuple[Entry, At]]:
    at = _end(_SKIPPED, text, 0)
    while at < len(text):
        here = place(file, text, at)
        name = _NAME.match(text, at)
        if name is None:
            raise here.wrong("A line is NAME=value here: letters, digits and _, no digit first.")
        value, at = _value(text, name.end(), file)
        yield Entry(name[1], Secret(value.encode())), here
        at = _end(_SKIPPED, text, at)


def _value(text: str, at: int, file: str) -> tuple[str, int]:
    here = place(file, text, at)
    quote = text[at : at + 1]
    if quote not in ("'", '"'):
        bare = _BARE.match(text, at)
        written = _COMMENT.sub("", bare[0] if bare is not None else "").strip()
        if written.startswith("#"):
            written = ""
        if _EXPANDS.search(written):
            raise here.wrong("What begins with $ is not filled in here. If it belongs to the value, put '…' around it.")
        return written, bare.end() if bare is not None else at
    found = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
    if found is None:
        raise here.wrong(f"The {quote} that begins here has no end.")
    if _REST.match(text, found.end()) is None:
        raise place(file, text, found.end()).wrong(f"Nothing but a comment stands behind the closing {quote}.")
    if quote == "'":
        return found[1], found.end()
    if expands := _EXPANDS.search(_ESCAPE.sub("  ", found[1])):
        raise place(file, text, found.start(1) + expands.start()).wrong(
            "What begins with $ is not filled in here. If it belongs to the value, write \\$ or put '…' around it."
        )
    return _unescaped(found[1]), found.end()


def _unescaped(text: str) -> str:
    """An unknown escape stays as it is written."""
    return _ESCAPE.sub(lambda found: ESCAPES.get(found[1], found[0]), text)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found is not None else at
