"""`keyserver` at its console: who may call, what its pin is, and what was answered."""

import asyncio
import json
import secrets
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli.program import program
from keyserver.callers import Callers
from keyserver.ledger import Ledger
from store.keys.identity import Identity


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keyserver"


def ran(folder: Path, *arguments: str, given: str | None = None) -> str:
    found = CliRunner().invoke(program, ["keyserver", *arguments, "--data", str(folder)], input=given)
    assert not found.exit_code, found.output
    return found.stdout


async def certificate(tmp_path: Path) -> str:
    return (await Identity.load_or_make(tmp_path / "bot.key", secrets.token_bytes)).certificate


def test_the_pin_is_shown_and_stays(folder: Path) -> None:
    shown = json.loads(ran(folder, "show", "-o", "json"))
    assert shown["fingerprint"] == shown["pin"][:32]
    assert ran(folder, "show").strip() == shown["pin"]


def test_a_caller_is_allowed_listed_and_forgotten(folder: Path, tmp_path: Path) -> None:
    pem = asyncio.run(certificate(tmp_path))
    assert "production may call from now on" in ran(folder, "allow", "-", "--name", "production", given=pem)
    (caller,) = json.loads(ran(folder, "callers", "-o", "json"))
    assert caller["name"] == "production"
    assert Callers(folder / "callers").names() == {caller["pin"]: "production"}
    assert "refused from now on" in ran(folder, "forget", "production")
    assert json.loads(ran(folder, "callers", "-o", "json")) == []


def test_the_ledger_is_printed_line_by_line(folder: Path) -> None:
    ledger = Ledger(folder / "ledger.jsonl").open()
    for answer in ("done", "unknown_roster"):
        ledger.write(at="2026-11-21T00:00:00", caller="production", did="unwrap", about="abc/def/1", answer=answer)
    ledger.close()
    lines = [json.loads(line) for line in ran(folder, "ledger", "-o", "json").splitlines()]
    assert [(line["number"], line["answer"]) for line in lines] == [(1, "done"), (2, "unknown_roster")]
