"""The GitHub App: is its key right, may it do what it must, and do the policies name its GitHub."""

from collections.abc import AsyncIterator

from bot.doctor.finding import Finding, fail, ok, warn
from bot.github_settings import GitHubAccess
from bot.outside import github_app
from scheduler.connectors.outgoing import Outgoing
from store.model.errors import AccessError
from store.model.policy import GATE, PolicySet

UNSET = "set COUNTERSIGN_GITHUB_APP_ID and what belongs to it"
ASKS = "deployment_protection_rule"
ENDS = "deployment_status"


async def github(access: GitHubAccess | None, policies: PolicySet | None) -> AsyncIterator[Finding]:
    """Signs in as the App, and changes nothing. Nothing is said where nobody wants one."""
    targets = policies.targets if policies is not None else {}
    gates = [(name, hook) for name, config in targets.items() for hook in config.hooks if hook.preset == GATE]
    for name, hook in gates:
        if access is None:
            yield fail("github", f"{name}, hook {hook.name}, waits for GitHub, and there is no App: {UNSET}.")
        elif not hook.url.casefold().startswith(f"{access.api}/".casefold()):
            yield fail("github", f"{name}, hook {hook.name}: {hook.url} is not at the GitHub of the App, {access.api}.")
    app = github_app(access)
    if access is None or app is None:
        return
    async with Outgoing(allow=policies.allow_private if policies is not None else ()) as outgoing:
        try:
            found = await app.check(outgoing)
        except AccessError as error:
            yield fail("github", f"The App {access.app_id} cannot be used. {error.sentence}")
            return
    lacks = [
        *(
            []
            if found.get("permissions", {}).get("deployments") == "write"
            else ["the permission Deployments, read and write"]
        ),
        *([] if ASKS in found.get("events", ()) else ["the event Deployment protection rule"]),
    ]
    if lacks:
        yield fail("github", f"The App {found.get('slug')} lacks {' and '.join(lacks)}; give it that on its page.")
    elif ENDS not in found.get("events", ()):
        yield warn(
            "github", f"The App {found.get('slug')} lacks the event Deployment status: how a deploy ends is not heard."
        )
    else:
        yield ok(
            "github",
            f"The App {found.get('slug')} answers at {access.api}; environments that wait for it: {len(gates)}.",
        )
