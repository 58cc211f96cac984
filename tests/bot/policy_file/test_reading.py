"""Reading as a whole: files that cannot be read, everything said at once, and nothing that slips through."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy_file import PolicyFileInvalid, Problem, check, parse, read

SOUND = (Path(__file__).parent / "sound.yml").read_text(encoding="utf-8")
EXAMPLE = Path(__file__).parents[3] / "policies.example.yml"
STARTER = EXAMPLE.with_name("policies.starter.yml")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "p.yml: says nothing; begin with version: 1."),
        (b"# only words\n", "p.yml: says nothing; begin with version: 1."),
        (b"null\n", "p.yml: says nothing; begin with version: 1."),
        (b"#" * (1024 * 1024 + 1), "p.yml: is larger than 1 MiB; split off what is not policy."),
        (b"a: 1\nb: \xff\n", "p.yml:2:4: is not UTF-8 here; save the file with the encoding UTF-8."),
        (
            b"hello\n",
            "p.yml:1:1: here stands text, not a mapping; write a mapping with version, owners, targets, policies.",
        ),
        (b"[" * 20_000, "p.yml:1:22: is nested more than 20 deep; nothing in a policy file is."),
    ],
)
def test_a_file_that_cannot_be_used_at_all_gets_one_sentence(data, expected):
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(data, "p.yml")
    assert raised.value.sentence == expected


def test_a_file_that_cannot_be_opened_gets_one_sentence(tmp_path):
    missing = tmp_path / "none.yml"
    assert check(missing).errors == (Problem(str(missing), None, "there is no such file; create it, or name another."),)
    assert [str(each) for each in check(tmp_path).errors] == [
        f"{tmp_path}: cannot be read (is a directory); check the path and who may read it."
    ]


def test_a_byte_order_mark_is_no_trouble():
    assert parse(b"\xef\xbb\xbf" + SOUND.encode()).document.version == 1
    with pytest.raises(PolicyFileInvalid, match=r"^p\.yml:1:10: "):
        parse(b"\xef\xbb\xbf" + SOUND.replace("version: 1", "version: 2").encode(), "p.yml")


def test_everything_is_said_at_once_in_the_order_of_the_file():
    text = (
        SOUND.replace("version: 1", "version: 2")
        .replace("secure: true", "secure: yes")
        .replace("channel: C024BE91L", "channel:")
        .replace("group: aws-admins", "grup: aws-admins")
        .replace("type: scim", "type: scim, type: scim")
        .replace("count: 2", "count: 3")
        .replace("[access]", "[acces]")
    )
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(text.encode(), "p.yml")
    assert [(problem.place.line, problem.place.column) for problem in raised.value.problems if problem.place] == [
        (1, 10),  # version
        (7, 5),  # no channel
        (8, 13),  # yes
        (11, 37),  # grup
        (15, 22),  # type twice
        (23, 9),  # three of two people: a rule that is sound beside one that is not
        (34, 15),  # acces
    ]


def test_a_refused_value_is_not_reported_missing_too():
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(SOUND.replace("owners: {groups: [admins]}", "owners: *them").encode())
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("connector: okta,", "connector: *okta,"),  # not also: a role needs a connector
        ("owners: {groups: [admins]}", "owners: {groups: *admins}"),  # not also: this names nobody
        ("bypassers: {groups: [oncall]}", "bypassers: *oncall"),
        ("  role:aws-admin: {", "  &a ole:aws-admin: {"),
    ],
)
def test_what_was_refused_is_not_held_against_the_rest(old, new):
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(SOUND.replace(old, new).encode())
    assert len(raised.value.problems) == 1


@given(text=st.text(max_size=90), place=st.sampled_from(["organization", "request_ttl", "ticket", "{}"]))
def test_a_sentence_is_one_printable_line(text, place):
    key = text if place == "{}" else place
    data = "version: 1\n" + json.dumps(key) + ": [" + json.dumps(text) + "]\n" + json.dumps(key) + ":\n"
    problems = refusals(data.encode("utf-8", "replace"))
    assert problems
    assert all(problem.sentence.isprintable() and len(problem.sentence) < 600 for problem in problems)


def test_a_rule_after_a_broken_one_is_told_where_it_stands():
    text = SOUND.replace("enforcement: soft", "enforcement: sofd").replace(
        "name: roles", "name: roles\n    remind: [9h]"
    )
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(text.encode())
    assert [problem.place for problem in raised.value.problems] == [(24, 18), (33, 14)]


def test_a_shadowed_rule_is_told_the_rule_that_decides():
    again = "  - name: {}\n    targets: ['role:*']\n    actions: [access]\n    requesters: {{groups: [dev]}}\n    approvals: [{{from: {{groups: [leads]}}}}]\n"
    warnings = parse((SOUND + again.format("second") + again.format("third")).encode()).warnings
    assert len(warnings) == 2
    assert all("“roles” (line 32) comes first" in warning.sentence for warning in warnings)


def test_parts_are_judged_although_the_policies_are_missing():
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(b"version: 1\ntargets: {role:x: {connector: okta}}\n", "p.yml")
    assert [str(problem) for problem in raised.value.problems] == [
        "p.yml:1:1: “owners” is missing; add owners: {groups: [platform-admins]}.",
        "p.yml:1:1: “policies” is missing; add a list of policies.",
        "p.yml:2:11: a role needs a group; add group: aws-admins.",
        "p.yml:2:31: no connector is called “okta”; define okta under connectors.",
    ]


def test_the_example_is_without_fault_and_says_what_it_means():
    report = check(EXAMPLE)
    assert (report.errors, report.warnings) == ((), ())
    assert report.lines[0] == "1. payments production"
    assert "   @payments-dev may ask for change or open on payments/prod." in report.lines


def test_the_starter_is_without_fault_and_works_without_user_groups():
    assert check(STARTER).errors + check(STARTER).warnings == ()
    assert "groups" not in STARTER.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [EXAMPLE, STARTER])
def test_by_what_we_hand_out_values_have_a_way_in_and_out(path):
    policies = read(path).document
    opened = {name for rule in policies.policies if "open" in rule.actions for name in rule.targets if "*" not in name}
    assert opened
    assert {policies.targets[name].values_in_slack for name in opened} == {"enter_and_show"}
    assert {policies.targets[each.credentials].values_in_slack for each in policies.connectors.values()} <= {"enter"}


def test_a_rule_that_comes_first_for_some_does_not_shadow():
    text = SOUND.replace(
        "  - name: roles",
        "  - name: late\n    targets: ['payments/*']\n    actions: [deploy, open]\n    requesters: {groups: [dev]}\n"
        "    approvals: [{from: {groups: [leads]}}]\n  - name: roles",
    )
    (warning,) = parse(text.encode()).warnings  # only prod is listed, so everything is taken
    assert "never decides" in warning.sentence
    text = text.replace("targets: [payments/prod]", "targets: [payments/prod#api]")
    assert parse(text.encode()).warnings == ()


def test_an_alias_cannot_multiply():
    bomb = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 121))
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(bomb)
    assert "anchor" in raised.value.sentence


PIECES = st.sampled_from(
    ["&a ", "*a", "!x ", "null", "{}", "[]", "''", "no", "0", "#", ":", "- ", "\t", "“", "\n", "? ", "\x00", "'"]
)


@given(place=st.integers(0, len(SOUND)), piece=PIECES, cut=st.integers(0, 30))
def test_whatever_is_typed_is_read_or_refused_in_our_words(place, piece, cut):
    text = SOUND[:place] + piece + SOUND[place + cut :]
    problems = refusals(text.encode())
    for problem in problems:
        assert "nput should" not in problem.sentence
        assert problem.sentence.isprintable()
        assert problem.sentence.endswith((".", "?"))
    if not problems:
        assert all(policy.approvals and policy.requesters for policy in parse(text.encode()).document.policies)


def refusals(data: bytes) -> tuple[Problem, ...]:
    try:
        parse(data)
    except PolicyFileInvalid as invalid:
        return invalid.problems or (Problem("", None, "refused without a reason"),)
    return ()


def test_reads_from_a_path(tmp_path):
    path = tmp_path / "p.yml"
    path.write_text(SOUND, encoding="utf-8")
    assert read(path).document.organization == "acme"
