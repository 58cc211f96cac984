"""Races: everybody has looked before anybody commits. Each test fails when the guard it names is deleted."""

import asyncio

import pytest

from store.model.command import Activate, Command, Due, End, Leave, Merge, Present, Withdraw
from store.model.errors import AccessError, Conflict
from store.model.policy import HOUR, Access
from store.model.request import Request
from tests.builders import ANA, BOB, CAT, DEVS, LEADS, NOW, REQ, approve, deny, leads, policy
from tests.store.redis.corridor import Corridor, Gate, command_for


async def at_once(corridor: Corridor, *wishes: tuple[Request, Command]) -> list[str]:
    """All of them decided on what was true before; each in a process of its own. What each was answered, or its error's code."""
    corridor.scripts.gate = Gate(len(wishes))

    async def one(asked: Request, command: Command) -> str:
        try:
            return (await corridor.replica().apply(asked.id, command)).answer
        except AccessError as refusal:
            return refusal.detail

    answers = await asyncio.gather(*(one(*wish) for wish in wishes))
    corridor.scripts.gate = None
    return answers


async def count(corridor: Corridor, event: str) -> int:
    return (await corridor.events()).count(event)


async def test_fifty_clicks_of_one_person_are_one_review(corridor):
    asked = await corridor.ask()
    answers = await at_once(corridor, *[(asked, approve(asked, ANA))] * 50)
    assert set(answers) == {"Your vote counts."}
    assert await count(corridor, "review.approved") == 1
    assert len((await corridor.requests.get(asked.id)).request.reviews) == 1


async def test_twenty_clicks_with_ids_of_their_own_never_make_two_people(corridor):
    asked = await corridor.ask()
    answers = await at_once(corridor, *[(asked, approve(asked, ANA, id=f"click{number}")) for number in range(20)])
    request = (await corridor.requests.get(asked.id)).request
    assert (request.state, len(request.reviews)) == ("pending", 1)
    assert set(answers) <= {"Your vote counts.", "contended"}
    assert await count(corridor, "review.approved") == answers.count("Your vote counts.")


async def test_two_last_approvals_are_one_decision(corridor):
    asked = await corridor.approved("open", ANA)
    answers = await at_once(corridor, (asked, approve(asked, BOB)), (asked, approve(asked, CAT)))
    assert sorted(answers) == ["Approved.", "too_late"]
    assert await count(corridor, "request.approved") == 1


async def test_two_first_approvals_are_both_kept(corridor):
    asked = await corridor.ask()
    answers = await at_once(corridor, (asked, approve(asked, ANA)), (asked, approve(asked, BOB)))
    assert sorted(answers) == ["Approved.", "Your vote counts."]


PAIRS: list[tuple[str, str, set[str]]] = [
    ("approve", "withdraw", {"approved", "withdrawn"}),
    ("approve", "deny", {"approved", "denied"}),
    ("deny", "withdraw", {"denied", "withdrawn"}),
]


@pytest.mark.parametrize(("one", "other", "states"), PAIRS)
async def test_of_two_verdicts_one_is_the_first(corridor, one, other, states):
    asked = await corridor.approved("open", ANA)
    commands: dict[str, Command] = {
        "approve": approve(asked, BOB),
        "deny": deny(asked, CAT),
        "withdraw": Withdraw(id="w", actor=REQ),
    }
    await at_once(corridor, (asked, commands[one]), (asked, commands[other]))
    state = await corridor.state(asked)
    assert state in states
    # An approved request may still be withdrawn; nothing else follows anything.
    ended = {f"request.{word}" for word in states} & set(await corridor.events())
    assert ended == {f"request.{state}"} or (other, state) == ("withdraw", "withdrawn")


