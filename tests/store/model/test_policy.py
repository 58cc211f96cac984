"""Rules: who is in a circle, whether a quorum is met, which rule decides."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from store.model import policy as policy_module
from store.model.identity import Target
from store.model.people import Group, People
from store.model.policy import (
    Circle,
    Hook,
    Policy,
    PolicySet,
    TargetConfig,
    Threshold,
    Ticket,
    covers,
    first_match,
    places_open,
    quorum_met,
)

EVERYBODY = [f"U0{letter}" for letter in "ABCDEF"]
GROUPS = ["S0RED", "S0BLUE", "S0LOST"]  # the last one is never known
KNOWN = GROUPS[:2]


def users(*ids: str) -> Circle:
    return Circle(users=frozenset(ids))


def groups(*ids: str) -> Circle:
    return Circle(groups=frozenset(ids))


def snapshot(**members: set[str]) -> People:
    return People(
        0, groups={key: Group(id=key, handle=key.lower(), members=frozenset(who)) for key, who in members.items()}
    )


def rule(name: str, *targets: str, actions: frozenset[str] = frozenset({"open"}), **more: Any) -> Policy:
    fields = {"name": name, "targets": targets, "actions": actions, "requesters": users("U0A"), **more}
    return Policy.model_validate(fields | {"approvals": (Threshold(circle=users("U0B")),)})


@st.composite
def circles(draw: st.DrawFn) -> Circle:
    return Circle(
        users=draw(st.frozensets(st.sampled_from(EVERYBODY), max_size=3)),
        groups=draw(st.frozensets(st.sampled_from(GROUPS), max_size=2)),
    )


@st.composite
def quorums(draw: st.DrawFn) -> list[Threshold]:
    """At most four places."""
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4).filter(lambda counts: sum(counts) <= 4))
    return [Threshold(count=count, circle=draw(circles())) for count in counts]


@st.composite
def snapshots(draw: st.DrawFn) -> People:
    members = st.sets(st.sampled_from(EVERYBODY), max_size=4)
    return snapshot(**{group: draw(members) for group in draw(st.sets(st.sampled_from(KNOWN)))})


approvers = st.sets(st.sampled_from(EVERYBODY), max_size=6)


def filled_at_most(thresholds: list[Threshold], who: set[str], people: People) -> int:
    """Every way of sending people to places, tried; the most places that were filled by somebody who belongs there."""
    places = [threshold.circle for threshold in thresholds for _ in range(threshold.count)]
    seats: list[str | None] = [*sorted(who), *[None] * len(places)]

    def belongs(person: str | None, circle: Circle) -> bool:
        known = [people.groups[group].members for group in circle.groups if group in people.groups]
        return person is not None and (person in circle.users or any(person in members for members in known))

    ways = set(permutations(seats, len(places)))
    return max(sum(belongs(person, circle) for person, circle in zip(way, places, strict=True)) for way in ways)


@given(thresholds=quorums(), who=approvers, people=snapshots())
def test_a_quorum_is_met_exactly_when_some_assignment_meets_it(thresholds, who, people):
    places = sum(threshold.count for threshold in thresholds)
    assert quorum_met(thresholds, who, people) == (filled_at_most(thresholds, who, people) == places)


@given(thresholds=quorums(), who=approvers, people=snapshots())
def test_what_is_open_is_what_the_best_assignment_leaves(thresholds, who, people):
    places = sum(threshold.count for threshold in thresholds)
    lacking = places_open(thresholds, who, people)
    assert sum(threshold.count for threshold in lacking) == places - filled_at_most(thresholds, who, people)
    assert all(any(each.circle == threshold.circle for threshold in thresholds) for each in lacking)


@given(thresholds=quorums(), who=approvers, more=approvers, people=snapshots())
def test_one_more_approval_never_unmakes_a_quorum(thresholds, who, more, people):
    assert quorum_met(thresholds, who | more, people) >= quorum_met(thresholds, who, people)


def test_one_person_never_fills_two_places():
    both = [Threshold(circle=users("U0A")), Threshold(circle=users("U0A", "U0B"))]
    assert not quorum_met(both, ["U0A"], People(0))
    assert not quorum_met(both, ["U0A", "U0A"], People(0))
    assert quorum_met(both, ["U0A", "U0B"], People(0))


def test_a_place_is_given_up_for_whom_only_it_fits():
    wide_first = [Threshold(circle=users("U0A", "U0B")), Threshold(circle=users("U0A"))]
    assert quorum_met(wide_first, ["U0A", "U0B"], People(0))


def test_who_gives_a_place_up_looks_at_every_other_one():
    """C fits only A's place; A could take B's, who has no other, or the free one."""
    thresholds = [Threshold(circle=users(*who)) for who in (("U0A", "U0C"), ("U0A", "U0B"), ("U0A",))]
    assert quorum_met(thresholds, ["U0A", "U0B", "U0C"], People(0))


def test_without_thresholds_nothing_is_met():
    assert not quorum_met([], EVERYBODY, People(0))


def test_nobody_meets_no_quorum():
    assert not quorum_met([Threshold(circle=Circle())], EVERYBODY, People(0))
    assert not quorum_met([Threshold(circle=groups("S0LOST"))], EVERYBODY, People(0))


@pytest.mark.parametrize("count", [0, -1, 21])
def test_a_threshold_has_a_sensible_count(count):
    with pytest.raises(ValidationError):
        Threshold(count=count, circle=users("U0A"))


def test_a_policy_without_approvals_is_none():
    with pytest.raises(ValidationError):
        Policy.model_validate({**rule("x", "a/b").model_dump(by_alias=True), "approvals": ()})


@pytest.mark.parametrize(
    ("circle", "people", "expected"),
    [
        (Circle(), snapshot(), False),
        (users("U0A"), snapshot(), True),
        (users("U0B"), snapshot(), False),
        (groups("S0RED"), snapshot(S0RED={"U0A"}), True),
        (groups("S0RED"), snapshot(S0RED=set()), False),
        (groups("S0LOST"), snapshot(S0RED={"U0A"}), None),
        (groups("S0RED", "S0LOST"), snapshot(S0RED={"U0A"}), True),
        (groups("S0RED", "S0LOST"), snapshot(S0RED={"U0B"}), None),
        (Circle(users=frozenset({"U0A"}), groups=frozenset({"S0LOST"})), snapshot(), True),
        (Circle(users=frozenset({"U0B"}), groups=frozenset({"S0LOST"})), snapshot(), None),
    ],
)
def test_who_is_in_a_circle(circle, people, expected):
    assert circle.has("U0A", people) is expected


@given(circle=circles(), people=snapshots(), who=st.sampled_from(EVERYBODY))
def test_a_circle_has_whom_it_lists(circle, people, who):
    answer = circle.has(who, people)
    assert (answer is True) == (who in circle.members(people))
    assert (answer is None) <= any(group not in people.groups for group in circle.groups)


@pytest.mark.parametrize(
    ("circle_one", "circle_two", "expected"),
    [
        (users("U0A"), groups("S0LOST"), True),
        (groups("S0LOST"), users("U0A"), True),
        (users("U0B"), groups("S0LOST"), None),
        (users("U0B"), Circle(), False),
    ],
)
def test_who_may_approve(circle_one, circle_two, expected):
    approvals = (Threshold(circle=circle_one), Threshold(circle=circle_two))
    assert rule("x", "a/b").model_copy(update={"approvals": approvals}).may_approve("U0A", snapshot()) is expected


def test_what_a_decision_looks_at():
    policy = rule("x", "a/b").model_copy(
        update={
            "requesters": groups("S0ASK"),
            "bypassers": groups("S0PASS"),
            "approvals": (Threshold(circle=groups("S0ONE")), Threshold(circle=groups("S0TWO"))),
        }
    )
    assert policy.wanted.groups == {"S0ASK", "S0PASS", "S0ONE", "S0TWO"}
    assert policy.approvers == {"S0ONE", "S0TWO"}


def glob(pattern: str, text: str) -> bool:
    """One letter after the other: the slow way that is easy to believe."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and text[0] not in "/:#" and glob(pattern, text[1:]))
    return bool(text) and pattern[0] == text[0] and glob(pattern[1:], text[1:])


