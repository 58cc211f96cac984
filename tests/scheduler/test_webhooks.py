"""Webhooks: the newest version, under one id and in the same bytes at each try, for three days and no longer."""

import asyncio
import json
from typing import Any

import pytest

from scheduler.connectors.hook import DELAYS_MS
from scheduler.webhooks import RECEIPTS
from store.model.delivery import Receipt
from store.model.effect import Redeploy
from store.model.policy import HOUR, MINUTE
from store.model.secret import Secret
from store.redis.environments import HOOK, hook_name
from tests.builders import ANA, BOB
from tests.scheduler.hooked import VALUE, House
from tests.scheduler.measured import measured


def alarms(house: House) -> float:
    return measured(house.metrics, "alarms_total", kind="hook")


# -- one try ----------------------------------------------------------------------------------------------------------


async def test_a_merged_change_is_told_signed_and_without_a_value(house):
    request = await house.merged()
    await house.run()
    (told,) = house.receiver.deliveries
    assert told.verified
    assert told.id == f"msg_{request.id}_api_2"
    assert json.loads(told.body) == {
        "type": "change",
        "schema": 1,
        "timestamp": request.since_ms // 1000,
        "data": {
            "target": "payments/prod",
            "environment": "payments/prod",
            "environment_version": 2,
            "hook": "api",
            "request": request.id,
            "requested_by": "UREQ",
            "decided_by": [ANA, BOB],
        },
    }
    assert VALUE.encode() not in told.body
    delivery = await house.delivery(request)
    assert (delivery.state, delivery.attempts, delivery.next_ms) == ("delivered", 1, None)
    assert [receipt.status for receipt in delivery.receipts] == [204]
    assert await house.next_in_ms() is None
    assert "hook.delivered" in await house.corridor.events()


async def test_each_try_has_the_same_id_and_the_same_bytes_and_a_signature_of_its_own_time(house):
    await house.merged()
    house.receiver.answer("api", 500, times=2)
    house.receiver.answer("api", 0)
    for _ in range(4):
        await house.run()
        house.corridor.skew_ms += await house.next_in_ms() or 0
    told = house.receiver.deliveries
    assert [each.status for each in told] == [500, 500, 0, 204]
    assert all(each.verified for each in told)
    assert len({each.id for each in told}) == 1
    assert len({each.body for each in told}) == 1
    assert len({each.headers["webhook-timestamp"] for each in told}) == 4


async def test_the_secret_is_minted_once_whoever_signs(house):
    await house.merged()
    await house.run()
    await house.merged(A="other")
    await house.run(house.another())
    assert [each.verified for each in house.receiver.deliveries] == [True, True]


# -- again ------------------------------------------------------------------------------------------------------------


async def test_it_is_told_over_three_days_and_then_has_failed(house):
    request = await house.merged()
    house.receiver.answer("api", 503, times=100)
    tries, start = [], house.corridor.now_ms
    for number in range(len(DELAYS_MS)):
        assert alarms(house) == 0
        assert await house.run() == 1
        tries.append(house.corridor.now_ms - start)
        delivery = await house.delivery(request)
        pause = await house.next_in_ms()
        if number + 1 < len(DELAYS_MS):
            assert delivery.state == "waiting"
            assert pause == DELAYS_MS[number + 1]
            assert delivery.next_ms == house.corridor.now_ms + pause
            house.corridor.skew_ms += pause - 1
            assert await house.run() == 0
            house.corridor.skew_ms += 1
    assert tries == [sum(DELAYS_MS[: count + 1]) for count in range(len(DELAYS_MS))]
    assert 72 * HOUR < tries[-1] < 80 * HOUR
    delivery = await house.delivery(request)
    assert (delivery.state, delivery.attempts) == ("failed", len(DELAYS_MS))
    assert await house.next_in_ms() is None
    assert alarms(house) == 1
    assert (await house.corridor.events()).count("hook.failed") == 1


