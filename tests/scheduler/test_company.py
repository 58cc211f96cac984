import asyncio

import pytest

from scheduler.company import LOOKS, Company

NEVER_S = 3_600.0


async def out_and_back(company: Company, until: asyncio.Event) -> None:
    with company:
        await until.wait()
    await company.gathered()


def out(company: Company, count: int) -> tuple[list[asyncio.Event], list[asyncio.Task[None]]]:
    events = [asyncio.Event() for _ in range(count)]
    return events, [asyncio.create_task(out_and_back(company, until)) for until in events]


async def turns() -> None:
    """What is ready has had its turns."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_is_alone_waits_for_nobody():
    (until,), (task,) = out(Company(NEVER_S), 1)
    until.set()
    await turns()
    assert task.done()


async def test_who_comes_back_goes_on_with_the_last_one():
    events, tasks = out(Company(NEVER_S), 3)
    for until in events[:2]:
        await turns()
        until.set()
    await turns()
    assert [task.done() for task in tasks] == [False, False, False]
    events[2].set()
    await turns()
    assert [task.done() for task in tasks] == [True, True, True]


def time_is_over(company: Company) -> None:
    """Of the timer that runs, at once."""
    timer = company._timer
    assert timer is not None
    look, args = timer._callback, timer._args  # type: ignore[attr-defined]  # asyncio's own names
    timer.cancel()
    look(*args)


async def back(company: Company) -> asyncio.Task[None]:
    (until,), (task,) = out(company, 1)
    await turns()
    until.set()
    await turns()
    return task


async def test_who_is_back_waits_while_others_come_back_and_five_times_at_the_most():
    company = Company(NEVER_S)
    _, (away,) = out(company, 1)
    waiting = [await back(company)]
    for _ in range(LOOKS - 1):
        waiting.append(await back(company))
        time_is_over(company)
        await turns()
        assert not any(task.done() for task in waiting)
    waiting.append(await back(company))
    time_is_over(company)
    await turns()
    assert all(task.done() for task in waiting)
    away.cancel()


async def test_who_is_back_goes_on_when_nobody_has_come_back_for_a_while():
    company = Company(NEVER_S)
    _, (away,) = out(company, 1)
    alone = await back(company)
    time_is_over(company)
    await turns()
    assert alone.done()
    away.cancel()


async def test_nobody_waits_for_long_for_one_who_stays_out():
    company = Company(0.001)
    _, (away,) = out(company, 1)
    for _ in range(2):
        (until,), (task,) = out(company, 1)
        until.set()
        async with asyncio.timeout(1):
            await task
    away.cancel()
    with pytest.raises(asyncio.CancelledError):
        await away


async def test_one_who_is_cancelled_out_there_or_waiting_leaves_the_others_theirs():
    events, tasks = out(Company(NEVER_S), 4)
    await turns()
    for until in events[:2]:
        until.set()
    await turns()
    for task in (tasks[0], tasks[2]):
        task.cancel()
    await turns()
    events[3].set()
    async with asyncio.timeout(1):
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in ended] == [asyncio.CancelledError, type(None), asyncio.CancelledError, type(None)]
