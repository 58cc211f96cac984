"""Changes of the policies in the store: what is in force is what was approved, to the byte, and one at a time."""

import asyncio
import json
from typing import Any

import pytest

from store.model.command import Merge, Withdraw
from store.model.enactment import Enactment
from store.model.errors import Conflict, Forbidden, Invalid, Unavailable
from store.model.policy import Policy, PolicySet
from store.model.request import Amendment, Request
from store.redis.policies import Policies, fingerprint
from store.redis.recovery import Recovery
from tests.builders import ANA, BOB, CAT, NOW, OWNER, REQ, approve, draft, edit, leads, policies, policy
from tests.store.redis.corridor import Corridor, Gate, command_for
from tests.store.redis.test_races import at_once


def proposed(base: int = 1, *rules: Policy, **changed: Any) -> tuple[Amendment, str]:
    body = policies(*(rules or (policy(approvals=(leads(1),)),)), number=base + 1, **changed).to_json()
    return Amendment(base=base, content=fingerprint(body)), body


async def ask(corridor: Corridor, base: int = 1, *rules: Policy, **changed: Any) -> Request:
    amendment, body = proposed(base, *rules, **changed)
    made = draft("policy", identity=corridor.id(), payload=amendment)
    outcome = await corridor.requests.submit(made, f"ask:{made.id}", policies=body)
    assert outcome.request is not None
    return outcome.request


async def approve_by(corridor: Corridor, asked: Request, *by: str) -> Request:
    for user in by:
        asked = await corridor.do(asked, command_for(asked, approve, user))
    return asked


async def stored(corridor: Corridor, asked: Request, revision: int = 1) -> dict[Any, Any]:
    return await corridor.redis.hgetall(corridor.keys.payload(asked.id, revision))


async def test_what_was_approved_is_in_force_to_the_byte_and_nobody_can_say_otherwise(corridor):
    amendment, body = proposed()
    asked = await ask(corridor)
    assert await corridor.policies.number() == 1
    merged = await approve_by(corridor, asked, ANA, BOB)
    assert (merged.state, merged.merged) == ("merged", 2)
    assert await corridor.policies.number() == 2
    assert fingerprint((await corridor.redis.get(corridor.keys.policy(2))).decode()) == amendment.content
    assert await corridor.policies.current() == PolicySet.from_json(body)
    assert await stored(corridor, asked) == {}
    assert await corridor.policies.proposed(merged) == PolicySet.from_json(body), "it can still be shown"
    [(number, enactment), (one, nothing)] = await corridor.policies.enactments(most=9)
    assert (number, one, nothing) == (2, 1, None)
    assert enactment == Enactment(
        how="request", by=REQ, at_ms=NOW, request=asked.id, approved_by=(ANA, BOB), reason="because"
    )
    opened = await corridor.approved("open", ANA)
    assert (opened.state, opened.policy) == ("approved", 2)


async def test_other_policies_than_were_asked_for_are_not_put_into_force(corridor):
    asked = await ask(corridor)
    await approve_by(corridor, asked, ANA)
    _, other = proposed(1, policy(self_approval=True))
    await corridor.redis.hset(corridor.keys.payload(asked.id, 1), "policies", other)
    with pytest.raises(Unavailable, match="cannot be trusted"):
        await approve_by(corridor, asked, BOB)
    assert await corridor.policies.number() == 1
    assert await corridor.state(asked) == "pending"
    with pytest.raises(Unavailable, match="cannot be trusted"):
        await Policies(corridor.redis, corridor.keys, corridor.scripts).proposed(asked)


@pytest.mark.parametrize(
    ("amendment", "body"),
    [
        (proposed()[0], None),
        (proposed()[0], proposed(1, policy(self_approval=True))[1]),
        (Amendment(base=1, content=fingerprint(proposed(4)[1])), proposed(4)[1]),
    ],
)
async def test_what_is_asked_for_must_be_what_was_brought(corridor, amendment, body):
    made = draft("policy", identity=corridor.id(), payload=amendment)
    with pytest.raises(Invalid, match="not those that this change names"):
        await corridor.requests.submit(made, "ask", policies=body)
    asked = await ask(corridor)
    wish = edit(asked, amendment=amendment, reason="again")
    with pytest.raises(Invalid, match="not those that this change names"):
        await corridor.requests.apply(asked.id, wish, policies=body)
    with pytest.raises(Invalid, match="not those that this change names"):
        await corridor.requests.submit(draft("open", identity=corridor.id()), "other", policies=proposed()[1])


