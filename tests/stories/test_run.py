"""`countersign run` as somebody at a terminal uses it: the very command, against the very program."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from playground import seed
from playground.house import House
from store.model.policy import HOUR, MINUTE
from tests.stories.people import card, press, says
from tests.tokens import machine_token, person_token

ROOT = Path(__file__).parents[2]
SOON_S = 30.0
URL = seed.SECRETS["payments/prod"]["DATABASE_URL"]


@dataclass
class Typed:
    """A command that runs: what it has said so far, and what it comes to."""

    process: asyncio.subprocess.Process
    out: str = ""
    err: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def says(self, *words: str) -> str:
        """Waits until it has said all of these on stderr."""
        return await self._said(lambda: self.err, words)

    async def prints(self, *words: str) -> str:
        return await self._said(lambda: self.out, words)

    async def _said(self, text: Callable[[], str], words: tuple[str, ...]) -> str:
        async with asyncio.timeout(SOON_S):
            while not all(word in text() for word in words):
                assert self.process.returncode is None or not self.changed.is_set(), (words, self.out, self.err)
                self.changed.clear()
                await self.changed.wait()
        return text()

    async def ends(self) -> int:
        async with asyncio.timeout(SOON_S):
            return await self.process.wait()


@asynccontextmanager
async def typed(house: House, user: str | None, *words: str, **environ: str) -> AsyncIterator[Typed]:
    """`countersign …`, by somebody with a token of their own."""
    token = await person_token(house.app.tokens, user, house.now_ms()) if user is not None else None
    at = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(house.folder),
        "TZ": "Europe/Paris",
        "COUNTERSIGN_URL": f"http://127.0.0.1:{house.app.http.port}",
        **({"COUNTERSIGN_TOKEN": token} if token is not None else {}),
        **environ,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *words, env=at, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    running = Typed(process)

    async def read(stream: asyncio.StreamReader | None, name: str) -> None:
        while stream is not None and (data := await stream.read(65536)):
            setattr(running, name, getattr(running, name) + data.decode())
            running.changed.set()

    readers = [asyncio.create_task(read(process.stdout, "out")), asyncio.create_task(read(process.stderr, "err"))]
    try:
        yield running
        await asyncio.gather(*readers)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        for reader in readers:
            reader.cancel()


SERVER = ("--", "sh", "-c", 'echo "serving from $DATABASE_URL"; trap "echo bye; exit 4" TERM; while :; do sleep 0.05; done')


async def test_asked_approved_and_run_until_the_clock_ends_it(house: House) -> None:
    ask = ("run", "payments/prod", "--for", "30m", "--reason", "INC-7 payments fail", "--on-end", "term")
    async with typed(house, seed.ROSA, *ask, *SERVER) as run:
        said = await run.says("Asked @payments-leads to let you read payments/prod", "http", "Ctrl-C withdraws it.")
        print(said)
        asked = await card(house, "Waiting for approval", "INC-7 payments fail")
        await press(house, seed.BEN, asked, "approve")
        await run.says("Approved. You have access until")
        assert await run.prints("serving") == "serving from ***\n"
        await house.advance(26 * MINUTE)
        await house.advance(3 * MINUTE)
        await house.advance(1 * MINUTE)
        await run.says("has ended: the program is told to end")
        assert await run.ends() == 4
    print(run.err)
    assert run.out == "serving from ***\nbye\n"
    await says(house, asked, "Ended by itself")
