"""Notifying: every route of the rule of now hears of a decision once, in the commit that decides."""

from dataclasses import replace

import pytest

from store.model.command import Cancel, Command, Countersign, Dispute, Due, Overdue, Report
from store.model.effect import Announce, Effect, Entrust, Mail, MailApprovers, Post, Recovered, Signal, Tell, route
from store.model.lifecycle import Transition, World, named, transition
from store.model.policy import DAY, HOUR, Hook, Notify, PolicySet, TargetConfig
from store.model.request import Machine, Run
from tests.builders import (
    ANA,
    BOB,
    NOW,
    ONCALL,
    OWNER,
    REQ,
    approve,
    deny,
    people,
    policies,
    policy,
    request,
    smash,
    soft,
    world,
)

HOOK = "https://example.com/hook"
ROUTES = Notify(channels=("C0AUDIT",), email=("security@example.com",), webhooks=(HOOK,))
RULES = policies(soft(notify=ROUTES))
DEPLOYS = policies(
    policy(actions=frozenset({"deploy"}), notify=ROUTES),
    targets={"payments/prod": TargetConfig(hooks=(Hook(name="api", url=HOOK, on=frozenset({"deploy"})),))},
)


def told(result: Transition) -> list[str]:
    """Route, news and by whom, of every notice."""
    kinds: dict[type[Effect], str] = {Post: "channel", Mail: "mail", Signal: "webhook", MailApprovers: "approvers"}
    return [
        " ".join((kinds[type(effect)], effect.news, *effect.by))
        for effect in result.effects
        if isinstance(effect, Post | Mail | Signal | MailApprovers)
    ]


def everywhere(news: str, *by: str) -> list[str]:
    return [f"{kind} {' '.join([news, *by])}" for kind in ("channel", "mail", "webhook")]


def at(rules: PolicySet = RULES, kind: str = "open") -> World:
    return world(request(kind, rules=rules), rules=rules)


def broken(rules: PolicySet = RULES) -> World:
    before = at(rules)
    result = transition(before, smash(before.request), people())
    return replace(before, request=result.request, debt=result.debt)


@pytest.mark.parametrize("kind", ["open", "access", "change"])
def test_an_approval_is_told_once_it_is_one(kind: str):
    before = at(kind=kind)
    first = transition(before, approve(before.request, ANA), people())
    assert told(first) == []
    result = transition(replace(before, request=first.request), approve(before.request, BOB), people())
    assert told(result) == everywhere("approved", ANA, BOB)


def test_a_denial_is_told():
    before = at()
    assert told(transition(before, deny(before.request, ANA), people())) == everywhere("denied", ANA)


def test_a_broken_glass_is_told_there_and_mailed_to_every_approver_and_is_no_approval():
    before = at()
    result = transition(before, smash(before.request), people())
    assert told(result) == [f"approvers broken {ONCALL}", *everywhere("broken", ONCALL)]
    plain = at(policies(soft()))
    assert told(transition(plain, smash(plain.request), people())) == [f"approvers broken {ONCALL}"]


def test_what_becomes_of_the_debt_is_told():
    before = broken()
    for command, news in (
        (Countersign(id="c", actor=ANA), "countersigned"),
        (Dispute(id="d", actor=ANA, reason="no"), "disputed"),
    ):
        assert told(transition(before, command, people())) == everywhere(news, ANA)
    late = replace(before, now_ms=NOW + DAY)
    overdue = transition(late, Overdue(id="o", actor="clock", at_ms=NOW + DAY), people())
    assert told(overdue) == everywhere("overdue")


@pytest.mark.parametrize(
    ("command", "news"),
    [
        (Report(id="r", actor="relay", outcome="succeeded"), "succeeded"),
        (Report(id="r", actor="machine:X", outcome="failed"), "failed"),
        (Due(id="d", actor="clock", timer="deadline", at_ms=NOW + HOUR), "failed"),
        (Cancel(id="c", actor=OWNER, reason="the build is red"), f"cancelled {OWNER}"),
    ],
)
def test_how_a_deploy_ended_is_told_and_whoever_started_it_hears(command: Command, news: str):
    asked = world(request("deploy", rules=DEPLOYS), rules=DEPLOYS)
    run = Run(by=BOB, at_ms=NOW)
    running = asked.request.model_copy(update={"state": "running", "run": run, "timers": {"deadline": NOW + HOUR}})
    at = replace(asked, request=running, now_ms=NOW + HOUR if isinstance(command, Due) else NOW)
    result = transition(at, command, people(at.now_ms))
    assert told(result) == everywhere(*news.split())
    assert [each.to for each in result.effects if isinstance(each, Tell)] == [REQ, BOB]
    machine = running.model_copy(update={"machine": Machine(token="REQVEST0M1", name="ci")})
    result = transition(replace(at, request=machine), command, people(at.now_ms))
    assert told(result) == everywhere(*news.split())
    assert [each.to for each in result.effects if isinstance(each, Tell)] == []


