"""What reading fifty secrets over HTTP costs, beside a bare JSON answer and beside deciphering alone."""

import platform
import statistics
import sys
from typing import Any, Final

from bench.house import Bot, Place
from bench.reader import CONNECTIONS, at_once, get, one_after_the_other

READS: Final = 4_000
BLOCK: Final = 20 * CONNECTIONS
LONE: Final = 200
SECRETS: Final = 50
TOKENS: Final = 16  # machines; one token may ask two hundred times a second
PATH: Final = "/v1/environments/payments/staging/secrets"


async def measure(reads: int = READS) -> dict[str, Any]:
    """The line of the bench, without its name."""
    async with Place() as place, place.bot() as bot:
        _say(f"{SECRETS} secrets are asked for and merged")
        tokens = await bot.told("fill", SECRETS, TOKENS)
        bare_port = await bot.told("bare", SECRETS)
        requests, bare = [get(PATH, token) for token in tokens], get("/")
        for port, request in ((bot.port, requests[0]), (bare_port, bare)):
            await one_after_the_other(port, request, LONE)
        read, bare_read = _Cost(bot, bot.port, requests), _Cost(bot, bare_port, [bare])
        _say(f"{reads} reads over {CONNECTIONS} connections, and as many bare answers, in blocks in turn")
        for block in range(max(1, reads // BLOCK)):
            for cost in (read, bare_read)[:: 1 if block % 2 else -1]:
                await cost.block()
        _say(f"{LONE} reads one after the other, and as many bare answers")
        for cost in (read, bare_read):
            await cost.lone()
        return {
            "cpu_ms": round(read.cpu_ms, 3),
            "bare_cpu_ms": round(bare_read.cpu_ms, 3),
            "cpu_ratio_to_bare": round(read.cpu_ms / bare_read.cpu_ms, 2),
            "decipher_cpu_ms": round(await bot.told("decipher", SECRETS), 3),
            "cold_cpu_ms": round(await bot.told("opened", TOKENS), 3),
            "lone_cpu_ms": round(read.lone_cpu_ms, 3),
            "p50_ms": round(read.percentile(50), 2),
            "p99_ms": round(read.percentile(99), 2),
            "bare_p50_ms": round(bare_read.percentile(50), 2),
            "requests_per_s": round(statistics.median(read.rates)),
            "bare_requests_per_s": round(statistics.median(bare_read.rates)),
            "secrets": SECRETS,
            "n": reads,
            "server": place.server,
            "appendfsync": "always",
            "python": platform.python_version(),
        }


class _Cost:
    """Of one kind of request: CPU of the bot's process, by block, and wall time as one client feels it."""

    def __init__(self, bot: Bot, port: int, requests: list[bytes]) -> None:
        self._bot = bot
        self._port = port
        self._requests = requests
        self._cpu_ms: list[float] = []
        self._wall_ms: list[float] = []
        self.rates: list[float] = []
        self.lone_cpu_ms = 0.0

    async def block(self) -> None:
        before = await self._bot.cpu_us()
        self.rates.append(await at_once(self._port, self._requests, BLOCK))
        self._cpu_ms.append((await self._bot.cpu_us() - before) / 1000 / BLOCK)

    async def lone(self) -> None:
        before = await self._bot.cpu_us()
        self._wall_ms = await one_after_the_other(self._port, self._requests[0], LONE)
        self.lone_cpu_ms = (await self._bot.cpu_us() - before) / 1000 / LONE

    @property
    def cpu_ms(self) -> float:
        """The lower quartile of the blocks: what else a machine does makes a block dearer, never cheaper."""
        return sorted(self._cpu_ms)[len(self._cpu_ms) // 4]

    def percentile(self, percent: int) -> float:
        return sorted(self._wall_ms)[min(len(self._wall_ms) - 1, len(self._wall_ms) * percent // 100)]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
