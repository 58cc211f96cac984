"""Lock and unlock: who broke a glass wrongly breaks none until an owner has looked at it."""

from dataclasses import replace

import pytest

from store.model.command import Activate, Approve, Countersign, Dispute, Overdue, Unlock
from store.model.errors import AccessError, Conflict, Forbidden, Invalid
from store.model.lifecycle import World, transition, unlock, whose_lock, why_locked
from store.model.lock import Cause, Lock, Opening
from store.model.people import FRESH_MS
from store.model.policy import Circle
from tests.builders import ANA, BOB, NOW, ONCALL, OWNER, REQ, STRANGER, people, policies, request, smash, soft, world

SOFT = policies(soft())
CAUSE = Cause(request="REQVEST009", why="disputed", at_ms=NOW - 1)
LOCKED = Lock(user=ONCALL, causes=(CAUSE,))
OPENED = LOCKED.model_copy(update={"opened": Opening(by=OWNER, at_ms=NOW, reason="We talked.")})


def broken(*, lock: Lock | None = None) -> World:
    at = world(request(rules=SOFT), rules=SOFT)
    result = transition(at, smash(at.request), people())
    return replace(at, request=result.request, debt=result.debt, lock=lock)


def disputed(at: World):
    return transition(at, Dispute(id="d", actor=BOB, reason="Nothing was down."), people())


def overdue(at: World):
    assert at.debt is not None
    late = replace(at, now_ms=at.debt.due_ms)
    return transition(late, Overdue(id="o", actor="clock", at_ms=at.debt.due_ms), people(late.now_ms))


@pytest.mark.parametrize(("settled", "why", "actor"), [(disputed, "disputed", BOB), (overdue, "overdue", "clock")])
def test_a_debt_that_went_wrong_locks_who_broke_the_glass_in_the_same_commit(settled, why, actor):
    at = broken()
    assert at.debt is not None
    at_ms = at.debt.due_ms if why == "overdue" else NOW
    result = settled(at)
    assert result.debt is not None
    assert result.debt.state == why
    assert result.lock == Lock(user=ONCALL, causes=(Cause(request=at.request.id, why=why, at_ms=at_ms),))
    assert result.lock.holds
    entry = next(entry for entry in result.audit if entry.event == "glass.locked")
    assert (entry.actor, entry.details) == (actor, {"user": ONCALL, "why": why})
    assert f"tell:{at.request.id}:locked:{at_ms}:{ONCALL}" in [effect.key for effect in result.effects]
    assert result.answer in ("Disputed. Everybody concerned is told.", "Overdue.")


def test_access_that_still_ran_ends_and_the_lock_stays_in_the_commit():
    at = broken()
    active = replace(at, request=transition(at, Activate(id="a", actor=REQ), people()).request)
    result = disputed(active)
    assert (result.request.state, result.lock is not None) == ("ended", True)


def test_a_countersignature_locks_nobody():
    assert transition(broken(), Countersign(id="c", actor=BOB), people()).lock is None


@pytest.mark.parametrize(("before", "causes"), [(None, 1), (LOCKED, 2), (OPENED, 1)])
def test_a_later_cause_is_added_to_a_lock_that_holds_and_locks_again_what_was_opened(before, causes):
    lock = disputed(broken(lock=before)).lock
    assert lock is not None
    assert (lock.holds, len(lock.causes), lock.newest.at_ms) == (True, causes, NOW)


def test_who_is_locked_breaks_no_glass_and_reads_why_and_who_can_unlock():
    at = world(request(rules=SOFT), rules=policies(soft(), names={OWNER: "olga@example.com"}), lock=LOCKED)
    with pytest.raises(Forbidden, match=r"REQVEST009 was disputed.*olga@example\.com") as refusal:
        transition(at, smash(at.request), people())
    assert refusal.value.detail == "locked"


def test_who_was_unlocked_breaks_it_again():
    at = world(request(rules=SOFT), rules=SOFT, lock=OPENED)
    assert transition(at, smash(at.request), people()).debt is not None


def test_a_lock_changes_nothing_else():
    at = world(request(rules=SOFT), rules=SOFT, lock=Lock(user=ANA, causes=(CAUSE,)))
    vote = Approve(id="v", actor=ANA, revision=1, digest=at.request.digest)
    assert transition(at, vote, people()).request.reviews


@pytest.mark.parametrize(
    ("command", "user"),
    [
        (smash(request(), ONCALL), ONCALL),
        (Dispute(id="d", actor=BOB, reason="?"), ONCALL),
        (Overdue(id="o", actor="clock", at_ms=1), ONCALL),
        (Countersign(id="c", actor=BOB), None),
        (Activate(id="a", actor=REQ), None),
    ],
)
def test_whose_lock_a_command_looks_at(command, user):
    assert whose_lock(broken().debt, command) == user


