"""JSON: one object of names and values, each known by where it stands."""

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

from bot.cli.reading.entry import At, Entry, once, place
from store.model.secret import Secret

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_READER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
WRONG: Final = 'It is an object like {"NAME": "value"}; a file is {"path": {"base64": "…", "mode": "0600"}}.'


def read(text: str, file: str) -> list[Entry]:
    """Raises `Invalid`."""
    return once(_entries(text.removeprefix("\ufeff"), file))


def entry(name: str, value: Any, at: At) -> Entry:
    """Numbers are read as they are written. Raises `Invalid`."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, str):
        return Entry(name, Secret(value.encode()))
    if isinstance(value, dict) and set(value) in ({"base64"}, {"base64", "mode"}):
        bits = mode(value["mode"], at) if "mode" in value else None
        try:
            return Entry(name, Secret(b64decode(str(value["base64"]), validate=True)), bits)
        except binascii.Error:
            raise at.wrong("What is under base64 is not base64.") from None
    raise at.wrong(f"This is no value. {WRONG}")


def mode(written: object, at: At) -> int:
    """`"0640"`, octal, as everybody writes it. Raises `Invalid`."""
    if not isinstance(written, str) or not re.fullmatch(r"0?[0-7]{3}", written):
        raise at.wrong('A mode is written like "0640".')
    return int(written, 8)


def _entries(text: str, file: str) -> Iterator[tuple[Entry, At]]:
    at = _skip(text, 0)
    at = _expect(text, at, "{", file)
    while not text.startswith("}", at):
        here = place(file, text, at)
        if not text.startswith('"', at):
            raise here.wrong(f"Here the name of a value is missing. {WRONG}")
        name, at = _one(text, at, file)
        at = _expect(text, at, ":", file)
        there = place(file, text, at)
        value, at = _one(text, at, file)
        yield entry(name, value, there), here
        if not text.startswith("}", at):
            at = _expect(text, at, ",", file)
            if text.startswith("}", at):
                raise place(file, text, at).wrong("No comma stands before the closing }.")
    at = _skip(text, at + 1)
    if at < len(text):
        raise place(file, text, at).wrong("Nothing stands behind the closing }.")


def _one(text: str, at: int, file: str) -> tuple[Any, int]:
    try:
        value, end = _READER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise place(file, text, error.pos).wrong(f"This is not JSON: {error.msg}.") from None
    except RecursionError:
        raise place(file, text, at).wrong(f"This is no value. {WRONG}") from None
    return value, _skip(text, end)


def _expect(text: str, at: int, sign: str, file: str) -> int:
    if not text.startswith(sign, at):
        raise place(file, text, at).wrong(f"Here {sign} is missing. {WRONG}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at
