"""Child: one program with what it was given, from its first instruction to the end of the last that it began."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.cli.running.keeper import SUBREAPER, descendants, prctl, signal_all
from bot.cli.running.masking import Masker
from bot.cli.running.memory import File, Folder
from bot.cli.running.signals import TO_ALL, Came, stop_ourselves
from bot.cli.running.streams import Keyboard, Pump
from bot.cli.running.terminal import Terminal, controlling
from store.model.errors import AccessError, Invalid, NotFound, Unavailable
from store.model.secret import Secret

KEEPER: Final = Path(__file__).with_name("keeper.py")
FILES: Final = "COUNTERSIGN_FILES"  # in the child's environment: the folder of its files
KEPT_BACK: Final = ("COUNTERSIGN_TOKEN",)  # ours, and no business of the child's
MOST: Final = 1 << 20
LOST: Final = 128 + signal.SIGKILL
BY_KEY_STOPS: Final = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
KILLED_S: Final = 3.0  # what is not gone by then belongs to somebody else, such as what sudo began
OUTPUT_S: Final = 5.0  # for what was printed last, where its reader is slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the child is to have. `hidden`: every value that it must not print."""

    environment: Mapping[str, Secret] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    hidden: Sequence[Secret] = ()

    def environ(self, base: Mapping[str, str], folder: Path | None) -> dict[str, str]:
        """Raises `Invalid` for what no environment can hold."""
        found = {name: value for name, value in base.items() if name not in KEPT_BACK}
        for name, value in self.environment.items():
            if b"\0" in value.reveal():
                raise Invalid(f"{name} holds a zero byte, which no environment can. Use --files.", code="zero_byte")
            found[name] = os.fsdecode(value.reveal())
        if folder is not None:
            found[FILES] = str(folder)
        return found


