"""Redis, the key holders, what waits and how much room there is."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Final, get_args

from bot.doctor.finding import Finding, fail, ok, warn
from store.keys.ring import SECURE_HOLDERS, Coverage, Keyring
from store.model.effect import Lane
from store.model.environment import Environment
from store.model.identity import Target
from store.model.policy import DAY, PolicySet
from store.redis.client import Client
from store.redis.durability import Verdict, inspect
from store.redis.environments import Environments
from store.redis.inspection import Inspection, Queue, Room
from store.redis.rosters import Rosters

LANES: Final[tuple[Lane, ...]] = get_args(Lane)
LATE_MS: Final = 60_000  # both are looked at every second or so
TRIES: Final = 5
LOCKS_MOST: Final = 10
HELD_MOST: Final = 200  # environments that are measured
SURPLUS: Final = 20  # versions; they are dropped once an hour
SHORT_DAYS: Final = 30
SHORT_BYTES: Final = 200 * 1024**2
FULL: Final = 0.8


async def redis(client: Client, where: str) -> AsyncIterator[Finding]:
    found = await inspect(client)
    for finding in found.findings:
        yield warn("redis", finding.sentence) if finding.verdict is Verdict.WARN else fail("redis", finding.sentence)
    if not found.findings:
        yield ok("redis", f"{where} keeps what it is told: every decision is on its disk before it is answered.")


async def missing_files(paths: Iterable[Path]) -> list[Finding]:
    """Before a first start nobody can say whether a missing file is a loss."""
    sentence = "{} is not there: the next start makes a new one. If Countersign ran here before, put the old one back from your copy first."
    return [warn("keys", sentence.format(path)) for path in paths if not path.exists()]


async def challenged(ring: Keyring) -> AsyncIterator[Finding]:
    """Those that were approved; before there is a roster, all that the settings name."""
    answers = await ring.challenge_all()
    names = ring.admitted
    for fingerprint, error in answers.items():
        if error is not None:
            yield fail("keys", f"{names[fingerprint]} does not work. {error.sentence}")
    working = [names[fingerprint] for fingerprint, error in answers.items() if error is None]
    if len(working) >= SECURE_HOLDERS:
        yield ok("keys", f"{_listed(working)} work: each wrapped a key and gave it back.")
    elif working:
        yield warn(
            "keys",
            f"Only {working[0]} works. With one holder, losing it loses every value, and targets with secure: true take none. Name another in COUNTERSIGN_KEYS.",
        )


def roster(rosters: Rosters, ring: Keyring) -> list[Finding]:
    """Who was approved, beside whom the settings name."""
    if rosters.fault is not None:
        return [fail("keys", rosters.fault)]
    found = [
        warn(
            "keys",
            f"{name} is in COUNTERSIGN_KEYS and not in the roster, so it is given no key. Ask for it: countersign keys add {name}",
        )
        for name in rosters.strangers()
    ]
    members = rosters.current.members if rosters.current is not None else ()
    return found + [
        warn(
            "keys",
            f"{member.name} is in the roster and not in COUNTERSIGN_KEYS here, so this process does not use it. Name it there, or let it go: countersign keys remove {member.name}",
        )
        for member in members
        if member.fingerprint not in ring.configured
    ]


async def wraps(
    policies: PolicySet, environments: Environments, inspection: Inspection, ring: Keyring
) -> AsyncIterator[Finding]:
    """Every key of an environment that is in use, opened by each holder."""
    sound = 0
    for target, config in sorted(policies.targets.items()):
        environment = await environments.find(target) if Target.parse(target).kind == "environment" else None
        if environment is None:
            continue
        epoch = await inspection.epoch(environment.id, environment.epoch)
        if epoch is None:
            yield fail("keys", f"The wraps of the key of {target} are missing in Redis: put it back from a backup.")
            continue
        coverage = await ring.coverage(epoch)
        finding = _covered(environment, coverage, secure=environment.secure or config.secure)
        if finding is None:
            sound += 1
        else:
            yield finding
    if sound:
        yield ok("keys", f"{_count(sound, 'environment')} can be opened by {SECURE_HOLDERS} holders or more.")


def _covered(environment: Environment, coverage: Coverage, *, secure: bool) -> Finding | None:
    if not coverage.under_replicated:
        return None
    others = [*coverage.failing.values(), *(f"{name} is not configured here." for name in coverage.unknown)]
    why = " ".join(others) or "No other holder has been given it."
    if not coverage.holding:
        return fail("keys", f"{environment.target} cannot be opened by anybody. {why} Bring one of them back.")
    sentence = f"{environment.target} can be opened by {coverage.holding[0]} alone. {why}"
    if secure:
        return fail("keys", f"{sentence} It is secure: nothing new is sealed there until two holders work.")
    return warn("keys", f"{sentence} Losing it would lose the values.")


async def locks(inspection: Inspection, names: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Break-glasses that stay locked until an owner looks at them. `names`: user id -> how the policies call them."""
    found, more = await inspection.locks(most=LOCKS_MOST)
    for lock in found:
        who = f"{names[lock.user]} ({lock.user})" if lock.user in names else lock.user
        why = "was disputed" if lock.newest.why == "disputed" else "was not countersigned in time"
        yield warn(
            "locks",
            f"The break-glass of {who} is locked, because {lock.newest.request} {why}. An owner unlocks it: /countersign unlock @name because …",
        )
    if more:
        yield warn("locks", f"{more:,} more {'is' if more == 1 else 'are'} locked.")


