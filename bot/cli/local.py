"""Local: the store as the owner of this machine reaches it, beside the process that runs or without one."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from bot.holders import Holders, Keeping, configured
from bot.settings import Settings
from store.model.audit import Audit
from store.model.errors import NotFound, Unavailable
from store.redis.audit import AuditLog
from store.redis.client import Client, connect
from store.redis.clock import no_skew
from store.redis.commit import Commit
from store.redis.deliveries import Deliveries
from store.redis.embedded import running
from store.redis.environments import Environments
from store.redis.hooks import Hooks
from store.redis.inspection import Inspection, known_installation
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Local:
    settings: Settings
    redis: Client
    keys: Keys
    scripts: Scripts
    policies: Policies
    audit: AuditLog
    inspection: Inspection
    opened: list[Holders] = field(default_factory=list)

    async def environments(self) -> Environments:
        """With the key holders of the settings. Where no roster can be followed, they open nothing. Raises `Unavailable`."""
        keeping = await self.keeping()
        with suppress(Unavailable):
            await keeping.rosters.follow()
        return Environments(self.redis, self.keys, self.scripts, keeping.ring, no_skew, secrets.token_bytes)

    async def keeping(self) -> Keeping:
        """With the key holders of the settings, which are closed with this. Raises `AccessError`."""
        holders = await configured(self.settings, secrets.token_bytes, make=False)
        self.opened.append(holders)
        return Keeping.of(holders, self.redis, self.keys, self.scripts, secrets.token_bytes, no_skew)

    async def note(self, entry: Audit) -> None:
        """Into the audit log, before what it tells of is given out. Raises `Unavailable`."""
        commit = Commit(self.keys, f"local:{secrets.token_hex(8)}", frees=True)
        commit.audit([entry])
        await commit.run(self.scripts, no_skew())


def hooks_here(here: Local, environments: Environments, clock_ms: int | None = None) -> Hooks:
    """What the owner of this machine does to hooks, at `clock_ms`."""
    return Hooks(
        here.redis,
        here.keys,
        here.scripts,
        no_skew,
        lambda: clock_ms or 0,
        policies=here.policies,
        environments=environments,
        deliveries=Deliveries(here.redis, here.keys, here.scripts, no_skew),
    )


@asynccontextmanager
async def local(environ: Mapping[str, str]) -> AsyncIterator[Local]:
    """Starts no server and mints no installation. Raises `AccessError`."""
    settings = Settings.read(environ, slack=False)
    folder = settings.data / "redis"
    url = settings.redis_url.reveal().decode() if settings.redis_url is not None else await running(folder)
    if url is None:
        raise Unavailable(
            f"No server runs in {folder}: start countersign serve, or set COUNTERSIGN_DATA or REDIS_URL as it has them.",
            code="not_running",
        )
    redis = connect(url)
    try:
        installation = await known_installation(redis)
        if installation is None:
            raise NotFound("No Countersign has ever started on this Redis.", code="no_installation")
        keys, scripts = Keys(installation), Scripts(redis)
        here = Local(
            settings=settings,
            redis=redis,
            keys=keys,
            scripts=scripts,
            policies=Policies(redis, keys, scripts),
            audit=AuditLog(redis, keys),
            inspection=Inspection(redis, keys),
        )
        try:
            yield here
        finally:
            for holders in here.opened:
                await holders.close()
    finally:
        await redis.aclose()