words = st.text("ab-", min_size=1, max_size=3).map(lambda word: f"a{word}b")
globs = st.text("ab-*", min_size=1, max_size=4)
targets = st.one_of(
    st.builds("{}/{}".format, words, words),
    st.builds("{}/{}#{}".format, words, words, words),
    st.builds("role:{}".format, words),
).map(Target.parse)
patterns = st.one_of(
    st.builds("{}/{}".format, globs, globs),
    st.builds("{}/{}#{}".format, globs, globs, globs),
    st.builds("role:{}".format, globs),
    st.text("a*/:#.+", max_size=6),
)


@given(pattern=patterns, target=targets)
def test_a_pattern_covers_what_it_spells(pattern, target):
    environment = target.id.partition("#")[0]
    assert covers(pattern, target) == (glob(pattern, target.id) or ("#" in target.id and glob(pattern, environment)))


@given(target=targets, data=st.data())
def test_a_pattern_made_from_a_target_covers_it(target, data):
    at = data.draw(st.integers(0, len(target.id)))
    end = data.draw(st.integers(at, len(target.id)))
    assert covers(f"{target.id[:at]}*{target.id[end:]}", target) or any(ch in "/:#" for ch in target.id[at:end])


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        ("payments/prod", "payments/prod", True),
        ("payments/prod", "payments/prod#api", True),
        ("payments/prod#api", "payments/prod", False),
        ("payments/prod#api", "payments/prod#web", False),
        ("payments/*", "payments/prod", True),
        ("payments/*", "payments/prod#api", True),
        ("*/prod", "payments/prod", True),
        ("*/prod", "payments/production", False),
        ("*", "payments/prod", False),
        ("*", "role:admin", False),
        ("role:*", "role:admin", True),
        ("*/*", "role:admin", False),
        ("*:main", "policy:main", True),
        ("payments.prod", "payments/prod", False),
        ("", "payments/prod", False),
    ],
)
def test_a_star_never_crosses_a_border(pattern, target, expected):
    assert covers(pattern, Target.parse(target)) is expected


