"""KeyFile: a key holder that is a file of 32 random bytes on this machine."""

import asyncio
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from store.keys import guarded
from store.keys.holder import KEY_BYTES, Random, prove
from store.model.errors import Unavailable
from store.model.sealed import length_prefixed, tampered
from store.model.secret import Secret

FORMAT: Final = b"\x01"
NONCE_BYTES: Final = 12


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
        return cls(path, _fingerprint(await asyncio.to_thread(guarded.read, path)), random=random, name=name)

    @classmethod
    async def load_or_make(cls, path: Path, *, random: Random, name: str | None = None) -> "KeyFile":
        """For a first start: what is there is never written over, and of several that start at once all use one key."""
        await asyncio.to_thread(guarded.make_if_absent, path, random)
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
        secret = await asyncio.to_thread(guarded.read, self.path)
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
