"""Retention: what is not kept any more is told without values and dropped, and nothing else is missed by anybody."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import fakeredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.keys.envelope import open_version
from store.model.environment import Environment
from store.model.errors import AccessError, NotFound, Unavailable
from store.model.identity import Target
from store.model.request import Request
from store.model.sealed import Manifest, SealedEntry
from store.redis.commit import text
from store.redis.retention import AT_ONCE, Dropped, Retention
from tests.builders import ANA, BOB, REQ, approve
from tests.lengths import length
from tests.store.redis.corridor import Corridor, Gate, command_for

PROD = Target.parse("payments/prod")
KEPT: Final = 3


def retention(corridor: Corridor) -> Retention:
    return Retention(corridor.redis, corridor.keys, corridor.scripts, corridor.skew, corridor.random)


async def prod(corridor: Corridor) -> Environment:
    return await corridor.environments.ensure("payments/prod")


class Place:
    """Where it is told to."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def __call__(self, _: Environment, lines: Sequence[str]) -> None:
        self.lines += [json.loads(line) for line in lines]


async def shortened(corridor: Corridor, place: Place, kept: int = KEPT) -> Dropped | None:
    dropped = await retention(corridor).shorten(await prod(corridor), kept, place)
    again = dropped
    while again is not None:
        again = await retention(corridor).shorten(await prod(corridor), kept, place)
    return dropped


async def back(corridor: Corridor, to: int) -> Request:
    wish: dict[str, Any] = {"reason": "back", "ticket": None, "command_id": f"back:{corridor.id()}"}
    asked = (await corridor.asking().rollback(REQ, PROD, to, **wish)).request
    assert asked is not None
    return asked


async def merge(corridor: Corridor, asked: Request) -> Request:
    for user in (ANA, BOB):
        asked = await corridor.do(asked, command_for(asked, approve, user))
    return asked


async def held(corridor: Corridor, number: int) -> dict[str, bytes]:
    environment = await prod(corridor)
    manifest = await corridor.versions.manifest(environment.id, number)
    ids = [one.entry_id for one in manifest.entries.values()]
    bodies = await corridor.redis.hmget(corridor.keys.entries(environment.id), ids) if ids else []
    assert None not in bodies, f"version {number} lacks a value"
    entries = {name: SealedEntry.from_json(body) for name, body in zip(manifest.entries, bodies, strict=True) if body}
    keys = {number: await corridor.environments.key(environment.id, number) for number in (1,)}
    return {name: secret.reveal() for name, secret in open_version(manifest, entries, keys).items()}


async def lying(corridor: Corridor) -> set[str]:
    return {text(field) for field in await corridor.redis.hkeys(corridor.keys.entries((await prod(corridor)).id))}


async def test_what_is_told_of_a_version_is_all_but_the_values(corridor):
    await corridor.approved("change", A="kanarienvogel-20", B="b")
    await corridor.approved("change", A="a2", B=None)
    for number in range(3):
        await corridor.approved("change", C=f"c{number}")
    place = Place()
    environment = await prod(corridor)
    second: Manifest = await corridor.versions.manifest(environment.id, 2)
    assert await shortened(corridor, place) == Dropped(1, 3, 2)
    assert [line["version"] for line in place.lines] == [1, 2, 3]
    told = place.lines[1]
    assert (told["by"], told["added"], told["target"], told["mac"]) == (REQ, ["A", "B"], "payments/prod", second.mac)
    assert told["entries"]["A"]["ciphertext_hash"] == second.entries["A"].ciphertext_hash
    assert "kanarienvogel-20" not in json.dumps(place.lines)
    again = Manifest.model_validate(
        {"environment_id": told["environment"], "number": told["version"]}
        | {name: told[name] for name in ("previous_mac", "entries", "epoch", "mac")}
    )
    (await corridor.environments.key(environment.id, again.epoch)).verify(again)  # it proves itself, by the key alone


