"""Terminal: the one that we stand at, and the one that the child gets, which is like it."""

import contextlib
import fcntl
import os
import termios
import tty
from typing import Any, Final

SIZE: Final = bytes(8)  # a struct winsize


def controlling() -> int | None:
    """A descriptor of our terminal, whatever our input is. None where there is none."""
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None


class Terminal:
    """`fd`: ours. `child`: the end for the child, to be closed once it has it; `master`: ours of the child's."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.attributes: list[Any] = termios.tcgetattr(fd)
        self.master, self.child = os.openpty()
        termios.tcsetattr(self.child, termios.TCSANOW, self.attributes)
        self.resize()
        self._raw = False

    def resize(self) -> None:
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, fcntl.ioctl(self.fd, termios.TIOCGWINSZ, SIZE))

    def in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self.fd) == os.getpgrp()
        except OSError:
            return False

    def raw(self) -> None:
        """Each key goes to the child as it is typed, which echoes it. Nothing where we are in the background."""
        if self.in_front() and not self._raw:
            self.attributes = termios.tcgetattr(self.fd)
            tty.setraw(self.fd, termios.TCSADRAIN)  # what was typed already is not lost
            self._raw = True

    def restore(self) -> None:
        if self._raw:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fd, termios.TCSADRAIN, self.attributes)
            self._raw = False

    def written(self) -> list[Any]:
        """The attributes as JSON takes them."""
        *numbers, keys = self.attributes
        return [*numbers, [one[0] if isinstance(one, bytes) else one for one in keys]]
