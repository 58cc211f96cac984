"""`countersign secrets`: to change secrets by a request, and to see how they came to be what they are, by name."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from bot.cli.filing import URL, asking, file, talk, tell
from bot.cli.moments import at
from bot.cli.output import Form, output_option, print_json, print_table

if TYPE_CHECKING:
    from bot.cli.client import Client
    from bot.cli.reading.entry import Entry
    from bot.cli.reading.source import Form as FileForm

HISTORY: Final = ("version", "when", "by", "request", "what")
MARKS: Final = (("added", "+"), ("changed", "~"), ("removed", "-"))
DRAFT: Final = click.option("--draft", is_flag=True, help="Ask nobody yet: gather it, sealed, for secrets submit.")


@click.group("secrets")
def command() -> None:
    """Change secrets by a request that others decide, and see how they came to be what they are. No value is ever printed."""


@command.command("set", short_help="Ask to set values: NAME=- or NAME=@file.")
@click.argument("target")
@click.argument("values", nargs=-1, required=True, metavar="NAME=-|NAME=@FILE...")
@click.option(
    "--file", "as_files", is_flag=True, help="They are files, with the mode of FILE; a name like tls/key.pem always is."
)
@DRAFT
@asking
@URL
@output_option
def set_(target: str, values: tuple[str, ...], *, as_files: bool, draft: bool, **how: Any) -> None:
    """Ask to set values of TARGET.

    NAME=- asks for it without an echo, or takes it from a pipe; NAME=@FILE takes what is in a file.
    """
    from bot.cli.environments import environment
    from bot.cli.reading.source import given

    where = environment(target)
    _change(where, given(values, as_files=as_files), (), draft=draft, **how)


@command.command("unset", short_help="Ask to remove names.")
@click.argument("target")
@click.argument("names", nargs=-1, required=True)
@DRAFT
@asking
@URL
@output_option
def unset(target: str, names: tuple[str, ...], *, draft: bool, **how: Any) -> None:
    """Ask to remove NAMES from TARGET."""
    from bot.cli.environments import environment

    _change(environment(target), (), names, draft=draft, **how)


@command.command("import", short_help="Ask to set what is in a file or a folder.")
@click.argument("target")
@click.argument("path", metavar="FILE|FOLDER|-")
@click.option(
    "--format",
    "form",
    type=click.Choice(["dotenv", "json", "yaml"]),
    help="What form the file has; else its name says so.",
)
@DRAFT
@asking
@URL
@output_option
def import_(target: str, path: str, *, form: "FileForm | None", draft: bool, **how: Any) -> None:
    """Ask to set in TARGET what is in a dotenv, JSON or YAML file; or each file of a folder, as a file with its mode.

    What the environment has beyond it stays as it is.
    """
    from bot.cli.environments import environment
    from bot.cli.reading.source import imported

    _change(environment(target), imported(path, form), (), draft=draft, **how)


@command.command("submit", short_help="Ask for what was gathered with --draft.")
@click.argument("target")
@asking
@URL
@output_option
def submit(
    target: str, *, url: str | None, reason: str, ticket: str | None, wait: bool, timeout_ms: int | None, output: Form
) -> None:
    """Ask for everything in the draft for TARGET, as one request."""
    from bot.cli.drafts import Drafts
    from bot.cli.environments import environment

    where = environment(target)

    async def gathered(client: "Client") -> tuple[Drafts, list[dict[str, Any]]]:
        await client.get("/v1/whoami")  # what time it is there
        drafts = Drafts.of(os.environ, client.url)
        return drafts, drafts.entries(where, client.now_ms())

    drafts, entries = talk(url, gathered)
    body = {"kind": "change", "target": where, "entries": entries, "reason": reason, "ticket": ticket}
    asked = file(url, body, wait=wait, timeout_ms=timeout_ms, output=output, filed=lambda: drafts.discard(where))
    tell(asked, output)


@command.command("draft", short_help="What was gathered so far, by name.")
@click.argument("target")
@click.option("--discard", is_flag=True, help="Forget it. The server drops the values within the hour.")
@URL
@output_option
def draft_(target: str, *, discard: bool, url: str | None, output: Form) -> None:
    """Show the draft for TARGET, or forget it."""
    from bot.cli.credentials import Credentials
    from bot.cli.drafts import Drafts
    from bot.cli.environments import environment

    where = environment(target)
    drafts = Drafts.of(os.environ, Credentials.of(os.environ).url(url))
    edits = drafts.read(where)
    if discard:
        drafts.discard(where)
    if output == "json":
        print_json([{"name": name, "remove": edit.reference is None} for name, edit in sorted(edits.items())])
    elif not edits:
        click.echo(f"There is no draft for {where}.", err=True)
    else:
        for name, edit in sorted(edits.items()):
            click.echo(f"{'remove' if edit.reference is None else 'set':<7} {name}")
        if discard:
            click.echo("Forgotten.", err=True)


@command.command("names", short_help="The names in an environment.")
@click.argument("target")
@URL
@output_option
def names(target: str, *, url: str | None, output: Form) -> None:
    """Print the names in TARGET, one a line: values first, then files."""
    from bot.cli.environments import Environments, environment

    where = environment(target)
    found = talk(url, lambda client: Environments(client).names(where))
    if output == "json":
        print_json(found)
        return
    for entry in sorted(found.get("entries", []), key=lambda entry: (bool(entry.get("file")), entry["name"])):
        click.echo(entry["name"])


@command.command("diff", short_help="What changed between two versions, by name.")
@click.argument("target")
@click.option("--from", "first", type=click.IntRange(min=1), help="A version; else the one before the last.")
@click.option("--to", type=click.IntRange(min=1), help="A version; else the newest.")
@URL
@output_option
def diff(target: str, *, first: int | None, to: int | None, url: str | None, output: Form) -> None:
    """Print what changed in TARGET between two versions: + new, ~ changed, - removed. Values are never compared here: one sealed again counts as changed."""
    from bot.cli.environments import Environments, environment

    where = environment(target)

    async def compared(client: "Client") -> dict[str, Any]:
        environments = Environments(client)
        newest = to if to is not None else int((await environments.names(where))["version"])
        return await environments.difference(where, first if first is not None else max(1, newest - 1), newest)

    found = talk(url, compared)
    if output == "json":
        print_json(found)
        return
    marks = {"new": "+", "changed": "~", "removed": "-"}
    moved = [entry for entry in found.get("entries", []) if entry["word"] in marks]
    for entry in moved:
        click.echo(f"{marks[entry['word']]} {entry['name']}")
    if not moved:
        click.echo(f"Versions {found.get('from')} and {found.get('to')} hold the same.", err=True)


@command.command("history", short_help="How each version came about.")
@click.argument("target")
@click.option("-n", "most", type=click.IntRange(1, 100), default=20, show_default=True, help="At most so many.")
@URL
@output_option
def history(target: str, *, most: int, url: str | None, output: Form) -> None:
    """List the versions of TARGET, the newest first: + added, ~ changed, - removed."""
    from bot.cli.environments import Environments, environment

    where = environment(target)

    async def listed(client: "Client") -> tuple[list[dict[str, Any]], int]:
        return await Environments(client).versions(where, most), client.now_ms()

    found, now_ms = talk(url, listed)
    if output == "json":
        print_json(found)
    else:
        print_table(HISTORY, [_version(one, now_ms) for one in found])


@command.command("rollback", short_help="Ask to go back to an earlier version.")
@click.argument("target")
@click.argument("version", type=click.IntRange(min=1))
@asking
@URL
@output_option
def rollback(
    target: str,
    version: int,
    *,
    reason: str,
    ticket: str | None,
    wait: bool,
    timeout_ms: int | None,
    url: str | None,
    output: Form,
) -> None:
    """Ask for TARGET to hold again what it held in VERSION. It is a change like any other: others decide."""
    from bot.cli.environments import environment

    body = {"kind": "change", "target": environment(target), "rollback_to": version, "reason": reason, "ticket": ticket}
    tell(file(url, body, wait=wait, timeout_ms=timeout_ms, output=output), output)


def _change(
    target: str,
    entries: "Sequence[Entry]",
    removed: Sequence[str],
    *,
    draft: bool,
    reason: str,
    ticket: str | None,
    wait: bool,
    timeout_ms: int | None,
    url: str | None,
    output: Form,
) -> None:
    from bot.cli.environments import carried
    from store.model.sealed import check_names, check_request

    check_names({entry.name: entry.mode for entry in entries})
    check_request([*(len(entry.value) for entry in entries), *(0 for _ in removed)])
    if draft:
        _gather(target, entries, removed, url, output)
        return
    carries: list[dict[str, Any]] = [carried(entry) for entry in entries]
    carries += [{"name": name, "remove": True} for name in removed]
    body = {"kind": "change", "target": target, "entries": carries, "reason": reason, "ticket": ticket}
    tell(file(url, body, wait=wait, timeout_ms=timeout_ms, output=output), output)


def _gather(target: str, entries: "Sequence[Entry]", removed: Sequence[str], url: str | None, output: Form) -> None:
    from bot.cli.drafts import Drafts, Edit
    from bot.cli.environments import Environments

    async def sealed(client: "Client") -> int:
        drafts, environments = Drafts.of(os.environ, client.url), Environments(client)
        for entry in entries:
            reference, expires_ms = await environments.seal(target, entry)
            drafts.add(target, {entry.name: Edit(reference, entry.mode, expires_ms)})
        drafts.add(target, {name: Edit(None) for name in removed})
        return len(drafts.read(target))

    count = talk(url, sealed)
    if output == "json":
        print_json({"target": target, "gathered": count})
    else:
        click.echo(
            f"{count} in the draft for {target}. Within the hour: countersign secrets submit {target} --reason '…'",
            err=True,
        )


def _version(one: dict[str, Any], now_ms: int) -> tuple[str, ...]:
    what = " ".join(f"{mark}{name}" for key, mark in MARKS for name in one.get(key, []))
    back = f"back to {one['back_to']}: " if one.get("back_to") else ""
    when = at(one["at_ms"], now_ms) if one.get("at_ms") else ""
    return str(one.get("version", "")), when, str(one.get("by") or ""), str(one.get("request") or ""), back + what
