"""Epochs: rotation that loses nothing and stops nobody, holders that learn, and a drill that believes none of them."""

import asyncio
import base64
import json
from typing import Any, Final

import pytest

from store.keys.ring import KEPT_S, Keyring
from store.model.command import Activate
from store.model.environment import Environment
from store.model.errors import Unavailable
from store.model.sealed import Epoch, SealedEntry
from store.redis.commit import text
from store.redis.environments import Environments
from store.redis.epochs import WATCHED_MS, Epochs, Moved
from store.redis.older import Older
from store.redis.retention import Dropped, Retention
from store.redis.scripts import Scripts
from tests.builders import INSTALLATION, REQ
from tests.store.keys.holders import Draws, Memory
from tests.store.redis.corridor import Corridor
from tests.store.redis.test_environments import opened, shown

PROD: Final = "payments/prod"


class House:
    """One process that looks after keys, on a corridor. `holders` are those that it knows."""

    def __init__(self, corridor: Corridor, *holders: Memory, scripts: Scripts | None = None) -> None:
        self.corridor, self.holders = corridor, holders
        self.now_s = 0.0
        self.ring = Keyring(holders, INSTALLATION, Draws(f"house {len(holders)}"), lambda: self.now_s)
        redis, keys = corridor.redis, corridor.keys
        self.epochs = Epochs(redis, keys, scripts or corridor.scripts, self.ring, corridor.policies, corridor.skew)
        self.environments = Environments(redis, keys, corridor.scripts, self.ring, corridor.skew, corridor.random)

    @property
    def working(self) -> list[str]:
        return [holder.fingerprint for holder in self.holders if not holder.off]


@pytest.fixture
def holders(corridor: Corridor) -> list[Memory]:
    """Those that the corridor itself knows, and one more."""
    return [*corridor.ring.configured.values(), Memory("c")]  # type: ignore[list-item]  # they are such


@pytest.fixture
def house(corridor: Corridor, holders: list[Memory]) -> House:
    return House(corridor, *holders[:2])


async def found(house: House) -> Environment:
    environment = await house.environments.find(PROD)
    assert environment is not None
    return environment


async def rotated(house: House, **how: Any) -> list[Moved]:
    return [moved async for moved in house.epochs.rotate(PROD, actor="terminal", **how)]


async def lying(corridor: Corridor) -> dict[str, SealedEntry]:
    """Everything that is sealed, by place."""
    found = {}
    for pattern in ("entries:*", "payload:*"):
        for key in await corridor.redis.keys(f"*{pattern}"):
            for field, body in (await corridor.redis.hgetall(key)).items():
                found[f"{text(key).partition('}')[2]}/{text(field)}"] = SealedEntry.from_json(text(body))
    return found


async def filled(corridor: Corridor) -> None:
    """Three versions, a hook's secret, and a change that nobody has decided."""
    await corridor.approved("change", A="one", B="two")
    await corridor.approved("change", A="another", C="three")
    environment = await corridor.environments.ensure(PROD)
    await corridor.environments.signing_secret(environment, "api")
    await corridor.ask("change", D="waits")


async def test_every_data_key_moves_under_the_new_key_and_no_value_is_encrypted_anew(corridor, house):
    await filled(corridor)
    before = await lying(corridor)
    assert {entry.epoch for entry in before.values()} == {1}
    assert (await rotated(house))[-1] == Moved(6, 6)
    after = await lying(corridor)
    assert {entry.epoch for entry in after.values()} == {2}
    assert {place: entry.ciphertext for place, entry in after.items()} == {
        place: entry.ciphertext for place, entry in before.items()
    }
    environment = await found(house)
    assert environment.epoch == 2
    assert (await house.environments.signing_secret(environment, "api")).reveal().startswith(b"whsec_")
    asked = await corridor.approved("open")
    await corridor.do(asked, Activate(id=f"activate:{asked.id}", actor=REQ))
    assert shown(await house.environments.read(asked.id, REQ)) == {"A": b"another", "B": b"two", "C": b"three"}
    await corridor.approved("change", E="later")
    head = await house.environments.head(environment.id)
    assert head.epoch == 2, "the next version is signed with the new key"
    assert "keys.rotated" in await corridor.events()


async def test_it_goes_on_where_it_was_broken_off_and_mints_no_other_key(corridor, house, holders):
    await filled(corridor)
    total = len(await lying(corridor))
    for _ in range(total + 3):
        async for _moved in House(corridor, *holders[:2]).epochs.rotate(PROD, actor="terminal"):
            break  # as if it were killed here
    assert await corridor.redis.keys("*epoch:*:3") == []
    await rotated(house)
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {2}
    assert await corridor.redis.keys("*epoch:*:3") == []
    await rotated(house)
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {3}, "and a finished one is begun anew"