@pytest.mark.parametrize(
    ("asked_s", "pause_ms"), [("600", 10 * MINUTE), ("1", DELAYS_MS[1]), ("nonsense", DELAYS_MS[1])]
)
async def test_a_receiver_may_ask_for_a_longer_pause(house, asked_s, pause_ms):
    await house.merged()
    house.receiver.answer("api", 429, headers={"Retry-After": asked_s})
    await house.run()
    assert await house.next_in_ms() == pause_ms


async def test_what_is_woken_up_in_its_pause_waits_on(house):
    request = await house.merged()
    house.receiver.answer("api", 500)
    await house.run()
    house.corridor.skew_ms += 1_000
    wake = Redeploy(
        environment="payments/prod",
        environment_id=(await house.environment()).id,
        hook="api",
        version=2,
        request=request.id,
        at_ms=1,
    )
    await house.corridor.outbox.put([wake], command_id="wake")
    assert await house.run() == 1
    assert len(house.receiver.deliveries) == 1
    assert await house.next_in_ms() == DELAYS_MS[1] - 1_000


# -- failed at once ---------------------------------------------------------------------------------------------------


async def test_a_receiver_that_wants_no_more_has_failed_at_once(house):
    request = await house.merged()
    house.receiver.answer("api", 410)
    await house.run()
    delivery = await house.delivery(request)
    assert (delivery.state, delivery.receipts[-1].status) == ("failed", 410)
    assert await house.next_in_ms() is None
    assert alarms(house) == 1


async def test_an_address_inside_that_nobody_vouches_for_is_refused_at_once(house):
    request = await house.merged()
    await house.enact(allow=False)
    await house.run()
    delivery = await house.delivery(request)
    assert delivery.state == "failed"
    assert delivery.receipts[-1].said
    assert house.receiver.deliveries == []
    assert alarms(house) == 1


async def test_what_cannot_be_signed_is_refused_at_once_and_not_shown(house):
    """Somebody with the key of the environment has put there what is no secret of a webhook."""
    request = await house.merged()
    environments, environment = house.corridor.environments, await house.environment()
    key = await environments.key(environment.id, environment.epoch)
    entry = key.seal(hook_name(f"{HOOK}api"), house.corridor.id(), Secret(b"hunter2"), mode=0o600)
    await house.corridor.redis.hset(house.corridor.keys.entries(environment.id), f"{HOOK}api", entry.to_json())
    await house.run(house.another())
    delivery = await house.delivery(request)
    assert delivery.state == "failed"
    assert delivery.receipts[-1].said.startswith("A webhook's secret is whsec_")
    assert "hunter2" not in delivery.to_json()
    assert house.receiver.deliveries == []


async def test_a_hook_that_the_policies_do_not_name_any_more_is_not_told(house):
    request = await house.merged()
    await house.enact(hooks=())
    await house.run()
    delivery = await house.delivery(request)
    assert delivery.state == "failed"
    assert delivery.receipts[-1].said == "The policies do not name this hook any more."
    assert house.receiver.deliveries == []
    assert await house.next_in_ms() is None


# -- only the newest --------------------------------------------------------------------------------------------------


async def test_only_the_newest_version_is_told_and_the_older_ones_are_overtaken(house):
    requests = [await house.merged(A=str(number)) for number in range(3)]
    await house.run()
    (told,) = house.receiver.deliveries
    assert json.loads(told.body)["data"]["environment_version"] == 4
    assert [(await house.delivery(each)).state for each in requests] == ["overtaken", "overtaken", "delivered"]
    assert (await house.corridor.events()).count("hook.overtaken") == 2


async def test_a_newer_version_does_not_wait_for_the_pause_of_an_older_one(house):
    old = await house.merged()
    house.receiver.answer("api", 500, times=3)
    await house.run()
    house.corridor.skew_ms += DELAYS_MS[1]
    await house.run()
    assert await house.next_in_ms() == DELAYS_MS[2]
    new = await house.merged(A="newer")
    house.receiver.answer("api", 204)
    await house.run()
    assert (await house.delivery(old)).state == "overtaken"
    assert (await house.delivery(new)).attempts == 1
    assert await house.next_in_ms() == DELAYS_MS[1]  # its own first pause
    assert [json.loads(each.body)["data"]["environment_version"] for each in house.receiver.deliveries] == [2, 2, 3]


