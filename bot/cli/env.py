"""`countersign env`: to ask for an environment's secrets, to read them, and to see which environments there are."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Final, Literal

import click

from bot.cli.filing import URL, asking, file, talk, tell
from bot.cli.moments import DURATION, at, spell
from bot.cli.output import Form, output_option, print_json, print_table
from store.model.errors import Conflict, Forbidden, Invalid

if TYPE_CHECKING:
    from bot.cli.client import Client
    from bot.cli.environments import Values

HEADER: Final = ("environment", "version", "you may ask to", "you have it until")
Printed = Literal["dotenv", "json", "shell"]


@click.group("env")
def command() -> None:
    """Ask for an environment's secrets, read them, and see which environments there are."""


@command.command("open-request", short_help="Ask to read an environment's secrets for a while.")
@click.argument("target")
@click.option("--access-duration", "duration_ms", type=DURATION, help="How long access runs, from its first use: 2h.")
@click.option("--access-duration-seconds", type=click.IntRange(min=1), help="The same in seconds.")
@click.option(
    "--grant-expiration", "grant_expiration_ms", type=DURATION, help="How long an approval waits for its first use: 1h."
)
@click.option("--grant-expiration-seconds", type=click.IntRange(min=1), help="The same in seconds.")
@click.option("--for", "beneficiary", metavar="USER", help="For somebody else, by Slack user id: they use it.")
@asking
@URL
@output_option
def open_request(
    target: str,
    *,
    duration_ms: int | None,
    access_duration_seconds: int | None,
    grant_expiration_ms: int | None,
    grant_expiration_seconds: int | None,
    beneficiary: str | None,
    reason: str,
    ticket: str | None,
    wait: bool,
    timeout_ms: int | None,
    url: str | None,
    output: Form,
) -> None:
    """Ask to read the secrets of TARGET for a while. An approval waits for its first use: env open, or run."""
    from bot.cli.environments import environment

    body = {
        "kind": "open",
        "target": environment(target),
        "duration_ms": _one(duration_ms, access_duration_seconds, "--access-duration"),
        "grant_expiration_ms": _one(grant_expiration_ms, grant_expiration_seconds, "--grant-expiration"),
        "beneficiary": beneficiary,
        "reason": reason,
        "ticket": ticket,
    }
    asked = file(url, body, wait=wait, timeout_ms=timeout_ms, output=output)
    tell(asked, output)
    if output == "text" and asked.state in ("pending", "approved") and beneficiary is None:
        then = "Once it is approved" if asked.state == "pending" else "Now"
        click.echo(
            f"{then}: countersign run {asked.target} -- COMMAND, or countersign env open {asked.target}", err=True
        )


@command.command("open", short_help="Print an environment's secrets, by access that you have.")
@click.argument("target")
@click.option(
    "--format",
    "form",
    type=click.Choice(["dotenv", "json", "shell"]),
    default="dotenv",
    show_default=True,
    help="How to print; shell is for eval.",
)
@click.option("--activate", is_flag=True, help="Begin to use what was approved: its time runs from now.")
@URL
@output_option
def open_(target: str, *, form: Printed, activate: bool, url: str | None, output: Form) -> None:  # noqa: ARG001 - the program prints errors as it asks
    """Print the secrets of TARGET on stdout, and nothing else there.

    Where an approval was not used yet, it asks at a terminal whether to begin, or begins with --activate.
    """
    from bot.cli.environments import environment

    where = environment(target)
    values = talk(url, lambda client: _values(client, where, activate=activate))
    lines = _printed(values, form)
    if sys.stdout.isatty():
        click.echo("What follows are secrets. This terminal may keep them: clear it afterwards.", err=True)
    click.echo(lines, nl=False)