async def test_who_comes_late_in_another_process_is_told_what_is_true_and_not_that_it_was_altered(corridor):
    asked, edited = await ask(corridor), await ask(corridor)
    for one in (asked, edited):
        await approve_by(corridor, one, ANA)
        await corridor.requests.get(one.id)  # as this process remembers it from here on
    other = corridor.replica()
    await other.apply(edited.id, edit(edited, reason="another"))
    with pytest.raises(Conflict, match="edited since"):
        await approve_by(corridor, edited, BOB)
    await other.apply(asked.id, command_for(asked, approve, CAT))
    with pytest.raises(Conflict, match="merged already"):
        await approve_by(corridor, asked, BOB)


async def test_of_two_that_are_approved_at_once_one_is_in_force_and_the_other_out_of_date(corridor):
    one, two = await ask(corridor), await ask(corridor, 1, policy(denials=2))
    for asked in (one, two):
        await approve_by(corridor, asked, ANA)
    await at_once(corridor, *((asked, command_for(asked, approve, BOB)) for asked in (one, two)))
    assert sorted([await corridor.state(one), await corridor.state(two)]) == ["merged", "stale"]
    assert await corridor.policies.number() == 2
    assert await corridor.redis.zcard(corridor.keys.index("touch:policy:main")) == 0


async def test_the_merge_marks_the_others_at_once_and_what_ended_is_no_sibling(corridor):
    one, two, gone = await ask(corridor), await ask(corridor), await ask(corridor)
    await corridor.do(gone, Withdraw(id="w", actor=REQ))
    await approve_by(corridor, one, ANA, BOB)
    assert [await corridor.state(each) for each in (one, two, gone)] == ["merged", "stale", "withdrawn"]
    assert await stored(corridor, gone), "what was not put into force can still be read"


async def test_what_is_out_of_date_is_asked_again_with_other_policies(corridor):
    one, two = await ask(corridor), await ask(corridor)
    await approve_by(corridor, one, ANA, BOB)
    amendment, body = proposed(2, policy(denials=3))
    stale = (await corridor.requests.get(two.id)).request
    wish = edit(stale, amendment=amendment)
    again = (await corridor.requests.apply(two.id, wish, policies=body)).request
    assert again is not None
    assert (again.state, again.revision, again.policy) == ("pending", 2, 2)
    assert await stored(corridor, two) == {}
    assert list(await stored(corridor, two, 2)) == [b"policies"]
    merged = await corridor.do(again, command_for(again, approve, CAT, id="again"))
    assert (merged.state, merged.merged) == ("merged", 3)


async def test_an_edit_of_the_words_takes_the_policies_along(corridor):
    asked = await ask(corridor)
    after = await corridor.do(asked, edit(asked, reason="a better reason"))
    assert list(await stored(corridor, asked, 2)) == [b"policies"]
    merged = await approve_by(corridor, after, ANA)
    merged = await corridor.do(merged, command_for(merged, approve, BOB))
    assert merged.state == "merged"


async def test_by_hand_it_is_merged_only_on_what_it_was_made_on(corridor):
    await corridor.enact(policy(merge="by-hand"))
    asked = await ask(corridor, 2, policy(denials=2))
    approved = await approve_by(corridor, asked, ANA, BOB)
    assert (approved.state, await corridor.policies.number()) == ("approved", 2)
    await corridor.enact(policy(merge="by-hand"))
    stale = await corridor.do(asked, Merge(id="m", actor=REQ))
    assert (stale.state, await corridor.policies.number()) == ("stale", 3)


