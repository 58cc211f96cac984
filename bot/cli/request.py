"""`countersign request`: requests of whoever is logged in, over HTTP; or as the owner of this machine sees them, straight from Redis."""

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from bot.cli import request_mine
from bot.cli.filing import URL, asking, file, tell
from bot.cli.moments import DURATION
from bot.cli.output import Form, output_option, print_json, print_paragraph, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from store.model.policy import PolicySet
    from store.model.request import Request

T = TypeVar("T")

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
    if user is None and not local and request_mine.logged_in(url):
        request_mine.list_mine(url, output, waiting=waiting, most=most)
        return
    requests, policies = _here(_listed(user, most), meant=local or user is not None)
    if output == "json":
        print_json([_shown(request) for request in requests])
    elif requests:
        print_table(request_mine.HEADER, [_row(request, policies.names) for request in requests])
    else:
        click.echo(f"{user} has asked for nothing and holds nothing." if user else "Nothing is waiting.", err=True)


@command.command("show", short_help="One request.")
@click.argument("request_id", metavar="ID")
@LOCAL
@URL
@output_option
def show(request_id: str, *, local: bool, url: str | None, output: Form) -> None:
    """Show one request: what is asked, and where it stands. With --local also every review."""
    if not local and request_mine.logged_in(url):
        request_mine.show_mine(request_id, url, output)
        return
    request, policies = _here(_one(request_id), meant=local)
    if output == "json":
        print_json(_shown(request))
        return
    for label, words in _facts(request, policies.names):
        print_paragraph(f"{label + ':':<10} {words}") if label else print_paragraph(words, bold=True)


@command.command("withdraw", short_help="Take a request back before it is used.")
@click.argument("request_id", metavar="ID")
@URL
@output_option
def withdraw(request_id: str, *, url: str | None, output: Form) -> None:
    """Take a request of yours back before it is used."""
    request_mine.act(request_id, "withdraw", {}, url, output)


@command.command("activate", short_help="Begin to use what was approved.")
@click.argument("request_id", metavar="ID")
@URL
@output_option
def activate(request_id: str, *, url: str | None, output: Form) -> None:
    """Begin to use what was approved: its time runs from now."""
    request_mine.act(request_id, "activate", {}, url, output)


@command.command("end", short_help="End an access before its time is over.")
@click.argument("request_id", metavar="ID")
@click.option("--reason", default="", help="Why; whoever has it reads that.")
@URL
@output_option
def end(request_id: str, *, reason: str, url: str | None, output: Form) -> None:
    """End an access before its time is over: yours, or one that you approve or own."""
    request_mine.act(request_id, "end", {"reason": reason}, url, output)


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


def _here(reading: "Coroutine[Any, Any, T]", *, meant: bool) -> "T":
    """`meant`: this machine's Redis was asked for, and is not only what is left where nobody is logged in."""
    from store.model.errors import Unavailable

    try:
        return asyncio.run(reading)
    except Unavailable as refused:
        if meant or refused.detail != "not_running":
            raise
        raise Unavailable(
            "Nobody is logged in here: countersign login https://countersign.example.com. And no server runs on this machine, whose owner would see all: "
            "start countersign serve, or set COUNTERSIGN_DATA or REDIS_URL as it has them.",
            code=refused.detail,
        ) from None


async def _listed(user: str | None, most: int) -> tuple[list["Request"], "PolicySet"]:
    from bot.cli.local import local

    async with local(os.environ) as here:
        policies = await here.policies.current()
        if user is None:
            return await here.inspection.unfinished(most=most), policies
        return await here.inspection.mine(_user(user, policies), most=most), policies


async def _one(request_id: str) -> tuple["Request", "PolicySet"]:
    from bot.cli.local import local
    from store.model.errors import NotFound
    from store.model.identity import parse_request_id

    canonical = parse_request_id(request_id)
    async with local(os.environ) as here:
        request = await here.inspection.request(canonical)
        if request is None:
            raise NotFound(f"There is no request {canonical} here.")
        return request, await here.policies.current()


def _user(user: str, policies: "PolicySet") -> str:
    """An id, or an address that the policies use."""
    return next((one for one, name in policies.names.items() if name.lower() == user.lower()), user)


def _shown(request: "Request") -> dict[str, Any]:
    """The record, without what belongs to the store alone."""
    from store.model.request import Change

    shown = request.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(request.payload, Change):
        shown["payload"]["touches"] = [{"name": touch.name, "is": touch.word} for touch in request.payload.touches]
    return shown


def _row(request: "Request", names: dict[str, str]) -> tuple[str, ...]:
    until = request.lease.until_ms if request.lease is not None and not request.ended else None
    return (
        request.id,
        request.state,
        f"{request.kind} {request.target}",
        names.get(request.requester, request.requester),
        _utc(request.since_ms),
        _utc(until if until is not None else request.timers.get("deadline")),
    )


