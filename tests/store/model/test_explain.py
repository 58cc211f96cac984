"""What a policy set makes of a request that nobody has made yet."""

from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.errors import AccessError
from store.model.explain import Candidate, Explanation, Filling, Question, everybody, explain, of_request, wanted
from store.model.identity import Target
from store.model.lifecycle import rule_for, submit, transition
from store.model.people import People
from store.model.policy import HOUR, Access, Circle, Policy, PolicySet, Threshold
from store.model.standing import Rules
from tests.builders import (
    ANA,
    BEN,
    BOB,
    CAT,
    DEVS,
    INSTALLATION,
    LEADS,
    NOW,
    ONCALL,
    PAGER,
    PROD,
    REQ,
    ROLE,
    STRANGER,
    TARGETS,
    approve,
    draft,
    leads,
    people,
    policies,
    policy,
    request,
    soft,
    world,
)

LISTED = {**TARGETS, PROD.id: TARGETS[PROD.id].model_copy(update={"channel": "C0PAY"})}


def asked(
    rules: PolicySet | None = None,
    known: People | None = None,
    *,
    user: str = REQ,
    action: str = "open",
    target: Target = PROD,
    duration_ms: int | None = None,
    beneficiary: str | None = None,
) -> Explanation:
    return explain(Question(user, action, target, duration_ms, beneficiary), rules or policies(), known or people())


def _changed(user: str, changed: dict[str, Any]) -> People:
    known = people()
    person = known.persons[user].model_copy(update=changed)
    return People(known.as_of_ms, {**known.persons, user: person}, known.groups)


def able(explained: Explanation) -> list[set[str]]:
    return [{candidate.user for candidate in filling.able} for filling in explained.fillings]


WHY_NOT = {REQ: "asks for it"}


def test_all_that_is_said_of_one_question():
    rule = soft(access=Access(default_ms=2 * HOUR, max_ms=3 * HOUR))
    rules = policies(policy(name="roles", targets=("role:*",)), rule, targets=LISTED)
    approvers = tuple(Candidate(who, (LEADS,), WHY_NOT.get(who, "")) for who in (ANA, BEN, BOB, CAT, REQ))
    expected = Explanation(
        Question(REQ, "open", PROD),
        "possible",
        rule=rule,
        number=2,
        rules=2,
        asks=True,
        through=(DEVS,),
        fillings=(Filling(leads(), approvers),),
        enough=True,
        duration_ms=2 * HOUR,
        channel="C0PAY",
        passers=tuple(Candidate(who, (PAGER,)) for who in (ANA, ONCALL, REQ)),
    )
    assert asked(rules) == expected
    assert asked(rules, duration_ms=HOUR).duration_ms == HOUR
    assert asked(rules, action="change").duration_ms is None
    assert asked(rules, action="access", target=ROLE).duration_ms == HOUR
    assert asked(rules, user=STRANGER).through == ()
    assert (expected.needed, expected.unknown) == (2, ())
    assert expected.able == {ANA, BEN, BOB, CAT}
    assert asked(rules, people(UREQ={"guest": True})).barred == "a guest in this workspace"
    assert asked(rules, people(without=[REQ])).barred == ""


def test_all_that_is_said_where_no_rule_decides():
    rules = policies(policy(targets=("payments/*",)), policy(name="roles", targets=("role:*",)))
    rule = rules.policies[0]
    deploying, unlisted = Question(REQ, "deploy", PROD), Question(REQ, "open", Target.parse("payments/nix"))
    assert explain(deploying, rules, people()) == Explanation(deploying, "refused", ("no_rule",), near=(rule,), rules=2)
    assert explain(unlisted, rules, people()) == Explanation(unlisted, "refused", ("unknown_target",), rules=2)


def test_the_policies_themselves_have_no_glass():
    main = Target.parse("policy:main")
    rules = policies(soft(targets=("policy:main",), actions=frozenset({"policy"})), targets={"policy:main": {}})
    assert asked(rules, action="policy", target=main).passers == ()


def test_whoever_knows_better_says_who_is_named():
    explained = explain(Question(STRANGER, "open", PROD), policies(), people(), lambda circle, user: user == STRANGER)
    assert (explained.asks, explained.verdict) == (True, "possible")


