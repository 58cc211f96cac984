"""Evidence: everything that one program has written into one Redis, to be searched."""

import base64
import html
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from redis.asyncio import Redis

TELLING: Final = 10  # letters


async def everything_in(redis: Redis) -> dict[str, bytes]:
    """Each key's whole content, by type and as DUMP gives it: DUMP compresses, so it alone would hide things."""
    found = {}
    async for key in redis.scan_iter(count=1000):
        content = [part async for part in _parts(redis, key)]
        dumped: Any = await redis.dump(key)
        if dumped is not None:
            found[key.decode()] = b"\n".join([key, *content, dumped])
    return found


async def _parts(redis: Any, key: bytes) -> AsyncIterator[bytes]:
    match await redis.type(key):
        case b"string":
            yield await redis.get(key) or b""
        case b"hash":
            for name, value in (await redis.hgetall(key)).items():
                yield name + b" " + value
        case b"zset":
            for member in await redis.zrange(key, 0, -1):
                yield member
        case b"stream":
            for _, fields in await redis.xrange(key):
                for name, value in fields.items():
                    yield name + b" " + value
        case b"none":  # gone since it was listed
            return
        case other:
            raise AssertionError(f"{key!r} is a {other!r}, which nobody searches")


def aof(folder: Path) -> bytes:
    """What the server in this folder has appended, all files of it."""
    files = [path for path in folder.rglob("*") if path.is_file() and "appendonly" in str(path)]
    assert files != []
    return b"\n".join(path.read_bytes() for path in files)


def spellings(value: str) -> Iterator[bytes]:
    """The value as JSON, Python, HTML or a URL escapes it, in hexadecimal, and in base64 wherever in a longer text it begins.

    And its longest word, if it is long enough to be no chance: one escape within another leaves that as it is.
    """
    yield from _escaped(value)
    word = max(re.findall("[A-Za-z0-9]+", value), key=len, default="")
    if len(word) >= TELLING:
        yield from _escaped(word)


def _escaped(value: str) -> Iterator[bytes]:
    raw = value.encode()
    yield raw
    yield json.dumps(value)[1:-1].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode()
    yield ascii(value)[1:-1].encode()
    yield quote(value).encode()
    yield html.escape(value).encode()
    yield raw.hex().encode()
    for before in range(3):
        padded = b"\0" * before + raw
        for encoded in (base64.b64encode(padded), base64.urlsafe_b64encode(padded)):
            yield encoded[4 if before else 0 : -4]  # without the letters that what is around it changes


def holds(content: bytes, value: str) -> bool:
    return any(spelling in content for spelling in spellings(value))
