"""Deploys: asked for, approved, started, reported on, cancelled, and what they wait for. What its receiver says arrives by the corridor."""

import asyncio
from typing import Any, Final

import pytest

from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.command import Report
from store.model.errors import Conflict
from store.model.policy import MINUTE
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    asks,
    command,
    form,
    home,
    late,
    modal,
    own_card,
    page,
    press,
    request_of,
    says,
    seen,
)
from tests.stories.test_change import change, delivered, thread_says

API: Final = "payments/prod#api"
TARGET: Final = (
    "payments/prod: {channel: C0APPROVALS, values_in_slack: enter_and_show, "
    'hooks: [{name: api, url: "https://deploy.example.com/api", on: [deploy]}, '
    '{name: web, url: "https://deploy.example.com/web", on: [deploy]}]}'
)


def policies(*more: str) -> str:
    """Its hook leads nowhere: what the receiver says is told by the story."""
    usual = ["name: deploy production", "targets: [payments/prod]", "actions: [deploy]", rules.DEVELOPERS]
    return rules.policies(", ".join([*usual, rules.ONE_LEAD, *more]), targets=(TARGET,))


async def wants(house: House, version: str = "v1.2.3", *, target: str = API, user: str = seed.ROSA) -> Message:
    return await asks(house, user, f"deploy {target} {version} because INC-7")


async def reports(house: House, deploy: Message, outcome: Any, **said: str) -> None:
    """As its receiver."""
    told = f"{outcome}:{':'.join(said.values())}"
    command = Report(id=f"report:{request_of(deploy)}:{told}", actor="relay", outcome=outcome, **said)
    await house.app.requests.apply(request_of(deploy), command)
    house.app.clock.nudge()


async def cancel(house: House, user: str, deploy: Message, reason: str) -> None:
    await press(house, user, deploy, "cancel")
    sent = await house.workspace.submit(user, modal(house, user).id, {"reason": {"reason": reason}})
    assert sent.ok, sent.errors


async def events(house: House, deploy: Message) -> list[str]:
    entries = [entry for _, entry in await house.app.audit.newest(most=200)]
    return [entry.event for entry in reversed(entries) if entry.request == request_of(deploy)]


@pytest.mark.seeded
async def test_asked_approved_and_deployed_reported_and_done(any_house: House) -> None:
    house = any_house
    await delivered(house, 2)  # the first secrets
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request deploy {API} v1.2.3 9f2c41d")
    filled = await form(house, seed.ROSA, "Who is asked", "approvers and owners may start it")
    assert "Waiting" not in text_of(filled)
    sent = await house.workspace.submit(seed.ROSA, filled.id, {"reason": {"reason": "INC-7"}})
    assert sent.ok, sent.errors
    asked = (await house.workspace.wait_for(lambda: _cards(house, "deploy v1.2.3")))[0]
    assert ("`v1.2.3`" in text_of(asked), "`9f2c41d`" in text_of(asked)) == (True, True)
    assert actions_of(asked) == ["approve", "approve_and_deploy", "deny", "break_glass", "more"]

    did = await after(house, seed.BEN, press(house, seed.BEN, asked, "approve_and_deploy"))
    assert did == "Started. The card shows how it goes."
    await says(house, asked, "Deploying · deploy v1.2.3", "Approved by <@U0BEN>", "Started by <@U0BEN>")
    await own_card(house, seed.ROSA, "*Deploying:* your request to deploy `v1.2.3` to `payments/prod#api`")
    await thread_says(house, asked, "deploy of payments/prod#api", "delivered in")
    [fired] = [one for one in house.hooks.deliveries if one.event == "deploy"]
    assert fired.verified

    await reports(house, asked, "running", stage="Rolling out", log="https://ci.example.com/7")
    await thread_says(house, asked, "Deploying", "Rolling out", "https://ci.example.com/7")
    await reports(house, asked, "succeeded", stage="Rolled out", said="6 of 6 are healthy.")
    card = await says(house, asked, "Deployed · deploy v1.2.3", "6 of 6 are healthy.")
    assert actions_of(card) == []
    await thread_says(house, asked, "Deployed", "Rolled out", "6 of 6 are healthy.")
    await own_card(house, seed.ROSA, "*Deployed:* your request", "6 of 6 are healthy.")
    assert await events(house, asked) == [
        "request.submitted", "review.approved", "request.approved", "deploy.started", "hook.delivered",
        "deploy.reported", "deploy.succeeded",
    ]  # fmt: skip
    with pytest.raises(Conflict, match="was deployed already"):
        await reports(house, asked, "failed")


