"""Mail, as the relay performs it: to whom, how often, for how long, and what is left when it does not arrive."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from bot.letters import letter
from scheduler.connectors.smtp import MailServer
from scheduler.mail import LONGEST_PAUSE_MS, PATIENCE_MS, Mailing
from scheduler.metrics import Metrics
from scheduler.relay import Relay
from store.model.effect import Mail, MailApprovers
from store.model.policy import Notify, Policy
from store.model.request import Request
from tests.builders import ANA, BEN, BOB, CAT, INSTALLATION, ONCALL, smash, soft
from tests.postbox import Postbox, postbox
from tests.scheduler.measured import measured
from tests.store.redis.corridor import Corridor, command_for

WITHIN_S: Final = 10.0
LISTED: Final = "security@example.com"


class Post:
    """A mail server, the policies, and the relay's lane of mail alone."""

    def __init__(self, corridor: Corridor, metrics: Metrics, box: Postbox) -> None:
        self.corridor = corridor
        self.metrics = metrics
        self.box = box
        for user in (ANA, BOB, CAT, BEN):
            corridor.crowd.changed[user] = {"email": f"{user.lower()}@example.com"}
        self.relay = self.another(box.at())

    def another(self, server: MailServer | None) -> Relay:
        corridor = self.corridor
        mailing = Mailing(
            server, letter, corridor.replica(), corridor.crowd, corridor.outbox, self.metrics, lambda: 1.0, INSTALLATION
        )
        return Relay(corridor.outbox, {Mail: mailing.mail, MailApprovers: mailing.approvers}, self.metrics, lambda: 1.0)

    async def enact(self, **changed: Any) -> None:
        await self.corridor.enact(soft(**changed))

    async def broken(self) -> Request:
        asked = await self.corridor.ask("open")
        return await self.corridor.do(asked, command_for(asked, smash, ONCALL))

    async def run(self, relay: Relay | None = None) -> int:
        """Everything that is due, until nothing more is."""
        took = 0
        async with asyncio.timeout(WITHIN_S):
            while more := await (relay or self.relay).tick("mail"):
                took += more
                await (relay or self.relay).settled()
        return took

    async def next_in_ms(self) -> int | None:
        lane = await self.corridor.redis.zrange(self.corridor.keys.lane("mail"), 0, -1, withscores=True)
        return int(lane[0][1]) - self.corridor.now_ms if lane else None

    async def noted(self, event: str) -> list[dict[str, Any]]:
        return [dict(entry.details) for _, entry in await self.corridor.log.after(0, most=1000) if entry.event == event]

    async def told(self) -> list[str]:
        """What waits to be told in Slack of mail that did not arrive."""
        lane = await self.corridor.redis.zrange(self.corridor.keys.lane("slack"), 0, -1)
        return [name for name in map(str, lane) if "undelivered" in name]


@pytest.fixture
async def post(corridor: Corridor, metrics: Metrics) -> AsyncIterator[Post]:
    async with postbox() as box:
        post = Post(corridor, metrics, box)
        await post.enact()
        yield post
        await post.relay.drain(0)


async def test_every_approver_is_mailed_once_whoever_performs_it(post: Post):
    await post.broken()
    other = post.another(post.box.at())
    await asyncio.gather(post.run(), post.run(other))
    assert post.box.to() == ["uana@example.com", "uben@example.com", "ubob@example.com", "ucat@example.com"]
    assert await post.run() == 0


async def test_who_is_no_approver_any_more_is_not_mailed(post: Post):
    post.corridor.crowd.changed[BOB]["guest"] = True
    post.corridor.crowd.changed[CAT]["active"] = False
    post.corridor.crowd.changed[ANA]["email"] = None
    await post.broken()
    await post.run()
    assert post.box.to() == ["uben@example.com"]
    assert {(each["to"], each["why"]) for each in await post.noted("mail.skipped")} == {
        (ANA, "Slack tells no address of theirs that mail can be sent to"),
        (BOB, "they are a guest in this workspace"),
        (CAT, "they are deactivated in Slack"),
    }


async def test_an_approver_whom_the_rule_mails_anyway_is_mailed_once(post: Post):
    await post.enact(notify=Notify(email=(LISTED, "UBOB@Example.com")))
    await post.broken()
    await post.run()
    assert [to.lower() for to in post.box.to()].count("ubob@example.com") == 1
    assert len(post.box.to()) == 5


