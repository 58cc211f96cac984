"""Jobs that wait at GitHub: asked in nobody's name, let through when they are started, turned away however they end before that."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from store.model.command import Cancel, Countersign, Deploy, Due, Withdraw
from store.model.effect import Fire, Tell
from store.model.errors import Forbidden, Invalid
from store.model.identity import Target
from store.model.lifecycle import World, submit, transition
from store.model.policy import TargetConfig
from store.model.request import Ending, Gate, Request, digest
from tests.builders import (
    ANA,
    BOB,
    INSTALLATION,
    NOW,
    OWNER,
    REQ,
    STRANGER,
    approve,
    deny,
    draft,
    leads,
    people,
    policies,
    smash,
    soft,
    world,
)
from tests.github.gates import GATE, HUB, RULES, asked, ruled


def at(request: Request | None = None, **changed: Any) -> World:
    return world(request or asked(), rules=ruled(), **changed)


def done(before: World, command: Any) -> Any:
    return transition(before, command, people(before.now_ms))


def started() -> World:
    approved = done(at(), approve(at().request, ANA))
    return replace(at(), request=approved.request)


def told(result: Any) -> tuple[list[str], list[str]]:
    fired = [effect.hook for effect in result.effects if isinstance(effect, Fire) and effect.event == "deploy"]
    return fired, [f"{each.request}/{each.place}" for each in result.deliveries]


def test_who_answers_for_it_asks_and_decides_nothing():
    request = asked()
    assert (request.requester, request.asker, request.gate) == (OWNER, "github:acme/payments", GATE)
    assert Request.from_json(request.to_json()) == request
    with pytest.raises(Forbidden):
        done(at(), approve(request, OWNER))


@pytest.mark.parametrize(
    ("gate", "requester"),
    [
        (GATE.model_copy(update={"environment": "staging"}), OWNER),
        (GATE.model_copy(update={"repository": "evil/payments"}), OWNER),
        (GATE.model_copy(update={"repository": "acme/payments2"}), OWNER),
        (GATE, STRANGER),
        (GATE, ANA),
    ],
)
def test_which_environment_it_is_and_who_answers_for_it_stands_in_the_policies(gate: Gate, requester: str):
    with pytest.raises(Invalid, match=r"No hook of payments/prod#api is for the environment") as refused:
        asked(gate=gate, requester=requester, beneficiary=requester)
    assert refused.value.detail == "no_hook"


def test_case_means_nothing_at_github():
    other = GATE.model_copy(update={"environment": "Production", "repository": "Acme/Payments"})
    assert asked(gate=other).gate == other


def test_nobody_else_deploys_by_it():
    with pytest.raises(Invalid, match="No hook named api deploys payments/prod#api"):
        asked(gate=None, requester=REQ, beneficiary=REQ)
    everything = replace(draft("deploy", target=Target.parse("payments/prod")), requester=REQ, beneficiary=REQ)
    request = submit(everything, INSTALLATION, ruled(), people(), NOW).request
    approved = done(at(request), approve(request, ANA)).request
    assert done(at(approved), Deploy(id="d", actor=ANA)).request.hooks == ("web",)
    assert ("deploy", "payments/prod#api") not in ruled().offers(RULES.requesters.principals)
    assert ("deploy", "payments/prod#web") in ruled().offers(RULES.requesters.principals)


@pytest.mark.parametrize("field", ["repository", "environment", "run", "deployment", "by"])
def test_what_is_approved_is_this_very_job(field: str):
    changed = {"repository": "Acme/payments", "environment": "Production", "run": 8, "deployment": 10, "by": "mona"}
    other = asked().model_copy(update={"machine": GATE.model_copy(update={field: changed[field]})})
    assert digest(INSTALLATION, other) != digest(INSTALLATION, asked())


def test_it_is_let_through_when_it_is_started_and_not_before():
    decided = done(at(), approve(at().request, ANA))
    assert (decided.request.state, told(decided)) == ("approved", ([], []))
    result = done(started(), Deploy(id="d", actor=BOB))
    assert (result.request.state, result.request.hooks) == ("running", ("api",))
    assert told(result) == (["api"], ["REQVEST001/api:deploy"])
    assert not [effect for effect in result.effects if isinstance(effect, Tell)]


ENDS: Final[dict[str, Callable[[], Any]]] = {
    "denied": lambda: done(at(), deny(at().request, ANA)),
    "withdrawn": lambda: done(at(), Withdraw(id="w", actor=OWNER)),
    "expired": lambda: done(
        at(now_ms=at().request.timers["deadline"]),
        Due(id="t", actor="clock", timer="deadline", at_ms=at().request.timers["deadline"]),
    ),
    "cancelled": lambda: done(started(), Cancel(id="c", actor=ANA, reason="no")),
}


@pytest.mark.parametrize("state", ENDS)
def test_however_it_ends_before_it_is_started_it_is_turned_away_once(state: str):
    result = ENDS[state]()
    assert (result.request.state, result.request.hooks) == (state, ("api",))
    assert told(result) == (["api"], ["REQVEST001/api:deploy"])


def test_what_was_let_through_is_not_turned_away():
    running = done(started(), Deploy(id="d", actor=ANA))
    result = done(replace(at(), request=running.request, slots=running.slots), Cancel(id="c", actor=ANA, reason="no"))
    assert (result.request.state, told(result)) == ("cancelled", ([], []))


def test_what_another_one_supersedes_is_turned_away():
    older = asked(id="REQVEST000").model_copy(update={"created_ms": NOW - 1})
    result = done(replace(started(), siblings=(older,)), Deploy(id="d", actor=ANA))
    (passed,) = result.siblings
    assert (result.request.state, result.request.hooks) == ("running", ("api",))
    assert (passed.state, passed.hooks) == ("superseded", ("api",))
    assert told(result) == (["api", "api"], ["REQVEST001/api:deploy", "REQVEST000/api:deploy"])


def test_what_is_over_is_not_told_again_when_its_glass_is_looked_at():
    rules = policies(
        soft(actions=frozenset({"deploy"}), approvals=(leads(1),)),
        targets={"payments/prod": TargetConfig(hooks=(HUB,))},
    )
    request = asked(rules)
    first = world(request, rules=rules)
    broken = done(first, smash(request))
    ended = broken.request.model_copy(update={"state": "cancelled", "ending": Ending(by=ANA, at_ms=NOW, reason="no")})
    owes = replace(first, request=ended, debt=broken.debt)
    result = done(owes, Countersign(id="s", actor=ANA))
    assert told(result) == ([], [])
