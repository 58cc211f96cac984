"""Keeper: a small process between `run` and its child, which ends every descendant and removes the files also where `run` was killed.

It runs by itself, `python -I -S keeper.py FD`, so that it starts in milliseconds and holds nothing that it does not need.
On the socket FD it is told, in JSON lines, `{"folder", "terminal", "restore", "ours"}`, and answers `{"ready": true}`; then
`{"argv", "env", "stdio", "group"}`, and answers `{"started": PID}` or `{"failed": ERRNO}`; then `{"signal": N, "group": bool}` and
`{"end": SECONDS}`; and it tells `{"stopped": N}` and at last `{"exit": CODE}`. Where the socket closes, `run` is gone.
"""

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any, Final

SUBREAPER: Final = 36  # prctl(2)
DEATH_SIGNAL: Final = 1
DUMPABLE: Final = 4
TERM_S: Final = 2.0  # for what its own parent has left behind
KILL_S: Final = 3.0
LOOK_S: Final = 0.05
MOST: Final = 1 << 20  # bytes heard at once

Json = dict[str, Any]


def prctl(option: int, value: int) -> None:
    """Linux only; elsewhere there is nothing like it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def descendants(of: int) -> list[int]:
    """Of Linux' /proc; elsewhere none is known."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if sys.platform == "linux" else ():  # noqa: PTH208 - pathlib costs as long to import as all of this
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - the same
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    parents.setdefault(int(parent), []).append(int(name))
    found, look = [], [of]
    while look:
        children = parents.get(look.pop(), [])
        found += children
        look += children
    return found


def signal_all(number: int, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
            if number == signal.SIGTERM:
                os.kill(pid, signal.SIGCONT)  # one that is stopped hears nothing


def code_of(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class Keeper:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.told = b""
        self.gone = False  # `run` is
        self.child = 0
        self.code: int | None = None
        self.kill_at: float | None = None
        self.folder: str | None = None
        self.restore: list[Any] | None = None

    def tell(self, **what: Any) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(json.dumps(what).encode() + b"\n")

    def hear(self) -> list[Json]:
        """What was said. Sets `gone` where nobody says anything any more."""
        try:
            data = self.control.recv(MOST)
        except ConnectionError:
            data = b""
        self.gone = not data
        *lines, self.told = (self.told + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def next(self) -> Json | None:
        while not self.gone:
            if said := self.hear():
                return said[0]
        return None

    def main(self) -> int:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        prctl(SUBREAPER, 1)
        prctl(DUMPABLE, 0)
        try:
            self.prepare()
            self.watch()
            if self.child:
                self.end_the_rest()
        finally:
            self.clear()
        if self.code is not None:
            self.tell(exit=self.code)
        return 0

    def prepare(self) -> None:
        first = self.next()
        if first is None:
            return
        self.folder, self.restore = first["folder"], first["restore"]
        for fd in first["ours"]:
            os.set_inheritable(fd, False)
        if first["terminal"] is not None:
            import fcntl
            import termios

            os.setsid()
            fcntl.ioctl(first["terminal"], termios.TIOCSCTTY, 0)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self.woken = reader
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.tell(ready=True)
        second = self.next()
        if second is not None:
            self.start(second, first["terminal"])

    def start(self, told: Json, terminal: int | None) -> None:
        reader, writer = os.pipe()  # closed by exec: what comes out of it is what went wrong
        self.child = os.fork()
        if self.child == 0:
            try:
                become(told, terminal)
            except OSError as error:
                os.write(writer, str(error.errno or errno.EIO).encode())
            finally:
                os._exit(127)
        os.close(writer)
        for fd in {*told["stdio"], *([terminal] if terminal is not None else [])} - {0, 1, 2}:
            os.close(fd)
        failed = os.read(reader, 16)
        os.close(reader)
        if failed:
            self.tell(failed=int(failed))
            os.waitpid(self.child, 0)
            self.child = 0
        else:
            self.tell(started=self.child)

    def watch(self) -> None:
        """Until the child has ended, or, where `run` is gone, has been ended."""
        while self.child and self.code is None:
            left = None if self.kill_at is None else max(0.0, self.kill_at - time.monotonic())
            watched: list[Any] = [self.woken] if self.gone else [self.woken, self.control]
            ready, _, _ = select.select(watched, [], [], left)
            if self.kill_at is not None and time.monotonic() >= self.kill_at:
                self.kill_at = None
                self.signal_everything(signal.SIGKILL)
            if self.woken in ready:
                os.read(self.woken, 512)
                self.reap()
            if self.control in ready:
                for told in self.hear():
                    self.obey(told)
                if self.gone:
                    self.clear()
                    self.signal_everything(signal.SIGTERM)
                    self.kill_in(TERM_S)

    def obey(self, told: Json) -> None:
        if "end" in told:
            signal_all(signal.SIGTERM, [self.child])  # it knows best how those that it began are ended
            self.kill_in(told["end"])
        elif "signal" in told and self.code is None:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if told["group"] else os.kill)(self.child, told["signal"])

    def kill_in(self, grace_s: float) -> None:
        at = time.monotonic() + grace_s
        self.kill_at = at if self.kill_at is None else min(at, self.kill_at)

    def signal_everything(self, number: int) -> None:
        signal_all(number, sorted({self.child, *descendants(os.getpid())}))

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child and os.WIFSTOPPED(status):
                self.tell(stopped=os.WSTOPSIG(status))
            elif pid == self.child:
                self.code = code_of(status)

    def end_the_rest(self) -> None:
        """Whatever the child has left behind, in whichever session. What is another user's by now stays."""
        signal_all(signal.SIGTERM, descendants(os.getpid()))
        began = time.monotonic()
        while (rest := descendants(os.getpid())) and time.monotonic() < began + TERM_S + KILL_S:
            if time.monotonic() > began + TERM_S:
                signal_all(signal.SIGKILL, rest)
            select.select([self.woken], [], [], LOOK_S)
            self.reap()

    def clear(self) -> None:
        if self.folder is not None:
            import shutil

            shutil.rmtree(self.folder, ignore_errors=True)
        if self.gone and self.restore is not None:
            import termios

            fd, attributes = self.restore
            attributes[6] = [bytes([one]) if isinstance(one, int) else one for one in attributes[6]]
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(fd, termios.TCSANOW, attributes)


def become(told: Json, terminal: int | None) -> None:
    """In the fork: the program itself. Returns only by raising `OSError`."""
    prctl(DEATH_SIGNAL, signal.SIGKILL)
    if told["group"]:
        os.setpgid(0, 0)
    if terminal is not None:
        os.tcsetpgrp(terminal, os.getpid())
    for target, fd in enumerate(told["stdio"]):
        os.dup2(fd, target)
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvpe(told["argv"][0], told["argv"], told["env"])  # noqa: S606 - what the user asked to run


if __name__ == "__main__":
    sys.exit(Keeper(socket.socket(fileno=int(sys.argv[1]))).main())
