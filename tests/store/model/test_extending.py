"""Extending: who may ask for more time, what it comes to, and that it moves nothing but the end of what is held."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.command import Activate, Due, End, Present, Withdraw
from store.model.effect import Post
from store.model.errors import AccessError, Conflict, Forbidden
from store.model.grant import Lease
from store.model.lifecycle import LAPSED, World, draft_of, more_for, room_ms, submit, transition
from store.model.policy import HOUR, MINUTE, Access, Notify
from store.model.request import Extending
from tests.builders import (
    ANA,
    BEN,
    BOB,
    INSTALLATION,
    NOW,
    ONCALL,
    OWNER,
    REQ,
    ROLE,
    STRANGER,
    approve,
    deny,
    edit,
    extension,
    longer,
    people,
    policies,
    policy,
    request,
    smash,
    soft,
    world,
)

RULES = policies(soft())


def grant(kind: str = "open", *, rules: Any = RULES, **changed: Any) -> World:
    """Active for an hour since now."""
    at = world(request(kind, rules=rules, **changed), rules=rules)
    steps: list[Any] = [approve(at.request, ANA), approve(at.request, BOB)]
    steps.append(Activate(id="a", actor=at.request.beneficiary))
    for command in [*steps, *([Present(id="p", actor="relay")] if kind == "access" else [])]:
        at = replace(at, request=transition(at, command, people()).request)
    return at


def agreed(at: World, **caps: int) -> Any:
    """Both leads approve; `caps`: what each agrees to at most."""
    first = transition(at, approve(at.request, ANA, cap_ms=caps.get(ANA)), people(at.now_ms))
    return transition(
        replace(at, request=first.request),
        approve(at.request, BOB, cap_ms=caps.get(BOB)),
        people(at.now_ms),
    )


def lease(at: World) -> Lease:
    assert at.request.lease is not None
    return at.request.lease


def refused(at: World, **changed: Any) -> AccessError:
    with pytest.raises(AccessError) as refusal:
        submit(longer(at, **changed), INSTALLATION, at.policy_now, people(at.now_ms), at.now_ms, at)
    return refusal.value


# -- asking ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["open", "access"])
def test_it_is_a_request_like_any_other_and_the_grant_knows_that_it_waits(kind):
    at = grant(kind)
    made = submit(longer(at), INSTALLATION, at.policy_now, people(), NOW, at)
    assert (made.request.state, made.request.rule, made.request.timers["deadline"]) == ("pending", "rule", NOW + HOUR)
    (held,) = made.siblings
    assert held == at.request.model_copy(update={"extension": made.request.id})
    assert [entry.event for entry in made.audit] == ["request.submitted"]
    assert [effect.key for effect in made.effects] == [f"card:{made.request.id}", f"card:{at.request.id}"]


@pytest.mark.parametrize("how", ["denied", "withdrawn", "expired", "extended"])
def test_the_card_of_what_would_be_extended_is_drawn_again_when_that_is_over_and_not_before(how):
    at = extension(grant())
    assert isinstance(at.request.payload, Extending)
    card = f"card:{at.request.payload.parent}"
    deadline = at.request.timers["deadline"]
    steps: dict[str, Any] = {
        "denied": deny(at.request, ANA),
        "withdrawn": Withdraw(id="w", actor=REQ),
        "expired": Due(id="d", actor="clock", timer="deadline", at_ms=deadline),
        "extended": approve(at.request, BOB),
    }
    voted = transition(at, approve(at.request, ANA), people())
    assert card not in [effect.key for effect in voted.effects]
    before = replace(at, request=voted.request, now_ms=deadline if how == "expired" else at.now_ms)
    over = transition(before, steps[how], people(before.now_ms))
    assert over.request.state == how
    assert [effect.key for effect in over.effects].count(card) == 1


def test_it_waits_no_longer_than_there_is_something_to_extend_and_no_longer_than_anything_else():
    brief = policies(policy(request_ttl_ms=10 * MINUTE))
    at = grant(rules=brief)
    assert extension(at).request.timers["deadline"] == NOW + 10 * MINUTE
    assert extension(replace(at, now_ms=NOW + 55 * MINUTE)).request.timers["deadline"] == NOW + HOUR
    edited = transition(extension(at), edit(extension(at).request, reason="?"), people()).request
    assert edited.timers["deadline"] == NOW + 10 * MINUTE


@pytest.mark.parametrize("kind", ["pending", "approved", "granting", "revoking", "ended", "too late"])
def test_only_what_is_active_is_extended(kind):
    at = grant("access")
    states: dict[str, Any] = {"too late": {}}
    changed = states.get(kind, {"state": kind})
    at = replace(at, request=at.request.model_copy(update=changed))
    if kind == "too late":
        at = replace(at, now_ms=NOW + HOUR)
    assert refused(at).detail == "not_active"
    with pytest.raises(Conflict) as refusal:
        more_for(at, REQ, HOUR)
    assert refusal.value.detail == "not_active"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"requester": ANA}, "not_found"),
        ({"beneficiary": BEN}, "other_grant"),
        ({"kind": "access", "target": ROLE}, "other_grant"),
        ({"duration_ms": 3 * HOUR + 1}, "too_long"),
        ({"reason": " "}, "reason_required"),
    ],
)
def test_what_is_no_extension_of_this_is_refused(changed, code):
    assert refused(grant(), **changed).detail == code


def test_it_is_of_the_end_that_was_seen():
    at = grant()
    moved = at.request.model_copy(update={"lease": Lease(starts_ms=NOW, until_ms=NOW + 2 * HOUR)})
    draft = longer(at)
    with pytest.raises(Conflict) as refusal:
        submit(draft, INSTALLATION, RULES, people(), NOW, replace(at, request=moved))
    assert refusal.value.detail == "moved"
    asked = extension(at)
    for beside in (moved, moved.model_copy(update={"lease": Lease(starts_ms=NOW, until_ms=NOW + HOUR - 1)})):
        with pytest.raises(Conflict) as refusal:
            agreed(replace(asked, siblings=(beside,)))
        assert refusal.value.detail == "moved"


def test_the_requester_and_the_beneficiary_may_ask_and_nobody_else():
    at = grant(beneficiary=BEN)
    for user in (REQ, BEN):
        asked = extension(at, requester=user).request
        assert (asked.requester, asked.beneficiary) == (user, BEN)
        assert more_for(at, user, 4 * HOUR)[1] == 3 * HOUR
    for user in (ANA, OWNER, STRANGER):
        assert refused(at, requester=user).detail in ("not_found", "forbidden")
        with pytest.raises(AccessError):
            more_for(at, user, 4 * HOUR)


def test_one_waits_at_a_time_and_the_next_may_be_asked_when_it_is_over():
    at = grant()
    asked = extension(at)
    beside = replace(at, request=asked.siblings[0], siblings=(asked.request,))
    assert refused(beside, id="REQVEST0X2").detail == "waits"
    with pytest.raises(Conflict):
        more_for(beside, REQ, 4 * HOUR)
    over = transition(asked, Withdraw(id="w", actor=REQ), people()).request
    assert extension(replace(beside, siblings=(over,)), id="REQVEST0X2").siblings[0].extension == "REQVEST0X2"


def test_its_digest_is_of_what_it_extends_by_how_much_and_from_when():
    at = grant()
    seen = {extension(at).request.digest, extension(at, duration_ms=HOUR + 1).request.digest}
    other = replace(at, request=at.request.model_copy(update={"id": "REQVEST009"}))
    later = at.request.model_copy(update={"lease": Lease(starts_ms=NOW, until_ms=NOW + HOUR + 1)})
    seen |= {extension(other).request.digest, extension(replace(at, request=later)).request.digest}
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("user", "most_ms", "at", "sentence"),
    [
        (ANA, 4 * HOUR, lambda at: at, "There is no request REQVEST001 here, or it is not yours to extend."),
        (
            REQ, HOUR, lambda at: at,
            "payments/prod can be had for 1 h at most, from the first use: nothing can be added.",
        ),
        (
            REQ, 4 * HOUR, lambda at: replace(at, request=extension(at).siblings[0], siblings=(extension(at).request,)),
            "More time was asked for already, as request REQVEST0X1. Withdraw that, or edit it.",
        ),
        (
            REQ, 4 * HOUR, lambda at: replace(at, now_ms=NOW + HOUR),
            "Only what is active can be extended, and this is not. Ask for it anew.",
        ),
    ],
)  # fmt: skip
def test_why_nobody_may_ask_is_said(user, most_ms, at, sentence):
    with pytest.raises(AccessError) as refusal:
        more_for(at(grant()), user, most_ms)
    assert refusal.value.sentence == sentence


def test_the_last_millisecond_can_be_asked_for_and_what_nobody_has_used_cannot_be_extended():
    assert more_for(grant(), REQ, HOUR + 1) == (Lease(starts_ms=NOW, until_ms=NOW + HOUR), 1)
    assert room_ms(request(), HOUR) == 0


# -- deciding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["open", "access"])
def test_the_end_moves_and_nothing_else(kind):
    at = replace(grant(kind), now_ms=NOW + 50 * MINUTE)
    warned = at.request.model_copy(update={"timers": {"deadline": NOW + HOUR}})
    at = replace(at, request=warned)
    done = agreed(extension(at, duration_ms=30 * MINUTE))
    assert (done.request.state, done.request.granted_ms, done.request.timers) == ("extended", 30 * MINUTE, {})
    (held,) = done.siblings
    assert held.lease == Lease(starts_ms=NOW, until_ms=NOW + 90 * MINUTE)
    assert held.timers == {"deadline": NOW + 90 * MINUTE, "warning": NOW + 80 * MINUTE}
    (used,) = held.extended
    assert (used.by, used.longer_ms, used.at_ms) == (done.request.id, 30 * MINUTE, at.now_ms)
    same = {"lease", "timers", "extended"}
    assert held.model_dump(exclude=same) == warned.model_dump(exclude=same)
    assert [entry.event for entry in done.audit] == ["review.approved", "request.approved", "grant.extended"]
    keys = {effect.key for effect in done.effects}
    assert {f"card:{done.request.id}", f"card:{held.id}"} <= keys
    assert not any(key.startswith("member:") for key in keys)
    assert done.good_until_ms <= NOW + HOUR


def test_what_the_rule_names_hears_that_it_is_approved():
    rules = policies(soft(notify=Notify(channels=("C0AUDIT",))))
    asked = extension(grant(rules=rules))
    (post,) = [effect for effect in agreed(asked).effects if isinstance(effect, Post)]
    assert (post.request, post.news, post.channel) == (asked.request.id, "approved", "C0AUDIT")
    assert set(post.by) == {ANA, BOB}


def test_an_approval_is_used_once():
    asked = extension(grant())
    done = agreed(asked)
    with pytest.raises(Conflict) as refusal:
        agreed(replace(asked, request=done.request, siblings=done.siblings))
    assert refusal.value.detail == "too_late"


@pytest.mark.parametrize("state", ["ended", "revoking", "failed"])
def test_what_ended_meanwhile_is_not_extended(state):
    asked = extension(grant())
    (held,) = asked.siblings
    with pytest.raises(Conflict) as refusal:
        agreed(replace(asked, siblings=(held.model_copy(update={"state": state}),)))
    assert refusal.value.detail == "not_active"
    with pytest.raises(Conflict):
        agreed(replace(asked, siblings=()))


def test_at_the_end_of_what_it_would_extend_it_is_over_before_the_clock_says_so():
    asked = extension(replace(grant(), now_ms=NOW + 50 * MINUTE))
    with pytest.raises(Conflict) as refusal:
        agreed(replace(asked, now_ms=NOW + HOUR))
    assert refusal.value.detail == "out_of_time"
    assert agreed(replace(asked, now_ms=NOW + HOUR - 1)).request.state == "extended"


@pytest.mark.parametrize(("then", "now", "granted"), [(4, 4, 90), (2, 4, 60), (4, 2, 60)])
def test_the_whole_is_no_longer_than_both_policies_allow(then, now, granted):
    """An hour is held already, and an hour and a half more is asked for."""
    asked = extension(grant(), duration_ms=90 * MINUTE)
    rules = [policies(policy(access=Access(max_ms=most * HOUR))) for most in (then, now)]
    done = agreed(replace(asked, policy_then=rules[0], policy_now=rules[1]))
    assert done.request.granted_ms == granted * MINUTE


def test_where_nothing_can_be_added_any_more_nobody_approves_it():
    full = policies(policy(access=Access(max_ms=HOUR)), number=2)
    with pytest.raises(Conflict) as refusal:
        agreed(replace(extension(grant()), policy_now=full))
    assert refusal.value.detail == "too_long"
    with pytest.raises(Conflict) as refusal:
        more_for(replace(grant(), policy_now=full), REQ, HOUR)
    assert refusal.value.detail == "too_long"


def test_it_is_approved_for_less_than_was_asked():
    done = agreed(extension(grant()), **{ANA: 20 * MINUTE, BOB: 40 * MINUTE})
    assert done.request.granted_ms == 20 * MINUTE
    assert done.siblings[0].lease.until_ms == NOW + HOUR + 20 * MINUTE


@pytest.mark.parametrize("user", [REQ, BEN])
def test_nobody_decides_their_own(user):
    asked = extension(grant(beneficiary=BEN), requester=BEN if user == REQ else REQ)
    for own in {asked.request.requester, asked.request.beneficiary}:
        with pytest.raises(Forbidden):
            transition(asked, approve(asked.request, own), people())


def test_the_glass_is_not_broken_for_more_time():
    asked = extension(grant())
    with pytest.raises(Conflict) as refusal:
        transition(asked, smash(asked.request, ONCALL), people())
    assert refusal.value.detail == "not_for_this"


def test_it_is_edited_like_anything_else_but_not_beyond_what_can_be_added():
    asked = extension(grant())
    edited = transition(asked, edit(asked.request, duration_ms=30 * MINUTE), people())
    assert (edited.request.revision, edited.request.duration_ms) == (2, 30 * MINUTE)
    before = longer(grant())
    assert draft_of(asked.request, edit(asked.request, duration_ms=HOUR, reason=before.reason)) == before
    with pytest.raises(AccessError) as refusal:
        transition(asked, edit(asked.request, duration_ms=3 * HOUR + 1), people())
    assert refusal.value.detail == "too_long"


# -- what ends takes it along ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["open", "access"])
@pytest.mark.parametrize("by", ["holder", "clock"])
def test_what_ends_takes_an_undecided_extension_along(kind, by):
    at = grant(kind)
    asked = extension(at)
    at = replace(at, request=asked.siblings[0], siblings=(asked.request,))
    command: Any = End(id="e", actor=REQ)
    if by == "clock":
        at = replace(at, now_ms=NOW + HOUR)
        command = Due(id="d", actor="clock", timer="deadline", at_ms=at.now_ms)
    result = transition(at, command, people(at.now_ms))
    (lapsed,) = result.siblings
    assert (lapsed.id, lapsed.state, lapsed.timers) == (asked.request.id, "expired", {})
    assert lapsed.ending is not None
    assert lapsed.ending.reason == LAPSED
    assert [entry.event for entry in result.audit][-1] == "request.expired"
    assert f"card:{lapsed.id}" in {effect.key for effect in result.effects}
    assert result.request.state in ("ended", "revoking")


def test_one_that_is_decided_or_withdrawn_stays_what_it_is():
    at = grant()
    asked = extension(at)
    over = transition(asked, Withdraw(id="w", actor=REQ), people()).request
    at = replace(at, request=asked.siblings[0], siblings=(over,))
    assert transition(at, End(id="e", actor=REQ), people()).siblings == ()


def test_what_goes_on_takes_nothing_along():
    at = grant()
    asked = extension(at)
    at = replace(at, request=asked.siblings[0], siblings=(asked.request,), now_ms=NOW + 50 * MINUTE)
    due = Due(id="d", actor="clock", timer="warning", at_ms=at.request.timers["warning"])
    assert transition(at, due, people(at.now_ms)).siblings == ()


# -- histories ---------------------------------------------------------------------------------------------------------


@given(
    wishes=st.lists(
        st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(1, 8), st.integers(0, 70)), max_size=8
    )
)
def test_however_often_it_is_extended_the_whole_stays_within_the_rules_and_adds_up(wishes):
    """Each wish: minutes asked, minutes agreed to, the rule's hours at that moment, minutes that pass before."""
    at = grant()
    for place, (minutes, cap, hours, passed) in enumerate(wishes):
        at = replace(at, now_ms=at.now_ms + passed * MINUTE)
        rules = policies(policy(access=Access(max_ms=hours * HOUR)), number=2)
        before = lease(at)
        try:
            asked = extension(at, policy_now=rules, duration_ms=minutes * MINUTE, id=f"REQVEST1{place:02}")
            done = agreed(asked, **{ANA: cap * MINUTE})
        except AccessError:
            assert minutes * MINUTE > room_ms(at.request, hours * HOUR) or not before.covers(at.now_ms)
            continue
        at = replace(at, request=done.siblings[0], policy_now=rules)
        assert done.request.granted_ms == min(minutes, cap) * MINUTE
        assert before.covers(at.now_ms)
        assert lease(at).starts_ms == before.starts_ms
        assert before.until_ms < lease(at).until_ms <= before.starts_ms + hours * HOUR
    added = sum(each.longer_ms for each in at.request.extended)
    assert lease(at).until_ms - lease(at).starts_ms == (at.request.granted_ms or 0) + added
    assert at.request.timers["deadline"] == lease(at).until_ms
