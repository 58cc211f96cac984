"""Every import contract fails when somebody breaks it, and no other one does."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINT = Path(sys.executable).with_name("lint-imports")

BREACHES = [
    ("rooms", "store/redis/breach.py", "import scheduler"),
    ("rooms", "scheduler/breach.py", "from bot import slack"),
    ("playground", "bot/slack/breach.py", "import playground"),
    ("keyserver", "keyserver/breach.py", "from store import redis"),
    ("keyserver-alone", "bot/slack/breach.py", "from keyserver import ledger"),
    ("model", "store/model/breach.py", "from time import monotonic"),
    ("model", "store/model/breach.py", "import cryptography"),
    ("connectors", "scheduler/connectors/breach.py", "from store import keys"),
    ("views", "bot/slack/views/breach.py", "from bot import http"),
    ("views", "bot/slack/views/breach.py", "import asyncio"),
    ("redis", "store/keys/breach.py", "from redis.asyncio import Redis"),
    ("slack", "scheduler/breach.py", "import slack_sdk.web"),
    ("clock", "bot/breach.py", "import apscheduler"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for room in ("bot", "keyserver", "scheduler", "store", "playground"):
        shutil.copytree(ROOT / room, copy / room, ignore=lambda folder, names: unread(Path(folder), names))
    (copy / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "arrows.py", copy / "tests")
    return copy


def unread(folder: Path, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or ((folder / name).is_file() and not name.endswith(".py"))]


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-logo"], cwd=tree, capture_output=True, text=True, check=False)


def test_the_tree_as_it_is_keeps_them_all(tree: Path):
    run = lint(tree)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "path", "line"), BREACHES)
def test_a_breach_is_found_by_its_contract_alone(contract: str, path: str, line: str, tree: Path):
    names = {entry["id"]: entry["name"] for entry in contracts()}
    breach = tree / path
    breach.write_text(f"{line}\n")
    try:
        run = lint(tree)
    finally:
        breach.unlink()
    assert run.returncode == 1, run.stdout + run.stderr
    broken = [text.removesuffix(" BROKEN") for text in run.stdout.splitlines() if text.endswith(" BROKEN")]
    assert broken == [names[contract]]


def contracts() -> list[dict[str, str]]:
    found: list[dict[str, str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return found


def test_no_contract_goes_untried():
    assert {entry["id"] for entry in contracts()} == {contract for contract, _, _ in BREACHES}