async def test_the_same_wish_asked_by_the_door_is_one_of_its_kind(corridor):
    asking = corridor.asking()
    new = policies(policy(denials=2), number=77)
    outcome = await asking.policies(REQ, new, base=1, reason="r", ticket=None, door="terminal", command_id="c")
    assert outcome.request is not None
    assert (outcome.request.door, outcome.request.target) == ("terminal", "policy:main")
    [(_, entry)] = await corridor.log.newest(most=1)
    assert (entry.event, entry.details["door"]) == ("request.submitted", "terminal")
    assert (await corridor.policies.proposed(outcome.request)).number == 2


# -- the way back ------------------------------------------------------------------------------------------------------


def recovery(corridor: Corridor) -> Recovery:
    return Recovery(corridor.redis, corridor.keys, corridor.scripts, corridor.crowd, corridor.skew)


async def recover(corridor: Corridor, base: int = 1, **changed: Any) -> int:
    given = {
        "actor": OWNER,
        "reason": "Nobody could approve",
        "restored": None,
        "command_id": f"r{base}",
        "now_ms": NOW,
    }
    return await recovery(corridor).recover(policies(policy(denials=3)), base=base, **{**given, **changed})


async def test_a_recovery_is_in_force_at_once_and_leaves_its_trace_in_the_same_commit(corridor):
    asked = await ask(corridor)
    assert await recover(corridor, restored=None) == 2
    assert (await corridor.policies.current()).policies[0].denials == 3
    [(_, entry)] = await corridor.log.newest(most=1)
    assert (entry.event, entry.actor, entry.target) == ("policy.recovered", OWNER, "policy:main")
    assert entry.details["reason"] == "Nobody could approve"
    assert (entry.details["version"], entry.details["replaced"]) == (2, 1)
    claimed = {each.effect.key for each in await corridor.outbox.claim("slack", most=9, lease_ms=1_000)}
    assert {"recovered:2", f"card:{asked.id}"} <= claimed
    enactment = await corridor.policies.enactment(2)
    assert enactment is not None
    assert (enactment.how, enactment.by, enactment.reason) == ("recovered", OWNER, "Nobody could approve")
    await approve_by(corridor, asked, ANA)
    assert await corridor.state(await approve_by(corridor, asked, BOB)) == "stale"


@pytest.mark.parametrize(
    ("changed", "person", "error"),
    [
        ({"reason": "  "}, {}, Invalid),
        ({"reason": "x" * 2_001}, {}, Invalid),
        ({}, {"guest": True}, Forbidden),
        ({}, {"active": False}, Forbidden),
        ({"actor": "UNOBODY"}, {}, Unavailable),
    ],
)
async def test_a_recovery_needs_somebody_and_a_reason_and_a_refusal_is_noted(corridor, changed, person, error):
    corridor.crowd.changed[OWNER] = person
    with pytest.raises(error):
        await recover(corridor, **changed)
    assert await corridor.policies.number() == 1
    [(_, entry)] = await corridor.log.newest(most=1)
    assert (entry.event, entry.details["command"]) == ("attempt.refused", "recover")


async def test_a_recovery_on_another_version_than_was_looked_at_changes_nothing(corridor):
    await corridor.enact()
    with pytest.raises(Conflict, match="in force no more"):
        await recover(corridor)
    assert await corridor.policies.number() == 2
    assert await corridor.outbox.claim("slack", most=9, lease_ms=1_000) == []


async def test_a_recovery_and_an_approval_at_once_are_one_after_the_other(corridor):
    asked = await ask(corridor)
    await approve_by(corridor, asked, ANA)
    corridor.scripts.gate = Gate(2)

    async def back() -> str:
        try:
            return str(await recover(corridor))
        except Conflict:
            return "refused"

    done, _ = await asyncio.gather(back(), corridor.replica().apply(asked.id, command_for(asked, approve, BOB)))
    corridor.scripts.gate = None
    assert (done, await corridor.state(asked)) in (("2", "stale"), ("refused", "merged"))
    assert await corridor.policies.number() == 2
    assert json.loads(await corridor.redis.get(corridor.keys.enactment(2)))["how"] == (
        "recovered" if done == "2" else "request"
    )
