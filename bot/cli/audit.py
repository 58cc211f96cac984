"""`countersign audit`: what was done, as the store wrote it down."""

import asyncio
import os
from typing import TYPE_CHECKING, Final

import click

from bot.cli.output import output_option, print_json, print_table

if TYPE_CHECKING:
    from store.model.audit import Audit

HEADER: Final = ("no", "when", "event", "by", "request", "target", "details")


@click.group("audit")
def command() -> None:
    """Read the audit log, as the owner of this machine."""


@command.command("tail", short_help="The newest entries.")
@click.option("-n", "most", type=click.IntRange(1, 10_000), default=20, show_default=True, help="So many.")
@output_option
def tail(most: int, output: str) -> None:
    """Print the newest entries, oldest of them first. With -o json one entry a line."""
    entries = asyncio.run(_newest(most))
    if output == "json":
        for number, entry in entries:
            print_json({"number": number, **entry.model_dump(mode="json", exclude_none=True)})
    elif entries:
        print_table(HEADER, [_row(number, entry) for number, entry in entries])
    else:
        click.echo("Nothing has happened yet.", err=True)


async def _newest(most: int) -> list[tuple[int, "Audit"]]:
    from bot.cli.local import local

    async with local(os.environ) as here:
        return (await here.audit.newest(most=most))[::-1]


def _row(number: int, entry: "Audit") -> tuple[str, ...]:
    from bot.slack.views.words import cleaned, utc

    details = " ".join(f"{name}={value}" for name, value in entry.details.items() if value is not None)
    return (
        str(number),
        utc(entry.at_ms),
        entry.event,
        entry.actor,
        entry.request or "",
        entry.target or "",
        cleaned(details),
    )