@given(rules=st.lists(st.tuples(patterns, st.sampled_from(["open", "change"])), max_size=5), target=targets)
def test_the_first_rule_that_matches_decides(rules, target):
    policies = [rule(str(index), pattern, actions=frozenset({action})) for index, (pattern, action) in enumerate(rules)]
    matching = [
        str(index) for index, (pattern, action) in enumerate(rules) if action == "open" and covers(pattern, target)
    ]
    found = first_match(policies, "open", target)
    assert (found.name if found else None) == (matching[0] if matching else None)


LISTED = PolicySet(
    number=1,
    owners=users("U0A"),
    targets={
        "payments/prod": TargetConfig(secure=True, values_in_slack="enter_and_show"),
        "payments/staging": TargetConfig(values_in_slack="enter_and_show", hooks=(Hook(name="api", url="https://x"),)),
    },
    policies=(rule("narrow", "payments/prod"), rule("wide", "*/*")),
    names={"U0A": "ana@example.com"},
)


@pytest.mark.parametrize(
    ("action", "target", "expected"),
    [
        ("open", "payments/prod", "narrow"),
        ("open", "payments/prod#api", "narrow"),
        ("open", "payments/staging", "wide"),
        ("open", "payments/unlisted", None),  # a rule would match, but the target is not listed
        ("deploy", "payments/prod", None),
        ("open", "role:admin", None),
    ],
)
def test_which_rule_decides(action, target, expected):
    found = LISTED.rule(action, Target.parse(target))
    assert (found.name if found else None) == expected


