"""Requests of whoever is logged in, over HTTP."""

import os
from typing import TYPE_CHECKING, Any, Final

import click

from bot.cli.filing import talk, tell
from bot.cli.output import Form, print_json, print_paragraph, print_table

if TYPE_CHECKING:
    from bot.cli.asked import Asked
    from bot.cli.client import Client

HEADER: Final = ("id", "state", "what", "by", "since", "until")


def logged_in(url: str | None) -> bool:
    """Whether somebody is meant other than the owner of this machine."""
    from bot.cli.credentials import Credentials

    return bool(url or os.environ.get("COUNTERSIGN_TOKEN") or Credentials.of(os.environ).read().current)


def list_mine(url: str | None, output: Form, *, waiting: bool, most: int) -> None:
    from bot.cli.asked import LISTED, Requests

    async def listed(client: "Client") -> "tuple[list[Asked], int]":
        return await Requests(client).mine(waiting=waiting, most=min(most, LISTED)), client.now_ms()

    found, now_ms = talk(url, listed)
    if output == "json":
        print_json([asked.model_dump(exclude_none=True) for asked in found])
    elif found:
        print_table(HEADER, [_row(asked, now_ms) for asked in found])
    else:
        click.echo(
            "Nothing waits for your word." if waiting else "You have asked for nothing and hold nothing.", err=True
        )


def _row(asked: "Asked", now_ms: int) -> tuple[str, ...]:
    from bot.cli.moments import at

    until = asked.until_ms if asked.until_ms is not None else asked.deadline_ms
    return (
        asked.id,
        asked.state,
        asked.what,
        asked.name(asked.requester),
        at(asked.created_ms, now_ms),
        at(until, now_ms) if until is not None else "",
    )


def show_mine(request_id: str, url: str | None, output: Form) -> None:
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
        *_of_deploy(asked, now_ms),
        *(("name", f"{entry.name} ({entry.word})") for entry in asked.entries),
        ("until", at(asked.until_ms, now_ms) if asked.until_ms else ""),
        ("stands", asked.sentence if asked.state == "pending" else ""),
        ("before", at(asked.deadline_ms, now_ms) if asked.deadline_ms else ""),
        ("card", asked.link or ""),
    ]
    for label, words in facts:
        if words:
            print_paragraph(f"{label + ':':<10} {cleaned(words)}")


def _of_deploy(asked: "Asked", now_ms: int) -> list[tuple[str, str]]:
    from bot.cli.moments import at

    of = asked.deploy
    if of is None:
        return []
    return [
        ("ref", of.ref or ""),
        ("started", f"by {asked.name(of.started_by)}" if of.started_by else ""),
        ("report", f"before {at(of.report_before_ms, now_ms)}" if of.report_before_ms else ""),
        ("stage", of.stage or ""),
        ("said", of.said or ""),
        ("log", of.log or ""),
    ]


def act(request_id: str, verb: str, body: dict[str, Any], url: str | None, output: Form) -> None:
    from bot.cli.asked import Requests
    from store.model.identity import parse_request_id

    canonical = parse_request_id(request_id)
    tell(talk(url, lambda client: Requests(client).act(canonical, verb, body)), output)
