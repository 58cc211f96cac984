"""`policy check` and `policy explain`: what a file says, and what it does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli import run

FILE = """\
version: 1
organization: acme
owners: {users: [ana@example.com]}
targets:
  payments/prod: {}
  payments/prod#api: {}
  payments/staging: {}
  role:admin: {connector: okta, group: admins}
  countersign/connectors: {}
connectors:
  okta: {type: scim, url: "https://okta.example.com/scim/v2", credentials: countersign/connectors}
policies:
  - name: production
    targets: [payments/prod, countersign/connectors]
    actions: [open, change, deploy]
    requesters: {groups: [dev], users: [rosa@example.com]}
    approvals: [{from: {users: [ben@example.com, rosa@example.com]}}]
    enforcement: soft
    bypassers: {users: [omar@example.com]}
    access: {default: 30m, max: 2h}
  - name: staging
    targets: [payments/staging]
    actions: [open]
    requesters: {users: [rosa@example.com, ben@example.com]}
    approvals: [{from: {users: [ben@example.com]}}]
  - name: role
    targets: ["role:admin"]
    actions: [access]
    requesters: {users: [U0ROSA]}
    approvals: [{count: 2, from: {groups: [leads]}}]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "policies.yml"
    path.write_text(FILE)
    return str(path)


