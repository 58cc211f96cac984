"""Commands as somebody types them at a terminal: the very program in a process of its own, against the house."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playground.house import House
from store.model.policy import HOUR
from tests.forked import Forked, countersign, executed, start
from tests.tokens import person_token

ROOT = Path(__file__).parents[2]
SOON_S = 60.0  # what waits hears after half a minute at the latest that the clock of the house was moved


@dataclass
class Typed:
    """A command that runs: what it has said so far, and what it comes to."""

    process: Forked | asyncio.subprocess.Process
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
async def typed(
    house: House, user: str | None, *words: str, given: bytes | None = None, apart: bool = False, **environ: str
) -> AsyncIterator[Typed]:
    """`countersign …`, by somebody with a token of their own. `given` comes out of a pipe. `apart`: executed, not forked."""
    now_ms, token = house.now_ms(), None
    if user is not None:
        token = await person_token(house.app.tokens, user, now_ms, expires_ms=now_ms + 4 * HOUR)
    at = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(house.folder),
        "TZ": "Europe/Paris",
        "COUNTERSIGN_URL": f"http://127.0.0.1:{house.app.http.port}",
        **({"COUNTERSIGN_TOKEN": token} if token is not None else {}),
        **environ,
    }
    piped = given is not None
    process: Forked | asyncio.subprocess.Process
    if apart:
        process = await executed(*words, environ=at, cwd=ROOT, given=piped)
    else:
        process = await start(countersign, *words, environ=at, cwd=ROOT, given=piped, session=True)
    running = Typed(process)
    if given is not None and process.stdin is not None:
        process.stdin.write(given)
        process.stdin.close()

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


async def ran(
    house: House, user: str | None, *words: str, given: bytes | None = None, apart: bool = False, **environ: str
) -> tuple[int, str, str]:
    """The exit code, and what it printed on stdout and stderr."""
    async with typed(house, user, *words, given=given, apart=apart, **environ) as command:
        code = await command.ends()
    return code, command.out, command.err
