"""Connectors and hooks: do the credentials work, and may the addresses be used."""

from collections.abc import AsyncIterator

from bot.doctor.finding import Finding, fail, ok
from bot.outside import Outside
from store.model.errors import AccessError
from store.model.policy import PolicySet


async def connectors(outside: Outside, policies: PolicySet) -> AsyncIterator[Finding]:
    """Each with the groups that roles name. A connector's token is read, which leaves its entry in the audit log."""
    groups: dict[str, list[str]] = {name: [] for name in policies.connectors}
    for config in policies.targets.values():
        if config.connector in groups and config.group is not None:
            groups[config.connector].append(config.group)
    for name, named in groups.items():
        try:
            connector = await outside.connector(name)
            await connector.check()
            for group in sorted(set(named)):
                await connector.check(group)
        except AccessError as error:
            yield fail("connectors", f"{name}: {error.sentence}")
        else:
            known = sorted(set(named))
            told = (
                f", and {'the group' if len(known) == 1 else 'the groups'} {', '.join(known)} can be read"
                if named
                else ""
            )
            yield ok("connectors", f"{name} answers{told}.")


async def hooks(outside: Outside, policies: PolicySet) -> AsyncIterator[Finding]:
    """Only what can be known of an address without asking anybody."""
    outgoing = await outside.outgoing(policies)
    sound = 0
    for target, config in sorted(policies.targets.items()):
        for hook in config.hooks:
            try:
                outgoing.check_url(hook.url)
            except AccessError as error:
                yield fail("hooks", f"{target}, hook {hook.name}: {error.sentence}")
            else:
                sound += 1
    for rule in policies.policies:
        for url in rule.notify.webhooks:
            try:
                outgoing.check_url(url)
            except AccessError as error:
                yield fail("hooks", f"“{rule.name}” tells {url}: {error.sentence}")
            else:
                sound += 1
    if sound:
        yield ok("hooks", f"{sound} hook{'' if sound == 1 else 's'} may be sent where the policies say.")
