"""kill -9 at a named moment, and a supervisor that starts it again: nothing lost, nothing twice, no access without an end.

The moments named in `SHORT` run with every `make test`, all of them with `make crash`.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from playground import seed
from playground.house import House
from playground.slack.records import NotPossible
from playground.slack.sight import actions_of, text_of
from store.model.audit import Audit
from store.model.policy import MINUTE
from store.redis.audit import AuditLog
from store.redis.installation import installation_id
from store.redis.keys import Keys
from tests.stories.conftest import OpenHouse
from tests.stories.directories import Gate
from tests.stories.people import ask, card, modal, own_card, press
from tests.stories.processes import LEASE_MS, Program

pytestmark = pytest.mark.seeded

ROSA: Final = "rosa@example.com"
JOIN: Final = "access role:database-admin for 15m because INC-7"
OPEN: Final = "open payments/prod for 15m because INC-7"
CHANGE: Final = "change payments/prod"

Act = Callable[[], Awaitable[object]]


class Story:
    """People who try again, a supervisor who starts what died, and the ledger against which both are held."""

    def __init__(self, house: House, program: Program, redis: Redis, keys: Keys, gate: Gate) -> None:
        self.house = house
        self.program = program
        self.redis = redis
        self.keys = keys
        self.gate = gate
        self._log = AuditLog(redis, keys)
        self._first = 0  # number of the newest entry before the story

    async def begin(self) -> None:
        self._first = await self._log.number()

    async def entries(self) -> list[tuple[int, Audit]]:
        return await self._log.after(self._first, most=1000)

    async def has(self, event: str) -> bool:
        return any(entry.event == event for _, entry in await self.entries())

    async def until(self, event: str, act: Act | None = None) -> None:
        """Until the ledger holds it. Whatever dies meanwhile is started again; who was not answered acts again."""
        for _ in range(4):
            await self.alive()
            if await self.has(event):
                return
            if act is not None and not await self.program.while_alive(_tried(act)):
                continue
            with suppress(TimeoutError):
                await self.program.while_alive(self._appears(event))
        pytest.fail(f"{event} did not come:\n{self.program.log[-4000:]}", pytrace=False)

    async def eventually(self, come: Callable[[], Awaitable[object]]) -> None:
        """As `until`, for what is seen elsewhere than in the ledger."""
        await self.alive()
        while not await self.program.while_alive(come()):
            await self.alive()

    async def alive(self) -> None:
        if not self.program.alive:
            await self.program.start()
            await self.advance(LEASE_MS)
            async for turn in self.redis.scan_iter(f"{self.keys.prefix}turn:*"):
                await self.redis.pexpire(turn, 1)  # on the true clock, which the tests do not move
        await self.program.while_alive(self.connected())

    async def connected(self) -> None:
        await self.house.workspace.wait_for(lambda: self.house.workspace.bot_connected, timeout=20)

    async def advance(self, ms: int) -> None:
        await self.house.advance(ms)
        self.program.set_skew(self.house.skew_ms())

    def later(self, ms: int) -> Act:
        """The time goes on by so much in all, however often this is done, and whatever else moved it meanwhile."""
        goal_ms = self.house.skew_ms() + ms

        async def act() -> None:
            if (left_ms := goal_ms - self.house.skew_ms()) > 0:
                await self.advance(left_ms)

        return act

    async def _appears(self, event: str) -> None:
        last = str(self._first)
        async with asyncio.timeout(10):
            while True:
                streams: Any = await self.redis.xread({self.keys.audit: last}, block=10_000)
                for number, fields in streams[0][1] if streams else []:
                    last = number
                    if Audit.from_json(fields[b"entry"]).event == event:
                        return

    async def settled(self, expected: dict[str, int]) -> None:
        """Each step once, without gaps; nothing left to do; nothing left running."""
        waiting = [self.keys.lane(lane) for lane in ("slack", "connector", "hook", "mail")]

        async def empty() -> None:
            while any([await self.redis.zcard(lane) for lane in waiting]):
                await asyncio.sleep(0.02)  # there is no event for the last settle

        async with asyncio.timeout(20):
            await self.eventually(empty)
        assert await self.program.terminate() == 0, self.program.log[-4000:]
        assert "Traceback" not in self.program.log, self.program.log[-6000:]
        entries = await self.entries()
        assert [number for number, _ in entries] == list(range(self._first + 1, self._first + len(entries) + 1))
        counted = Counter(entry.event for _, entry in entries)
        assert {event: counted[event] for event in expected} == expected
        assert await self.redis.zcard(self.keys.due) == 0

    def cards(self) -> list[str]:
        """What stands in the approvers' channel of this story."""
        found = [message for message in self.house.workspace.messages(seed.APPROVALS) if message.thread_ts is None]
        return [text_of(message) for message in found if "INC-7" in text_of(message)]


