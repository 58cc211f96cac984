"""Recovering: policies put into force at the machine itself, when nobody can approve a change of them any more."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import policy_file
from bot.cli.applying import Desk, Plan, desk, plan, planned
from bot.cli.explanation import slack_id
from store.model.errors import Conflict, NotFound
from store.redis.clock import no_skew
from store.redis.recovery import Recovery


@dataclass(frozen=True, slots=True)
class Recovering:
    at: Desk
    found: Plan
    user: str
    restored: int | None

    async def commit(self, reason: str) -> int:
        """The number of the version in force. Raises `AccessError`."""
        here = self.at.here
        recovery = Recovery(here.redis, here.keys, here.scripts, self.at.directory, no_skew)
        return await recovery.recover(
            self.found.new,
            base=self.found.base.number,
            actor=self.user,
            reason=reason,
            restored=self.restored,
            command_id=f"cli:{secrets.token_hex(8)}",
            now_ms=self.at.dial.now_ms(),
        )


@asynccontextmanager
async def recovering(
    environ: Mapping[str, str], who: str, *, path: Path | None, version: int | None
) -> AsyncIterator[Recovering]:
    """What is in `path`, or an older version. Raises `AccessError`, `PolicyFileInvalid`."""
    file = policy_file.read(path) if path is not None else None
    async with desk(environ) as at:
        await _prove(at)
        if file is not None:
            found = await plan(at, file)
        else:
            found = await _older(at, version or 0)
        if not found.proposed.changes:
            raise Conflict(f"Version {found.base.number} in force means the same.", code="nothing_new")
        yield Recovering(at, found, await slack_id(who, found.base, at.slack), version)


async def _older(at: Desk, version: int) -> Plan:
    base = await at.here.policies.current()
    if not 0 < version < base.number:
        raise NotFound(f"There is no version {version} before version {base.number} in force.", code="no_version")
    old = await at.here.policies.get(version)
    return await planned(at, base, old.model_copy(update={"number": base.number + 1}))


async def _prove(at: Desk) -> None:
    """Whoever does this holds the key files, and they are those of this installation. Raises `Unavailable`."""
    environments = await at.here.environments()
    for target in sorted((await at.here.policies.current()).targets):
        environment = await environments.find(target)
        if environment is not None:
            await environments.head(environment.id)
            return
