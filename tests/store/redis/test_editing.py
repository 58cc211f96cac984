"""Editing in the store: one revision a wish, votes of the old one never count for the new one, and the sealed values go along."""

import asyncio

import pytest

from store.model.command import Activate, Command, Merge, Withdraw
from store.model.errors import AccessError, Conflict, Forbidden, Invalid
from store.model.policy import HOUR, Circle, Threshold
from store.model.request import Change, Request
from store.redis.commit import text
from tests.builders import ANA, BOB, CAT, LEADS, NOW, ONCALL, REQ, approve, deny, edit, policy
from tests.store.redis.corridor import Corridor, Gate, command_for
from tests.store.redis.test_races import at_once


async def payload(corridor: Corridor, asked: Request, revision: int) -> set[str]:
    """The ids of the sealed entries that lie there."""
    return {text(entry) for entry in await corridor.redis.hkeys(corridor.keys.payload(asked.id, revision))}


async def now(corridor: Corridor, asked: Request) -> Request:
    return (await corridor.requests.get(asked.id)).request


async def test_the_same_wish_twice_is_one_revision(corridor):
    asked = await corridor.approved("open", ANA)
    wish = edit(asked, reason="another")
    first = await corridor.apply(asked, wish)
    before = await corridor.dump()
    second = await corridor.replica().apply(asked.id, wish)
    assert (second.answer, second.news) == (first.answer, False)
    assert await corridor.dump() == before
    assert (await now(corridor, asked)).revision == 2
    with pytest.raises(Conflict, match="something else"):
        await corridor.apply(asked, edit(asked, reason="a third", id=wish.id))


async def test_what_was_edited_has_a_new_time_and_lies_with_those_who_decide_now(corridor):
    asked = await corridor.ask()
    corridor.skew_ms += HOUR
    await corridor.enact(policy(approvals=(Threshold(circle=Circle(users=frozenset({ONCALL}))),), request_ttl_ms=HOUR))
    after = await corridor.do(asked, edit(asked, reason="another"))
    assert (after.policy, after.timers) == (2, {"deadline": NOW + 2 * HOUR})
    due = await corridor.redis.zrange(corridor.keys.due, 0, -1, withscores=True)
    assert [(text(member), int(at)) for member, at in due] == [(f"{asked.id}/deadline", NOW + 2 * HOUR)]
    assert await corridor.waiting(LEADS) == []
    assert await corridor.waiting(ONCALL) == [after.id]
    await corridor.do(asked, Withdraw(id="w", actor=REQ))
    assert await corridor.waiting(ONCALL) == []


async def test_an_edit_is_written_down_by_name_and_without_a_value(corridor):
    asked = await corridor.approved("change", ANA, A="hunter2")
    await corridor.do(asked, edit(asked, reason="a long story"))
    _, entry = (await corridor.log.newest(most=1))[0]
    assert (entry.event, entry.actor, entry.request) == ("request.edited", REQ, asked.id)
    assert entry.details == {"revision": 2, "changed": "reason", "dropped": ANA, "rule": "rule", "policy": 1}
    assert "review.approved" in await corridor.events()


async def test_a_refused_edit_leaves_a_trace_and_nothing_else(corridor):
    asked = await corridor.ask()
    with pytest.raises(Forbidden, match="Only the person who asked"):
        await corridor.apply(asked, edit(asked, ANA, reason="mine now"))
    _, entry = (await corridor.log.newest(most=1))[0]
    assert entry.details == {"command": "edit", "code": "not_the_requester"}
    assert await now(corridor, asked) == asked


async def test_without_a_rule_of_now_it_is_refused(corridor):
    asked = await corridor.ask()
    await corridor.enact(policy(actions=frozenset({"change"})))
    with pytest.raises(Forbidden) as refusal:
        await corridor.apply(asked, edit(asked, reason="another"))
    assert refusal.value.detail == "no_rule"


# -- the sealed values of a change --------------------------------------------------------------------------------------


async def test_the_sealed_values_go_along_and_the_old_revision_keeps_none(corridor):
    asked = await corridor.ask("change", A="x", B="y")
    sealed = await payload(corridor, asked, 1)
    assert len(sealed) == 2
    after = await corridor.do(asked, edit(asked, reason="another"))
    assert await payload(corridor, asked, 1) == set()
    assert await payload(corridor, asked, 2) == sealed
    for user in (ANA, BOB):
        after = await corridor.do(asked, command_for(after, approve, user))
    assert after.state == "merged"
    assert await payload(corridor, asked, 2) == set()
    assert await corridor.redis.hlen(corridor.keys.entries(asked.environment_id)) == 2