async def _tried(act: Act) -> None:
    """Somebody who sees no answer has not failed: they look again and act again."""
    with suppress(NotPossible, AssertionError, TimeoutError):
        await act()


@pytest.fixture
async def story(open_house: OpenHouse, redis_url: str) -> AsyncIterator[Story]:
    async with AsyncExitStack() as opened:
        house = await open_house()
        await house.workspace.wait_for(lambda: house.hooks.deliveries)
        await house.apps.pop().stop()
        gate = Gate(house.directory)
        program = Program(house.folder, house.environ())
        opened.push_async_callback(program.kill)
        redis = await opened.enter_async_context(Redis.from_url(redis_url, socket_timeout=None))
        keys = Keys(await installation_id(redis, bytes))
        house.hooks._now_ms = lambda: house.workspace.clock() + house.skew_ms()
        story = Story(house, program, redis, keys, gate)
        await story.begin()
        yield story


# -- three journeys ----------------------------------------------------------------------------------------------------


def asking(story: Story, words: str, values: dict[str, Any] | None = None) -> Act:
    async def act() -> None:
        for view in story.house.workspace.modals(seed.ROSA):  # one that nobody answered
            await story.house.workspace.close(seed.ROSA, view.id)
        await ask(story.house, seed.ROSA, words, values)

    return act


def pressing(story: Story, user: str, button: str, *words: str) -> Act:
    async def act() -> None:
        of = card(story.house, *words) if user in (seed.BEN, seed.INES) else own(story, button)
        await press(story.house, user, await of, button)

    return act


async def own(story: Story, button: str) -> Any:
    return await own_card(story.house, seed.ROSA, button=button)


async def member(story: Story) -> None:
    await story.until("request.submitted", asking(story, JOIN))
    await story.until("request.approved", pressing(story, seed.BEN, "approve", "Waiting for approval", "INC-7"))
    await story.until("grant.started", pressing(story, seed.ROSA, "activate"))
    await story.until("grant.activated")
    assert story.house.directory.members(seed.ROLE_GROUP) == [ROSA]
    await story.until("grant.ended", story.later(15 * MINUTE))
    assert story.house.directory.members(seed.ROLE_GROUP) == []
    await ended_on_cards(story)
    await story.settled(
        {
            "request.submitted": 1, "request.approved": 1, "grant.started": 1, "grant.activated": 1,
            "grant.revoking": 1, "grant.ended": 1, "grant.trouble": 0, "grant.failed": 0,
        }
    )  # fmt: skip
    assert story.gate.seen == [(), (ROSA,), ()]


async def reader(story: Story) -> None:
    await story.until("request.submitted", asking(story, OPEN))
    await story.until("request.approved", pressing(story, seed.BEN, "approve", "Waiting for approval", "INC-7"))
    await story.until("grant.activated", pressing(story, seed.ROSA, "activate"))
    await story.until("secrets.read", pressing(story, seed.ROSA, "show_values"))
    assert "prod-3rtq9w" in text_of(modal(story.house, seed.ROSA))
    await story.until("grant.warned", story.later(13 * MINUTE))
    await story.until("grant.ended", story.later(2 * MINUTE))
    await ended_on_cards(story)
    await story.settled(
        {
            "request.submitted": 1, "request.approved": 1, "grant.activated": 1, "grant.warned": 1,
            "grant.ended": 1, "grant.revoking": 0,
        }
    )  # fmt: skip