class Child:
    """`command` is run with `given`. With `mask` its output passes through us; without, it writes where we do."""

    def __init__(self, command: Sequence[str], given: Given, *, mask: bool, parent: Path | None) -> None:
        prctl(SUBREAPER, 1)  # where the keeper is killed, what it kept is ours
        self._command, self._given = list(command), given
        self._folder = Folder(parent) if given.files and parent is not None else None
        self._ours, theirs = socket.socketpair()
        self._told = b""
        self._tty = controlling()
        masked = mask and bool(given.hidden)
        self._terminal = Terminal(self._tty) if masked and self._tty is not None and os.isatty(1) else None
        self._theirs: list[int] = []  # what the child gets; closed here once it has it
        self._pumps: list[Pump] = []
        self._keyboard: Keyboard | None = None
        self._stdio = self._plan(masked=masked)
        self._process = self._keeper(theirs)
        self.pid = 0

    # -- beginning -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises `AccessError` where the program cannot be run; nothing is left of it then."""
        try:
            await self._hear("ready")
            if self._folder is not None:
                self._folder.fill(self._given.files)
            environ = self._given.environ(os.environ, self._folder.path if self._folder is not None else None)
            own_group = self._terminal is not None or self._tty is None
            self._tell(argv=self._command, env=environ, stdio=self._stdio, group=own_group)
            answer = await self._hear("started", "failed")
        except AccessError:
            await self.close()
            raise
        for fd in self._theirs:
            os.close(fd)
        self._theirs = []
        if "failed" in answer:
            await self.close()
            raise _not_run(self._command[0], answer["failed"])
        self.pid = answer["started"]
        if self._terminal is not None:
            self._keyboard = Keyboard(self._terminal.fd, self._terminal.master)
            self._front()
        for pump in self._pumps:
            pump.start()

    def _plan(self, *, masked: bool) -> list[int]:
        """The child's three descriptors. What is ours of them is pumped."""
        stdio = [0, 1, 2]
        if not masked:
            return stdio
        hidden = [value.reveal() for value in self._given.hidden]
        if self._terminal is not None:
            self._theirs.append(self._terminal.child)
            for fd in range(3):
                if os.isatty(fd):
                    stdio[fd] = self._terminal.child
            self._pumps.append(Pump(self._terminal.master, 1, Masker(hidden)))
        same = _same(1, 2)
        for fd in (1, 2):
            if stdio[fd] != fd:
                continue
            if fd == 2 and same:
                stdio[2] = stdio[1]
                continue
            reader, writer = os.pipe()
            self._theirs.append(writer)
            stdio[fd] = writer
            self._pumps.append(Pump(reader, fd, Masker(hidden)))
        return stdio

    def _keeper(self, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        given = [theirs.fileno(), *self._theirs]
        restore = None
        if self._terminal is not None:
            given.append(self._terminal.fd)
            restore = [self._terminal.fd, self._terminal.written()]
        process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", str(KEEPER), str(theirs.fileno())], pass_fds=given, env={}
        )
        theirs.close()
        self._ours.setblocking(False)
        first = {
            "folder": str(self._folder.path) if self._folder is not None else None,
            "terminal": self._terminal.child if self._terminal is not None else None,
            "restore": restore,
            "ours": given,
        }
        self._ours.send(json.dumps(first).encode() + b"\n")
        return process

    # -- while it runs ---------------------------------------------------------------------------------------------------

    async def wait(self, signals: "asyncio.Queue[Came]") -> int:
        """Its exit code; 128 and the number of the signal that ended it."""
        passing = asyncio.create_task(self._pass_on(signals))
        try:
            while True:
                told = await self._hear("exit", "stopped")
                if "exit" in told:
                    return int(told["exit"])
                if self._tty is not None and told["stopped"] in BY_KEY_STOPS:
                    self._stopped()
        except Unavailable:
            await self._end_descendants()
            return LOST
        finally:
            passing.cancel()
            await self.close()

    def end(self, grace_s: float) -> None:
        """TERM, and after `grace_s` KILL to it and to all that it began."""
        self._tell(end=grace_s)

    async def _pass_on(self, signals: "asyncio.Queue[Came]") -> None:
        while True:
            came = await signals.get()
            if came.number == signal.SIGCONT:
                self._front()
            if self._terminal is not None and came.number == signal.SIGWINCH:
                self._terminal.resize()
            elif self._terminal is not None or not came.by_key or self._tty is None:
                self._tell(signal=int(came.number), group=came.number in TO_ALL and self._own_group)

    @property
    def _own_group(self) -> bool:
        """Otherwise it is of ours, and hears by itself what the terminal says."""
        return self._terminal is not None or self._tty is None

    def _front(self) -> None:
        if self._terminal is not None and self._keyboard is not None and self._terminal.in_front():
            self._terminal.raw()
            self._terminal.resize()
            if not self._keyboard.is_alive() and self._keyboard.ident is None:
                self._keyboard.start()

    def _stopped(self) -> None:
        if self._terminal is not None:
            self._terminal.restore()
        stop_ourselves()
        self._front()
        self._tell(signal=int(signal.SIGCONT), group=self._own_group)

    # -- the end ---------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Nothing of it stays, however often this is called."""
        self._ours.close()
        for fd in self._theirs:
            os.close(fd)
        self._theirs = []
        await asyncio.to_thread(self._process.wait)
        for pump in self._pumps:
            if pump.ident is not None:
                await asyncio.to_thread(pump.join, OUTPUT_S)
        if self._keyboard is not None and self._keyboard.ident is not None:
            await asyncio.to_thread(self._keyboard.stop)
        self._keyboard, self._pumps = None, []
        if self._terminal is not None:
            self._terminal.restore()
        if self._folder is not None:
            self._folder.remove()
        if self._tty is not None:
            os.close(self._tty)
            self._tty = None

    async def _end_descendants(self) -> None:
        """Where the keeper itself was killed: what it kept is ours now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILLED_S):
                while rest := descendants(os.getpid()):
                    signal_all(signal.SIGKILL, rest)
                    await asyncio.sleep(0.02)

    def _tell(self, **what: Any) -> None:
        with contextlib.suppress(OSError):
            self._ours.setblocking(True)
            self._ours.sendall(json.dumps(what).encode() + b"\n")
            self._ours.setblocking(False)

    async def _hear(self, *wanted: str) -> dict[str, Any]:
        """The next that it tells of these. Raises `Unavailable` where the keeper is gone."""
        loop = asyncio.get_running_loop()
        while True:
            line, found, rest = self._told.partition(b"\n")
            if found:
                self._told = rest
                told: dict[str, Any] = json.loads(line)
                if told.keys() & set(wanted):
                    return told
                continue
            try:
                data = await loop.sock_recv(self._ours, MOST)
            except OSError:
                data = b""
            if not data:
                raise Unavailable("The process beside us was killed, and so was the program.", code="keeper_lost")
            self._told += data


def _same(one: int, other: int) -> bool:
    """Whether both write to the same file: then the order of their lines is kept."""
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def _not_run(command: str, number: int) -> AccessError:
    import errno

    if number == errno.ENOENT:
        return NotFound(f"There is no program {command}.", code="no_program")
    if number == errno.E2BIG:
        return Invalid("The values are too large for an environment: say --files.", code="too_large")
    return Invalid(f"{command} cannot be run: {os.strerror(number)}.", code="not_runnable")
