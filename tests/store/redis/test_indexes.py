"""Indexes and timers: after any history they are what follows from the records, and from nothing else."""

import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any, TypeAlias, get_args

import pytest
from redis.asyncio import Redis

from store.model.command import (
    Absent,
    Activate,
    Countersign,
    Dispute,
    Due,
    End,
    Merge,
    Overdue,
    Present,
    Refused,
    Tally,
    Trouble,
    Withdraw,
)
from store.model.debt import Debt
from store.model.errors import AccessError
from store.model.policy import MINUTE
from store.model.request import LIVE, TERMINAL, Change, Joining, Request, State
from store.redis.commit import text
from tests.builders import ANA, BOB, CAT, LEADS, ONCALL, OWNER, REQ, approve, deny, smash, soft
from tests.store.redis.corridor import Corridor, command_for

STEPS = 60
SEEDS = range(12)
Wish: TypeAlias = tuple[Any, str, dict[str, Any]]  # a command, who, and what it says


def expected(requests: list[Request], debts: list[Debt]) -> dict[str, dict[str, float]]:
    """Every index and the timers, worked out again from the records by another hand than the projection."""
    found: dict[str, dict[str, float]] = {}

    def stand(index: str, member: str, score: int) -> None:
        found.setdefault(index, {})[member] = float(score)

    for each in requests:
        for user in (each.requester, each.beneficiary):
            stand(f"index:mine:{user}", each.id, each.created_ms)
            if each.state in ("pending", "approved", "stale"):
                stand(f"index:open:{user}", each.id, each.created_ms)
        if each.state == "pending":
            stand(f"index:waiting:{LEADS}", each.id, each.timers["deadline"])
        if each.state in ("granting", "active", "revoking"):
            stand("index:live", each.id, each.created_ms)
            if each.kind == "open" and each.lease is not None:
                stand(f"index:reads:{each.beneficiary}:{each.target}", each.id, each.lease.until_ms)
            stand(f"index:live:{each.beneficiary}", each.id, each.created_ms)
            if isinstance(each.payload, Joining):
                stand(f"index:member:okta/admins/{each.beneficiary}", each.id, each.created_ms)
        if isinstance(each.payload, Change) and each.state in ("pending", "approved"):
            for touch in each.payload.touches:
                stand(f"index:touch:{each.payload.environment_id}:{touch.name}", each.id, each.created_ms)
        if isinstance(each.payload, Change) and each.state == "merged":
            for hook in each.hooks:
                stand(f"index:hook:{each.payload.environment_id}/{hook}", f"{each.id}/{hook}", each.merged or 0)
        for timer, at_ms in each.timers.items():
            stand("due", f"{each.id}/{timer}", at_ms)
    for debt in debts:
        if debt.state == "open":
            stand("due", f"{debt.request}/debt", debt.due_ms)
            stand("index:debts", debt.request, debt.due_ms)
    return found


OF_OTHERS = ("index:locks", "index:environments")  # they follow from other records


async def lying(corridor: Corridor) -> dict[str, dict[str, float]]:
    prefix = corridor.keys.prefix
    found = {}
    for key in [text(key) for key in await corridor.redis.keys(f"{prefix.replace('{', '[{]').replace('}', '[}]')}*")]:
        name = key.removeprefix(prefix)
        if name == "due" or (name.startswith("index:") and name not in OF_OTHERS):
            members: Any = await corridor.redis.zrange(key, 0, -1, withscores=True)
            found[name] = {text(who): float(score) for who, score in members}
    return found


async def records(corridor: Corridor) -> tuple[list[Request], list[Debt]]:
    bodies: dict[str, list[Any]] = {"request:": [], "debt:": []}
    for key in [text(key) for key in await corridor.redis.keys("*")]:
        name = key.removeprefix(corridor.keys.prefix)
        for kind, found in bodies.items():
            if name.startswith(kind):
                found.append(await corridor.redis.hget(key, "body"))
    return [Request.from_json(body) for body in bodies["request:"]], [Debt.from_json(body) for body in bodies["debt:"]]


