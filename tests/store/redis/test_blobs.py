"""Blobs: a value that was sealed by itself is there for one person, one environment, one hour, and one request."""

import asyncio
import json
from typing import Any

import pytest

from store.model.blob import Pasted
from store.model.errors import Conflict, Invalid, NotFound, Unavailable
from store.model.identity import Target
from store.model.policy import HOUR
from store.model.secret import Secret
from tests.builders import ANA, REQ, edit
from tests.store.redis.corridor import Corridor

PROD = Target.parse("payments/prod")
CANARY = b"kanarienvogel-9"


async def sealed(corridor: Corridor, value: bytes = CANARY, user: str = REQ, **what: Any) -> str:
    environment = await corridor.environments.ensure("payments/prod")
    return (await corridor.blobs.put(environment, user, Secret(value), **what)).reference


async def asked(corridor: Corridor, *, command_id: str = "view:1", **values: Any) -> Any:
    wanted = {name: Pasted(reference) for name, reference in values.items()}
    return await corridor.asking().change(REQ, PROD, wanted, reason="why", ticket=None, command_id=command_id)


async def test_it_is_sealed_at_once_and_taken_by_the_request(corridor):
    reference = await sealed(corridor)
    assert reference.startswith("sealed:")
    assert CANARY not in repr(await corridor.dump()).encode()
    request = (await asked(corridor, A=reference)).request
    assert [touch.name for touch in request.payload.touches] == ["A"]
    assert CANARY not in repr(await corridor.dump()).encode()
    assert await corridor.redis.keys("*}:blob:*") == []
    [entry] = (await corridor.environments.pending(request)).values()
    key = await corridor.environments.key(request.environment_id, entry.epoch)
    assert key.open("A", entry).reveal() == CANARY
    assert (await corridor.events()).count("value.sealed") == 1


async def test_it_is_taken_once(corridor):
    reference = await sealed(corridor)
    await asked(corridor, A=reference)
    once = await asked(corridor, A=reference, command_id="view:1")  # the same form, delivered again
    assert (once.news, once.request.requester) == (False, REQ)
    with pytest.raises(NotFound, match="works once"):
        await asked(corridor, B=reference, command_id="view:2")


async def test_of_many_at_once_one_takes_it(corridor):
    reference = await sealed(corridor)
    answers = await asyncio.gather(
        *(asked(corridor, A=reference, command_id=f"view:{number}") for number in range(10)), return_exceptions=True
    )
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert all(isinstance(answer, Conflict | NotFound) for answer in answers if isinstance(answer, Exception))


async def test_a_form_that_is_refused_leaves_it(corridor):
    reference = await sealed(corridor)
    with pytest.raises(Invalid):
        await asked(corridor, **{"2B": reference})
    assert (await asked(corridor, A=reference)).news


async def test_for_an_hour(corridor):
    reference = await sealed(corridor)
    corridor.skew_ms += HOUR + 1_000
    with pytest.raises(NotFound, match="countersign seal payments/prod"):
        await asked(corridor, A=reference)


async def test_redis_drops_it_by_itself(corridor):
    await sealed(corridor)
    [key] = await corridor.redis.keys("*}:blob:*")
    assert 0 < await corridor.redis.pttl(key) <= HOUR


async def test_for_who_sealed_it(corridor):
    reference = await sealed(corridor, user=ANA)
    with pytest.raises(NotFound, match="only for who made it"):
        await asked(corridor, A=reference)


async def test_for_that_environment(corridor):
    staging = await corridor.environments.ensure("payments/staging")
    reference = await sealed(corridor)
    with pytest.raises(Invalid, match="was sealed for payments/prod"):
        await corridor.blobs.look(staging, REQ, reference, "A")


async def test_for_that_name_and_mode_where_it_has_one(corridor):
    reference = await sealed(corridor, name="tls/key.pem", mode=0o600)
    with pytest.raises(Invalid, match=r"sealed for the name tls/key\.pem"):
        await asked(corridor, A=reference)
    request = (await asked(corridor, **{"tls/key.pem": reference})).request
    assert request.payload.touches[0].entry.mode == 0o600


async def test_one_reference_is_one_name(corridor):
    reference = await sealed(corridor)
    with pytest.raises(Invalid, match="one name only"):
        await asked(corridor, A=reference, B=reference)


@pytest.mark.parametrize("change", [{"user": ANA}, {"name": "B"}, {"mode": 0o777}])
async def test_a_record_that_was_altered_opens_nothing(corridor, change):
    reference = await sealed(corridor, name="A")
    [key] = await corridor.redis.keys("*}:blob:*")
    body = json.loads(await corridor.redis.hget(key, "body"))
    await corridor.redis.hset(key, "body", json.dumps({**body, **change}, separators=(",", ":")))
    environment = await corridor.environments.ensure("payments/prod")
    with pytest.raises(Unavailable, match="cannot be trusted"):
        await corridor.blobs.look(environment, change.get("user", REQ), reference, change.get("name", "A"))


async def test_nobody_fills_the_store_with_them(corridor):
    for _ in range(4):
        await sealed(corridor, bytes(1024 * 1024), name="a.bin", mode=0o600)
    with pytest.raises(Conflict, match="4 values that you sealed wait"):
        await sealed(corridor)
    assert await sealed(corridor, user=ANA)
    corridor.skew_ms += HOUR + 1_000
    assert await sealed(corridor)


@pytest.mark.parametrize(
    ("value", "what"), [(bytes(65_537), {}), (bytes(1_048_577), {"name": "a", "mode": 0o600}), (b"x", {"name": "1A"})]
)
async def test_what_is_too_large_or_has_no_name(corridor, value, what):
    with pytest.raises(Invalid):
        await sealed(corridor, value, **what)


async def test_an_edit_takes_one_too(corridor):
    first = (await asked(corridor, A=await sealed(corridor))).request
    reference = await sealed(corridor, b"other")
    after = (await corridor.asking().edit(first, edit(first), {"B": Pasted(reference)}, ())).request
    assert [touch.name for touch in after.payload.touches] == ["A", "B"]
    assert (await corridor.asking().edit(first, edit(first), {"B": Pasted(reference)}, ())).news is False
    with pytest.raises(NotFound):
        await asked(corridor, C=reference, command_id="view:2")
