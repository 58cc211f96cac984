"""`countersign run`: a program with an environment's secrets in its memory, for as long as that was approved."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.filing import REASON, TICKET, TIMEOUT, URL
from bot.cli.moments import DURATION
from bot.cli.output import Form, exit_code, output_option
from store.model.errors import AccessError, Unavailable

if TYPE_CHECKING:
    from bot.cli.asked import Asked, Requests
    from bot.cli.client import Client
    from bot.cli.environments import Values
    from bot.cli.progress import Progress
    from bot.cli.running.child import Given
    from bot.cli.running.ending import OnEnd
    from bot.cli.running.signals import Queue
    from bot.cli.using import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How the program is run. `files`: every value as a file; `on_disk`: also where no memory file system is."""

    command: Sequence[str]
    mask: bool
    files: bool
    on_disk: bool
    on_end: "OnEnd"


@click.command("run", context_settings={"ignore_unknown_options": False})
@click.argument("target")
@click.argument("command_", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--for", "duration_ms", type=DURATION, help="How long to ask for, from the first use; else what the rule says."
)
@click.option(
    "--grant-expiration", "grant_expiration_ms", type=DURATION, help="How long an approval may wait for its use."
)
@REASON
@TICKET
@click.option("--no-request", is_flag=True, help="Ask nobody: use what you have, or fail.")
@click.option("--no-wait", is_flag=True, help="Ask, but do not wait for the answer (exit 124).")
@TIMEOUT
@click.option(
    "--on-end",
    type=click.Choice(["warn", "term"]),
    default="warn",
    show_default=True,
    help="What happens when the access ends.",
)
@click.option("--no-mask", is_flag=True, help="Let the program print values, and write where we do.")
@click.option("--files", is_flag=True, help="Every value as a file in $COUNTERSIGN_FILES, and none in the environment.")
@click.option("--files-on-disk", is_flag=True, help="Where there is no file system in memory, put files on a disk.")
@URL
@output_option
def command(
    target: str,
    command_: tuple[str, ...],
    *,
    duration_ms: int | None,
    grant_expiration_ms: int | None,
    reason: str,
    ticket: str | None,
    no_request: bool,
    no_wait: bool,
    timeout_ms: int | None,
    on_end: "OnEnd",
    no_mask: bool,
    files: bool,
    files_on_disk: bool,
    url: str | None,
    output: Form,
) -> int:
    """Run COMMAND with the secrets of TARGET in its environment.

    Uses access that you have, or begins what was approved, or asks for it, says who decides, and waits. Ctrl-C while it waits withdraws what it asked.
    Files of the environment lie in a folder in memory, $COUNTERSIGN_FILES, and are gone when the program is. The program's exit code is passed on.

        countersign run payments/prod --for 30m --reason "INC-7" -- ./server
    """
    if sys.platform != "linux":
        raise Unavailable(
            'run needs Linux. Elsewhere: eval "$(countersign env open TARGET --format shell)"', code="not_linux"
        )
    from bot.cli.environments import environment
    from bot.cli.progress import Progress
    from bot.cli.using import Interrupted, Wish

    wish = Wish(
        target=environment(target),
        duration_ms=duration_ms,
        grant_expiration_ms=grant_expiration_ms,
        reason=reason,
        ticket=ticket,
        request=not no_request,
        wait=not no_wait,
        timeout_ms=timeout_ms,
    )
    how = How(command=command_, mask=not no_mask, files=files, on_disk=files_on_disk, on_end=on_end)
    progress = Progress(output)
    try:
        return asyncio.run(_run(wish, how, url, progress))
    except AccessError as error:
        if not isinstance(error, Interrupted):
            progress.say("failed", error.sentence, code=error.detail)  # never on stdout, which is the program's
        return exit_code(error)


async def _run(wish: "Wish", how: How, url: str | None, progress: "Progress") -> int:
    from bot.cli.asked import Requests
    from bot.cli.client import connected
    from bot.cli.running.hardening import harden
    from bot.cli.running.signals import listening

    harden()
    with listening() as signals:
        async with connected(url) as client:
            requests = Requests(client)
            values, held = await _read(client, requests, wish, progress, signals)
            given = _given(values, files=how.files)
            parent = await asyncio.to_thread(_parent, how) if given.files else None
            if how.mask:
                _tell_unmasked(values, progress)
            del values
            return await _child(given, how, parent, held, requests, progress, signals)


async def _read(
    client: "Client", requests: "Requests", wish: "Wish", progress: "Progress", signals: "Queue"
) -> "tuple[Values, Asked | None]":
    from bot.cli.environments import Environments
    from bot.cli.using import unless_told, usable

    me = (await unless_told(signals, client.get("/v1/whoami"))).body
    held = None
    if me.get("kind") == "person":  # a machine was let in beforehand, and asks nobody
        held = await usable(requests, me["user"], wish, progress, signals)
    return await unless_told(signals, Environments(client).values(wish.target)), held


async def _child(
    given: "Given",
    how: How,
    parent: Path | None,
    held: "Asked | None",
    requests: "Requests",
    progress: "Progress",
    signals: "Queue",
) -> int:
    from bot.cli.running.child import Child
    from bot.cli.running.ending import Ending

    child = Child(how.command, given, mask=how.mask, parent=parent)
    await child.start()
    progress.note("started", pid=child.pid)
    progress.beside = True
    watching = (
        asyncio.create_task(Ending(requests, progress, how.on_end, child.end).watch(held)) if held is not None else None
    )
    try:
        code = await child.wait(signals)
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    progress.note("exited", code=code)
    return code


def _given(values: "Values", *, files: bool) -> "Given":
    from bot.cli.running.child import Given
    from bot.cli.running.memory import File

    kept = {name: File(content, mode) for name, (content, mode) in values.files.items()}
    if files:
        kept |= {name: File(value) for name, value in values.values.items()}
    return Given(environment={} if files else values.values, files=kept, hidden=values.all)


def _parent(how: How) -> Path:
    from bot.cli.running.memory import place, sweep

    found = place(os.environ, on_disk=how.on_disk)
    sweep(found, time.time_ns() / 1e9)
    return found


def _tell_unmasked(values: "Values", progress: "Progress") -> None:
    from bot.cli.running.masking import SHORTEST, unmasked

    if short := unmasked({name: value.reveal() for name, value in values.values.items()}):
        progress.say(
            "unmasked",
            f"Not masked in the output, being shorter than {SHORTEST} characters: {', '.join(short)}.",
            names=short,
        )
