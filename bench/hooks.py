"""What telling a hook costs, signed and with a receipt, beside the plain POST of the same bytes."""

import platform
import statistics
import sys
from typing import Any, Final

from bench.house import Place

DELIVERIES: Final = 3_600
BLOCK: Final = 120


async def measure(deliveries: int = DELIVERIES) -> dict[str, Any]:
    """The line of the bench, without its name."""
    async with Place() as place, place.bot() as bot:
        requests = await bot.told("ask", BLOCK)
        await bot.told("perform")
        place.house.hooks.secrets["api"] = await bot.told("secret")
        url = f"{place.house.server.base_url}/hooks/api"
        await bot.told("deliver", *requests)  # whoever runs for the first time is slow
        await bot.told("post", url, BLOCK)
        signed: list[dict[str, float]] = []
        plain: list[dict[str, float]] = []
        _say(f"{deliveries} deliveries, and as many plain posts, in blocks of {BLOCK} in turn")
        for block in range(max(1, deliveries // BLOCK)):
            turns = [(signed, ("deliver", *requests)), (plain, ("post", url, BLOCK))]
            for kept, words in turns[:: 1 if block % 2 else -1]:
                kept.append(await bot.told(*words))
        cpu_us, post_us = _typical(signed), _typical(plain)
        return {
            "cpu_us": round(cpu_us),
            "post_cpu_us": round(post_us),
            "cpu_ratio_to_post": round(_ratio(signed, plain), 2),
            "deliveries_per_s": round(statistics.median(1 / each["wall_s"] for each in signed)),
            "posts_per_s": round(statistics.median(1 / each["wall_s"] for each in plain)),
            "n": deliveries,
            "server": place.server,
            "appendfsync": "always",
            "python": platform.python_version(),
        }


def _typical(blocks: list[dict[str, float]]) -> float:
    """The lower quartile: what else a machine does makes a block dearer, never cheaper."""
    return sorted(each["cpu_us"] for each in blocks)[len(blocks) // 4]


def _ratio(signed: list[dict[str, float]], plain: list[dict[str, float]]) -> float:
    """The median over blocks that ran one after the other: how fast a machine is just then makes both dearer."""
    return statistics.median(one["cpu_us"] / other["cpu_us"] for one, other in zip(signed, plain, strict=True))


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
