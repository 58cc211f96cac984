"""Forked: programs in processes of their own that begin where their imports are done. Most of a short command is those.

    process = await start(program, "env", "ls", environ={...}, cwd=folder)

They are forked from a server that has imported what they import and done nothing else; arguments, environment, folder, standard
streams, session and signals are their own, as if they had been executed. What `/proc` tells of their command line and first
environment is not: who looks at that executes them.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
import time
from asyncio.streams import FlowControlMixin
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any, Final

from bot.cli import program
from bot.cli.program import COMMANDS

_WARM: Final = multiprocessing.get_context("forkserver")
_WARM.set_forkserver_preload(
    [*COMMANDS.values(), "bot.cli.environments", "bot.main", "keyserver.server", "tests.stories.processes"]
)

LEFT_BEHIND_S: Final = 0.5

Main = Callable[[list[str]], int | None]


@dataclass(frozen=True, slots=True)
class _Fd:
    """A descriptor that goes along to the process."""

    number: int

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _taken, (reduction.DupFd(self.number),)


def _taken(passed: Any) -> int:
    number: int = passed.detach()
    return number


class _Reading(asyncio.StreamReaderProtocol):
    def __init__(self, reader: asyncio.StreamReader, lost: asyncio.Event) -> None:
        super().__init__(reader)
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost.set()


class Forked:
    """As `asyncio.subprocess.Process`, as far as tests need one."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self._ended = asyncio.Event()
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._pipes: list[tuple[asyncio.BaseTransport, asyncio.Event]] = []
        self.pid: int = process.pid
        self.returncode: int | None = None
        asyncio.get_running_loop().add_reader(process.sentinel, self._end)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit code. What it left behind may still hold its pipes: what comes later is nobody's."""
        await self._ended.wait()
        for pipe, lost in self._pipes:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEFT_BEHIND_S):
                    await lost.wait()
            pipe.close()
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        assert self.stdout is not None
        assert self.stderr is not None
        out, err, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, err

    async def read(self, number: int) -> asyncio.StreamReader:
        """What comes out of this pipe."""
        reader = asyncio.StreamReader(limit=1 << 20)
        lost = asyncio.Event()
        loop = asyncio.get_running_loop()
        protocol = _Reading(reader, lost)
        pipe, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(number, "rb", 0))
        self._pipes.append((pipe, lost))
        return reader

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        self.returncode = self._process.exitcode
        self._ended.set()


async def start(
    main: Main,
    *arguments: str,
    environ: Mapping[str, str],
    cwd: Path,
    log: IO[bytes] | None = None,
    given: bool = False,
    session: bool = False,
) -> Forked:
    """`log` takes what it says; else that is read. `given`: something will be written to its stdin."""
    pipes = [os.pipe() for _ in range(1 if log else 3)]
    theirs = [pipes[0][0], log.fileno(), log.fileno()] if log else [pipes[0][0], pipes[1][1], pipes[2][1]]
    fds = [_Fd(number) for number in theirs]
    process: Any = _WARM.Process(target=_begun, args=(main, list(arguments), dict(environ), str(cwd), fds, session))
    process.start()
    for number in {pipe[0 if at == 0 else 1] for at, pipe in enumerate(pipes)}:
        os.close(number)
    forked = Forked(process)
    forked.stdin = await _writer(pipes[0][1])
    if not given:
        forked.stdin.close()
    if not log:
        forked.stdout, forked.stderr = [await forked.read(pipe[0]) for pipe in pipes[1:]]
    return forked


async def _writer(number: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(FlowControlMixin, os.fdopen(number, "wb", 0))
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _begun(main: Main, arguments: list[str], environ: dict[str, str], cwd: str, fds: list[int], session: bool) -> None:  # noqa: FBT001
    """In the process."""
    if session:
        os.setsid()
    for number, taken in enumerate(fds):
        os.dup2(taken, number)
    for taken in {*fds} - {0, 1, 2}:
        os.close(taken)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a terminal, also where the tests run behind one
    sys.argv = ["countersign", *arguments]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # they last as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.exit(main(arguments))


def countersign(arguments: list[str]) -> int | None:
    return program.run(arguments)


async def executed(*arguments: str, environ: Mapping[str, str], cwd: Path, given: bool) -> asyncio.subprocess.Process:
    """`countersign …` for who looks at what `/proc` tells of it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        env=environ,
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE if given else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
