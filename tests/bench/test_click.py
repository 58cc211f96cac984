"""The bench of a click runs and prints what it promises. How long things take on a machine is no test's business."""

import asyncio
from typing import Any

import pytest

from bench import __main__
from bench.turns import Turns
from tests import servers
from tests.bench.running import bench

COSTS = {"cpu_us", "noop_cpu_us", "cpu_ratio_to_noop", "p50_ms", "p99_ms", "noop_p50_ms"}


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    return bench("click", "--clicks", "2")


@pytest.mark.slow
def test_a_few_clicks_give_one_line_with_every_number(said: dict[str, Any]) -> None:
    others = {"bench", "redis_round_trips", "effects_cpu_us", "socket_mode", "cold_facts", "n"}
    assert said.keys() == COSTS | others | {"server", "appendfsync", "python"}
    assert (said["bench"], said["n"], said["appendfsync"]) == ("click", 2, "always")
    for costs in (said, said["socket_mode"]):
        assert all(costs[name] > 0 for name in COSTS)
        assert costs["cpu_us"] > costs["noop_cpu_us"]
    assert said["effects_cpu_us"] > 0


@pytest.mark.slow
def test_a_click_waits_for_two_turns_to_redis_at_most_and_only_unknown_people_cost_more(said: dict[str, Any]) -> None:
    assert said["redis_round_trips"] in {1, 2}
    assert said["cold_facts"]["redis_round_trips"] > 2


def test_a_bench_that_is_not_there_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        __main__.main(["clack"])
    assert refused.value.code == 2
    assert "there is no bench clack: there is click" in capsys.readouterr().err


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
