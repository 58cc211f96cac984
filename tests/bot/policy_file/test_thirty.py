"""One file with thirty mistakes, and every one of them told in one go."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.policy_file import PolicyFileInvalid, parse
from tests.bot.policy_file.test_wrong_files import SOUND, WRONG

THIRTY = Path(__file__).parent / "thirty.yml"
MESSAGES = """\
p.yml:1:10: “2” is no version this program reads; write version: 1.
p.yml:2:1: “organisation” is not a key here; did you mean “organization”?
p.yml:4:17: “127.0.0.1” is not a host and port; write one like "127.0.0.1:9000".
p.yml:7:5: “channel” has no value; write one, or remove it. A # after a space begins a comment: put it in quotes.
p.yml:8:13: “yes” is neither; write true or false.
p.yml:9:22: “show” is not one of the choices; write one of none, enter, enter_and_show.
p.yml:11:26: “ftp://deploy.example.com” is not a URL; write one like https://deploy.example.com/hooks/api.
p.yml:12:26: the URL holds a user name or password; keep credentials out of this file.
p.yml:13:58: “merge” is not one of the choices; write one of change, deploy, rollback, access.granted, access.ended.
p.yml:14:16: this target has another hook called “ops”; give each its own name.
p.yml:15:22: only a role has a connector; remove it, or name the target role:….
p.yml:16:3: “Shop/Prod” is not a target; targets look like payments/prod, payments/prod#api or role:aws-admin, in lower-case letters, digits and hyphens.
p.yml:17:31: no connector is called “otka”; did you mean “okta”?
p.yml:20:76: “tokens” is not an environment; write one like countersign/connectors.
p.yml:23:15: no target matches “payments/production”; did you mean “payments/prod”?
p.yml:24:15: “opne” is not one of the choices; did you mean “open”?
p.yml:25:27: “ana@example.com” is a person; list persons under users.
p.yml:27:9: asks for 3 people and lists 2; list more, or lower the count.
p.yml:28:18: “2d” is not a duration; write one like 2h, 1h30m, 45m or 7200s.
p.yml:29:25: “*oncall” is an alias, and aliases are not read here; write the value out, or put quotes around a name that begins with *.
p.yml:32:23: “access” is asked for roles, and this rule has none; remove it, or add such a target.
p.yml:34:5: “requesters” is here a second time (first on line 33); keep one of the two.
p.yml:35:24: this names nobody; list users or groups.
p.yml:36:23: access.default (5h) is longer than access.max (2h); write a default of at most 2h.
p.yml:37:23: a repetition stands around another repetition or a choice; write it without the outer one.
p.yml:38:18: 15m does not come after 1h; write them in rising order: 15m, 1h.
p.yml:39:24: 9h is not before the request expires; write less than request_ttl (8h).
p.yml:40:5: “requesters” is missing; add requesters: {groups: [payments-dev]}.
p.yml:40:11: another rule is called “staging”; give each its own name.
p.yml:43:16: no person counts twice, and these thresholds list too few different people; list more.
"""


def told(data: bytes) -> list[str]:
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(data, "p.yml")
    return [str(problem) for problem in raised.value.problems]


def test_thirty_mistakes_get_thirty_messages_in_one_go():
    assert told(THIRTY.read_bytes()) == MESSAGES.splitlines()
    assert len(MESSAGES.splitlines()) == 30


ENDS_READING = ("not YAML", "second document", "nested more", "control character")
ROWS: list[tuple[str, str, list[str]]] = [
    row.values  # type: ignore[misc]  # pytest does not say what its parameters are
    for row in WRONG
    if not any(words in str(row.values[2]) for words in ENDS_READING)
]
# What cannot be judged while what it is measured by is wrong.
LEANS = (
    "in rising order", "before the request expires", "is a private address", "can be read on its way", "only a role has",
    "is not the organization", "the same target as", "asks for 3 people", "no person counts twice", "has another hook called",
    "no target matches “payments/production”",
)  # fmt: skip
# And what is then told in other words: of the name as it was written, or without a guess.
OTHERWISE = ("the same target as “Payments/Prod”", "no target matches “payments/production”; list it under targets.")


@given(st.sampled_from([*combinations(ROWS, 2)]))
def test_no_mistake_hides_another_or_brings_one_along(pair):
    (old, new, said), (other, newer, too) = sorted(pair, key=lambda row: SOUND.index(row[0]))
    assume(SOUND.index(old) + len(old) <= SOUND.index(other))
    first, _, rest = SOUND.partition(old)
    both = first + new + rest.replace(other, newer, 1)
    expected, found = _sentences([*said, *too]), _sentences(told(both.encode()))
    assert all(any(words in sentence for words in OTHERWISE) for sentence in found - expected)
    assert all(any(words in sentence for words in LEANS) for sentence in expected - found)


def _sentences(lines: list[str]) -> set[str]:
    """Without places, which move."""
    return {re.sub(r"line [0-9]+", "line", line.split(": ", 1)[1]) for line in lines}