async def test_names_are_taken_from_the_versions_that_are_kept_and_from_no_other(corridor, house, monkeypatch):
    for value in "abcd":
        await corridor.approved("change", A=value)
    environment, redis, keys = await found(house), corridor.redis, corridor.keys
    retention = Retention(redis, keys, corridor.scripts, corridor.skew, corridor.random)
    assert await retention.shorten(environment, 2, lambda _, lines: None) == Dropped(1, 3, 2)
    await redis.hdel(keys.environment(PROD), "id")
    assert await Older(redis, keys, corridor.scripts, corridor.skew).mend([PROD]) == 1  # writes the head once more
    asked: list[str] = []
    whole = redis.mget

    async def mget(names: list[str]) -> Any:
        asked.extend(names)
        return await whole(names)

    monkeypatch.setattr(redis, "mget", mget)
    assert (await rotated(house))[-1] == Moved(2, 2)
    assert [key for key in asked if "manifest" in key] == [keys.manifest(environment.id, number) for number in (4, 5)]


class Cut(Scripts):
    """Dies at its n-th script: before it, or after it was run."""

    def __init__(self, scripts: Any, at: int, *, after: bool) -> None:
        self.inner, self.left, self.after = scripts, at, after

    async def run(self, name: str, keys: list[str], args: list[str | int | bytes], *, frees: bool = False) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise asyncio.CancelledError
        reply = await self.inner.run(name, keys, args, frees=frees)
        if self.left == 0:
            raise asyncio.CancelledError
        return reply


@pytest.mark.parametrize("after", [False, True])
async def test_killed_at_any_write_nothing_is_lost(corridor, holders, after):
    await filled(corridor)
    values = await lying(corridor)
    for at in range(1, 12):
        cut = House(corridor, *holders[:2], scripts=Cut(corridor.scripts, at, after=after))
        try:
            await rotated(cut)
        except asyncio.CancelledError:
            pass
        else:
            break
        assert {place: entry.ciphertext for place, entry in (await lying(corridor)).items()} == {
            place: entry.ciphertext for place, entry in values.items()
        }
        asked = await opened(corridor)
        assert shown(await House(corridor, *holders[:2]).environments.read(asked.id, REQ))["A"] == b"another"
    else:
        pytest.fail("it never came through")
    assert len({entry.epoch for entry in (await lying(corridor)).values()}) == 1


async def test_while_people_read_seal_and_merge_nothing_fails_and_nothing_is_left_behind(corridor, house):
    await filled(corridor)
    asked = await opened(corridor)
    done = asyncio.Event()
    reads = 0

    async def reading() -> None:
        nonlocal reads
        while not done.is_set():
            values = await corridor.environments.read(asked.id, REQ)
            assert shown(values)["B"] == b"two"
            reads += 1

    async def merging() -> None:
        for number in range(6):
            assert (await corridor.approved("change", **{f"NEW_{number}": str(number)})).state == "merged"

    async def rotating() -> None:
        for _ in range(3):
            await rotated(house)

    async def all_of_it() -> None:
        try:
            await asyncio.gather(merging(), rotating())
        finally:
            done.set()

    await asyncio.gather(reading(), reading(), all_of_it())
    assert reads > 3
    for environment in await house.epochs.unfinished():  # what the watch does each minute
        async for _ in house.epochs.settle(environment):
            pass
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {4}
    values = shown(await house.environments.read(asked.id, REQ))
    assert {f"NEW_{number}": str(number).encode() for number in range(6)}.items() <= values.items()


async def test_what_was_sealed_before_and_comes_after_is_found_for_a_while(corridor, house):
    await corridor.approved("change", A="one")
    draft, sealing = await corridor.draft("change", B="slow")
    await rotated(house)
    await corridor.requests.submit(draft, "late", sealing.entries)
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {1, 2}
    (environment,) = await house.epochs.unfinished()
    assert [moved async for moved in house.epochs.settle(environment)]
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {2}
    corridor.skew_ms += 2 * WATCHED_MS
    assert await house.epochs.unfinished() == []


async def test_an_entry_that_somebody_else_has_moved_is_left_as_it_is(corridor, house):
    """The hash is looked at in the very step that replaces it."""
    await corridor.approved("change", A="one")
    environment = await house.epochs.renew(PROD, actor="terminal")
    key = corridor.keys.entries(environment.id)
    (field,) = [text(each) for each in await corridor.redis.hkeys(key)]
    real = corridor.scripts.run

    async def overtaken(name: str, keys: list[str], args: list[Any], *, frees: bool = False) -> Any:
        if name == "rewrap":
            await corridor.redis.hset(key, field, "moved by another")
        return await real(name, keys, args, frees=frees)

    corridor.scripts.run = overtaken
    assert [moved async for moved in house.epochs.settle(environment)]
    assert text(await corridor.redis.hget(key, field)) == "moved by another"


