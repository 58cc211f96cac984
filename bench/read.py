"""What reading fifty secrets over HTTP costs, beside a bare JSON answer and beside deciphering alone."""

import platform
import statistics
import sys
from typing import Any, Final

from bench.house import Bot, Place
from bench.reader import at_once, get, one_after_the_other

READS: Final = 2_000
BLOCK: Final = 50
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
            await one_after_the_other(port, request, BLOCK)
        _say(f"{reads} reads, and as many bare answers, in blocks in turn")
        cost, bare_cost = _Cost(), _Cost()
        for block in range(max(1, reads // BLOCK)):
            pairs = [(cost, bot.port, requests[block % TOKENS]), (bare_cost, bare_port, bare)]
            for measured, port, request in pairs[:: 1 if block % 2 else -1]:
                await measured.block(bot, port, request)
        _say(f"{reads} reads over several connections at once")
        rates = [await at_once(bot.port, requests, reads) for _ in range(3)]
        bare_rate = await at_once(bare_port, [bare], reads)
        decipher = await bot.told("decipher", SECRETS)
        first_ms = await bot.told("opened", TOKENS)
        return {
            "cpu_ms": round(cost.cpu_ms, 3),
            "bare_cpu_ms": round(bare_cost.cpu_ms, 3),
            "cpu_ratio_to_bare": round(cost.cpu_ms / bare_cost.cpu_ms, 2),
            "decipher_cpu_ms": round(decipher, 3),
            "cold_cpu_ms": round(first_ms, 3),
            "p50_ms": round(cost.percentile(50), 2),
            "p99_ms": round(cost.percentile(99), 2),
            "bare_p50_ms": round(bare_cost.percentile(50), 2),
            "requests_per_s": round(statistics.median(rates)),
            "bare_requests_per_s": round(bare_rate),
            "secrets": SECRETS,
            "n": reads,
            "server": place.server,
            "appendfsync": "always",
            "python": platform.python_version(),
        }


class _Cost:
    def __init__(self) -> None:
        self._cpu_ms: list[float] = []
        self._wall_ms: list[float] = []

    async def block(self, bot: Bot, port: int, request: bytes) -> None:
        before = await bot.cpu_us()
        self._wall_ms += await one_after_the_other(port, request, BLOCK)
        self._cpu_ms.append((await bot.cpu_us() - before) / 1000 / BLOCK)

    @property
    def cpu_ms(self) -> float:
        """The lower quartile of the blocks: what else a machine does makes a block dearer, never cheaper."""
        return sorted(self._cpu_ms)[len(self._cpu_ms) // 4]

    def percentile(self, percent: int) -> float:
        return sorted(self._wall_ms)[min(len(self._wall_ms) - 1, len(self._wall_ms) * percent // 100)]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
