"""Key servers as processes of their own, which a test starts and kills."""

import asyncio
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from keyserver.callers import Callers
from tests import forked

LISTENING: Final = re.compile(r"Key server on 127\.0\.0\.1:(\d+)\. Its pin: ([0-9a-f]{64})")
UP_S: Final = 20


class KeyServerProcess:
    """`countersign keyserver serve` in a folder of its own, which allows one Countersign (its certificate, in PEM)."""

    def __init__(self, folder: Path, name: str, certificate: str) -> None:
        self.name, self.folder = name, folder / name
        Callers(self.folder / "callers").allow("production", certificate)
        self._process: forked.Forked | None = None
        self.address = ""

    @property
    def called(self) -> str:
        """As records and sentences name it."""
        return self.address.removeprefix("https://").partition("#")[0]

    async def start(self) -> None:
        """On the port it had, if it ran before."""
        listen = self.called or "127.0.0.1:0"
        arguments = ("keyserver", "serve", "--data", str(self.folder), "--listen", listen)
        self._process = await forked.start(forked.countersign, *arguments, environ=os.environ, cwd=self.folder)
        assert self._process.stderr is not None
        async with asyncio.timeout(UP_S):
            while not (found := LISTENING.search((await self._process.stderr.readline()).decode())):
                assert not self._process.stderr.at_eof()
        self.address = f"https://127.0.0.1:{found[1]}#{found[2]}"

    async def die(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None
