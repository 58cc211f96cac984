"""Editing: what may be asked instead, by whom, and that nobody has agreed to it yet."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.command import Merge
from store.model.errors import AccessError, Conflict, Forbidden, Invalid
from store.model.lifecycle import Transition, World, draft_of, transition
from store.model.people import FRESH_MS, People
from store.model.policy import HOUR, MINUTE, Circle, Ticket
from store.model.request import TERMINAL, Change, Review, digest
from store.model.sealed import MAX_REQUEST_ENTRIES
from tests.builders import (
    ANA,
    BEN,
    BOB,
    INSTALLATION,
    LEADS,
    NOW,
    ONCALL,
    REQ,
    approve,
    draft,
    edit,
    head,
    held,
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


def voted(at: World, *by: str) -> World:
    for user in by:
        at = replace(at, request=transition(at, approve(at.request, user), people()).request)
    return at


def stale(*touches: Any, **versions: int) -> World:
    """A change with one approval, and another version that somebody else has merged."""
    rules = policies(policy(merge="by-hand"))
    at = voted(world(request("change", rules=rules, touches=touches), rules=rules, head=head()), ANA, BOB)
    at = replace(at, head=head(number=3, **versions))
    moved = transition(at, Merge(id="m", actor=REQ), people())
    assert moved.request.state == "stale"
    return replace(at, request=moved.request)


def edited(at: World, known: People | None = None, by: str = REQ, **changed: Any) -> Transition:
    return transition(at, edit(at.request, by, **changed), known or people())


@pytest.mark.parametrize(
    ("kind", "changed", "names"),
    [
        ("open", {"reason": "another"}, "reason"),
        ("open", {"ticket": "AB-2"}, "ticket"),
        ("open", {"duration_ms": 2 * HOUR}, "duration"),
        ("access", {"duration_ms": MINUTE, "reason": "x"}, "reason duration"),
        ("change", {"reason": "another"}, "reason"),
    ],
)
def test_it_is_asked_anew_under_the_same_id(kind, changed, names):
    at = voted(world(request(kind)), ANA)
    now = replace(at, now_ms=NOW + MINUTE, policy_now=policies(policy(name="new", request_ttl_ms=2 * HOUR), number=9))
    result = edited(now, people(now.now_ms), **changed)
    asked = result.request
    assert (asked.id, asked.state, asked.revision, asked.reviews) == (at.request.id, "pending", 2, ())
    assert (asked.policy, asked.rule) == (9, "new")
    assert asked.timers == {"deadline": now.now_ms + 2 * HOUR}
    assert asked.digest == digest(INSTALLATION, asked) != at.request.digest
    assert asked.edited is not None
    assert (asked.edited.by, asked.edited.at_ms, asked.edited.dropped) == (REQ, now.now_ms, True)
    for field, value in changed.items():
        assert getattr(asked, field) == value
    assert [entry.event for entry in result.audit] == ["request.edited"]
    assert result.audit[0].details == {
        "revision": 2, "changed": names, "dropped": ANA, "rule": "new", "policy": 9,
    }  # fmt: skip
    assert {effect.key for effect in result.effects} == {
        f"card:{asked.id}",
        f"tell:{asked.id}:edited:{now.now_ms}:{ANA}",
    }
    assert result.good_until_ms == now.now_ms + FRESH_MS


def test_an_edit_is_looked_at_as_if_it_were_asked_for_the_first_time():
    asked = request("open", beneficiary=BEN)
    told = edit(asked, reason="another", ticket="AB-1", duration_ms=MINUTE)
    assert draft_of(asked, told) == draft(
        identity=asked.id, beneficiary=BEN, reason="another", ticket="AB-1", duration_ms=MINUTE
    )


def test_the_least_time_and_the_most_names_are_asked_for():
    assert edited(world(request()), duration_ms=1).request.duration_ms == 1
    most = tuple(touch(f"A{number:02}") for number in range(MAX_REQUEST_ENTRIES))
    assert edited(world(request("change")), touches=most).request.payload == payload("change", touches=most)


def test_reminders_are_counted_from_the_edit():
    now = replace(
        world(request()),
        now_ms=NOW + MINUTE,
        policy_now=policies(policy(request_ttl_ms=2 * HOUR, remind=(5 * MINUTE,), escalate=()), number=2),
    )
    asked = edited(now, people(now.now_ms), reason="another").request
    assert asked.timers == {"remind": now.now_ms + 5 * MINUTE, "deadline": now.now_ms + 2 * HOUR}


def test_without_votes_nobody_is_told():
    result = edited(world(request()), reason="another")
    assert result.request.edited is not None
    assert not result.request.edited.dropped
    assert [effect.key for effect in result.effects] == [f"card:{result.request.id}"]


TICKET = policy(ticket=Ticket(pattern="[A-Z]+-[0-9]+"))
WRONG: list[tuple[str, type[AccessError], dict[str, Any]]] = [
    ("not_the_requester", Forbidden, {"by": ANA}),
    ("not_the_requester", Forbidden, {"by": BEN}),
    ("forbidden", Forbidden, {"known": people(UREQ={"active": False})}),
    ("forbidden", Forbidden, {"rules": policy(requesters=Circle())}),
    ("no_rule", Forbidden, {"rules": policy(actions=frozenset({"change"}))}),
    ("reason_required", Invalid, {"reason": " "}),
    ("reason_too_long", Invalid, {"reason": "x" * 2_001}),
    ("ticket_required", Invalid, {"rules": TICKET, "reason": "x"}),
    ("bad_ticket", Invalid, {"rules": TICKET, "ticket": "12"}),
    ("too_long", Invalid, {"duration_ms": 4 * HOUR + 1}),
    ("bad_duration", Invalid, {"duration_ms": 0}),
    ("unreachable", Conflict, {"known": people(members={LEADS: {REQ, ANA}})}),
    ("other_content", Conflict, {"revision": 2}),
    ("other_content", Conflict, {"digest": "0" * 64}),
    ("nothing_new", Conflict, {"reason": "because"}),
    ("nothing_new", Conflict, {"reason": " because ", "duration_ms": HOUR}),
]


@pytest.mark.parametrize(("code", "error", "changed"), WRONG)
def test_it_is_checked_as_if_it_were_asked_now(code, error, changed):
    at = voted(world(request()), ANA)
    at = replace(at, policy_now=policies(changed.pop("rules", policy()), number=2))
    with pytest.raises(error) as refusal:
        edited(at, changed.pop("known", None), changed.pop("by", REQ), **{"reason": "another", **changed})
    assert refusal.value.detail == code
    assert refusal.value.sentence.endswith(".")


def test_the_beneficiary_may_edit_unless_who_asked_is_gone():
    at = world(request(beneficiary=BEN))
    by = edited(at, by=BEN, reason="mine").request.edited
    assert by is not None
    assert by.by == BEN
    with pytest.raises(Forbidden, match="Ureq asked for this, and they are"):
        edited(at, people(UREQ={"active": False}), by=BEN, reason="mine")


def test_a_change_has_no_duration():
    with pytest.raises(Invalid, match="no duration"):
        edited(world(request("change")), duration_ms=HOUR)


def test_too_late_is_too_late():
    at = replace(world(request()), now_ms=NOW + 400 * HOUR)
    with pytest.raises(Conflict) as refusal:
        edited(at, people(at.now_ms), reason="another")
    assert refusal.value.detail == "out_of_time"


def test_a_stale_change_takes_the_bases_of_now_and_keeps_its_sealed_entries():
    at = stale(
        touch("A", base=None, to=1), touch("B", to=1), touch("C", base=3, to=4), touch("D", base=1, to=None), A=7, C=3
    )
    before = at.request
    result = edited(at)
    asked = result.request
    assert isinstance(asked.payload, Change)
    assert [(each.name, each.base, each.entry, each.word) for each in asked.payload.touches] == [
        ("A", "A-7", held("A", version=1), "changed"),
        ("B", None, held("B", version=1), "new"),
        ("C", "C-3", held("C", version=4), "changed"),
    ]
    assert (asked.state, asked.revision, asked.reviews, asked.decision, asked.note) == ("pending", 2, (), None, None)
    assert asked.digest != before.digest
    assert result.audit[0].details["touches"] == "A D"
    assert result.audit[0].details["changed"] == "touches"
    merged = voted(replace(at, request=asked), ANA, BOB)
    assert transition(merged, Merge(id="m2", actor=REQ), people()).request.state == "merged"


def test_of_a_value_that_moved_it_is_not_said_that_it_is_the_same():
    unchanged = touch("A", base=1, to=2).model_copy(update={"same": True})
    kept = touch("B", base=1, to=2).model_copy(update={"same": True})
    asked = edited(stale(unchanged, kept, A=5, B=1)).request
    assert isinstance(asked.payload, Change)
    assert [each.word for each in asked.payload.touches] == ["changed", "unchanged"]


def test_what_is_there_already_is_not_asked_again():
    asked = edited(stale(touch("A", to=1), touch("B", to=1), A=1)).request
    assert isinstance(asked.payload, Change)
    assert [each.name for each in asked.payload.touches] == ["B"]


def test_a_rollback_that_touches_something_else_is_no_longer_called_one():
    asked = request("change", touches=(touch("A"), touch("B")))
    asked = asked.model_copy(update={"payload": asked.payload.model_copy(update={"back_to": 1})})
    at = world(asked.model_copy(update={"digest": digest(INSTALLATION, asked)}), head=head(number=3))
    for changed, back_to in (({"reason": "another"}, 1), ({"touches": (touch("A"),)}, None)):
        payload = edited(at, **changed).request.payload
        assert isinstance(payload, Change)
        assert payload.back_to == back_to


def test_with_nothing_left_to_remove_it_is_refused():
    with pytest.raises(Conflict) as refusal:
        edited(stale(touch("A", base=1, to=None)))
    assert refusal.value.detail == "nothing_left"


def test_what_could_not_be_merged_is_not_asked():
    at = stale(touch("A", to=1), A=1)
    full = head(number=3).model_copy(update={"entries": {f"N{place}": held("A") for place in range(500)}})
    at = replace(at, head=full)
    with pytest.raises(Invalid) as refusal:
        edited(at)
    assert refusal.value.detail == "too_many_entries"


@pytest.mark.parametrize(("other", "code"), [(None, "no_environment"), ("env2", "tampered")])
def test_there_must_be_an_environment_of_its_own(other, code):
    at = stale(touch("A", to=1), A=1)
    with pytest.raises(AccessError) as refusal:
        edited(replace(at, head=head().model_copy(update={"environment_id": other}) if other else None))
    assert refusal.value.detail == code


def test_one_request_owes_for_one_glass():
    rules = policies(soft())
    at = world(request("change", rules=rules, touches=(touch("A", to=1),)), rules=rules, head=head(A=1))
    broken = transition(at, smash(at.request, ONCALL), people())
    assert broken.request.state == "stale"
    assert broken.debt is not None
    with pytest.raises(Conflict, match="glass was broken"):
        edited(replace(at, request=broken.request, debt=broken.debt), reason="another")


def test_who_saw_the_old_one_has_seen_nothing():
    at = voted(world(request()), ANA)
    now = replace(at, request=edited(at, reason="another").request)
    for late in (approve(at.request, BOB), edit(at.request, reason="third")):
        with pytest.raises(Conflict, match="edited since") as refusal:
            transition(now, late, people())
        assert refusal.value.detail == "other_content"
    assert transition(now, approve(now.request, BOB), people()).request.state == "pending"


reviews = st.lists(st.sampled_from([ANA, BOB, "UCAT", "UOWNER"]), unique=True, max_size=4).map(
    lambda users: tuple(Review(by=user, verdict="approve", at_ms=NOW) for user in users)
)


@given(
    kind=st.sampled_from(["open", "access", "change"]),
    cast=reviews,
    reason=st.sampled_from(["because", "other"]),
    ticket=st.sampled_from([None, "AB-1"]),
    duration_ms=st.sampled_from([None, HOUR, 2 * HOUR]),
)
def test_whatever_is_edited_has_no_votes_and_another_digest_and_nothing_else_has(
    kind: Any, cast: tuple[Review, ...], reason: str, ticket: str | None, duration_ms: int | None
) -> None:
    asked = request(kind).model_copy(update={"reviews": cast})
    length = None if kind == "change" else duration_ms
    content = (reason, ticket, length or asked.duration_ms)
    if content == (asked.reason, asked.ticket, asked.duration_ms):
        with pytest.raises(Conflict):
            edited(world(asked), reason=reason, ticket=ticket, duration_ms=length)
        return
    result = edited(world(asked), reason=reason, ticket=ticket, duration_ms=length)
    now = result.request
    assert (now.reviews, now.revision) == ((), asked.revision + 1)
    assert (now.reason, now.ticket, now.duration_ms) == content
    assert now.digest == digest(INSTALLATION, now) != asked.digest
    told = {effect.key.rpartition(":")[2] for effect in result.effects if effect.key.startswith("tell:")}
    assert told == {review.by for review in cast}


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_what_is_over_is_never_edited(state):
    over = request().model_copy(update={"state": state, "timers": {}})
    with pytest.raises(Conflict) as refusal:
        edited(world(over), reason="another")
    assert refusal.value.detail == "too_late"


def test_a_change_touches_what_its_edit_says_on_the_bases_of_now():
    at = voted(world(request("change", touches=(touch("A", to=1), touch("B", to=1))), head=head(C=5)), ANA)
    result = edited(at, touches=(touch("A", to=2), touch("C", base=4, to=6)))
    assert isinstance(result.request.payload, Change)
    assert [(each.name, each.base, each.entry) for each in result.request.payload.touches] == [
        ("A", None, held("A", version=2)),
        ("C", "C-5", held("C", version=6)),
    ]
    assert result.audit[0].details["touches"] == "A B C"
    assert (result.request.reviews, result.request.digest != at.request.digest) == ((), True)


@pytest.mark.parametrize(
    ("kind", "touches", "code"),
    [
        ("open", (touch("A"),), "other_kind"),
        ("change", (), "nothing_left"),
        ("change", (touch("A"), touch("A", to=2)), "named_twice"),
        ("change", tuple(touch(f"N{place}") for place in range(101)), "too_many_entries"),
    ],
)
def test_what_a_change_may_touch_is_checked(kind, touches, code):
    with pytest.raises(AccessError) as refusal:
        edited(world(request(kind)), touches=touches)
    assert refusal.value.detail == code


def test_the_same_values_sealed_again_are_the_same_wish():
    asked = request("change")
    one, again = (edit(asked, touches=(touch("A", to=version),)) for version in (2, 3))
    assert one.fingerprint == again.fingerprint
    others = [
        edit(asked),
        edit(asked, touches=(touch("B", to=2),)),
        edit(asked, touches=(touch("A", base=1, to=None),)),
        edit(asked, touches=(touch("A", to=2),), reason="x"),
        edit(asked, touches=(touch("A", to=2),), actor=ANA),
    ]
    assert len({each.fingerprint for each in (one, *others)}) == 6
