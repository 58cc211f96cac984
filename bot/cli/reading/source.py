"""Source: a file or a folder to import, and `NAME=…` of a command line."""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final, Literal

import click

from bot.cli.reading.entry import Entry, checked
from store.model.errors import Invalid, NotFound
from store.model.identity import shown
from store.model.sealed import MAX_FILE_BYTES
from store.model.secret import Secret

Form = Literal["dotenv", "json", "yaml", "folder"]
BY_ENDING: Final[dict[str, Form]] = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".env": "dotenv"}
MODE: Final = 0o600
MOST_READ: Final = 8 * MAX_FILE_BYTES  # of one file, before it is taken apart
ON_THE_LINE: Final = (
    "{names} stood on the command line: that is kept in your shell's history, and others on this computer could see it. "
    "Write {first}=- to be asked for it, or {first}=@file."
)


# -- a file or a folder ------------------------------------------------------------------------------------------------------


def imported(path: str, form: Form | None = None) -> list[Entry]:
    """`-` is our input. Raises `Invalid`, `NotFound`."""
    if path != "-" and (form == "folder" or (form is None and Path(path).is_dir())):
        return folder(Path(path))
    return _reader(form or _form_of(path))(_text(_bytes(path), path), path if path != "-" else "stdin")


def folder(path: Path) -> list[Entry]:
    """Each file by its path within, with its mode. Raises `Invalid` for what is neither a file nor a folder."""
    found = []
    for one in _files(path):
        name = one.relative_to(path).as_posix()
        mode = one.stat().st_mode & 0o777
        found.append(checked(Entry(name, Secret(_bytes(str(one))), mode)))
    if not found:
        raise NotFound(f"No file is in {path}.", code="nothing_there")
    return found


def _files(path: Path) -> Iterator[Path]:
    try:
        inside = sorted(path.iterdir())
    except OSError as error:
        raise _unread(str(path), error) from None
    for one in inside:
        kind = one.lstat().st_mode
        if stat.S_ISDIR(kind):
            yield from _files(one)
        elif stat.S_ISREG(kind):
            yield one
        else:
            raise Invalid(
                f"{one} is neither a file nor a folder. Links are not followed: put the file itself there.",
                code="bad_file",
            )


def _form_of(path: str) -> Form:
    name = Path(path).name
    if name == ".env" or name.startswith(".env."):
        return "dotenv"
    form = BY_ENDING.get(Path(path).suffix)
    if form is None:
        raise Invalid(
            f"What form {path} has is not to be seen from its name. Say --format dotenv, json or yaml.", code="no_form"
        )
    return form


def _reader(form: Form) -> Callable[[str, str], list[Entry]]:
    from bot.cli.reading import dotenv, json_file

    if form == "yaml":
        from bot.cli.reading import yaml_file

        return yaml_file.read
    return json_file.read if form == "json" else dotenv.read


def _bytes(path: str) -> bytes:
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as opened:
            found = opened.read(MOST_READ + 1)
    except OSError as error:
        raise _unread(path, error) from None
    if len(found) > MOST_READ:
        raise Invalid(f"{path} has more than {MOST_READ:,} bytes.", code="too_large")
    return found


def _text(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Invalid(
            f"{path}:{line}: This is not UTF-8. Bytes of any kind can be a file: NAME=@FILE with --file.",
            code="bad_file",
        ) from None


def _unread(path: str, error: OSError) -> Invalid | NotFound:
    kind = NotFound if isinstance(error, FileNotFoundError) else Invalid
    return kind(f"{path} cannot be read: {error.strerror}.", code="unreadable")


# -- NAME=… ------------------------------------------------------------------------------------------------------------------


def given(words: Sequence[str], *, as_files: bool) -> list[Entry]:
    """`NAME=-` from our input, or asked for without an echo; `NAME=@file`; `NAME=value`, with a warning. Raises `Invalid`.

    A name with a slash or a dot is a file's, and so is every name with `as_files`.
    """
    pairs = [_pair(word) for word in words]
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Invalid(f"{', '.join(sorted(twice))} is given twice.", code="twice")
    if not sys.stdin.isatty() and sum(how in ("-", "@-") for _, how in pairs) > 1:
        raise Invalid(
            "Only one value can come from a pipe. For several use countersign secrets import -.", code="one_pipe"
        )
    if open_ := [name for name, how in pairs if how != "-" and not how.startswith("@") and how]:
        click.echo(ON_THE_LINE.format(names=", ".join(open_), first=open_[0]), err=True)
    return [_entry(name, how, as_file=as_files or not name.isidentifier()) for name, how in pairs]


def _pair(word: str) -> tuple[str, str]:
    name, sign, how = word.partition("=")
    if not sign:
        raise Invalid(
            f"{shown(name)} has no value. Write {name[:40]}=- to be asked for it, or {name[:40]}=@file.",
            code="no_value",
        )
    return name, how


def _entry(name: str, how: str, *, as_file: bool) -> Entry:
    if how == "-":
        value, mode = _typed(name), MODE
    elif how.startswith("@"):
        value, mode = _bytes(how[1:]), (os.stat(how[1:]).st_mode & 0o777 if how != "@-" else MODE)  # noqa: PTH116 - the word may be empty
    else:
        value, mode = how.encode(), MODE
    if not as_file:
        value = _one_newline_less(value) if how != how.removeprefix("@") or how == "-" else value
    return checked(Entry(name, Secret(value), mode if as_file else None))


def _typed(name: str) -> bytes:
    if not sys.stdin.isatty():
        return _bytes("-")
    import getpass

    first = getpass.getpass(f"{name}: ")
    if getpass.getpass(f"{name}, once more: ") != first:
        raise Invalid(f"The two values of {name} differ. Nothing was sent.", code="differs")
    return first.encode()


def _one_newline_less(value: bytes) -> bytes:
    """What `echo` and editors put behind a line is no part of a value of one line."""
    line = value.removesuffix(b"\n").removesuffix(b"\r") if value.endswith(b"\n") else value
    return line if b"\n" not in line else value
