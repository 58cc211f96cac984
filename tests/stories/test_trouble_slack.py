"""Slack asks us to wait, breaks, hangs, hears nothing, loses a channel or a message: no card is lost, and what ends, ends."""

import asyncio
from typing import Final

import pytest

from playground import seed
from playground.house import House
from playground.slack.records import Call, Message
from playground.slack.sight import actions_of, text_of
from store.model.command import Withdraw
from store.model.policy import MINUTE
from tests.stories.faults import heard, struck
from tests.stories.people import again, ask, card, own_card, press, request_of, says

OPEN: Final = "open payments/prod for 15m because INC-7"
JOIN: Final = "access role:database-admin for 15m because INC-7"


@pytest.fixture(autouse=True)
def quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for in seconds here takes a minute in production."""
    monkeypatch.setattr("bot.slack.sockets.PING_S", 0.3)
    monkeypatch.setattr("bot.app.SLACK_AGAIN_S", 0.1)
    monkeypatch.setattr("bot.slack.wire.TIMEOUT_S", 1)


@pytest.fixture
async def house(house: House) -> House:
    """With nothing left to be told of the first secrets, so that a fault strikes what the story is about."""
    await nothing_left(house)
    return house


async def nothing_left(house: House) -> None:
    async with asyncio.timeout(5):
        while any([await house.app.relay._outbox.depth(lane) for lane in house.app.relay.lanes]):
            await asyncio.sleep(0.01)  # a settled effect tells nobody


async def asked(house: House, words: str = OPEN) -> Message:
    assert (await ask(house, seed.ROSA, words)).ok
    return await card(house, "Waiting for approval", words.split()[1], words.partition("because ")[2])


async def active(house: House, words: str = OPEN) -> Message:
    """The approvers' card of something that Rosa holds."""
    waiting = await asked(house, words)
    await press(house, seed.BEN, waiting, "approve")
    mine = await own_card(house, seed.ROSA, request_of(waiting), button="activate")
    await press(house, seed.ROSA, mine, "activate")
    return await says(house, waiting, "Active")


def calls(house: House, method: str, *words: str) -> list[Call]:
    return [call for call in house.workspace.calls if call.method == method and all(w in str(call.args) for w in words)]


def copies(house: House, request: str, where: str = seed.APPROVALS) -> list[Message]:
    found = [message for message in house.workspace.messages(where) if message.to is None]
    return [message for message in found if f"Request `{request}`" in text_of(message)]


# -- it asks us to wait, breaks, hangs -----------------------------------------------------------------------------------


async def test_a_card_that_is_rate_limited_waits_as_long_as_it_is_told(house: House) -> None:
    house.workspace.faults.rate_limit("chat.postMessage", times=1, retry_after=30)
    assert (await ask(house, seed.ROSA, OPEN)).ok
    await house.workspace.wait_for(lambda: [call for call in house.workspace.calls if call.status == 429])
    tried = len(calls(house, "chat.postMessage", "INC-7"))
    await house.advance(28_000)
    await house.app.relay.settled()
    assert len(calls(house, "chat.postMessage", "INC-7")) == tried
    await house.advance(2_000)
    waiting = await card(house, "Waiting for approval", "INC-7")
    await press(house, seed.BEN, waiting, "approve")
    await says(house, waiting, "Approved by <@U0BEN>")
    assert len(copies(house, request_of(waiting))) == 1


@pytest.mark.parametrize("method", ["chat.update", "chat.postMessage"])
async def test_news_and_cards_come_after_a_429_once(house: House, method: str) -> None:
    waiting = await asked(house)
    house.workspace.faults.rate_limit(method, times=1, retry_after=30)
    await press(house, seed.BEN, waiting, "approve")
    await house.workspace.wait_for(lambda: [call for call in house.workspace.calls if call.status == 429])
    await house.advance(31_000)
    await says(house, waiting, "Approved by <@U0BEN>")
    await own_card(house, seed.ROSA, request_of(waiting), "What next", button="activate")
    await own_card(house, seed.ROSA, "*Approved:*")
    assert len([message for message in house.workspace.dm(seed.ROSA) if "*Approved:*" in text_of(message)]) == 1
    assert [call.status for call in house.workspace.calls].count(429) == 1


@pytest.mark.parametrize("status", [500, 503])
async def test_a_broken_slack_is_asked_again(house: House, status: int) -> None:
    waiting = await asked(house)
    heard(house)
    house.workspace.faults.status("chat.update", status, times=3)
    house.workspace.faults.status("chat.postMessage", status, times=3)
    await press(house, seed.BEN, waiting, "approve")
    while house.workspace.faults.waiting:
        left = len(house.workspace.faults.struck)
        await house.advance(MINUTE)
        await struck(house, more_than=left)
    await house.app.relay.settled()
    await house.advance(MINUTE)
    await says(house, waiting, "Approved by <@U0BEN>")
    await own_card(house, seed.ROSA, "*Approved:*")


async def test_a_card_whose_post_was_not_confirmed_is_kept_true_once_somebody_acts_on_it(house: House) -> None:
    """Posted, and the answer was lost: there are several now, and we know of one."""
    house.workspace.faults.reset("chat.postMessage", after_effect=True)
    await asked(house)

    def several() -> list[Message]:
        found = [message for message in house.workspace.messages(seed.APPROVALS) if "INC-7" in text_of(message)]
        return found if len(found) > 1 else []

    both = await house.workspace.wait_for(several)
    await press(house, seed.BEN, both[0], "approve")
    for each in both:
        await says(house, each, "Approved by <@U0BEN>")
    # Where the channel closes, both stay as they are, and hold up nobody else's.
    house.workspace.archive(seed.APPROVALS)
    mine = await own_card(house, seed.ROSA, "What next", "INC-7", button="withdraw")
    await press(house, seed.ROSA, mine, "withdraw")
    await says(house, mine, "Withdrawn")
    await own_card(house, seed.INES, "INC-7", "Withdrawn")