async def test_activating_and_expiring_at_once_is_one_of_them(corridor):
    asked = await corridor.approved()
    deadline = asked.timers["deadline"]
    corridor.skew_ms = deadline - NOW - 1
    corridor.crowd.age_ms = 0

    async def late() -> None:
        """The clock strikes while both have looked."""
        corridor.skew_ms += 1

    corridor.scripts.gate = Gate(2, at_the_end=late)
    due = Due(id="d", actor="clock", timer="deadline", at_ms=deadline)

    async def expire() -> str:
        await corridor.scripts.gate.pass_through()
        return str((await corridor.replica().apply(asked.id, due)).answer)

    answers = await asyncio.gather(
        corridor.replica().apply(asked.id, Activate(id="a", actor=REQ)), expire(), return_exceptions=True
    )
    assert isinstance(answers[0], Conflict)
    assert answers[1] == "Expired."
    assert await corridor.state(asked) == "expired"


async def test_an_approval_that_is_late_by_a_millisecond_does_not_count(corridor):
    """Decided in time, and committed at the deadline: `good_until` refuses it, and looking again says why."""
    asked = await corridor.approved("open", ANA)
    corridor.skew_ms = asked.timers["deadline"] - NOW - 1

    async def late() -> None:
        corridor.skew_ms += 1

    corridor.scripts.gate = Gate(1, at_the_end=late)
    with pytest.raises(Conflict) as refusal:
        await corridor.apply(asked, approve(asked, BOB))
    assert refusal.value.detail == "out_of_time"
    assert await corridor.state(asked) == "pending"


async def test_facts_that_grow_old_while_we_look_decide_nothing(corridor):
    asked = await corridor.approved("open", ANA)

    async def thirty_seconds_pass_and_ana_leaves() -> None:
        corridor.skew_ms += 30_000
        corridor.crowd.members[LEADS] = {BOB, CAT}

    corridor.scripts.gate = Gate(1, at_the_end=thirty_seconds_pass_and_ana_leaves)
    await corridor.apply(asked, approve(asked, BOB))
    assert await corridor.state(asked) == "pending"


async def test_a_policy_that_changes_while_we_look_decides(corridor):
    asked = await corridor.approved("open", ANA)

    async def three_are_needed() -> None:
        corridor.scripts.gate = None
        await corridor.enact(policy(approvals=(leads(3),)))

    corridor.scripts.gate = Gate(1, at_the_end=three_are_needed)
    await corridor.apply(asked, approve(asked, BOB))
    assert await corridor.state(asked) == "pending"


async def test_a_policy_that_changes_while_somebody_asks_decides(corridor):
    draft, _ = await corridor.draft()

    async def nobody_may_ask() -> None:
        corridor.scripts.gate = None
        corridor.crowd.members[DEVS] = set()
        await corridor.enact(policy(actions=frozenset({"change"})))

    corridor.scripts.gate = Gate(1, at_the_end=nobody_may_ask)
    with pytest.raises(AccessError) as refusal:
        await corridor.requests.submit(draft, "view:1")
    assert refusal.value.detail == "no_rule"


async def test_the_clock_and_a_person_end_a_grant_once(corridor):
    asked = await corridor.approved()
    active = await corridor.do(asked, Activate(id="a", actor=REQ))
    corridor.skew_ms = active.timers["deadline"] - NOW
    due = Due(id="d", actor="clock", timer="deadline", at_ms=active.timers["deadline"])
    answers = await at_once(corridor, (asked, due), (asked, End(id="e", actor=REQ)))
    assert answers.count("Ended.") == 1
    assert await count(corridor, "grant.ended") == 1


async def test_many_replicas_expire_one_request_once(corridor):
    asked = await corridor.ask()
    corridor.skew_ms = asked.timers["deadline"] - NOW
    due = Due(id="same", actor="clock", timer="deadline", at_ms=asked.timers["deadline"])
    answers = await at_once(corridor, *[(asked, due)] * 8)
    assert set(answers) == {"Expired."}
    assert await count(corridor, "request.expired") == 1


async def test_twenty_activations_are_one_lease(corridor):
    asked = await corridor.approved()
    answers = await at_once(corridor, *[(asked, Activate(id=f"a{number}", actor=REQ)) for number in range(20)])
    assert answers.count("Active for 1 h.") == 1
    assert await count(corridor, "grant.activated") == 1