FORWARD: dict[str, list[Wish]] = {
    "pending": [(approve, ANA, {}), (approve, BOB, {}), (approve, CAT, {}), (smash, ONCALL, {})],
    "approved": [(Activate, REQ, {}), (Merge, REQ, {})],
    "granting": [(Present, "relay", {}), (Refused, "relay", {"sentence": "No.", "absent": True})],
    "active": [(End, OWNER, {}), (Trouble, "relay", {"sentence": "Hm."})],
    "revoking": [(Absent, "relay", {})],
}
ANYTHING: list[Wish] = [
    (approve, REQ, {}),
    (deny, ANA, {}),
    (Withdraw, REQ, {}),
    (End, CAT, {}),
    (Tally, "relay", {}),
    (Refused, "relay", {"sentence": "No.", "absent": False}),
    (Countersign, BOB, {}),
    (Dispute, ANA, {"reason": "?"}),
    *[wish for wishes in FORWARD.values() for wish in wishes],
]


async def one_step(corridor: Corridor, chance: random.Random, asked: list[Request]) -> None:
    """Something that somebody might do. Half of the time it is of use, else it may well be refused."""
    if not asked or chance.random() < 0.15:
        kind = chance.choice(["open", "access", "change"])
        asked.append(
            await corridor.ask(kind, **{chance.choice("AB"): str(chance.random())} if kind == "change" else {})
        )
        return
    if chance.random() < 0.1:
        corridor.skew_ms += chance.choice([1, 30 * MINUTE, 60 * MINUTE, 9 * 60 * MINUTE])
        return
    if chance.random() < 0.15 and (live := await corridor.requests.listed(f"live:{REQ}", most=1)):
        with contextlib.suppress(AccessError):
            more = await corridor.longer(live[0])
            for user in chance.choice([(), (ANA,), (ANA, BOB)]):
                await corridor.apply(more, command_for(more, approve, user))
            if chance.random() < 0.5:
                await corridor.apply(live[0], command_for(live[0], End, REQ))
        return
    world = await corridor.requests.get(chance.choice(asked[-5:]).id)
    one = world.request
    of_the_clock: list[Wish] = [(Due, "clock", {"timer": timer, "at_ms": at}) for timer, at in one.timers.items()]
    if world.debt is not None:
        of_the_clock.append((Overdue, "clock", {"at_ms": world.debt.due_ms}))
    wishes = FORWARD.get(one.state, ANYTHING) if chance.random() < 0.5 else ANYTHING + of_the_clock * 4
    of, actor, fields = chance.choice(wishes)
    with contextlib.suppress(AccessError):
        await corridor.apply(one, command_for(one, of, actor, id=f"step:{chance.random()}", **fields))


async def history(corridor: Corridor, seed: int) -> AsyncIterator[int]:
    """The same one for the same seed, step by step."""
    chance = random.Random(seed)  # noqa: S311  # to be the same in each run
    await corridor.enact(soft(merge=chance.choice(["on-approval", "by-hand"])))
    asked: list[Request] = []
    for step in range(STEPS):
        await one_step(corridor, chance, asked)
        yield step


@pytest.mark.parametrize("seed", SEEDS)
async def test_after_any_history_everything_follows_from_the_records(any_redis: Redis, seed: int):
    corridor = Corridor(any_redis)
    async for step in history(corridor, seed):
        if step % 5 and step != STEPS - 1:
            continue
        requests, debts = await records(corridor)
        assert await lying(corridor) == expected(requests, debts)
        for each in requests:
            assert ("deadline" in each.timers) is (each.state not in TERMINAL | {"revoking"})
            assert (each.lease is not None) or each.state not in LIVE
        kept = {
            corridor.keys.payload(each.id, each.revision)
            for each in requests
            if isinstance(each.payload, Change) and each.state in ("pending", "approved", "stale")
        }
        assert {text(key) for key in await corridor.redis.keys("*payload:*")} == kept
    entries = await corridor.log.after(0, most=10_000)
    assert [number for number, _ in entries] == list(range(1, len(entries) + 1))


async def test_the_histories_come_to_every_state(real_redis: Redis):
    """Else the test above would hold little."""
    seen: set[str] = set()
    for seed in SEEDS:
        await real_redis.flushall()
        corridor = Corridor(real_redis)
        async for _ in history(corridor, seed):
            seen |= {each.state for each in (await records(corridor))[0]}
    deploys = {"running", "succeeded", "cancelled", "superseded"}  # those are in the histories of `test_machine`
    assert seen == set(get_args(State)) - deploys
