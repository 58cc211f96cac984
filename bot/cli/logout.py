"""`countersign logout`: this computer speaks for nobody any more."""

import os

import click

from bot.cli.filing import URL, talk
from bot.cli.output import output_option, print_json


@click.command("logout")
@URL
@output_option
def command(url: str | None, output: str) -> None:
    """End the session of this computer, at the server and here."""
    from bot.cli.credentials import Credentials
    from bot.cli.session import log_out

    credentials = Credentials.of(os.environ)
    server = credentials.url(url)
    talk(server, lambda client: log_out(client, credentials))
    if output == "json":
        print_json({"url": server})
    else:
        click.echo(f"Logged out at {server}.", err=True)
