"""Deploys that a machine asks for: in whose name, who then decides nothing, and what the machine may do with them."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from store.model.command import Approve, Cancel, Withdraw
from store.model.effect import Tell
from store.model.errors import Forbidden
from store.model.lifecycle import Draft, Transition, World, submit, transition
from store.model.people import People
from store.model.policy import Circle
from store.model.request import Machine, Opening, Request
from tests.builders import (
    ANA,
    BOB,
    ENVIRONMENT,
    INSTALLATION,
    NOW,
    OWNER,
    STRANGER,
    approve,
    draft,
    edit,
    people,
    policy,
    world,
)
from tests.store.model.test_deploying import API, DEPLOYS, ruled, start

CI = Machine(token="0000000001", name="ci")
OTHER = Machine(token="0000000002", name="ci")


def wish(requester: str = OWNER, machine: Machine | None = CI) -> Draft:
    drawn = draft("deploy", target=API)
    return replace(drawn, requester=requester, beneficiary=requester, door="machine", machine=machine)


def asked(requester: str = OWNER, machine: Machine | None = CI) -> Transition:
    return submit(wish(requester, machine), INSTALLATION, ruled(), people(), NOW)


def at(request: Request) -> World:
    return world(request, rules=ruled(), now_ms=NOW)


def nobody() -> People:
    """Nobody is looked up for what a machine does."""
    return People(as_of_ms=NOW)


def test_it_is_asked_in_the_name_of_who_asked_for_its_token_who_need_not_be_a_requester():
    result = asked()
    assert (result.request.requester, result.request.machine, result.request.asker) == (OWNER, CI, "machine:0000000001")
    (entry,) = result.audit
    assert entry.actor == "machine:0000000001"
    assert (entry.details["machine"], entry.details["answers"], entry.details["door"]) == ("ci", OWNER, "machine")
    with pytest.raises(Forbidden, match="does not name you"):
        asked(machine=None)


def test_only_deploys():
    drawn = replace(wish(), kind="open", payload=Opening(environment_id=ENVIRONMENT, duration_ms=1))
    rules = ruled(policy(**{**DEPLOYS, "actions": frozenset({"open"})}))
    with pytest.raises(Forbidden, match="does not name you"):
        submit(drawn, INSTALLATION, rules, people(), NOW)


def test_who_has_left_answers_for_nothing():
    gone: dict[str, Any] = {OWNER: {"active": False}}
    with pytest.raises(Forbidden, match="deactivated"):
        submit(wish(), INSTALLATION, ruled(), people(**gone), NOW)


def test_who_answers_for_it_does_not_approve_it():
    mine = asked(ANA).request
    with pytest.raises(Forbidden):
        transition(at(mine), approve(mine, ANA), people())
    assert transition(at(mine), approve(mine, BOB), people()).request.state == "approved"


def test_what_is_approved_is_what_this_machine_asked():
    digests = {asked(machine=each).request.digest for each in (CI, OTHER)}
    assert len(digests) == 2


def test_it_takes_back_what_it_asked_and_nothing_else():
    pending = asked().request
    for other in (OTHER.actor, "machine:", STRANGER):
        with pytest.raises(Forbidden):
            transition(at(pending), Withdraw(id="w", actor=other), nobody())
    assert transition(at(pending), Withdraw(id="w", actor=CI.actor), nobody()).request.state == "withdrawn"
    approved = transition(at(pending), approve(pending, BOB), people()).request
    running = transition(at(approved), start(BOB), people()).request
    for each in (approved, running):
        with pytest.raises(Forbidden):
            transition(at(each), Cancel(id="c", actor=OTHER.actor, reason="no"), nobody())
        assert transition(at(each), Cancel(id="c", actor=CI.actor, reason="no"), nobody()).request.state == "cancelled"


def test_who_answers_for_it_may_edit_it_and_it_stays_the_machines():
    pending = asked().request
    edited = transition(at(pending), edit(pending, OWNER, reason="another"), people()).request
    assert (edited.machine, edited.door, edited.asker, edited.reason) == (CI, "machine", CI.actor, "another")
    with pytest.raises(Forbidden, match="Only the person who asked"):
        transition(at(pending), edit(pending, CI.actor, reason="another"), people())


def test_it_neither_approves_nor_starts_anything():
    pending = asked().request
    verdict = Approve(id="a", actor=CI.actor, revision=1, digest=pending.digest)
    with pytest.raises(ValidationError):  # a review has a person
        transition(at(pending), verdict, nobody())
    approved = transition(at(pending), approve(pending, BOB), people()).request
    for rules in (ruled(), ruled(policy(**DEPLOYS, deployers=Circle(users=frozenset({BOB}))))):
        with pytest.raises(Forbidden):
            transition(replace(at(approved), policy_then=rules, policy_now=rules), start(CI.actor), nobody())


def test_nobody_is_written_to():
    pending = asked().request
    approved = transition(at(pending), approve(pending, BOB), people())
    running = transition(at(approved.request), start(BOB), people())
    ended = transition(at(running.request), Cancel(id="c", actor=CI.actor, reason="no"), nobody())
    assert [effect for each in (approved, running, ended) for effect in each.effects if isinstance(effect, Tell)] == []
