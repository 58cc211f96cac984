"""Reading by a token: one script decides it all, whatever lies opened in memory."""

import asyncio
from typing import Any

import pytest

from store.model.command import Activate, End
from store.model.errors import Conflict, Forbidden, NotFound, Unavailable
from store.model.policy import HOUR, MINUTE
from store.model.request import Request
from store.model.sealed import Epoch, Manifest
from store.model.secret import Secret
from store.model.token import Bearer
from store.redis import projection
from store.redis.commit import Commit, text
from store.redis.opened import KEPT_BYTES, KEPT_VERSIONS, Memory, Opened, Same, Sheaf, Value
from store.redis.reading import Known
from store.redis.tokens import Tokens
from tests.builders import ANA, BOB, NOW, REQ, approve
from tests.store.redis.corridor import Corridor
from tests.tokens import machine_token, person_token

PROD = "payments/prod"


@pytest.fixture
def tokens(corridor: Corridor) -> Tokens:
    return Tokens(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)


async def opened(corridor: Corridor, **values: Any) -> Request:
    """An active grant of REQ for an hour, over these values."""
    if values:
        assert (await corridor.approved("change", **values)).state == "merged"
    return await active(corridor)


async def active(corridor: Corridor) -> Request:
    asked = await corridor.approved("open")
    return await corridor.do(asked, Activate(id=f"activate:{asked.id}", actor=REQ))


async def of_person(tokens: Tokens, user: str = REQ, **changed: Any) -> Bearer:
    return Bearer.read(await person_token(tokens, user, NOW, **{"expires_ms": NOW + 9 * HOUR, **changed}))


async def of_machine(tokens: Tokens, **changed: Any) -> Bearer:
    return Bearer.read(await machine_token(tokens, NOW, **changed))


def shown(found: Opened | Same) -> dict[str, bytes]:
    assert isinstance(found, Opened)
    return {name: value.secret.reveal() for name, value in found.values.items() if value.secret is not None}


async def refused(reading: Any) -> str:
    with pytest.raises((Forbidden, Conflict, NotFound)) as refusal:
        await reading
    return refusal.value.detail


# -- who, and until when ----------------------------------------------------------------------------------------------


async def test_a_person_reads_by_the_grant_that_runs_and_a_machine_by_its_token(corridor, tokens):
    asked = await opened(corridor, A="x", B="y\n")
    person, machine = await of_person(tokens), await of_machine(tokens)
    assert asked.lease is not None
    by_person = await corridor.environments.read_by_token(person, PROD)
    by_machine = await corridor.environments.read_by_token(machine, PROD)
    assert shown(by_person) == shown(by_machine) == {"A": b"x", "B": b"y\n"}
    assert (by_person.version, by_person.request, by_person.until_ms) == (2, asked.id, asked.lease.until_ms)
    assert (by_machine.request, by_machine.until_ms) == (None, NOW + 90 * 24 * HOUR)


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
async def test_a_person_reads_until_the_lease_ends_and_not_at_that_moment(corridor, tokens, by_ms):
    asked = await opened(corridor, A="x")
    bearer = await of_person(tokens)
    assert asked.lease is not None
    corridor.skew_ms = asked.lease.until_ms - NOW + by_ms
    before = await corridor.log.number()
    if by_ms < 0:
        assert shown(await corridor.environments.read_by_token(bearer, PROD)) == {"A": b"x"}
        return
    assert await refused(corridor.environments.read_by_token(bearer, PROD)) == "not_active"
    assert await corridor.log.number() == before


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
@pytest.mark.parametrize("kind", ["person", "machine"])
async def test_a_token_is_good_until_it_expires_and_not_at_that_moment(corridor, tokens, by_ms, kind):
    await opened(corridor, A="x")
    made = of_person if kind == "person" else of_machine
    bearer = await made(tokens, expires_ms=NOW + 30 * MINUTE)
    corridor.skew_ms = 30 * MINUTE + by_ms
    if by_ms < 0:
        assert shown(await corridor.environments.read_by_token(bearer, PROD)) == {"A": b"x"}
    else:
        assert await refused(corridor.environments.read_by_token(bearer, PROD)) == "bad_token"


