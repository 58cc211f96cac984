"""`countersign token`: the tokens of machines, as an owner who is logged in asks for, sees and ends them."""

import re
from typing import Any, Final

import click

from bot.cli.filing import REASON, TICKET, URL, talk
from bot.cli.output import output_option, print_json, print_table

HEADER: Final = ("id", "kind", "name", "may", "last used", "ends")
ACTIONS: Final = ("read", "deploy", "report")
_DAYS: Final = re.compile(r"([0-9]{1,3})d")


@click.group("token")
def command() -> None:
    """Let machines in: each by an approved request, for a time, for what it needs."""


@command.command("create", short_help="Ask for a machine to be let in.")
@click.option("--name", required=True, help="What the machine is called: small letters, digits, hyphens.")
@click.option(
    "--target", "targets", required=True, multiple=True, help="Of which environment or application; may be repeated."
)
@click.option(
    "--action",
    "actions",
    required=True,
    multiple=True,
    type=click.Choice(ACTIONS),
    help="What it may; may be repeated.",
)
@click.option("--for", "lifetime", required=True, metavar="TIME", help="How long, like 90d or 12h; a year at most.")
@REASON
@TICKET
@URL
@output_option
def create(
    name: str,
    targets: tuple[str, ...],
    actions: tuple[str, ...],
    lifetime: str,
    reason: str,
    ticket: str | None,
    url: str | None,
    output: str,
) -> None:
    """Ask for a machine to be let in, as an owner, and print its token: once, here, and nowhere else.

    The token is made on this computer, and only its hash is sent. It does nothing until the request is approved.
    """
    import secrets

    from bot.slack.views.words import cleaned
    from store.model.identity import request_id
    from store.model.token import SECRET_BYTES, write_token

    lifetime_ms, identity = _lifetime(lifetime), request_id(secrets.token_bytes(7))
    shown, kept = write_token("machine", identity, secrets.token_bytes(SECRET_BYTES))
    token = shown.reveal().decode()
    body = {
        "token": identity, "hash": kept, "name": name, "targets": targets, "actions": actions,
        "lifetime_ms": lifetime_ms, "reason": reason, "ticket": ticket or None,
    }  # fmt: skip
    filed = talk(url, lambda client: client.post("/v1/tokens", body)).body
    if output == "json":
        print_json({"token": token, "request": filed})
        return
    click.echo(f"Request {filed['id']}: {cleaned(str(filed.get('sentence', '')))}", err=True)
    if filed.get("link"):
        click.echo(cleaned(str(filed["link"])), err=True)
    click.echo("This is its token. It is shown once, and works from the approval on:", err=True)
    click.echo(token)


@command.command("ls", short_help="Tokens of machines, and your own sessions.")
@URL
@output_option
def ls(url: str | None, output: str) -> None:
    """List the tokens of machines, with their last use, and your own sessions."""
    tokens: list[dict[str, Any]] = talk(url, lambda client: client.get("/v1/tokens")).body["tokens"]
    if output == "json":
        print_json(tokens)
    elif tokens:
        print_table(HEADER, [_row(token) for token in tokens])
    else:
        click.echo("There are none.", err=True)


@command.command("revoke", short_help="End a token for good.")
@click.argument("token_id", metavar="ID")
@URL
@output_option
def revoke(token_id: str, url: str | None, output: str) -> None:
    """End the token of a machine, or a session of your own: it is refused from now on."""
    from store.model.identity import parse_request_id

    wanted = parse_request_id(token_id)
    talk(url, lambda client: client.delete(f"/v1/tokens/{wanted}"))
    if output == "json":
        print_json({"token": wanted})
    else:
        click.echo(f"Token {wanted} is refused from now on.", err=True)


def _lifetime(text: str) -> int:
    from bot.policy_file import durations
    from store.model.errors import Invalid
    from store.model.token import DAY_MS, LIFETIME_LEAST_MS, LIFETIME_MOST_MS

    days = _DAYS.fullmatch(text)
    try:
        lifetime_ms = int(days[1]) * DAY_MS if days else durations.parse(text)
    except ValueError as error:
        raise Invalid(f"After --for stands how long, like 90d. {error}", code="bad_duration") from None
    if not LIFETIME_LEAST_MS <= lifetime_ms <= LIFETIME_MOST_MS:
        raise Invalid("A machine is let in for an hour at least, and for 366 days at most.", code="bad_duration")
    return lifetime_ms


def _row(token: dict[str, Any]) -> tuple[str, ...]:
    from bot.slack.views.words import cleaned, utc

    may = f"{', '.join(token['actions'])} on {', '.join(token['targets'])}" if token["targets"] else "all that you may"
    used = utc(token["used_ms"]) if token.get("used_ms") else "never"
    ends = utc(token.get("until_ms") or token["expires_ms"])
    return token["token"], token["kind"], cleaned(token["name"]), cleaned(may), used, ends