async def merger(story: Story) -> None:
    values = {"set:payments/prod": {"set": "STRIPE_KEY=sk_live_new"}, "reason": {"reason": "INC-7"}}
    await story.until("request.submitted", asking(story, CHANGE, values))
    await story.until("request.approved", lambda: voted(story))
    await story.until("hook.delivered")
    await story.settled({"request.submitted": 1, "request.approved": 1, "change.merged": 1, "hook.delivered": 1})
    told = [delivery for delivery in story.house.hooks.deliveries if b'"environment_version":3' in delivery.body]
    assert told
    assert all(delivery.verified and delivery.status == 204 for delivery in told)
    assert len({(delivery.id, delivery.body) for delivery in told}) == 1


async def voted(story: Story) -> None:
    asked = await card(story.house, "Waiting for approval", "INC-7")
    for approver in (seed.BEN, seed.INES):
        if "approve" in actions_of(asked):
            await press(story.house, approver, asked, "approve")


async def ended_on_cards(story: Story) -> None:
    """Every copy that anybody acted on: also one whose post was never confirmed, if the button was pressed there. Else that one may be
    left as it was, and offers nothing that works."""
    await story.eventually(
        lambda: story.house.workspace.wait_for(lambda: any("Ended" in text for text in story.cards()))
    )
    assert len(story.cards()) <= 1 + story.program.deaths


async def test_what_ends_while_nobody_runs_has_ended_when_somebody_does(story: Story) -> None:
    """Two processes, killed once more between approval and first use, and both down across the end of two accesses."""
    other = Program(story.house.folder, story.house.environ())  # on the same clock
    try:
        await story.until("request.submitted", asking(story, JOIN))
        await story.until("request.approved", pressing(story, seed.BEN, "approve", "Waiting for approval", "INC-7"))
        await story.program.kill()
        await other.start()
        await story.until("grant.started", pressing(story, seed.ROSA, "activate"))
        await story.until("grant.activated")
        assert story.house.directory.members(seed.ROLE_GROUP) == [ROSA]
        await asyncio.gather(story.program.kill(), other.kill())
        await story.advance(15 * MINUTE)
        await story.until("grant.ended")
        assert story.house.directory.members(seed.ROLE_GROUP) == []
        await ended_on_cards(story)
        await story.settled({"request.approved": 1, "grant.started": 1, "grant.activated": 1, "grant.ended": 1})
        assert story.gate.seen == [(), (ROSA,), ()]
    finally:
        await other.kill()


JOURNEYS: Final = {"member": member, "reader": reader, "merger": merger}

SHORT: Final = (
    ("member", "after commit grant.started"),
    ("member", "after add"),
    ("merger", "after deliver"),
)


def both(*moments: str) -> Iterable[str]:
    return (f"{when} {moment}" for moment in moments for when in ("before", "after"))


WHOLE: Final = [
    *(("member", moment) for moment in both(
        "commit request.submitted", "commit request.approved", "commit grant.started", "add",
        "commit grant.activated", "commit grant.revoking", "remove", "commit grant.ended",
        "slack chat.postMessage", "keep channel", "keep requester", "slack chat.update", "settle member:", "settle card:",
        "settle tell:", "slack conversations.open",
    )),
    *(("reader", moment) for moment in both(
        "commit grant.activated", "commit grant.warned", "commit grant.ended", "slack views.open", "keep tell/",
    )),
    *(("merger", moment) for moment in both(
        "commit request.submitted", "commit change.merged", "deliver", "commit hook.delivered", "keep hook/",
    )),
]  # fmt: skip


async def killed_at(story: Story, journey: str, moment: str) -> None:
    await story.program.start(die=moment)
    await story.connected()
    await JOURNEYS[journey](story)
    assert story.program.deaths == 1, f"nothing happens {moment}"


@pytest.mark.parametrize(("journey", "moment"), SHORT)
async def test_a_killed_process_leaves_nothing_undone_and_nothing_done_twice(
    story: Story, journey: str, moment: str
) -> None:
    await killed_at(story, journey, moment)


@pytest.mark.crash
@pytest.mark.parametrize(("journey", "moment"), [case for case in WHOLE if case not in SHORT])
async def test_at_every_moment(story: Story, journey: str, moment: str) -> None:
    await killed_at(story, journey, moment)