async def test_while_slack_does_not_say_who_they_are_it_waits(post: Post):
    post.corridor.crowd.without = {BOB}
    await post.broken()
    await post.run()
    assert "ubob@example.com" not in post.box.to()
    post.corridor.crowd.without = set()
    post.corridor.skew_ms += 60_000
    await post.run()
    assert post.box.to().count("ubob@example.com") == 1
    assert len(post.box.to()) == 4


async def test_without_a_server_it_is_noted_and_over(post: Post):
    await post.enact(notify=Notify(email=(LISTED,)))
    await post.broken()
    await post.run(post.another(None))
    assert {(each["to"], each["why"]) for each in await post.noted("mail.skipped")} == {
        ("approvers", "no mail server is set"),
        (LISTED, "no mail server is set"),
    }
    assert await post.next_in_ms() is None


async def test_where_no_rule_is_left_there_are_no_approvers(post: Post):
    await post.broken()
    await post.corridor.enact(Policy.model_validate({**soft().model_dump(by_alias=True), "targets": ("role:*",)}))
    await post.run()
    assert post.box.letters == []
    assert [each["why"] for each in await post.noted("mail.skipped")] == ["no rule names approvers any more"]


async def test_an_address_that_was_taken_out_of_the_policies_hears_nothing_more(post: Post):
    await post.enact(notify=Notify(email=(LISTED,)))
    await post.corridor.approved("open")
    await post.enact()
    await post.run()
    assert post.box.letters == []
    assert [each["to"] for each in await post.noted("mail.skipped")] == [LISTED]


async def test_each_try_is_the_same_message(post: Post):
    await post.enact(notify=Notify(email=(LISTED,)))
    await post.corridor.approved("open")
    post.box.data += ["drop", "drop"]
    for _ in range(3):
        await post.run()
        post.corridor.skew_ms += await post.next_in_ms() or 0
    assert await post.next_in_ms() is None
    assert len(post.box.raw) == 3  # the server took it twice without being heard
    assert len(set(post.box.raw)) == 1


async def test_it_is_tried_slower_and_slower_for_three_days_and_then_the_owners_are_told(post: Post):
    await post.enact(notify=Notify(email=(LISTED,)))
    await post.corridor.approved("open")
    start, pauses = post.corridor.now_ms, []
    while post.corridor.now_ms - start < PATIENCE_MS:
        post.box.rcpt = ["451 later"]
        await post.run()
        pause = await post.next_in_ms()
        assert pause is not None
        pauses.append(pause)
        post.corridor.skew_ms += pause if len(pauses) < 12 else max(pause, PATIENCE_MS // 4)
        assert await post.told() == []
    assert pauses[:4] == [5_000, 10_000, 20_000, 40_000]
    assert max(pauses) == LONGEST_PAUSE_MS
    post.box.rcpt = ["451 later"]
    await post.run()
    assert await post.next_in_ms() is None
    assert len(await post.told()) == 1
    (entry,) = await post.noted("notice.undelivered")
    assert entry["to"] == LISTED
    assert "451" in entry["why"]
    assert "three days" in entry["why"]
    assert measured(post.metrics, "alarms_total", kind="mail") == 1


async def test_what_waited_while_nobody_was_there_is_tried_all_the_same(post: Post):
    await post.enact(notify=Notify(email=(LISTED,)))
    await post.corridor.approved("open")
    post.corridor.skew_ms += 2 * PATIENCE_MS
    post.box.rcpt = ["451 later"] * 4
    for _ in range(4):
        await post.run()
        post.corridor.skew_ms += await post.next_in_ms() or 0
    assert await post.told() == []
    await post.run()
    assert post.box.to() == [LISTED]


async def test_what_is_refused_for_good_is_not_tried_again(post: Post):
    await post.enact(notify=Notify(email=(LISTED, "other@example.com")))
    post.box.rcpt = ["550 no such mailbox"]
    await post.corridor.approved("open")
    await post.run()
    assert len(post.box.to()) == 1
    assert await post.next_in_ms() is None
    assert len(await post.told()) == 1
    assert [each["route"] for each in await post.noted("notice.undelivered")] == ["mail"]
