"""What a sound file asks for and this version does not do would be told; there is nothing of the kind."""

import pytest

from bot.policy_file.reading import parse

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
