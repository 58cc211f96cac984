"""Turns: a socket in front of Redis that counts how often somebody asked there and was answered."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

HOLD_S: Final = 0.02
CHUNK: Final = 256 * 1024


class Turns:
    """Requests sent together are one turn. `completed` counts answers that were handed on.

    Each answer is held back for `HOLD_S`, so that a turn begun after an acknowledgement is not completed when the
    acknowledgement is seen: the count at that moment is exactly what the acknowledgement waited for.
    """

    def __init__(self, listen: Path, server: Path) -> None:
        self._listen = listen
        self._server = server
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.completed = 0

    @property
    def url(self) -> str:
        return f"unix://{self._listen}"

    async def start(self) -> None:
        self._listening = await asyncio.start_unix_server(self._accepted, str(self._listen))

    async def stop(self) -> None:
        """Leaves nobody connected."""
        if self._listening is not None:
            self._listening.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connected(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_unix_connection(str(self._server))
        asked = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, requests, asked))
                both.create_task(self._answer(answers, writer, asked))
        finally:
            for end in (requests, writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        while data := await client.read(CHUNK):
            asked.set()
            server.write(data)
            await server.drain()
        server.close()

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        while data := await server.read(CHUNK):
            if asked.is_set():
                asked.clear()
                await asyncio.sleep(HOLD_S)
                self.completed += 1
            client.write(data)
            await client.drain()
        client.close()
