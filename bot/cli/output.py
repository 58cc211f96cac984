"""Output: how answers and errors are printed, for people at a terminal, for pipes, and as JSON."""

import json as codec
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, Literal, TypeVar

import click

from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable

Form = Literal["text", "json"]
Command = TypeVar("Command", bound=Callable[..., Any])

# The first class that fits; whatever else was refused, failed.
EXIT_CODES: Final[tuple[tuple[type[AccessError], int], ...]] = (
    (Invalid, 2),
    (Forbidden, 3),
    (NotFound, 4),
    (Conflict, 5),
    (Unavailable, 6),
    (AccessError, 1),
)
COLORS: Final = {"OK": "green", "WARN": "yellow", "FAIL": "red"}


def output_option(command: Command) -> Command:
    """`-o text|json`, passed on as `output`. Given before the command it holds too."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default=lambda: click.get_current_context().find_root().params.get("output") or "text",
        help="How to print; json is for scripts.",
    )
    return option(command)


def wants_json(arguments: Sequence[str]) -> bool:
    """Also of arguments that cannot be read: their error is asked for in JSON too."""
    pairs = pairwise([*arguments, ""])
    return any(
        (one in ("-o", "--output") and two == "json") or one in ("-ojson", "--output=json") for one, two in pairs
    )


def exit_code(error: AccessError) -> int:
    """Its own, where it has one: `exit`."""
    own = getattr(error, "exit", None)
    return own if isinstance(own, int) else next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def tell_error(code: str, sentence: str, *, json: bool) -> None:
    if json:
        print_json({"error": {"code": code, "message": sentence}})
    else:
        click.echo(sentence, err=True)


def print_json(value: Any) -> None:
    """One line, as other programs like it."""
    click.echo(codec.dumps(value, ensure_ascii=False))


def colored() -> bool:
    """https://no-color.org: any value but the empty one says no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, **style: Any) -> str:
    return click.style(text, **style) if colored() else text


def width() -> int | None:
    """Columns of the terminal; None where nobody looks at columns."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """At a terminal as wide as it is, with a header; in a pipe one line a row, fields apart by tabs, nothing cut."""
    columns = width()
    if columns is None:
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=SIMPLE_HEAD, pad_edge=False, expand=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=columns, no_color=not colored(), highlight=False).print(table)


def print_finding(word: str, about: str, sentence: str) -> None:
    """At a terminal in columns, the sentence wrapped beside them; in a pipe one line."""
    columns = width()
    head = f"{styled(f'{word:<4}', fg=COLORS[word], bold=word != 'OK')}  {about:<14}  "
    indent = " " * (4 + 2 + 14 + 2)
    if columns is None:
        click.echo(f"{word:<4}  {about:<14}  {sentence}")
        return
    click.echo(head + wrapped(sentence, columns - len(indent), indent))


def print_labelled(label: str, sentence: str, columns_of_label: int = 14) -> None:
    """At a terminal the sentence is wrapped beside its label; in a pipe one line."""
    columns = width()
    body = sentence if columns is None else wrapped(sentence, columns - columns_of_label, " " * columns_of_label)
    click.echo(f"{styled(f'{label:<{columns_of_label}}', fg='cyan')}{body}".rstrip())


def wrapped(text: str, columns: int, indent: str) -> str:
    """Lines after the first begin with `indent`. Paths and addresses are never broken."""
    lines = textwrap.wrap(text, max(columns, 30), break_long_words=False, break_on_hyphens=False)
    return f"\n{indent}".join(lines)


def print_paragraph(text: str, *, bold: bool = False) -> None:
    """One sentence or a few; at a terminal wrapped under its own indentation."""
    columns = width()
    if columns is not None:
        body = text.lstrip(" ")
        indent = " " * (len(text) - len(body))
        text = indent + wrapped(body, columns - len(indent), indent)
    click.echo(styled(text, bold=True) if bold else text)
