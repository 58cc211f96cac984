"""Holding: what the commands for key holders look at and do, at the machine itself."""

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from bot.cli.applying import asking, desk
from bot.cli.explanation import slack_id
from bot.cli.local import local
from bot.holders import Keeping
from bot.settings import Settings
from store.keys.file import KeyFile
from store.keys.ring import SECURE_HOLDERS
from store.model.environment import Environment
from store.model.errors import Conflict, Invalid, Unavailable
from store.model.lifecycle.world import demand
from store.model.people import Wanted
from store.model.request import REASON_MOST, Enrolling
from store.model.roster import Roster, spaced
from store.model.sealed import Epoch
from store.model.standing import may_act
from store.redis.epochs import Moved
from store.redis.requests import Outcome

ACTOR: Final = "owner"  # of what is done at the machine, in nobody's name


@dataclass(frozen=True, slots=True)
class Holding:
    """One holder. `works` None: the settings here do not name it, so it was not asked."""

    name: str
    fingerprint: str
    address: str
    approved: bool
    works: bool | None
    why: str = ""

    @property
    def state(self) -> str:
        if self.works is None:
            return "not configured here"
        health = "works" if self.works else "does not work"
        return health if self.approved else f"{health}, not approved"

    def row(self) -> tuple[str, ...]:
        return (self.name, self.state, spaced(self.fingerprint), self.address.partition("#")[0])


