"""Requests: the corridor, one command at a time."""

import contextlib
import json

import pytest

from store.model.command import Activate, Due, End, Merge, Withdraw
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.people import FRESH_MS
from store.model.policy import HOUR, Circle, Threshold
from tests.builders import ANA, BOB, CAT, LEADS, NOW, ONCALL, REQ, approve, deny, leads, policies, policy, smash, soft
from tests.store.redis.corridor import Corridor, command_for


async def test_from_asking_to_reading_to_the_end(corridor):
    asked = await corridor.approved()
    active = await corridor.do(asked, Activate(id="a", actor=REQ))
    assert active.state == "active"
    corridor.skew_ms += HOUR
    due = Due(id="d", actor="clock", timer="deadline", at_ms=active.timers["deadline"])
    assert (await corridor.do(asked, due)).state == "ended"
    assert await corridor.events() == [
        "environment.created",
        "request.submitted",
        "review.approved",
        "review.approved",
        "request.approved",
        "grant.activated",
        "grant.ended",
    ]


# -- the same wish again ----------------------------------------------------------------------------------------------


async def test_a_submission_that_arrives_twice_is_one_request(corridor):
    draft, _ = await corridor.draft()
    again, _ = await corridor.draft()  # a door mints another id at the second try
    first = await corridor.requests.submit(draft, "view:1")
    before = await corridor.dump()
    second = await corridor.requests.submit(again, "view:1")
    assert (second.answer, second.news, second.request) == (first.answer, False, first.request)
    assert await corridor.dump() == before
    assert [found.id for found in await corridor.requests.listed(f"mine:{REQ}", most=9)] == [draft.id]


async def test_a_submission_that_arrives_again_when_it_is_decided_is_answered_with_what_became_of_it(corridor):
    draft, _ = await corridor.draft()
    again, _ = await corridor.draft()
    asked = (await corridor.requests.submit(draft, "view:1")).request
    await corridor.apply(asked, deny(asked, ANA))
    replayed = await corridor.replica().submit(again, "view:1")
    assert (replayed.request.id, replayed.request.state, replayed.news) == (draft.id, "denied", False)


async def test_a_decision_for_which_there_is_no_rule_any_more_is_told_once_under_these_policies(corridor):
    asked = await corridor.ask()
    await corridor.enact(policy(targets=("role:*",)))
    for user in (ANA, BOB):
        with pytest.raises(Conflict, match="No rule covers"):
            await corridor.apply(asked, approve(asked, user))
        corridor.skew_ms += 1_000
    waiting = await corridor.outbox.claim("slack", most=99, lease_ms=1)
    assert len([each for each in waiting if each.member.startswith(f"announce:{asked.id}:no_rule")]) == 1


async def test_a_change_that_arrives_twice_is_one_request_though_it_is_sealed_anew(corridor):
    first, sealing = await corridor.draft("change", A="x")
    again, resealed = await corridor.draft("change", A="x")
    assert sealing != resealed
    await corridor.requests.submit(first, "view:1", sealing.entries)
    assert not (await corridor.requests.submit(again, "view:1", resealed.entries)).news
    other, third = await corridor.draft("change", B="x")
    with pytest.raises(Conflict, match="something else"):
        await corridor.requests.submit(other, "view:1", third.entries)


async def test_to_set_and_to_remove_are_different_wishes(corridor):
    await corridor.approved("change", A="x")
    to_set, sealing = await corridor.draft("change", A="y")
    to_remove, nothing = await corridor.draft("change", A=None)
    await corridor.requests.submit(to_set, "view:1", sealing.entries)
    with pytest.raises(Conflict, match="something else"):
        await corridor.requests.submit(to_remove, "view:1", nothing.entries)


async def test_a_click_that_arrives_twice_is_one_review(corridor):
    asked = await corridor.ask()
    first = await corridor.apply(asked, approve(asked, ANA))
    before = await corridor.dump()
    second = await corridor.apply(asked, approve(asked, ANA))
    assert (second.answer, second.news, second.request) == (first.answer, False, first.request)
    with pytest.raises(Conflict, match="something else"):
        await corridor.apply(asked, deny(asked, ANA, id=approve(asked, ANA).id))
    assert await corridor.dump() == before


async def test_an_id_of_one_request_answers_for_no_other(corridor):
    first, second = await corridor.ask(), await corridor.ask()
    await corridor.apply(first, Withdraw(id="same", actor=REQ))
    with pytest.raises(Conflict, match="something else"):
        await corridor.apply(second, Withdraw(id="same", actor=REQ))
    assert await corridor.state(second) == "pending"


async def test_a_request_id_is_taken_once(corridor):
    draft, _ = await corridor.draft()
    await corridor.requests.submit(draft, "view:1")
    with pytest.raises(Conflict) as refusal:
        await corridor.requests.submit(draft, "view:2")
    assert refusal.value.detail == "taken"


# -- how often Redis is asked -----------------------------------------------------------------------------------------


