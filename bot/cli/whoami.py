"""`countersign whoami`: as whom the server knows this computer."""

from typing import TYPE_CHECKING, Any

import click

from bot.cli.filing import URL, talk
from bot.cli.output import output_option, print_json

if TYPE_CHECKING:
    from bot.cli.client import Client


@click.command("whoami")
@URL
@output_option
def command(url: str | None, output: str) -> None:
    """Say for whom this computer speaks, by which token and how long."""
    from bot.slack.views.words import cleaned, utc

    found = talk(url, _asked)
    if output == "json":
        print_json(found)
        return
    ends = utc(found.get("until_ms") or found["expires_ms"])
    who = found.get("user") or f"the machine {cleaned(found['name'])}"
    click.echo(
        f"{who} at {found['url']}, by token {found['token']} ({cleaned(found['name'])}), until {ends} at the latest."
    )
    if found["kind"] == "machine":
        click.echo(f"It may {', '.join(found['actions'])} on {', '.join(found['targets'])}.")


async def _asked(client: "Client") -> dict[str, Any]:
    return {"url": client.url, **(await client.get("/v1/whoami")).body}