@pytest.mark.parametrize("what", ["never was", "another secret", "another kind", "revoked", "all were ended"])
async def test_a_token_that_is_none_reads_nothing(corridor, tokens, what):
    await opened(corridor, A="x")
    bearer = await of_person(tokens)
    match what:
        case "never was":
            bearer = Bearer("0" * 10, "person", bearer.hash)
        case "another secret":
            bearer = Bearer(bearer.id, "person", "0" * 64)
        case "another kind":
            bearer = Bearer(bearer.id, "machine", bearer.hash)
        case "revoked":
            await tokens.revoke(bearer.id, REQ, "revoke")
        case _:
            await tokens.end_all(REQ, REQ, "end", "stolen")
    assert await refused(corridor.environments.read_by_token(bearer, PROD)) == "bad_token"


async def test_a_person_who_holds_no_grant_reads_nothing(corridor, tokens):
    asked = await opened(corridor, A="x")
    approved = await corridor.approved("open", requester=REQ)
    for bearer, target in ((await of_person(tokens, ANA), PROD), (await of_person(tokens), "payments/staging")):
        assert await refused(corridor.environments.read_by_token(bearer, target)) == "no_grant"
    await corridor.do(asked, End(id="end", actor=REQ))
    assert await corridor.state(approved) == "approved"
    # Approved is not activated, and a read never activates.
    assert await refused(corridor.environments.read_by_token(await of_person(tokens), PROD)) == "no_grant"


@pytest.mark.parametrize(
    "changed",
    [
        {"targets": ("payments/staging",)},
        {"targets": ()},
        {"actions": ("deploy", "report")},
        {"targets": (f"{PROD}#api",)},
    ],
)
async def test_a_machine_reads_nothing_but_what_it_was_let_in_for(corridor, tokens, changed):
    await opened(corridor, A="x")
    bearer = await of_machine(tokens, **changed)
    assert await refused(corridor.environments.read_by_token(bearer, PROD)) == "not_let_in"


async def test_of_several_grants_any_that_runs_lets_read(corridor, tokens):
    first = await opened(corridor, A="x")
    corridor.skew_ms = 30 * MINUTE
    second = await active(corridor)
    bearer = await of_person(tokens)
    await corridor.do(second, End(id="end", actor=REQ))
    assert (await corridor.environments.read_by_token(bearer, PROD)).request == first.id
    third = await active(corridor)
    corridor.skew_ms = HOUR + MINUTE  # the first is over, and nobody has swept yet
    assert (await corridor.environments.read_by_token(bearer, PROD)).request == third.id


async def test_what_was_extended_is_read_until_its_later_end(corridor, tokens):
    asked = await opened(corridor, A="x")
    assert asked.lease is not None
    longer = await corridor.longer(asked, duration_ms=HOUR)
    for user in (ANA, BOB):
        await corridor.apply(longer, approve(longer, user, id=f"longer:{user}"))
    bearer = await of_person(tokens)
    corridor.skew_ms = HOUR + MINUTE
    assert (await corridor.environments.read_by_token(bearer, PROD)).until_ms == asked.lease.until_ms + HOUR


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("state", "revoking", "not_active"), ("holder", ANA, "not_the_beneficiary"), ("kind", "access", "not_found"),
     ("target", "payments/staging", "not_found"), ("environment", "0" * 24, "not_found")],
)  # fmt: skip
async def test_the_record_decides_whatever_the_index_says(corridor, tokens, field, value, says):
    asked = await opened(corridor, A="x")
    await corridor.environments.ensure("payments/staging")
    bearer = await of_person(tokens)
    await corridor.redis.hset(corridor.keys.request(asked.id), field, value)
    assert await refused(corridor.environments.read_by_token(bearer, PROD)) == says


async def test_another_environment_under_the_same_name_is_not_the_one_that_was_opened(corridor, tokens):
    await opened(corridor, A="x")
    bearer = await of_person(tokens)
    other = await corridor.environments.ensure("payments/staging")
    await corridor.redis.hset(corridor.keys.environment(PROD), "id", other.id)
    assert await refused(corridor.environments.read_by_token(bearer, PROD)) == "not_found"


async def test_nothing_is_read_while_redis_forgets(corridor, tokens):
    await opened(corridor, A="x")
    corridor.environments._reading._fit = lambda: "It forgets."
    with pytest.raises(Unavailable, match="It forgets"):
        await corridor.environments.read_by_token(await of_machine(tokens), PROD)


# -- what is written down ---------------------------------------------------------------------------------------------