async def test_a_click_costs_two_round_trips_at_most(corridor):
    warm = await corridor.ask()
    await corridor.apply(warm, command_for(warm, approve, ANA))
    with pytest.raises(Forbidden):
        await corridor.apply(warm, command_for(warm, approve, REQ))
    asked = await corridor.ask()

    async def cost(user: str) -> int:
        before = corridor.scripts.round_trips
        with contextlib.suppress(Forbidden):
            await corridor.apply(asked, command_for(asked, approve, user))
        return int(corridor.scripts.round_trips - before)

    assert await cost(ANA) == 2
    assert await cost(ANA) == 1  # the answer is there already
    assert await cost(REQ) == 2  # refused, and that is written down
    assert await cost(BOB) == 1  # decides on what was read for the refusal


# -- refusals leave a trace, and nothing else -------------------------------------------------------------------------


async def test_an_attempt_that_was_refused_is_written_down_once(corridor):
    asked = await corridor.ask()
    for _ in range(2):
        with pytest.raises(Forbidden, match="your own"):
            await corridor.apply(asked, approve(asked, REQ))
    _, entry = (await corridor.log.newest(most=1))[0]
    assert (entry.event, entry.actor, entry.request) == ("attempt.refused", REQ, asked.id)
    assert entry.details == {"command": "approve", "code": "not_an_approver"}
    assert await corridor.events() == ["environment.created", "request.submitted", "attempt.refused"]
    assert (await corridor.requests.get(asked.id)).request == asked


async def test_what_was_refused_may_be_asked_again_under_the_same_id(corridor):
    asked = await corridor.ask()
    corridor.crowd.members[LEADS] = {BOB, CAT}
    with pytest.raises(Forbidden):
        await corridor.apply(asked, approve(asked, ANA))
    corridor.crowd.members.clear()
    assert (await corridor.apply(asked, approve(asked, ANA))).news


async def test_the_clock_leaves_no_trace_of_what_it_was_refused(corridor):
    asked = await corridor.ask()
    before = await corridor.dump()
    with pytest.raises(Conflict):
        await corridor.apply(asked, Due(id="d", actor="clock", timer="deadline", at_ms=1))
    assert await corridor.dump() == before
    assert corridor.crowd.asked == 1  # to take it in


async def test_a_refused_submission_is_written_down(corridor):
    draft, _ = await corridor.draft(requester="USTRANGER")
    with pytest.raises(Forbidden):
        await corridor.requests.submit(draft, "view:1")
    assert (await corridor.events())[-1] == "attempt.refused"
    with pytest.raises(NotFound):
        await corridor.requests.get(draft.id)


async def test_there_is_no_such_request(corridor):
    for act in (corridor.requests.get("REQVEST999"), corridor.requests.apply("REQVEST999", End(id="e", actor=REQ))):
        with pytest.raises(NotFound, match="not yours to see"):
            await act


async def test_without_policies_nothing_is_asked(any_redis):
    corridor = Corridor(any_redis)
    draft, _ = await corridor.draft()
    with pytest.raises(Unavailable) as refusal:
        await corridor.requests.submit(draft, "view:1")
    assert refusal.value.detail == "no_policy"


@pytest.mark.parametrize("wrong", ["missing", "more", "other"])
async def test_a_change_brings_the_values_it_names_and_no_others(corridor, wrong):
    draft, sealing = await corridor.draft("change", A="x", B="y")
    _, other = await corridor.draft("change", A="x")
    entries = {"missing": sealing.entries[:1], "more": sealing.entries + other.entries, "other": other.entries * 2}
    before = await corridor.dump()
    with pytest.raises(Invalid):
        await corridor.requests.submit(draft, "view:1", entries[wrong])
    assert await corridor.dump() == before


# -- what a decision was made on --------------------------------------------------------------------------------------


@pytest.mark.parametrize("age_ms", [FRESH_MS - 1, FRESH_MS])
async def test_facts_decide_while_they_are_fresh(corridor, age_ms):
    asked = await corridor.ask()
    corridor.crowd.age_ms = age_ms
    await corridor.apply(asked, approve(asked, ANA))
    if age_ms < FRESH_MS:
        assert (await corridor.do(asked, approve(asked, BOB))).state == "approved"
        return
    with pytest.raises(Conflict):
        await corridor.apply(asked, approve(asked, BOB))
    assert await corridor.state(asked) == "pending"
    with pytest.raises(Conflict):
        await corridor.ask()


async def test_a_vote_waits_for_facts_and_the_relay_counts_it(corridor):
    await corridor.enact(policy(approvals=policy().approvals[:1]))
    asked = await corridor.approved("open", ANA)
    corridor.crowd.without = {BOB}
    assert (await corridor.do(asked, approve(asked, BOB))).state == "pending"
    claimed = {each.member: each for each in await corridor.outbox.claim("slack", most=50, lease_ms=1_000)}
    assert f"count:{asked.id}" in claimed


