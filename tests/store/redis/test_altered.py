"""Altered in Redis: one bit turned, or two fields exchanged, in a real server under the real store. Found out by whoever uses it; never a value."""

import base64
import itertools
import json
from collections import Counter
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from store.model.errors import Unavailable
from store.model.sealed import Epoch, Manifest
from store.model.secret import Secret
from store.redis import projection
from store.redis.opened import Opened
from tests.builders import ANA, BEN, BOB, STRANGER, approve
from tests.lengths import length
from tests.store.redis.corridor import Corridor, command_for
from tests.store.redis.sealed_place import Field, SealedPlace, flips, leaves, packed, put_in

# Every so many bits: tests/store/keys turns each of them, in memory. `make soak` turns one in each byte here, and tries every pair.
EVERY: Final = length(152, 152, 9)
PARTS: Final = length(40, 40, 100_000)  # pairs of each sort
NAME_FOR_PEOPLE: Final = "holder"  # the one thing in a record that nothing relies on: docs/decisions/0003-envelope.md
SORTS: Final = {
    "entry_id": "id", "environment_id": "id",
    "mac": "hash", "previous_mac": "hash", "ciphertext_hash": "hash", "commitment": "hash",
    "ciphertext": "bytes", "wrap": "bytes", "wrapped": "bytes",
    "user": "id", "target": "id", "name": "id", "expires_ms": "number",
    "schema": "number", "number": "number", "epoch": "number", "mode": "number",
    NAME_FOR_PEOPLE: NAME_FOR_PEOPLE,
}  # fmt: skip


@pytest.fixture
async def place(real_redis: Redis) -> SealedPlace:
    corridor = Corridor(real_redis)
    await corridor.enact()
    place = SealedPlace(corridor)
    await place.furnish()
    return place


@pytest.mark.search
async def test_no_flipped_bit_of_anything_sealed_gives_a_value(place: SealedPlace) -> None:
    seen: Counter[str] = Counter()
    for field in place.fields:
        body = await field.get(place.redis)
        for bit, changed in flips(body, every=EVERY):
            await field.put(place.redis, changed)
            await all_refuse(place, (field,), bit)
            seen[field.kind] += 1
        await field.put(place.redis, body)
    print(f"bits turned: {dict(seen)}")  # noqa: T201 - what was tried is a part of the answer
    assert set(seen) == {"head", "manifest", "entries", "epoch", "payload", "blob"}


async def test_no_two_sealed_records_can_take_each_others_place(place: SealedPlace) -> None:
    """Between names, versions, hooks, requests, environments and installations; and between kinds of records."""
    pairs = list(itertools.combinations(place.fields, 2))
    for one, other in pairs:
        mine, yours = await one.get(place.redis), await other.get(place.redis)
        assert mine != yours
        await one.put(place.redis, yours)
        await other.put(place.redis, mine)
        await all_refuse(place, (one, other), "exchanged")
        await one.put(place.redis, mine)
        await other.put(place.redis, yours)
    print(f"pairs of records exchanged: {len(pairs)}")  # noqa: T201


