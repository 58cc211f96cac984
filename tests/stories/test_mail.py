"""Mail, and the other routes under notify: who must hear of it hears of it, and one that is dead holds no other up."""

import asyncio
import html
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from playground import seed
from playground.house import House
from scheduler.relay import AT_ONCE
from store.model.effect import Post
from store.model.policy import HOUR, MINUTE
from tests.postbox import USER, Authority, Postbox, postbox
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import again, asks, audited, own_card, press, request_of, says
from tests.stories.test_break_glass import WHY, WORDS, smash
from tests.stories.test_change import VALUE, change

SOFT = ("enforcement: soft", "bypassers: {users: [omar@example.com]}")
APPROVERS = ["ben@example.com", "ines@example.com"]

OpenBox = Callable[..., Awaitable[Postbox]]


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Postbox]:
    """A server that asks for TLS and for a password, as people have them."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with AsyncExitStack() as stack:
        box = await stack.enter_async_context(postbox(tls=authority.context, users={USER: "kanarienvogel-smtp"}))
        stack.push_async_callback(box.stop)
        yield box


async def mailing(open_house: OpenHouse, box: Postbox, *more: str) -> House:
    return await open_house(policies=rules.policies(rules.opening(*SOFT, *more)), environ=box.environ())


async def test_every_approver_is_mailed_when_the_glass_is_broken(open_house: OpenHouse, box: Postbox) -> None:
    house = await mailing(open_house, box)
    asked = await asks(house, seed.ROSA, WORDS)
    await smash(house, asked)
    await box.arrived(2)
    assert box.to() == APPROVERS
    assert box.encrypted == [True, True]
    for letter in box.letters:
        assert letter["Subject"] == "Glass broken: open payments/prod"
        for part in [part.get_content() for part in letter.iter_parts()]:
            assert (
                "omar (omar@example.com) let the request of rosa (rosa@example.com) to open payments/prod for 1 h"
                in part
            )
            assert WHY in part
            assert request_of(asked) in part
    assert len({letter["Message-ID"] for letter in box.letters}) == 2
    await house.advance(HOUR)
    await house.app.relay.settled()
    assert len(box.letters) == 2
    assert house.workspace.troubles == []


async def test_a_server_that_is_down_for_an_hour_delays_mail_and_nothing_else(
    open_house: OpenHouse, box: Postbox
) -> None:
    await box.stop()
    house = await mailing(open_house, box)
    asked = await asks(house, seed.ROSA, WORDS)
    await smash(house, asked)
    await says(house, asked, "glass broken")
    for user in (seed.BEN, seed.INES, seed.ANA, seed.ROSA):
        await own_card(house, user, "*The glass was broken:*", WHY)
    for _ in range(12):
        await house.advance(5 * MINUTE)
    await press(house, seed.BEN, again(house, asked), "countersign")
    await says(house, asked, "Countersigned by <@U0BEN>")
    await house.app.relay.settled()
    assert box.letters == []
    await box.start()
    for _ in range(3):
        await house.advance(5 * MINUTE)
    await box.arrived(2)
    await house.app.relay.settled()
    assert box.to() == APPROVERS
    assert len({letter["Message-ID"] for letter in box.letters}) == 2
    assert house.workspace.troubles == []


async def test_slack_does_not_wait_for_a_server_that_takes_every_call_and_says_nothing(open_house: OpenHouse) -> None:
    held: list[asyncio.StreamWriter] = []
    deaf = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = deaf.sockets[0].getsockname()[1]
    many = ", ".join(f"a{number}@example.com" for number in range(AT_ONCE + 8))
    environ = {"COUNTERSIGN_SMTP": f"smtp://127.0.0.1:{port}", "COUNTERSIGN_SMTP_FROM": "countersign@example.com"}
    soft = rules.policies(rules.opening(*SOFT, f"notify: {{email: [{many}]}}"))
    house = await open_house(policies=soft, environ=environ)
    asked = await asks(house, seed.ROSA, WORDS)
    await smash(house, asked)
    await house.workspace.wait_for(lambda: len(held) == AT_ONCE)
    for user in (seed.BEN, seed.INES, seed.ANA, seed.ROSA):
        await own_card(house, user, "*The glass was broken:*", WHY)
    await press(house, seed.BEN, again(house, asked), "countersign")
    await says(house, asked, "Countersigned by <@U0BEN>")
    assert len(held) == AT_ONCE  # all of them are still listened to, and no other was begun
    deaf.close()
    for writer in held:
        writer.close()


async def test_who_has_no_address_is_skipped_for_all_to_see(open_house: OpenHouse, box: Postbox) -> None:
    house = await mailing(open_house, box)
    house.workspace.rename(seed.INES, email="ines@example.com\nBcc: eve@example.com")
    asked = await asks(house, seed.ROSA, WORDS)
    await smash(house, asked)
    await box.arrived(1)
    await house.app.relay.settled()
    entry = await audited(house, "mail.skipped", "relay")
    assert (entry["to"], entry["why"]) == (seed.INES, "Slack tells no address of theirs that mail can be sent to")
    assert box.to() == ["ben@example.com"]
    await own_card(house, seed.INES, "*The glass was broken:*")


async def test_what_the_rule_names_hears_of_every_decision(open_house: OpenHouse, box: Postbox) -> None:
    routes = "notify: {channels: [C0GENERAL], email: [security@example.com, ben@example.com]}"
    house = await mailing(open_house, box, routes)
    asked = await asks(house, seed.ROSA, WORDS)
    await press(house, seed.BEN, asked, "approve")
    await box.arrived(2)
    assert box.to() == ["ben@example.com", "security@example.com"]
    assert {letter["Subject"] for letter in box.letters} == {"Approved: open payments/prod"}

    def posted() -> list[str]:
        return [message.text for message in house.workspace.messages(seed.GENERAL)]

    await house.workspace.wait_for(lambda: len(posted()) == 1)
    assert posted()[0].startswith("*Approved:* the request of <@U0ROSA>")

    second = await asks(house, seed.OMAR, WORDS)
    await smash(house, second)
    await box.arrived(5)
    await house.app.relay.settled()
    broken = [to for letter, (_, [to]) in zip(box.letters, box.envelopes, strict=True) if "broken" in letter["Subject"]]
    assert sorted(broken) == [*APPROVERS, "security@example.com"]  # Ben once, though he is named twice
    await house.workspace.wait_for(lambda: len(posted()) == 2)
    assert "The glass was broken" in posted()[1]
    assert all(block["type"] != "actions" for each in house.workspace.messages(seed.GENERAL) for block in each.blocks)


async def test_a_value_is_in_no_mail(open_house: OpenHouse, box: Postbox) -> None:
    changing = (
        "name: change production, targets: [payments/prod], actions: [change], requesters: {groups: [payments-dev]}"
    )
    routes = "notify: {email: [security@example.com]}"
    soft = rules.policies(", ".join([changing, rules.ONE_LEAD, *SOFT, routes]))
    house = await open_house(policies=soft, environ=box.environ())
    for way in ("approve", "break"):
        asked = await change(house, lines=f"API_KEY={VALUE}", reason=way)
        await (smash(house, asked) if way == "break" else press(house, seed.BEN, asked, "approve"))
    await box.arrived(4)
    assert sorted(letter["Subject"] for letter in box.letters) == [
        "Approved: change payments/prod",
        *["Glass broken: change payments/prod"] * 3,
    ]
    for letter in box.letters:
        for part in letter.iter_parts():
            assert "payments/prod" in part.get_content()
            assert VALUE not in html.unescape(part.get_content())


async def test_an_address_that_is_refused_is_told_to_the_owners_once(open_house: OpenHouse, box: Postbox) -> None:
    house = await mailing(open_house, box, "notify: {email: [gone@example.com]}")
    box.rcpt.append("550 no such mailbox")
    asked = await asks(house, seed.ROSA, WORDS)
    await press(house, seed.BEN, asked, "deny")
    await house.workspace.submit(seed.BEN, house.workspace.modal(seed.BEN).id, {"reason": {"reason": "Not now"}})
    told = await own_card(house, seed.ANA, "*Not everybody was told:*", "gone@example.com", "550")
    entry = await audited(house, "notice.undelivered", "relay")
    assert (entry["route"], entry["to"]) == ("mail", "gone@example.com")
    await house.advance(HOUR)
    await house.app.relay.settled()
    assert box.letters == []
    told_again = [message for message in house.workspace.dm(seed.ANA) if message.text == told.text]
    assert len(told_again) == 1
    assert not any("Not everybody" in message.text for message in house.workspace.dm(seed.BEN))


async def test_a_channel_that_is_closed_to_us_is_told_to_the_owners_once(open_house: OpenHouse) -> None:
    house = await open_house(policies=rules.policies(rules.opening("notify: {channels: [C0GENERAL]}")))
    house.workspace.archive(seed.GENERAL)
    asked = await asks(house, seed.ROSA, WORDS)
    await press(house, seed.BEN, asked, "approve")
    await own_card(house, seed.ANA, "*Not everybody was told:*", "C0GENERAL", "is_archived")
    assert (await audited(house, "notice.undelivered", "relay"))["route"] == "channel"
    await own_card(house, seed.ROSA, "*Approved:*")
    await house.advance(HOUR)
    await house.app.relay.settled()
    told = [message for message in house.workspace.dm(seed.ANA) if "Not everybody" in message.text]
    assert len(told) == 1


async def test_a_channel_that_no_rule_names_any_more_hears_nothing(house: House) -> None:
    asked = await asks(house, seed.ROSA, WORDS)
    notice = Post(request=request_of(asked), news="denied", at_ms=house.now_ms(), by=(seed.BEN,), channel=seed.GENERAL)
    outbox = house.app.relay._outbox
    await outbox.put([notice], command_id="test")
    await house.app.relay.tick("slack")
    await house.app.relay.settled()
    assert await house.app.redis.zscore(house.app.audit._keys.lane("slack"), notice.key) is None
    assert house.workspace.messages(seed.GENERAL) == []
