"""Using: a signal that comes while something is waited for is heard, whenever it comes."""

import asyncio
import signal

import pytest

from bot.cli.running.signals import Came, Queue
from bot.cli.using import Interrupted, unless_told

CTRL_C = Came(signal.SIGINT, by_key=True)


async def test_a_signal_ends_what_is_waited_for():
    signals: Queue = asyncio.Queue()
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(unless_told(signals, forever()))
    await asyncio.sleep(0)
    signals.put_nowait(CTRL_C)
    with pytest.raises(Interrupted):
        await waiting
    assert ended.is_set()


async def test_one_that_comes_in_the_very_turn_in_which_the_wait_is_over_ends_the_next_wait():
    signals: Queue = asyncio.Queue()

    async def soon() -> str:
        await asyncio.sleep(0)
        signals.put_nowait(CTRL_C)
        await asyncio.sleep(0)
        return "done"

    assert await unless_told(signals, soon()) == "done"
    with pytest.raises(Interrupted):
        async with asyncio.timeout(5):
            await unless_told(signals, asyncio.Event().wait())