async def test_each_reading_is_written_down_in_the_step_that_reads(corridor, tokens):
    asked = await opened(corridor, A="x")
    corridor.skew_ms += 1_234
    person, machine = await of_person(tokens), await of_machine(tokens)
    before = await corridor.log.number()
    for bearer in (person, machine, machine):
        await corridor.environments.read_by_token(bearer, PROD)
    entries = [entry for _, entry in await corridor.log.after(before, most=9)]
    assert [(entry.event, entry.actor, entry.request, entry.target, entry.at_ms) for entry in entries] == [
        ("secrets.read", REQ, asked.id, PROD, NOW + 1_234),
        *2 * [("secrets.read", f"machine:{machine.id}", None, PROD, NOW + 1_234)],
    ]
    assert [entry.details for entry in entries] == [
        {"version": 2, "token": one.id} for one in (person, machine, machine)
    ]


@pytest.mark.parametrize("known", ["the newest", "after it", "after more"])
async def test_what_is_known_already_does_not_leave_again_and_is_no_reading(corridor, tokens, known):
    await opened(corridor, A="x")
    bearer = await of_machine(tokens)
    found = await corridor.environments.read_by_token(bearer, PROD)
    before = await corridor.log.number()
    what = {
        "the newest": Known((f"{found.environment}-1", f"{found.environment}-2")),
        "after it": Known(after=2),
        "after more": Known(after=9),
    }
    same = await corridor.environments.read_by_token(bearer, PROD, known=what[known])
    assert not isinstance(same, Opened)
    assert (same.version, same.environment) == (2, found.environment)
    assert await corridor.log.number() == before
    for other in (Known((f"{found.environment}-1",)), Known((f"{'0' * 24}-2",)), Known(after=1)):
        assert shown(await corridor.environments.read_by_token(bearer, PROD, known=other)) == {"A": b"x"}


# -- versions ---------------------------------------------------------------------------------------------------------


async def test_an_older_version_is_read_as_it_was(corridor, tokens):
    await opened(corridor, A="x", B="y")
    await corridor.approved("change", A="z", B=None)
    bearer = await of_machine(tokens)
    for number, values in (
        (1, {}),
        (2, {"A": b"x", "B": b"y"}),
        (3, {"A": b"z"}),
        (None, {"A": b"z"}),
        (2, {"A": b"x", "B": b"y"}),
    ):
        found = await corridor.environments.read_by_token(bearer, PROD, number)
        assert (shown(found), found.version) == (values, number or 3)
    before = await corridor.log.number()
    assert await refused(corridor.environments.read_by_token(bearer, PROD, 4)) == "no_version"
    assert await corridor.log.number() == before


async def test_an_older_version_that_was_altered_is_not_read(corridor, tokens):
    await opened(corridor, A="x")
    environment = await corridor.environments.find(PROD)
    key = corridor.keys.manifest(environment.id, 1)
    await corridor.redis.set(key, await corridor.redis.get(corridor.keys.manifest(environment.id, 2)))
    with pytest.raises(Unavailable) as refusal:
        await corridor.environments.read_by_token(await of_machine(tokens), PROD, 1)
    assert refusal.value.detail == "tampered"


async def test_a_genuine_older_version_of_another_past_is_not_read(corridor, tokens):
    await opened(corridor, A="x", B="y")
    await corridor.approved("change", A="z")
    await corridor.approved("change", B=None)
    bearer, environment = await of_machine(tokens), await corridor.environments.find(PROD)
    second = Manifest.from_json(await corridor.redis.get(corridor.keys.manifest(environment.id, 2)))
    key = await corridor.environments.key(environment.id, 1)
    forked = key.sign(second.successor({"A": second.entries["A"]}))
    genuine = await corridor.redis.getset(corridor.keys.manifest(environment.id, 3), forked.to_json())
    for number in (3, 2):  # it, and what only it leads to
        with pytest.raises(Unavailable) as refusal:
            await corridor.environments.read_by_token(bearer, PROD, number)
        assert refusal.value.detail == "tampered"
    await corridor.redis.set(corridor.keys.manifest(environment.id, 3), genuine)
    assert shown(await corridor.environments.read_by_token(bearer, PROD, 2)) == {"A": b"x", "B": b"y"}
    await corridor.redis.set(corridor.keys.manifest(environment.id, 3), forked.to_json())
    with pytest.raises(Unavailable):
        await corridor.environments.read_by_token(bearer, PROD, 3)


