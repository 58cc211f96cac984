"""KeyFile: a key holder that is a file of 32 random bytes on this machine."""

import asyncio
import errno
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from store.keys.holder import KEY_BYTES, Random, prove
from store.model.errors import Unavailable
from store.model.sealed import length_prefixed, tampered
from store.model.secret import Secret

FORMAT: Final = b"\x01"
NONCE_BYTES: Final = 12
MAX_FILE_BYTES: Final = 1024
OWNER_ONLY: Final = 0o600

_TEXT: Final = re.compile(rb"(countersign-key 1\nkey ([0-9a-f]{64})\n)check ([0-9a-f]{16})\n")
_OTHER_VERSION: Final = re.compile(rb"countersign-key (?!1\n)[0-9]{1,6}\n")


class KeyFile:
    """Reads its file at each use: a file that is gone, replaced or opened to others stops working at once."""

    def __init__(self, path: Path, fingerprint: str, *, random: Random, name: str | None = None) -> None:
        self.path = path
        self.name = name or re.sub(r"[^A-Za-z0-9_.-]", "_", path.name)[:100]
        self.fingerprint = fingerprint
        self._random = random

    @classmethod
    async def load(cls, path: Path, *, random: Random, name: str | None = None) -> "KeyFile":
        """`name` is the file's unless given. Raises `Unavailable` with what is wrong with the file and what to do."""
        return cls(path, _fingerprint(await asyncio.to_thread(_read, path)), random=random, name=name)

    @classmethod
    async def load_or_make(cls, path: Path, *, random: Random, name: str | None = None) -> "KeyFile":
        """For a first start: what is there is never written over, and of several that start at once all use one key."""
        await asyncio.to_thread(_make_if_absent, path, random)
        return await cls.load(path, random=random, name=name)

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        nonce = self._random(NONCE_BYTES)
        cipher = await self._cipher()
        return FORMAT + nonce + cipher.encrypt(nonce, key, _aad(context))

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        cipher = await self._cipher()
        nonce, body = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
        try:
            if wrapped[:1] == FORMAT:
                return cipher.decrypt(nonce, body, _aad(context))
        except (InvalidTag, ValueError):  # ValueError: cut off within the nonce
            pass
        raise tampered(f"A key that {self.name} is asked to unwrap")

    async def challenge(self) -> None:
        await prove(self, Secret(self._random(KEY_BYTES)), b"challenge")

    async def _cipher(self) -> AESGCM:
        secret = await asyncio.to_thread(_read, self.path)
        if _fingerprint(secret) != self.fingerprint:
            raise Unavailable(
                f"The key file {self.path} holds another key than before. Put the old one back.", code="key_file"
            )
        return AESGCM(_derived(secret, "wrap", KEY_BYTES))

    def __repr__(self) -> str:
        return f"KeyFile({self.name}, {self.fingerprint})"


def _derived(secret: Secret, use: str, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, length_prefixed(f"countersign/key-file/1/{use}")).derive(secret.reveal())


def _fingerprint(secret: Secret) -> str:
    return _derived(secret, "fingerprint", 16).hex()


def _aad(context: bytes) -> bytes:
    return length_prefixed("countersign/key-file/1", context)


def _text(key: Secret) -> Secret:
    """The whole file, its check over all that stands before it."""
    head = b"countersign-key 1\nkey " + key.reveal().hex().encode() + b"\n"
    return Secret(head + b"check " + hashlib.sha256(head).hexdigest()[:16].encode() + b"\n")


def _key_in(text: Secret) -> Secret | None:
    match = _TEXT.fullmatch(text.reveal())
    if match is None or hashlib.sha256(match[1]).hexdigest()[:16].encode() != match[3]:
        return None
    return Secret(bytes.fromhex(match[2].decode()))


def _make_if_absent(path: Path, random: Random) -> None:
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


def _read(path: Path) -> Secret:
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
