"""`countersign hooks`: what the receiver of a deploy webhook needs, how it is told, and what an owner does about that."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from bot.cli.output import output_option, print_json, print_table

if TYPE_CHECKING:
    from bot.cli.local import Local
    from store.model.delivery import Delivery
    from store.redis.hooks import Hooks

HEADER: Final = ("target", "hook", "events", "waits", "state")
RECEIPTS: Final = ("when", "status", "took", "said")
LISTED: Final = 50


@click.group("hooks")
def command() -> None:
    """Deploy webhooks: how their receivers are told, and what these need."""


@dataclass(frozen=True, slots=True)
class _Here:
    """The store of this machine at one moment."""

    local: "Local"
    hooks: "Hooks"
    now_ms: int


@asynccontextmanager
async def _here() -> AsyncIterator[_Here]:
    from bot.cli.local import hooks_here, local
    from store.redis.clock import no_skew, now_ms

    async with local(os.environ) as found:
        at_ms = await now_ms(found.redis, no_skew)
        yield _Here(found, hooks_here(found, await found.environments(), at_ms), at_ms)


def _command_id() -> str:
    return f"cli:{secrets.token_hex(8)}"


@command.command("ls", short_help="Every hook, what waits for it, and what was given up.")
@output_option
def ls(output: str) -> None:
    """List the hooks that the policies name, and the deliveries that were given up: dead letters."""
    rows, dead = asyncio.run(_listed())
    if output == "json":
        print_json({"hooks": rows, "dead": dead})
        return
    print_table(HEADER, [tuple(str(value) for value in row.values()) for row in rows])
    for each in dead:
        click.echo(
            f"Given up: {each['target']}, hook {each['hook']}, {each['event']}. "
            f"countersign hooks retry {each['request']} {each['place']}",
            err=True,
        )


async def _listed() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    async with _here() as here:
        rows = []
        for target, hook, receiver, waiting in await here.hooks.listed():
            state = f"paused by {receiver.paused.by}" if receiver.paused is not None else "on"
            events = " ".join(sorted(hook.on))
            rows.append({"target": target, "hook": hook.name, "events": events, "waits": waiting, "state": state})
        return rows, [_shown(each) for each in await here.hooks.dead(most=LISTED)]


@command.command("show", short_help="How telling the hooks of one request goes, try by try.")
@click.argument("request_id", metavar="ID")
@output_option
def show(request_id: str, output: str) -> None:
    """Print what each hook was told of request ID, with a receipt for each of the newest twenty tries."""
    from bot.slack.views.words import cleaned, utc
    from store.model.identity import parse_request_id

    found = asyncio.run(_deliveries(parse_request_id(request_id)))
    if output == "json":
        print_json([_shown(each) for each in found])
        return
    for each in found:
        click.echo(f"{each.place}: {each.event}, {each.state}, {each.attempts} attempts, {each.message_id}", err=True)
        rows = [
            (utc(tried.at_ms), str(tried.status or "none"), f"{tried.latency_ms} ms", cleaned(tried.said))
            for tried in each.receipts
        ]
        print_table(RECEIPTS, rows)
    if not found:
        click.echo("It has told no hook.", err=True)


async def _deliveries(request_id: str) -> "tuple[Delivery, ...]":
    async with _here() as here:
        return await here.hooks.of(request_id)


@command.command("retry", short_help="Try what waits or was given up at once.")
@click.argument("request_id", metavar="ID")
@click.argument("hook")
@output_option
def retry(request_id: str, hook: str, output: str) -> None:
    """Have HOOK told at once of request ID, under the same id as before, and its schedule begun anew.

    HOOK is its name, or api:deploy where it was told of several events.
    """
    _told(asyncio.run(_again(request_id, hook, replay=False)), output)


@command.command("replay", short_help="Send what was delivered again.")
@click.argument("request_id", metavar="ID")
@click.argument("hook")
@output_option
def replay(request_id: str, hook: str, output: str) -> None:
    """Have HOOK told of request ID once more, under the same id: for a receiver that has lost it."""
    _told(asyncio.run(_again(request_id, hook, replay=True)), output)


async def _again(request_id: str, hook: str, *, replay: bool) -> "Delivery":
    from store.model.identity import parse_request_id
    from store.redis.hooks import MACHINE_OWNER

    async with _here() as here:
        anew = here.hooks.replay if replay else here.hooks.retry
        return await anew(parse_request_id(request_id), hook, actor=MACHINE_OWNER, command_id=_command_id())


def _told(delivery: "Delivery", output: str) -> None:
    if output == "json":
        print_json(_shown(delivery))
    else:
        click.echo(f"{delivery.place} is told at once: countersign hooks show {delivery.request}", err=True)


def _shown(delivery: "Delivery") -> dict[str, Any]:
    content = delivery.model_dump(mode="json", exclude={"environment", "counted_from"})
    return {"target": delivery.environment, "place": delivery.place, **content}


@command.command("test", short_help="Send a test to a receiver, and print what it said.")
@click.argument("target")
@click.argument("hook")
@output_option
def test(target: str, hook: str, output: str) -> int:
    """Send an event of the type test to HOOK of TARGET, from here and once, and print its receipt. Audited."""
    from bot.slack.views.words import cleaned

    receipt = asyncio.run(_test(target, hook))
    if output == "json":
        print_json(receipt)
    else:
        click.echo(f"{receipt['outcome']}, status {receipt['status'] or 'none'}, {receipt['latency_ms']} ms", err=True)
        click.echo(cleaned(str(receipt["said"])))
    return 0 if receipt["outcome"] == "delivered" else 1


async def _test(target: str, hook: str) -> dict[str, Any]:
    from scheduler.connectors.outgoing import Outgoing
    from scheduler.webhooks import trial
    from store.redis.hooks import MACHINE_OWNER

    async with _here() as here:
        environments = await here.local.environments()
        policies = await here.local.policies.current()
        named = await here.hooks.named(target, hook)
        await here.hooks.test(named, actor=MACHINE_OWNER, command_id=_command_id())
        message_id = f"msg_test_{secrets.token_hex(8)}"
        async with Outgoing(allow=policies.allow_private) as outgoing:
            receipt = await trial(here.hooks, environments, outgoing, named, message_id, here.now_ms)
        return {
            "outcome": receipt.outcome,
            "status": receipt.status,
            "latency_ms": receipt.latency_ms,
            "said": receipt.error or receipt.excerpt,
            "message_id": message_id,
        }


@command.command("pause", short_help="Send nothing to a hook until it is resumed.")
@click.argument("target")
@click.argument("hook")
@click.option("--reason", default="", help="Why; it stands in the audit log.")
@output_option
def pause(target: str, hook: str, reason: str, output: str) -> None:
    """Hold what HOOK of TARGET would be told. Nothing is lost: on resuming it is told of the newest version, and of all else."""
    asyncio.run(_pause(target, hook, reason))
    if output == "json":
        print_json({"target": target, "hook": hook, "paused": True})
    else:
        click.echo(f"Nothing is sent to {hook} of {target} until it is resumed.", err=True)


async def _pause(target: str, hook: str, reason: str) -> None:
    from store.redis.hooks import MACHINE_OWNER

    async with _here() as here:
        await here.hooks.pause(target, hook, actor=MACHINE_OWNER, command_id=_command_id(), reason=reason)


@command.command("resume", short_help="Send what waited while a hook was paused.")
@click.argument("target")
@click.argument("hook")
@output_option
def resume(target: str, hook: str, output: str) -> None:
    """Let HOOK of TARGET be told again, of what waits at once."""
    waited = asyncio.run(_resume(target, hook))
    if output == "json":
        print_json({"target": target, "hook": hook, "paused": False, "waited": waited})
    else:
        click.echo(f"{hook} of {target} is told again: {waited} waited.", err=True)


async def _resume(target: str, hook: str) -> int:
    from store.redis.hooks import MACHINE_OWNER

    async with _here() as here:
        return await here.hooks.resume(target, hook, actor=MACHINE_OWNER, command_id=_command_id())


@command.command("rotate", short_help="Replace the secret of a hook; the former one signs along for a while.")
@click.argument("target")
@click.argument("hook")
@click.option("--overlap", default="24h", show_default=True, help="How long deliveries carry both signatures.")
@output_option
def rotate(target: str, hook: str, overlap: str, output: str) -> None:
    """Replace the secret of HOOK of TARGET and print the new one, whsec_…, once, to be given to its receiver.

    Until the overlap is over each delivery carries two signatures, so that the receiver may change at any time. Then the
    former secret goes by itself.
    """
    value = asyncio.run(_rotate(target, hook, overlap))
    if output == "json":
        print_json({"target": target, "hook": hook, "secret": value, "overlap": overlap})
        return
    click.echo(f"The new secret of {hook} of {target}. The former one signs along for {overlap}.", err=True)
    click.echo(value)


async def _rotate(target: str, hook: str, overlap: str) -> str:
    from bot.policy_file import durations
    from store.model.errors import Invalid
    from store.redis.hooks import MACHINE_OWNER

    try:
        overlap_ms = durations.parse(overlap)
    except ValueError as error:
        raise Invalid(f"After --overlap stands how long, like 24h. {error}", code="bad_duration") from None
    async with _here() as here:
        rotated = await here.hooks.rotate(
            target, hook, actor=MACHINE_OWNER, command_id=_command_id(), overlap_ms=overlap_ms
        )
        return rotated.reveal().decode()


@command.command("schema", short_help="The JSON Schema of what a receiver gets.")
def schema() -> None:
    """Print the JSON Schema of the body of every hook without a preset."""
    from scheduler.hook_body import JSON_SCHEMA

    print_json(JSON_SCHEMA)


@command.command("secret", short_help="The secret that a hook's deliveries are signed with.")
@click.argument("target")
@click.argument("hook")
@output_option
def secret(target: str, hook: str, output: str) -> None:
    """Print the secret that the deliveries to HOOK of TARGET are signed with, whsec_…, to be given to its receiver. It is shown once.

    The value alone goes to stdout, so that it can be piped on. The audit log notes that it was shown. Whoever has lost it rotates it.
    """
    value = asyncio.run(_secret(target, hook))
    if output == "json":
        print_json({"target": target, "hook": hook, "secret": value})
        return
    click.echo(
        f"The signing secret of the hook {hook} of {target}. It is shown once: give it to the receiver now, and to nobody else.",
        err=True,
    )
    click.echo(value)


@command.command("notice-secret", short_help="The secret that notices to a URL under notify are signed with.")
@click.argument("url")
@output_option
def notice_secret(url: str, output: str) -> None:
    """Print the secret that the notices of decisions to URL are signed with, whsec_…, to be given to its receiver.

    URL stands under `notify: webhooks` of a rule. The value alone goes to stdout. The audit log notes that it was shown.
    """
    value = asyncio.run(_notice_secret(url))
    if output == "json":
        print_json({"url": url, "secret": value})
        return
    click.echo("Give it to the receiver alone; the audit log notes that it was shown.", err=True)
    click.echo(value)


async def _notice_secret(url: str) -> str:
    from bot.cli.local import local
    from scheduler import notices
    from store.model.audit import Audit
    from store.model.errors import NotFound
    from store.model.identity import shown
    from store.redis.clock import no_skew, now_ms

    async with local(os.environ) as here:
        policies = await here.policies.current()
        if not any(url in rule.notify.webhooks for rule in policies.policies):
            raise NotFound(f"No rule names {shown(url)} under notify: webhooks.", code="unknown_hook")
        value = await notices.notice_secret(await here.environments(), url)
        at_ms = await now_ms(here.redis, no_skew)
        await here.note(Audit(event="hook.secret_shown", actor="owner", at_ms=at_ms, details={"hook": url}))
        return value.reveal().decode()


async def _secret(target: str, hook: str) -> str:
    from store.redis.hooks import MACHINE_OWNER

    async with _here() as here:
        secret = await here.hooks.show(target, hook, actor=MACHINE_OWNER, command_id=_command_id())
        return secret.reveal().decode()
