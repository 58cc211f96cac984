"""Gates: a job that waits at GitHub hears what was decided of it, who decided, and why."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from scheduler.connectors.hook import Receipt
from scheduler.connectors.outgoing import Outgoing
from store.model.identity import canonical
from store.model.people import Directory, Wanted
from store.model.policy import GATE, Hook, PolicySet
from store.model.request import CLOCK, RELAY, Gate, Request

if TYPE_CHECKING:  # it needs gidgethub, which is there where a GitHub App is set
    from scheduler.connectors.github import GitHubApp, Verdict

COMMENT_MOST: Final = 1_000  # characters
STEERS: Final = re.compile(r"([\\`*_\[\]<>#|~])")  # what is Markdown in the middle of a line


def bound(policies: PolicySet, repository: str, environment: str) -> tuple[str, Hook] | None:
    """Which target an environment at GitHub is, and its hook. None also where there are two: nobody knows which is meant."""
    found = [
        (name if canonical(name).kind == "application" else f"{name}#{hook.name}", hook)
        for name, config in policies.targets.items()
        for hook in config.hooks
        if hook.gates(repository, environment)
    ]
    return found[0] if len(found) == 1 else None


class Gates:
    """`app` None: no GitHub App is set."""

    def __init__(self, app: "GitHubApp | None", directory: Directory) -> None:
        self._app = app
        self._directory = directory

    async def answer(self, outgoing: Outgoing, hook: Hook, request: Request) -> Receipt:
        """What is true of it now: let through is only what was started, and is not over without having been heard of."""
        verdict: Verdict = "approved" if request.state in ("running", "succeeded") else "rejected"
        if request.gate is None:
            return _refused("This deploy was not asked by GitHub, so no job waits there.")
        acted = [request.run.by] if request.run else []
        acted += [request.ending.by] if request.ending and request.ending.by not in (CLOCK, RELAY) else []
        acted += request.decision.by if request.decision else ()
        people = await self._directory.people(Wanted(users=frozenset(acted)))
        names = {user: person.name for user, person in people.persons.items()}
        return await self.say(outgoing, hook, request.gate, verdict, comment(request, names))

    async def say(self, outgoing: Outgoing, hook: Hook, gate: Gate, verdict: "Verdict", words: str) -> Receipt:
        """Only to the GitHub that the App is of, whatever URL the policies name: the App's key signs what is sent there."""
        if self._app is None:
            return _refused("No GitHub App is set: set COUNTERSIGN_GITHUB_APP_ID and what belongs to it.")
        if hook.preset != GATE or hook.url.casefold() != f"{self._app.api}/repos/{gate.repository}".casefold():
            return _refused(f"The hook is for {hook.url}, which is not at the GitHub of our App, {self._app.api}.")
        return await self._app.decide(outgoing, gate, verdict, words)


def comment(request: Request, names: Mapping[str, str]) -> str:
    """Markdown, in which nothing that somebody typed means anything."""

    def name(user: str) -> str:
        return plain(names.get(user, user))

    decision, ending, run = request.decision, request.ending, request.run
    said = []
    if decision is not None:
        how = {"quorum": "Approved by", "denial": "Denied by", "break-glass": "Let through without the approvals by"}
        why = f": {plain(decision.reason)}" if decision.reason else ""
        rule = f", by the rule “{plain(request.rule)}”" if decision.basis == "quorum" else ""
        said.append(f"{how[decision.basis]} {' and '.join(map(name, decision.by))}{rule}{why}.")
    if run is not None:
        said.append(f"Started by {name(run.by)}.")
    if request.state == "expired":
        said.append(f"Nobody {'started' if decision else 'decided'} it in time.")
    elif ending is not None:
        by = "" if ending.by in (CLOCK, RELAY) else f" by {name(ending.by)}"
        why = f": {plain(ending.reason)}" if ending.reason else ""
        said.append(f"{request.state.capitalize()}{by}{why}.")
    return f"{' '.join(said)[:COMMENT_MOST]} Countersign request {request.id}."


def plain(text: str) -> str:
    """On one line, as it was typed; it calls nobody."""
    words = " ".join(text.split())
    return STEERS.sub(r"\\\1", words.rstrip(".")).replace("@", "@\u200b")


def _refused(sentence: str) -> Receipt:
    return Receipt(outcome="refused", status=None, latency_ms=0, error=sentence, sent=False)