def _cards(house: House, *words: str) -> list[Message]:
    every = house.workspace.messages(seed.APPROVALS)
    return [
        one for one in every if one.thread_ts is None and one.to is None and all(word in text_of(one) for word in words)
    ]


async def test_what_was_approved_waits_for_who_deploys_and_they_are_told(open_house: OpenHouse) -> None:
    house = await open_house(policies=policies("deployers: {users: [ana@example.com]}", "wait: 10m"))
    asked = await wants(house)
    did = await after(house, seed.BEN, press(house, seed.BEN, asked, "approve_and_deploy"))
    assert did == "Approved. Somebody who may deploy starts it."
    await says(house, asked, "Approved, not deployed yet", "Its rule lets it start from ")
    mine = await own_card(house, seed.ANA, "*Approved:* the request of <@U0ROSA>", button="deploy")
    assert "does not name you" in await after(house, seed.BEN, press(house, seed.BEN, again(house, asked), "deploy"))
    await press(house, seed.ANA, mine, "deploy")
    await own_card(
        house, seed.ANA, "The rule “deploy production” waits for 10 min after the approval: 10 min are left."
    )
    await home(house, seed.ANA, "Waiting for you", "Approved: it waits for a Deploy")
    assert "deploy `v1.2.3`" in await command(house, seed.ANA, "pending")
    assert "Nothing waits for your decision." in await command(house, seed.INES, "pending")
    await house.advance(10 * MINUTE)
    await house.workspace.home_action(seed.ANA, "deploy")
    await says(house, asked, "Deploying", "Started by <@U0ANA>")
    await home(house, seed.ANA, "Your requests", "Deploying", "asked by <@U0ROSA>")
    await house.workspace.wait_for(lambda: "deploy" not in actions_of(again(house, mine)))
    assert house.workspace.troubles == []


async def test_nothing_starts_in_a_freeze_but_by_a_broken_glass(open_house: OpenHouse) -> None:
    freeze = "freeze: [{from: 2020-01-01T00:00Z, until: 2099-01-01T00:00Z, name: end of the year}]"
    soft = ("enforcement: soft", "bypassers: {users: [omar@example.com]}")
    house = await open_house(policies=policies(freeze, *soft))
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request deploy {API} v1.2.3 because INC-7")
    filled = await form(house, seed.ROSA, "Frozen until", "end of the year")
    await house.workspace.submit(seed.ROSA, filled.id)
    asked = (await house.workspace.wait_for(lambda: _cards(house, "Waiting for approval", "Deploys are frozen until")))[
        0
    ]
    did = await after(house, seed.BEN, press(house, seed.BEN, asked, "approve_and_deploy"))
    assert did.startswith("Approved, and not started yet. Deploys of payments/prod#api are frozen (end of the year)")
    await says(house, asked, "Approved, not deployed yet")
    refused = await after(house, seed.BEN, press(house, seed.BEN, again(house, asked), "deploy"))
    assert "frozen (end of the year)" in refused
    urgent = await wants(house, "v1.2.4")
    await press(house, seed.OMAR, urgent, "break_glass")
    await house.workspace.submit(seed.OMAR, modal(house, seed.OMAR).id, {"reason": {"reason": "fire"}})
    await says(house, urgent, "glass broken")
    await press(house, seed.OMAR, again(house, urgent), "deploy")
    await says(house, urgent, "Deploying", "Started by <@U0OMAR>")
    await says(house, asked, "Superseded", "A deploy that was asked for later was started instead")
    assert house.workspace.troubles == []


