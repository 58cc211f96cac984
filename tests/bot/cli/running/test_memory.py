"""Files lie in memory, or nowhere unless that was said; and what was left behind is cleared away."""

import os
import stat
from pathlib import Path

import pytest

from bot.cli.running.memory import PREFIX, File, Folder, in_memory, place, sweep
from store.model.errors import Unavailable
from store.model.secret import Secret

SHM = Path("/dev/shm")  # noqa: S108 - what is looked at


def test_a_disk_is_no_memory(tmp_path: Path):
    assert in_memory(SHM)
    assert not in_memory(tmp_path)
    assert not in_memory(tmp_path / "none")


def test_what_is_set_is_looked_at_and_not_believed(tmp_path: Path):
    assert place({"XDG_RUNTIME_DIR": str(tmp_path)}, on_disk=False) == SHM


def test_without_memory_it_is_refused_unless_a_disk_is_said_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bot.cli.running.memory.IN_MEMORY", frozenset())
    with pytest.raises(Unavailable, match="--files-on-disk"):
        place({}, on_disk=False)
    assert place({}, on_disk=True).is_dir()


def test_nobody_else_enters_and_modes_are_kept(tmp_path: Path):
    folder = Folder(tmp_path)
    folder.fill({"a/b.pem": File(Secret(b"x"), 0o444), "c": File(Secret(b"y"))})
    modes = {
        path.relative_to(folder.path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in folder.path.rglob("*")
    }
    assert modes == {"a": 0o700, "a/b.pem": 0o444, "c": 0o600}
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_only_what_nobody_holds_and_is_old_is_cleared_away(tmp_path: Path):
    held, left = Folder(tmp_path), tmp_path / f"{PREFIX}left"
    held.fill({"a": File(Secret(b"x"))})
    left.mkdir()
    (left / "key").write_text("x")
    young = left.stat().st_mtime
    sweep(tmp_path, young + 1)
    assert left.exists()
    os.utime(held.path, (young, young))
    sweep(tmp_path, young + 3600)
    assert list(tmp_path.iterdir()) == [held.path]
    held.remove()
