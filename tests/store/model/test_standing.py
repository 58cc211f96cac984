"""Standing: what each part in a request lets a person do, and the sentence that everybody else reads."""

from typing import Any, Final

import pytest

from store.model.policy import Circle, Policy
from store.model.request import Decision, Machine
from store.model.standing import (
    UNKNOWN,
    YES,
    Rules,
    Standing,
    is_approver,
    is_deployer,
    may_cancel,
    may_deploy,
    may_retry,
    starters,
)
from tests.builders import (
    ANA,
    BEN,
    BOB,
    DEVS,
    LEADS,
    NOW,
    ONCALL,
    OWNER,
    REQ,
    STRANGER,
    people,
    policies,
    policy,
    request,
)

# Everybody has one part here: BOB approves, ONCALL deploys, OWNER owns, each by a group.
OPS, OWNERS = "SOPS", "SOWNERS"
KNOWN: Final = people(members={DEVS: {REQ, BEN}, LEADS: {BOB}, OPS: {ONCALL}, OWNERS: {OWNER}})
OWNING: Final = Circle(groups=frozenset({OWNERS}))
NAMED: Final = policy(actions=frozenset({"deploy"}), deployers=Circle(groups=frozenset({OPS})))
DEFAULT: Final = policy(actions=frozenset({"deploy"}))
OPENED: Final = request(beneficiary=BEN)
DEPLOY: Final = request("deploy", rules=policies(DEFAULT))

NO_CANCEL: Final = "Only the person who asked, an approver, a deployer or an owner can cancel this."
NO_RETRY: Final = "Only the person who asked, an approver, a deployer or an owner can have a hook told again."
NO_DEPLOYER: Final = "The rule “rule” does not name you as somebody who may deploy."


def ruled(rule: Policy) -> Rules:
    return Rules(rule, rule, OWNING)


@pytest.mark.parametrize("rule", [NAMED, DEFAULT])
@pytest.mark.parametrize(
    ("user", "cancels", "retries"),
    [
        (REQ, True, True),
        (BEN, False, True),
        (BOB, True, True),
        (OWNER, True, True),
        (STRANGER, False, False),
        (ANA, False, False),
    ],
)
def test_who_may_stop_it_and_who_may_have_a_hook_told_again(user: str, rule: Policy, *, cancels: bool, retries: bool):
    may = may_cancel(OPENED, ruled(rule), OWNING, user, KNOWN)
    assert may == (YES if cancels else Standing(may=False, why=NO_CANCEL))
    again = may_retry(OPENED, ruled(rule), OWNING, user, KNOWN)
    assert again == (YES if retries else Standing(may=False, why=NO_RETRY))


@pytest.mark.parametrize("ask", [may_cancel, may_retry])
def test_whom_the_rule_names_to_deploy_may_stop_and_tell_again_what_they_may_start(ask: Any):
    assert ask(DEPLOY, ruled(NAMED), OWNING, ONCALL, KNOWN) == YES
    assert ask(DEPLOY, ruled(DEFAULT), OWNING, ONCALL, KNOWN).may is False


@pytest.mark.parametrize("ask", [may_cancel, may_retry])
def test_where_no_rule_is_left_an_owner_and_who_asked_are(ask: Any):
    allowed = [user for user in (REQ, BOB, ONCALL, OWNER, STRANGER) if ask(OPENED, None, OWNING, user, KNOWN).may]
    assert allowed == [REQ, OWNER]


def test_a_machine_stops_and_tells_again_what_it_asked():
    machine = Machine(token="0000000001", name="ci")
    asked = DEPLOY.model_copy(update={"machine": machine})
    for ask in (may_cancel, may_retry):
        assert ask(asked, None, OWNING, machine.actor, KNOWN) == YES
        assert ask(DEPLOY, None, OWNING, machine.actor, KNOWN) == UNKNOWN


def test_who_uses_it_must_still_be_somebody_here():
    assert may_retry(OPENED, None, OWNING, BEN, people(without=[BEN])) == UNKNOWN
    gone = may_retry(OPENED, None, OWNING, BEN, people(UBEN={"active": False}))
    assert gone == Standing(may=False, why="You are deactivated in Slack.")


@pytest.mark.parametrize("ask", [may_cancel, may_retry])
@pytest.mark.parametrize("without", [[OWNERS], [LEADS], [OPS], [STRANGER]])
def test_who_may_be_one_of_them_is_not_sent_away_as_a_stranger(ask: Any, without: list[str]):
    known = people(members={OPS: {ONCALL}, OWNERS: {OWNER}}, without=without)
    assert ask(DEPLOY, ruled(NAMED), OWNING, STRANGER, known) == UNKNOWN


@pytest.mark.parametrize(
    ("then", "now", "may"),
    [
        (NAMED, NAMED, {ONCALL}),
        (DEFAULT, DEFAULT, {BOB, OWNER}),
        (NAMED, DEFAULT, set()),
        (DEFAULT, NAMED, set()),
    ],
)
def test_who_may_start_what_was_approved(then: Policy, now: Policy, may: set[str]):
    rules = Rules(then, now, OWNING)
    for user in (REQ, BEN, BOB, ONCALL, OWNER, STRANGER):
        expected = YES if user in may else Standing(may=False, why=NO_DEPLOYER)
        assert is_deployer(rules, user, KNOWN) == expected
        assert may_deploy(DEPLOY, rules, user, KNOWN) == expected


def decided(basis: Any, by: str) -> Any:
    return DEPLOY.model_copy(update={"decision": Decision(basis=basis, by=(by,), at_ms=NOW)})


def test_who_broke_the_glass_for_it_starts_it_while_they_are_somebody_here():
    broken = decided("break-glass", STRANGER)
    assert may_deploy(broken, ruled(NAMED), STRANGER, KNOWN) == YES
    assert may_deploy(broken, ruled(NAMED), ANA, KNOWN).may is False
    assert may_deploy(decided("quorum", STRANGER), ruled(NAMED), STRANGER, KNOWN).may is False
    guest = may_deploy(broken, ruled(NAMED), STRANGER, people(USTRANGER={"guest": True}))
    assert guest == Standing(may=False, why="You are a guest in this workspace.")


@pytest.mark.parametrize(
    ("rule", "principals"),
    [(NAMED, {OPS}), (DEFAULT, {LEADS, OWNERS}), (policy(deployers=Circle()), set())],
)
def test_whose_deploy_it_waits_for(rule: Policy, principals: set[str]):
    assert starters(DEPLOY, rule, OWNING) == principals
    assert starters(decided("quorum", BOB), rule, OWNING) == principals
    assert starters(decided("break-glass", STRANGER), rule, OWNING) == principals | {STRANGER}


def test_a_policy_that_stayed_as_it_was_is_asked_once():
    assert Rules(NAMED, policy(**NAMED.model_dump(by_alias=True)), OWNING).both == (NAMED,)
    assert Rules(NAMED, DEFAULT, OWNING).both == (NAMED, DEFAULT)


def test_who_is_no_approver_reads_which_rule_does_not_name_them():
    assert is_approver(ruled(NAMED), BOB, KNOWN) == YES
    refused = is_approver(ruled(NAMED), STRANGER, KNOWN)
    assert refused == Standing(may=False, why="The rule “rule” does not name you as an approver.")