async def test_a_newer_one_that_starts_supersedes_the_older_ones_for_all_to_see(house: House) -> None:
    older, waiting = await wants(house, "v1"), await wants(house, "v2")
    newer, before = await wants(house, "v3"), seen(waiting)
    await press(house, seed.BEN, older, "approve")
    await says(house, older, "Approved, not deployed yet")
    await press(house, seed.BEN, newer, "approve_and_deploy")
    for passed in (older, waiting):
        card = await says(house, passed, "Superseded · deploy v", f"{request_of(newer)} was started.")
        assert actions_of(card) == []
    await own_card(house, seed.ROSA, "*Superseded:* your request to deploy `v1`")
    too_late = await after(house, seed.INES, late(house, seed.INES, before, "approve"))
    assert too_late == "Another deploy that was asked for later was started instead."


async def test_two_who_press_deploy_at_once_start_one(open_house: OpenHouse) -> None:
    house = await open_house(processes=2, policies=policies())
    asked, other = await wants(house, "v1"), await wants(house, "v2", target="payments/prod")
    for each in (asked, other):
        await press(house, seed.BEN, each, "approve")
        await says(house, each, "Approved, not deployed yet")
    seen_by = {user: [seen(again(house, each)) for each in (asked, other)] for user in (seed.BEN, seed.INES)}
    clicks = [late(house, user, shown, "deploy") for user, both in seen_by.items() for shown in both]
    await house.workspace.concurrently(*clicks)

    def started() -> list[Message]:
        return [each for each in (asked, other) if "Deploying" in text_of(again(house, each))]

    await house.workspace.wait_for(started)
    await asyncio.gather(*(app.relay.settled() for app in house.apps))
    states = [(await house.app.requests.get(request_of(each))).request.state for each in (asked, other)]
    assert sorted(states) == ["approved", "running"]
    assert house.workspace.troubles == []


async def test_it_is_cancelled_while_it_runs_by_who_asked_with_a_reason(house: House) -> None:
    asked = await wants(house)
    await press(house, seed.BEN, asked, "approve_and_deploy")
    await says(house, asked, "Deploying")
    assert "Only the person who asked, an approver, a deployer or an owner" in await _refused(house, seed.OMAR, asked)
    await cancel(house, seed.ROSA, again(house, asked), "The build is red.")
    await says(house, asked, "Cancelled by <@U0ROSA>", "The build is red.", "it must stop by itself")
    with pytest.raises(Conflict, match="cancelled"):
        await reports(house, asked, "succeeded")
    following = await wants(house, "v2")
    await press(house, seed.BEN, following, "approve_and_deploy")
    await says(house, following, "Deploying")
    answer = await command(house, seed.INES, f"cancel {request_of(following)} because another is meant")
    assert answer.startswith("Cancelled. What the receiver has begun, it must stop by itself.")
    await says(house, following, "Cancelled by <@U0INES>", "another is meant")


async def _refused(house: House, user: str, deploy: Message) -> str:
    await press(house, user, again(house, deploy), "cancel")
    sent = await house.workspace.submit(user, modal(house, user).id, {"reason": {"reason": "no"}})
    assert sent.ok
    return text_of(modal(house, user))


async def test_without_a_report_in_time_it_has_failed_and_the_owners_see_it(house: House) -> None:
    asked = await wants(house)
    await press(house, seed.BEN, asked, "approve_and_deploy")
    await says(house, asked, "Deploying")
    await house.advance(30 * MINUTE)
    await says(house, asked, "Failed", "No report came in time, so nobody knows how it went")
    await own_card(house, seed.ROSA, "*Failed:* your request to deploy")
    await page(house, seed.ANA, "health", f"payments/prod#api, deploy {request_of(asked)}, ended without a report")
    following = await wants(house, "v2")
    await press(house, seed.BEN, following, "approve_and_deploy")
    await says(house, following, "Deploying")