@command.command("ls", short_help="The environments that you may ask for, or read now.")
@URL
@output_option
def ls(url: str | None, output: Form) -> None:
    """List the environments that you may ask for, or read now."""
    from bot.cli.environments import Environments

    async def listed(client: "Client") -> "tuple[list[dict[str, object]], int]":
        return await Environments(client).listed(), client.now_ms()

    found, now_ms = talk(url, listed)
    if output == "json":
        print_json(found)
    elif found:
        print_table(HEADER, [_row(one, now_ms) for one in found])
    else:
        click.echo("There is no environment that you may ask for.", err=True)


def _one(duration_ms: int | None, seconds: int | None, option: str) -> int | None:
    if duration_ms is not None and seconds is not None:
        raise click.UsageError(f"Say {option} once: as 2h, or in seconds.")
    return seconds * 1000 if seconds is not None else duration_ms


async def _values(client: "Client", target: str, *, activate: bool) -> "Values":
    from bot.cli.asked import Requests
    from bot.cli.environments import Environments
    from bot.cli.progress import Progress
    from bot.cli.using import begun

    environments, requests = Environments(client), Requests(client)
    try:
        return await environments.values(target)
    except Forbidden as error:
        if error.detail != "no_grant":
            raise
    me = (await client.get("/v1/whoami")).body
    mine = [one for one in await requests.mine() if one.opens(target, str(me.get("user")))]
    approved = next((one for one in mine if one.state == "approved"), None)
    if approved is None:
        waiting = next((one for one in mine if one.state == "pending"), None)
        if waiting is not None:
            raise Forbidden(f"Request {waiting.id} still waits for {waiting.who}.", code="not_decided")
        raise Forbidden(
            f"You have no access to {target} now. Ask for it: countersign env open-request {target}", code="no_access"
        )
    lasts = spell(approved.granted_ms or approved.duration_ms or 0)
    asked = f"Request {approved.id} is approved and not begun. Begin now? Your {lasts} run from then on."
    if not activate and not (sys.stdin.isatty() and await asyncio.to_thread(click.confirm, asked, err=True)):
        raise Conflict(
            f"Request {approved.id} is approved and not begun: --activate begins its {lasts}.", code="not_begun"
        )
    await begun(requests, approved, Progress("text"))
    return await environments.values(target)


def _printed(values: "Values", form: Printed) -> str:
    """Raises `Invalid` for what the form cannot hold."""
    if form == "json":
        return json.dumps(_object(values), ensure_ascii=False, indent=2) + "\n"
    if values.files:
        raise Invalid(
            f"{', '.join(sorted(values.files))}: {form} cannot hold files. Say --format json, or countersign run.",
            code="files",
        )
    if form == "dotenv":
        from bot.http.dotenv import line

        return "".join(line(name, value.reveal()) + "\n" for name, value in values.values.items())
    return "".join(_exported(name, value.reveal()) for name, value in values.values.items())


def _object(values: "Values") -> dict[str, object]:
    """As `secrets import` reads it."""
    import base64

    found: dict[str, object] = {}
    for name, value in values.values.items():
        raw = value.reveal()
        try:
            found[name] = raw.decode()
        except UnicodeDecodeError:
            found[name] = {"base64": base64.b64encode(raw).decode()}
    for name, (content, mode) in values.files.items():
        found[name] = {"base64": base64.b64encode(content.reveal()).decode(), "mode": f"{mode:04o}"}
    return found


def _exported(name: str, raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise Invalid(
            f"{name} is no text, which a shell cannot hold. Say --format json, or countersign run --files.",
            code="no_text",
        )
    return "export {}='{}'\n".format(name, text.replace("'", "'\\''"))


def _row(one: dict[str, object], now_ms: int) -> tuple[str, ...]:
    actions, grant = one.get("actions"), one.get("grant")
    until = int(grant["until_ms"]) if isinstance(grant, dict) else None
    return (
        str(one.get("target", "")),
        str(one.get("version", "")),
        ", ".join(map(str, actions)) if isinstance(actions, list) else "",
        at(until, now_ms) if until is not None else "",
    )
