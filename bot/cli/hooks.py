"""`countersign hooks`: what the receiver of a deploy webhook needs."""

import asyncio
import os

import click

from bot.cli.output import output_option, print_json


@click.group("hooks")
def command() -> None:
    """What the receivers of deploy webhooks need."""


@command.command("secret", short_help="The secret that a hook's deliveries are signed with.")
@click.argument("target")
@click.argument("hook")
@output_option
def secret(target: str, hook: str, output: str) -> None:
    """Print the secret that the deliveries to HOOK of TARGET are signed with, whsec_…, to be given to its receiver.

    The value alone goes to stdout, so that it can be piped on. The audit log notes that it was shown.
    """
    value = asyncio.run(_secret(target, hook))
    if output == "json":
        print_json({"target": target, "hook": hook, "secret": value})
        return
    click.echo(
        f"The signing secret of the hook {hook} of {target}. Give it to the receiver alone; the audit log notes that it was shown.",
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
    from bot.cli.local import hooks_here, local
    from store.model.audit import Audit
    from store.model.errors import NotFound
    from store.model.identity import Target, shown
    from store.redis.clock import no_skew, now_ms

    async with local(os.environ) as here:
        policies = await here.policies.current()
        found = Target.parse(target, organization=policies.organization)
        config = policies.targets.get(found.id)
        if config is None:
            raise NotFound(f"The policies name no target {found}.", code="unknown_target")
        named = [each.name for each in config.hooks]
        if hook not in named:
            others = f" It has {', '.join(named)}." if named else " It has none."
            raise NotFound(f"{found} has no hook {shown(hook)}.{others}", code="unknown_hook")
        environments = await here.environments()
        value = (await hooks_here(here, environments).secrets(found.id, hook))[0]
        entry = Audit(
            event="hook.secret_shown",
            actor="owner",
            at_ms=await now_ms(here.redis, no_skew),
            target=found.id,
            details={"hook": hook},
        )
        await here.note(entry)
        return value.reveal().decode()
