"""What submitting, deciding and drawing Home cost where there is much of everything, beside where there is little."""

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from bench.house import Bot, Place

FEW: Final = 10
MANY_RULES: Final = 2_000
MANY_REQUESTS: Final = 10_000
ROUNDS: Final = 20
EACH: Final = 10  # submissions and decisions a round
HOMES: Final = 4  # a round
AT_ONCE: Final = 250  # requests asked for in one line

HEAD: Final = """\
version: 1
owners: {users: [ana@example.com]}
targets:
  payments/prod: {channel: "#payments-approvals", values_in_slack: enter_and_show}
"""
RULE: Final = """\
  - name: open %s
    targets: [%s]
    actions: [open]
    requesters: {groups: [payments-dev]}
    approvals: [{count: 1, from: {groups: [payments-leads]}}]
"""


def policies(rules: int) -> str:
    """As many rules, each for a target of its own; the one that is asked for comes last."""
    others = [f"team-{number:04}/prod" for number in range(rules - 1)]
    targets = "".join(f"  {target}: {{}}\n" for target in others)
    return HEAD + targets + "policies:\n" + "".join(RULE % (target, target) for target in [*others, "payments/prod"])


@dataclass(slots=True)
class Costs:
    """CPU of the bot's process for one of each kind, µs, by round."""

    submit: list[float] = field(default_factory=list)
    decide: list[float] = field(default_factory=list)
    home: list[float] = field(default_factory=list)


async def measure(rules: int = MANY_RULES, requests: int = MANY_REQUESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """The line of the bench, without its name. Rounds of both sizes take turns, so what else the machine does falls on both."""
    async with AsyncExitStack() as opened:
        sizes = {(FEW, FEW): Costs(), (rules, requests): Costs()}
        bots = []
        for size in sizes:
            _say(f"{size[0]:,} rules and {size[1]:,} open requests")
            place = await opened.enter_async_context(Place(policies(size[0])))
            bot = await opened.enter_async_context(place.bot())
            for start in range(0, size[1], AT_ONCE):
                await bot.told("ask", min(AT_ONCE, size[1] - start))
            bots.append(bot)
        for number in range(rounds + 1):
            for bot, costs in list(zip(bots, sizes.values(), strict=True))[:: 1 if number % 2 else -1]:
                await _round(bot, costs if number else Costs())  # the first one warms up
        few, many = sizes.values()
        return {
            name: {"cpu_us": round(_quartile(getattr(many, name))), "few_cpu_us": round(_quartile(getattr(few, name))),
                   "ratio": round(_quartile(getattr(many, name)) / _quartile(getattr(few, name)), 2)}
            for name in ("submit", "decide", "home")
        } | {"rules": rules, "requests": requests, "rounds": rounds}  # fmt: skip


async def _round(bot: Bot, costs: Costs) -> None:
    await bot.told("warm")
    before = await bot.cpu_us()
    asked = await bot.told("ask", EACH)
    between = await bot.cpu_us()
    costs.submit.append((between - before) / EACH)
    answers = await bot.told("approve", *asked)
    after = await bot.cpu_us()
    costs.decide.append((after - between) / EACH)
    if set(answers) != {"Approved."}:
        raise RuntimeError(f"They should have been approved: {', '.join(sorted(set(answers)))}")
    await bot.told("home", HOMES)
    costs.home.append((await bot.cpu_us() - after) / HOMES)


def _quartile(costs: list[float]) -> float:
    """The lower one: what else a machine does makes a round dearer, never cheaper."""
    return sorted(costs)[len(costs) // 4]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
