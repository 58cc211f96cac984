"""The house keeps what people did by its clock."""

from pathlib import Path

from playground.house import House
from store.model.policy import HOUR


async def test_a_restart_does_not_turn_the_clock_back(tmp_path: Path):
    assert House(tmp_path).skew_ms() == 0
    house = House(tmp_path)
    await house.advance(HOUR)
    await house.advance(HOUR)
    assert House(tmp_path).skew_ms() == 2 * HOUR
