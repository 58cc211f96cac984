"""`countersign logout`: this computer speaks for nobody any more."""

import asyncio
import os

import click

from bot.cli.output import output_option, print_json


@click.command("logout")
@click.option("--url", help="The server; else COUNTERSIGN_URL, or that of the last login.")
@output_option
def command(url: str | None, output: str) -> None:
    """End the session of this computer, at the server and here."""
    from bot.cli.credentials import Credentials
    from bot.cli.session import log_out

    credentials = Credentials.of(os.environ)
    server = credentials.url(url)
    asyncio.run(log_out(credentials, server))
    if output == "json":
        print_json({"url": server})
    else:
        click.echo(f"Logged out at {server}.", err=True)