async def test_two_merges_of_one_name_are_one_version_and_one_stale(corridor):
    await corridor.enact(policy(merge="by-hand"))
    first, second = [await corridor.approved("change", A=value) for value in ("x", "y")]
    answers = await at_once(corridor, *[(asked, Merge(id=f"m{asked.id}", actor=REQ)) for asked in (first, second)])
    assert sorted(answers) == ["Merged as version 2.", "too_late"]
    assert sorted([await corridor.state(first), await corridor.state(second)]) == ["merged", "stale"]
    assert (await corridor.environments.head(first.environment_id)).number == 2


async def test_merges_of_different_names_are_all_kept(corridor):
    await corridor.enact(policy(merge="by-hand"))
    asked = [await corridor.approved("change", **{name: name}) for name in ("A", "B", "C")]
    answers = await at_once(corridor, *[(each, Merge(id=f"m{each.id}", actor=REQ)) for each in asked])
    assert sorted(answers) == [f"Merged as version {number}." for number in (2, 3, 4)]
    assert set((await corridor.environments.head(asked[0].environment_id)).entries) == {"A", "B", "C"}


async def test_a_sibling_that_is_decided_while_another_is_merged_is_stale_or_merged_and_never_both(corridor):
    first, second = await corridor.ask("change", A="x"), await corridor.ask("change", A="y")
    for asked in (first, second):
        await corridor.do(asked, command_for(asked, approve, ANA))
    await at_once(corridor, *[(asked, command_for(asked, approve, BOB)) for asked in (first, second)])
    assert sorted([await corridor.state(first), await corridor.state(second)]) == ["merged", "stale"]
    assert await count(corridor, "change.merged") == 1


async def test_one_wish_that_arrives_at_two_replicas_at_once_is_one_request(corridor):
    drafts = [(await corridor.draft())[0] for _ in range(10)]
    corridor.scripts.gate = Gate(10)
    outcomes = await asyncio.gather(*(corridor.replica().submit(draft, "view:1") for draft in drafts))
    assert sum(outcome.news for outcome in outcomes) == 1
    assert len(await corridor.requests.listed(f"mine:{REQ}", most=99)) == 1


async def test_an_activation_by_policy_is_one_lease_too(corridor):
    await corridor.enact(policy(access=Access(activate="on-approval")))
    asked = await corridor.approved("open", ANA)
    await at_once(corridor, (asked, approve(asked, BOB)), (asked, approve(asked, CAT)))
    assert await corridor.state(asked) == "active"
    assert await count(corridor, "grant.activated") == 1


async def test_one_effect_is_in_one_hand(corridor):
    await corridor.ask()
    claims = await asyncio.gather(*(corridor.outbox.claim("slack", most=50, lease_ms=1_000) for _ in range(10)))
    members = [claimed.member for found in claims for claimed in found]
    assert len(members) == len(set(members)) == await corridor.outbox.depth("slack")


def until(held: Request) -> int:
    assert held.lease is not None
    return held.lease.until_ms


async def active(corridor: Corridor, kind: str = "open") -> Request:
    held = await corridor.do(await corridor.approved(kind), Activate(id="use", actor=REQ))
    return await corridor.do(held, Present(id="seen", actor="relay")) if kind == "access" else held


@pytest.mark.parametrize("kind", ["open", "access"])
@pytest.mark.parametrize("turn", range(3))
async def test_more_time_that_is_agreed_to_while_it_ends_is_had_or_not_and_both_sides_say_the_same(
    corridor, kind, turn
):
    held = await active(corridor, kind)
    asked = await corridor.longer(held)
    await corridor.apply(asked, command_for(asked, approve, ANA))
    wishes = [(asked, command_for(asked, approve, BOB)), (held, End(id="end", actor=REQ))]
    answers = await at_once(corridor, *(wishes if turn else wishes[::-1]))
    states = [(await corridor.requests.get(each.id)).request.state for each in (held, asked)]
    until_ms = until((await corridor.requests.get(held.id)).request)
    over = "ended" if kind == "open" else "revoking"
    if states[1] == "extended":  # first; then it was ended all the same
        assert states[0] == over
        assert until_ms == until(held) + HOUR
    else:
        assert (states, until_ms) == ([over, "expired"], until(held))
        assert "too_late" in answers
    assert await count(corridor, "grant.extended") == (states[1] == "extended")
    assert await count(corridor, "grant.ended" if kind == "open" else "grant.revoking") == 1


