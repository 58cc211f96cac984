"""Uses: the last one of each token, to the minute, and nobody waits for it."""

import pytest

from store.model.token import Bearer, Use
from store.redis import uses as module
from store.redis.uses import MINUTE_MS, Uses
from tests.builders import NOW

SHOWN = Bearer("7Q2M4XK9TB", "person", "0" * 64)


@pytest.fixture
def uses(corridor) -> Uses:
    return Uses(corridor.redis, corridor.keys, lambda: corridor.now_ms)


async def last(uses: Uses) -> Use | None:
    await uses.drain()
    return (await uses.of([SHOWN.id, "0000000000"])).get(SHOWN.id)


async def test_the_last_one_is_known_to_the_minute(corridor, uses):
    assert await last(uses) is None
    uses.note(SHOWN, "192.0.2.7")
    assert await last(uses) == Use(NOW, "192.0.2.7")
    corridor.skew_ms += MINUTE_MS - 1
    uses.note(SHOWN, "192.0.2.8")
    assert await last(uses) == Use(NOW, "192.0.2.7")
    corridor.skew_ms += 1
    uses.note(SHOWN, "192.0.2.8")
    assert await last(uses) == Use(NOW + MINUTE_MS, "192.0.2.8")


async def test_a_thousand_calls_in_a_minute_write_once(uses):
    for _ in range(1_000):
        uses.note(SHOWN, "192.0.2.7")
    assert len(uses._writing) == 1
    await uses.drain()


async def test_a_redis_that_does_not_answer_keeps_nobody_waiting(corridor, uses, monkeypatch):
    async def silent(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(corridor.redis, "set", silent)
    uses.note(SHOWN, "192.0.2.7")
    assert await last(uses) is None


async def test_what_is_remembered_is_bounded(uses, monkeypatch):
    monkeypatch.setattr(module, "KNOWN_MOST", 3)
    for place in range(10):
        uses.note(Bearer(f"{place:010}", "person", "0" * 64), "192.0.2.7")
    assert len(uses._noted) <= 3
    await uses.drain()


async def test_it_goes_by_itself(corridor, uses):
    uses.note(SHOWN, "192.0.2.7")
    await uses.drain()
    assert 0 < await corridor.redis.pttl(corridor.keys.used(SHOWN.id)) <= module.KEPT_MS["person"]
