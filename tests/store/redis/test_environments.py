"""Environments: one for each name, versions that follow, and one way out for values."""

import asyncio
import base64
import json
from typing import Any

import pytest

from store.model.command import Activate, End, Withdraw
from store.model.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.policy import HOUR
from store.model.request import Request
from store.model.sealed import Manifest
from store.model.secret import Secret
from store.redis.environments import Value
from tests.builders import ANA, BEN, BOB, NOW, REQ, approve
from tests.store.redis.corridor import Corridor, Gate, command_for


async def opened(corridor: Corridor, **values: Any) -> Request:
    """An active grant, over these values."""
    if values:
        assert (await corridor.approved("change", **values)).state == "merged"
    asked = await corridor.approved("open")
    return await corridor.do(asked, Activate(id=f"activate:{asked.id}", actor=REQ))


def shown(opened) -> dict[str, bytes]:
    return {name: value.secret.reveal() for name, value in opened.values.items()}


async def test_twenty_at_once_make_one_environment(corridor):
    corridor.scripts.gate = Gate(20)
    places = [corridor.another_environments() for _ in range(20)]
    made = await asyncio.gather(*(place.ensure("payments/prod") for place in places))
    assert len({environment.id for environment in made}) == 1
    assert await corridor.environments.find("payments/prod") == made[0]
    assert (await corridor.events()).count("environment.created") == 1
    assert len(await corridor.redis.keys("*head:*")) == 1
    assert (await corridor.environments.head(made[0].id)).entries == {}


async def test_from_sealing_to_reading(corridor):
    asked = await opened(corridor, A="x", B="y\n")
    found = await corridor.environments.read(asked.id, REQ)
    assert (found.version, shown(found)) == (2, {"A": b"x", "B": b"y\n"})
    await corridor.approved("change", A="z", B=None, C="new")
    found = await corridor.another_environments().read(asked.id, REQ)
    assert (found.version, shown(found)) == (3, {"A": b"z", "C": b"new"})


async def test_what_a_change_does_is_told_in_words(corridor):
    await corridor.approved("change", A="x", B="y", C="z")
    _, sealing = await corridor.seal(A="x", B="other", C=None, D="d")
    assert {touch.name: touch.word for touch in sealing.touches} == {
        "A": "unchanged",
        "B": "changed",
        "C": "removed",
        "D": "new",
    }
    assert all(touch.base for touch in sealing.touches if touch.name != "D")
    assert len(sealing.entries) == 3


@pytest.mark.parametrize(
    ("values", "error"),
    [({"GONE": None}, NotFound), ({"1A": "x"}, Invalid), ({"A": "x" * 65_537}, Invalid), ({"A B": "x"}, Invalid)],
)
async def test_what_cannot_be_sealed_is_refused(corridor, values, error):
    with pytest.raises(error):
        await corridor.seal(**values)


async def test_a_file_keeps_its_mode(corridor):
    environment = await corridor.environments.ensure("payments/prod")
    sealing = await corridor.environments.seal(environment, {"tls/key.pem": Value(Secret(b"pem"), 0o600)})
    assert sealing.touches[0].entry is not None
    assert sealing.touches[0].entry.mode == 0o600


# -- who reads, and until when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_ms", [-1, 0, 1])
async def test_values_leave_until_the_lease_ends_and_not_at_that_moment(corridor, by_ms):
    asked = await opened(corridor, A="x")
    assert asked.lease is not None
    corridor.skew_ms = asked.lease.until_ms - NOW + by_ms
    before = await corridor.dump()
    if by_ms < 0:
        assert shown(await corridor.environments.read(asked.id, REQ)) == {"A": b"x"}
        return
    with pytest.raises(Conflict, match="over"):
        await corridor.environments.read(asked.id, REQ)
    assert await corridor.dump() == before  # nothing was read, and nothing is said to have been


@pytest.mark.parametrize("reader", [ANA, BOB, BEN, "UOWNER", "clock", ""])
async def test_nobody_else_reads(corridor, reader):
    asked = await opened(corridor, A="x")
    with pytest.raises(Forbidden):
        await corridor.environments.read(asked.id, reader)


