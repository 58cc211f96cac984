"""Deliveries: how telling each hook of each event goes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from itertools import filterfalse
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.delivery import COALESCED, Delivery
from store.model.effect import Fire, Redeploy, ShowCard
from store.model.environment import Environment
from store.model.errors import AccessError, Conflict
from store.model.identity import canonical
from store.model.receiver import Receiver
from store.model.request import Request
from store.model.slots import Slots
from store.redis.clock import Skew
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.outbox import Claimed
from store.redis.scripts import Scripts

KEPT_IN: Final = "countersign/hooks"  # the environment whose key seals the signing secrets of what is none; it holds nothing that can be opened
NOTHING_KNOWN: Final = Receiver()
NONE_RUN: Final = Slots()
ENVIRONMENTS_KEPT: Final = 256
FIRED: Final = "fire"  # before what is no version, among the dead letters
GONE: Final = frozenset({"failed", "cancelled"})  # of a deploy that was started: no hook is told of it any more
PLACES: Final = {  # what tells the deliveries of one hook apart, by the kind of the request
    "change": ("",),
    "deploy": (":deploy",),
    "open": (":access.granted", ":access.ended"),
    "access": (":access.granted", ":access.ended"),
}


def waiting_index(delivery: Delivery, environment_id: str | None) -> tuple[str, int]:
    """Where it stands until it is over, and by what: versions by their number, all else by when it happened."""
    if delivery.event in COALESCED:
        return f"hook:{environment_id}/{delivery.hook}", delivery.version
    return f"fires:{hooks_of(delivery.environment)}/{delivery.hook}", delivery.at_ms


@lru_cache(maxsize=4096)
def hooks_of(target: str) -> str:
    """By which name the hooks of a target are known: an application's are its environment's."""
    return canonical(target).environment or target


def dead_letter(delivery: Delivery) -> str:
    """A hook that has not heard of the newest version, by its name; all else by itself."""
    if delivery.event in COALESCED:
        return f"{hooks_of(delivery.environment)}#{delivery.hook}"
    return f"{FIRED} {delivery.request}/{delivery.place} {delivery.environment}"


def woken(delivery: Delivery, environment_id: str | None, now_ms: int) -> Redeploy | Fire:
    """What has it tried."""
    if delivery.event in COALESCED:
        return Redeploy(
            environment=delivery.environment,
            environment_id=environment_id or "",
            hook=delivery.hook,
            version=delivery.version,
            request=delivery.request,
            at_ms=now_ms,
        )
    return Fire(
        request=delivery.request,
        hook=delivery.hook,
        event=delivery.event,
        at_ms=now_ms,
        target=delivery.environment,
    )


_environment = lru_cache(maxsize=ENVIRONMENTS_KEPT)(Environment.from_json)  # the same few are read again and again


class Errand(NamedTuple):
    """What one try needs, as it was at one moment. `environment`: what the target's name, or that of what has none, means now."""

    delivery: Delivery
    version: int
    receiver: Receiver
    receiver_version: int
    environment: Environment | None
    policies: int
    request: Request
    slots: Slots

    @property
    def past(self) -> bool:
        """It tells of a deploy that is not to be carried out any more: it has failed or was cancelled, or a newer one was started since it succeeded."""
        request, hook = self.request, self.delivery.hook
        if request.gate is not None:  # a job waits for the answer, whatever that is by now
            return False
        followed = request.state == "succeeded" and self.slots.followed(request.asked, hook, request.created_ms)
        return self.delivery.event == "deploy" and (request.state in GONE or followed)


