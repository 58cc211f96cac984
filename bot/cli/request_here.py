"""Requests as the owner of this machine sees them, straight from Redis."""

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click

from bot.cli.output import Form, print_json, print_paragraph, print_table

if TYPE_CHECKING:
    from store.model.policy import PolicySet
    from store.model.request import Request


def list_all(user: str | None, most: int, header: tuple[str, ...], output: Form) -> None:
    """What is not finished; or all of `user`. Raises `AccessError`."""
    requests, policies = asyncio.run(_listed(user, most))
    if output == "json":
        print_json([_shown(request) for request in requests])
    elif requests:
        print_table(header, [_row(request, policies.names) for request in requests])
    else:
        click.echo(f"{user} has asked for nothing and holds nothing." if user else "Nothing is waiting.", err=True)


def show_one(request_id: str, output: Form) -> None:
    """With every review. Raises `AccessError`."""
    request, policies = asyncio.run(_one(request_id))
    if output == "json":
        print_json(_shown(request))
        return
    for label, words in _facts(request, policies.names):
        print_paragraph(f"{label + ':':<10} {words}") if label else print_paragraph(words, bold=True)


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
    from bot.policy_file.durations import words
    from bot.slack.views.holders import compare
    from bot.slack.views.machines import life
    from store.model.request import Amendment, Change, Enrolling, Extending, Minting
    from store.model.roster import spaced

    def name(who: str) -> str:
        return f"{names[who]} ({who})" if who in names else who

    facts = [("", f"{request.id}  {request.kind} {request.target}: {request.state}")]
    door = ", at a terminal" if request.door == "terminal" else ""
    facts.append(("asked", f"{_utc(request.created_ms)} by {name(request.requester)}{door}, under “{request.rule}”"))
    if request.beneficiary != request.requester:
        facts.append(("for", name(request.beneficiary)))
    if request.reason:
        facts.append(("reason", request.reason))
    if request.ticket:
        facts.append(("ticket", request.ticket))
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
    elif isinstance(request.payload, Extending):
        granted = request.granted_ms
        less = f", {words(granted)} granted" if granted is not None and granted != request.payload.duration_ms else ""
        facts.append(("longer by", f"{words(request.payload.duration_ms)}{less}, of request {request.payload.parent}"))
    elif request.duration_ms is not None:
        granted = request.granted_ms
        less = f", {words(granted)} granted" if granted is not None and granted != request.duration_ms else ""
        facts.append(("duration", words(request.duration_ms) + less))
    for review in request.reviews:
        why = f": {review.reason}" if review.reason else ""
        facts.append((review.verdict, f"{_utc(review.at_ms)} {name(review.by)}{why}"))
    if request.decision is not None:
        who = ", ".join(name(by) for by in request.decision.by)
        facts.append(("decided", f"{_utc(request.decision.at_ms)} by {request.decision.basis}: {who}"))
    if request.lease is not None:
        facts.append(("access", f"{_utc(request.lease.starts_ms)} to {_utc(request.lease.until_ms)}"))
    if request.merged is not None:
        facts.append(("merged", f"as version {request.merged}"))
    if request.note:
        facts.append(("note", request.note))
    if request.ending is not None:
        why = f": {request.ending.reason}" if request.ending.reason else ""
        facts.append(("ended", f"{_utc(request.ending.at_ms)} by {name(request.ending.by)}{why}"))
    return [(label, _one_line(words_)) for label, words_ in facts]


def _one_line(text: str) -> str:
    """What people typed, without what would move a terminal's cursor or colours."""
    from bot.slack.views.words import cleaned

    return cleaned(text)


def _utc(at_ms: int | None) -> str:
    from bot.slack.views.words import utc

    return utc(at_ms) if at_ms is not None else ""
