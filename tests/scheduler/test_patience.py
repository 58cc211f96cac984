import asyncio

import pytest

from scheduler.patience import Patience


async def held(patience: Patience) -> None:
    with patience:
        await asyncio.Event().wait()


async def test_each_has_its_time_also_who_begins_when_the_others_is_over():
    patience = Patience(0.01)
    for _ in range(2):
        ended = await asyncio.gather(held(patience), held(patience), return_exceptions=True)
        assert [type(each) for each in ended] == [TimeoutError, TimeoutError]


async def test_who_begins_later_ends_later():
    patience, loop, first = Patience(0.02), asyncio.get_running_loop(), asyncio.Event()
    ends: list[tuple[str, float]] = []

    async def timed(name: str) -> None:
        begun_s = loop.time()
        with pytest.raises(TimeoutError):
            await held(patience)
        ends.append((name, loop.time() - begun_s))

    async def later() -> None:
        await first.wait()
        await timed("later")

    loop.call_later(0.01, first.set)
    await asyncio.gather(timed("first"), later())
    assert [name for name, _ in ends] == ["first", "later"]
    assert all(took_s >= 0.019 for _, took_s in ends)


async def test_who_is_done_in_time_is_left_alone_from_then_on():
    patience, loop, over = Patience(0.0), asyncio.get_running_loop(), asyncio.Event()
    with patience:
        pass
    loop.call_later(0.001, over.set)
    await over.wait()


async def test_who_is_cancelled_by_somebody_else_in_that_very_moment_is_cancelled():
    patience, loop = Patience(0.0), asyncio.get_running_loop()

    async def both() -> None:
        with patience:
            loop.call_later(0, task.cancel)
            await asyncio.Event().wait()

    task = asyncio.create_task(both())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_fault_at_the_last_moment_is_what_it_is():
    patience = Patience(0.0)

    async def trips() -> None:
        with patience:
            try:
                await asyncio.Event().wait()
            finally:
                raise ZeroDivisionError

    task = asyncio.create_task(trips())
    with pytest.raises(ZeroDivisionError):
        await task
    assert task.cancelling() == 0