@dataclass(frozen=True, slots=True)
class Covered:
    """Keys of one environment, and who has all of them and works."""

    target: str
    epoch: int
    secure: bool
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    roster: int
    holders: tuple[Holding, ...]
    environments: tuple[Covered, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


async def inventory(environ: Mapping[str, str]) -> Inventory:
    """Each holder challenged, and who has the keys of each environment. Changes nothing. Raises `AccessError`."""
    async with local(environ) as here:
        keeping = await here.keeping()
        fault = await _followed(keeping)
        roster = keeping.rosters.current
        holders = await _holdings(keeping, roster)
        able = {each.fingerprint: each.name for each in holders if each.approved and each.works}
        covered, alone = [], []
        for environment in await keeping.epochs.environments():
            epochs = await keeping.epochs.epochs(environment)
            covered.append(_covered(environment, epochs, able))
            alone += _alone(environment, epochs, able)
        warnings = [*([fault] if fault else []), *keeping.holders.faults]
        warnings += [each.why for each in holders if each.why]
        warnings += [
            f"{name} is not approved, so it is given no key: countersign keys add {name}"
            for name in keeping.rosters.strangers()
        ]
        return Inventory(roster.number if roster else 0, tuple(holders), tuple(covered), (*warnings, *alone))


async def _holdings(keeping: Keeping, roster: Roster | None) -> list[Holding]:
    """Those that the settings name, and those that only the roster does."""
    configured, found = keeping.ring.configured, []
    answers = await keeping.ring.challenge_configured()
    for one, holder in configured.items():
        error = answers[one]
        approved = roster is not None and one in roster.fingerprints
        why = error.sentence if error is not None else ""
        found.append(Holding(holder.name, one, keeping.holders.addresses[one], approved, error is None, why))
    members = roster.members if roster is not None else ()
    return found + [
        Holding(member.name, member.fingerprint, member.address, approved=True, works=None)
        for member in members
        if member.fingerprint not in configured
    ]


def _covered(environment: Environment, epochs: list[Epoch], able: Mapping[str, str]) -> Covered:
    having = [name for one, name in able.items() if all(one in epoch.wraps for epoch in epochs)]
    return Covered(environment.target, environment.epoch, environment.secure, tuple(having))


def _alone(environment: Environment, epochs: list[Epoch], able: Mapping[str, str]) -> list[str]:
    """A sentence for the environment's worst key."""
    having = min(([able[one] for one in epoch.wraps if one in able] for epoch in epochs), key=len)
    if len(having) >= SECURE_HOLDERS:
        return []
    if having:
        return [f"Last copy: of a key of {environment.target} only {having[0]} works. Losing it would lose the values."]
    names = ", ".join(sorted({wrap.holder for epoch in epochs for wrap in epoch.wraps.values()}))
    return [f"Nobody can open {environment.target}. Its keys were given to {names}: bring one of them back."]


async def ask(
    environ: Mapping[str, str], what: Literal["add", "remove"], name: str, who: str, *, reason: str, ticket: str | None
) -> tuple[Enrolling, Outcome]:
    """A request under the rule for policy:main, as `who`. Raises `AccessError`."""
    async with desk(environ) as at:
        keeping = await at.here.keeping()
        await keeping.rosters.follow()
        if what == "add" and await _made(at.here.settings, name, keeping.rosters.current):
            keeping = await at.here.keeping()
            await keeping.rosters.follow()
        holder = keeping.rosters.asked(what, name)
        await keeping.rosters.check(holder)
        user = await slack_id(who, await at.here.policies.current(), at.slack)
        asked = await (await asking(at)).holder(
            user, holder, reason=reason, ticket=ticket, door="terminal", command_id=f"cli:{secrets.token_hex(8)}"
        )
        return holder, asked


async def _made(settings: Settings, name: str, roster: Roster | None) -> bool:
    """Makes a key file that the settings name and that was never there. One that was approved is put back from its copy, not made anew."""
    path = next((each for each in settings.keys if name in (str(each), str(each.absolute()))), None)
    if path is None or path.exists():
        return False
    if roster is not None and any(member.address == str(path.absolute()) for member in roster.members):
        raise Conflict(
            f"{path} is in the roster, and the file is gone. Put it back from your copy; where there is none, remove that holder first.",
            code="same_holder",
        )
    await KeyFile.load_or_make(path, random=secrets.token_bytes)
    return True


async def recover(environ: Mapping[str, str], who: str, reason: str) -> Roster:
    """Raises `AccessError`."""
    if not reason.strip() or len(reason) > REASON_MOST:
        raise Invalid("Say why, in at most 2,000 characters: every owner reads it.", code="reason_required")
    async with desk(environ) as at:
        user = await slack_id(who, await at.here.policies.current(), at.slack)
        people = await at.directory.people(Wanted(users=frozenset((user,))), patient=True)
        demand(may_act(user, people))
        await (await at.here.keeping()).rosters.lost()
        for path in at.here.settings.keys:
            if not path.exists():
                await KeyFile.load_or_make(path, random=secrets.token_bytes)
        keeping = await at.here.keeping()
        return await keeping.rosters.recover(user, reason.strip(), f"cli:{secrets.token_hex(8)}")


async def rotate(environ: Mapping[str, str], target: str | None) -> AsyncIterator[tuple[str, Moved]]:
    """One environment, or each. Raises `AccessError`."""
    async with local(environ) as here:
        keeping = await here.keeping()
        await keeping.rosters.follow()
        targets = [target] if target else [one.target for one in await keeping.epochs.environments()]
        for one in targets:
            async for moved in keeping.epochs.rotate(one, actor=ACTOR):
                yield one, moved


async def drill(environ: Mapping[str, str], target: str | None) -> AsyncIterator[tuple[str, bool]]:
    """Sentences, and whether each is well. Changes nothing. Raises `AccessError`."""
    async with local(environ) as here:
        keeping = await here.keeping()
        if (fault := await _followed(keeping)) is not None:
            yield fault, False
        for sentence in keeping.holders.faults:
            yield sentence, False
        roster = keeping.rosters.current
        for member in roster.members if roster is not None else ():
            if member.fingerprint not in keeping.ring.configured:
                yield f"{member.name} is in the roster and not in COUNTERSIGN_KEYS here, so it was not tried.", False
        environments = await keeping.epochs.environments()
        for environment in environments:
            if target not in (None, environment.target):
                continue
            async for epoch, coverage, spoiled in keeping.epochs.drill(environment):
                what = f"{environment.target}, key {epoch.number}"
                for name in coverage.holding:
                    yield f"{what}: {name} opens it.", True
                for name, why in coverage.failing.items():
                    yield f"{what}: {name} does not open it. {why}", False
                if not coverage.holding:
                    yield (
                        f"{what}: nobody opens it. It was given to {', '.join(wrap.holder for wrap in epoch.wraps.values())}.",
                        False,
                    )
                for name in spoiled:
                    yield f"{what}: the entry {name or 'without a name'} is not opened by it.", False
        if target is not None and target not in {environment.target for environment in environments}:
            raise Invalid(f"{target} has no secrets.", code="no_environment")


async def _followed(keeping: Keeping) -> str | None:
    """Why no roster is followed, where that is so."""
    try:
        await keeping.rosters.follow()
    except Unavailable as error:
        return error.sentence
    return None