async def test_the_chain_to_an_older_version_is_looked_at_once(corridor, tokens):
    await opened(corridor, A="x")
    await corridor.approved("change", A="y")
    await corridor.approved("change", A="z")
    bearer, environment = await of_machine(tokens), await corridor.environments.find(PROD)
    await corridor.environments.read_by_token(bearer, PROD, 2)
    await corridor.redis.delete(corridor.keys.manifest(environment.id, 3))
    assert shown(await corridor.environments.read_by_token(bearer, PROD, 2)) == {"A": b"x"}
    with pytest.raises(Unavailable, match="Version 3, which follows version 2, is missing"):
        await corridor.another_environments().read_by_token(bearer, PROD, 2)


# -- what lies opened in memory ---------------------------------------------------------------------------------------


async def test_a_second_reading_needs_neither_ciphertext_nor_key_holders_and_is_decided_all_the_same(corridor, tokens):
    asked = await opened(corridor, A="x")
    environment, person = await corridor.environments.find(PROD), await of_person(tokens)
    await corridor.environments.read_by_token(person, PROD)
    await corridor.redis.delete(corridor.keys.entries(environment.id), corridor.keys.epoch(environment.id, 1))
    corridor.ring._kept.clear()
    corridor.environments._epochs.clear()
    before = await corridor.log.number()
    assert shown(await corridor.environments.read_by_token(person, PROD)) == {"A": b"x"}
    assert await corridor.log.number() == before + 1
    await corridor.do(asked, End(id="end", actor=REQ))
    assert await refused(corridor.environments.read_by_token(person, PROD)) == "no_grant"
    machine = await of_machine(tokens)
    corridor.environments.forget()
    with pytest.raises(Unavailable):
        await corridor.environments.read_by_token(machine, PROD)


@pytest.mark.parametrize("merged", [False, True])
async def test_what_is_wiped_between_asking_and_answering_is_fetched_again(corridor, tokens, merged):
    await opened(corridor, A="x")
    bearer, reading = await of_machine(tokens), corridor.environments._reading
    await corridor.environments.read_by_token(bearer, PROD)
    whole = reading._scripts.run

    async def run(*args: Any, **more: Any) -> Any:
        reply = await whole(*args, **more)
        if args[0] == "read":
            reading._scripts.run = whole
            reading.memory.clear()
            if merged:
                await corridor.approved("change", A="y")
        return reply

    reading._scripts.run = run
    if merged:
        with pytest.raises(Unavailable, match="Ask again"):
            await corridor.environments.read_by_token(bearer, PROD)
    else:
        assert shown(await corridor.environments.read_by_token(bearer, PROD)) == {"A": b"x"}


async def test_an_answer_is_of_one_version_also_where_another_is_opened_meanwhile(corridor, tokens):
    await opened(corridor, A="x")
    bearer, reading = await of_machine(tokens), corridor.environments._reading
    await corridor.environments.read_by_token(bearer, PROD)
    whole = reading._scripts.run

    async def run(*args: Any, **more: Any) -> Any:
        reply = await whole(*args, **more)
        if args[0] == "read":
            reading._scripts.run = whole
            await corridor.approved("change", A="y")
            assert shown(await corridor.environments.read_by_token(bearer, PROD)) == {"A": b"y"}
        return reply

    reading._scripts.run = run
    found = await corridor.environments.read_by_token(bearer, PROD)
    assert (found.version, shown(found)) == (2, {"A": b"x"})


async def test_a_version_that_was_merged_meanwhile_is_read_and_not_the_one_in_memory(corridor, tokens):
    await opened(corridor, A="x")
    bearer = await of_machine(tokens)
    await corridor.environments.read_by_token(bearer, PROD)
    await corridor.approved("change", A="y")
    assert shown(await corridor.environments.read_by_token(bearer, PROD)) == {"A": b"y"}


@pytest.mark.parametrize("projects", [True, False])
async def test_a_new_key_changes_nothing_of_what_is_read(corridor, tokens, projects):
    """Rotation signs the head again and wraps the data keys anew, also one that forgets what lies beside the head."""
    await opened(corridor, A="x")
    bearer = await of_machine(tokens)
    await corridor.environments.read_by_token(bearer, PROD)
    environment = await corridor.environments.find(PROD)
    head = await corridor.environments.head(environment.id)
    old = await corridor.environments.key(environment.id, 1)
    epoch, new = await corridor.ring.mint(environment.id, 2)
    held = head.entries["A"].entry_id
    entries = corridor.keys.entries(environment.id)
    sealed = type(new.seal("A", "0" * 24, Secret(b"")))
    entry = sealed.from_json(await corridor.redis.hget(entries, held))
    signed = new.sign(head)
    assert isinstance(epoch, Epoch)
    commit = Commit(corridor.keys, "rotate")
    version = int(await corridor.redis.hget(corridor.keys.head(environment.id), "version"))
    commit.set(corridor.keys.epoch(environment.id, 2), epoch.to_json())
    commit.fill(entries, {held: new.rewrap("A", entry, old).to_json()})
    fields = projection.head_fields(signed) if projects else {}
    commit.write(corridor.keys.head(environment.id), version, signed.to_json(), fields)
    assert (await commit.run(corridor.scripts, 0)).status == "ok"
    for _ in range(2):
        found = await corridor.environments.read_by_token(bearer, PROD)
        assert (shown(found), found.version) == ({"A": b"x"}, 2)
    lost = await corridor.another_environments().read_by_token(bearer, PROD)
    assert shown(lost) == {"A": b"x"}


