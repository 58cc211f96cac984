"""Corridor: the store wired as production wires it, with a clock that stands until it is moved."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis.asyncio import Redis

from bot.asking import Asking
from store.keys.ring import Keyring
from store.model.command import Command
from store.model.environment import Environment
from store.model.errors import Unavailable
from store.model.lifecycle import Draft
from store.model.people import People, Wanted
from store.model.policy import HOUR, Policy, PolicySet
from store.model.request import Change, Opening, Payload, Request
from store.model.secret import Secret
from store.redis.audit import AuditLog
from store.redis.blobs import Blobs
from store.redis.clock import no_skew
from store.redis.commit import Commit, text
from store.redis.environments import Environments, Sealing, Value
from store.redis.keys import Keys
from store.redis.outbox import Outbox
from store.redis.policies import Policies
from store.redis.requests import Outcome, Requests
from store.redis.scripts import ALLOW_OOM, Scripts
from store.redis.timers import Timers
from store.redis.versions import Versions
from tests import builders
from tests.builders import ANA, BOB, INSTALLATION, NOW, REQ
from tests.store.keys.holders import Draws, Memory

# What the scripts see instead of `redis`: the same, but for the time, which stands.
STANDING: Final = f"""
local real = redis
local redis = {{ call = function(name, ...)
  if name == 'TIME' then return {{ '{NOW // 1000}', '0' }} end
  return real.call(name, ...)
end }}
"""
GATE_S: Final = 20.0


class StandingScripts(Scripts):
    """The real scripts under a clock that stands; `gate` is passed by each commit before it is sent."""

    def __init__(self, redis: Redis, skew: Callable[[], int] = no_skew) -> None:
        super().__init__(redis)
        self.gate: Gate | None = None
        self._skew = skew

    def _source(self, script: str) -> str:
        source = super()._source(script)
        if source.startswith(ALLOW_OOM):
            return ALLOW_OOM + STANDING + source.removeprefix(ALLOW_OOM)
        return STANDING + source

    async def run(self, name: str, keys: list[str], args: list[str | int | bytes], *, frees: bool = False) -> Any:
        if name == "commit" and self.gate is not None:
            arrived_ms = self._skew()
            await self.gate.pass_through()
            passed_ms = self._skew() - arrived_ms
            args = [int(args[0]) + passed_ms, *args[1:]]
        return await super().run(name, keys, args, frees=frees)


class Gate:
    """Opens when `count` have come to it, and stays open. `at_the_end`: what happens in the moment before it opens."""

    def __init__(self, count: int, at_the_end: Callable[[], Awaitable[None]] | None = None) -> None:
        self._missing = count
        self._at_the_end = at_the_end
        self._open = asyncio.Event()

    async def pass_through(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            if self._at_the_end is not None:
                await self._at_the_end()
            self._open.set()
        async with asyncio.timeout(GATE_S):
            await self._open.wait()


class Crowd:
    """Everybody there is. `changed`, `members` and `without` are those of `builders.people`."""

    def __init__(self, corridor: "Corridor") -> None:
        self._corridor = corridor
        self.changed: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {}
        self.without: set[str] = set()
        self.age_ms = 0
        self.asked = 0

    async def people(self, wanted: Wanted, *, patient: bool = False) -> People:
        self.asked += 1
        everybody = builders.people(
            self._corridor.now_ms - self.age_ms, members=self.members, without=self.without, **self.changed
        )
        known = People(
            everybody.as_of_ms,
            {user: person for user, person in everybody.persons.items() if user in wanted.users},
            {group: of for group, of in everybody.groups.items() if group in wanted.groups},
        )
        if patient and known.lacks(wanted):
            raise Unavailable("Slack does not answer.")
        return known


class Corridor:
    def __init__(self, redis: Redis, scripts: Scripts | None = None) -> None:
        self.redis = redis
        self.skew_ms = 0
        self.drift_ms = 0  # of the clock that a process carries
        self.keys = Keys(INSTALLATION)
        self.scripts: Any = scripts or StandingScripts(redis, self.skew)
        self.random = Draws("corridor")
        self.ring = Keyring([Memory("a"), Memory("b")], INSTALLATION, self.random, asyncio.get_running_loop().time)
        self.policies = Policies(redis, self.keys, self.scripts)
        self.environments = self.another_environments()
        self.versions = Versions(redis, self.keys, self.environments)
        self.blobs = Blobs(redis, self.keys, self.scripts, self.environments, self.skew, self.random)
        self.crowd = Crowd(self)
        self.requests = self.replica()
        self.outbox = Outbox(redis, self.keys, self.scripts, skew=self.skew)
        self.timers = Timers(redis, self.keys, self.scripts, self.skew)
        self.log = AuditLog(redis, self.keys)
        self._ids = itertools.count(1)

    @property
    def now_ms(self) -> int:
        return NOW + self.skew_ms

    def skew(self) -> int:
        return self.skew_ms

    def another_environments(self) -> Environments:
        return Environments(self.redis, self.keys, self.scripts, self.ring, self.skew, self.random)

    async def waiting(self, *principals: str, most: int = 9) -> list[str]:
        """Ids of what these decide."""
        found, _ = await self.requests.queue(principals, most=most)
        return [request for request, _ in found]

    def replica(self) -> Requests:
        """One more process, with nothing in memory."""
        return Requests(
            self.redis,
            self.keys,
            self.scripts,
            Policies(self.redis, self.keys, self.scripts),
            self.crowd,
            self.environments.sign,
            self.skew,
            lambda: self.now_ms + self.drift_ms,
        )

    def asking(self) -> Asking:
        """The door's side of it."""
        return Asking(
            self.requests, self.environments, self.policies, self.crowd, self.random,
            versions=self.versions, blobs=self.blobs,
        )  # fmt: skip

    def id(self) -> str:
        return f"REQVEST{next(self._ids):03}"

    async def enact(self, *rules: Policy, **changed: Any) -> PolicySet:
        """The next policy set is in force."""
        number = await self.policies.number()
        policies = builders.policies(*rules, number=number + 1, **changed)
        commit = Commit(self.keys, f"enact:{number + 1}")
        commit.write(self.keys.policy_head, number, "")
        commit.set(self.keys.policy(number + 1), policies.to_json())
        assert (await commit.run(self.scripts, 0)).status == "ok"
        return policies

    async def seal(self, **values: str | None) -> tuple[Environment, Sealing]:
        """Of payments/prod. `A="x"` sets A, `A=None` removes it."""
        environment = await self.environments.ensure("payments/prod")
        wanted = {name: Value(None if value is None else Secret(value.encode())) for name, value in values.items()}
        return environment, await self.environments.seal(environment, wanted)

    async def draft(self, kind: str = "open", *, requester: str = REQ, **values: str | None) -> tuple[Draft, Sealing]:
        if kind == "access":
            return builders.draft(kind, identity=self.id(), requester=requester, beneficiary=requester), Sealing((), ())
        environment, sealing = await self.seal(**values)
        payload: Payload = Opening(environment_id=environment.id, duration_ms=HOUR)
        if kind == "change":
            payload = Change(environment_id=environment.id, touches=sealing.touches)
        made = builders.draft(kind, identity=self.id(), requester=requester, beneficiary=requester, payload=payload)
        return made, sealing

    async def ask(self, kind: str = "open", *, requester: str = REQ, **values: str | None) -> Request:
        draft, sealing = await self.draft(kind, requester=requester, **values)
        outcome = await self.requests.submit(draft, f"ask:{draft.id}", sealing.entries)
        assert outcome.request is not None
        return outcome.request

    async def longer(self, held: Request, *, duration_ms: int = HOUR, **changed: Any) -> Request:
        """More time for what is active."""
        world = await self.requests.get(held.id)
        draft = builders.longer(world, duration_ms=duration_ms, **{"id": self.id(), **changed})
        outcome = await self.requests.submit(draft, f"ask:{draft.id}")
        assert outcome.request is not None
        return outcome.request

    async def approved(self, kind: str = "open", *by: str, requester: str = REQ, **values: str | None) -> Request:
        """Asked, and approved by these people, else by two leads."""
        asked = await self.ask(kind, requester=requester, **values)
        for user in by or (ANA, BOB):
            asked = await self.do(asked, command_for(asked, builders.approve, user))
        return asked

    async def do(self, asked: Request, command: Command) -> Request:
        """The command, under an id that belongs to this request."""
        outcome = await self.apply(asked, command)
        assert outcome.request is not None
        return outcome.request

    async def apply(self, asked: Request, command: Command) -> Outcome:
        return await self.requests.apply(asked.id, command)

    async def state(self, asked: Request) -> str:
        return (await self.requests.get(asked.id)).request.state

    async def events(self) -> list[str]:
        return [entry.event for _, entry in await self.log.after(0, most=1_000)]

    async def dump(self) -> dict[str, Any]:
        """Everything that lies in Redis."""
        found: dict[str, Any] = {}
        for key in sorted([text(key) for key in await self.redis.keys("*")]):
            match text(await self.redis.type(key)):
                case "string":
                    found[key] = await self.redis.get(key)
                case "hash":
                    found[key] = await self.redis.hgetall(key)
                case "zset":
                    found[key] = await self.redis.zrange(key, 0, -1, withscores=True)
                case "stream":
                    found[key] = await self.redis.xrange(key)
                case other:
                    raise AssertionError(other)
        return found


def command_for(asked: Request, of: Callable[..., Command], actor: str, **fields: Any) -> Any:
    """With an id of its own for this request and person."""
    of_builder = of in (builders.approve, builders.deny, builders.smash)
    fields.setdefault("id", f"{of.__name__}:{asked.id}:{actor}")
    return of(asked, actor, **fields) if of_builder else of(actor=actor, **fields)
