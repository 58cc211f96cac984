"""Listing: every door of the assembled program, taken from the program itself, by name.

route GET /healthz        what aiohttp's router answers
action approve            what Bolt has a listener for; likewise view, options, shortcut, event, command
menu why                  a choice in the overflow menu of a card
slash Pending             what `/countersign …` is read as
cli policy check          a command of the program that does something
lifecycle Approve         what the corridor takes
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

import click
from slack_bolt.async_app import AsyncApp

from bot.app import App
from bot.cli.program import program
from bot.http.slack_events import PATH
from bot.slack import grammar, ids
from store.model import command

# Bolt's builder of a matcher → how we call what it lets in.
KINDS: Final = {"view_submission": "view", "block_suggestion": "options", "block_action": "action"}
WITHOUT_BODY: Final = ("HEAD",)  # aiohttp adds it to each GET


def every(app: App) -> set[str]:
    """Of an app that hears Slack over HTTP: that one has a route more."""
    return {*routes(app), *bolt_doors(bolt_of(app)), *menu(), *slash(), *cli(program), *lifecycle()}


def routes(app: App) -> Iterator[str]:
    for route in _routes(app):
        if route.method not in WITHOUT_BODY:
            yield f"route {route.method} {route.resource.canonical if route.resource else '?'}"


def _routes(app: App) -> Iterable[Any]:
    return app.http._runner.app.router.routes()


def bolt_of(app: App) -> AsyncApp:
    (events,) = {route.handler.__self__ for route in _routes(app) if route.resource.canonical == PATH}
    bolt: AsyncApp = events._app
    return bolt


def bolt_doors(bolt: AsyncApp) -> Iterator[str]:
    """What each listener was registered for stands nowhere but in the closure of its first matcher."""
    for listener in bolt._async_listeners:
        matches = _held(listener.matchers[0].func)["func"]  # type: ignore[attr-defined]  # of the built-in matchers
        builder = matches.__qualname__.partition(".")[0]
        (wanted,) = (held for held in _held(matches).values() if isinstance(held, str | re.Pattern | dict))
        yield f"{KINDS.get(builder, builder)} {wanted.pattern if isinstance(wanted, re.Pattern) else wanted}"


def _held(function: Any) -> dict[str, Any]:
    names, cells = function.__code__.co_freevars, function.__closure__ or ()
    return {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}


def met(rows: Iterable[str], name: str) -> set[str]:
    """The rows that this name of a button or form comes to: its own, or that of a pattern that is not for everything."""
    kind, _, id_ = name.partition(" ")
    patterns = {
        row for row in rows if row.startswith(f"{kind} ") and re.search(r"[\\^$*+\[(|]", row) and row != "action .*"
    }
    return {row for row in rows if row == name} | {row for row in patterns if re.search(row.partition(" ")[2], id_)}


def menu() -> Iterator[str]:
    return (f"menu {value}" for name, value in vars(ids).items() if name.startswith("MORE_"))


def slash() -> Iterator[str]:
    return (f"slash {each.__name__}" for each in get_args(grammar.Parsed))


def cli(group: click.Command, *words: str) -> Iterator[str]:
    if not isinstance(group, click.Group):
        yield " ".join(("cli", *words))
        return
    with click.Context(group) as context:
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield from cli(found, *words, name)


def lifecycle() -> Iterator[str]:
    """Each command there is a class for, whether or not a union or a listener knows it."""
    yield "lifecycle submit"
    for name, each in vars(command).items():
        if not name.startswith("_") and isinstance(each, type) and issubclass(each, command._Command):
            yield f"lifecycle {name}"