async def test_what_is_left_is_as_it_was(corridor):
    await corridor.approved("change", A="a", B="b")
    for number in range(5):
        await corridor.approved("change", A=f"a{number}")
    await shortened(corridor, Place())
    environment = await prod(corridor)
    assert [one.number for one in await corridor.versions.history(environment.id)] == [7, 6, 5]
    assert await corridor.versions.oldest(environment.id) == 5
    assert await held(corridor, 5) == {"A": b"a2", "B": b"b"}
    for number in (1, 4):
        with pytest.raises(NotFound, match="not kept any more"):
            await corridor.versions.manifest(environment.id, number)
    assert len(await lying(corridor)) == 4
    assert await shortened(corridor, Place()) is None
    assert (await corridor.events()).count("versions.dropped") == 1


async def test_what_signs_the_deliveries_to_a_hook_stays(corridor):
    environment = await prod(corridor)
    secret = await corridor.environments.signing_secret(environment, "api")
    for number in range(5):
        await corridor.approved("change", A=f"a{number}")
    await shortened(corridor, Place())
    assert await corridor.environments.signing_secret(environment, "api") == secret


async def test_environments_with_more_than_are_kept(corridor):
    for number in range(4):
        await corridor.approved("change", A=f"a{number}")
    await corridor.environments.ensure("payments/staging")
    found = [one.target async for one in retention(corridor).surplus(KEPT)]
    assert found == ["payments/prod"]
    assert [one.target async for one in retention(corridor).surplus(5)] == []


async def test_fifty_at_a_time(corridor):
    for number in range(AT_ONCE + 5):
        await corridor.approved("change", A=f"a{number}")
    place = Place()
    assert await shortened(corridor, place) == Dropped(1, AT_ONCE, AT_ONCE - 1)
    assert [line["version"] for line in place.lines] == list(range(1, AT_ONCE + 4))


async def test_what_cannot_be_told_stays(corridor):
    for number in range(4):
        await corridor.approved("change", A=f"a{number}")

    def full(*_: Any) -> None:
        raise Unavailable("The disk is full.")

    before = await corridor.dump()
    with pytest.raises(Unavailable):
        await retention(corridor).shorten(await prod(corridor), KEPT, full)
    assert await corridor.dump() == before


async def test_a_merge_that_comes_between_loses_nothing(corridor):
    """It names an entry again that nobody named when it was looked for."""
    for number in range(5):
        await corridor.approved("change", A=f"a{number}")
    asked = await back(corridor, 2)
    corridor.scripts.gate = Gate(1, at_the_end=lambda: _merged_behind(corridor, asked))
    assert await retention(corridor).shorten(await prod(corridor), KEPT, Place()) is None
    assert await held(corridor, 7) == {"A": b"a0"}
    corridor.scripts.gate = None
    await shortened(corridor, Place())
    assert await held(corridor, 7) == {"A": b"a0"}


async def _merged_behind(corridor: Corridor, asked: Request) -> None:
    gate, corridor.scripts.gate = corridor.scripts.gate, None
    assert (await merge(corridor, asked)).state == "merged"
    corridor.scripts.gate = gate


async def test_an_undecided_way_back_keeps_what_it_needs(corridor):
    await corridor.approved("change", A="a", B="b")
    asked = await back(corridor, 1)
    again = await back(corridor, 1)
    for number in range(4):
        await corridor.approved("change", C=f"c{number}")
    await shortened(corridor, Place())
    assert (await merge(corridor, asked)).state == "merged"
    assert set(await held(corridor, 7)) == {"C"}
    assert (await corridor.requests.get(again.id)).request.state == "stale"


# -- any history -------------------------------------------------------------------------------------------------------

names = st.sampled_from(["A", "B", "C"])
values = st.none() | st.sampled_from(["x", "y", "zz"])
picks = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("set"), st.dictionaries(names, values, min_size=1, max_size=2)),
    st.tuples(st.just("back"), picks),
    st.tuples(st.just("ask back"), picks),
    st.tuples(st.just("ask"), st.dictionaries(names, values, min_size=1, max_size=2)),
    st.tuples(st.just("merge"), picks),
    st.tuples(st.just("withdraw"), picks),
    st.tuples(st.just("hook"), st.sampled_from(["api", "web"])),
    st.tuples(st.just("shorten"), st.sampled_from([2, 3])),
)