@pytest.mark.search
async def test_no_two_parts_of_sealed_records_can_take_each_others_place(place: SealedPlace) -> None:
    """Ids, hashes, seals, ciphertexts, wraps, numbers: each with each of its sort, wherever it lies."""
    where: dict[str, list[tuple[Field, tuple[str, ...], Any]]] = {}
    for field in place.fields:
        for path, value in leaves(json.loads(await field.get(place.redis))):
            where.setdefault(SORTS[path[-1]], []).append((field, path, value))
    assert set(where) == set(SORTS.values())
    tried: Counter[str] = Counter()
    for sort, parts in where.items():
        pairs = [pair for pair in itertools.combinations(parts, 2) if pair[0][2] != pair[1][2]]
        for one, other in pairs[:: 1 + len(pairs) // PARTS]:
            await exchanged(place, one, other)
            tried[sort] += 1
    print(f"pairs of parts exchanged: {dict(tried)}")  # noqa: T201


async def exchanged(
    place: SealedPlace, one: tuple[Field, tuple[str, ...], Any], other: tuple[Field, tuple[str, ...], Any]
) -> None:
    """Two parts of one record, or of two."""
    fields = {one[0]: await one[0].get(place.redis), other[0]: await other[0].get(place.redis)}
    records = {field: json.loads(body) for field, body in fields.items()}
    put_in(records[one[0]], one[1], other[2])
    put_in(records[other[0]], other[1], one[2])
    for field, record in records.items():
        await field.put(place.redis, packed(record))
    await all_refuse(place, tuple(fields), (one[1], other[1]))
    for field, body in fields.items():
        await field.put(place.redis, body)


async def all_refuse(place: SealedPlace, fields: tuple[Field, ...], what: object) -> None:
    """Whoever uses one of these; but for a wrap whose key another holder gives as well, and there the damage shows."""
    refusing = await place.judge(fields, (fields, what))
    for field in fields:
        if field.plain:
            continue
        if field.kind == "epoch" and not set(field.ways) <= refusing:
            assert await only_one_holder_less(place, field), (field, what)
        else:
            assert set(field.ways) <= refusing, (field, what)


async def only_one_holder_less(place: SealedPlace, field: Field) -> bool:
    """Or only a name for people is another one: the same fingerprints have the same wraps."""
    was = Epoch.from_json(place.bodies[field])
    now = Epoch.from_json(await field.get(place.redis))
    if {one: wrap.wrapped for one, wrap in now.wraps.items()} == {one: wrap.wrapped for one, wrap in was.wraps.items()}:
        return True
    return (await place.environments(field.installation)._ring.coverage(now)).under_replicated


async def test_no_flipped_bit_of_what_lies_beside_a_version_gives_another_value(place: SealedPlace) -> None:
    """What the reading script looks at without opening it: which version is the newest, and where its entries lie."""
    keys, environment = place.corridor.keys, await place.environments().find("payments/prod")
    assert environment is not None
    place.refusals |= {"redis_refused"}  # a script that cannot count with it
    tried = 0
    for key in (keys.head(environment.id), keys.environment("payments/prod")):
        fields: dict[bytes, bytes] = dict(await place.redis.hgetall(key))  # type: ignore[arg-type]  # bytes, as asked for
        for name, body in fields.items():
            if (key, name) == (keys.head(environment.id), b"body"):
                continue  # sealed: above
            field = Field(key, name.decode(), ("read", "person None", "machine None", "person 2"))
            for bit, changed in flips(body, every=1 if len(body) < 30 else 17):
                await field.put(place.redis, changed)
                await place.judge((field,), (field, bit))
                tried += 1
            await field.put(place.redis, body)
    assert tried > 100


@pytest.mark.search
async def test_what_lies_opened_in_memory_is_never_taken_for_another_value(place: SealedPlace) -> None:
    """A process that has read this environment before: what is altered since is refused, or what was read before is given again."""
    warm, bearer = place.environments(), place.bearers["machine"]
    before = await warm.read_by_token(bearer, "payments/prod")
    assert isinstance(before, Opened)
    given, refused = 0, 0
    for field in [one for one in place.fields if "machine None" in one.ways]:
        body = await field.get(place.redis)
        for _, changed in flips(body, every=EVERY):
            await field.put(place.redis, changed)
            try:
                now = await warm.read_by_token(bearer, "payments/prod")
            except Unavailable:
                refused += 1
            else:
                assert isinstance(now, Opened)
                assert now.values == before.values
                given += 1
        await field.put(place.redis, body)
    assert given + refused > 100


# -- what waits to be merged ------------------------------------------------------------------------------------------


async def test_what_was_altered_while_it_waited_is_merged_and_never_read(place: SealedPlace) -> None:
    """A merge moves sealed values and opens none. Who reads finds out; and a change that sets the name again heals it."""
    corridor = place.corridor
    for part, at in (("ciphertext", -1), ("wrap", -1), ("wrap", 4)):  # tag, tag, and which epoch it says it is in
        asked = await corridor.ask("change", A="new")
        key = corridor.keys.payload(asked.id, asked.revision)
        ((name, body),) = (await place.redis.hgetall(key)).items()
        record = json.loads(body)
        raw = bytearray(base64.b64decode(record[part]))
        raw[at] ^= 2
        await place.redis.hset(key, name, packed({**record, part: base64.b64encode(raw).decode()}))
        for user in (ANA, BOB):
            await corridor.do(asked, command_for(asked, approve, user))
        assert await corridor.state(asked) == "merged"
        assert (await place.answer("read"))[0] == "refuses"
        assert (await corridor.approved("change", A="whole")).state == "merged"
        assert (await place.answer("read"))[1]["A"] == (b"whole", None)


# -- what is not found out: docs/security.md, What is not promised ------------------------------------------------------


async def test_a_newest_version_that_was_taken_away_is_not_missed(place: SealedPlace) -> None:
    """Authentic, and older: only a witness outside Redis could tell."""
    keys, environment = place.corridor.keys, await place.environments().find("payments/prod")
    assert environment is not None
    body = await place.redis.get(keys.manifest(environment.id, 2))
    older = Manifest.from_json(body or b"")
    fields: dict[Any, Any] = {"body": older.to_json(), **projection.head_fields(older)}
    await place.redis.hset(keys.head(environment.id), mapping=fields)
    await place.redis.delete(keys.manifest(environment.id, 3))
    kind, values = await place.answer("read")
    assert (kind, values["A"]) == ("gives", (b"first", None))


async def test_a_redis_that_was_put_back_as_a_whole_is_believed(place: SealedPlace) -> None:
    dumped = {key: await place.redis.dump(key) for key in await place.redis.keys("*")}
    assert (await place.corridor.approved("change", A="newer")).state == "merged"
    assert (await place.answer("read"))[1]["A"] == (b"newer", None)
    await place.redis.flushall()
    for key, content in dumped.items():
        await place.redis.restore(key, 0, content or b"")
    assert await place.answer("read") == place.before["read"]


async def test_a_grant_that_somebody_wrote_into_redis_is_believed(place: SealedPlace) -> None:
    """Requests and tokens carry no seal: the program gives values to whom its Redis names, and writes that down there."""
    grant = await place.corridor.ask("open", requester=BEN)
    forged: dict[Any, Any] = {"state": "active", "until": place.corridor.now_ms + 1, "holder": STRANGER}
    await place.redis.hset(place.corridor.keys.request(grant.id), mapping=forged)
    opened = await place.environments().read(grant.id, STRANGER)
    assert opened.values["A"].secret == Secret(b"second")
    assert (await place.corridor.events())[-1] == "secrets.read"


async def test_which_environment_a_name_means_is_believed(place: SealedPlace) -> None:
    """The names of two environments exchanged: who may read the one reads the other, whole and genuine."""
    keys = place.corridor.keys
    one, other = keys.environment("payments/prod"), keys.environment("payments/staging")
    mine, yours = await place.redis.hgetall(one), await place.redis.hgetall(other)
    await place.redis.hset(one, mapping=yours)  # type: ignore[arg-type]  # bytes, as asked for
    await place.redis.hset(other, mapping=mine)  # type: ignore[arg-type]  # bytes, as asked for
    opened = await place.environments().read_by_token(place.bearers["machine"], "payments/prod")
    assert isinstance(opened, Opened)
    assert opened.environment.encode() == yours[b"id"]
