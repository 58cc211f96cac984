"""What an approve click costs, from its signed request to its acknowledgement, beside a listener that does nothing."""

import copy
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bench.bot import NOOP
from bench.house import Bot, Place
from bench.turns import Turns
from playground import seed
from playground.slack import payloads
from playground.slack.elements import find
from playground.slack.records import Ack, Envelope
from playground.slack.sight import actions_of
from playground.slack.workspace import Workspace

CLICKS: Final = 400
BLOCK: Final = 20
APPROVE: Final = "approve"

Send = Callable[[Envelope], Awaitable[Ack]]


@dataclass(slots=True)
class Cost:
    """Of one kind of click, by block: CPU of the bot's process a click; and by click: wall time until the ack."""

    cpu_us: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """The lower quartile of the blocks: what else a machine does makes a block dearer, never cheaper."""
        return sorted(self.cpu_us)[len(self.cpu_us) // 4]

    def percentile(self, percent: int) -> float:
        return sorted(self.wall_ms)[min(len(self.wall_ms) - 1, len(self.wall_ms) * percent // 100)]


async def measure(clicks: int = CLICKS) -> dict[str, Any]:
    """The line of the bench, without its name."""
    async with Place() as place:
        workspace = place.house.workspace
        few = max(1, clicks // 10)
        async with place.bot() as bot:
            _say(f"{clicks} clicks over signed HTTP")
            click, noop = await _compared(bot, workspace, workspace.delivery.send, clicks)
            _say(f"{few} clicks by people of whom nothing is known yet")
            cold = await _cold(bot, workspace, few)
            _say(f"{few} clicks and their effects")
            effects_us = await _effects(bot, workspace, few)
        async with place.bot(http=False) as bot:
            _say(f"{clicks} clicks over a socket")
            await workspace.wait_for(lambda: workspace.bot_connected)
            socket_click, socket_noop = await _compared(bot, workspace, workspace.delivery.send, clicks)
        _say(f"{few} clicks whose turns to Redis are counted")
        warm_turns, cold_turns = await _turns(place, few)
        return {
            **_line(click, noop),
            "redis_round_trips": warm_turns,
            "effects_cpu_us": round(effects_us),
            "socket_mode": _line(socket_click, socket_noop),
            "cold_facts": {
                "cpu_us": round(cold.cpu), "p50_ms": _ms(cold, 50), "p99_ms": _ms(cold, 99), "redis_round_trips": cold_turns,
            },
            "n": clicks,
            "server": place.server,
            "appendfsync": "always",
            "python": platform.python_version(),
        }  # fmt: skip


async def _compared(bot: Bot, workspace: Workspace, send: Send, clicks: int) -> tuple[Cost, Cost]:
    """Blocks of clicks and of no-ops in turn, so that what else the machine does falls on both."""
    warming = min(clicks, BLOCK)
    approvals = await _approvals(bot, workspace, clicks + warming)
    await bot.told("warm")
    for envelope in approvals[:warming]:
        await _sent(send, envelope)
        await _sent(send, _as_noop(workspace, envelope))
    click, noop = Cost(), Cost()
    for start in range(warming, len(approvals), BLOCK):
        block = approvals[start : start + BLOCK]
        nothing = [_as_noop(workspace, envelope) for envelope in block]
        await bot.told("warm")
        for cost, envelopes in [(click, block), (noop, nothing)][:: 1 if start // BLOCK % 2 else -1]:
            await _block(bot, send, envelopes, cost)
    await _decided(bot, approvals)
    return click, noop


async def _decided(bot: Bot, approvals: list[Envelope]) -> None:
    """Raises `RuntimeError` where a click was acknowledged and has decided nothing: then something else was measured."""
    requests = [envelope.payload["actions"][0]["value"].partition(":")[0] for envelope in approvals]
    if (states := await bot.told("states", *requests)) != ["approved"]:
        raise RuntimeError(f"The clicks should have approved, and the requests are {', '.join(states)}.")


async def _block(bot: Bot, send: Send, envelopes: list[Envelope], cost: Cost) -> None:
    before = await bot.cpu_us()
    for envelope in envelopes:
        cost.wall_ms.append(await _sent(send, envelope))
    await bot.told("drain")
    cost.cpu_us.append((await bot.cpu_us() - before) / len(envelopes))


async def _cold(bot: Bot, workspace: Workspace, clicks: int) -> Cost:
    cost, approvals = Cost(), await _approvals(bot, workspace, clicks)
    for envelope in approvals:
        await bot.told("forget")
        await _block(bot, workspace.delivery.send, [envelope], cost)
    await _decided(bot, approvals)
    return cost


async def _effects(bot: Bot, workspace: Workspace, clicks: int) -> float:
    """CPU of what one click leaves to the relay, µs: the median."""
    found = []
    for envelope in await _approvals(bot, workspace, clicks):
        await bot.told("warm")
        await _sent(workspace.delivery.send, envelope)
        await bot.told("drain")
        before = await bot.cpu_us()
        await bot.told("perform")
        found.append(await bot.cpu_us() - before)
    return statistics.median(found)


async def _turns(place: Place, clicks: int) -> tuple[int, int]:
    """The most that a click waited for: with facts at hand, and without."""
    workspace = place.house.workspace
    turns = Turns(place.folder / "turns", place.socket)
    await turns.start()
    most: dict[str, int] = {}
    async with place.bot(environ={"REDIS_URL": turns.url}) as bot:
        for facts in ("warm", "forget"):
            first, *others = await _approvals(bot, workspace, clicks + 1)
            await bot.told("warm")
            await _sent(workspace.delivery.send, first)  # scripts are loaded, the policy is read
            for envelope in others:
                await bot.told(facts)
                await bot.told("drain")
                before = turns.completed
                await _sent(workspace.delivery.send, envelope)
                most[facts] = max(most.get(facts, 0), turns.completed - before)
            await bot.told("drain")
    await turns.stop()
    return most["warm"], most["forget"]


async def _approvals(bot: Bot, workspace: Workspace, count: int) -> list[Envelope]:
    """Ben's click on Approve for each of so many new requests, as his client sends it: by the cards that were posted."""
    asked = await bot.told("ask", count)
    await bot.told("perform")
    cards = {}
    for message in workspace.messages(seed.APPROVALS):
        if APPROVE in actions_of(message):
            _, button = find(message.blocks, APPROVE, None)
            cards[button["value"].partition(":")[0]] = message
    envelopes = []
    for request in asked:
        where, message = workspace.message_for(seed.BEN, seed.APPROVALS, cards[request].ts)
        block, element = find(message.blocks, APPROVE, None)
        acted, _ = payloads.action(workspace, block, element, None, None)
        url = workspace.response_urls.new(where.id, seed.BEN, message)
        person = workspace.viewer(seed.BEN)
        payload = payloads.message_action_payload(workspace, person, where, message, acted, url, {})
        envelopes.append(Envelope(workspace.new_id("E"), "interactive", payload, accepts_response_payload=True))
    return envelopes


def _as_noop(workspace: Workspace, envelope: Envelope) -> Envelope:
    """The same click on a button that does nothing."""
    payload = copy.deepcopy(envelope.payload)
    payload["actions"][0]["action_id"] = NOOP
    return Envelope(workspace.new_id("E"), "interactive", payload, accepts_response_payload=True)


async def _sent(send: Send, envelope: Envelope) -> float:
    """How long until the acknowledgement, ms."""
    begun = time.perf_counter()
    ack = await send(envelope)
    took = (time.perf_counter() - begun) * 1000
    if not ack.ok:
        raise RuntimeError(f"The bot did not acknowledge a click: {ack.reason}.")
    return took


def _line(click: Cost, noop: Cost) -> dict[str, Any]:
    return {
        "cpu_us": round(click.cpu),
        "noop_cpu_us": round(noop.cpu),
        "cpu_ratio_to_noop": round(click.cpu / noop.cpu, 2),
        "p50_ms": _ms(click, 50),
        "p99_ms": _ms(click, 99),
        "noop_p50_ms": _ms(noop, 50),
    }


def _ms(cost: Cost, percent: int) -> float:
    return round(cost.percentile(percent), 2)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