async def test_a_slack_that_hangs_holds_up_one_card_and_no_other(house: House) -> None:
    waiting = await asked(house)
    heard(house)
    house.workspace.faults.hang("chat.update", times=1_000)
    await press(house, seed.BEN, waiting, "approve")
    await struck(house)
    await asked(house, "open payments/staging for 1h because INC-8")
    assert "Waiting for approval" in text_of(again(house, waiting))
    house.workspace.faults.clear()
    await house.advance(MINUTE)
    await says(house, waiting, "Approved by <@U0BEN>")


# -- it does not hear us, or we do not hear it ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "disconnect", "disconnect while Slack breaks"])
async def test_a_socket_that_goes_is_replaced_and_clicks_arrive(house: House, how: str) -> None:
    waiting = await asked(house)
    [old] = house.workspace.sockets.connected
    if "breaks" in how:
        house.workspace.faults.status("apps.connections.open", 503, times=2)
    if how != "drop":
        await house.workspace.sockets.disconnect("refresh_requested")
    if how != "disconnect":
        await house.workspace.sockets.drop()
    await house.workspace.wait_for(
        lambda: [each for each in house.workspace.sockets.connected if each is not old and not each.ws.closed]
    )
    assert (await press(house, seed.BEN, waiting, "approve")).acked
    await says(house, waiting, "Approved by <@U0BEN>")


@pytest.mark.seeded
@pytest.mark.parametrize(
    "fault", ["hang", *(pytest.param(fault, marks=pytest.mark.slow) for fault in ("503", "429", "reset"))]
)
async def test_without_slack_a_process_starts_takes_back_what_is_over_and_meets_slack_later(
    house: House, fault: str
) -> None:
    shown = await active(house, JOIN)
    await house.apps.pop().stop()
    await house.advance(15 * MINUTE)
    faults = house.workspace.faults
    {
        "503": lambda: faults.status("*", 503, times=10_000),
        "hang": lambda: faults.hang("*", times=10_000),
        "429": lambda: faults.rate_limit("*", times=10_000, retry_after=1),
        "reset": lambda: faults.reset("*", times=10_000),
    }[fault]()
    await house.move_in()
    await house.workspace.wait_for(lambda: house.directory.members(seed.ROLE_GROUP) == [])
    assert not house.workspace.bot_connected
    assert "Active" in text_of(again(house, shown))
    faults.clear()
    await house.workspace.wait_for(lambda: house.workspace.bot_connected, timeout=10)
    await house.advance(MINUTE)
    await says(house, shown, "Ended by itself")
    await press(house, seed.BEN, await asked(house), "approve")


# -- it loses things -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["archived", "bot removed"])
async def test_where_the_channel_is_closed_the_card_goes_to_those_who_decide(house: House, loss: str) -> None:
    before = await asked(house)
    (house.workspace.archive if loss == "archived" else house.workspace.remove_bot)(seed.APPROVALS)
    await ask(house, seed.ROSA, "open payments/staging for 1h because INC-8")
    copy = await own_card(house, seed.INES, "INC-8", button="approve")
    await press(house, seed.INES, copy, "approve")
    await says(house, copy, "Approved by <@U0INES>")
    await own_card(house, seed.BEN, "INC-8", "Approved by <@U0INES>")
    await own_card(house, seed.ROSA, "INC-8", button="activate")
    # What hung in the channel is decided in Home or in a message from now on.
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, request_of(before), button="withdraw"), "withdraw")
    await own_card(house, seed.BEN, request_of(before), "Withdrawn")
    await own_card(house, seed.ROSA, request_of(before), "Withdrawn")


async def test_cards_in_messages_stay_true_when_the_channel_is_open_again(house: House) -> None:
    house.workspace.remove_bot(seed.APPROVALS)
    await ask(house, seed.ROSA, OPEN)
    copy = await own_card(house, seed.INES, "INC-7", button="approve")
    house.workspace.add_bot(seed.APPROVALS)
    await press(house, seed.BEN, await own_card(house, seed.BEN, "INC-7", button="approve"), "approve")
    await card(house, "Approved by <@U0BEN>", "INC-7")
    assert "approve" not in actions_of(await says(house, copy, "Approved by <@U0BEN>"))


async def test_a_message_that_was_deleted_is_posted_anew(house: House) -> None:
    waiting = await asked(house)
    request = request_of(waiting)
    mine = await own_card(house, seed.ROSA, request, button="withdraw")
    house.workspace.delete_message(waiting.channel, waiting.ts)
    house.workspace.delete_message(mine.channel, mine.ts)
    await house.app.requests.apply(request, Withdraw(id="elsewhere", actor=seed.ROSA))
    house.app.clock.nudge()
    assert (await card(house, "Withdrawn", request)).ts != waiting.ts
    assert (await own_card(house, seed.ROSA, request, "Withdrawn")).ts != mine.ts


async def test_somebody_who_cannot_be_reached_holds_nobody_up(house: House) -> None:
    waiting = await asked(house)
    house.workspace.set_kind(seed.ROSA, "deactivated")
    await press(house, seed.BEN, waiting, "approve")
    await says(house, waiting, "Approved by <@U0BEN>")
    await nothing_left(house)