def test_a_rule_that_was_looked_up_is_that_of_this_set():
    prod = Target.parse("payments/prod")
    assert LISTED.rule("open", prod) is LISTED.policies[0]
    assert LISTED.offers(frozenset({"U0A"}))
    nothing: list[dict[str, Any]] = [{"policies": ()}, {"targets": {}}]
    for changed in nothing:
        copied = LISTED.model_copy(update=changed)
        assert copied.rule("open", prod) is None
        assert copied.offers(frozenset({"U0A"})) == ()
    assert LISTED.rule("open", prod) is LISTED.policies[0]
    assert LISTED.model_copy() == LISTED
    assert LISTED.model_copy().targets is LISTED.targets  # thousands of rules, and a copy for each edit of one field


def test_only_so_much_is_remembered(monkeypatch):
    monkeypatch.setattr(policy_module, "FOUND_KEPT", 1)
    monkeypatch.setattr(policy_module, "OFFERS_KEPT", 1)
    copied = LISTED.model_copy()
    for name in ("payments/prod", "payments/staging", "payments/prod"):
        assert copied.rule("open", Target.parse(name)) == first_match(LISTED.policies, "open", Target.parse(name))
        assert len(copied._found) == 1
    assert copied.offers(frozenset({"U0NOBODY"})) == ()
    assert copied.offers(frozenset({"U0A"})) == LISTED.offers(frozenset({"U0A"}))
    assert [len(memory) for memory in (copied._found, copied._offers)] == [1, 1]


OFFERING = PolicySet(
    number=1,
    owners=users("U0A"),
    targets={name: TargetConfig() for name in ("b/prod", "a/prod", "a/prod#api", "role:admin", "policy:main")},
    policies=(
        rule("reads", "a/*", "policy:*", requesters=Circle(groups=frozenset({"S0RED"}))),
        rule("all", "*/*", "role:*", actions=frozenset({"open", "change", "access"}), requesters=users("U0A", "U0B")),
    ),
)


@pytest.mark.parametrize(
    ("principals", "expected"),
    [
        ({"U0A"}, [("change", "a/prod"), ("open", "b/prod"), ("change", "b/prod"), ("access", "role:admin")]),
        ({"U0C", "S0RED"}, [("open", "a/prod")]),
        ({"U0C", "S0BLUE"}, []),
        (set(), []),
    ],
)
def test_what_somebody_is_offered_is_what_the_rule_that_decides_lets_them_ask(principals, expected):
    assert list(OFFERING.offers(frozenset(principals))) == expected


DEPLOYING = Hook(name="api", url="https://x", on=frozenset({"change", "deploy"}))


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ({"a/prod": TargetConfig()}, []),
        ({"a/prod": TargetConfig(hooks=(Hook(name="api", url="https://x"),))}, []),
        ({"a/prod": TargetConfig(hooks=(DEPLOYING,))}, ["a/prod", "a/prod#api"]),
        # What is listed itself is offered, and has no applications of its own.
        ({"a/prod#web": TargetConfig(hooks=(DEPLOYING,))}, ["a/prod#web"]),
    ],
)
def test_deploys_are_offered_of_what_a_hook_deploys(targets, expected):
    rules = (rule("ships", "a/*", actions=frozenset({"deploy"}), requesters=users("U0A")),)
    offering = PolicySet(number=1, owners=users("U0A"), targets=targets, policies=rules)
    assert offering.offers(frozenset({"U0A"})) == tuple(("deploy", target) for target in expected)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], set()),
        ([("open", None)], set()),
        ([("open", users("U0C"))], set()),
        ([("deploy", users("U0C"))], {"U0C"}),
        ([("deploy", None)], {"U0A", "S0OWN"}),
        ([("deploy", Circle())], set()),
        ([("deploy", users("U0C")), ("deploy", groups("S0OPS")), ("open", users("U0D"))], {"U0C", "S0OPS"}),
        ([("deploy", users("U0C")), ("deploy", None)], {"U0C", "U0A", "S0OWN"}),
    ],
)
def test_who_deploys_by_any_rule_besides_approvers(rules, expected):
    """Owners where a rule for deploys names nobody; what a rule for something else says of deployers means nothing."""
    owners = Circle(users=frozenset({"U0A"}), groups=frozenset({"S0OWN"}))
    made = tuple(
        rule(str(number), "a/*", actions=frozenset({action})).model_copy(update={"deployers": deployers})
        for number, (action, deployers) in enumerate(rules)
    )
    assert PolicySet(number=1, owners=owners, policies=made).deployers == expected