async def test_a_policy_of_now_is_seen_by_a_process_that_knew_another(corridor):
    asked = await corridor.ask()
    await corridor.do(asked, approve(asked, ANA))
    await corridor.enact(policy(approvals=(leads(3),)))
    assert (await corridor.do(asked, approve(asked, BOB))).state == "pending"
    assert (await corridor.do(asked, approve(asked, CAT))).state == "approved"


# -- what lies in Redis -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["request", "policy", "debt"])
async def test_a_newer_schema_is_refused_and_never_rewritten(corridor, of):
    await corridor.enact(soft())
    asked = await corridor.ask()
    await corridor.do(asked, smash(asked, ONCALL))
    key = {
        "request": corridor.keys.request(asked.id),
        "debt": corridor.keys.debt(asked.id),
        "policy": corridor.keys.policy(2),
    }[of]
    if of == "policy":
        body = await corridor.redis.get(key)
        await corridor.redis.set(key, body.replace(b'"schema":1', b'"schema":2'))
    else:
        body = await corridor.redis.hget(key, "body")
        await corridor.redis.hset(key, "body", body.replace(b'"schema":1', b'"schema":2'))
    before = await corridor.dump()
    replica = corridor.replica()
    for command in (Activate(id="a", actor=REQ), End(id="e", actor=REQ), Withdraw(id="w", actor=REQ)):
        with pytest.raises(Unavailable, match="newer Countersign"):
            await replica.apply(asked.id, command)
    assert await corridor.dump() == before


async def test_scripts_that_the_server_forgot_are_loaded_again(corridor):
    asked = await corridor.ask()
    await corridor.apply(asked, approve(asked, ANA))
    await corridor.redis.script_flush()
    assert (await corridor.do(asked, approve(asked, BOB))).state == "approved"
    await corridor.redis.script_flush()
    assert (await corridor.do(asked, Activate(id="a", actor=REQ))).state == "active"


async def test_bodies_carry_their_schema_and_no_value(corridor):
    asked = await corridor.approved("change", A="canary-7")
    assert asked.state == "merged"
    assert b"canary" not in json.dumps(str(await corridor.dump())).encode()
    body = json.loads(await corridor.redis.hget(corridor.keys.request(asked.id), "body"))
    assert body["schema"] == 1


async def test_a_change_that_ends_without_a_merge_takes_its_values_with_it(corridor):
    kept, gone = await corridor.ask("change", A="x"), await corridor.ask("change", B="y")
    await corridor.do(gone, deny(gone, ANA))
    assert await corridor.redis.exists(corridor.keys.payload(gone.id, 1)) == 0
    assert await corridor.redis.exists(corridor.keys.payload(kept.id, 1)) == 1


async def test_the_first_policies_are_created_once(any_redis):
    corridor = Corridor(any_redis)
    first, other = soft(), policy()
    create = corridor.policies.create
    assert await create(policies(first, number=9), actor="clock", now_ms=NOW, skew_ms=0)
    before = await corridor.dump()
    for again in (first, other):
        assert not await create(policies(again), actor="clock", now_ms=NOW, skew_ms=0)
    assert await corridor.dump() == before
    assert (await corridor.policies.current()).number == await corridor.policies.number() == 1


async def test_what_waits_for_whom(corridor):
    pager = Threshold(circle=Circle(users=frozenset({ONCALL})))
    await corridor.enact(policy(approvals=(leads(), pager)))
    first, second = await corridor.ask(), await corridor.ask("access")
    assert await corridor.waiting(LEADS, ONCALL) == [first.id, second.id]
    assert await corridor.requests.read([second.id, "REQVESTNON", first.id]) == [second, first]
    assert len(await corridor.waiting(LEADS, most=1)) == 1
    assert await corridor.waiting() == []
    assert await corridor.waiting("SNOBODY") == []
    await corridor.do(first, Withdraw(id="w", actor=REQ))
    assert await corridor.waiting(ONCALL) == [second.id]


async def test_a_glass_broken_brings_debt_timer_and_announcement_at_once(corridor):
    await corridor.enact(soft())
    asked = await corridor.ask()
    await corridor.do(asked, smash(asked, ONCALL))
    world = await corridor.requests.get(asked.id)
    assert world.debt is not None
    assert await corridor.redis.zscore(corridor.keys.due, f"{asked.id}/debt") == world.debt.due_ms
    effects = [each.member for each in await corridor.outbox.claim("slack", most=50, lease_ms=1_000)]
    assert f"announce:{asked.id}:broken:{NOW}" in effects


async def test_a_change_merged_by_hand_is_read_back_as_merged(corridor):
    await corridor.enact(policy(merge="by-hand"))
    asked = await corridor.approved("change", A="x")
    merged = await corridor.do(asked, Merge(id="m", actor=REQ))
    assert (merged.state, merged.merged) == ("merged", 2)
    with pytest.raises(AccessError, match="merged already"):
        await corridor.apply(asked, Merge(id="m2", actor=REQ))
