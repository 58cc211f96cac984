"""Streams: what the child prints, masked on its way to where we print, and what is typed on its way to the child."""

import contextlib
import errno
import os
import select
import threading
from typing import Final

from bot.cli.running.masking import Masker

CHUNK: Final = 1 << 16
IDLE_S: Final = 0.1


class Pump(threading.Thread):
    """Until the source ends. Both descriptors stay open; a destination that is closed closes the source, so that the child hears of it."""

    def __init__(self, source: int, destination: int, masker: Masker | None) -> None:
        super().__init__(name=f"to {destination}", daemon=True)
        self._source, self._destination, self._masker = source, destination, masker

    def run(self) -> None:
        try:
            while (data := self._read()) is not None:
                _write(self._destination, data)
            if self._masker is not None:
                _write(self._destination, self._masker.end())
        except OSError:
            pass  # nobody reads any more
        finally:
            os.close(self._source)

    def _read(self) -> bytes | None:
        """None at the end; nothing where all that came has to wait for more."""
        if self._masker is not None and not select.select([self._source], [], [], IDLE_S)[0]:
            return self._masker.idle()
        try:
            data = os.read(self._source, CHUNK)
        except OSError as error:
            if error.errno == errno.EIO:  # a terminal that nobody holds any more
                return None
            raise
        if not data:
            return None
        return self._masker.feed(data) if self._masker is not None else data


class Keyboard(threading.Thread):
    """What is typed, to the child's terminal, until `stop`."""

    def __init__(self, source: int, destination: int) -> None:
        super().__init__(name="keyboard", daemon=True)
        self._source, self._destination = source, destination
        self._over, self._end = os.pipe()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select([self._source, self._over], [], [])
                if self._over in ready:
                    return
                data = os.read(self._source, CHUNK)
                if not data:
                    return
                _write(self._destination, data)

    def stop(self) -> None:
        os.close(self._end)
        self.join()
        os.close(self._over)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody else left it so
            select.select([], [fd], [])