def told(by: str = OWNER, **changed) -> Unlock:
    return Unlock(**{"id": "u", "actor": by, "user": ONCALL, "reason": " We talked. ", **changed})


def test_an_owner_unlocks_with_a_reason_and_they_are_told():
    done = unlock(LOCKED, told(seen_ms=CAUSE.at_ms), SOFT, people(), NOW)
    assert not done.lock.holds
    assert done.lock.opened == Opening(by=OWNER, at_ms=NOW, reason="We talked.")
    [entry] = done.audit
    assert (entry.event, entry.actor, entry.request, entry.at_ms) == ("glass.unlocked", OWNER, CAUSE.request, NOW)
    assert entry.details == {"user": ONCALL, "reason": "We talked."}
    assert [effect.key for effect in done.effects] == [
        f"card:{CAUSE.request}",
        f"tell:{CAUSE.request}:unlocked:{NOW}:{ONCALL}",
    ]
    assert done.answer == "Unlocked. They are told."
    assert done.good_until_ms == NOW + FRESH_MS


@pytest.mark.parametrize(
    ("lock", "command", "kind", "says"),
    [
        (LOCKED, told(ANA), Forbidden, "Only an owner"),
        (LOCKED, told(STRANGER), Forbidden, "Only an owner"),
        (LOCKED, told(ONCALL), Forbidden, "Only an owner"),
        (LOCKED, told(reason=" \n"), Invalid, "Say why"),
        (OPENED, told(), Conflict, "not locked"),
        (None, told(), Conflict, "not locked"),
        (LOCKED, told(seen_ms=CAUSE.at_ms - 1), Conflict, "something else since"),
    ],
)
def test_who_unlocks_nothing(lock, command, kind, says):
    with pytest.raises(kind, match=says):
        unlock(lock, command, SOFT, people(), NOW)


def test_an_owner_does_not_unlock_themselves():
    own = Lock(user=OWNER, causes=(CAUSE,))
    with pytest.raises(Forbidden, match="own break-glass"):
        unlock(own, told(user=OWNER), SOFT, people(), NOW)


@pytest.mark.parametrize("facts", [{"guest": True}, {"active": False}, {"home": False}])
def test_an_owner_who_may_do_nothing_here_unlocks_nobody(facts):
    with pytest.raises(Forbidden):
        unlock(LOCKED, told(), SOFT, people(UOWNER=facts), NOW)


@pytest.mark.parametrize(
    ("lock", "command", "code", "sentence"),
    [
        (LOCKED, told(ANA), "forbidden", "Only an owner can unlock somebody's break-glass."),
        (LOCKED, told(user=OWNER), "own_lock", "Nobody unlocks their own break-glass. Another owner must."),
        (LOCKED, told(reason=" "), "reason_required", "Say why this person may break the glass again."),
        (OPENED, told(), "not_locked", "Their break-glass is not locked."),
        (
            LOCKED,
            told(seen_ms=1),
            "other_content",
            "It was locked for something else since. Look at it before you unlock it.",
        ),
    ],
)
def test_a_refused_unlock_says_why(lock, command, code, sentence):
    with pytest.raises(AccessError) as refusal:
        unlock(lock, command, SOFT, people(), NOW)
    assert (refusal.value.detail, refusal.value.sentence) == (code, sentence)


@pytest.mark.parametrize(
    ("owners", "named"),
    [
        (2, "UOWNER1, UOWNER2."),
        (5, "UOWNER1, UOWNER2, UOWNER3, UOWNER4, UOWNER5."),
        (6, "UOWNER1, UOWNER2, UOWNER3, UOWNER4, UOWNER5 and others."),
    ],
)
def test_some_owners_are_named(owners, named):
    circle = Circle(users=frozenset(f"UOWNER{number}" for number in range(1, owners + 1)))
    assert why_locked(LOCKED, policies(owners=circle)).endswith(f"nobody unlocks their own: {named}")


def test_who_is_not_known_to_be_an_owner_unlocks_nobody():
    owned = policies(soft(), owners=Circle(groups=frozenset({"SLEADS"})))
    for without in (["SLEADS"], [ANA]):
        with pytest.raises(AccessError) as refusal:
            unlock(LOCKED, told(ANA), owned, people(without=without), NOW)
        assert refusal.value.detail == "not_known"
        assert refusal.value.sentence == "Slack has not told us who you are yet."


def test_it_is_read_back_as_it_was():
    for lock in (LOCKED, OPENED):
        assert Lock.from_json(lock.to_json()) == lock
