"""`countersign doctor`: the findings, one a line."""

import asyncio
import os
import secrets
import sys
from typing import TYPE_CHECKING, Final

import click

from bot.cli.output import output_option, print_finding, print_json

if TYPE_CHECKING:
    from bot.doctor import Finding
    from bot.settings import Settings

MOST: Final = "Looking at Redis, keys, Slack, policies and what waits …"


@click.command("doctor")
@click.option("--mail-to", metavar="ADDRESS", help="Send a test message there.")
@output_option
def command(output: str, mail_to: str | None) -> int:
    """Look at everything the bot stands on, and say what to do.

    Run it with the environment of serve, also while that runs. Prints OK, WARN or FAIL for each finding and exits with 1 when something fails. It changes
    nothing, and sends no mail but the test that --mail-to asks for.
    """
    from bot.doctor import Word

    found = asyncio.run(_examined(output, mail_to))
    failed = sum(finding.word is Word.FAIL for finding in found)
    warned = sum(finding.word is Word.WARN for finding in found)
    if output == "json":
        findings = [{"word": each.word, "about": each.about, "sentence": each.sentence} for each in found]
        print_json({"ok": not failed, "findings": findings})
    elif sys.stdout.isatty():
        click.echo(f"\n{_count(failed, 'failure')}, {_count(warned, 'warning')}.")
    return 1 if failed else 0


async def _examined(output: str, mail_to: str | None) -> list["Finding"]:
    from bot import logs
    from bot.doctor import examine
    from bot.settings import Log

    settings, found = _settings()
    logs.configure(Log("error", settings.log.format))  # what is a finding need not be a log line too
    if output == "text":
        for finding in found:
            print_finding(*finding)
    async for finding in examine(settings, secrets.token_bytes, mail_to=mail_to):
        found.append(finding)
        if output == "text":
            print_finding(*finding)
    return found


def _settings() -> tuple["Settings", list["Finding"]]:
    """Missing tokens are findings, and the rest is looked at. Raises `BadSettings` for what cannot be read."""
    from bot.doctor.finding import fail
    from bot.settings import BadSettings, Settings

    try:
        return Settings.read(os.environ), []
    except BadSettings as bad:
        return Settings.read(os.environ, slack=False), [fail("settings", problem) for problem in bad.problems]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
