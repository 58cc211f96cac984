"""What submitting, deciding and drawing Homes cost where there is much of everything, beside where there is little."""

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from bench.house import Bot, Place
from bench.turns import Turns
from playground import seed

FEW: Final = 10
MANY_RULES: Final = 2_000
MANY_REQUESTS: Final = 10_000
ROUNDS: Final = 20
EACH: Final = 10  # submissions and decisions a round
HOMES: Final = 4  # a round
AT_ONCE: Final = 250  # requests asked for in one line
HOMES_OF: Final = {"home": seed.BEN, "own_home": seed.ROSA}
KINDS: Final = ("submit", "decide", *HOMES_OF)

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
    home: list[float] = field(default_factory=list)  # of who decides all of them
    own_home: list[float] = field(default_factory=list)  # of who asked for all of them


async def measure(rules: int = MANY_RULES, requests: int = MANY_REQUESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """The line of the bench, without its name. Rounds of both sizes take turns, so what else the machine does falls on both."""
    async with AsyncExitStack() as opened:
        sizes = {(FEW, FEW): Costs(), (rules, requests): Costs()}
        bots, places = [], []
        for size in sizes:
            _say(f"{size[0]:,} rules and {size[1]:,} open requests")
            place = await opened.enter_async_context(Place(policies(size[0])))
            bot = await opened.enter_async_context(place.bot())
            for start in range(0, size[1], AT_ONCE):
                await bot.told("ask", min(AT_ONCE, size[1] - start))
            bots.append(bot)
            places.append(place)
        for number in range(rounds + 1):
            for bot, costs in list(zip(bots, sizes.values(), strict=True))[:: 1 if number % 2 else -1]:
                await _round(bot, costs if number else Costs())  # the first one warms up
        _say("Homes whose turns to Redis are counted")
        few_turns, many_turns = [await _turns(place) for place in places]
        few, many = sizes.values()
        line: dict[str, Any] = {
            name: {"cpu_us": round(_quartile(getattr(many, name))), "few_cpu_us": round(_quartile(getattr(few, name))),
                   "ratio": round(_quartile(getattr(many, name)) / _quartile(getattr(few, name)), 2)}
            for name in KINDS
        }  # fmt: skip
        for name in HOMES_OF:
            line[name] |= {"redis_round_trips": many_turns[name], "few_redis_round_trips": few_turns[name]}
        return line | {"rules": rules, "requests": requests, "rounds": rounds}


async def _turns(place: Place) -> dict[str, int]:
    """Which one Home waits for, with scripts loaded and facts at hand, of each of the two."""
    turns = Turns(place.folder / "turns", place.socket)
    await turns.start()
    found = {}
    async with place.bot(environ={"REDIS_URL": turns.url}) as bot:
        for name, user in HOMES_OF.items():
            await bot.told("warm")
            await bot.told("home", user, 1)
            before = turns.completed
            await bot.told("home", user, 1)
            found[name] = turns.completed - before
    await turns.stop()
    return found


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
    for name, user in HOMES_OF.items():
        await bot.told("home", user, HOMES)
        before, after = after, await bot.cpu_us()
        getattr(costs, name).append((after - before) / HOMES)


def _quartile(costs: list[float]) -> float:
    """The lower one: what else a machine does makes a round dearer, never cheaper."""
    return sorted(costs)[len(costs) // 4]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