async def test_who_was_approved_later_learns_every_key_and_carries_it_alone(corridor, holders):
    await filled(corridor)
    await rotated(House(corridor, *holders[:2]))
    running = House(corridor, *holders)
    asked = await opened(corridor)
    await running.environments.read(asked.id, REQ)  # it remembers the wraps of now
    a, b, c = holders
    learned, faults = await running.epochs.heal([one.fingerprint for one in holders])
    assert learned == [f"c learned key 1 of {PROD}.", f"c learned key 2 of {PROD}."]
    assert faults == []
    assert (await corridor.events()).count("keys.learned") == 2
    a.off = b.off = True
    running.now_s += KEPT_S + 1
    assert shown(await running.environments.read(asked.id, REQ))["B"] == b"two", "without a restart"
    assert (await running.epochs.heal([c.fingerprint]))[0] == []


async def test_a_holder_that_is_away_learns_when_it_is_back(corridor, holders):
    await corridor.approved("change", A="one")
    house = House(corridor, *holders)
    holders[2].off = True
    assert await house.epochs.heal(house.working) == ([], [])
    holders[2].off = False
    assert (await house.epochs.heal(house.working))[0] == [f"c learned key 1 of {PROD}."]


async def test_what_nobody_opens_keeps_nobody_from_learning_the_rest(corridor, holders):
    await corridor.approved("change", A="one")
    environment = await corridor.environments.find(PROD)
    key = corridor.keys.epoch(environment.id, 1)
    await rotated(House(corridor, *holders[:2]))
    epoch = Epoch.from_json(text(await corridor.redis.get(key)))
    lost = epoch.model_copy(update={"wraps": {"0" * 32: next(iter(epoch.wraps.values()))}})
    await corridor.redis.set(key, lost.to_json())
    house = House(corridor, *holders)
    learned, faults = await house.epochs.heal(house.working)
    assert learned == [f"c learned key 2 of {PROD}."]
    assert "No key holder opens environment" in faults[0]


@pytest.mark.parametrize(("off", "well"), [((), True), (("b",), False)])
async def test_a_drill_lets_each_holder_open_each_key_and_changes_nothing(corridor, holders, off, well):
    await filled(corridor)
    house = House(corridor, *holders[:2])
    await rotated(house)
    for holder in holders:
        holder.off = holder.name in off
    before = await corridor.dump()
    environment = await found(house)
    told = [each async for each in House(corridor, *holders[:2]).epochs.drill(environment)]
    assert [epoch.number for epoch, *_ in told] == [1, 2]
    assert all((not coverage.failing) is well for _, coverage, _ in told)
    assert [spoiled for *_, spoiled in told] == [[], []]
    assert await corridor.dump() == before


async def test_a_drill_finds_an_entry_that_its_key_does_not_open(corridor, house):
    await filled(corridor)
    environment = await found(house)
    head = await house.environments.head(environment.id)
    key, field = corridor.keys.entries(environment.id), head.entries["C"].entry_id
    body = json.loads(await corridor.redis.hget(key, field))
    wrap = bytearray(base64.b64decode(body["wrap"]))
    wrap[-1] ^= 1
    body["wrap"] = base64.b64encode(wrap).decode()
    await corridor.redis.hset(key, field, json.dumps(body, separators=(",", ":")))
    told = [each async for each in house.epochs.drill(environment)]
    assert [spoiled for *_, spoiled in told] == [["C"]]
    moved = await rotated(house)
    assert moved[-1].spoiled == ("C",)
    await rotated(house)
    assert (await found(house)).epoch == 2, "it is not through, so no other key is begun"


async def test_secure_needs_two_that_work_and_moves_what_lay_there_before(corridor, holders):
    await corridor.approved("change", A="one")
    house = House(corridor, *holders[:2])
    holders[1].off = True
    with pytest.raises(Unavailable, match="needs two working key holders, and only a works"):
        await house.epochs.renew(PROD, actor="clock", secure=True)
    environment = await found(house)
    assert (environment.epoch, environment.secure) == (1, False)
    holders[1].off = False
    await rotated(house, secure=True)
    environment = await found(house)
    assert (environment.epoch, environment.secure) == (2, True)
    assert {entry.epoch for entry in (await lying(corridor)).values()} == {2}


async def test_a_key_that_was_made_under_an_older_roster_is_not_taken(corridor, house):
    """Who has been removed since must not have been given it."""
    await corridor.approved("change", A="one")
    await corridor.redis.hset(corridor.keys.roster, mapping={"version": 7, "body": "{}"})
    with pytest.raises(Unavailable, match="could not be made"):
        await house.environments.ensure("payments/staging")
    from store.model.errors import Conflict

    with pytest.raises(Conflict, match="Rotate it again"):
        await house.epochs.renew(PROD, actor="terminal")


async def test_it_answers_by_and_by(corridor, house) -> None:
    await filled(corridor)
    seen = [(moved.done, moved.total) for moved in await rotated(house)]
    assert seen == sorted(seen)
    assert seen[-1] == (6, 6)
