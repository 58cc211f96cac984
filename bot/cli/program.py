"""The program: its commands, and how what goes wrong is told to people and to scripts."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from bot import VERSION
from bot.cli.output import exit_code, tell_error, wants_json
from store.model.errors import AccessError

# name → where it is defined. A module is imported when its command is asked for.
COMMANDS: Final = {
    "serve": "bot.cli.serve",
    "doctor": "bot.cli.doctor",
    "policy": "bot.cli.policy",
    "request": "bot.cli.request",
    "audit": "bot.cli.audit",
    "hooks": "bot.cli.hooks",
    "login": "bot.cli.login",
    "whoami": "bot.cli.whoami",
    "logout": "bot.cli.logout",
    "run": "bot.cli.with_secrets",
    "env": "bot.cli.env",
    "secrets": "bot.cli.changing",
    "seal": "bot.cli.seal",
    "keys": "bot.cli.keys",
    "keyserver": "bot.cli.keyserver",
    "token": "bot.cli.token",
    "cards": "bot.cli.cards",
}
SHORT: Final = {
    "serve": "Run the bot until it is told to stop.",
    "doctor": "Look at everything the bot stands on, and say what to do.",
    "policy": "Check, compare, explain and change policies.",
    "request": "Your requests: look at them, use them, end them.",
    "audit": "Read the audit log, as the owner of this machine.",
    "hooks": "What the receivers of deploy webhooks need.",
    "login": "Log this computer in at a server, as yourself.",
    "whoami": "For whom this computer speaks.",
    "logout": "End the session of this computer.",
    "run": "Run a program with an environment's secrets in its memory.",
    "env": "Ask for an environment's secrets, and read them.",
    "secrets": "Change secrets by a request, and see how they came about.",
    "seal": "Seal a value for a form in Slack.",
    "keys": "Who holds the keys of environments: list, add, rotate, drill.",
    "keyserver": "A key holder on a host of its own, and who may call it.",
    "token": "Let machines in: ask for their tokens, list and revoke them.",
    "cards": "Print every card, modal and Home view as JSON lines.",
}
INTERRUPTED: Final = 130


class Program(click.Group):
    """Commands in the order of a first day, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, SHORT[name]) for name in COMMANDS])


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 denied or failed, 2 wrong usage, settings or policy file, 3 forbidden, 4 not found, 5 conflict, 6 unavailable, 124 waited too long.",
)
@click.option(  # commands look it up where they are given none of their own
    "-o", "--output", type=click.Choice(["text", "json"]), help="How to print, for every command that can print JSON."
)
@click.version_option(VERSION, prog_name="countersign", message="%(prog)s %(version)s")
def program(output: str | None) -> None:
    """Countersign: nothing that matters happens on one person's word alone."""


def run(arguments: Sequence[str]) -> int:
    """The exit code. Prints every error as its sentence on stderr, or with `-o json` as an object on stdout."""
    json = wants_json(arguments)
    try:
        code = program.main(list(arguments), prog_name="countersign", standalone_mode=False)
    except AccessError as error:
        tell_error(error.detail, error.sentence, json=json)
        return exit_code(error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        tell_error("usage", usage(error), json=json)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def usage(error: click.ClickException) -> str:
    """One sentence that says where the right usage stands."""
    message = " ".join(error.format_message().split()).rstrip(".") + "."
    context = getattr(error, "ctx", None)
    return f"{message} See: {context.command_path} --help" if context is not None else message
