"""Applying: a file becomes a request for other policies, asked at the terminal of the machine."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot import policy_file
from bot.asking import Asking
from bot.cli.explanation import slack_id
from bot.cli.local import Local, local
from bot.proposing import concerned, proposal
from bot.slack.directory import SlackDirectory
from bot.slack.lookup import SlackLookup
from bot.slack.views.amendment import warnings
from bot.slack.views.facts import Proposed
from bot.slack.views.words import cleaned
from bot.slack.wire import Slack
from store.model.command import Edit
from store.model.errors import Forbidden, NotFound, Unavailable
from store.model.identity import POLICIES, parse_request_id
from store.model.people import Directory
from store.model.policy import PolicySet
from store.model.request import Amendment
from store.redis.blobs import Blobs
from store.redis.clock import Dial, no_skew
from store.redis.facts import Facts
from store.redis.requests import Outcome, Requests
from store.redis.versions import Versions


@dataclass(frozen=True, slots=True)
class Desk:
    """What a request that is asked at a terminal needs. `slack` is asked with the bot's token, and told nothing."""

    here: Local
    slack: Slack
    directory: Directory
    dial: Dial  # the one clock


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file would put into force instead of `base`. `names`: id -> how the file called it, of everybody it names."""

    base: PolicySet
    new: PolicySet
    proposed: Proposed
    names: Mapping[str, str]

    def lines(self) -> Iterator[tuple[str, bool]]:
        """Lines, and whether each is a heading."""
        for said in self.proposed.changes:
            yield cleaned(said.head), True
            yield from ((f"  {cleaned(line)}", False) for line in said.lines)


@asynccontextmanager
async def desk(environ: Mapping[str, str]) -> AsyncIterator[Desk]:
    """Raises `AccessError`."""
    async with local(environ) as here:
        token = here.settings.slack_bot_token
        if token is None:
            raise Unavailable(
                "SLACK_BOT_TOKEN is not set, and only Slack knows who stands behind the names.", code="no_token"
            )
        slack = Slack.at(here.settings.slack_api_url, token.reveal().decode())
        dial = Dial(here.redis, no_skew, time.monotonic)
        await dial.sync()
        facts = Facts(here.redis, here.keys)
        try:
            team_id = str((await slack.call("auth.test")).get("team_id", ""))
            directory = SlackDirectory(slack, facts, team_id=lambda: team_id, now_ms=dial.now_ms)
            try:
                yield Desk(here, slack, directory, dial)
            finally:
                await directory.close()
        finally:
            await slack.close()


async def plan(at: Desk, file: policy_file.PolicyFile) -> Plan:
    """Every name is looked up, as the first start does. Raises `PolicyFileInvalid` with all that stand for nothing."""
    base = await at.here.policies.current()
    new = await policy_file.resolve(file, SlackLookup(at.slack), number=base.number + 1)
    return await planned(at, base, new)


async def planned(at: Desk, base: PolicySet, new: PolicySet) -> Plan:
    people = await concerned(at.directory, new, patient=True)
    return Plan(base, new, proposal(base, new, people), dict(sorted(new.names.items(), key=lambda pair: pair[1])))


async def apply(
    environ: Mapping[str, str],
    path: Path,
    who: str,
    *,
    reason: str,
    ticket: str | None,
    request: str | None,
    dry_run: bool,
) -> tuple[Plan, Outcome | None]:
    """None where nothing was asked: it is no difference, or a dry run. Raises `AccessError`, `PolicyFileInvalid` before anything else is looked at."""
    file = policy_file.read(path)
    async with desk(environ) as at:
        found = await plan(at, file)
        if dry_run or not found.proposed.changes:
            return found, None
        return found, await asked(at, found, who, reason=reason, ticket=ticket, request=request)


def to_dict(found: Plan, outcome: Outcome | None) -> dict[str, Any]:
    made = outcome.request if outcome is not None else None
    return {
        "same": not found.proposed.changes,
        "base": found.base.number,
        "request": made.id if made is not None else None,
        "names": dict(found.names),
        "changes": [asdict(said) for said in found.proposed.changes],
        "warnings": warned(found),
        "dangers": list(found.proposed.dangers),
    }


def warned(plan: Plan) -> list[str]:
    return warnings(plan.proposed.dangers)


async def asked(
    at: Desk, found: Plan, who: str, *, reason: str, ticket: str | None, request: str | None = None
) -> Outcome:
    """Checked as whoever asks in Slack is: `who` must be somebody the rule names. With `request` that one is asked anew. Raises `AccessError`."""
    if found.base.rule("policy", POLICIES) is None:
        raise Forbidden(
            f"No rule of version {found.base.number} in force covers policy:main, so nobody can approve other policies. "
            "Whoever owns the machine can put them into force: countersign policy recover --help",
            code="no_rule",
        )
    user = await slack_id(who, found.base, at.slack)
    keeping = await at.here.keeping()
    with suppress(Unavailable):  # which is no reason to keep the policies as they are
        await keeping.rosters.follow()
    await keeping.rosters.able(found.base, found.new)
    door = await asking(at)
    command_id = f"cli:{secrets.token_hex(8)}"
    if request is None:
        return await door.policies(
            user,
            found.new,
            base=found.base.number,
            reason=reason,
            ticket=ticket,
            door="terminal",
            command_id=command_id,
        )
    known = await at.here.inspection.request(parse_request_id(request))
    if known is None or not isinstance(known.payload, Amendment):
        raise NotFound(f"There is no request {parse_request_id(request)} for other policies here.")
    edit = Edit(
        id=command_id,
        actor=user,
        revision=known.revision,
        digest=known.digest,
        reason=reason or known.reason,
        ticket=ticket if ticket is not None else known.ticket,
    )
    return await door.other_policies(known, edit, found.new, base=found.base.number)


async def asking(at: Desk) -> Asking:
    here = at.here
    environments = await here.environments()
    blobs = Blobs(here.redis, here.keys, here.scripts, environments, no_skew, secrets.token_bytes)
    requests = Requests(
        here.redis, here.keys, here.scripts, here.policies, at.directory, environments.sign, no_skew, at.dial.now_ms
    )
    return Asking(
        requests,
        environments,
        here.policies,
        at.directory,
        secrets.token_bytes,
        versions=Versions(here.redis, here.keys, environments),
        blobs=blobs,
    )
