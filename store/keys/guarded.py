"""Guarded: a file of 32 random bytes that only its owner reads. Its layout is in docs/decisions/0003-envelope.md."""

import errno
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final

from store.keys.holder import KEY_BYTES, Random
from store.model.errors import Unavailable
from store.model.secret import Secret

MAX_FILE_BYTES: Final = 1024
OWNER_ONLY: Final = 0o600

_TEXT: Final = re.compile(rb"(countersign-key 1\nkey ([0-9a-f]{64})\n)check ([0-9a-f]{16})\n")
_OTHER_VERSION: Final = re.compile(rb"countersign-key (?!1\n)[0-9]{1,6}\n")


def _text(key: Secret) -> Secret:
    """The whole file, its check over all that stands before it."""
    head = b"countersign-key 1\nkey " + key.reveal().hex().encode() + b"\n"
    return Secret(head + b"check " + hashlib.sha256(head).hexdigest()[:16].encode() + b"\n")


def _key_in(text: Secret) -> Secret | None:
    match = _TEXT.fullmatch(text.reveal())
    if match is None or hashlib.sha256(match[1]).hexdigest()[:16].encode() != match[3]:
        return None
    return Secret(bytes.fromhex(match[2].decode()))


def make_if_absent(path: Path, random: Random) -> None:
    """Written beside and linked into place, so that nobody ever sees half a key and nobody's key is replaced."""
    if os.path.lexists(path):
        return
    draft = path.with_name(f".{path.name}.{random(8).hex()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY), "wb") as file:
            try:
                os.fchmod(file.fileno(), OWNER_ONLY)  # whatever the umask
                file.write(_text(Secret(random(KEY_BYTES))).reveal())
                file.flush()
                os.fsync(file.fileno())
                os.link(draft, path)
            except FileExistsError:
                pass  # another process was first: its key is the one
            finally:
                draft.unlink()
        _sync(path.parent)
    except OSError as error:
        raise _refused(
            path, f"cannot be made ({error.strerror}). Choose a folder on a local disk that you may write to."
        ) from None


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> Secret:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _refused(path, "does not exist. Put it back from your copy.") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "is a symbolic link. Name the file itself.") from None
        raise _refused(path, f"cannot be read ({error.strerror}). Give it to the user that runs Countersign.") from None
    try:
        _check_guarded(path, os.fstat(file))
        text = Secret(os.read(file, MAX_FILE_BYTES + 1))
    finally:
        os.close(file)
    key = _key_in(text)
    if key is not None:
        return key
    if _OTHER_VERSION.match(text.reveal()):
        raise _refused(path, "was written by a newer Countersign. Upgrade this one.")
    raise _refused(
        path, "is damaged or cut short. Put it back from your copy; a new key would not open what is sealed."
    )


def _check_guarded(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "is not a file. Name a key file.")
    if found.st_uid != os.geteuid():
        raise _refused(
            path, f"belongs to another user (uid {found.st_uid}). Give it to the user that runs Countersign."
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~OWNER_ONLY:
        raise _refused(path, f"is open to others (mode {mode:04o}). Run: chmod 600 {path}")


def _refused(path: Path, why: str) -> Unavailable:
    return Unavailable(f"The key file {path} {why}", code="key_file")
