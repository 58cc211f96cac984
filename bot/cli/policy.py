"""`countersign policy`: a policy file judged and compared, and what the policies make of a request."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Final

import click

from bot.cli.filing import AS, BECAUSE, TICKET
from bot.cli.output import output_option, print_json, print_labelled, print_paragraph, print_table, styled

DEFAULT: Final = "policies.yml"
ACTIONS: Final = ("open", "change", "access", "deploy", "policy")
REFUSED: Final = 3


@click.group("policy")
def command() -> None:
    """Check, compare, explain and change policies: those of a file, and those in force."""


@command.command("check", short_help="Everything that is wrong with a file, and its rules in words.")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT)
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
@output_option
def check(file: Path, output: str, *, quiet: bool) -> int:
    """Say everything that is wrong with FILE (policies.yml), each with its line and column, and then each rule in words.

    Exits with 2 when the file cannot be used. Warnings let it pass.
    """
    from bot import policy_file

    report = policy_file.check(file)
    if output == "json":
        found = {"errors": report.errors, "warnings": report.warnings}
        problems = {kind: [_problem(problem) for problem in each] for kind, each in found.items()}
        print_json({"file": str(file), "ok": not report.errors, **problems, "lines": list(report.lines)})
        return 2 if report.errors else 0
    for problem in report.errors:
        click.echo(str(problem), err=True)
    for problem in report.warnings:
        click.echo(f"{problem} (warning)", err=True)
    if report.errors:
        return 2
    if not quiet:
        for line in report.lines:
            print_paragraph(line, bold=not line.startswith(" "))
    return 0


@command.command("schema", short_help="The file's JSON Schema, for editors.")
def schema() -> None:
    """Print the file's JSON Schema, for completion in an editor."""
    from bot import policy_file

    click.echo(json.dumps(policy_file.json_schema(), indent=2, ensure_ascii=False))


@command.command("explain", short_help="What the policies make of one request, before anybody is asked.")
@AS
@click.option("--for", "duration", metavar="DURATION", help="For how long: 2h, 1h30m, 45m.")
@click.option(
    "--file", type=click.Path(path_type=Path), help="Ask this file, without Slack, not the policies in force."
)
@click.argument("action", type=click.Choice(ACTIONS), metavar="ACTION")
@click.argument("target")
@output_option
def explain(who: str, duration: str | None, action: str, target: str, file: Path | None, output: str) -> int:
    """Say what the policies in force make of a request, before anybody is asked: which rule decides, whether USER may ask and why not, who could approve, how
    many people that takes and how many there are, who is told, how long it lasts.

    ACTION is open, change, access, deploy or policy.

    With SLACK_BOT_TOKEN it asks Slack who is in which group; without, and with --file, it says where that stays open. Nothing is changed and nobody is told.
    Exits with 3 when the request would be refused.
    """
    from bot import policy_file
    from bot.cli.explanation import by_file, in_force

    if file is not None:
        answer = by_file(policy_file.read(file), who, action, target, duration)
    else:
        answer = asyncio.run(in_force(os.environ, who, action, target, duration))
    if output == "json":
        print_json(answer.to_dict())
    else:
        print_paragraph(answer.sentence, bold=True)
        for label, line in answer.lines:
            print_labelled(label, line)
        if answer.only_slack_knows:
            print_paragraph(f"Only Slack knows {', and '.join(answer.only_slack_knows)}.")
    return REFUSED if answer.facts.verdict == "refused" else 0


@command.command("apply", short_help="Ask for a file's policies to be put into force.")
@AS
@BECAUSE
@TICKET
@click.option("--request", metavar="ID", help="Ask this in a request of yours that waits or is out of date, anew.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what it would change, and ask for nothing.")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT)
@output_option
def apply(
    who: str, reason: str, ticket: str | None, request: str | None, file: Path, output: str, *, dry_run: bool
) -> int:
    """Ask for FILE (policies.yml) to be put into force, as USER, under the rule that covers policy:main. It says everything that is wrong with the file, whom
    its names stand for, what it changes and what it would keep people from; the people who may decide get a card with the same.

    Nothing is in force before they approve. USER is told in Slack that this was asked in their name, and cannot approve it.

    Needs the environment of serve with SLACK_BOT_TOKEN, and its key files. Exits with 0 also where nothing differs.
    """
    from bot.cli import applying

    found, outcome = asyncio.run(
        applying.apply(os.environ, file, who, reason=reason, ticket=ticket, request=request, dry_run=dry_run)
    )
    if output == "json":
        print_json(applying.to_dict(found, outcome))
        return 0
    for principal, name in found.names.items():
        print_labelled(principal, name)
    for line, heading in found.lines():
        print_paragraph(line, bold=heading)
    for sentence in applying.warned(found):
        click.echo(f"Warning: {sentence}", err=True)
    if not found.proposed.changes:
        click.echo(f"No difference: version {found.base.number} in force means the same.", err=True)
    elif outcome is not None and outcome.request is not None:
        click.echo(f"Request {outcome.request.id}: {outcome.answer}", err=True)
    return 0