async def versions(inspection: Inspection, kept: int) -> AsyncIterator[Finding]:
    """What the environments take up, and how many versions are left until the oldest ones go."""
    found, more = await inspection.held(most=HELD_MOST)
    if not found:
        return
    fullest = max(found, key=lambda held: held.versions)
    sizes = [held.bytes for held in found]
    known = [size for size in sizes if size is not None]
    size = f", {_size(sum(known))}" if len(known) == len(sizes) else ""
    left = max(0, kept - fullest.versions)
    besides = f" {more:,} more were not looked at." if more else ""
    told = (
        f"{_count(len(found), 'environment')} in {_count(sum(held.versions for held in found), 'version')}{size}. "
        f"{fullest.target} has the most, {fullest.versions} of {kept} that are kept: {left} left.{besides}"
    )
    if fullest.versions > kept + SURPLUS:
        yield warn("versions", f"{told} Nothing drops the older ones: the log of serve says why.")
    else:
        yield ok("versions", told)


async def waiting(inspection: Inspection, now_ms: int, *, serving: bool) -> AsyncIterator[Finding]:
    start = "" if serving else " Is countersign serve running?"
    timers = await inspection.due()
    late_ms = _late_ms(timers, now_ms)
    told = f"{_count(timers.count, 'timer')} set"
    if late_ms > LATE_MS:
        yield fail(
            "timers", f"{told}, and the next one has been due for {spoken(late_ms)}. Nobody works them off.{start}"
        )
    else:
        yield ok("timers", f"{told}; none is late.")
    for lane in LANES:
        queue = await inspection.lane(lane)
        late_ms = _late_ms(queue, now_ms)
        tries = await inspection.attempts(lane, most=50)
        told = f"{_count(queue.count, 'effect')} waiting"
        if late_ms > LATE_MS:
            yield fail(f"lane {lane}", f"{told}, one of them for {spoken(late_ms)}. Nobody performs them.{start}")
        elif tries >= TRIES:
            yield warn(f"lane {lane}", f"{told}, one of them tried {tries} times already. The log of serve says why.")
        else:
            yield ok(f"lane {lane}", f"{told}.")


def _late_ms(queue: Queue, now_ms: int) -> int:
    return 0 if queue.oldest_ms is None else max(0, now_ms - queue.oldest_ms)


def room(found: Room, now_ms: int, disk: Path | None) -> list[Finding]:
    """`disk`: the folder of the server, where it is one of ours."""
    findings = [_memory(found, now_ms)]
    if disk is not None:
        stat = os.statvfs(disk)
        free = stat.f_bavail * stat.f_frsize
        written = f", where the records take {_size(found.file)}" if found.file is not None else ""
        # The file is written anew beside the old one before the old one goes.
        short = free < max(SHORT_BYTES, 2 * (found.file or 0))
        told = f"{_size(free)} are free on the disk of {disk}{written}."
        findings.append(
            warn("disk", f"{told} Make room: without it nothing more is granted.") if short else ok("disk", told)
        )
    return findings


def _memory(found: Room, now_ms: int) -> Finding:
    used = f"{_size(found.used)} used"
    if found.limit is None:
        return ok("memory", f"{used}; the server does not say of how much.")
    of = f"{used} of {_size(found.limit)}{'' if found.set_by_hand else ' in the machine'}"
    days = _days_left(found, now_ms)
    pace = "" if days is None else f", at the pace so far full in {days:,} days" if days < 3650 else ""
    if found.used > FULL * found.limit or (days is not None and days < SHORT_DAYS):
        return warn(
            "memory", f"{of}{pace}. Give it more: a full Redis takes no new requests, and still takes access back."
        )
    return ok("memory", f"{of}{pace}.")


def _days_left(found: Room, now_ms: int) -> int | None:
    """Straight on from all that was used since the first audit entry; None before there is a day to go by."""
    if found.since_ms is None or found.limit is None or now_ms - found.since_ms < DAY:
        return None
    pace = found.used / ((now_ms - found.since_ms) / DAY)
    return int((found.limit - found.used) / pace)


def _size(amount: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def spoken(duration_ms: int) -> str:
    minutes = duration_ms // 60_000
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else _count(minutes, "minute")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
