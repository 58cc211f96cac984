"""`countersign seal`: a value that does not pass through Slack, for a form in Slack."""

from typing import TYPE_CHECKING

import click

from bot.cli.filing import URL, talk
from bot.cli.moments import at
from bot.cli.output import Form, output_option, print_json

if TYPE_CHECKING:
    from bot.cli.client import Client


@click.command("seal")
@click.argument("target")
@click.argument("name", required=False)
@click.option("--file", "path", metavar="FILE", help="What is in this file, as a file with its mode.")
@URL
@output_option
def command(target: str, name: str | None, *, path: str | None, url: str | None, output: Form) -> None:
    """Seal one value for TARGET on the server, and print the short reference that stands for it.

    The value is asked for without an echo, or taken from a pipe. Paste the reference into the form in Slack in place of the value: it works once, within
    an hour, for you alone; with NAME under that name alone.
    """
    from bot.cli.environments import Environments, environment
    from bot.cli.reading.source import given

    where = environment(target)
    label = name or ("file" if path else "VALUE")
    [entry] = given([f"{label}=@{path}" if path else f"{label}=-"], as_files=path is not None)

    async def sealed(client: "Client") -> tuple[str, int, int]:
        reference, expires_ms = await Environments(client).seal(where, entry, named=name is not None)
        return reference, expires_ms, client.now_ms()

    reference, expires_ms, now_ms = talk(url, sealed)
    if output == "json":
        print_json({"reference": reference, "expires_ms": expires_ms})
        return
    click.echo(reference)
    click.echo(
        f"Paste it in place of the value, before {at(expires_ms, now_ms)}. It works once, and only for you.", err=True
    )
