"""Custody: each minute whoever was approved learns the keys, what became secure moves, and what is not well is said."""

from typing import Any

import pytest

from scheduler.custody import Custody
from scheduler.metrics import Metrics
from scheduler.relay import Relay
from store.model.effect import Entrust
from store.model.policy import TargetConfig
from store.redis.environments import Environments
from tests.scheduler.measured import measured
from tests.store.keys.holders import Memory
from tests.store.redis.corridor import Corridor
from tests.store.redis.test_epochs import lying
from tests.store.redis.test_rosters import Office

PROD = "payments/prod"


class Watched(Office):
    def __init__(self, corridor: Corridor, *holders: Memory) -> None:
        super().__init__(corridor, *holders)
        self.metrics = Metrics()
        self.custody = Custody(self.rosters, self.epochs, self.ring, corridor.policies, self.metrics)
        self.environments = Environments(
            corridor.redis, corridor.keys, corridor.scripts, self.ring, corridor.skew, corridor.random
        )


@pytest.fixture
def memories() -> dict[str, Memory]:
    return {name: Memory(name) for name in "abc"}


@pytest.fixture
def process(corridor: Corridor, memories: dict[str, Memory]) -> Any:
    async def start(names: str) -> Watched:
        found = Watched(corridor, *(memories[name] for name in names))
        await found.rosters.begin()
        return found

    return start


async def test_where_all_is_well_nothing_is_said(process):
    watched = await process("ab")
    await watched.environments.ensure(PROD)
    assert await watched.custody.look() == []
    assert measured(watched.metrics, "key_holders_working") == 2
    assert measured(watched.metrics, "environments_under_replicated") == 0


async def test_a_loss_is_loud_until_somebody_else_has_learned(corridor, process, memories):
    watched = await process("ab")
    await watched.environments.ensure(PROD)
    memories["b"].off = True
    said = await watched.custody.look()
    assert said == [
        "b is switched off.",
        f"Under-replicated: fewer than 2 working key holders have the keys of {PROD}.",
    ]
    assert measured(watched.metrics, "environments_under_replicated") == 1
    assert measured(watched.metrics, "key_holders_working") == 1
    later = await process("abc")
    assert (
        "c is in COUNTERSIGN_KEYS and not in the roster, so it is given no key: countersign keys add c"
        in await later.custody.look()
    )
    await later.merges("add", "c")
    assert await later.custody.look() == ["b is switched off."]
    assert "keys.learned" in await corridor.events()


async def test_a_roster_that_moves_is_followed_at_once_by_the_relay(corridor, process, memories):
    watched = await process("ab")
    await watched.environments.ensure(PROD)
    new = await process("abc")
    await new.merges("add", "c")
    watched = new
    await corridor.outbox.put([Entrust()], command_id="1")
    relay = Relay(corridor.outbox, {Entrust: watched.custody.entrust}, Metrics(), lambda: 1.0)
    await relay.tick("connector")
    await relay.drain(5.0)
    assert await corridor.redis.zcard(corridor.keys.lane("connector")) == 0, "it is done"
    assert "keys.learned" in await corridor.events()


async def test_what_became_secure_moves_under_a_key_that_two_have(corridor, process, memories):
    await corridor.approved("change", A="one")  # before there is a roster
    watched = await process("ab")
    await corridor.enact(targets={PROD: TargetConfig(secure=True)})
    memories["b"].off = True
    said = await watched.custody.look()
    assert any(line.startswith(f"{PROD} is to be secure, and is not yet. A new key needs two working") for line in said)
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {1}
    memories["b"].off = False
    assert await watched.custody.look() == []
    environment = await watched.environments.find(PROD)
    assert environment is not None
    assert (environment.secure, environment.epoch) == (True, 2)
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {2}
    await watched.custody.look()
    assert await watched.environments.find(PROD) == environment, "once"


async def test_a_rotation_that_was_broken_off_goes_on_by_itself(corridor, process):
    await corridor.approved("change", A="one")
    watched = await process("ab")
    await watched.epochs.renew(PROD, actor="terminal")
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {1}
    assert await watched.custody.look() == []
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {2}
