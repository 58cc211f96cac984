"""The bench of a click runs and prints what it promises. How long things take on a machine is no test's business."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.turns import Turns
from tests import servers

ROOT = Path(__file__).parent.parent.parent
COSTS = {"cpu_us", "noop_cpu_us", "cpu_ratio_to_noop", "p50_ms", "p99_ms", "noop_p50_ms"}


def bench(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    ran = bench("click", "--clicks", "2")
    assert ran.returncode == 0, ran.stderr
    [line] = ran.stdout.splitlines()
    return dict(json.loads(line))


def test_a_few_clicks_give_one_line_with_every_number(said: dict[str, Any]) -> None:
    others = {"bench", "redis_round_trips", "effects_cpu_us", "socket_mode", "cold_facts", "n"}
    assert said.keys() == COSTS | others | {"server", "appendfsync", "python"}
    assert (said["bench"], said["n"], said["appendfsync"]) == ("click", 2, "always")
    for costs in (said, said["socket_mode"]):
        assert all(costs[name] > 0 for name in COSTS)
        assert costs["cpu_us"] > costs["noop_cpu_us"]
    assert said["effects_cpu_us"] > 0


def test_a_click_waits_for_two_turns_to_redis_at_most_and_only_unknown_people_cost_more(said: dict[str, Any]) -> None:
    assert said["redis_round_trips"] in {1, 2}
    assert said["cold_facts"]["redis_round_trips"] > 2


def test_a_bench_that_is_not_there_is_said_to_be() -> None:
    ran = bench("clack")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "there is no bench clack: there is click" in ran.stderr


async def test_questions_sent_together_are_one_turn_and_an_answer_on_its_way_is_none(
    real_server: servers.Server,
) -> None:
    path = real_server.folder / "turns"
    turns = Turns(path, real_server.socket)
    await turns.start()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"PING\r\nPING\r\n")
    assert turns.completed == 0
    assert await reader.readexactly(14) == b"+PONG\r\n" * 2
    assert turns.completed == 1
    writer.write(b"PING\r\n")
    assert await reader.readexactly(7) == b"+PONG\r\n"
    assert turns.completed == 2
    writer.close()
    await writer.wait_closed()
    await turns.stop()
