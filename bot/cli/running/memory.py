"""Memory: files that lie in no disk's blocks, in a folder that only this user enters."""

import ctypes
import fcntl
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.model.errors import Conflict, Unavailable
from store.model.secret import Secret

# statfs(2): tmpfs and ramfs. What lies in tmpfs may be swapped; swap is encrypted, or off, where that matters.
IN_MEMORY: Final = frozenset({0x01021994, 0x858458F6})
PREFIX: Final = "countersign-run-"
LEFT_AFTER_S: Final = 60.0  # a folder that nobody holds and that is no younger was left behind
VALUE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class File:
    content: Secret
    mode: int = VALUE_MODE


def in_memory(path: Path) -> bool:
    if sys.platform != "linux":
        return False
    found = ctypes.create_string_buffer(256)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), found) != 0:
        return False
    return ctypes.cast(found, ctypes.POINTER(ctypes.c_long))[0] & 0xFFFFFFFF in IN_MEMORY


def place(environ: Mapping[str, str], *, on_disk: bool) -> Path:
    """Where a folder can be made. Raises `Unavailable` where there is no memory to keep files in."""
    wanted = [Path(one) for one in (environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm") if one]  # noqa: S108 - looked at before use
    for one in wanted:
        if in_memory(one) and os.access(one, os.W_OK | os.X_OK):
            return one
    if on_disk:
        return Path(tempfile.gettempdir())
    raise Unavailable(
        f"No file system in memory was found ({', '.join(map(str, wanted))}), so the files would lie on a disk. "
        "Mount a tmpfs there, or say --files-on-disk if that is fine.",
        code="no_memory_files",
    )


class Folder:
    """Named before it is there, so that whoever removes it knows it first."""

    def __init__(self, parent: Path) -> None:
        self.path = parent / f"{PREFIX}{secrets.token_hex(8)}"
        self._held = -1

    def fill(self, files: Mapping[str, File]) -> None:
        """Raises `Conflict` where there is no room, or no leave."""
        try:
            self._fill(files)
        except OSError as error:
            raise Conflict(f"Files cannot be written below {self.path}: {error.strerror}.", code="no_room") from None

    def _fill(self, files: Mapping[str, File]) -> None:
        self.path.mkdir(mode=0o700)
        self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name, file in files.items():
            path = self.path / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, VALUE_MODE)
            with os.fdopen(fd, "wb") as opened:
                opened.write(file.content.reveal())
                os.fchmod(opened.fileno(), file.mode & 0o777)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


def sweep(parent: Path, now_s: float) -> None:
    """What runs left behind of which every process was killed at once."""
    for path in _left(parent, now_s):
        with suppress(OSError):
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(held)


def _left(parent: Path, now_s: float) -> Iterator[Path]:
    for path in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = path.lstat()
            if found.st_uid == os.getuid() and now_s - found.st_mtime > LEFT_AFTER_S:
                yield path
