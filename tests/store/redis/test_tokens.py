"""Tokens in Redis: known by a hash, over at their end, and ended by whoever may, one or all at once."""

import asyncio
from typing import Any

import pytest

from store.model.errors import Conflict, Forbidden
from store.model.token import Bearer
from store.redis.audit import AuditLog
from store.redis.tokens import Tokens
from tests.builders import ANA, BOB, NOW
from tests.store.redis.corridor import Corridor
from tests.tokens import MINUTE_MS, machine_token, person_token


@pytest.fixture
def tokens(corridor: Corridor) -> Tokens:
    return Tokens(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)


async def bearer(tokens: Tokens, **changed: Any) -> Bearer:
    return Bearer.read(await person_token(tokens, ANA, NOW, **changed))


async def dead(tokens: Tokens, shown: Bearer, at_ms: int = NOW) -> None:
    with pytest.raises(Forbidden) as refused:
        await tokens.show(shown, at_ms)
    assert refused.value.detail == "bad_token"


async def test_what_is_shown_is_whose_it_is(tokens):
    token = await tokens.show(await bearer(tokens), NOW)
    assert (token.actor, token.name, token.kind) == (ANA, "laptop", "person")


async def test_only_a_hash_lies_in_redis(corridor, tokens):
    shown = await person_token(tokens, ANA, NOW)
    secret = shown.split("_", 2)[2].encode()
    for key in await corridor.redis.keys("*"):
        kind = await corridor.redis.type(key)
        found = await corridor.redis.hgetall(key) if kind == b"hash" else await corridor.redis.dump(key)
        assert secret not in repr(found).encode(), key


async def test_it_is_over_to_the_millisecond(tokens):
    shown = await bearer(tokens, expires_ms=NOW + MINUTE_MS)
    assert await tokens.show(shown, NOW + MINUTE_MS - 1)
    await dead(tokens, shown, NOW + MINUTE_MS)


@pytest.mark.parametrize("change", ["secret", "kind", "id"])
async def test_what_only_looks_like_it_is_nobody(tokens, change):
    shown = await person_token(tokens, ANA, NOW)
    prefix, identity, secret = shown.split("_", 2)
    other = {
        "secret": f"{prefix}_{identity}_{'A' * 43}",
        "kind": f"csm_{identity}_{secret}",
        "id": f"{prefix}_{'0' * 10}_{secret}",
    }
    await dead(tokens, Bearer.read(other[change]))


async def test_what_is_revoked_is_over_at_once_and_revoking_again_is_the_same(corridor, tokens):
    shown = await bearer(tokens)
    first = await tokens.revoke(shown.id, ANA, "revoke:1")
    await dead(tokens, shown)
    assert await tokens.revoke(shown.id, ANA, "revoke:2") == first
    assert await tokens.of(ANA) == []
    events = [entry.event for _, entry in await AuditLog(corridor.redis, corridor.keys).newest(most=9)]
    assert events.count("token.revoked") == 1


async def test_many_who_revoke_at_once_revoke_once(corridor, tokens):
    shown = await bearer(tokens)
    await asyncio.gather(*(tokens.revoke(shown.id, ANA, f"revoke:{one}") for one in range(10)))
    events = [entry.event for _, entry in await AuditLog(corridor.redis, corridor.keys).newest(most=20)]
    assert events.count("token.revoked") == 1


async def test_nobody_revokes_what_is_not_there(tokens):
    with pytest.raises(Forbidden):
        await tokens.revoke("0000000000", ANA, "revoke:1")


async def test_signing_out_everywhere_ends_what_is_not_even_listed(corridor, tokens):
    mine, theirs = await bearer(tokens), Bearer.read(await person_token(tokens, BOB, NOW))
    unlisted = await bearer(tokens)
    await corridor.redis.zrem(corridor.keys.index(f"tokens:{ANA}"), unlisted.id)
    assert await tokens.end_all(ANA, ANA, "all:1", "asked") is True
    assert await tokens.end_all(ANA, ANA, "all:1", "asked") is False
    for shown in (mine, unlisted):
        await dead(tokens, shown)
    assert await tokens.of(ANA) == []
    assert (await tokens.show(theirs, NOW)).holder == BOB
    assert await tokens.epoch(ANA) == 1
    assert (await tokens.show(await bearer(tokens), NOW)).epoch == 1  # logged in anew


async def test_a_machine_goes_on_when_who_asked_for_it_signs_out(tokens):
    shown = Bearer.read(await machine_token(tokens, NOW, owner=ANA))
    await tokens.end_all(ANA, ANA, "all:1", "asked")
    token = await tokens.show(shown, NOW)
    assert token.actor == f"machine:{token.id}"
    assert (token.may("read", "payments/prod"), token.may("deploy", "payments/prod")) == (True, False)
    assert token.may("read", "payments/dev") is False
    assert [one.id for one in await tokens.machines()] == [token.id]
    assert await tokens.of(ANA) == []
    await tokens.revoke(token.id, BOB, "revoke:1")
    await dead(tokens, shown)


async def test_a_person_may_nothing_as_a_machine_does(tokens):
    token = await tokens.show(await bearer(tokens, targets=("payments/prod",), actions=("read",)), NOW)
    assert token.may("read", "payments/prod") is False


async def test_two_writers_of_one_version_are_one_too_many(tokens):
    shown = await bearer(tokens)
    token, version = await tokens.find(shown.id)
    assert token is not None
    await tokens.put(token.model_copy(update={"name": "one"}), version, "put:1", [])
    with pytest.raises(Conflict):
        await tokens.put(token.model_copy(update={"name": "two"}), version, "put:2", [])
    kept, _ = await tokens.find(shown.id)
    assert kept is not None
    assert kept.name == "one"


async def test_a_record_goes_some_time_after_its_end(corridor, tokens):
    shown = await bearer(tokens)
    left = await corridor.redis.pttl(corridor.keys.token(shown.id))
    assert 12 * 60 * MINUTE_MS < left <= 36 * 60 * MINUTE_MS


async def test_what_is_lent_to_a_deploy_is_no_machine_that_owners_look_after(corridor, tokens):
    lent: dict[str, Any] = {"deploy": "REQVEST001", "version": 3, "expires_ms": NOW + 30 * MINUTE_MS}
    token = await tokens.show(Bearer.read(await machine_token(tokens, NOW, **lent)), NOW)
    assert await tokens.machines() == []
    assert [each.id for each in await tokens.of("deploy:REQVEST001")] == [token.id]
    assert await tokens.expiring(token.expires_ms, most=10) == []
    assert await corridor.redis.pttl(corridor.keys.index("tokens:deploy:REQVEST001")) > 0