async def test_other_values_take_the_place_of_the_old_ones(corridor):
    asked = await corridor.ask("change", A="x", B="y", C="z")
    assert isinstance(asked.payload, Change)
    _, sealing = await corridor.seal(B="new", D="more")
    kept = [touch for touch in asked.payload.touches if touch.name == "A"]
    there = await corridor.environments.pending(asked)
    entries = [there[touch.entry.entry_id] for touch in kept if touch.entry] + list(sealing.entries)
    wish = edit(asked, touches=(*kept, *sealing.touches))
    after = (await corridor.requests.apply(asked.id, wish, entries)).request
    assert await payload(corridor, asked, 1) == set()
    assert await payload(corridor, asked, 2) == {entry.entry_id for entry in entries}

    _, resealed = await corridor.seal(B="new", D="more")
    again = edit(asked, touches=(*kept, *resealed.touches))
    assert not (await corridor.replica().apply(asked.id, again, resealed.entries)).news

    for user in (ANA, BOB):
        after = await corridor.do(asked, command_for(after, approve, user))
    assert await values(corridor) == {"A": b"x", "B": b"new", "D": b"more"}
    assert await corridor.redis.hlen(corridor.keys.entries(asked.environment_id)) == 3


async def test_only_removals_need_no_sealed_value(corridor):
    await corridor.approved("change", A="x")
    asked = await corridor.ask("change", A=None, B="y")
    kept = tuple(touch for touch in asked.payload.touches if touch.name == "A")
    await corridor.apply(asked, edit(asked, touches=kept))
    assert await corridor.redis.keys(f"{corridor.keys.prefix}payload:*") == []


@pytest.mark.parametrize("more", [True, False])
async def test_what_is_sealed_is_what_is_named(corridor, more):
    asked = await corridor.ask("change", A="x")
    _, sealing = await corridor.seal(A="new")
    _, other = await corridor.seal(B="other")
    entries = [*sealing.entries, *other.entries] if more else []
    with pytest.raises(Invalid) as refusal:
        await corridor.requests.apply(asked.id, edit(asked, touches=sealing.touches), entries)
    assert refusal.value.detail == "other_entries"
    assert (await now(corridor, asked)).revision == 1


async def values(corridor: Corridor) -> dict[str, bytes]:
    """What payments/prod holds, as somebody reads it who may."""
    reading = await corridor.approved()
    await corridor.do(reading, Activate(id="read", actor=REQ))
    opened = await corridor.environments.read(reading.id, REQ)
    return {name: value.secret.reveal() for name, value in opened.values.items() if value.secret is not None}


async def test_an_edited_change_that_ends_leaves_no_sealed_value(corridor):
    asked = await corridor.ask("change", A="x")
    after = await corridor.do(asked, edit(asked, reason="another"))
    await corridor.do(asked, deny(after, ANA))
    assert await corridor.redis.keys(f"{corridor.keys.prefix}payload:*") == []


async def stale(corridor: Corridor, **values: str) -> Request:
    """With an approval, and overtaken by another change of A."""
    asked = await corridor.approved("change", ANA, **values)
    await corridor.approved("change", A="other", Z="1")
    asked = await now(corridor, asked)
    assert asked.state == "stale"
    return asked


async def test_a_stale_change_is_merged_on_top_of_what_is_there_now(corridor):
    asked = await stale(corridor, A="x", B="y")
    after = await corridor.do(asked, edit(asked))
    assert isinstance(after.payload, Change)
    head = await corridor.environments.head(asked.environment_id)
    assert {touch.name: touch.base for touch in after.payload.touches} == {"A": head.entries["A"].entry_id, "B": None}
    assert (after.state, after.reviews, after.revision) == ("pending", (), 2)
    for user in (BOB, CAT):
        after = await corridor.do(asked, command_for(after, approve, user))
    assert (after.state, after.merged) == ("merged", 3)
    assert await values(corridor) == {"A": b"x", "B": b"y", "Z": b"1"}


async def test_what_is_asked_again_is_overtaken_again(corridor):
    asked = await stale(corridor, A="x")
    again = await corridor.do(asked, edit(asked))
    await corridor.approved("change", A="third")
    assert await corridor.state(again) == "stale"