async def test_a_redis_that_went_back_in_time_is_not_answered_from_memory(corridor, tokens):
    """The same number and the same version of the head, and another past: the MAC tells."""
    await opened(corridor, A="x")
    environment, bearer = await corridor.environments.find(PROD), await of_machine(tokens)
    head = corridor.keys.head(environment.id)
    before = await corridor.redis.hgetall(head)
    await corridor.approved("change", A="y")
    await corridor.environments.read_by_token(bearer, PROD)
    later = Manifest.from_json(await corridor.redis.hget(head, "body"))
    await corridor.redis.hset(head, mapping=before)
    await corridor.redis.delete(corridor.keys.manifest(environment.id, 3), corridor.keys.version(environment.id, 3))
    await corridor.approved("change", A="z")
    other = Manifest.from_json(await corridor.redis.hget(head, "body"))
    assert (other.number, text(await corridor.redis.hget(head, "version"))) == (later.number, "3")
    assert shown(await corridor.environments.read_by_token(bearer, PROD)) == {"A": b"z"}


def values(**given: bytes) -> dict[str, Value]:
    return {name: Value(Secret(value)) for name, value in given.items()}


def inside(sheaf: Sheaf) -> bytearray:
    held: bytearray = object.__getattribute__(sheaf, "_Sheaf__bytes")
    return held


async def test_what_is_dropped_is_zeroed():
    memory = Memory()
    sheaf = memory.keep("e", "m", values(A=b"secret", B=b"other"))
    held = inside(sheaf)
    assert bytes(held) == b"secretother"
    memory.clear()
    assert (bytes(held), memory.get("e", "m"), memory._bytes) == (bytes(11), None, 0)


async def test_what_was_cleared_is_not_told_to_be_there_when_it_is_opened_again():
    memory = Memory()
    memory.keep("e", "m", values(A=b"x"))
    memory.say_newest(PROD, "e 1 m")
    assert memory.head(PROD) == "e 1 m"
    memory.clear()
    memory.keep("e", "m", values(A=b"x"))
    assert memory.head(PROD) == ""


async def test_it_goes_by_itself_after_minutes(monkeypatch):
    memory, loop = Memory(), asyncio.get_running_loop()
    later: list[Any] = []
    monkeypatch.setattr(loop, "call_later", lambda after, call: later.append((after, call)))
    sheaf = memory.keep("e", "m", values(A=b"secret"))
    begun, held = loop.time(), inside(sheaf)
    ((after, drop),) = later
    assert 60 < after < 300
    monkeypatch.setattr(loop, "time", lambda: begun + after)
    assert memory.get("e", "m") is None
    drop()
    assert bytes(held) == bytes(6)


async def test_it_holds_no_more_than_it_may(monkeypatch):
    memory = Memory()
    for number in range(KEPT_VERSIONS + 9):
        memory.keep("e", str(number), values(A=b"x"))
        memory.say_newest(f"p/{number}", f"e 1 {number}")
    assert (len(memory._kept), len(memory._heads), memory._bytes) == (KEPT_VERSIONS, KEPT_VERSIONS, KEPT_VERSIONS)
    monkeypatch.setattr("store.redis.opened.KEPT_BYTES", 100)
    memory.keep("e", "large", values(A=bytes(60)))
    assert memory._bytes <= 100
    assert memory.get("e", "large") is not None
    too_large = memory.keep("e", "too large", values(A=bytes(101)))
    assert (len(too_large.values()["A"].secret or b""), memory.get("e", "too large")) == (101, None)
    assert KEPT_BYTES > 100


def test_values_in_memory_print_nothing():
    assert "secret" not in repr(Sheaf(values(A=b"secret")))