def test_a_deep_copy_shares_nothing():
    copied = LISTED.model_copy(deep=True)
    assert copied == LISTED
    assert copied.targets is not LISTED.targets


@pytest.mark.parametrize("asked", ["production", ""])
def test_a_hook_that_names_no_environment_of_github_gates_none(asked):
    hook = Hook(name="hub", url="https://api.github.com/repos/acme/payments", preset="github-environment")
    assert not hook.gates("acme/payments", asked)
    assert hook.model_copy(update={"environment": "Production"}).gates("acme/payments", asked) is bool(asked)


def test_an_application_is_its_environment_unless_listed_itself():
    api = Target.parse("payments/prod#api")
    assert LISTED.target(api) == LISTED.targets["payments/prod"]
    own = TargetConfig(channel="C0API0000")
    assert LISTED.model_copy(update={"targets": {**LISTED.targets, api.id: own}}).target(api) == own
    assert LISTED.target(Target.parse("payments/none#api")) is None


def test_secure_keeps_values_out_of_slack_whatever_else_is_said():
    assert not LISTED.targets["payments/prod"].enters
    assert not LISTED.targets["payments/prod"].shows
    assert LISTED.targets["payments/staging"].enters
    assert LISTED.targets["payments/staging"].shows
    assert TargetConfig(values_in_slack="enter").enters
    assert not TargetConfig(values_in_slack="enter").shows
    assert not TargetConfig().enters


@pytest.mark.parametrize(
    ("circle", "empty"),
    [(Circle(), True), (users("U0A"), False), (groups("S0A"), False), (Circle(users={"U0A"}, groups={"S0A"}), False)],
)
def test_a_circle_without_anybody_is_empty(circle, empty):
    assert circle.empty is empty


def test_is_read_back_as_it_was_written():
    assert PolicySet.from_json(LISTED.to_json()) == LISTED
    assert '"from":' in LISTED.to_json()  # what lies in Redis is spelled as the file is


@pytest.mark.parametrize(("ticket", "expected"), [("AB-1", True), ("see AB-1", False), ("AB-1\n", False), ("", False)])
def test_a_ticket_matches_as_a_whole(ticket, expected):
    assert Ticket(pattern="^[A-Z]+-[0-9]+$").matches(ticket) is expected


@pytest.mark.parametrize(("length", "expected"), [(199, True), (200, True), (201, False), (10_000, False)])
def test_a_ticket_is_judged_by_all_of_it_and_a_long_one_is_none(length, expected):
    assert Ticket(pattern="^[A-Z]+$").matches("A" * length) is expected
    assert not Ticket(pattern="^A{200}$").matches("A" * 200 + " and what nobody looked at")


@pytest.mark.parametrize(
    ("record", "key", "value"),
    [
        (Circle(), "users", ["ana@example.com"]),
        (Circle(), "users", ["S0RED"]),
        (Circle(), "groups", ["U0A"]),
        (TargetConfig(), "values_in_slack", "all"),
        (TargetConfig(), "surprise", 1),
        (LISTED, "targets", {"Payments/Prod": {}}),
        (rule("x", "a/b"), "denials", 0),
        (rule("x", "a/b"), "request_ttl_ms", 0),
        (rule("x", "a/b"), "enforcement", "none"),
    ],
)
def test_refuses_what_is_no_such_record(record, key, value):
    body = record.model_dump(by_alias=True)
    assert type(record).model_validate(body) == record
    with pytest.raises(ValidationError):
        type(record).model_validate({**body, key: value})