@command.command("recover", short_help="Put policies into force without an approval, loudly.")
@click.option("--as", "who", required=True, metavar="USER", help="Who does it: an e-mail address or a Slack user id.")
@click.option("--because", "reason", required=True, metavar="REASON", help="Why: every owner reads it.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="An older version, instead of a file.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
def recover(who: str, reason: str, version: int | None, file: Path | None, *, yes: bool) -> int:
    """Put FILE, or with --version an older version, into force at once, without anybody's approval: the way back for when nobody can change the policies by a
    request any more. It takes the machine: its Redis, its key files, and the environment of serve with SLACK_BOT_TOKEN.

    It is never silent. The audit log has it, and every owner, of the policies before and after, reads in Slack who did it, why, and what changed.
    """
    if (version is None) is (file is None):
        raise click.UsageError("Name a file, or --version, and not both.")
    number = asyncio.run(_recovered(who, reason, version, file, yes=yes))
    click.echo(f"Version {number} is in force. Every owner is told in Slack.", err=True)
    return 0


async def _recovered(who: str, reason: str, version: int | None, file: Path | None, *, yes: bool) -> int:
    from bot.cli.applying import warned
    from bot.cli.recovering import recovering

    async with recovering(os.environ, who, path=file, version=version) as ready:
        for line, heading in ready.found.lines():
            print_paragraph(line, bold=heading)
        for sentence in warned(ready.found):
            click.echo(f"Warning: {sentence}", err=True)
        if not yes:
            click.confirm("Put this into force, without an approval?", abort=True, err=True)
        return await ready.commit(reason)


@command.command("history", short_help="Every version: when, who, by which request.")
@click.option("-d", "--diff", "with_changes", is_flag=True, help="Say of each what it changed of the one before.")
@click.option("-n", "most", type=click.IntRange(1, 1_000), default=20, show_default=True, help="At most so many.")
@output_option
def history(most: int, output: str, *, with_changes: bool) -> None:
    """List the versions of the policies, the newest first: when each came into force, and how. Nothing is asked of Slack."""
    from bot.cli import comparison

    versions = asyncio.run(comparison.history(os.environ, most, with_changes=with_changes))
    if output == "json":
        print_json([version.to_dict() for version in versions])
        return
    if not with_changes:
        print_table(("version", "since", "how", "who", "request"), [version.row() for version in versions])
        return
    for version in versions:
        print_paragraph("  ".join(filter(None, version.row())), bold=True)
        for line in version.lines():
            print_paragraph(f"  {line}")


@command.command("export", short_help="The policies in force, or an older version, as a file.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="This version, not the one in force.")
def export(version: int | None) -> None:
    """Print the policies in force as a policies.yml that means the same and that `policy check` accepts.

    People and groups are written as they were when the policies were taken in: by address and handle, or by id.
    """
    from bot.cli import comparison

    policies = asyncio.run(comparison.in_force(os.environ, version))
    for line in comparison.exported(policies):
        click.echo(line)


@command.command("diff", short_help="What a file would change, rule by rule.")
@click.option("-u", "--unified", is_flag=True, help="Print lines as diff -u does.")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT)
@click.argument("other", type=click.Path(path_type=Path), required=False)
@output_option
def diff(file: Path, other: Path | None, output: str, *, unified: bool) -> int:
    """Say what FILE (policies.yml) would change of the policies in force; with OTHER, what OTHER changes of FILE. Nothing is changed, and nothing is asked of
    Slack: a person under another name is taken for another person.

    Exits with 0 where both mean the same, with 1 where they differ, with 2 for a file that cannot be used.
    """
    from bot.cli import comparison

    if other is None:
        old, new = asyncio.run(comparison.with_file(os.environ, file))
        names = (f"version {old.number} in force", str(file))
    else:
        old, new = comparison.of_files(file, other)
        names = (str(file), str(other))
    found = comparison.differences(old, new)
    if output == "json":
        print_json({"same": not found, "differences": [comparison.to_dict(each) for each in found]})
    elif unified:
        for line in comparison.unified(old, new, names):
            click.echo(styled(line, fg=comparison.color(line)))
    else:
        if not found:
            click.echo(f"No difference: {names[1]} means the same as {names[0]}.", err=True)
        for each in found:
            for number, line in enumerate(comparison.lines(each)):
                print_paragraph(line, bold=not number)
    return 1 if found else 0


def _problem(problem: Any) -> dict[str, Any]:
    line, column = problem.place or (None, None)
    return {"file": problem.file, "line": line, "column": column, "sentence": problem.sentence}
