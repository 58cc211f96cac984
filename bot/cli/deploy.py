"""`countersign deploy`: to ask for a deploy, and to wait until others have approved it, started it and said how it went."""

import asyncio
import re
from typing import TYPE_CHECKING, Final

import click

from bot.cli.filing import REASON, TICKET, TIMEOUT, URL, tell
from bot.cli.output import Form, output_option
from store.model.errors import AccessError, Conflict, Invalid

if TYPE_CHECKING:
    from bot.cli.asked import Asked, Requests
    from bot.cli.progress import Progress
    from bot.cli.running.signals import Queue

KEY: Final = re.compile(r"[\x21-\x7e]{1,100}")
UNDECIDED: Final = frozenset({"pending", "approved"})
GOING: Final = UNDECIDED | {"running"}
INTERRUPTED: Final = "Whoever asked for it stopped waiting."


@click.command("deploy")
@click.argument("target")
@click.option("--version", "version_", metavar="V", required=True, help="What to deploy, as people call it: v1.2.3.")
@click.option("--ref", help="What that is for ever: a commit, or the digest of an image.")
@REASON
@TICKET
@click.option("--wait", is_flag=True, help="Wait until it is done; exit 1 where it is refused, or fails.")
@TIMEOUT
@click.option("--key", help="Asked again with the same key it is the same request, for a day: $GITHUB_RUN_ID.")
@URL
@output_option
def command(
    target: str,
    *,
    version_: str,
    ref: str | None,
    reason: str,
    ticket: str | None,
    wait: bool,
    timeout_ms: int | None,
    key: str | None,
    url: str | None,
    output: Form,
) -> None:
    """Ask for the deploy of TARGET: payments/prod, or an application in it, payments/prod#api.

    With --wait it says who decides and where, and goes on until the receiver has reported: exit 0 where it succeeded, 1 where it was refused,
    cancelled, superseded or has failed, 124 where that took too long. Ctrl-C takes back what was asked, and cancels what runs.

        countersign deploy payments/prod#api --version v1.2.3 --ref 9f2c41d --reason "INC-7" --wait --timeout 30m
    """
    if key is not None and not KEY.fullmatch(key):
        raise Invalid("--key has 1 to 100 printable ASCII characters, without spaces.", code="bad_key")
    body = {"kind": "deploy", "target": target, "version": version_, "ref": ref, "reason": reason, "ticket": ticket}
    asked = asyncio.run(_deploy(url, body, key, output, wait=wait, timeout_ms=timeout_ms))
    if (wait and asked.state != "succeeded") or asked.state not in {*GOING, "succeeded"}:
        raise _failed(asked, key)
    tell(asked, output)


async def _deploy(
    url: str | None,
    body: dict[str, str | None],
    key: str | None,
    output: Form,
    *,
    wait: bool,
    timeout_ms: int | None,
) -> "Asked":
    from bot.cli.asked import Requests
    from bot.cli.client import connected
    from bot.cli.progress import Progress
    from bot.cli.running.hardening import harden
    from bot.cli.running.signals import listening
    from bot.cli.using import Interrupted, introduced, unless_told

    harden()
    progress = Progress(output)
    with listening() as signals:
        async with connected(url) as client:
            requests = Requests(client)
            asked = await _asked(requests, body, key)
            asked = await unless_told(signals, introduced(requests, asked, progress))
            if not wait or asked.state not in GOING:
                return asked
            progress.say("wait", "Ctrl-C takes it back.", request=asked.id)
            try:
                return await _done(requests, asked, progress, signals, timeout_ms, key)
            except Interrupted as interrupted:
                await _taken_back(requests, asked.id, progress)
                raise interrupted from None


async def _asked(requests: "Requests", body: dict[str, str | None], key: str | None) -> "Asked":
    try:
        return await requests.ask(body, key=key)
    except Conflict as refusal:
        if key is None or refusal.detail != "other_command":
            raise
        other = f"With the key {key} something else was asked for, less than a day ago. To ask anew, use another --key."
        raise Conflict(other, code=refusal.detail) from None


async def _done(
    requests: "Requests",
    asked: "Asked",
    progress: "Progress",
    signals: "Queue",
    timeout_ms: int | None,
    key: str | None,
) -> "Asked":
    """Waits until it is over. Raises `TooLong`, `Interrupted`, and `Unavailable` where the server stays away."""
    from bot.cli.asked import TooLong, patiently, told
    from bot.cli.moments import spell
    from bot.cli.using import unless_told

    loop = asyncio.get_running_loop()
    began, now = loop.time(), asked

    def words() -> str:
        return f"{_waits(now)}: {spell(int((loop.time() - began) * 1000))}"

    again = (
        "the same command with the same --key goes on waiting"
        if key is not None
        else f"look at it with countersign request show {asked.id}"
    )
    async with progress.meanwhile(words):
        try:
            async with asyncio.timeout(timeout_ms / 1000 if timeout_ms is not None else None):
                while now.state in GOING:
                    found = await unless_told(signals, patiently(requests, now, progress))
                    before, now = now, found
                    _say_news(before, now, progress)
        except TimeoutError:
            raise TooLong(
                f"Not done within {spell(timeout_ms or 0)}. {told(now)} It stays as it is; {again}."
            ) from None
    return now


def _waits(asked: "Asked") -> str:
    if asked.state == "pending":
        return f"Waiting for {asked.who}"
    if asked.state == "approved":
        return "Approved. Waiting for somebody to start it"
    stage = asked.deploy.stage if asked.deploy is not None else None
    return f"Deploying, {_clean(stage)}" if stage else "Deploying"


def _say_news(before: "Asked", after: "Asked", progress: "Progress") -> None:
    from bot.cli.asked import NOBODY

    heard = after.deploy
    if after.state in ("approved", "running") and before.state == "pending":
        by = ", ".join(after.name(one) for one in after.by if one not in NOBODY)
        waits = " Somebody who may deploy starts it." if after.state == "approved" else ""
        progress.say("approved", f"Approved by {by}.{waits}", request=after.id)
    if after.state == "running" and before.state != "running":
        by = f" by {after.name(heard.started_by)}" if heard is not None and heard.started_by else ""
        progress.say("running", f"Started{by}. The receiver reports how it goes.", request=after.id)
    if heard is not None and heard != before.deploy and (heard.stage or heard.said or heard.log):
        parts = [_clean(part) for part in (heard.stage, heard.said, heard.log) if part]
        progress.say("reported", f"  {' · '.join(parts)}", request=after.id, stage=heard.stage, log=heard.log)


async def _taken_back(requests: "Requests", request: str, progress: "Progress") -> None:
    """What waits is withdrawn, what runs is cancelled; whichever it is by now."""
    try:
        now = await requests.show(request)
        if now.state in UNDECIDED:
            await requests.act(request, "withdraw")
            progress.say("withdrawn", f"Request {request} was withdrawn.", request=request)
        elif now.state == "running":
            await requests.act(request, "cancel", {"reason": INTERRUPTED})
            sentence = f"Request {request} was cancelled. What the receiver has begun, it must stop by itself."
            progress.say("cancelled", sentence, request=request)
    except AccessError as error:
        progress.say("not_taken_back", f"Request {request} may go on: {error.sentence}", request=request)


def _failed(asked: "Asked", key: str | None) -> AccessError:
    from bot.cli.asked import Failed, told

    again = " To ask anew, use another --key." if key is not None else ""
    return Failed(f"{told(asked)}{again}", code=asked.state)


def _clean(text: str) -> str:
    from bot.slack.views.words import cleaned

    return cleaned(text)
