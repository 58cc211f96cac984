"""`countersign request`: requests of whoever is logged in, over HTTP; or as the owner of this machine sees them, straight from Redis."""

import os
from typing import TYPE_CHECKING, Any, Final

import click

from bot.cli.filing import URL, asking, file, talk, tell
from bot.cli.moments import DURATION
from bot.cli.output import Form, output_option, print_json, print_paragraph, print_table

if TYPE_CHECKING:
    from bot.cli.asked import Asked
    from bot.cli.client import Client

HEADER: Final = ("id", "state", "what", "by", "since", "until")


LOCAL: Final = click.option("--local", is_flag=True, help="As the owner of this machine, straight from its Redis.")


@click.group("request")
def command() -> None:
    """Look at requests, use what was approved, and end it.

    Whoever is logged in sees their own, over HTTP. Where nobody is, or with --local, ls and show read the Redis of this machine, as its owner.
    """


@command.command("ls", short_help="Your requests; or with --local all that are not finished.")
@click.option("--waiting", is_flag=True, help="What waits for your word.")
@click.option(
    "--mine", "user", metavar="USER", help="Locally: what this Slack user id asked for or holds, finished or not."
)
@click.option("-n", "most", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@LOCAL
@URL
@output_option
def ls(*, waiting: bool, user: str | None, most: int, local: bool, url: str | None, output: Form) -> None:
    """List what you asked for or hold, the newest first; or with --waiting what waits for your word.

    With --local list what is not finished, the next to change first; or with --mine all of one person, the newest first.
    """
    if user is None and not local and _logged_in(url):
        _list_mine(url, output, waiting=waiting, most=most)
        return
    from bot.cli.request_here import list_all

    list_all(user, most, HEADER, output)


@command.command("show", short_help="One request.")
@click.argument("request_id", metavar="ID")
@LOCAL
@URL
@output_option
def show(request_id: str, *, local: bool, url: str | None, output: Form) -> None:
    """Show one request: what is asked, and where it stands. With --local also every review."""
    if not local and _logged_in(url):
        _show_mine(request_id, url, output)
        return
    from bot.cli.request_here import show_one

    show_one(request_id, output)


@command.command("withdraw", short_help="Take a request back before it is used.")
@click.argument("request_id", metavar="ID")
@URL
@output_option
def withdraw(request_id: str, *, url: str | None, output: Form) -> None:
    """Take a request of yours back before it is used."""
    _act(request_id, "withdraw", {}, url, output)


@command.command("activate", short_help="Begin to use what was approved.")
@click.argument("request_id", metavar="ID")
@URL
@output_option
def activate(request_id: str, *, url: str | None, output: Form) -> None:
    """Begin to use what was approved: its time runs from now."""
    _act(request_id, "activate", {}, url, output)


@command.command("end", short_help="End an access before its time is over.")
@click.argument("request_id", metavar="ID")
@click.option("--reason", default="", help="Why; whoever has it reads that.")
@URL
@output_option
def end(request_id: str, *, reason: str, url: str | None, output: Form) -> None:
    """End an access before its time is over: yours, or one that you approve or own."""
    _act(request_id, "end", {"reason": reason}, url, output)


@command.command("extend", short_help="Ask for more time.")
@click.argument("request_id", metavar="ID")
@click.option("--for", "duration_ms", type=DURATION, required=True, help="How much longer: 30m.")
@asking
@URL
@output_option
def extend(
    request_id: str,
    *,
    duration_ms: int,
    reason: str,
    ticket: str | None,
    wait: bool,
    timeout_ms: int | None,
    url: str | None,
    output: Form,
) -> None:
    """Ask to keep for longer what you hold. It is a request of its own: others decide."""
    from store.model.identity import parse_request_id

    body = {"duration_ms": duration_ms, "reason": reason, "ticket": ticket}
    path = f"/v1/requests/{parse_request_id(request_id)}/extend"
    tell(file(url, body, path=path, wait=wait, timeout_ms=timeout_ms, output=output), output)


def _logged_in(url: str | None) -> bool:
    """Whether somebody is meant other than the owner of this machine."""
    from bot.cli.credentials import Credentials

    return bool(url or os.environ.get("COUNTERSIGN_TOKEN") or Credentials.of(os.environ).read().current)


def _list_mine(url: str | None, output: Form, *, waiting: bool, most: int) -> None:
    from bot.cli.asked import LISTED, Requests

    async def listed(client: "Client") -> "tuple[list[Asked], int]":
        return await Requests(client).mine(waiting=waiting, most=min(most, LISTED)), client.now_ms()

    found, now_ms = talk(url, listed)
    if output == "json":
        print_json([asked.model_dump(exclude_none=True) for asked in found])
    elif found:
        print_table(HEADER, [_mine_row(asked, now_ms) for asked in found])
    else:
        click.echo(
            "Nothing waits for your word." if waiting else "You have asked for nothing and hold nothing.", err=True
        )


def _mine_row(asked: "Asked", now_ms: int) -> tuple[str, ...]:
    from bot.cli.moments import at

    until = asked.until_ms if asked.until_ms is not None else asked.deadline_ms
    return (
        asked.id,
        asked.state,
        f"{asked.kind} {asked.target}",
        asked.name(asked.requester),
        at(asked.created_ms, now_ms),
        at(until, now_ms) if until is not None else "",
    )


def _show_mine(request_id: str, url: str | None, output: Form) -> None:
    from bot.cli.asked import Requests, told
    from bot.cli.moments import at, spell
    from bot.slack.views.words import cleaned
    from store.model.identity import parse_request_id

    canonical = parse_request_id(request_id)

    async def looked(client: "Client") -> "tuple[Asked, int]":
        return await Requests(client).show(canonical), client.now_ms()

    asked, now_ms = talk(url, looked)
    if output == "json":
        print_json(asked.model_dump(exclude_none=True))
        return
    print_paragraph(told(asked, now_ms), bold=True)
    facts = [
        ("asked", f"{at(asked.created_ms, now_ms)} by {asked.name(asked.requester)}"),
        ("for", asked.name(asked.beneficiary) if asked.beneficiary != asked.requester else ""),
        ("reason", asked.reason),
        ("ticket", asked.ticket or ""),
        ("duration", spell(asked.duration_ms) if asked.duration_ms else ""),
        *(("name", f"{entry.name} ({entry.word})") for entry in asked.entries),
        ("until", at(asked.until_ms, now_ms) if asked.until_ms else ""),
        ("before", at(asked.deadline_ms, now_ms) if asked.deadline_ms else ""),
        ("card", asked.link or ""),
    ]
    for label, words in facts:
        if words:
            print_paragraph(f"{label + ':':<10} {cleaned(words)}")


def _act(request_id: str, verb: str, body: dict[str, Any], url: str | None, output: Form) -> None:
    from bot.cli.asked import Requests
    from store.model.identity import parse_request_id

    canonical = parse_request_id(request_id)
    tell(talk(url, lambda client: Requests(client).act(canonical, verb, body)), output)
