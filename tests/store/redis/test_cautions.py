"""Cautions: what is told of values that nobody sees, in memory only."""

from typing import Any

import pytest

from store.model.caution import Caution
from store.model.errors import Unavailable
from store.model.identity import Target
from store.model.request import Request
from store.model.secret import Secret
from store.redis import projection
from store.redis.cautions import KNOWN, Cautions
from store.redis.environments import Value
from tests.builders import REQ
from tests.store.redis.corridor import Corridor

PROD = Target.parse("payments/prod")
LONG = "kanarienvogel-15"


def cautions(corridor: Corridor) -> Cautions:
    return Cautions(corridor.environments, corridor.random)


async def asked(corridor: Corridor, **values: str | Value) -> Request:
    wanted = {
        name: value if isinstance(value, Value) else Value(Secret(value.encode())) for name, value in values.items()
    }
    outcome = await corridor.asking().change(
        REQ, PROD, wanted, reason="why", ticket=None, command_id=f"ask:{corridor.id()}"
    )
    assert outcome.request is not None
    return outcome.request


async def elsewhere(corridor: Corridor, target: str, **values: str) -> None:
    """Another environment that holds this already."""
    environment = await corridor.environments.ensure(target)
    sealing = await corridor.environments.seal(
        environment, {name: Value(Secret(value.encode())) for name, value in values.items()}
    )
    head = await corridor.environments.head(environment.id)
    held = {**head.entries, **{touch.name: touch.entry for touch in sealing.touches if touch.entry}}
    newest = await corridor.environments.sign(head.successor(held), head)
    for entry in sealing.entries:
        await corridor.redis.hset(corridor.keys.entries(environment.id), entry.entry_id, entry.to_json())
    await corridor.redis.hset(
        corridor.keys.head(environment.id),
        mapping={
            "body": newest.to_json(),
            **{name: str(value) for name, value in projection.head_fields(newest).items()},
        },
    )


async def test_what_is_worth_a_second_look(corridor):
    await corridor.approved("change", OLD="as-it-was", OTHER="x")
    request = await asked(corridor, OLD="as-it-was", OTHER="y", BARE="", SPACED="x ", FILE=Value(Secret(b"x\n"), 0o600))
    assert await cautions(corridor).of(request, ()) == (
        Caution("BARE", "empty"),
        Caution("OLD", "unchanged"),
        Caution("SPACED", "white_space"),
    )


async def test_the_same_value_as_in_another_environment_of_the_project(corridor):
    await elsewhere(corridor, "payments/staging", ONE=LONG, TWO=LONG, SHORT="true")
    request = await asked(corridor, A=LONG, B="something-else", SHORT="true")
    looking = cautions(corridor)
    same = (Caution("A", "same", "payments/staging", ("ONE", "TWO")),)
    assert await looking.of(request, ("payments/staging", "payments/none")) == same
    assert await looking.of(request, ("payments/staging",)) == same  # from memory
    await elsewhere(corridor, "payments/staging", THREE="something-else")
    assert await looking.of(request, ("payments/staging",)) == (
        *same,
        Caution("B", "same", "payments/staging", ("THREE",)),
    )


async def test_what_is_kept_in_memory_is_no_value_and_bounded(corridor):
    request, looking = await asked(corridor, A=LONG), cautions(corridor)
    for number in range(KNOWN + 5):
        await elsewhere(corridor, f"payments/e{number}", ONE=f"{LONG}-{number}")
        await looking.of(request, (f"payments/e{number}",))
    assert len(looking._known) == KNOWN
    assert LONG not in repr(vars(looking))


async def test_nothing_of_it_is_stored(corridor):
    await elsewhere(corridor, "payments/staging", ONE=LONG)
    request = await asked(corridor, A=LONG, B="")
    before = await corridor.dump()
    await cautions(corridor).of(request, ("payments/staging",))
    assert await corridor.dump() == before


async def test_without_a_key_holder_it_is_said_and_nothing_else(corridor):
    request = await asked(corridor, A=LONG)

    async def away(*_: Any) -> Any:
        raise Unavailable("No key holder answers.", code="keys_missing")

    corridor.environments._ring.open = away
    with pytest.raises(Unavailable):
        await cautions(corridor).of(request, ())


async def test_of_anything_but_a_change_there_is_nothing_to_say(corridor):
    assert await cautions(corridor).of(await corridor.ask(), ()) == ()