async def test_what_is_reported_by_two_at_once_is_reported_once_and_tried_again(house):
    request = await house.merged()
    before = await house.delivery(request)
    told = before.model_copy(update={"attempts": 1, "next_ms": house.corridor.now_ms + 5_000})
    other = before.model_copy(update={"attempts": 1, "state": "delivered"})
    environment = await house.environment()
    report = house.deliveries.report
    assert await report(environment.id, before, told, now_ms=house.corridor.now_ms)
    assert not await report(environment.id, before, other, now_ms=house.corridor.now_ms)
    assert await house.delivery(request) == told


@pytest.mark.parametrize(("status", "left"), [(204, []), (500, ["redeploy"])])
async def test_the_receipt_ends_the_claim_in_the_same_commit(house, status, left, monkeypatch):
    async def dies(*_: Any, **__: Any) -> None:
        raise AssertionError("It was settled apart.")

    monkeypatch.setattr(house.corridor.outbox, "settle", dies)
    await house.merged()
    house.receiver.answer("api", status)
    await house.run()
    lane = await house.corridor.redis.zrange(house.corridor.keys.lane("hook"), 0, -1)
    assert [member.decode().partition(":")[0] for member in lane] == left
    assert await house.next_in_ms() == (DELAYS_MS[1] if left else None)
    assert (
        measured(house.metrics, "effects_total", lane="hook", effect="Redeploy", outcome="again" if left else "done")
        == 1
    )


async def test_who_has_lost_the_claim_keeps_the_receipt_and_leaves_the_claim_to_the_other(house):
    request = await house.merged()
    before, environment = await house.delivery(request), await house.environment()
    (lost,) = await house.corridor.outbox.claim("hook", most=1, lease_ms=1)
    house.corridor.skew_ms += 1
    (held,) = await house.corridor.outbox.claim("hook", most=1, lease_ms=60_000)
    told = before.model_copy(update={"attempts": 1, "state": "delivered"})
    assert await house.deliveries.report(environment.id, before, told, now_ms=house.corridor.now_ms, claimed=lost)
    assert await house.delivery(request) == told
    assert await house.corridor.outbox.depth("hook") == 1
    assert await house.corridor.outbox.settle(held) == "done"


async def test_what_is_read_together_is_each_one_s_own_and_one_who_gives_up_leaves_the_others_theirs(house):
    first, second = await house.merged(A="1"), await house.merged(B="2")
    errand = house.deliveries.errand
    given_up, *asked = (
        asyncio.ensure_future(errand(request, "api", "payments/prod"))
        for request in (first.id, first.id, second.id, "REQVEST099")
    )
    before = house.corridor.scripts.round_trips
    await asyncio.sleep(0)  # all have asked
    given_up.cancel()
    _, late = await asyncio.wait(asked, timeout=5)
    assert not late
    found = [each.result() for each in asked]
    assert [each and each.request.id for each in found] == [first.id, second.id, None]
    assert house.corridor.scripts.round_trips - before <= 2  # the script is sent with the first one
    assert given_up.cancelled()


# -- receipts ---------------------------------------------------------------------------------------------------------


async def test_the_newest_twenty_receipts_are_kept(house):
    request = await house.merged()
    delivery = await house.delivery(request)
    old = tuple(Receipt(at_ms=number, status=500) for number in range(RECEIPTS))
    key = house.corridor.keys.delivery(request.id, "api")
    await house.corridor.redis.hset(key, "body", delivery.model_copy(update={"receipts": old}).to_json())
    house.receiver.answer("api", 502)
    await house.run()
    kept: Any = (await house.delivery(request)).receipts
    assert RECEIPTS == 20
    assert len(kept) == RECEIPTS
    assert [receipt.at_ms for receipt in kept[:-1]] == list(range(1, RECEIPTS))
    assert kept[-1].status == 502