def test_who_cancels_what_they_started_is_not_told_and_a_machine_is_nobody():
    asked, ci = world(request("deploy", rules=DEPLOYS), rules=DEPLOYS), Machine(token="REQVEST0M1", name="ci")
    ran = {"state": "running", "run": Run(by=OWNER, at_ms=NOW), "timers": {}}
    for machine, actor, by, hears in (
        (None, OWNER, (OWNER,), [REQ]),
        (ci, OWNER, (OWNER,), []),
        (ci, ci.actor, (), []),
    ):
        at = replace(asked, request=asked.request.model_copy(update={**ran, "machine": machine}))
        result = transition(at, Cancel(id="c", actor=actor, reason="the build is red"), people())
        assert told(result) == everywhere("cancelled", *by)
        assert [each.to for each in result.effects if isinstance(each, Tell)] == hears


def test_the_rule_of_now_says_where():
    before = replace(at(), policy_now=policies(soft(notify=Notify(email=("new@example.com",))), number=2))
    result = transition(before, deny(before.request, ANA), people())
    assert [effect.address for effect in result.effects if isinstance(effect, Mail)] == ["new@example.com"]
    assert told(result) == [f"mail denied {ANA}"]


def test_without_a_rule_there_is_no_route():
    before = replace(broken(), policy_now=policies(policy(targets=("role:*",)), number=2), now_ms=NOW + DAY)
    assert told(transition(before, Overdue(id="o", actor="clock", at_ms=NOW + DAY), people())) == []


def test_every_notice_has_a_key_of_its_own():
    rules = policies(
        soft(notify=Notify(email=("a@b.io", "c@d.io"), channels=("C1", "C2"), webhooks=(HOOK, HOOK + "2")))
    )
    before = at(rules)
    result = transition(before, smash(before.request), people())
    keys = [effect.key for effect in result.effects]
    assert len(keys) == len(set(keys))
    assert {effect.lane for effect in result.effects if effect.type == "signal"} == {"hook"}
    assert {effect.lane for effect in result.effects if effect.type.startswith("mail")} == {"mail"}


def test_a_route_that_no_rule_names_any_more_is_known_for_it():
    fields = {"request": "REQVEST001", "news": "denied", "at_ms": NOW}
    notices: list[Post | Mail | Signal] = [
        Post.model_validate({**fields, "channel": "C0AUDIT"}),
        Mail.model_validate({**fields, "address": "security@example.com"}),
        Signal.model_validate({**fields, "url": HOOK}),
    ]
    assert [named(RULES, each) for each in notices] == [True, True, True]
    assert [named(policies(soft()), each) for each in notices] == [False, False, False]
    assert named(policies(soft()), Mail.model_validate({**fields, "to": OWNER}))


def test_what_is_told_of_two_addresses_does_not_coalesce():
    tells: list[Effect] = [
        Tell(request="REQVEST001", news="undelivered", to=OWNER, at_ms=NOW, detail=detail)
        for detail in ("a@b.io", "c@d.io")
    ]
    assert len({each.key for each in tells}) == 2
    assert route("https://a") != route("https://b")
    for news in ("broken", "undelivered"):
        loud = [Announce(request="REQVEST001", news=news, at_ms=NOW, detail=detail) for detail in (None, "a", "b")]
        assert len({each.key for each in loud}) == 3
    assert len(route("https://a")) == 32


def test_of_a_recovery_of_the_policies_or_of_the_roster_everybody_is_told_once():
    told_to = [
        Recovered(number=number, to=to, holders=holders)
        for holders in (None, ("keys-1:8490",))
        for number in (2, 3)
        for to in (None, OWNER)
    ]
    assert [each.key for each in told_to] == [
        "recovered:2", f"recovered:2:{OWNER}", "recovered:3", f"recovered:3:{OWNER}",
        "recovered-roster:2", f"recovered-roster:2:{OWNER}", "recovered-roster:3", f"recovered-roster:3:{OWNER}",
    ]  # fmt: skip


def test_keys_are_entrusted_once_however_often_the_roster_moved_meanwhile():
    """A known answer: what one version has put into the queue is what the next one adds to."""
    assert Entrust().key == "entrust"
