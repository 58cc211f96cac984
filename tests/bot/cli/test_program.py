"""What every command has in common: help, errors, exit codes, pipes, colours, and a start without Bolt."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot import VERSION
from bot.cli import program, run
from bot.cli.output import exit_code
from bot.settings import NAMES
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable

ROOT = Path(__file__).parent.parent.parent.parent
EXAMPLE = str(ROOT / "policies.example.yml")
HEAVY = ("slack_bolt", "slack_sdk", "aiohttp", "redis", "apscheduler", "cryptography")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["serve", "--help"], ["policy", "check", EXAMPLE], ["policy", "schema"]]
)
def test_what_needs_no_slack_starts_without_it(arguments: list[str]):
    script = f"import sys; from bot.cli import run; code = run({arguments!r}); print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "[]\n")


def test_every_command_is_in_the_help_and_has_help(capsys: pytest.CaptureFixture[str]):
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    for name, short in program.SHORT.items():
        assert f"  {name} " in listed
        assert short in listed
        assert run([name, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: countersign {name}")
    assert [*program.SHORT] == [*program.COMMANDS]


@pytest.mark.parametrize("arguments", [[], ["policy"], ["request"], ["audit"], ["hooks"]])
def test_nothing_said_is_answered_with_help(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(arguments) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Usage: countersign")
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nix"], "No such command 'nix'. See: countersign --help"),
        (["doctor", "--nix"], "No such option '--nix'. See: countersign doctor --help"),
        (["policy", "explain", "open", "a/b"], "Missing option '--as'. See: countersign policy explain --help"),
        (["policy", "explain", "--as", "U0ANA"], "Missing argument 'ACTION"),
        (["request", "show"], "Missing argument 'ID'. See: countersign request show --help"),
        (["audit", "tail", "-n", "0"], "Invalid value for '-n'"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]):
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(sentence)
    assert "\nUsage" not in said.err


@pytest.mark.parametrize("form", [["-o", "json"], ["--output", "json"], ["--output=json"], ["-ojson"]])
def test_errors_are_json_where_json_is_asked_for(form: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(["doctor", *form, "--nix"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "error": {"code": "usage", "message": "No such option '--nix'. See: countersign doctor --help"}
    }
    assert said.err == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [(Invalid, 2), (Forbidden, 3), (NotFound, 4), (Conflict, 5), (Unavailable, 6), (AccessError, 1)],
)
def test_exit_codes(error: type[AccessError], code: int):
    assert exit_code(error("No.")) == code


def test_python_m_bot_is_the_same_program():
    ran = subprocess.run(
        [sys.executable, "-m", "bot", "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("countersign 0.")


def test_the_version_is_the_projects():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_who_reads_no_further_breaks_nothing():
    ran = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m bot cards | head -n 1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    assert json.loads(ran.stdout)["kind"] in ("message", "view")


def test_cards_prints_the_storybook(capsys: pytest.CaptureFixture[str]):
    from bot.slack.storybook import stories

    assert run(["cards"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [story["name"] for story in printed] == [story["name"] for story in stories()]
    assert {*printed[0]} == {"name", "kind", "payload"}


def at_a_terminal(*arguments: str, **environ: str) -> str:
    """What the program shows at a terminal of 60 columns."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "bot", *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "TERM": "xterm", "COLUMNS": "60", "LINES": "40", **environ}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=follower, stderr=follower, stdin=follower)
    os.close(follower)
    said = b""
    while True:
        try:
            said += (part := os.read(leader, 65_536))
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
    process.wait()
    os.close(leader)
    return said.decode().replace("\r\n", "\n")


def test_at_a_terminal_lines_are_wrapped_and_headings_stand_out():
    said = at_a_terminal("policy", "check", EXAMPLE)
    assert "\x1b[1m1. payments production" in said
    assert max(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "")) for line in said.splitlines()) <= 60


def test_no_color_is_respected():
    assert "\x1b" not in at_a_terminal("policy", "check", EXAMPLE, NO_COLOR="1")


def test_in_a_pipe_nothing_is_wrapped_or_coloured(capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "check", EXAMPLE]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out
    assert max(map(len, said.out.splitlines())) > 120
    assert said.err == ""


def test_the_operators_page_names_every_setting_and_every_command():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in page] == []
    assert [name for name in program.COMMANDS if not re.search(rf"^\| `{name}\b", page, re.MULTILINE)] == []
    text = (ROOT / "scheduler" / "metrics.py").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"`(countersign_\w+)`", page) if f'"{name}"' not in text] == []
