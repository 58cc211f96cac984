"""The real program in processes of its own, beside a workspace in this one."""

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from bot.cli import run as program
from bot.settings import NAMES
from playground.house import House
from tests import forked

ROOT: Final = Path(__file__).parent.parent.parent.parent
WITHIN_S: Final = 30.0  # a bound, not a measure


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


class Process:
    """One `countersign …`. What it writes to stderr is kept."""

    def __init__(self, process: forked.Forked) -> None:
        self._process = process
        self._said = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def says(self, words: str) -> str:
        """Everything up to the line with these words. Fails with what was said instead."""
        assert self._process.stderr is not None
        async with asyncio.timeout(WITHIN_S):
            while words not in self._said:
                line = await self._process.stderr.readline()
                assert line, f"It ended without saying {words!r}:\n{self._said}"
                self._said += line.decode()
        return self._said

    async def ended(self) -> Ran:
        async with asyncio.timeout(WITHIN_S):
            out, err = await self._process.communicate()
        assert self._process.returncode is not None
        return Ran(self._process.returncode, out.decode(), self._said + err.decode())

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


Start = Callable[..., Awaitable[Process]]
Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the program with the given environment and nothing else of ours. It is killed when the test is over."""
    started: list[Process] = []

    async def begin(*arguments: str, **environ: str) -> Process:
        here = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **environ}
        started.append(Process(await forked.start(forked.countersign, *arguments, environ=here, cwd=tmp_path)))
        return started[-1]

    yield begin
    for process in started:
        await process.kill()


@pytest.fixture
def run(start: Start) -> Run:
    async def to_the_end(*arguments: str, **environ: str) -> Ran:
        return await (await start(*arguments, **environ)).ended()

    return to_the_end


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same in a thread of this process, which is quicker. Not for commands that heed signals or set up logs."""

    async def to_the_end(*arguments: str, **environ: str) -> Ran:
        with monkeypatch.context() as patch:
            for name in (*NAMES, "HOME", "XDG_DATA_HOME"):
                patch.delenv(name, raising=False)
            for name, value in environ.items():
                patch.setenv(name, value)
            capsys.readouterr()
            code = await asyncio.to_thread(program, arguments)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return to_the_end


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A workspace, a directory and a receiver; the program is not in it."""
    house = House(tmp_path)
    await house.open()
    yield house
    await house.shut()


async def nobody_left(data: Path) -> None:
    """Waits until the embedded server has gone: it holds the lock of its folder as long as it lives."""

    def wait() -> None:
        with (data / "redis" / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)

    async with asyncio.timeout(5):
        await asyncio.to_thread(wait)
