"""Firing: the hooks that listen hear that access has begun, and that it is over, each once."""

from dataclasses import replace
from typing import Any, Final

import pytest

from store.model.command import Absent, Activate, End, Present
from store.model.delivery import Delivery
from store.model.effect import Fire
from store.model.identity import Target
from store.model.lifecycle import Transition, World, transition
from store.model.lifecycle.firing import listening
from store.model.policy import HOUR, MINUTE, Access, Hook, HookEvent, PolicySet, TargetConfig
from tests.builders import ANA, NOW, REQ, approve, leads, moved, people, policies, policy, request, world

BOTH: Final[frozenset[HookEvent]] = frozenset({"access.granted", "access.ended"})
HOOKS: Final = (
    Hook(name="api", url="https://api", on=BOTH),
    Hook(name="web", url="https://web", on=frozenset({"access.ended"})),
    Hook(name="cache", url="https://cache", on=frozenset({"change", "deploy"})),
)


def ruled(hooks: tuple[Hook, ...] = HOOKS, *, activate: str = "by-hand") -> PolicySet:
    targets = {
        "payments/prod": TargetConfig(hooks=hooks),
        "role:aws-admin": TargetConfig(connector="okta", group="admins", hooks=hooks),
    }
    return policies(
        policy(approvals=(leads(1),), access=Access.model_validate({"activate": activate})), targets=targets
    )


def approved(kind: str, rules: PolicySet | None = None) -> World:
    rules = rules or ruled()
    at = world(request(kind, rules=rules), rules=rules)
    return after(at, approve(at.request, ANA))


def done(at: World, command: Any) -> Transition:
    return transition(at, command, people(at.now_ms))


def after(at: World, command: Any) -> World:
    return replace(moved(at, done(at, command)), now_ms=at.now_ms + MINUTE)


ACTIVATE: Final = Activate(id="a", actor=REQ)
PRESENT: Final = Present(id="p", actor="relay")
END: Final = End(id="e", actor=REQ)
ABSENT: Final = Absent(id="b", actor="relay")


def told(result: Transition) -> tuple[tuple[Fire, ...], tuple[Delivery, ...]]:
    return tuple(effect for effect in result.effects if isinstance(effect, Fire)), result.deliveries


def expected(
    event: HookEvent, hooks: tuple[str, ...], target: str, at_ms: int, until_ms: int | None
) -> tuple[tuple[Fire, ...], tuple[Delivery, ...]]:
    """What the relay is given to do, and the records of how that goes."""
    identity = "REQVEST001"
    return (
        tuple(Fire(request=identity, hook=hook, event=event, at_ms=at_ms, target=target) for hook in hooks),
        tuple(
            Delivery(
                request=identity,
                environment=target,
                hook=hook,
                event=event,
                version=0,
                message_id=f"msg_REQVEST001_{hook}_{event.replace('access.', 'access_')}",
                at_ms=at_ms,
                until_ms=until_ms,
            )
            for hook in hooks
        ),
    )


@pytest.mark.parametrize(
    ("kind", "target", "begins", "ends"),
    [
        ("open", "payments/prod", (ACTIVATE,), (END,)),
        ("access", "role:aws-admin", (ACTIVATE, PRESENT), (END, ABSENT)),
    ],
)
def test_who_listens_hears_that_access_has_begun_until_when_and_that_it_is_over(
    kind: str, target: str, begins: tuple[Any, ...], ends: tuple[Any, ...]
):
    at = approved(kind)
    for command in begins[:-1]:
        assert told(done(at, command)) == ((), ())  # nobody has access yet
        at = after(at, command)
    begun = done(at, begins[-1])
    assert begun.request.lease is not None
    until_ms = begun.request.lease.until_ms
    assert told(begun) == expected("access.granted", ("api",), target, at.now_ms, until_ms)
    assert (begun.request.state, begun.request.hooks) == ("active", ("api",))
    assert [effect.key for effect in begun.effects] == [
        "card:REQVEST001", f"tell:REQVEST001:active:{at.now_ms}:{REQ}", "fire:REQVEST001/api/access.granted",
    ]  # fmt: skip
    at = after(at, begins[-1])
    for command in ends[:-1]:
        assert told(done(at, command)) == ((), ())  # they still have it
        at = after(at, command)
    ended = done(at, ends[-1])
    assert told(ended) == expected("access.ended", ("api", "web"), target, at.now_ms, None)
    assert (ended.request.state, ended.request.hooks) == ("ended", ("api", "web"))


def test_what_begins_by_itself_is_told_as_well():
    rules = ruled(activate="on-approval")
    at = world(request("open", rules=rules), rules=rules)
    begun = done(at, approve(at.request, ANA))
    assert told(begun) == expected("access.granted", ("api",), "payments/prod", NOW, NOW + HOUR)


def test_the_policies_of_now_say_who_listens():
    at = approved("open")
    assert told(done(replace(at, policy_now=ruled(HOOKS[1:])), ACTIVATE)) == ((), ())
    other = (Hook(name="new", url="https://new", on=BOTH),)
    begun = done(replace(at, policy_now=ruled(other)), ACTIVATE)
    assert begun.request.hooks == ("new",)


@pytest.mark.parametrize(
    ("target", "events", "hear"),
    [
        ("payments/prod", ("access.ended",), ["api", "web"]),
        ("payments/prod", ("access.granted", "deploy"), ["api", "cache"]),
        ("payments/prod", ("rollback",), []),
        ("payments/prod", (), []),
        ("payments/prod#web", ("access.ended",), ["web"]),
        ("payments/prod#we", ("access.ended",), []),
        ("role:aws-admin", ("access.ended",), ["api", "web"]),
    ],
)
def test_of_an_application_the_hook_of_its_name_listens_and_of_all_else_every_one(
    target: str, events: tuple[HookEvent, ...], hear: list[str]
):
    asked = Target.parse(target)
    assert [hook.name for hook in listening(TargetConfig(hooks=HOOKS), asked, *events)] == hear
    assert listening(None, asked, *events) == ()  # what the policies do not list
