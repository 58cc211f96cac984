"""`countersign keyserver`: a key holder on a host of its own, and who may call it."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from bot.cli.output import output_option, print_json, print_table

if TYPE_CHECKING:
    from keyserver.callers import Callers

LISTEN: Final = "0.0.0.0:8490"
PER_MINUTE: Final = 600

folder_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where its key, its callers and its ledger lie. Default: $COUNTERSIGN_DATA/keyserver.",
)


@click.group("keyserver")
def command() -> None:
    """A key holder on a host of its own, and who may call it.

    It keeps environment keys for the Countersigns that were allowed, over TLS with both certificates pinned, and writes each answer to its ledger before
    it gives it. It needs no Redis and no Slack. Its key file is the whole of it: keep a copy of it where nobody else looks.
    """


@command.command("serve", short_help="Run the key server until it is told to stop.")
@folder_option
@click.option("--listen", default=LISTEN, show_default=True, help="host:port")
@click.option(
    "--per-minute",
    type=click.IntRange(1, 100_000),
    default=PER_MINUTE,
    show_default=True,
    help="Answers to one caller.",
)
def serve(data: Path | None, listen: str, per_minute: int) -> None:
    """Run the key server until it is told to stop. At its first start it makes its key."""
    asyncio.run(_serve(_folder(data), listen, per_minute))


@command.command("show", short_help="The pin that Countersign is told.")
@folder_option
@output_option
def show(data: Path | None, output: str) -> None:
    """Print the pin and the fingerprint of this key server. Compare them with what Slack shows before you approve it."""
    from store.keys.server import FINGERPRINT_DIGITS
    from store.model.roster import spaced

    pin = asyncio.run(_pin(_folder(data)))
    if output == "json":
        print_json({"pin": pin, "fingerprint": pin[:FINGERPRINT_DIGITS]})
        return
    click.echo(f"{pin}")
    click.echo(f"The fingerprint is its first half: {spaced(pin[:FINGERPRINT_DIGITS])}", err=True)


@command.command("allow", short_help="Let a Countersign call this key server.")
@click.argument("certificate", type=click.File("r"))
@click.option("--name", required=True, help="What the ledger calls it.")
@folder_option
def allow(certificate: IO[str], name: str, data: Path | None) -> None:
    """Let the Countersign with this CERTIFICATE call: a file, or - for what `countersign keys identity` prints there."""
    pin = _callers(data).allow(name, certificate.read())
    click.echo(f"{name} may call from now on, with the certificate {pin}.")


@command.command("forget", short_help="Let a Countersign call no more.")
@click.argument("name")
@folder_option
def forget(name: str, data: Path | None) -> None:
    """Let NAME call no more, at once. What it was given before, it has."""
    _callers(data).forget(name)
    click.echo(f"{name} is refused from now on.")


@command.command("callers", short_help="Who may call.")
@folder_option
@output_option
def callers(data: Path | None, output: str) -> None:
    """List who may call."""
    found = sorted((name, pin) for pin, name in _callers(data).names().items())
    if output == "json":
        print_json([{"name": name, "pin": pin} for name, pin in found])
    elif found:
        print_table(("name", "certificate"), found)
    else:
        click.echo("Nobody may call yet: countersign keyserver allow CERTIFICATE --name NAME", err=True)


@command.command("ledger", short_help="What was answered to whom, verified.")
@folder_option
@output_option
def ledger(data: Path | None, output: str) -> None:
    """Print what was answered to whom, each line verified to follow from the one before. Exits with 6 at the first that does not."""
    from keyserver.ledger import Ledger

    lines = Ledger(_folder(data) / "ledger.jsonl").read()
    if output == "json":
        for line in lines:
            print_json({name: getattr(line, name) for name in line.__slots__})
        return
    print_table(
        ("number", "at", "caller", "did", "about", "answer"),
        ((str(line.number), line.at, line.caller, line.did, line.about, line.answer) for line in lines),
    )


def _folder(data: Path | None) -> Path:
    from bot.settings import Settings

    return data or Settings.read(os.environ, slack=False).data / "keyserver"


def _callers(data: Path | None) -> "Callers":
    from keyserver.callers import Callers

    return Callers(_folder(data) / "callers")


async def _pin(folder: Path) -> str:
    import secrets

    from store.keys.identity import Identity

    return (await Identity.load_or_make(folder / "server.key", secrets.token_bytes)).pin


async def _serve(folder: Path, listen: str, per_minute: int) -> None:
    """Raises `AccessError` where it cannot start."""
    import secrets
    import time

    from bot.cli.serve import told_to_stop
    from keyserver.callers import Callers
    from keyserver.ledger import Ledger
    from keyserver.rosters import Rosters
    from keyserver.server import KeyServing
    from store.keys.file import KeyFile
    from store.keys.identity import Identity
    from store.keys.server import FINGERPRINT_DIGITS
    from store.model.buckets import Buckets
    from store.model.roster import spaced

    host, port = _address(listen)
    stopping = told_to_stop()
    path = folder / "server.key"
    identity = await Identity.load_or_make(path, secrets.token_bytes)
    key = await KeyFile.load(path, random=secrets.token_bytes)
    callers, ledger = Callers(folder / "callers"), Ledger(folder / "ledger.jsonl").open()
    rosters = Rosters(folder / "rosters", identity.pin[:FINGERPRINT_DIGITS])
    pace = Buckets(time.monotonic, per_minute / 60, per_minute)
    serving = KeyServing(key, identity, callers, ledger, pace, rosters, lambda: datetime.now(UTC))  # noqa: TID251 - this host's time is what its ledger tells
    try:
        found = await serving.start(host, port)
        click.echo(f"Key server on {host}:{found}. Its pin: {identity.pin}", err=True)
        click.echo(
            f"Its fingerprint, to compare with the card in Slack: {spaced(identity.pin[:FINGERPRINT_DIGITS])}", err=True
        )
        for pin, name in sorted(callers.names().items()):
            click.echo(f"{name} may call, with the certificate {pin}.", err=True)
        await stopping.wait()
    finally:
        await serving.stop()
        ledger.close()


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter("host:port is meant, like 0.0.0.0:8490.", param_hint="--listen")
    return host.strip("[]"), int(port)