def _facts(request: "Request", names: dict[str, str]) -> list[tuple[str, str]]:
    """Label and words; what nobody said is left out."""
    from store.model.request import Machine

    def name(who: str) -> str:
        return f"{names[who]} ({who})" if who in names else who

    facts = [("", f"{request.id}  {request.kind} {request.target}: {request.state}")]
    door = ", at a terminal" if request.door == "terminal" else ""
    asker = name(request.requester)
    if isinstance(request.machine, Machine):
        asker = f"the machine {request.machine.name} (token {request.machine.token} of {asker})"
    elif (gate := request.gate) is not None:
        asker = f"GitHub, run {gate.run} of {gate.repository} by {gate.by} ({asker} answers for it)"
    facts.append(("asked", f"{_utc(request.created_ms)} by {asker}{door}, under “{request.rule}”"))
    if request.beneficiary != request.requester:
        facts.append(("for", name(request.beneficiary)))
    if request.reason:
        facts.append(("reason", request.reason))
    if request.ticket:
        facts.append(("ticket", request.ticket))
    facts += _asks(request)
    for review in request.reviews:
        why = f": {review.reason}" if review.reason else ""
        facts.append((review.verdict, f"{_utc(review.at_ms)} {name(review.by)}{why}"))
    if request.decision is not None:
        who = ", ".join(name(by) for by in request.decision.by)
        facts.append(("decided", f"{_utc(request.decision.at_ms)} by {request.decision.basis}: {who}"))
    if request.lease is not None:
        facts.append(("access", f"{_utc(request.lease.starts_ms)} to {_utc(request.lease.until_ms)}"))
    facts += _run(request, name)
    if request.merged is not None:
        facts.append(("merged", f"as version {request.merged}"))
    if request.note:
        facts.append(("note", request.note))
    if request.ending is not None:
        why = f": {request.ending.reason}" if request.ending.reason else ""
        facts.append(("ended", f"{_utc(request.ending.at_ms)} by {name(request.ending.by)}{why}"))
    return [(label, _one_line(words_)) for label, words_ in facts]


def _asks(request: "Request") -> list[tuple[str, str]]:
    """What is asked for, besides the target."""
    from bot.policy_file.durations import words
    from bot.slack.views.holders import compare
    from bot.slack.views.machines import life
    from store.model.request import Amendment, Change, Deployment, Enrolling, Extending, Minting
    from store.model.roster import spaced

    facts: list[tuple[str, str]] = []
    if isinstance(request.payload, Change):
        facts += [("name", f"{touch.name} ({touch.word})") for touch in request.payload.touches]
    elif isinstance(request.payload, Amendment):
        facts.append(("asks", f"change of version {request.payload.base} of the policies"))
    elif isinstance(request.payload, Enrolling):
        holder = request.payload
        facts.append(("asks", f"{holder.what} the key holder {holder.name}, {holder.address.partition('#')[0]}"))
        facts.append(("holder", f"fingerprint {spaced(holder.fingerprint)}: {compare(holder).replace('`', '')}"))
    elif isinstance(request.payload, Minting):
        machine = request.payload
        facts.append(
            ("asks", f"let in the machine {machine.name}, token {machine.token}, for {life(machine.lifetime_ms)}")
        )
        facts.append(("it may", f"{', '.join(machine.actions)} on {', '.join(machine.targets)}"))
    elif isinstance(request.payload, Deployment):
        ref = f", which is {request.payload.ref}" if request.payload.ref is not None else ""
        facts.append(("version", f"{request.payload.version}{ref}"))
    elif isinstance(request.payload, Extending):
        granted = request.granted_ms
        less = f", {words(granted)} granted" if granted is not None and granted != request.payload.duration_ms else ""
        facts.append(("longer by", f"{words(request.payload.duration_ms)}{less}, of request {request.payload.parent}"))
    elif request.duration_ms is not None:
        granted = request.granted_ms
        less = f", {words(granted)} granted" if granted is not None and granted != request.duration_ms else ""
        facts.append(("duration", words(request.duration_ms) + less))
    return facts


def _run(request: "Request", name: "Callable[[str], str]") -> list[tuple[str, str]]:
    """How a deploy that was started went, and what its receiver said."""
    run = request.run
    if run is None:
        return []
    said = [("stage", run.stage), ("said", run.said), ("log", run.log)]
    return [("started", f"{_utc(run.at_ms)} by {name(run.by)}"), *((label, words) for label, words in said if words)]


def _one_line(text: str) -> str:
    """What people typed, without what would move a terminal's cursor or colours."""
    from bot.slack.views.words import cleaned

    return cleaned(text)


def _utc(at_ms: int | None) -> str:
    from bot.slack.views.words import utc

    return utc(at_ms) if at_ms is not None else ""
