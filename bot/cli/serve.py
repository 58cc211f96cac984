"""`countersign serve`: the bot, from its settings to its last effect."""

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import structlog

from bot.cli.output import output_option
from store.model.errors import AccessError, Invalid

if TYPE_CHECKING:
    from bot.app import App
    from bot.settings import Settings

FAILED: Final = 1  # a supervisor starts it again
SECRETS: Final = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "REDIS_URL")
COLLECTED_AFTER: Final = (50_000, 10, 10)  # new containers that live: a hundred things under way at once are 10,000
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

# Slack's words for a token that will not do, and what they mean.
TOKENS: Final[Mapping[str, str]] = {
    "invalid_auth": "it is not one that Slack knows",
    "not_authed": "it is not one that Slack knows",
    "account_inactive": "the app was removed from the workspace",
    "token_revoked": "it was revoked",
    "token_expired": "it has expired: switch token rotation off, and install the app anew",
    "not_allowed_token_type": "it is of another kind",
    "missing_scope": "it lacks a scope of manifest.yml: install the app anew",
    "no_permission": "it lacks the scope connections:write",
}

T = TypeVar("T")

log = structlog.stdlib.get_logger("bot.cli.serve")


@click.command("serve")
@output_option
def command(output: str) -> int:  # noqa: ARG001 - the program prints errors as it asks
    """Run the bot until it is told to stop.

    Reads its settings from the environment (docs/operations.md) and logs to stderr. SIGTERM and Ctrl-C let it end what it has begun; a second one ends
    it at once. It exits with 1 when it can no longer hear Slack, so that whoever supervises it starts it again.
    """
    from bot import logs
    from bot.settings import Settings

    settings = Settings.read(os.environ)
    for name in SECRETS:  # the settings hold them: Slack's library and the server that we start need not find them
        os.environ.pop(name, None)
    logs.configure(settings.log)
    for warning in settings.warnings:
        log.warning("settings", why=warning)
    collect_rarely()
    return asyncio.run(serve(settings))


def collect_rarely() -> None:
    """What is loaded stays for good: the garbage collector need not go through it, and for the rest comes less often."""
    import bot.main  # noqa: F401 - with all that it stands on

    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


async def serve(settings: "Settings") -> int:
    """Raises `AccessError` where it cannot start, also where that shows only once Slack answers. Whatever happens, no server of ours stays behind."""
    stopping = told_to_stop()
    from bot.main import build

    app = await _unless(stopping, build(settings))
    if app is None:
        return 0
    try:
        return await _unless(stopping, _served(app)) or 0
    finally:
        await app.stop()
        log.info("stopped")


def told_to_stop() -> asyncio.Event:
    """Set by the first SIGTERM or Ctrl-C."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, _on_signal, number, stopping, loop)
    return stopping


def _on_signal(number: signal.Signals, stopping: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """The first one asks, and the next one, of whichever kind, does what it does to any process."""
    for each in SIGNALS:
        loop.remove_signal_handler(each)
        signal.signal(each, signal.SIG_DFL)
    stopping.set()
    log.info("stopping", signal=number.name)


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` comes to; None where it was told to stop meanwhile, and `work` has cleaned up behind itself."""
    task, told = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    return task.result()


async def _served(app: "App") -> int:
    """Until Slack is not heard any more. Raises `AccessError` for what no waiting would mend."""
    try:
        await app.start()
        await app.until_deaf()
    except AccessError as error:
        raise _in_settings(error) from None
    log.error("deaf", why="Slack is not heard any more. The process ends, to be started again.")
    return FAILED


def _in_settings(error: AccessError) -> AccessError:
    """What Slack says of a token, in the words of the setting that holds it."""
    from bot.slack.wire import SlackRefused

    if not isinstance(error, SlackRefused):
        return error
    name = "SLACK_APP_TOKEN" if "apps.connections.open" in error.sentence else "SLACK_BOT_TOKEN"
    if error.error not in TOKENS:
        return Invalid(error.sentence, code=error.error)
    return Invalid(f"{name}: Slack refuses it, {TOKENS[error.error]} ({error.error}).", code=error.error)
