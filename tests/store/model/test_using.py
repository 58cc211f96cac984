"""Using: hooks that listen for it hear when somebody's access has begun, until when, and when it is over."""

from dataclasses import replace
from typing import Any, Final

import pytest

from store.model.command import Absent, Activate, Due, End, Present, Refused
from store.model.effect import Fire
from store.model.lifecycle import Transition, World, transition
from store.model.policy import HOUR, Access, Hook, TargetConfig
from tests.builders import (
    ANA,
    BOB,
    NOW,
    PROD,
    REQ,
    ROLE,
    TARGETS,
    approve,
    moved,
    people,
    policies,
    policy,
    request,
    smash,
    soft,
    world,
)

BEGUN, OVER = "access.granted", "access.ended"
HOOKS: Final = (
    Hook(name="audit", url="https://audit", on=frozenset({"access.granted", "access.ended"})),
    Hook(name="door", url="https://door", on=frozenset({"access.granted"})),
    Hook(name="sweep", url="https://sweep", on=frozenset({"access.ended"})),
    Hook(name="api", url="https://api"),
)
HEARING: Final = {name: TARGETS[name].model_copy(update={"hooks": HOOKS}) for name in (PROD.id, ROLE.id)}
ON: Final = Activate(id="a", actor=REQ)
THERE: Final = Present(id="p", actor="relay")
UNTIL: Final = NOW + HOUR
BEGINS: Final = [("audit", BEGUN, UNTIL), ("door", BEGUN, UNTIL)]
ENDS: Final = [("audit", OVER, None), ("sweep", OVER, None)]


def heard(result: Transition) -> list[tuple[str, str, int | None]]:
    """By whom, what, until when. What is fired is kept, and the request knows who hears of it."""
    fired = [(each.hook, each.event) for each in result.effects if isinstance(each, Fire)]
    kept: list[tuple[str, str, int | None]] = [(each.hook, each.event, each.until_ms) for each in result.deliveries]
    assert fired == [(hook, event) for hook, event, _ in kept]
    assert {hook for hook, _ in fired} <= set(result.request.hooks)
    return kept


def step(at: World, command: Any) -> Transition:
    return transition(at, command, people(at.now_ms))


def held(kind: str, *commands: Any) -> World:
    """After these, asked under a rule that two approve; who asked uses it."""
    rules = policies(targets=HEARING)
    at = world(request(kind, rules=rules), rules=rules)
    for command in (approve(at.request, ANA), approve(at.request, BOB), *commands):
        at = moved(at, step(at, command))
    return at


def lapse(at: World) -> Transition:
    return step(replace(at, now_ms=UNTIL), Due(id="d", actor="clock", timer="deadline", at_ms=UNTIL))


@pytest.mark.parametrize(
    ("kind", "before", "command", "expected"),
    [
        ("open", (), ON, BEGINS),
        ("open", (ON,), End(id="e", actor=REQ), ENDS),
        # Of a membership nothing is said before it was seen there, and not that it is over while it may be there still.
        ("access", (), ON, []),
        ("access", (ON,), THERE, BEGINS),
        ("access", (ON,), Refused(id="r", actor="relay", sentence="No.", absent=True), []),
        ("access", (ON, THERE), End(id="e", actor=REQ), []),
        ("access", (ON, THERE, End(id="e", actor=REQ)), Absent(id="x", actor="relay"), ENDS),
    ],
)
def test_hooks_hear_of_access_when_it_is_there_and_when_it_is_gone(
    kind: str, before: tuple[Any, ...], command: Any, expected: list[tuple[str, str, int | None]]
):
    assert heard(step(held(kind, *before), command)) == expected


def test_time_ends_access_for_hooks_as_a_hand_does():
    assert heard(lapse(held("open", ON))) == ENDS


def test_who_heard_of_its_beginning_is_kept_beside_who_hears_of_its_end():
    assert step(held("open", ON), End(id="e", actor=REQ)).request.hooks == ("audit", "door", "sweep")


def test_where_no_hook_listens_nothing_is_told():
    at = held("open")
    deaf = policies(targets={PROD.id: TargetConfig(hooks=HOOKS[3:])}, number=2)
    begun = step(replace(at, policy_now=deaf), ON)
    assert (heard(begun), begun.request.hooks) == ([], ())


def test_access_that_starts_with_its_approval_is_heard_of_in_the_same_commit():
    rules = policies(policy(access=Access(activate="on-approval")), targets=HEARING)
    at = world(request(rules=rules), rules=rules)
    at = moved(at, step(at, approve(at.request, ANA)))
    assert heard(step(at, approve(at.request, BOB))) == BEGINS


def test_so_is_access_that_starts_with_a_broken_glass():
    rules = policies(soft(access=Access(activate="on-approval")), targets=HEARING)
    at = world(request(rules=rules), rules=rules)
    broken = step(at, smash(at.request))
    assert (heard(broken), broken.debt is not None) == (BEGINS, True)