def test_who_could_approve_is_named_with_the_group_that_makes_them_one():
    [filling] = asked().fillings
    assert {(each.user, each.groups) for each in filling.able} == {(who, (LEADS,)) for who in (ANA, BOB, CAT, BEN)}
    assert [(each.user, each.why_not) for each in filling.unable] == [(REQ, "asks for it")]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"guest": True}, "is a guest in this workspace"),
        ({"active": False}, "is deactivated in Slack"),
        ({"home": False}, "is from another workspace"),
        ({"human": False}, "is not a person"),
    ],
)
def test_who_does_not_count_is_named_with_the_reason(changed: dict[str, Any], why: str):
    explained = asked(known=_changed(BOB, changed))
    assert [(each.user, each.why_not) for each in explained.fillings[0].unable if each.user != REQ] == [(BOB, why)]
    assert asked(known=_changed(REQ, changed)).hindrances == ("barred",)


@pytest.mark.parametrize(
    ("beneficiary", "unable"),
    [
        (None, [(REQ, "asks for it")]),
        (REQ, [(REQ, "asks for it")]),
        (BEN, [(BEN, "gets it"), (REQ, "asks for it")]),
    ],
)
def test_neither_who_asks_nor_who_gets_it_decides_it(beneficiary: str | None, unable: list[tuple[str, str]]):
    [filling] = asked(beneficiary=beneficiary).fillings
    assert [(each.user, each.why_not) for each in filling.unable] == unable
    assert wanted(Question(REQ, "open", PROD, beneficiary=beneficiary), policies()).users == {
        user for user, _ in unable
    }


def test_self_approval_lets_the_asker_count():
    assert REQ in able(asked(policies(policy(self_approval=True))))[0]


@pytest.mark.parametrize(
    ("question", "hindrances"),
    [
        ({}, ()),
        ({"user": STRANGER}, ("not_requester",)),
        ({"duration_ms": 4 * HOUR}, ()),
        ({"duration_ms": 4 * HOUR + 1}, ("too_long",)),
        ({"user": STRANGER, "duration_ms": 5 * HOUR}, ("not_requester", "too_long")),
        ({"target": Target.parse("payments/nix")}, ("unknown_target",)),
        ({"action": "deploy"}, ("no_rule",)),
        ({"target": Target.parse("payments/prod#api")}, ("other_kind",)),
        ({"action": "access", "target": ROLE}, ()),
    ],
)
def test_everything_in_the_way_is_said_at_once(question: dict[str, Any], hindrances: tuple[str, ...]):
    explained = asked(**question)
    assert explained.hindrances == hindrances
    assert explained.verdict == ("refused" if hindrances else "possible")


def test_a_deploy_that_no_hook_would_do_is_said():
    rules = policies(policy(actions=frozenset({"deploy"})))
    assert asked(rules, action="deploy").hindrances == ()
    assert asked(rules, action="deploy", target=Target.parse("payments/prod#web")).hindrances == ("no_hook",)


def test_where_no_rule_decides_those_for_the_target_are_near():
    explained = asked(action="deploy")
    assert [rule.name for rule in explained.near] == ["rule"]
    assert asked(target=Target.parse("payments/nix")).near == ()


def test_the_first_rule_decides_and_those_it_shadows_here_are_named():
    rules = policies(
        policy(name="roles", targets=("role:*",)),
        policy(name="a"),
        policy(name="b", actions=frozenset({"change"})),
        policy(name="c"),
    )
    explained = asked(rules)
    assert explained.rule is not None
    assert (explained.rule.name, explained.number, explained.rules) == ("a", 2, 4)
    assert explained.shadowed == ((4, "c"),)


def test_one_person_never_fills_two_places():
    one = Circle(users=frozenset({ANA}))
    explained = asked(policies(policy(approvals=(Threshold(circle=one), Threshold(circle=one)))))
    assert (explained.hindrances, explained.enough, explained.needed) == (("unreachable",), False, 2)
    assert explained.lacking == (Threshold(count=1, circle=one),)


def test_a_group_that_is_not_known_leaves_it_open_and_one_that_is_empty_does_not():
    explained = asked(known=people(without=[LEADS]))
    assert (explained.verdict, explained.enough, explained.unknown) == ("depends", None, (LEADS,))
    assert asked(known=people(without=[DEVS])).unknown == (DEVS,)
    assert asked(policies(soft()), people(without=[DEVS, LEADS, PAGER])).unknown == (DEVS, LEADS, PAGER)
    assert asked(known=people(members={LEADS: set()})).enough is False
    assert asked(known=people(without=[REQ])).verdict == "depends"


