"""Retention: old versions lie in a file before they are gone, readable by us alone, and by one replica at a time."""

import json
from pathlib import Path

import pytest

from scheduler.retention import Retaining
from store.model.errors import Unavailable
from store.redis.retention import Retention
from store.redis.turns import Turns
from tests.store.redis.corridor import Corridor


def retaining(corridor: Corridor, folder: Path, kept: int = 2) -> Retaining:
    retention = Retention(corridor.redis, corridor.keys, corridor.scripts, corridor.skew, corridor.random)
    return Retaining(retention, Turns(corridor.keys, corridor.scripts, corridor.random), folder, kept)


@pytest.fixture
async def five(corridor: Corridor) -> Corridor:
    """Five versions of payments/prod."""
    for number in range(4):
        await corridor.approved("change", A=f"kanarienvogel-{number}")
    return corridor


async def test_they_are_written_and_dropped(five: Corridor, tmp_path: Path) -> None:
    environment = await five.environments.ensure("payments/prod")
    folder = tmp_path / "data" / "exports"
    await retaining(five, folder).look()
    path = folder / f"{environment.id}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["version"] for line in lines] == [1, 2, 3]
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "kanarienvogel" not in path.read_text()
    assert await five.versions.oldest(environment.id) == 4
    await five.approved("change", A="b")
    await retaining(five, folder).look()
    assert [json.loads(line)["version"] for line in path.read_text().splitlines()] == [1, 2, 3, 4]


async def test_where_they_cannot_be_written_they_stay(five: Corridor, tmp_path: Path) -> None:
    (tmp_path / "exports").touch()
    with pytest.raises(Unavailable, match="cannot be written"):
        await retaining(five, tmp_path / "exports").look()
    environment = await five.environments.ensure("payments/prod")
    assert await five.versions.oldest(environment.id) == 1


async def test_one_at_a_time(five: Corridor, tmp_path: Path) -> None:
    turns = Turns(five.keys, five.scripts, five.random)
    async with turns.turn("retention", lease_ms=60_000, busy_for_ms=1_000):
        with pytest.raises(Unavailable, match="Somebody else"):
            await retaining(five, tmp_path).look()
    assert list(tmp_path.iterdir()) == []


async def test_what_is_kept_is_not_looked_at_twice(five: Corridor, tmp_path: Path) -> None:
    await retaining(five, tmp_path, kept=5).look()
    assert list(tmp_path.iterdir()) == []
