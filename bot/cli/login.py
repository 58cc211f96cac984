"""`countersign login`: this computer speaks for a person, who says so in Slack."""

import asyncio
import os
from typing import TYPE_CHECKING

import click

from bot.cli.output import output_option, print_json

if TYPE_CHECKING:
    from bot.cli.session import Begun


@click.command("login")
@click.argument("url", required=False)
@output_option
def command(url: str | None, output: str) -> None:
    """Log in at the server at URL, or again at the one of the last login.

    It shows a code. Type it in Slack yourself, as /countersign login CODE, and confirm what Slack then shows. What this computer is given lies in
    ~/.config/countersign for you alone, and is renewed by itself until the session ends. Ctrl-C gives up.
    """
    from bot.cli.credentials import Credentials
    from bot.cli.session import log_in
    from bot.slack.views.words import utc

    credentials = Credentials.of(os.environ)
    server = credentials.url(url)
    session = asyncio.run(log_in(credentials, server, show))
    if output == "json":
        print_json({"url": server, "user": session.user, "token": session.id, "until_ms": session.until_ms})
    else:
        click.echo(f"Logged in at {server} as {session.user}, until {utc(session.until_ms)} at the latest.", err=True)
    if os.environ.get("COUNTERSIGN_TOKEN"):
        click.echo("COUNTERSIGN_TOKEN is set, and goes before this login.", err=True)


def show(begun: "Begun") -> None:
    """On stderr: nothing of it belongs into a pipe."""
    from bot.slack.views.words import cleaned, utc

    click.echo("Type this in Slack, yourself:\n", err=True)
    click.echo(f"    /countersign login {cleaned(begun.code)}\n", err=True)
    click.echo(f"The key of this computer is {begun.fingerprint}; Slack must show the same.", err=True)
    click.echo(f"Waiting until {utc(begun.expires_ms)} for you to confirm it there. Ctrl-C gives up.", err=True)
