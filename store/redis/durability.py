"""Whether this Redis keeps what it is told: looked at when we start and each minute after."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from store.model.errors import Unavailable


class Verdict(enum.IntEnum):
    """In order of weight. The worst finding is the verdict."""

    FIT = 0
    WARN = 1  # it works, and somebody should know
    DEGRADE = 2  # no new grants and no reads; revocations, denials and expiry go on
    REFUSE = 3  # do not start; while running, the same as DEGRADE


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    sentence: str  # for the operator: what is wrong, and what to do


@dataclass(frozen=True)
class Durability:
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return max((finding.verdict for finding in self.findings), default=Verdict.FIT)

    @property
    def may_grant(self) -> bool:
        return self.verdict < Verdict.DEGRADE


NO_AOF: Final = Finding(
    Verdict.REFUSE,
    "Redis keeps nothing over a crash: its append-only file is off. Set `appendonly yes` (or the same under its name at your provider).",
)
NO_FSYNC: Final = Finding(
    Verdict.REFUSE,
    "Redis leaves it to the operating system when to write (`appendfsync no`): half a minute of decisions can be lost. Set `appendfsync always`.",
)
REPLICA: Final = Finding(
    Verdict.REFUSE,
    "This Redis is a replica: it takes no writes, and what it says is old. Let REDIS_URL name the primary, or use a redis+sentinel:// address.",
)
WRITE_FAILED: Final = Finding(
    Verdict.DEGRADE,
    "Redis could not write to its disk the last time it tried: look at the free space and the log of that server. "
    "Until it can, access is taken back but none is given.",
)
EVERYSEC: Final = Finding(
    Verdict.WARN,
    "Redis writes to its disk once a second (`appendfsync everysec`): when the machine fails, up to a second of decisions can be lost. "
    "Set `appendfsync always` to lose none.",
)
PAUSED: Final = Finding(
    Verdict.WARN,
    "While Redis rewrites its file it does not wait for the disk (`no-appendfsync-on-rewrite yes`): when the machine fails then, "
    "up to half a minute of decisions can be lost. Set it to `no`.",
)
UNKNOWN_FSYNC: Final = Finding(
    Verdict.WARN,
    "This Redis does not say how often it writes to its disk (CONFIG is forbidden, as with most providers): "
    "reckon with up to a second of lost decisions when it fails over.",
)


async def inspect(redis: Redis, *, replicas: int = 0) -> Durability:
    """`replicas`: how many the operator promised; fewer online is a finding. Unavailable where Redis does not answer.

    Asks INFO, which every provider allows, and CONFIG GET, which many forbid.
    """
    try:
        info = await redis.info()
        try:
            config = {str(name): value for name, value in (await redis.config_get("*appendfsync*")).items()}
        except (ResponseError, NoPermissionError):
            config = None
    except NoPermissionError as error:
        raise Unavailable("Redis does not let us ask INFO: allow it to the user in REDIS_URL (`+info`).") from error
    except RedisError as error:
        if isinstance(error.__cause__ or error, AuthenticationError):  # redis-py wraps it in a ConnectionError
            raise Unavailable("Redis refuses us: the user or the password in REDIS_URL is wrong.") from error
        raise Unavailable(
            f"Redis does not answer ({type(error).__name__}): is it up, and is REDIS_URL right?"
        ) from error
    return judge(info, config, replicas)


def judge(info: Mapping[str, Any], config: Mapping[str, str | None] | None, replicas: int = 0) -> Durability:
    """`info` as redis-py parses it; `config` is None where the server forbids CONFIG."""
    found: list[Finding] = []
    if info.get("role") != "master":
        found.append(REPLICA)
    if info.get("aof_enabled") != 1:
        found.append(NO_AOF)
    elif config is None:
        found.append(UNKNOWN_FSYNC)
    else:
        found += {"always": [], "everysec": [EVERYSEC]}.get(str(config.get("appendfsync")), [NO_FSYNC])
        found += [PAUSED] if config.get("no-appendfsync-on-rewrite") == "yes" else []
    if (policy := info.get("maxmemory_policy")) != "noeviction":
        found.append(_eviction(str(policy)))
    if info.get("aof_last_write_status", "ok") != "ok":
        found.append(WRITE_FAILED)
    if (online := _online(info)) < replicas:
        found.append(_replicas(online, replicas))
    return Durability(tuple(found))


def _eviction(policy: str) -> Finding:
    return Finding(
        Verdict.REFUSE,
        f"Redis throws records away when its memory is full (`maxmemory-policy {policy}`): an approval or the end of an access could vanish. "
        "Set `maxmemory-policy noeviction`.",
    )


def _replicas(online: int, promised: int) -> Finding:
    return Finding(
        Verdict.DEGRADE,
        f"{online} of {promised} promised replicas of Redis are online: what is decided now could be lost in a failover. "
        "Bring them back; until then access is taken back but none is given.",
    )


def _online(info: Mapping[str, Any]) -> int:
    replicas = (info.get(f"slave{number}") for number in range(int(info.get("connected_slaves", 0))))
    return sum(isinstance(replica, Mapping) and replica.get("state") == "online" for replica in replicas)