# -- races ----------------------------------------------------------------------------------------------------------------


async def test_an_approval_that_races_with_an_edit_never_counts_for_the_new_one(corridor):
    asked = await corridor.approved("open", ANA)
    answers = await at_once(corridor, (asked, approve(asked, BOB)), (asked, edit(asked, reason="another")))
    after = await now(corridor, asked)
    if "too_late" in answers:  # approved first, and then there is nothing to edit
        assert (after.state, after.revision, sorted(answers)) == ("approved", 1, ["Approved.", "too_late"])
    else:
        assert (after.state, after.revision, after.reviews) == ("pending", 2, ())
        assert "other_content" in answers


@pytest.mark.parametrize("first", ["edit", "approve"])
async def test_whoever_commits_first_while_both_have_looked(corridor, first):
    """Both orders, each made sure of: the other one has decided already, and is at the gate when this is committed."""
    asked = await corridor.approved("open", ANA)
    wishes: dict[str, Command] = {"edit": edit(asked, reason="another"), "approve": approve(asked, BOB)}
    one, other = wishes.pop(first), wishes.popitem()[1]

    async def overtaken() -> None:
        corridor.scripts.gate = None
        await corridor.replica().apply(asked.id, one)

    corridor.scripts.gate = Gate(1, at_the_end=overtaken)
    with pytest.raises(Conflict) as refusal:
        await corridor.replica().apply(asked.id, other)
    after = await now(corridor, asked)
    if first == "edit":
        assert refusal.value.detail == "other_content"
        assert (after.state, after.revision, after.reviews) == ("pending", 2, ())
    else:
        assert refusal.value.detail == "too_late"
        assert (after.state, after.revision) == ("approved", 1)


async def test_what_is_remembered_of_the_old_one_decides_nothing(corridor):
    """This process has read revision 1, and another one has edited it since."""
    asked = await corridor.approved("open", ANA)
    await corridor.requests.get(asked.id)
    await corridor.replica().apply(asked.id, edit(asked, reason="another"))
    with pytest.raises(Conflict) as refusal:
        await corridor.apply(asked, approve(asked, BOB))
    assert refusal.value.detail == "other_content"
    assert (await now(corridor, asked)).reviews == ()


async def test_two_edits_at_once_are_one(corridor):
    asked = await corridor.ask()
    answers = await at_once(corridor, *[(asked, edit(asked, reason=f"{at}", id=f"e{at}")) for at in range(10)])
    assert answers.count("Edited.") == 1
    assert answers.count("other_content") == 9
    assert (await now(corridor, asked)).revision == 2


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_merge_that_is_faster_than_asking_again_gives_the_bases_of_the_merge(corridor, remembered):
    asked = await stale(corridor, A="x")
    await corridor.enact(policy(merge="by-hand"))
    rival = await corridor.approved("change", A="third")
    replica = corridor.replica()
    if remembered:
        await replica.get(asked.id)

    async def merged() -> None:
        corridor.scripts.gate = None
        await corridor.replica().apply(rival.id, Merge(id="m", actor=REQ))

    corridor.scripts.gate = Gate(1, at_the_end=merged)
    again = (await replica.apply(asked.id, edit(asked))).request
    head = await corridor.environments.head(asked.environment_id)
    assert [touch.base for touch in again.payload.touches] == [head.entries["A"].entry_id]


async def test_a_policy_that_changes_while_it_is_edited_decides(corridor):
    asked = await corridor.ask()

    async def nobody_may_ask() -> None:
        corridor.scripts.gate = None
        await corridor.enact(policy(requesters=Circle()))

    corridor.scripts.gate = Gate(1, at_the_end=nobody_may_ask)
    with pytest.raises(AccessError) as refusal:
        await corridor.replica().apply(asked.id, edit(asked, reason="another"))
    assert refusal.value.detail == "forbidden"
    assert (await now(corridor, asked)).revision == 1


async def test_one_wish_to_edit_that_arrives_at_many_replicas_is_one_revision(corridor):
    asked = await corridor.ask("change", A="x")
    wish = edit(asked, reason="another")
    corridor.scripts.gate = Gate(8)
    outcomes = await asyncio.gather(*(corridor.replica().apply(asked.id, wish) for _ in range(8)))
    assert sum(outcome.news for outcome in outcomes) == 1
    assert len(await payload(corridor, asked, 2)) == 1