class Reference:
    """What each version should hold, and what is undecided, by value."""

    def __init__(self) -> None:
        self.versions: dict[int, dict[str, bytes]] = {1: {}}
        self.oldest = 1
        self.asked: list[tuple[Request, dict[str, bytes | None]]] = []
        self.hooks: dict[str, bytes] = {}

    @property
    def newest(self) -> int:
        return max(self.versions)

    def merged(self, change: dict[str, bytes | None]) -> None:
        held = {**self.versions[self.newest], **change}
        self.versions[self.newest + 1] = {name: value for name, value in held.items() if value is not None}

    def toward(self, number: int) -> dict[str, bytes | None]:
        old, now = self.versions[number], self.versions[self.newest]
        return {name: old.get(name) for name in old.keys() | now.keys()}

    def shortened(self, kept: int) -> None:
        self.oldest = max(self.oldest, self.newest - kept + 1)


async def play(history: list[tuple[str, Any]]) -> None:
    async with fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()) as redis:
        corridor, reference = Corridor(redis), Reference()
        await corridor.enact()
        environment = await prod(corridor)
        for what, how in history:
            await step(corridor, reference, what, how)
            kept = range(reference.oldest, reference.newest + 1)
            assert [one.number for one in await corridor.versions.history(environment.id)] == list(reversed(kept))
            for number in kept:
                assert await held(corridor, number) == reference.versions[number]
            for hook, secret in reference.hooks.items():
                assert (await corridor.environments.signing_secret(environment, hook)).reveal() == secret
            if what == "shorten":
                manifests = [await corridor.versions.manifest(environment.id, number) for number in kept]
                named = {one.entry_id for manifest in manifests for one in manifest.entries.values()}
                assert await lying(corridor) == named | {f"hook:{hook}" for hook in reference.hooks}


async def step(corridor: Corridor, reference: Reference, what: str, how: Any) -> None:
    if what == "hook":
        secret = await corridor.environments.signing_secret(await prod(corridor), how)
        reference.hooks.setdefault(how, secret.reveal())
        return
    if what == "shorten":
        await shortened(corridor, Place(), how)
        reference.shortened(how)
        return
    if what in ("set", "ask"):
        present = reference.versions[reference.newest]
        wish = {name: value for name, value in how.items() if value is not None or name in present}
        if not wish:
            return
        asked, change = (
            await corridor.ask("change", **wish),
            {name: None if v is None else v.encode() for name, v in wish.items()},
        )
    elif what in ("back", "ask back"):
        number = reference.oldest + how % (reference.newest - reference.oldest + 1)
        try:
            asked, change = await back(corridor, number), reference.toward(number)
        except AccessError:
            return  # nothing is another
    elif not reference.asked:
        return
    else:
        asked, change = reference.asked.pop(how % len(reference.asked))
        state = (await corridor.requests.get(asked.id)).request.state
        if what == "withdraw" or state != "pending":
            return
        await settle(corridor, reference, asked, change)
        return
    if what in ("set", "back"):
        await settle(corridor, reference, asked, change)
    else:
        reference.asked.append((asked, change))


async def settle(corridor: Corridor, reference: Reference, asked: Request, change: dict[str, bytes | None]) -> None:
    touched = {touch.name for touch in asked.payload.touches}  # type: ignore[union-attr]  # it is a change
    after = await merge(corridor, asked)
    if after.state == "merged":
        reference.merged({name: value for name, value in change.items() if name in touched})


@settings(max_examples=length(12, 100, 1_000), deadline=None, derandomize=True, database=None)
@given(st.lists(steps, min_size=4, max_size=18))
def test_after_any_history_what_is_kept_is_there_and_nothing_else(history: list[tuple[str, Any]]) -> None:
    asyncio.run(play(history))
