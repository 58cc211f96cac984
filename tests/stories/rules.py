"""Policies that a story brings with it, instead of the seed's."""

from typing import Final

PROD: Final = "payments/prod: {channel: C0APPROVALS, values_in_slack: enter_and_show}"
DEVELOPERS: Final = "requesters: {groups: [payments-dev]}"
ONE_LEAD: Final = "approvals: [{count: 1, from: {groups: [payments-leads]}}]"
TWO_LEADS: Final = "approvals: [{count: 2, from: {groups: [payments-leads]}}]"


def policies(*rules: str, targets: tuple[str, ...] = (PROD,)) -> str:
    """Each rule and each target is a flow mapping without its braces."""
    lines = ["version: 1", "owners: {users: [ana@example.com]}", "targets:", *(f"  {target}" for target in targets)]
    return "\n".join([*lines, "policies:", *(f"  - {{{rule}}}" for rule in rules), ""])


def opening(*more: str, name: str = "open production") -> str:
    """A rule for `open payments/prod`; what `more` leaves out is the seed's."""
    given = {line.partition(":")[0] for line in more}
    usual = [f"name: {name}", "targets: [payments/prod]", "actions: [open]", DEVELOPERS, ONE_LEAD]
    return ", ".join([*(line for line in usual if line.partition(":")[0] not in given), *more])
