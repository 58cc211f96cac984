"""What a sound file asks for and this version does not do is told, with its place."""

from pathlib import Path

import pytest

from bot.policy_file import check, parse

FILE = """\
version: 1
organization: acme
owners: {users: [ana@example.com]}
targets:
  payments/prod: {values_in_slack: enter_and_show, hooks: [{name: api, url: "https://deploy.example.com/api"}]}
  acme/payments/tokens: {values_in_slack: enter}
  payments/prod#api: {}
  policy:main: {}
policies:
  - {name: a, targets: ["payments/prod"], actions: [change, open], requesters: {groups: [dev]}, approvals: [{from: {groups: [leads]}}]}
  - {name: b, targets: ["acme/payments/tokens"], actions: [change], requesters: {groups: [dev]}, approvals: [{from: {groups: [leads]}}]}
  - {name: c, targets: ["policy:main"], actions: [policy], requesters: {groups: [dev]}, approvals: [{from: {groups: [leads]}}]}
"""


@pytest.mark.parametrize("setting", ["enter_and_show", "enter", "none"])
def test_nothing_is_said_of_what_works(setting: str):
    """Values have a way in and out that is not Slack's."""
    file = parse(FILE.replace("enter_and_show", setting).encode())
    assert file.missing == file.warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[change, open]", "[change, open, deploy]", ["10:67: nobody can ask for a deploy."]),
        ("name: a, ", "name: a, deployers: {groups: [dev]}, ", ["10:15: there is no Deploy to press."]),
    ],
)
def test_each_has_its_place(old, new, expected):
    assert FILE.count(old) == 1
    file = parse(FILE.replace(old, new).encode(), "p.yml")
    assert [str(each) for each in file.missing] == [
        f"p.yml:{place}: not there yet: {said}" for place, said in (each.split(": ", 1) for each in expected)
    ]


def test_the_check_tells_it_beside_what_is_odd_in_the_order_of_the_file(tmp_path: Path):
    path = tmp_path / "p.yml"
    odd = "  payments/spare: {}\n  payments/prod#api"
    path.write_text(
        FILE.replace("[change, open]", "[change, open, deploy]").replace("  payments/prod#api", odd), encoding="utf-8"
    )
    said = [problem.sentence[:17] for problem in check(path).warnings]
    assert said == ["no rule is for th", "not there yet: no"]