async def test_only_an_active_grant_reads(corridor):
    pending = await corridor.ask()
    approved = await corridor.approved()
    ended = await opened(corridor)
    await corridor.do(ended, End(id="e", actor=REQ))
    withdrawn = await corridor.ask()
    await corridor.do(withdrawn, Withdraw(id="w", actor=REQ))
    for asked, says in ((pending, "not approved"), (approved, "Activate it"), (ended, "over"), (withdrawn, "over")):
        with pytest.raises(Conflict, match=says):
            await corridor.environments.read(asked.id, REQ)


@pytest.mark.parametrize("kind", ["access", "change"])
async def test_no_other_kind_of_request_reads(corridor, kind):
    asked = await corridor.approved(kind, A="x") if kind == "change" else await corridor.approved(kind)
    if kind == "access":
        await corridor.do(asked, Activate(id="a", actor=REQ))
    for request_id in (asked.id, "REQVEST999"):
        with pytest.raises(NotFound):
            await corridor.environments.read(request_id, REQ)


async def test_each_reading_is_written_down_in_the_step_that_reads(corridor):
    asked = await opened(corridor, A="x")
    corridor.skew_ms += 1_234
    before = await corridor.log.number()
    await corridor.environments.read(asked.id, REQ)
    ((number, entry),) = await corridor.log.after(before, most=9)
    assert number == before + 1
    assert (entry.event, entry.actor, entry.request, entry.at_ms) == ("secrets.read", REQ, asked.id, NOW + 1_234)


async def test_reading_does_not_activate(corridor):
    approved = await corridor.approved()
    with pytest.raises(Conflict):
        await corridor.environments.read(approved.id, REQ)
    assert await corridor.state(approved) == "approved"


async def test_a_machine_reads_one_name_and_that_is_written_down(corridor):
    await corridor.approved("change", TOKEN="t", A="x")
    secret = await corridor.environments.machine_read("payments/prod", "TOKEN", purpose="okta")
    assert secret.reveal() == b"t"
    assert (await corridor.events())[-1] == "secrets.used"
    for target, name in (("payments/prod", "NONE"), ("payments/none", "TOKEN")):
        with pytest.raises(NotFound):
            await corridor.environments.machine_read(target, name, purpose="okta")


# -- versions ---------------------------------------------------------------------------------------------------------


async def test_versions_follow_each_other_and_stay(corridor):
    for value in ("x", "y", "z"):
        await corridor.approved("change", A=value)
    environment = await corridor.environments.find("payments/prod")
    bodies = [await corridor.redis.get(corridor.keys.manifest(environment.id, number)) for number in range(1, 5)]
    versions = [Manifest.from_json(body) for body in bodies]
    assert all(later.follows(earlier) for earlier, later in zip([None, *versions], versions, strict=False))
    assert await corridor.environments.head(environment.id) == versions[-1]
    assert await corridor.redis.hlen(corridor.keys.entries(environment.id)) == 3


async def test_those_that_touch_the_same_name_are_overtaken_in_the_same_commit(corridor):
    first = await corridor.ask("change", A="x")
    same, other = await corridor.ask("change", A="y"), await corridor.ask("change", B="y")
    for user in (ANA, BOB):
        await corridor.do(first, command_for(first, approve, user))
    assert [await corridor.state(asked) for asked in (first, same, other)] == ["merged", "stale", "pending"]
    with pytest.raises(Conflict, match="changed by somebody else"):
        await corridor.apply(same, approve(same, ANA))


async def test_a_hook_has_a_secret_of_its_own_that_stays(corridor):
    environment = await corridor.environments.ensure("payments/prod")
    api = await corridor.environments.signing_secret(environment, "api")
    assert len(base64.b64decode(api.reveal().removeprefix(b"whsec_"), validate=True)) == 24
    assert await corridor.another_environments().signing_secret(environment, "api") == api
    assert await corridor.environments.signing_secret(environment, "web") != api


# -- altered in Redis -------------------------------------------------------------------------------------------------


def edited(body: bytes, **changed) -> str:
    return json.dumps({**json.loads(body), **changed}, separators=(",", ":"))


