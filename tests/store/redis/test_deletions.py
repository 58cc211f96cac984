"""Deletions: what the policies do not name any more can be forgotten by an owner, all of it, and its id for ever."""

import pytest

from store.model.command import End
from store.model.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.identity import Target
from store.model.token import Bearer
from store.redis.clock import now_ms
from store.redis.deletions import Deletions
from store.redis.tokens import Tokens
from tests.builders import ANA, OWNER, REQ
from tests.store.redis.corridor import Corridor, Gate
from tests.store.redis.test_environments import opened
from tests.tokens import machine_token

PROD = Target.parse("payments/prod")
CANARY = "kanarienvogel-30"


def deletions(corridor: Corridor) -> Deletions:
    return Deletions(
        corridor.redis,
        corridor.keys,
        corridor.scripts,
        corridor.policies,
        corridor.requests,
        tokens(corridor),
        corridor.crowd,
        corridor.skew,
    )


def tokens(corridor: Corridor) -> Tokens:
    return Tokens(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)


async def gone(corridor: Corridor) -> None:
    """The policies do not name it any more."""
    await corridor.enact(targets={})


async def deleted(
    corridor: Corridor, user: str = OWNER, *, seen: int = 2, target: Target = PROD, command_id: str = "d:1"
) -> str:
    return await deletions(corridor).delete(user, target, seen=seen, reason="moved away", command_id=command_id)


async def test_all_of_it_goes_and_a_tombstone_stays(corridor):
    await corridor.approved("change", A=CANARY)
    environment = await corridor.environments.find("payments/prod")
    await corridor.environments.signing_secret(environment, "api")
    await gone(corridor)
    assert "is deleted" in await deleted(corridor)
    assert await corridor.environments.find("payments/prod") is None
    left = [key.decode().removeprefix(corridor.keys.prefix) for key in await corridor.redis.keys(f"*{environment.id}*")]
    assert {key.partition(":")[0] for key in left} == {"tombstone", "command", "index", "effect"}
    assert await corridor.redis.zrange(corridor.keys.index("environments"), 0, -1) == []
    stone = await corridor.versions.buried("payments/prod")
    assert stone is not None
    assert await corridor.versions.buried("payments/staging") is None
    assert (stone.id, stone.target, stone.by, stone.version, stone.reason) == (
        environment.id, "payments/prod", OWNER, 2, "moved away",
    )  # fmt: skip
    assert (await corridor.events()).count("environment.deleted") == 1
    with pytest.raises(NotFound):
        await corridor.environments.head(environment.id)


async def test_twice_is_once(corridor):
    await corridor.approved("change", A="x")
    await gone(corridor)
    first = await deleted(corridor)
    assert await deleted(corridor) == first
    with pytest.raises(NotFound, match="deleted already"):
        await deleted(corridor, command_id="d:2")


async def test_the_name_may_be_used_again_and_the_id_not(corridor):
    await corridor.approved("change", A="x")
    old = await corridor.environments.find("payments/prod")
    await gone(corridor)
    await deleted(corridor)
    await corridor.enact()
    corridor.environments._mint = lambda: old.id  # what no randomness does
    await corridor.redis.delete(corridor.keys.command(f"environment:{old.id}"))  # after a day
    with pytest.raises(Unavailable):
        await corridor.environments.ensure("payments/prod")
    del corridor.environments._mint
    new = await corridor.environments.ensure("payments/prod")
    assert new.id != old.id
    assert (await corridor.environments.head(new.id)).entries == {}


@pytest.mark.parametrize("user", [REQ, ANA])
async def test_only_an_owner(corridor, user):
    await corridor.approved("change", A="x")
    await gone(corridor)
    with pytest.raises(Forbidden, match="Only an owner"):
        await deleted(corridor, user)
    assert (await corridor.events())[-1] == "attempt.refused"
    assert await corridor.environments.find("payments/prod")


async def test_not_while_the_policies_name_it(corridor):
    await corridor.approved("change", A="x")
    with pytest.raises(Conflict, match="stands in the policies"):
        await deleted(corridor)


async def test_not_while_somebody_holds_it(corridor):
    asked = await opened(corridor, A="x")
    await gone(corridor)
    with pytest.raises(Conflict, match=f"Request {asked.id} still gives access"):
        await deleted(corridor)
    await corridor.do(asked, End(id="end", actor=REQ))
    assert await deleted(corridor)


async def test_not_while_a_machine_may_read_what_is_called_so(corridor):
    """Its token names the environment, and would open another one that is called so later."""
    await corridor.approved("change", A="x")
    await gone(corridor)
    now = await now_ms(corridor.redis, corridor.skew)
    bearer = Bearer.read(await machine_token(tokens(corridor), now))
    with pytest.raises(Conflict, match="The machine ci may still read payments/prod"):
        await deleted(corridor)
    await tokens(corridor).revoke(bearer.id, OWNER, "revoke")
    await machine_token(tokens(corridor), now, targets=("payments/staging",))
    assert await deleted(corridor)


async def test_not_what_the_owner_has_not_seen(corridor):
    await corridor.approved("change", A="x")
    await corridor.approved("change", A="y")
    await gone(corridor)
    with pytest.raises(Conflict, match="has version 3 by now"):
        await deleted(corridor, seen=2)


async def test_not_where_the_policies_name_it_again_meanwhile(corridor):
    await corridor.approved("change", A="x")
    await gone(corridor)
    gate = Gate(1, at_the_end=lambda: _named_again(corridor))
    corridor.scripts.gate = gate
    with pytest.raises(Conflict, match="changed meanwhile"):
        await deleted(corridor)
    assert await corridor.environments.find("payments/prod")


async def _named_again(corridor: Corridor) -> None:
    gate, corridor.scripts.gate = corridor.scripts.gate, None
    await corridor.enact()
    corridor.scripts.gate = gate


async def test_only_environments(corridor):
    with pytest.raises(Invalid, match="not an environment"):
        await deleted(corridor, target=Target.parse("role:aws-admin"))
