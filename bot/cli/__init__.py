"""The command line. What a command needs is imported when it runs, so that `--help` and `policy check` answer at once."""

from bot.cli.program import run

__all__ = ["run"]
