"""What each step says to whoever took it, changes in the record, writes into the audit log, and tells whom.

A block is a step: the answer, then one line for each thing that is committed. `card` is shown anew, `now` is the moment of the step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from pydantic import BaseModel

from store.model.command import (
    Absent,
    Activate,
    Command,
    Countersign,
    Dispute,
    Due,
    End,
    Leave,
    Merge,
    Overdue,
    Present,
    Refused,
    Tally,
    Trouble,
    Withdraw,
)
from store.model.errors import AccessError
from store.model.grant import Lease
from store.model.identity import Target
from store.model.lifecycle import Transition, World, submit, transition
from store.model.lock import Cause, Lock
from store.model.people import People
from store.model.policy import DAY, HOUR, MINUTE, Access, Circle, Hook, TargetConfig, Ticket
from store.model.request import Amendment, Enrolling, Request, Review, digest
from tests.builders import (
    ANA,
    BEN,
    BOB,
    CAT,
    INSTALLATION,
    LEADS,
    NOW,
    ONCALL,
    OWNER,
    PAGER,
    PROD,
    REQ,
    TARGETS,
    approve,
    deny,
    draft,
    edit,
    extension,
    head,
    leads,
    longer,
    moved,
    payload,
    people,
    policies,
    policy,
    request,
    smash,
    soft,
    touch,
    world,
)

Told: TypeAlias = Callable[[World], Command]
LATER: Final = NOW + MINUTE
SLOW: Final = policies(
    soft(
        merge="by-hand", remind=(HOUR,), escalate=({"after_ms": 2 * HOUR, "to": {"users": [OWNER], "groups": [PAGER]}},)
    ),
    number=3,
)
QUICK: Final = policies(soft(access=Access(max_ms=4 * HOUR, activate="on-approval")))


def yes(user: str, **changed: Any) -> Told:
    return lambda at: approve(at.request, user, **changed)


def no(user: str, **changed: Any) -> Told:
    return lambda at: deny(at.request, user, **changed)


def glass(at: World) -> Command:
    return smash(at.request, reason="The shop is down.")


def due(timer: Any) -> Told:
    return lambda at: Due(id="d", actor="clock", timer=timer, at_ms=at.request.timers[timer])


def overdue(at: World) -> Command:
    assert at.debt is not None
    return Overdue(id="o", actor="clock", at_ms=at.debt.due_ms)


def by(command: type[Any], user: str = REQ, **fields: Any) -> Told:
    return lambda at: command(id="c", actor=user, **fields)


def again(**changed: Any) -> Told:
    return lambda at: edit(at.request, **changed)


def do(at: World, step: Told, known: People | None = None) -> World:
    """Where the time of the request is up, the step is taken then."""
    command = step(at)
    if isinstance(command, Due):
        at = replace(at, now_ms=command.at_ms)
    result = transition(at, command, known or people(at.now_ms))
    return replace(moved(at, result), now_ms=NOW)


def more(**changed: Any) -> Callable[[World], World]:
    """Seen from the extension that is asked for in that moment."""
    return lambda at: extension(at, **changed)


def half(cap_ms: int | None = None, **changed: Any) -> Callable[[World], World]:
    """The extension, with the first of its two approvals."""
    return lambda at: replace(do(extension(at, **changed), yes(ANA, cap_ms=cap_ms)), now_ms=at.now_ms)


def holder(what: str) -> Callable[[World], World]:
    """The same request, for a key holder."""
    payload = {"what": what, "name": "keys-3:8490", "address": "https://keys-3:8490#aa", "fingerprint": "a" * 32}

    def asked(at: World) -> World:
        other = at.request.model_copy(update={"payload": Enrolling.model_validate(payload)})
        return of(at, payload=other.payload, digest=digest(INSTALLATION, other))

    return asked


def beside(at: World) -> World:
    """The grant, and the extension that waits beside it."""
    asked = extension(at)
    return replace(at, request=asked.siblings[0], siblings=(asked.request,))


def of(at: World, **changed: Any) -> World:
    """Another record of the same request."""
    return replace(at, request=at.request.model_copy(update=changed))


ONE: Final = policies(policy(approvals=(leads(1),)))
DEPLOYED: Final = TargetConfig(
    hooks=(
        Hook(name="api", url="https://api", on=frozenset({"deploy"})),
        Hook(name="web", url="https://web", on=frozenset({"change"})),
    )
)
YES: Final = (yes(ANA), yes(BOB))
ON: Final = by(Activate)
GONE: Final = by(Absent, "relay")
THERE: Final = by(Present, "relay")
TALLY: Final = by(Tally, "relay")
TROUBLE: Final = by(Trouble, "relay", sentence="Slow.")
EXPIRE: Final = due("deadline")
LEAVE: Final = by(Leave, "clock")
GONE_AWAY: Final = people(LATER, UREQ={"active": False})
OTHERS: Final = Amendment(base=2, content="d" * 64)
LONGER: Final = Lease(starts_ms=NOW, until_ms=NOW + 2 * HOUR)
OTHER_HEAD: Final = head().model_copy(update={"environment_id": "env2"})

# name: kind, what went before, the step, and what is different from an hour's request under SLOW rules
STEPS: Final[dict[str, tuple[str, tuple[Told, ...], Told, dict[str, Any]]]] = {
    "a first vote": ("open", (), yes(ANA, cap_ms=20 * MINUTE), {}),
    "a first vote whose facts are missing": ("open", (), yes(ANA), {"known": people(LATER, without=[ANA])}),
    "a vote again": ("open", (yes(ANA),), yes(ANA), {}),
    "a count by the relay that changes nothing": ("open", (yes(ANA),), TALLY, {}),
    "the deciding vote": ("open", (yes(ANA, cap_ms=20 * MINUTE),), yes(BOB), {"beneficiary": BEN}),
    "the deciding vote on a change": ("change", (yes(ANA),), yes(BOB), {}),
    "the deciding vote where access starts by itself": ("open", (yes(ANA),), yes(BOB), {"rules": QUICK}),
    "the deciding vote where membership starts by itself": ("access", (yes(ANA),), yes(BOB), {"rules": QUICK}),
    "the deciding vote where a change is merged by itself": (
        "change", (yes(ANA),), yes(BOB), {"rules": policies(soft()), "head": head(number=4, B=1)},
    ),
    "the deciding vote on a change that moved": (
        "change", (yes(ANA),), yes(BOB),
        {
            "rules": policies(soft(request_ttl_ms=2 * HOUR)), "head": head(A=9, B=9, C=9, D=9),
            "touches": (touch("A"), touch("B"), touch("C"), touch("D"), touch("E")),
        },
    ),
    "a denial": ("open", (yes(ANA),), no(BOB, reason="Not today."), {"beneficiary": BEN}),
    "a denial without a reason": ("open", (), no(ANA, reason=""), {}),
    "a broken glass": ("open", (), glass, {}),
    "a broken glass of a change": ("change", (), glass, {"rules": policies(soft())}),
    "a broken glass of a change that moved": ("change", (), glass, {"rules": policies(soft()), "head": head(A=9)}),
    "a withdrawal": ("open", (yes(ANA),), by(Withdraw, BEN), {"beneficiary": BEN}),
    "an edit": ("open", (yes(ANA), yes(CAT)), again(reason="another", ticket="AB-1", duration_ms=2 * HOUR), {"rules": policies(soft(approvals=(leads(3),)), number=3)}),
    "an edit before any vote": ("change", (), again(touches=(touch("B"), touch("A", base=1))), {"head": head(A=2)}),
    "an activation": ("open", YES, by(Activate, BEN), {"beneficiary": BEN}),
    "an activation of a membership": ("access", YES, ON, {}),
    "a merge": (
        "change", YES, by(Merge),
        {"siblings": (
            request("change", identity="REQVEST002", rules=SLOW, beneficiary=BEN),
            request("change", identity="REQVEST003", rules=SLOW, touches=(touch("B"),)),
        )},
    ),
    "a merge that no hook hears": (
        "change", YES, by(Merge), {"rules": SLOW.model_copy(update={"targets": {**TARGETS, PROD.id: TargetConfig()}})},
    ),
    "a merge of what moved": ("change", YES, by(Merge), {"head": head(A=9)}),
    "a merge of a removal beside a hook for deploys": (
        "change", YES, by(Merge, BOB),
        {
            "rules": SLOW.model_copy(update={"targets": {**TARGETS, PROD.id: DEPLOYED}}),
            "touches": (touch("A", base=1, to=None), touch("B")), "head": head(A=1, C=1),
            "siblings": (request("change", identity="REQVEST002", rules=SLOW, touches=(touch("C"), touch("B"))),),
        },
    ),
    "an end": ("open", (*YES, ON), by(End, CAT, reason="Done."), {}),
    "an end without a reason": ("open", (*YES, ON), by(End), {}),
    "an end of a membership": ("access", (*YES, ON, THERE), by(End, reason="Done."), {}),
    "a membership that is there": ("access", (*YES, ON, TROUBLE), THERE, {}),
    "a membership that is refused": ("access", (*YES, ON), by(Refused, "relay", sentence="No.", absent=True), {}),
    "a membership that is refused and may be there": (
        "access", (*YES, ON), by(Refused, "relay", sentence="Perhaps.", absent=False), {},
    ),
    "a membership that is gone": ("access", (*YES, ON, by(End)), GONE, {}),
    "a membership that stays for another": (
        "access", (*YES, ON, by(End)), by(Absent, "relay", kept_by="REQVEST009"), {},
    ),
    "trouble": ("access", (*YES, ON, by(End)), by(Trouble, "relay", sentence="Still there."), {}),
    "a warning": ("open", (*YES, ON), due("warning"), {"beneficiary": REQ, "passed_ms": 50 * MINUTE}),
    "the end of a lease": ("open", (*YES, ON), due("deadline"), {"passed_ms": HOUR}),
    "the end of a lease of a membership": ("access", (*YES, ON, THERE), due("deadline"), {"passed_ms": HOUR}),
    "an expiry of what nobody decided": ("open", (yes(ANA),), due("deadline"), {"passed_ms": 8 * HOUR}),
    "an expiry of what nobody used": ("open", YES, due("deadline"), {"passed_ms": 9 * HOUR}),
    "a reminder": ("open", (), due("remind"), {"passed_ms": HOUR}),
    "an escalation": ("open", (), due("escalate"), {"passed_ms": 2 * HOUR}),
    "a countersignature": ("open", (glass,), by(Countersign, ANA), {}),
    "a dispute": ("open", (glass,), by(Dispute, ANA, reason="Nothing was down."), {}),
    "a dispute after the time to countersign": (
        "open",
        (glass,),
        by(Dispute, ANA, reason="Nothing was down."),
        {"passed_ms": 25 * HOUR},
    ),
    "a dispute of access that runs": ("open", (glass, ON), by(Dispute, ANA, reason="Nothing was down."), {}),
    "a debt that is overdue": ("open", (glass,), overdue, {"passed_ms": 24 * HOUR}),
    "a denial that was written down without a reason": (
        "open", (), TALLY,
        {"then": lambda at: of(at, reviews=(Review(by=ANA, verdict="deny", at_ms=NOW),))},
    ),
    "a merge of policies beside others": (
        "policy", YES, by(Merge),
        {"siblings": (
            request("policy", identity="REQVEST002"),
            request("policy", identity="REQVEST003", beneficiary=BEN).model_copy(update={"state": "approved"}),
            request("policy", identity="REQVEST004").model_copy(update={"state": "stale"}),
        ), "rules": policies(soft(merge="by-hand", request_ttl_ms=2 * HOUR))},
    ),
    "a merge of a key holder to add": ("policy", YES, by(Merge), {"then": holder("add"), "rules": policies(soft(merge="by-hand"))}),
    "a merge of a key holder to remove": ("policy", YES, by(Merge), {"then": holder("remove"), "rules": policies(soft(merge="by-hand"))}),
    "the deciding vote on more time": (
        "open", (*YES, by(Activate, BEN)), yes(BOB), {"beneficiary": BEN, "then": half(), "passed_ms": 30 * MINUTE},
    ),
    "the deciding vote on more time of a membership": ("access", (*YES, ON, THERE), yes(BOB), {"then": half()}),
    "the deciding vote on more time, of which one agrees to a millisecond": (
        "open", (*YES, ON), yes(BOB), {"then": half(cap_ms=1)},
    ),
    "the deciding vote on more time in the moment of its next warning": (
        "open", (*YES, ON), yes(BOB), {"then": half(duration_ms=5 * MINUTE), "passed_ms": 55 * MINUTE},
    ),
    "an edit of more time near the end of what it would extend": (
        "open", (*YES, ON), again(duration_ms=2 * HOUR), {"then": more(), "passed_ms": 30 * MINUTE},
    ),
    "an end while more time is asked for": ("open", (*YES, by(Activate, BEN)), by(End, reason="Done."), {"beneficiary": BEN, "then": beside}),
    "a requester who left while it was open": ("open", (), LEAVE, {"beneficiary": BEN, "known": GONE_AWAY}),
    "a requester who left while it was stale": (
        "change", (), LEAVE, {"beneficiary": BEN, "known": GONE_AWAY, "then": lambda at: of(at, state="stale")},
    ),
    "somebody who left while they could use it": ("open", YES, LEAVE, {"known": GONE_AWAY}),
    "somebody who left while they used it": ("open", (*YES, ON), LEAVE, {"known": GONE_AWAY, "then": beside}),
}  # fmt: skip


# The same, where the last step is refused.
REFUSED: Final[dict[str, tuple[str, tuple[Told, ...], Told, dict[str, Any]]]] = {
    "late, approved": ("open", YES, TALLY, {}),
    "late, stale": ("change", (*YES, by(Merge)), TALLY, {"head": head(A=9)}),
    "late, granting": ("access", (*YES, ON), TALLY, {}),
    "late, active": ("open", (*YES, ON), TALLY, {}),
    "late, revoking": ("access", (*YES, ON, by(End)), TALLY, {}),
    "late, denied": ("open", (no(ANA),), TALLY, {}),
    "late, withdrawn": ("open", (by(Withdraw),), TALLY, {}),
    "late, merged": ("change", (*YES, by(Merge)), TALLY, {}),
    "late, ended": ("open", (*YES, ON, by(End)), TALLY, {}),
    "late, failed": ("access", (*YES, ON, by(Refused, "relay", sentence="No.", absent=True)), TALLY, {}),
    "late, expired before it was decided": ("open", (EXPIRE,), TALLY, {}),
    "late, expired before it was used": ("open", (*YES, EXPIRE), TALLY, {}),
    "late, extended": ("open", (*YES, ON), TALLY, {"then": lambda at: do(half()(at), yes(BOB))}),
    "early": ("open", (), ON, {}),
    "out of time, pending": ("open", (), yes(ANA), {"passed_ms": 8 * HOUR}),
    "out of time, approved": ("open", YES, ON, {"passed_ms": 9 * HOUR}),
    "out of time, active": ("open", (*YES, ON), ON, {"passed_ms": HOUR}),
    "no glass": ("open", (), by(Countersign, ANA), {}),
    "a glass that was looked at": ("open", (glass, by(Countersign, ANA)), by(Dispute, BOB, reason="?"), {}),
    "one's own glass": ("open", (glass,), by(Countersign, ONCALL), {}),
    "a countersignature out of time": ("open", (glass,), by(Countersign, ANA), {"passed_ms": 24 * HOUR}),
    "a countersignature by somebody else": ("open", (glass,), by(Countersign, "USTRANGER"), {}),
    "an overdue that is early": ("open", (glass,), overdue, {"passed_ms": 24 * HOUR - 1}),
    "an overdue of another time": ("open", (glass,), by(Overdue, at_ms=NOW), {"passed_ms": 25 * HOUR}),
    "a timer that was moved": ("open", (), by(Due, timer="deadline", at_ms=NOW), {}),
    "somebody else's withdrawal": ("open", (), by(Withdraw, ANA), {}),
    "somebody else's activation": ("open", YES, by(Activate, ANA), {}),
    "somebody else's end": ("open", (*YES, ON), by(End, "USTRANGER"), {}),
    "an end whose facts are missing": ("open", (*YES, ON), by(End, CAT), {"known": people(LATER, without=[CAT])}),
    "an activation of a disputed glass": ("open", (glass, by(Dispute, ANA, reason="?")), ON, {}),
    "an activation by who was deactivated": ("open", YES, ON, {"known": people(LATER, UREQ={"active": False})}),
    "an activation of a change": ("change", YES, ON, {}),
    "an activation of nothing": ("open", YES, ON, {"then": lambda at: replace(at, request=at.request.model_copy(update={"granted_ms": None}))}),
    "a merge without an environment": ("change", YES, by(Merge), {"then": lambda at: replace(at, head=None)}),
    "a merge into another environment": ("change", YES, by(Merge), {"then": lambda at: replace(at, head=OTHER_HEAD)}),
    "trouble again": ("access", (*YES, ON, TROUBLE), TROUBLE, {}),
    "a report that changes nothing": ("access", (*YES, ON, THERE), THERE, {}),
    "another content": ("open", (), yes(ANA, revision=2), {}),
    "no rule any more": ("open", (), yes(ANA), {"then": lambda at: replace(at, policy_now=policies(soft(targets=("other/*",))))}),
    "a vote on one's own request": ("open", (), yes(REQ), {}),
    "a vote by who is no approver": ("open", (), yes("USTRANGER"), {}),
    "a vote for no time": ("open", (), yes(ANA, cap_ms=0), {}),
    "a count without facts": (
        "open", (), TALLY,
        {"rules": ONE, "then": lambda at: do(at, yes(ANA), people(without=[ANA])), "known": people(LATER, without=[ANA])},
    ),
    "a glass without a reason": ("open", (), lambda at: smash(at.request, reason=" "), {}),
    "a glass that is hard": ("open", (), glass, {"then": lambda at: replace(at, policy_now=policies(policy()))}),
    "a glass by who may not": ("open", (), lambda at: smash(at.request, ANA), {"known": people(LATER, members={PAGER: set()})}),
    "a glass by who is locked": (
        "open", (), glass,
        {"lock": Lock(user=ONCALL, causes=(Cause(request="REQVEST009", why="overdue", at_ms=NOW),))},
    ),
    "an edit by somebody else": ("open", (), lambda at: edit(at.request, ANA, reason="x"), {}),
    "an edit of a broken glass": ("change", (glass,), again(reason="x"), {"head": head(A=9), "rules": policies(soft())}),
    "an edit for who was deactivated": (
        "open", (), lambda at: edit(at.request, BEN, reason="x"),
        {"beneficiary": BEN, "known": people(LATER, UREQ={"active": False})},
    ),
    "an edit of nothing": ("open", (), again(), {}),
    "an edit for no time": ("open", (), again(duration_ms=0), {}),
    "an edit of a change for a while": ("change", (), again(duration_ms=HOUR), {}),
    "an edit of what touches nothing": ("open", (), again(touches=(touch(),)), {}),
    "an edit of too many": ("change", (), again(touches=tuple(touch(f"A{number}") for number in range(101))), {}),
    "an edit without an environment": ("change", (), again(reason="x"), {"then": lambda at: replace(at, head=None)}),
    "an edit on another environment": ("change", (), again(reason="x"), {"then": lambda at: replace(at, head=OTHER_HEAD)}),
    "an edit of access that brings policies": ("open", (), again(amendment=OTHERS), {}),
    "a dispute without a reason": ("open", (glass,), by(Dispute, ANA, reason=" "), {}),
    "a glass for more time": ("open", (*YES, ON), glass, {"then": more()}),
    "more time for what moved": (
        "open", (*YES, ON), yes(BOB),
        {"then": lambda at: replace(half()(at), siblings=(at.request.model_copy(update={"lease": LONGER}),))},
    ),
    "more time for what has ended": (
        "open", (*YES, ON), yes(BOB),
        {"then": lambda at: replace(half()(at), siblings=(at.request.model_copy(update={"state": "ended"}),))},
    ),
    "more time than the rules of now have": (
        "open", (*YES, ON), yes(BOB),
        {"then": lambda at: replace(half()(at), policy_now=policies(soft(access=Access(max_ms=HOUR)), number=3))},
    ),
    "a leaver of whom nothing is known": ("open", (), LEAVE, {"known": people(LATER, without=[REQ])}),
    "a leaver who is still here": ("open", (), LEAVE, {}),
    "a leaver who asked for somebody else and it is decided": ("open", YES, LEAVE, {"beneficiary": BEN, "known": GONE_AWAY}),
    "an edit that leaves nothing": ("change", (), again(touches=(touch(base=1, to=None),)), {}),
}  # fmt: skip

# What is asked for the first time, and refused.
ASKED: Final[dict[str, dict[str, Any]]] = {
    "a request": {"rules": SLOW, "beneficiary": BEN, "reason": " because ", "ticket": "AB-1"},
    "a request for a target nobody listed": {"target": Target.parse("billing/prod")},
    "a request that no rule decides": {"rules": policies(policy(actions=frozenset({"change"})))},
    "a request without facts": {"known": people(without=[LEADS])},
    "a request by a guest": {"known": people(UREQ={"guest": True})},
    "a request for a guest": {"known": people(UBEN={"guest": True}), "beneficiary": BEN},
    "a request by who may not ask": {"requester": ANA, "rules": policies(policy(requesters=Circle()))},
    "a request without a reason": {"reason": " "},
    "a request with too long a reason": {"reason": "x" * 2_001},
    "a request without its ticket": {"rules": policies(policy(ticket=Ticket(pattern="[A-Z]+-[0-9]+")))},
    "a request with another ticket": {"rules": policies(policy(ticket=Ticket(pattern="AB-[0-9]"))), "ticket": "AB"},
    "a request for too long": {"duration_ms": 4 * HOUR + 1},
    "a request nobody could approve": {"known": people(members={LEADS: {REQ, ANA}})},
    "a request of another kind": {"payload": payload("change")},
    "a request for the secrets of an application": {"target": Target.parse("payments/prod#api")},
    "a request that names a secret twice": {"kind": "change", "touches": (touch("A"), touch("A", to=2))},
    "a request for another membership": {"kind": "access", "target": PROD},
    "a request from a terminal": {"door": "terminal"},
    "a request for policies that are made on others": {"kind": "policy", "payload": OTHERS},
    "a request for somebody who may not have it": {
        "beneficiary": BEN, "rules": policies(policy(requesters=Circle(users=frozenset({REQ})))),
    },
}  # fmt: skip

# More time for an open grant of an hour since now, unless `held` says what is different.
LONGER_ASKED: Final[dict[str, dict[str, Any]]] = {
    "more time": {"held": {"beneficiary": BEN}},
    "as much more time as there is": {"duration_ms": 3 * HOUR},
    "too much more time": {"duration_ms": 3 * HOUR + 1},
    "more time where there is none": {"held": {"duration_ms": 4 * HOUR}},
    "more time by somebody else": {"requester": BEN},
    "more time for somebody else": {"beneficiary": BEN},
    "more time for what was moved": {"at": lambda at: of(at, lease=LONGER)},
    "more time for what is over": {"at": lambda at: of(at, state="ended")},
    "more time while some is asked for": {"at": beside, "id": "REQVEST0X2"},
}

NAMES: Final = (*STEPS, *REFUSED, *ASKED, *LONGER_ASKED)
PAGE: Final = Path(__file__).with_name("told.txt")
EXPECTED: Final = dict(
    block.removeprefix("# ").strip().split("\n", 1) for block in PAGE.read_text(encoding="utf-8").split("\n\n")
)


def test_every_step_is_written_down():
    assert tuple(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_step_says_changes_writes_down_and_tells(name):
    assert told(name) == EXPECTED[name]


def told(name: str) -> str:
    try:
        at, result = _result(name)
    except AccessError as refusal:
        return f"{type(refusal).__name__} {refusal.detail}: {refusal.sentence}"
    assert result.request.digest == digest(INSTALLATION, result.request)
    return "\n".join(_lines(at, result, None if name in {**ASKED, **LONGER_ASKED} else at.request))


def _result(name: str) -> tuple[World, Transition]:
    if name in ASKED:
        return _asked(**ASKED[name])
    if name in LONGER_ASKED:
        return _asked_longer(**LONGER_ASKED[name])
    return _taken(*{**STEPS, **REFUSED}[name])


def _taken(kind: str, before: tuple[Told, ...], last: Told, changed: dict[str, Any]) -> tuple[World, Transition]:
    rules = changed.get("rules", SLOW)
    of_request = {field: changed[field] for field in ("beneficiary", "touches") if field in changed}
    of_world = {field: changed[field] for field in ("head", "siblings", "lock") if field in changed}
    at = world(request(kind, rules=rules, **of_request), rules=rules, **of_world)
    for step in before:
        at = do(at, step)
    at = replace(at, now_ms=NOW + changed.get("passed_ms", MINUTE))
    at = changed.get("then", lambda at: at)(at)
    return at, transition(at, last(at), changed.get("known") or people(at.now_ms))


def _asked(**changed: Any) -> tuple[World, Transition]:
    rules, known = changed.pop("rules", policies()), changed.pop("known", people())
    result = submit(draft(changed.pop("kind", "open"), **changed), INSTALLATION, rules, known, NOW)
    return world(result.request, rules=rules), result


def _asked_longer(
    held: Mapping[str, Any] | None = None, at: Callable[[World], World] = lambda at: at, **changed: Any
) -> tuple[World, Transition]:
    grant = world(request(rules=SLOW, **(held or {})), rules=SLOW)
    for step in (*YES, by(Activate, grant.request.beneficiary)):
        grant = do(grant, step)
    wanted = longer(grant, **changed)  # as it was seen
    grant = at(grant)
    result = submit(wanted, INSTALLATION, SLOW, people(), NOW, grant)
    return replace(grant, request=result.request, siblings=(grant.request,)), result


def _lines(at: World, result: Transition, before: Request | None) -> Iterator[str]:
    yield f"“{result.answer}”"
    yield from _different("request", before, result.request, at.now_ms)
    for audit in result.audit:
        of = (
            ""
            if (audit.request, audit.target) == (at.request.id, at.request.target)
            else f" of {audit.request} {audit.target}"
        )
        yield f"audit {audit.event}{of} by {audit.actor} {_word(audit.at_ms, at.now_ms)}: {_words(audit.details, at.now_ms)}".rstrip(
            ": "
        )
    for effect in result.effects:
        fields = effect.model_dump(exclude_none=True, exclude={"type"})
        if fields.get("request") == at.request.id:
            del fields["request"]
        yield f"effect {effect.type} {_words(fields, at.now_ms)}".rstrip()
    for name, was, is_now in (("debt", at.debt, result.debt), ("lock", at.lock, result.lock)):
        if is_now is not None:
            yield from _different(name, was, is_now, at.now_ms)
    if result.head is not None:
        yield f"head {result.head.number}: {' '.join(result.head.entries)}"
    if result.policies is not None:
        yield f"policies {_words(result.policies.model_dump(), at.now_ms)}"
    for sibling in result.siblings:
        [old] = [each for each in at.siblings if each.id == sibling.id]
        yield from _different(sibling.id, old, sibling, at.now_ms)
    for delivery in result.deliveries:
        yield f"delivery {_words(delivery.model_dump(), at.now_ms)}"
    if result.good_until_ms is not None:
        yield f"good until {_word(result.good_until_ms, at.now_ms)}"


def _different(name: str, before: BaseModel | None, after: BaseModel, now_ms: int) -> Iterator[str]:
    """Of a new record, what it does not say by itself."""
    unsaid = {name: field.default for name, field in type(after).model_fields.items() if not field.is_required()}
    old = before.model_dump() if before is not None else unsaid
    for field, value in after.model_dump().items():
        if field != "digest" and (field not in old or value != old[field]):
            yield f"{name} {field}: {_word(value, now_ms)}"


def _words(fields: Mapping[str, Any], now_ms: int) -> str:
    return " ".join(f"{name}={_word(value, now_ms)}" for name, value in fields.items() if value is not None)


def _word(value: Any, now_ms: int) -> str:
    match value:
        case dict():
            return f"({_words(value, now_ms)})"
        case tuple() | list():
            return f"[{', '.join(_word(each, now_ms) for each in value)}]"
        case frozenset():
            return f"[{', '.join(sorted(value))}]"
        case int() if abs(value - NOW) < 100 * DAY:
            minutes = (value - now_ms) / MINUTE
            return f"now{minutes:+g}min" if minutes else "now"
        case _:
            return str(value)


if (
    __name__ == "__main__"
):  # writes down what is said now: `python -m tests.store.model.test_told`, then read the difference
    blocks = (f"# {name}\n{told(name)}" for name in NAMES)
    PAGE.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