def test_unknown_groups_do_not_hide_what_cannot_be_met_whoever_is_in_them():
    alone = Threshold(count=2, circle=Circle(users=frozenset({ANA, REQ})))
    explained = asked(policies(policy(approvals=(leads(1), alone))), people(without=[LEADS]))
    assert (explained.enough, explained.lacking) == (False, (Threshold(count=1, circle=alone.circle),))


def test_who_could_break_the_glass_is_named_only_where_the_rule_is_soft():
    known = _changed(ONCALL, {"guest": True})
    passers = {each.user: each.why_not for each in asked(policies(soft()), known).passers}
    assert passers == {ONCALL: "is a guest in this workspace", ANA: "", REQ: ""}
    assert asked(policies(policy(bypassers=Circle(groups=frozenset({PAGER}))))).passers == ()
    assert asked(policies(soft()), people(without=[PAGER])).unknown == (PAGER,)


def test_the_facts_that_are_wanted_are_the_rules_groups_and_the_asker():
    question = Question(REQ, "open", PROD)
    assert wanted(question, policies(soft())).groups == {DEVS, LEADS, PAGER}
    assert wanted(question, policies(soft())).users == {REQ}
    assert everybody(soft(), people()) == {ANA, BOB, CAT, BEN, REQ, ONCALL}
    assert wanted(Question(REQ, "deploy", PROD), policies()).groups == frozenset()


def test_after_asking_who_may_do_nothing_here_is_named_with_the_reason():
    [filling] = of_request(request(), Rules(policy(), policy(), Circle()), people(UBOB={"guest": True}))
    assert {each.user: each.why_not for each in filling.unable} == {
        REQ: "asked for it",
        BOB: "is a guest in this workspace",
    }


def test_after_asking_those_who_approved_and_those_the_old_rule_left_out_cannot_any_more():
    made = request("open", beneficiary=BEN)
    voted = transition(world(made), approve(made, ANA), people()).request
    narrow = policy(approvals=(Threshold(count=1, circle=Circle(users=frozenset({ANA, BOB}))),))
    [filling] = of_request(voted, Rules(narrow, policy(), Circle()), people())
    assert {each.user: each.why_not for each in filling.candidates} == {
        REQ: "asked for it",
        BEN: "gets it",
        ANA: "has approved it",
        BOB: "",
        CAT: "may not approve by the rule it was asked under",
    }


circles = st.builds(
    Circle,
    users=st.frozensets(st.sampled_from([ANA, BOB, CAT, REQ]), max_size=3),
    groups=st.frozensets(st.sampled_from([LEADS, DEVS]), max_size=2),
).filter(lambda circle: not circle.empty)
rules_of = st.builds(
    policy,
    approvals=st.lists(st.builds(Threshold, count=st.integers(1, 2), circle=circles), min_size=1, max_size=2).map(
        tuple
    ),
    self_approval=st.booleans(),
    requesters=circles,
    access=st.just(Access(default_ms=HOUR, max_ms=2 * HOUR)),
)


def _known(members: dict[str, set[str]], barred: set[str]) -> People:
    known = people(members=members)
    guests = {who: known.persons[who].model_copy(update={"guest": True}) for who in barred}
    return People(known.as_of_ms, {**known.persons, **guests}, known.groups)


known_people = st.builds(
    _known,
    st.fixed_dictionaries({group: st.sets(st.sampled_from([ANA, BOB, CAT, REQ])) for group in (LEADS, DEVS)}),
    st.sets(st.sampled_from([ANA, BOB, REQ])),
)


@given(rules_of, known_people, st.sampled_from([HOUR, 3 * HOUR]))
def test_it_says_no_exactly_where_asking_is_refused(rule: Policy, known: People, duration_ms: int):
    rules = policies(rule)
    explained = explain(Question(REQ, "open", PROD, duration_ms), rules, known)
    try:
        submit(draft("open", duration_ms=duration_ms), INSTALLATION, rules, known, NOW)
    except AccessError:
        assert explained.verdict == "refused"
    else:
        assert explained.verdict == "possible"
    assert explained.rule == rule_for("open", PROD, rules)


@given(rules_of, known_people)
def test_enough_is_what_trying_every_way_finds(rule: Policy, known: People):
    explained = asked(policies(rule), known)
    places = [filling for filling in explained.fillings for _ in range(filling.threshold.count)]
    candidates = [{each.user for each in filling.able} for filling in places]
    found = any(
        all(who in options for who, options in zip(seats, candidates, strict=True))
        for chosen in combinations(sorted(explained.able), len(places))
        for seats in permutations(chosen)
    )
    assert explained.enough is found
    assert bool(explained.lacking) is not found
