"""`countersign whoami`: as whom the server knows this computer."""

import asyncio
import os

import click

from bot.cli.output import output_option, print_json


@click.command("whoami")
@click.option("--url", help="The server; else COUNTERSIGN_URL, or that of the last login.")
@output_option
def command(url: str | None, output: str) -> None:
    """Say for whom this computer speaks, by which token and how long."""
    from bot.cli.credentials import Credentials
    from bot.cli.session import with_token
    from bot.slack.views.words import cleaned, utc

    credentials = Credentials.of(os.environ)
    server = credentials.url(url)
    found = asyncio.run(with_token(credentials, server, "GET", "/v1/whoami"))
    if output == "json":
        print_json({"url": server, **found})
        return
    ends = utc(found.get("until_ms") or found["expires_ms"])
    who = found.get("user") or f"the machine {cleaned(found['name'])}"
    click.echo(f"{who} at {server}, by token {found['token']} ({cleaned(found['name'])}), until {ends} at the latest.")
    if found["kind"] == "machine":
        click.echo(f"It may {', '.join(found['actions'])} on {', '.join(found['targets'])}.")
