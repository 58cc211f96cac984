"""`countersign keys`: who holds the keys of environments, and what is done with them."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import click

from bot.cli.filing import AS, BECAUSE, TICKET
from bot.cli.output import output_option, print_json, print_paragraph, print_table, styled

if TYPE_CHECKING:
    from store.redis.epochs import Moved

Tell = Callable[[str, "Moved"], None]


@click.group("keys")
def command() -> None:
    """Who holds the keys of environments, and what is done with them.

    A holder is given keys that COUNTERSIGN_KEYS names *and* that was approved: the first start takes what is named, later ones are added by a request.
    Run these with the environment of serve.
    """


@command.command("list", short_help="Every holder, and who has the keys of what.")
@output_option
def list_(output: str) -> None:
    """Challenge every holder, and say who has the keys of each environment, where a last copy is, and who was not approved. Changes nothing."""
    from bot.cli.holding import inventory

    found = asyncio.run(inventory(os.environ))
    if output == "json":
        print_json(found.to_dict())
        return
    print_table(("holder", "state", "fingerprint", "address"), (holder.row() for holder in found.holders))
    rows = (
        (each.target, f"key {each.epoch}", "secure" if each.secure else "", ", ".join(each.holders) or "nobody")
        for each in found.environments
    )
    print_table(("environment", "newest", "", "all keys with"), rows)
    for sentence in found.warnings:
        click.echo(styled(f"Warning: {sentence}", fg="yellow"), err=True)


@command.command("add", short_help="Ask for a holder to be given every key.")
@click.argument("holder")
@AS
@BECAUSE
@TICKET
@output_option
def add(holder: str, who: str, reason: str, ticket: str | None, output: str) -> None:
    """Ask, as USER, for HOLDER to be given every key: its address as COUNTERSIGN_KEYS has it, or its name. A key file that is not there is made. Those who decide on policy:main get a card with its
    fingerprint. Once approved it learns every key from one that lives.
    """
    _ask("add", holder, who, reason, ticket, output)


@command.command("remove", short_help="Ask for a holder to be given no key any more.")
@click.argument("holder")
@AS
@BECAUSE
@TICKET
@output_option
def remove(holder: str, who: str, reason: str, ticket: str | None, output: str) -> None:
    """Ask, as USER, for HOLDER to be given no key any more. The last one that works stays, and two where anything is secure.

    What it was given before it can still open: rotate the keys afterwards.
    """
    _ask("remove", holder, who, reason, ticket, output)


def _ask(what: Literal["add", "remove"], holder: str, who: str, reason: str, ticket: str | None, output: str) -> None:
    from bot.cli import holding
    from bot.slack.views.holders import compare
    from store.model.roster import spaced

    asked, outcome = asyncio.run(holding.ask(os.environ, what, holder, who, reason=reason, ticket=ticket))
    made = outcome.request
    if output == "json":
        print_json({"request": made.id if made else None, **asked.model_dump(mode="json")})
        return
    print_paragraph(f"{asked.name}, fingerprint {spaced(asked.fingerprint)}")
    if what == "add":
        print_paragraph(compare(asked).replace("`", ""))
    if made is not None:
        click.echo(f"Request {made.id}: {outcome.answer}", err=True)


@command.command("recover", short_help="A new roster, where every holder of the old one is lost.")
@AS
@click.option("--because", "reason", required=True, metavar="REASON", help="Why: the audit log keeps it.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
def recover(who: str, reason: str, *, yes: bool) -> None:
    """Take what COUNTERSIGN_KEYS names as the new roster, without anybody's approval, when no holder of the old one works any more. It is refused while one does.
    Key files that are not there are made.

    What was sealed under keys that only the lost ones had stays closed. New values can be sealed again.
    """
    from bot.cli import holding

    if not yes:
        click.confirm("Give up the holders of the old roster?", abort=True, err=True)
    roster = asyncio.run(holding.recover(os.environ, who, reason))
    click.echo(f"Roster {roster.number}: {', '.join(member.name for member in roster.members)}.", err=True)


@command.command("rotate", short_help="A new key, and every data key moved under it.")
@click.argument("target", required=False)
@output_option
def rotate(target: str | None, output: str) -> int:
    """Mint a new key for TARGET, or for every environment, and move every data key under it. No value is encrypted anew, and reading, sealing and merging go on.

    Broken off, it goes on where it was: run it again, or let serve do it. Exits with 1 where an entry could not be moved.
    """
    return asyncio.run(_rotate(target, output))


async def _rotate(target: str | None, output: str) -> int:
    from bot.cli import holding

    last: dict[str, Moved] = {}
    with _progress() as tell:
        async for one, moved in holding.rotate(os.environ, target):
            last[one] = moved
            tell(one, moved)
    if output == "json":
        print_json(
            [{"target": one, "moved": moved.total, "spoiled": list(moved.spoiled)} for one, moved in last.items()]
        )
    for one, moved in last.items():
        for name in moved.spoiled:
            click.echo(f"{one}: the key of {name} cannot be moved, because it does not open.", err=True)
    return 1 if any(moved.spoiled for moved in last.values()) else 0


@contextmanager
def _progress() -> "Iterator[Tell]":
    """A bar for each environment at a terminal; else a line when one is through. On stderr."""
    if not sys.stderr.isatty():
        yield (
            lambda one, moved: (
                click.echo(f"{one}: {moved.done} of {moved.total} keys moved.", err=True)
                if moved.done == moved.total
                else None
            )
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True)
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(one: str, moved: "Moved") -> None:
            if one not in tasks:
                tasks[one] = bars.add_task(one, total=moved.total)
            bars.update(tasks[one], completed=moved.done, total=moved.total)

        yield tell


@command.command("drill", short_help="Prove that each holder can open everything.")
@click.argument("target", required=False)
@output_option
def drill(target: str | None, output: str) -> int:
    """Let each holder open every key of TARGET, or of every environment, and try each key on what lies under it. Changes nothing; values stay closed.

    Exits with 1 where a holder could not.
    """
    return asyncio.run(_drill(target, output))


async def _drill(target: str | None, output: str) -> int:
    from bot.cli import holding

    found = [each async for each in holding.drill(os.environ, target)]
    if output == "json":
        print_json([{"ok": well, "sentence": sentence} for sentence, well in found])
    else:
        for sentence, well in found:
            print_paragraph(sentence if well else styled(sentence, fg="red"))
    return 0 if all(well for _, well in found) else 1


@command.command("identity", short_help="The certificate that key servers know this Countersign by.")
@output_option
def identity(output: str) -> None:
    """Print the certificate by which key servers know this Countersign: `countersign keyserver allow CERTIFICATE --name NAME` there. It is made at its first use."""
    found = asyncio.run(_identity())
    if output == "json":
        print_json({"certificate": found[0], "pin": found[1]})
        return
    click.echo(found[0], nl=False)
    click.echo(f"Its pin: {found[1]}", err=True)


async def _identity() -> tuple[str, str]:
    import secrets

    from bot.holders import identity as known
    from bot.settings import Settings

    found = await known(Settings.read(os.environ, slack=False), secrets.token_bytes)
    return found.certificate, found.pin