async def tamper(corridor, what: str, asked) -> None:
    """Two values lie there, A and B."""
    redis, keys = corridor.redis, corridor.keys
    environment = await corridor.environments.find("payments/prod")
    head, entries = keys.head(environment.id), keys.entries(environment.id)
    body = await redis.hget(head, "body")
    held = json.loads(body)["entries"]
    a, b = held["A"]["entry_id"], held["B"]["entry_id"]
    sealed_a, sealed_b = await redis.hget(entries, a), await redis.hget(entries, b)
    match what:
        case "names swapped in the head":
            await redis.hset(head, "body", edited(body, entries={"A": held["B"], "B": held["A"]}))
        case "a name dropped from the head":
            await redis.hset(head, "body", edited(body, entries={"A": held["A"]}))
        case "a name added to the head":
            await redis.hset(head, "body", edited(body, entries={**held, "C": held["A"]}))
        case "another number":
            await redis.hset(head, "body", edited(body, number=9))
        case "another environment":
            await redis.hset(head, "body", edited(body, environment_id="0" * 24))
        case "no seal":
            await redis.hset(head, "body", edited(body, mac="0" * 64))
        case "the head of another environment":
            other = await corridor.environments.ensure("payments/staging")
            await redis.hset(head, "body", await redis.hget(keys.head(other.id), "body"))
        case "entries swapped":
            await redis.hset(entries, mapping={a: sealed_b, b: sealed_a})
        case "ids swapped":
            for one, its, sealed in ((a, b, sealed_b), (b, a, sealed_a)):
                assert its != one
                await redis.hset(entries, one, edited(sealed, entry_id=one))
        case "an older value under its own id":
            older = json.loads(sealed_b)
            await redis.hset(entries, a, edited(sealed_a, ciphertext=older["ciphertext"], wrap=older["wrap"]))
        case "another sealing under its own id":
            key = await corridor.environments.key(environment.id, 1)
            await redis.hset(entries, a, key.seal("A", a, Secret(b"evil")).to_json())
        case "another wrap":
            await redis.hset(entries, a, edited(sealed_a, wrap=json.loads(sealed_b)["wrap"]))
        case _:
            raise AssertionError(what)


ALTERED_HEADS = [
    "names swapped in the head", "a name dropped from the head", "a name added to the head", "another number",
    "another environment", "no seal", "the head of another environment",
]  # fmt: skip
ALTERED_ENTRIES = [
    "entries swapped",
    "ids swapped",
    "an older value under its own id",
    "another sealing under its own id",
    "another wrap",
]


@pytest.mark.parametrize("what", ALTERED_HEADS + ALTERED_ENTRIES)
async def test_what_was_altered_is_not_read(corridor, what):
    asked = await opened(corridor, A="x", B="y")
    await tamper(corridor, what, asked)
    with pytest.raises(Unavailable) as refusal:
        await corridor.another_environments().read(asked.id, REQ)
    assert refusal.value.detail in ("tampered", "keys_missing")
    assert not (what != "another environment" and refusal.value.detail != "tampered")


@pytest.mark.parametrize("what", ALTERED_HEADS)
async def test_nothing_is_built_on_a_version_that_was_altered(corridor, what):
    asked = await opened(corridor, A="x", B="y")
    change = await corridor.ask("change", D="z")
    await corridor.do(change, command_for(change, approve, ANA))
    await tamper(corridor, what, asked)
    head = corridor.keys.head(change.payload.environment_id)
    before = await corridor.redis.hgetall(head)
    with pytest.raises(Unavailable):
        await corridor.apply(change, command_for(change, approve, BOB))
    assert await corridor.redis.hgetall(head) == before
    assert await corridor.state(change) == "pending"


async def test_a_value_that_is_gone_is_said_to_be_gone(corridor):
    asked = await opened(corridor, A="x")
    environment = await corridor.environments.find("payments/prod")
    await corridor.redis.delete(corridor.keys.entries(environment.id))
    with pytest.raises(Unavailable, match="missing"):
        await corridor.environments.read(asked.id, REQ)


async def test_a_lease_is_not_longer_for_a_moved_clock(corridor):
    asked = await opened(corridor, A="x")
    corridor.skew_ms += HOUR // 2
    assert shown(await corridor.environments.read(asked.id, REQ)) == {"A": b"x"}
    corridor.skew_ms += HOUR // 2
    with pytest.raises(Conflict):
        await corridor.environments.read(asked.id, REQ)
