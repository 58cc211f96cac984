"""Holders and randomness for tests: in this process, to be switched off, and recording."""

import asyncio
import base64
import hashlib
import logging
import traceback

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.keys.holder import prove
from store.model.errors import Unavailable
from store.model.sealed import tampered
from store.model.secret import Secret


class Draws:
    """Randomness that is the same in every run, and known afterwards."""

    def __init__(self, seed: str = "") -> None:
        self.seed = seed
        self.drawn: list[bytes] = []

    def __call__(self, size: int) -> bytes:
        assert size <= 32
        self.drawn.append(hashlib.sha256(f"{self.seed}{len(self.drawn)}".encode()).digest()[:size])
        return self.drawn[-1]

    @property
    def keys(self) -> list[bytes]:
        return [drawn for drawn in self.drawn if len(drawn) == 32]


class Memory:
    """A holder with its key in memory. Clear `running` and it does not answer; `off` and it says so; `lies` and it gives another key."""

    def __init__(self, name: str, random: Draws | None = None) -> None:
        self.name = name
        self.random = random or Draws(name)
        self.fingerprint = hashlib.sha256(name.encode()).hexdigest()[:32]
        self.cipher = AESGCM(self.random(32))
        self.running = asyncio.Event()
        self.running.set()
        self.off = self.lies = False
        self.asked = 0

    async def _answer(self) -> None:
        self.asked += 1
        await self.running.wait()
        if self.off:
            raise Unavailable(f"{self.name} is switched off.")

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        await self._answer()
        nonce = self.random(12)
        return nonce + self.cipher.encrypt(nonce, key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        await self._answer()
        try:
            key = self.cipher.decrypt(wrapped[:12], wrapped[12:], context)
        except (InvalidTag, ValueError):
            raise tampered(f"What {self.name} is asked to unwrap") from None
        return key[::-1] if self.lies else key

    async def challenge(self) -> None:
        await prove(self, Secret(self.random(32)), b"challenge")


def spellings(canary: bytes) -> set[str]:
    """How these bytes would look in text."""
    quoted = repr(canary)[2:-1]
    codes = ", ".join(str(byte) for byte in canary)
    return {canary.hex(), quoted, codes, base64.b64encode(canary).decode().rstrip("="), canary.decode("latin-1")}


def everything_shown(error: BaseException) -> str:
    """The error as the most talkative log would keep it: sentence, repr, traceback with every local but the test's own."""
    assert error.__traceback__ is not None
    record = logging.makeLogRecord({"msg": "%s %r", "args": (error, error)})
    record.exc_info = (type(error), error, error.__traceback__)
    inner = traceback.TracebackException(type(error), error, error.__traceback__.tb_next, capture_locals=True)
    return logging.Formatter().format(record) + "".join(inner.format())


def shows(text: str, canaries: list[bytes]) -> list[str]:
    return [spelling for canary in canaries for spelling in spellings(canary) if spelling in text]
