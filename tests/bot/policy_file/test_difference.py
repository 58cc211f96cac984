"""What another policy set would change, and that nothing is overlooked."""

import pytest
from hypothesis import HealthCheck, given, settings

from bot.policy_file import parse
from bot.policy_file.difference import Difference, Field, differences, read_like, unified
from bot.policy_file.writing import text
from store.model.policy import PolicySet
from tests.bot.policy_file.policy_sets import policy_sets
from tests.lengths import length

FILE = """\
version: 1
owners: {users: [ana@example.com]}
targets:
  a/b: {}
  c/d: {channel: C0CARDS}
policies:
  - {name: one, targets: [a/b], actions: [open], requesters: {groups: [dev]}, approvals: [{from: {groups: [leads]}}]}
  - {name: two, targets: [c/d], actions: [open], requesters: {groups: [dev]}, approvals: [{from: {groups: [leads]}}]}
  - {name: three, targets: [c/d], actions: [change], requesters: {groups: [dev]}, approvals: [{from: {groups: [leads]}}]}
"""
ONE, TWO, THREE = FILE.splitlines()[-3:]


def read(file: str) -> PolicySet:
    return read_like(parse(file.encode()))


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (FILE.replace("groups: [dev]", 'groups: ["@dev"]'), []),
        (FILE.replace("a/b: {}", "a/b: {secure: false}"), []),
        (
            FILE.replace("ana@", "ben@"),
            [Difference("changed", "owners", "owners", (Field("owners.users", "[ana@example.com]", "[ben@example.com]"),))],
        ),
        (
            FILE.replace("C0CARDS", "C0OTHER"),
            [Difference("changed", "target", "c/d", (Field("channel", "C0CARDS", "C0OTHER"),))],
        ),
        (FILE.replace("  a/b: {}\n", "  a/b: {}\n  e/f: {}\n"), [Difference("added", "target", "e/f", (
            Field("secure", None, "false"), Field("values_in_slack", None, "none")))]),
        (
            FILE.replace("name: one,", "name: one, access: {max: 2h},"),
            [Difference("changed", "rule", "one", (Field("access.max", "4h", "2h"),), (1, 1))],
        ),
        (FILE.replace(f"{TWO}\n", ""), [Difference("removed", "rule", "two", places=(2, None))]),
        (FILE.replace("name: two", "name: zwei"), [Difference("renamed", "rule", "zwei", places=(2, 2), before="two")]),
        (FILE.replace(f"{ONE}\n", "") + f"{ONE}\n", [Difference("moved", "rule", "one", places=(1, 3))]),
        (
            FILE.replace(ONE, f"{THREE.replace('three', 'new')}\n{ONE}"),
            [
                Difference("added", "rule", "new", (
                    Field("targets", None, "[c/d]"), Field("actions", None, "[change]"), Field("requesters.groups", None, "[dev]"),
                    Field("approvals", None, "[{count: 1, from: {groups: [leads]}}]")), (None, 1)),
            ],
        ),
        (
            FILE.replace("name: one, targets: [a/b]", "name: eins, targets: [c/d]"),
            [
                Difference("removed", "rule", "one", places=(1, None)),
                Difference("added", "rule", "eins", (
                    Field("targets", None, "[c/d]"), Field("actions", None, "[open]"), Field("requesters.groups", None, "[dev]"),
                    Field("approvals", None, "[{count: 1, from: {groups: [leads]}}]")), (None, 1)),
            ],
        ),
    ],
)  # fmt: skip
def test_it_says_what_changes_and_no_more(after: str, found: list[Difference]):
    assert list(differences(read(FILE), read(after))) == found


def test_a_name_that_is_known_is_the_id_it_is_known_by():
    known = {"U0ANA": "ana@example.com", "S0DEV": "@dev", "S0LEADS": "@leads"}
    current = read_like(parse(FILE.encode()), known)
    assert current.owners.users == {"U0ANA"}
    by_id = FILE.replace("ana@example.com", "U0ANA").replace("[dev]", "[S0DEV]")
    assert differences(current, read_like(parse(by_id.encode()), known)) == ()
    assert [
        each.about for each in differences(current, read_like(parse(by_id.replace("U0ANA", "U0EVE").encode()), known))
    ] == ["owners"]


@given(policy_sets(), policy_sets())
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
    max_examples=length(15, 100, 2_000),
)
def test_there_is_a_difference_exactly_where_they_mean_something_else(one: PolicySet, other: PolicySet):
    assert differences(one, one) == ()
    assert bool(differences(one, other)) == (one != other)
    assert bool([*unified(one, other, ("a", "b"))]) == (text(one) != text(other))
