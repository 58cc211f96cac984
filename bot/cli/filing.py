"""Filing: what commands that ask have in common: their options, one conversation with the server, and how the answer is told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from bot.cli.moments import DURATION
from bot.cli.output import Form, print_json, print_paragraph

if TYPE_CHECKING:
    from bot.cli.asked import Asked
    from bot.cli.client import Client

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

AS: Final = click.option(
    "--as", "who", required=True, metavar="USER", help="Who asks: an e-mail address or a Slack user id."
)
BECAUSE: Final = click.option(
    "--because", "reason", default="", metavar="REASON", help="Why: whoever decides reads it."
)
REASON: Final = click.option("--reason", "--description", default="", help="Why, for those who decide.")
TICKET: Final = click.option("--ticket", help="A ticket, where the rule wants one.")
WAIT: Final = click.option("--wait", is_flag=True, help="Wait until it is decided; exit 1 where it is refused.")
TIMEOUT: Final = click.option("--timeout", "timeout_ms", type=DURATION, help="Wait no longer than this (exit 124).")
URL: Final = click.option("--url", help="The server; else $COUNTERSIGN_URL, or where you are logged in.")


def asking(command: Command) -> Command:
    """`reason`, `ticket`, `wait`, `timeout_ms`."""
    for option in (TIMEOUT, WAIT, TICKET, REASON):
        command = option(command)
    return command


def talk(url: str | None, work: "Callable[[Client], Awaitable[T]]") -> T:
    """Raises `AccessError`."""

    from bot.cli.client import connected
    from bot.cli.running.hardening import harden

    harden()

    async def connected_work() -> T:
        async with connected(url) as client:
            return await work(client)

    return asyncio.run(connected_work())


def file(
    url: str | None,
    body: dict[str, Any],
    *,
    wait: bool,
    timeout_ms: int | None,
    output: Form,
    path: str = "/v1/requests",
    filed: Callable[[], None] = lambda: None,
) -> "Asked":
    """Asks, calls `filed`, says who decides, and waits where that is wanted; Ctrl-C then leaves the request as it is. Raises `AccessError`."""
    from bot.cli.asked import Requests, decided
    from bot.cli.client import connected
    from bot.cli.progress import Progress
    from bot.cli.running.hardening import harden
    from bot.cli.running.signals import listening
    from bot.cli.using import Interrupted, introduced, unless_told

    harden()
    progress = Progress(output)

    async def work() -> "Asked":
        with listening() as signals:
            async with connected(url) as client:
                requests = Requests(client)
                asked = await requests.ask(body, path)
                filed()
                try:
                    asked = await unless_told(signals, introduced(requests, asked, progress))
                    if wait:
                        asked = await unless_told(signals, decided(requests, asked, progress, timeout_ms))
                except Interrupted as interrupted:
                    raise Interrupted(
                        f"Stopped waiting. Request {asked.id} stays; to withdraw it: countersign request withdraw {asked.id}",
                        interrupted.number,
                    ) from None
                return asked

    return asyncio.run(work())


def tell(asked: "Asked", output: Form) -> None:
    """On stdout."""
    from bot.cli.asked import told

    if output == "json":
        print_json(asked.model_dump(exclude_none=True))
    else:
        print_paragraph(told(asked))
