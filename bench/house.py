"""What a bench runs in: a real server that keeps everything, a workspace on loopback, and the bot in a process of its own."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final, Self

from playground.house import House
from store.redis.embedded import EmbeddedServer, find_binary, socket_path

ROOT: Final = Path(__file__).parent.parent
ANSWERS_WITHIN_S: Final = 120.0
LONGEST_LINE: Final = 1024 * 1024


class Bot:
    """One process of `bench.bot`. `port` is where it hears Slack in HTTP mode."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.port = 0

    async def told(self, *words: object) -> Any:
        """Raises `RuntimeError` when the process is gone."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWERS_WITHIN_S)
        if not line:
            raise RuntimeError("The bot is gone: its log lies in the folder of the bench.")
        return json.loads(line)

    async def cpu_us(self) -> float:
        """Of this process so far: user and system, all threads."""
        return float(await self.told("cpu")) / 1000

    async def stop(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), ANSWERS_WITHIN_S)


async def start(environ: Mapping[str, str], log: IO[bytes]) -> asyncio.subprocess.Process:
    """A process of `bench.bot`."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bot"),
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        limit=LONGEST_LINE,
    )


class Place:
    """A folder that goes with it, the server (`redis-server` where there is one, else Valkey's) and the workspace."""

    def __init__(self, policies: str | None = None) -> None:
        """`policies`: the text of a file to use instead of the playground's."""
        self._policies = policies
        self.folder = Path(tempfile.mkdtemp(prefix="countersign-bench-"))
        found = shutil.which("redis-server")
        self.binary = Path(found) if found else find_binary()
        self._server = EmbeddedServer(self.folder / "redis", binary=self.binary)
        self.socket = socket_path(self.folder / "redis")
        self._house: House | None = None

    @property
    def house(self) -> House:
        if self._house is None:
            raise RuntimeError("It is not open.")
        return self._house

    @property
    def server(self) -> str:
        """As it calls itself: `Redis server v=7.0.15`."""
        said = subprocess.run([str(self.binary), "--version"], check=True, capture_output=True, text=True).stdout
        return " ".join(said.split()[:3])

    async def __aenter__(self) -> Self:
        try:
            url = await self._server.start()
            if self._policies is not None:
                (self.folder / "house").mkdir(mode=0o700)
                (self.folder / "house" / "policies.yml").write_text(self._policies, encoding="utf-8")
            # Nobody opens this workspace again, and a long transcript written meanwhile would be felt in the wall times.
            self._house = House(
                self.folder / "house", http=True, environ={"REDIS_URL": url}, workspace={"transcript": None}
            )
            await self._house.open()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._house is not None:
            await self._house.close()
        await self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @asynccontextmanager
    async def bot(self, *, http: bool = True, environ: Mapping[str, str] | None = None) -> AsyncIterator[Bot]:
        """`http` False: over a socket."""
        settings = self.house.environ() | dict(environ or {})
        if not http:
            del settings["SLACK_SIGNING_SECRET"]
            settings["SLACK_APP_TOKEN"] = self.house.workspace.app_token
        with (self.folder / "bot.log").open("ab") as log:
            process = await start({"PATH": os.environ.get("PATH", ""), **settings}, log)
        bot = Bot(process)
        http_of = self.house.workspace.delivery.http
        try:
            bot.port = await bot.answer()
            http_of.url = f"http://127.0.0.1:{bot.port}/slack/events" if http else None
            yield bot
            await bot.stop()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