async def test_back_to_the_last_that_succeeded(house: House) -> None:
    good = await wants(house, "v1")
    await press(house, seed.BEN, good, "approve_and_deploy")
    await says(house, good, "Deploying")
    await reports(house, good, "succeeded")
    await says(house, good, "Deployed")
    bad = await wants(house, "v2")
    await press(house, seed.BEN, bad, "approve_and_deploy")
    await says(house, bad, "Deploying")
    await reports(house, bad, "failed", said="It crashes.")
    card = await says(house, bad, "Failed", "The last that succeeded there: `v1`")
    await press(house, seed.ROSA, card, "deploy_again")
    filled = await form(house, seed.ROSA, "Who is asked")
    sent = await house.workspace.submit(seed.ROSA, filled.id)
    assert sent.ok, sent.errors
    back = (await house.workspace.wait_for(lambda: _cards(house, "Waiting for approval", "deploy v1")))[-1]
    assert f"Back to v1, instead of request {request_of(bad)}." in text_of(back)
    stopped = await wants(house, "v3")
    await press(house, seed.BEN, stopped, "approve_and_deploy")
    await says(house, stopped, "Deploying")
    await cancel(house, seed.INES, again(house, stopped), "The build is red.")
    card = await says(house, stopped, "Cancelled", "The last that succeeded there: `v1`")
    assert actions_of(card) == ["deploy_again"]
    await own_card(house, seed.BEN, "*Cancelled:* the request of <@U0ROSA>", "Look whether the receiver has stopped.")


@pytest.mark.seeded
async def test_a_merged_change_is_rolled_back_in_two_taps(house: House) -> None:
    asked = await change(house, lines="DATABASE_URL=postgres://new")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    card = await says(house, asked, "Merged as version 3")
    await press(house, seed.ROSA, card, "roll_back")
    filled = await form(house, seed.ROSA, "Back to version 2", "DATABASE_URL")
    sent = await house.workspace.submit(seed.ROSA, filled.id)
    assert sent.ok, sent.errors
    await house.workspace.wait_for(lambda: _cards(house, "Waiting for approval", "Take it back to version 2"))


@pytest.mark.seeded
async def test_a_hook_that_was_given_up_is_told_again_by_a_button(house: House) -> None:
    await delivered(house, 2)
    house.hooks.answer("api", 410)
    asked = await wants(house)
    await press(house, seed.BEN, asked, "approve_and_deploy")
    card = await says(house, asked, "Deploying", "failed", "was given up")
    assert "retry_hook" in actions_of(card)
    other = await after(house, seed.OMAR, press(house, seed.OMAR, card, "retry_hook"))
    assert other.startswith("Only the person who asked, an approver, a deployer or an owner")
    await press(house, seed.ROSA, card, "retry_hook")
    await says(house, asked, "Deploying", "delivered in")
    deploys = [one for one in house.hooks.deliveries if one.event == "deploy"]
    assert [one.status for one in deploys] == [410, 204]
    assert len({one.id for one in deploys}) == 1


@pytest.mark.seeded
async def test_an_owner_sends_a_test_to_a_hook_and_reads_what_it_says(house: House) -> None:
    await delivered(house, 2)
    await page(house, seed.ANA, "health", "Hooks (")
    house.hooks.answer("api", 503)
    await house.workspace.home_action(seed.ANA, "home_test_hook", value="payments/prod api")
    await own_card(
        house, seed.ANA, "Test of the hook `api` of payments/prod: not taken, status 503", "a fault of its own"
    )
    await house.workspace.home_action(seed.ANA, "home_test_hook", value="payments/prod api")
    await own_card(house, seed.ANA, "Test of the hook `api` of payments/prod: taken, status 204")
    tests = [one for one in house.hooks.deliveries if one.event == "test"]
    assert [(one.status, one.verified) for one in tests] == [(503, True), (204, True)]
    tested = [entry for _, entry in await house.app.audit.newest(most=50) if entry.event == "hook.tested"]
    assert [(entry.actor, entry.target) for entry in tested] == [(seed.ANA, "payments/prod")] * 2


async def test_who_asked_has_left_and_what_waits_goes_with_them(house: House) -> None:
    running, waiting = await wants(house, "v1"), await wants(house, "v2")
    await press(house, seed.BEN, running, "approve_and_deploy")
    await says(house, running, "Deploying")
    house.workspace.set_kind(seed.ROSA, "deactivated")
    await says(house, waiting, "Withdrawn by itself")
    await says(house, running, "Deploying")  # what runs is its receiver's
    await reports(house, running, "succeeded")
    await says(house, running, "Deployed")
