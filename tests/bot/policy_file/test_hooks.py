"""What a hook may carry, and what is told of it with its line and column before anything is sent."""

import re
from pathlib import Path

import pytest

from bot.github_settings import NAMES
from bot.policy_file import PolicyFileInvalid, parse

FILE = """\
version: 1
owners: {users: [ana@example.com]}
targets:
  countersign/hooks: {values_in_slack: enter}
  payments/prod:
    values_in_slack: enter_and_show
    hooks:
      - name: api
        url: https://api.github.com/repos/acme/payments/dispatches
        HERE
policies:
  - {name: a, targets: ["*/*"], actions: [change, open], requesters: {groups: [dev]}, approvals: [{from: {groups: [leads]}}]}
"""


def told(*lines: str, file: str = FILE) -> list[str]:
    written = file.replace("HERE", "\n        ".join(lines))
    try:
        parsed = parse(written.encode(), "p.yml")
    except PolicyFileInvalid as error:
        return [str(each) for each in error.problems]
    return [str(each) for each in parsed.warnings if "policy" not in each.sentence]


@pytest.mark.parametrize(
    "lines",
    [
        ("preset: github-dispatch", "credentials: countersign/hooks"),
        (
            "preset: template",
            "template: |",
            '  {"text": "{{ data.target }}",',
            '   "n": {{ data.environment_version }}}',
        ),
        ("headers: {X-Team: payments, X-Area: a b c}",),
    ],
)
def test_what_is_sound(lines: tuple[str, ...]) -> None:
    assert told(*lines) == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ("preset: template", "template: |", '  {"text": "{{ data.target }}",', '   "n": {{ data.os }}}'),
            "p.yml:11:19: line 2, column 7 of the template: nothing is called “data.os”; there is data.access.for",
        ),
        (("preset: template", "template: '{\"n\": {{ type }'"), "p.yml:11:19: line 1, column 7 of the template: {{ has no }} after it"),
        (("preset: template",), "p.yml:10:17: the preset template needs a template"),
        (("template: '{}'",), "p.yml:10:9: only the preset template has a template; write preset: template."),
        (("ref: main",), "p.yml:10:9: only the preset github-workflow has a ref"),
        (("preset: github-dispatch",), "p.yml:10:17: GitHub takes nothing without a token; add credentials"),
        (("credentials: countersign/gone",), "p.yml:10:22: “countersign/gone” is not listed"),
        (("headers: {Authorization: Bearer x}",), "would hold a secret, and this file holds none"),
        (("headers: {X-Api-Key: x}",), "would hold a secret, and this file holds none"),
        (("headers: {Webhook-Id: x}",), "is set by Countersign itself; remove it."),
        (("headers: {Content-Type: x}",), "is set by Countersign itself; remove it."),
        (('headers: {X-A: "a\\r\\nb: c"}',), "cannot stand in a header"),
        (('headers: {"X A": b}',), "is not the name of a header"),
    ],
)  # fmt: skip
def test_what_is_not_is_told_with_its_place(lines: tuple[str, ...], said: str) -> None:
    found = told(*lines)
    assert len(found) == 1
    assert said in found[0]
    assert "Bearer" not in found[0]


GATE = ("preset: github-environment", "on: [deploy]", "environment: production", "holder: ana@example.com")
DISPATCHES = "acme/payments/dispatches"


def gated(*lines: str, url: str = "acme/payments", target: str = "payments/prod") -> list[str]:
    return told(*lines, file=FILE.replace(DISPATCHES, url).replace("payments/prod", target))


def test_a_gate_at_github_is_sound() -> None:
    assert gated(*GATE) == []
    page = (Path(__file__).parents[3] / "docs" / "github.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert told(file=f"version: 1\nowners: {{users: [ana@example.com]}}\n{example}") == []
    assert set(re.findall(r"^\| `(COUNTERSIGN_[A-Z_]+)`", page, re.MULTILINE)) == set(NAMES)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (GATE[:3], "p.yml:10:17: the preset github-environment needs a holder; name the person who answers"),
        ((*GATE[:2], GATE[3]), "p.yml:10:17: the preset github-environment needs an environment; write what GitHub calls it"),
        ((GATE[0], *GATE[2:]), "p.yml:10:17: the preset github-environment is for deploys alone; write on: [deploy]."),
        ((GATE[0], "on: [deploy, change]", *GATE[2:]), "p.yml:10:17: the preset github-environment is for deploys alone"),
        ((*GATE, "headers: {X-Team: a}"), "p.yml:14:9: the preset github-environment has no headers: Countersign answers as its GitHub App"),
        ((*GATE, "credentials: countersign/hooks"), "p.yml:14:9: the preset github-environment has no credentials"),
        (("environment: production",), "p.yml:10:9: only the preset github-environment has an environment"),
        (("holder: ana@example.com",), "p.yml:10:9: only the preset github-environment has a holder"),
    ],
)  # fmt: skip
def test_a_gate_at_github_that_is_not(lines: tuple[str, ...], said: str) -> None:
    (found,) = gated(*lines)
    assert said in found


def test_a_gate_at_github_is_of_one_repository_of_one_environment_and_of_one_target() -> None:
    (found,) = gated(*GATE, url=DISPATCHES)
    assert "p.yml:9:14: the preset github-environment is for a repository; write a URL like" in found
    assert any("this target is none; put the hook at one." in each for each in gated(*GATE, target="policy:main"))
    twice = ("payments/test:", "  hooks:", "    - name: api", "      url: https://API.github.com/repos/Acme/payments")
    again = [f"      {line}" for line in (*GATE[:2], "environment: PRODUCTION", *GATE[3:])]
    file = FILE.replace(DISPATCHES, "acme/payments").replace(
        "policies:\n", "".join(f"  {line}\n" for line in (*twice, *again)) + "policies:\n", 1
    )
    (found,) = told(*GATE, file=file)
    assert "this environment of that repository is that of another hook (payments/prod, api)" in found
