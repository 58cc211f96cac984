"""Evidence: everything that one program has written into one Redis, to be searched."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from redis.asyncio import Redis


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
    """The value as it is, as JSON escapes it, in hexadecimal, and in base64 wherever in a longer text it begins."""
    raw = value.encode()
    yield raw
    yield json.dumps(value)[1:-1].encode()
    yield raw.hex().encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        yield encoded[4 if before else 0 : -4]  # without the letters that what is around it changes
    for before in range(3):
        encoded = base64.urlsafe_b64encode(b"\0" * before + raw)
        yield encoded[4 if before else 0 : -4]


def holds(content: bytes, value: str) -> bool:
    return any(spelling in content for spelling in spellings(value))