class Deliveries:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew
        self._asked: list[tuple[list[str], asyncio.Future[Any]]] = []  # the keys of what is read next
        self._reading: asyncio.Task[None]

    async def of(self, request: Request) -> tuple[Delivery, ...]:
        """Of every hook that was told of it, in their order."""
        return await self._read(
            [f"{request.id}/{hook}{place}" for hook in request.hooks for place in PLACES.get(request.kind, ())]
        )

    async def errand(self, request: str, place: str, target: str) -> Errand | None:
        """None where there is no such delivery. Raises `Unavailable`."""
        keys, hook = self._keys, place.partition(":")[0]
        name = canonical(target).environment
        policies, found = await self._together(
            [
                keys.delivery(request, place),
                keys.hook(hooks_of(target), hook),
                keys.environment(name or KEPT_IN),
                keys.request(request),
                keys.head(f"deploys:{name}"),
            ]
        )
        delivery, version, receiver, receiver_version, environment, asked, slots = found
        if not delivery or not asked:
            return None
        return Errand(
            Delivery.from_json(delivery),
            int(version),
            Receiver.from_json(receiver) if receiver else NOTHING_KNOWN,
            int(receiver_version or 0),
            _environment(environment) if environment else None,
            int(policies or 0),
            Request.from_json(asked),
            Slots.from_json(slots) if slots else NONE_RUN,
        )

    async def _together(self, keys: list[str]) -> Any:
        """What tries ask for in one turn of the loop is read in one turn to Redis: a lane begins a hundred at once."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            self._reading = loop.create_task(self._read_errands())
        answer = loop.create_future()  # of each their own: one who is cancelled leaves the others theirs
        self._asked.append((keys, answer))
        return await answer

    async def _read_errands(self) -> None:
        asked, self._asked = self._asked, []
        names = [self._keys.policy_head, *(key for keys, _ in asked for key in keys)]
        waiting = [answer for _, answer in asked]
        try:
            policies, *found = await self._scripts.run("errand", names, [])
        except AccessError as error:
            for answer in filterfalse(asyncio.Future.done, waiting):
                answer.set_exception(error)
            return
        for answer, each in zip(waiting, found, strict=True):
            if not answer.done():
                answer.set_result((policies, each))

    async def versions(self, environment_id: str, hook: str) -> list[str]:
        """Requests whose version this hook has not heard of, oldest version first."""
        members = await self._redis.zrange(self._keys.index(f"hook:{environment_id}/{hook}"), 0, -1)
        return [text(member).partition("/")[0] for member in members]

    async def one(self, request: str, place: str) -> Delivery | None:
        found = await self._read([f"{request}/{place}"])
        return found[0] if found else None

    async def waiting(self, index: str) -> list[Delivery]:
        """Not over yet, oldest first. `index` as `waiting_index` names it."""
        members = [text(member) for member in await self._redis.zrange(self._keys.index(index), 0, -1)]
        hook = index.rpartition("/")[2]  # a member of former versions is the request alone
        return list(await self._read([member if "/" in member else f"{member}/{hook}" for member in members]))

    async def report(
        self,
        environment_id: str | None,
        before: Delivery,
        after: Delivery,
        *,
        now_ms: int,
        version: int | None = None,
        claimed: Claimed | None = None,
    ) -> bool:
        """One step of a delivery, its card and its trace, in one commit. False: somebody else has reported meanwhile.

        `version`: of the record of `before`, where that is known. `claimed`: what is settled with it.
        """
        key = self._keys.delivery(after.request, after.place)
        if version is None:
            stored = await self._redis.hmget(key, ["body", "version"])
            if stored[0] is None or Delivery.from_json(stored[0]) != before:
                return False
            version = int(stored[1] or 0)
        commit = Commit(self._keys, f"delivery:{after.message_id}:{version}:{after.state}", frees=True)
        commit.write(key, version, after.to_json())
        if after.state != "waiting" and (after.state != "overtaken" or after.event not in COALESCED):
            commit.rank(self._keys.index("dead"), dead_letter(after), now_ms if after.state == "failed" else None)
        if after.state == "delivered" and after.event in COALESCED:
            commit.rank(self._keys.index(f"told:{environment_id}"), after.hook, after.version)
        if after.state != "waiting":
            self._unrank(commit, after, environment_id)
            details: dict[str, str | int | None] = {
                "hook": after.hook,
                "event": after.event,
                "version": after.version,
                "attempts": after.attempts,
            }
            commit.audit(
                [
                    Audit(
                        event=f"hook.{after.state}",
                        actor="relay",
                        at_ms=now_ms,
                        request=after.request,
                        target=after.environment,
                        details=details,
                    )
                ]
            )
        commit.put([ShowCard(request=after.request)])
        if claimed is not None:
            again_in_ms = after.next_ms - now_ms if after.next_ms is not None else None
            commit.settle(claimed.lane, claimed.member, claimed.generation, claimed.fence, again_in_ms)
        return (await commit.run(self._scripts, self._skew())).status == "ok"

    async def anew(
        self, environment_id: str | None, before: Delivery, *, actor: str, event: str, now_ms: int, command_id: str
    ) -> Delivery:
        """It goes at once, under the same id, and its schedule begins again. Raises `Conflict` where it has moved meanwhile."""
        key = self._keys.delivery(before.request, before.place)
        stored = await self._redis.hmget(key, ["body", "version"])
        after = before.model_copy(update={"state": "waiting", "next_ms": None, "counted_from": before.attempts})
        commit = Commit(self._keys, command_id, fingerprint=f"{event}:{before.request}/{before.place}")
        commit.write(key, int(stored[1] or 0), after.to_json())
        index, score = waiting_index(after, environment_id)
        commit.rank(self._keys.index(index), f"{after.request}/{after.place}", score)
        commit.rank(self._keys.index("dead"), dead_letter(after), None)
        details: dict[str, str | int | None] = {"hook": after.hook, "event": after.event, "attempts": after.attempts}
        commit.audit(
            [
                Audit(
                    event=event,
                    actor=actor,
                    at_ms=now_ms,
                    request=after.request,
                    target=after.environment,
                    details=details,
                )
            ]
        )
        commit.put([woken(after, environment_id, now_ms), ShowCard(request=after.request)])
        moved = stored[0] is None or Delivery.from_json(stored[0]) != before
        if moved or (await commit.run(self._scripts, self._skew())).status not in ("ok", "seen"):
            raise Conflict("It was tried at this very moment. Look again.", code="moved")
        return after

    async def told(self, environment_id: str, hook: str) -> int:
        """The highest version that this hook has taken; 0 where it has taken none."""
        return int(await self._redis.zscore(self._keys.index(f"told:{environment_id}"), hook) or 0)

    async def dead(self, environment_of: Callable[[str], Awaitable[str | None]], *, most: int) -> list[Delivery]:
        """What was given up and has not been told since, the newest first. `environment_of`: an id by a name."""
        found: list[Delivery] = []
        for member in await self._redis.zrange(self._keys.index("dead"), 0, most - 1, desc=True):
            about = text(member).split(" ")
            if about[0] == FIRED:
                found += await self._read(about[1:2])
                continue
            target, _, hook = about[0].rpartition("#")
            known = await environment_of(target)
            waiting = await self.waiting(f"hook:{known}/{hook}") if known is not None else []
            found += [each for each in waiting[-1:] if each.state == "failed"]
        return found

    def _unrank(self, commit: Commit, after: Delivery, environment_id: str | None) -> None:
        """A version that was given up stays where it is, until a newer one overtakes it: it can be tried anew."""
        if after.event in COALESCED and after.state == "failed":
            return
        index, _ = waiting_index(after, environment_id)
        commit.unrank(self._keys.index(index), f"{after.request}/{after.place}", after.request)

    async def _read(self, members: Iterable[str]) -> tuple[Delivery, ...]:
        """`members`: request/place."""
        keys = [self._keys.delivery(*member.split("/", 1)) for member in members]
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(key, "body")
            bodies = await pipe.execute() if keys else []
        return tuple(Delivery.from_json(body) for body in bodies if body is not None)
