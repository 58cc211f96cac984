"""What an older program wrote can be read and used, once a newer one has started on it."""

import pytest

from store.model.command import Activate
from store.model.errors import NotFound
from store.redis.commit import text
from store.redis.older import Older
from tests.builders import REQ
from tests.store.redis.corridor import Corridor, Gate


async def aged(corridor: Corridor) -> str:
    """A grant that runs, and its environment, without what was added beside their bodies."""
    merged = await corridor.approved("change", A="one")
    opened = await corridor.approved("open")
    await corridor.do(opened, Activate(id="a", actor=REQ))
    redis, keys = corridor.redis, corridor.keys
    environment = await corridor.environments.ensure("payments/prod")
    assert merged.merged == 2
    await redis.hdel(keys.environment("payments/prod"), "id")
    await redis.hdel(keys.head(environment.id), "number", "mac")
    await redis.hdel(keys.request(opened.id), "target")
    await redis.delete(keys.index("environments"), keys.index(f"reads:{REQ}:payments/prod"))
    return opened.id


async def test_what_an_older_program_wrote_is_read_again(corridor):
    opened = await aged(corridor)
    older = Older(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)
    before = await corridor.dump()
    assert await older.mend(["payments/prod", "payments/never"]) == 2
    values = (await corridor.environments.read(opened, REQ)).values
    assert {name: value.secret.reveal() for name, value in values.items() if value.secret} == {"A": b"one"}
    after = await corridor.dump()
    bodies = [key for key, found in before.items() if isinstance(found, dict) and b"body" in found]
    assert all(before[key][b"body"] == after[key][b"body"] for key in bodies)
    assert [text(member) for member in await corridor.redis.zrange(corridor.keys.index("environments"), 0, -1)] == [
        "payments/prod"
    ]
    assert await corridor.redis.zcard(corridor.keys.index(f"reads:{REQ}:payments/prod")) == 1
    assert await older.mend(["payments/prod"]) == 0


async def test_without_that_it_could_not(corridor):
    opened = await aged(corridor)
    with pytest.raises(NotFound):
        await corridor.environments.read(opened, REQ)


async def test_what_another_process_mends_meanwhile_is_left_as_it_is(corridor):
    opened = await aged(corridor)
    older = Older(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)

    async def overtake() -> None:
        corridor.scripts.gate = None
        assert await Older(corridor.redis, corridor.keys, corridor.scripts, corridor.skew).mend(["payments/prod"]) == 2
        await corridor.approved("change", A="two")

    corridor.scripts.gate = Gate(1, overtake)
    assert await older.mend(["payments/prod"]) == 0
    values = (await corridor.environments.read(opened, REQ)).values
    assert {name: value.secret.reveal() for name, value in values.items() if value.secret} == {"A": b"two"}