def asked(capsys: pytest.CaptureFixture[str], file: str, *question: str) -> dict[str, Any]:
    code = run(["policy", "explain", *question, "--file", file, "-o", "json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == (3 if answer["verdict"] == "refused" else 0)
    return answer


@pytest.mark.parametrize(
    ("question", "verdict", "words"),
    [
        ("--as rosa@example.com open payments/prod", "depends", "may ask to open payments/prod for 30 minutes."),
        ("--as ROSA@example.com open payments/prod", "depends", "rosa@example.com may ask"),
        ("--as rosa@example.com open acme/payments/prod", "depends", "open payments/prod"),
        ("--as rosa@example.com change payments/prod", "depends", "may ask to change payments/prod."),
        ("--as zoe@example.com open payments/prod", "depends", "if Slack counts them among @dev or rosa@example.com."),
        ("--as rosa@example.com open payments/prod --for 2h", "depends", "for 2 hours"),
        ("--as rosa@example.com open payments/prod --for 3h", "refused", "for 2 hours at most, not for 3 hours"),
        ("--as zoe@example.com open payments/staging", "refused", "does not name zoe@example.com"),
        ("--as ben@example.com open payments/staging", "refused", "Nobody could approve it: apart from ben@"),
        ("--as rosa@example.com open payments/nix", "refused", "There is no target payments/nix"),
        ("--as rosa@example.com change payments/staging", "refused", "No rule says who may decide “change”"),
        ("--as rosa@example.com open payments/prod#api", "refused", "and payments/prod#api is an application"),
        ("--as rosa@example.com deploy payments/prod", "refused", "No hook deploys payments/prod"),
        ("--as U0ROSA access role:admin", "depends", "may ask to hold role:admin for 1 hour."),
        ("--as rosa@example.com access role:admin", "depends", "if Slack counts them among U0ROSA"),
        ("--as U0ZOE access role:admin", "refused", "does not name U0ZOE"),
    ],
)
def test_a_request_is_explained(file: str, question: str, verdict: str, words: str, capsys: pytest.CaptureFixture[str]):
    answer = asked(capsys, file, *question.split())
    assert answer["verdict"] == verdict
    assert words in answer["sentence"]


def test_the_rule_is_named_with_its_place_and_what_only_slack_knows(file: str, capsys: pytest.CaptureFixture[str]):
    answer = asked(capsys, file, "--as", "rosa@example.com", "open", "payments/prod")
    line = FILE.splitlines().index("  - name: production") + 1
    assert answer["rule"] == {"name": "production", "number": 1, "place": f"{file}:{line}"}
    assert answer["lines"][0].endswith(f"({file}:{line})")
    assert answer["only_slack_knows"] == [
        "whether rosa@example.com and the approvers are active members of the workspace, and not guests"
    ]
    unsure = asked(capsys, file, "--as", "zoe@example.com", "open", "payments/prod")
    assert unsure["only_slack_knows"][0] == "who is in @dev"


def test_who_could_approve_and_who_could_not_is_said_with_the_reason(file: str, capsys: pytest.CaptureFixture[str]):
    [threshold] = asked(capsys, file, "--as", "rosa@example.com", "open", "payments/prod")["thresholds"]
    assert [each["name"] for each in threshold["could"]] == ["ben@example.com"]
    assert [(each["name"], each["why_not"]) for each in threshold["could_not"]] == [("rosa@example.com", "asks for it")]


def test_everything_in_the_way_is_said_at_once(file: str, capsys: pytest.CaptureFixture[str]):
    answer = asked(capsys, file, "--as", "ben@example.com", "open", "payments/staging", "--for", "9h")
    assert answer["hindrances"] == ["too_long", "unreachable"]
    assert answer["missing"] == [{"count": 1, "from": ["ben@example.com"]}]


def test_where_no_rule_decides_the_near_ones_are_named(file: str, capsys: pytest.CaptureFixture[str]):
    answer = asked(capsys, file, "--as", "rosa@example.com", "change", "payments/staging")
    assert answer["lines"] == ["Rules: “staging” is for payments/staging, to open."]


def test_for_people_it_ends_with_what_stays_open(file: str, capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "explain", "--as", "zoe@example.com", "open", "payments/prod", "--file", file]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("zoe@example.com may ask to open payments/prod for 30 minutes, if ")
    assert said[-1].startswith("Only Slack knows who is in @dev, and whether zoe@example.com ")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("--as rosa open payments/prod", "“rosa” is neither an e-mail address nor a Slack user id."),
        ("--as rosa@example.com open PROD", "“PROD” is not a target."),
        ("--as rosa@example.com open payments/prod --for soon", "“soon” is not a duration"),
        ("--as rosa@example.com change payments/prod --for 2h", "“change” has no duration"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    file: str, question: str, sentence: str, capsys: pytest.CaptureFixture[str]
):
    assert run(["policy", "explain", *question.split(), "--file", file]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(sentence)


def test_a_sound_file_is_told_in_words(file: str, capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "check", file]) == 0
    said = capsys.readouterr()
    assert "1. production" in said.out.splitlines()
    assert said.err.endswith(" (warning)\n")
    assert run(["policy", "check", "--quiet", file]) == 0
    assert capsys.readouterr().out == ""


def test_a_wrong_file_is_told_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "policies.yml"
    path.write_text(FILE.replace("soft", "softly").replace("30m", "half an hour"))
    assert run(["policy", "check", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    assert all(line.startswith(f"{path}:") for line in said.err.splitlines())
    assert run(["policy", "check", str(path), "-o", "json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [problem["line"] for problem in found["errors"]] == [18, 20]


def test_explaining_a_wrong_file_says_what_is_wrong_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "explain", "--as", "U0ANA", "open", "a/b", "--file", str(tmp_path / "none.yml")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_the_schema_is_one(capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Countersign policies"


def test_two_files_are_compared_in_words(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = tmp_path / "other.yml"
    other.write_text(FILE.replace("max: 2h", "max: 3h").replace("name: staging", "name: stage"))
    assert run(["policy", "diff", file, str(other)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "rule “production”: changed",
        "  access.max: 2h → 3h",
        "rule “stage”: renamed, was “staging”",
    ]
    assert run(["policy", "diff", file, str(other), "-o", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["differences"][0]["fields"] == [{"key": "access.max", "before": "2h", "after": "3h"}]
    assert run(["policy", "diff", "-u", file, str(other)]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"--- {file}\n+++ {other}\n@@ ")
    assert "\x1b" not in said


def test_files_that_mean_the_same_have_no_difference(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = tmp_path / "other.yml"
    other.write_text("# The same.\n" + FILE.replace("groups: [dev]", 'groups: ["@dev"]'))
    assert run(["policy", "diff", file, str(other)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"No difference: {other} means the same as {file}.\n"


def test_a_file_that_cannot_be_used_is_not_compared(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "diff", file, str(tmp_path / "none.yml")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert run(["policy", "diff", str(tmp_path / "none.yml")]) == 2
    assert "there is no such file" in capsys.readouterr().err
