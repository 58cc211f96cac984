"""A client that costs little: requests over connections that stay open, one after the other on each."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

CONNECTIONS: Final = 16
END_OF_HEAD: Final = b"\r\n\r\n"


async def one_after_the_other(port: int, request: bytes, count: int) -> list[float]:
    """How long each took, ms. Raises `RuntimeError` for any answer but 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return [await _asked(reader, writer, request) for _ in range(count)]
    finally:
        writer.close()
        await writer.wait_closed()


async def at_once(port: int, requests: Sequence[bytes], count: int) -> float:
    """So many in all, over `CONNECTIONS`, each with one of `requests`: how many a second."""
    each = max(1, count // CONNECTIONS)
    begun = time.perf_counter()
    await asyncio.gather(*(one_after_the_other(port, requests[at % len(requests)], each) for at in range(CONNECTIONS)))
    return each * CONNECTIONS / (time.perf_counter() - begun)


def get(path: str, token: str | None = None) -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token is not None else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n".encode()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    begun = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(END_OF_HEAD)
    await reader.readexactly(_length(head))
    took = (time.perf_counter() - begun) * 1000
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"A read was answered with {head.split(b' ')[1].decode()}.")
    return took


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
