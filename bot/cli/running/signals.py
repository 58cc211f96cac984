"""Signals: those that come to `run`, one after another, and whether the kernel sent them for a key on the terminal."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

PASSED_ON: Final = frozenset(
    {
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGWINCH,
        signal.SIGTSTP,
        signal.SIGCONT,
    }
)
# What a terminal sends to everybody in front of it goes to everybody in front of ours.
TO_ALL: Final = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT})
ENDS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


@dataclass(frozen=True, slots=True)
class Came:
    number: signal.Signals
    by_key: bool


Queue = asyncio.Queue[Came]


@contextmanager
def listening() -> Iterator[Queue]:
    """From here on signals do nothing by themselves. To be entered before any thread begins: threads inherit the mask."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    loop = asyncio.get_running_loop()
    queue: Queue = asyncio.Queue()
    over = threading.Event()

    def hear() -> None:
        while not over.is_set():
            found = signal.sigtimedwait(PASSED_ON, 3_600)
            if found is not None and not over.is_set():
                came = Came(signal.Signals(found.si_signo), found.si_code > 0)
                loop.call_soon_threadsafe(queue.put_nowait, came)

    thread = threading.Thread(target=hear, name="signals", daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        over.set()
        signal.pthread_kill(thread.ident or 0, signal.SIGUSR1)
        thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_ourselves() -> None:
    """As Ctrl-Z does; returns when somebody lets us go on."""
    os.kill(os.getpid(), signal.SIGSTOP)
