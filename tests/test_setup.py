"""The set-up itself: the fixtures, the locks, the commands."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests import servers

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)( ;.*?)? \\$", re.MULTILINE)


async def test_every_kind_of_redis_starts_empty_and_runs_lua(any_redis: Redis):
    assert await any_redis.dbsize() == 0
    assert await any_redis.eval("return redis.call('INCR', KEYS[1])", 1, "k") == 1


async def test_the_real_redis_writes_every_change_to_disk(real_redis: Redis):
    assert await real_redis.dbsize() == 0
    await real_redis.set("k", b"v")
    assert (await real_redis.info("persistence"))["aof_enabled"] == 1
    assert (await real_redis.config_get("appendfsync")) == {"appendfsync": "always"}


async def test_a_killed_server_comes_back_with_what_it_had():
    server = servers.Server(servers.valkey_binary(), *servers.DURABLE).start()
    try:
        async with Redis.from_url(server.url) as client:
            await client.set("k", b"v")
        server.kill()
        server.start()
        async with Redis.from_url(server.url) as client:
            assert await client.get("k") == b"v"
    finally:
        server.remove()


def test_a_browser_is_where_it_says(chromium: str):
    assert chromium


def pins(name: str) -> dict[str, str]:
    found = PIN.findall((ROOT / "requirements" / name).read_text())
    assert found
    return {package: version for package, version, _ in found}


def test_what_runs_is_what_was_tested():
    run, dev = pins("run.txt"), pins("dev.txt")
    assert run.items() <= dev.items()
    assert "pytest" in dev
    assert "pytest" not in run


def test_mutants_meet_what_is_tested_and_their_tool_is_nowhere_else():
    mutate, dev = pins("mutate.txt"), pins("dev.txt")
    assert {package: dev[package] for package in mutate.keys() & dev.keys()}.items() <= mutate.items()
    assert "mutmut" in mutate
    assert "mutmut" not in dev


def test_the_locks_hold_every_dependency_and_no_host():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *extras["playground"], *extras["github"]]
    for name, group in project["dependency-groups"].items():
        assert names(group) <= set(pins(f"{name}.txt" if name in ("mutate", "live") else "dev.txt"))
    assert names(wanted) <= set(pins("run.txt"))
    for lock in (ROOT / "requirements").iterdir():
        assert "://" not in lock.read_text()
        assert not re.search(r"^-", lock.read_text(), re.MULTILINE)


def names(requirements: list[str]) -> set[str]:
    return {
        re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-").replace(".", "-")
        for requirement in requirements
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that knows only the commands in its `path`: make's own needs, and the Pythons a test puts there."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").touch()
    (tmp_path / "bot" / "__main__.py").write_text("import colorsys, os, sys; print(os.getcwd(), *sys.argv[1:])")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.txt").touch()
    (tmp_path / "path").mkdir()
    for command in ("make", "sh", "test", "rm", "printf", "chmod", "echo", "sed", "ln", "mkdir", "readlink", "touch"):
        if found := shutil.which(command):
            (tmp_path / "path" / command).symlink_to(found)
    return tmp_path


def python(checkout: Path, name: str, script: str) -> None:
    path = checkout / "path" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


# `python -m venv --clear .venv` without the seconds it takes.
WORKS = f"""case "$*" in
*venv\\ --clear*) {shutil.which("mkdir")} -p .venv/bin && {shutil.which("ln")} -s '{sys.executable}' .venv/bin/python; echo "made by ${{0##*/}}" ;;
*) exec '{sys.executable}' "$@" ;;
esac"""


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": str(checkout / "path"), "HOME": "/empty"}
    return subprocess.run(["make", *arguments], cwd=checkout, env=environ, capture_output=True, text=True, check=False)


def test_make_takes_the_first_python_that_runs(checkout: Path):
    python(checkout, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    python(checkout, "python3.12", WORKS)
    python(checkout, "python3.11", "exit 1")
    run = make(checkout, ".venv/bin/countersign")
    assert run.returncode == 0, run.stderr
    assert "made by python3.12" in run.stdout
    assert run.stderr == ""


def test_without_a_python_make_says_so_in_one_sentence(checkout: Path):
    python(checkout, "python3", "exit 1")
    run = make(checkout, "run")
    assert run.returncode != 0
    (line,) = run.stdout.splitlines()
    assert line.startswith("Countersign needs Python 3.11, 3.12 or 3.13")
    assert "PYTHON=" in line
    assert not (checkout / ".venv").exists()


def test_python_can_be_named(checkout: Path):
    python(checkout, "python3.12", WORKS)
    python(checkout, "mine", WORKS)
    assert "made by mine" in make(checkout, ".venv/bin/countersign", "PYTHON=mine").stdout


def test_the_command_runs_this_checkout_from_any_folder(checkout: Path, tmp_path_factory: pytest.TempPathFactory):
    python(checkout, "python3.11", WORKS)
    make(checkout, ".venv/bin/countersign")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for module in ("bot", "colorsys"):
        (elsewhere / f"{module}.py").write_text("raise SystemExit('the wrong one')")
    command = [str(checkout / ".venv" / "bin" / "countersign"), "doctor", "two words"]
    run = subprocess.run(command, cwd=elsewhere, env={"PATH": os.defpath}, capture_output=True, text=True, check=False)
    assert run.stdout == f"{elsewhere} doctor two words\n", run.stderr


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Path):
    python(checkout, "python3.11", WORKS)
    make(checkout, ".venv/bin/countersign")
    (checkout / ".venv" / "bin" / "python").unlink()
    assert "made by python3.11" in make(checkout, ".venv/bin/countersign").stdout
    assert "made by" not in make(checkout, ".venv/bin/countersign").stdout


@pytest.fixture
def installable(checkout: Path) -> Path:
    python(checkout, "python3.11", WORKS)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to("/bin/true")  # what pip would install is here already
    return checkout


def test_install_links_the_command_once_and_says_whether_it_is_found(installable: Path):
    prefix = installable / "pre fix"
    link, ours = prefix / "bin" / "countersign", installable / ".venv" / "bin" / "countersign"
    first = make(installable, "install", f"PREFIX={prefix}")
    assert (first.returncode, first.stderr) == (0, "")
    assert link.readlink() == ours
    assert f"{prefix}/bin is not on your PATH" in first.stdout
    again = make(installable, "install", f"PREFIX={prefix}")
    assert again.returncode == 0
    assert again.stdout.startswith(f"{link} is there already and runs this checkout.")


def test_install_is_silent_about_a_path_that_has_it(installable: Path):
    (installable / "bin").symlink_to("path")
    environ = {"PATH": f"{installable / 'path'}:{installable}/bin", "HOME": "/empty"}
    command = ["make", "install", f"PREFIX={installable}"]
    run = subprocess.run(command, cwd=installable, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "PATH" not in run.stdout


@pytest.mark.parametrize("dangling", [True, False])
def test_install_overwrites_nothing_that_is_not_ours(installable: Path, *, dangling: bool):
    link = installable / "bin" / "countersign"
    link.parent.mkdir()
    if dangling:
        link.symlink_to("/gone/countersign")
    else:
        link.write_text("theirs")
    run = make(installable, "install", f"PREFIX={installable}")
    assert run.returncode != 0
    assert "is something else. Remove it, or choose another place" in run.stdout
    assert link.is_symlink() if dangling else link.read_text() == "theirs"


def test_every_command_of_the_makefile_is_in_its_help(checkout: Path):
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    told = {line.split()[1] for line in make(checkout).stdout.splitlines()}
    assert told == set(phony[1].split()) - {"help"}
