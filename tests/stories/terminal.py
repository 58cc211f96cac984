"""Terminal: the command line as a process of its own, on the computer of one person."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playground.house import House
from tests.forked import Forked, countersign, start

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


class Running:
    def __init__(self, process: Forked) -> None:
        self._process = process
        self._err = ""

    async def line(self, word: str, within_s: float = 20.0) -> str:
        """The next line on stderr with this word in it."""
        assert self._process.stderr is not None
        async with asyncio.timeout(within_s):
            while line := (await self._process.stderr.readline()).decode():
                self._err += line
                if word in line:
                    return line.strip()
        raise AssertionError(self._err)

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    async def ended(self, within_s: float = 20.0) -> Said:
        async with asyncio.timeout(within_s):
            out, err = await self._process.communicate()
        assert self._process.returncode is not None
        return Said(self._process.returncode, out.decode(), self._err + err.decode())


class Terminal:
    """`folder` is the home of whoever sits there."""

    def __init__(self, house: House, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.url = f"http://127.0.0.1:{house.app.http.port}"
        self.folder = folder
        self._started: list[Running] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "COUNTERSIGN_URL": self.url, **(environ or {})}

    @property
    def credentials(self) -> Path:
        return self.folder / ".config" / "countersign" / "credentials.json"

    async def start(self, *words: str) -> Running:
        process = await start(countersign, *words, environ=self.environ, cwd=ROOT)
        self._started.append(Running(process))
        return self._started[-1]

    async def run(self, *words: str) -> Said:
        return await (await self.start(*words)).ended()

    async def close(self) -> None:
        for running in self._started:
            await running.stop()