async def test_the_clock_that_strikes_while_more_time_is_agreed_to_ends_nothing_that_was_extended(corridor):
    """Its time is over at the same millisecond for both: the approval is late, whoever looks first."""
    held = await active(corridor)
    asked = await corridor.longer(held)
    await corridor.apply(asked, command_for(asked, approve, ANA))
    corridor.skew_ms = held.timers["deadline"] - NOW - 1

    async def strikes() -> None:
        corridor.skew_ms += 1

    corridor.scripts.gate = Gate(1, at_the_end=strikes)
    with pytest.raises(Conflict) as refusal:
        await corridor.apply(asked, command_for(asked, approve, BOB))
    assert refusal.value.detail == "out_of_time"
    corridor.scripts.gate = None
    due = Due(id="d", actor="clock", timer="deadline", at_ms=held.timers["deadline"])
    assert (await corridor.apply(held, due)).answer == "Ended."
    assert await corridor.state(asked) == "expired"


async def test_an_end_that_was_moved_is_not_the_end_the_clock_looked_at(corridor):
    held = await active(corridor)
    asked = await corridor.longer(held)
    for user in (ANA, BOB):
        await corridor.apply(asked, command_for(asked, approve, user))
    corridor.skew_ms = held.timers["deadline"] - NOW
    due = Due(id="d", actor="clock", timer="deadline", at_ms=held.timers["deadline"])
    with pytest.raises(Conflict, match="This timer was moved"):
        await corridor.apply(held, due)
    assert await corridor.state(held) == "active"
    assert int(await corridor.redis.hget(corridor.keys.request(held.id), "until")) == until(held) + HOUR


async def test_of_two_questions_for_more_time_at_once_one_is_asked(corridor):
    held = await active(corridor)
    corridor.scripts.gate = Gate(2)
    answers = await asyncio.gather(*(corridor.longer(held) for _ in range(2)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert [refusal.detail for refusal in refused] == ["waits"]
    assert await count(corridor, "request.submitted") == 2


async def test_an_extension_that_ten_approve_at_once_is_used_once(corridor):
    held = await active(corridor)
    asked = await corridor.longer(held)
    await corridor.apply(asked, command_for(asked, approve, ANA))
    wishes = [(asked, approve(asked, user, id=f"{user}{place}")) for user in (BOB, CAT) for place in range(5)]
    await at_once(corridor, *wishes)
    now = (await corridor.requests.get(held.id)).request
    assert until(now) == until(held) + HOUR
    assert (len(now.extended), await count(corridor, "grant.extended")) == (1, 1)


async def test_what_is_asked_while_it_ends_is_asked_of_nothing(corridor):
    held = await active(corridor)

    async def it_ends() -> None:
        corridor.scripts.gate = None
        await corridor.apply(held, End(id="end", actor=REQ))

    corridor.scripts.gate = Gate(1, at_the_end=it_ends)
    with pytest.raises(Conflict) as refusal:
        await corridor.longer(held)
    assert refusal.value.detail == "not_active"
    assert await count(corridor, "request.submitted") == 1


async def test_who_leaves_while_more_time_is_agreed_to_holds_nothing(corridor):
    held = await active(corridor, "access")
    asked = await corridor.longer(held)
    await corridor.apply(asked, command_for(asked, approve, ANA))
    corridor.crowd.changed[REQ] = {"active": False}
    leave = Leave(id="gone", actor="clock")
    await at_once(corridor, (asked, command_for(asked, approve, BOB)), (held, leave))
    assert await corridor.state(held) == "revoking"
    assert await corridor.state(asked) in ("extended", "expired")
    assert await count(corridor, "grant.revoking") == 1


async def test_who_is_found_gone_by_many_at_once_is_gone_once(corridor):
    held = await active(corridor)
    corridor.crowd.changed[REQ] = {"guest": True}
    answers = await at_once(corridor, *[(held, Leave(id=f"gone{place}", actor="clock")) for place in range(8)])
    assert answers.count("Ended.") == 1
    assert await count(corridor, "grant.ended") == 1
