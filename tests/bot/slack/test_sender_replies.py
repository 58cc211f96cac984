"""Replies: a sentence to one person, wherever they can be reached, and nobody waits for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
from structlog.testing import capture_logs

from bot.slack import replies as replying
from bot.slack.homes import Shown
from bot.slack.replies import Replies
from bot.slack.views.facts import CardFacts
from bot.slack.views.home import closed
from bot.slack.wire import Slack
from playground.slack.workspace import Workspace
from store.model.errors import Unavailable
from store.model.people import Wanted
from tests import builders

WITHIN_S: Final = 5.0


class Homes:
    """App Homes, as far as a reply needs them. `unknown`: what Slack has not told; `silent`: it does not tell it either."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.unknown = Wanted()
        self.silent = 0
        self.gate: asyncio.Event | None = None

    async def shown(self, user: str) -> Shown:
        self.asked.append(user)
        drawn = closed(f"drawn {len(self.asked)} times")
        if self.gate is not None:
            await self.gate.wait()
        return Shown(drawn, self.unknown)

    async def learn(self, lacking: Wanted) -> None:
        assert lacking == self.unknown
        if self.silent:
            self.silent -= 1
            raise Unavailable("Slack does not tell.")
        self.unknown = Wanted()


@pytest.fixture
def homes() -> Homes:
    return Homes()


@pytest.fixture
async def replies(slack: Slack, homes: Homes) -> AsyncIterator[Replies]:
    replies = Replies(slack, homes)  # type: ignore[arg-type]  # all that a reply asks of homes
    yield replies
    await replies.drain(WITHIN_S)


def facts(requester: str = "U0ANA", asked: tuple[str, ...] = ()) -> CardFacts:
    request = builders.request().model_copy(update={"requester": requester, "beneficiary": requester})
    return CardFacts(request=request, asked=asked)


async def test_a_sentence_is_seen_by_one_person_where_they_are(replies, town):
    replies.sentence("U0BEN", "C0PAY", "You cannot review your own request.")
    (said,) = await town.wait_for(lambda: town.ephemerals("U0BEN"))
    assert (said.channel, said.text) == ("C0PAY", "You cannot review your own request.")
    assert town.ephemerals("U0ANA") == []
    assert town.messages("C0PAY") == []


@pytest.mark.parametrize("channel", ["C0AWAY", "C0NOWHERE", None, "D0BEN"])
async def test_where_it_cannot_be_said_there_it_is_said_in_the_dm(replies, town, channel):
    replies.sentence("U0BEN", channel, "It moved meanwhile.")
    (said,) = await town.wait_for(lambda: town.dm("U0BEN"))
    assert said.text == "It moved meanwhile."


async def test_what_somebody_typed_is_only_text(replies, town):
    replies.sentence("U0BEN", "C0PAY", "There is no <!channel> here: <https://evil.example|click>")
    (said,) = await town.wait_for(lambda: town.ephemerals("U0BEN"))
    assert {block["text"]["type"] for block in said.blocks} == {"plain_text"}
    assert "<!channel>" not in said.text


async def test_a_reply_that_cannot_be_sent_is_nobodys_trouble(replies, town):
    town.faults.error("*", "internal_error", times=2)
    with capture_logs() as logs:
        replies.sentence("U0BEN", "C0PAY", "lost")
        replies.sentence("U0NOBODY", None, "lost")
        await replies.drain(WITHIN_S)
    assert "reply not sent" in [entry["event"] for entry in logs]
    replies.sentence("U0BEN", "C0PAY", "said")
    assert (await town.wait_for(lambda: town.ephemerals("U0BEN")))[-1].text == "said"


async def test_nobody_waits_for_a_reply(replies, town):
    town.faults.hang("chat.postEphemeral")
    replies.sentence("U0BEN", "C0PAY", "slow")  # returns at once: it is not even a coroutine
    while not town.faults.struck:
        await asyncio.sleep(0.005)
    await replies.drain(0.05)


async def test_a_stop_waits_for_what_is_being_said_and_not_for_ever(replies, town):
    town.faults.delay("chat.postEphemeral", 0.1)
    replies.sentence("U0BEN", "C0PAY", "soon")
    await replies.drain(WITHIN_S)
    assert [said.text for said in town.ephemerals("U0BEN")] == ["soon"]
    town.faults.hang("chat.postEphemeral")
    replies.sentence("U0BEN", "C0PAY", "never")
    async with asyncio.timeout(WITHIN_S):
        await replies.drain(0.05)


async def test_what_is_done_later_may_fail_in_our_own_words(replies):
    done: list[str] = []

    async def works() -> None:
        done.append("works")

    async def fails() -> None:
        raise Unavailable("Redis does not answer.")

    replies.later(fails())
    replies.later(works())
    await replies.drain(WITHIN_S)
    assert done == ["works"]


# -- App Homes --------------------------------------------------------------------------------------------------------


async def test_a_home_that_is_opened_is_drawn(replies, town, homes):
    replies.opened_home("U0ANA")
    await town.wait_for(lambda: town.home("U0ANA"))
    assert homes.asked == ["U0ANA"]


@pytest.mark.parametrize(
    ("about", "drawn"),
    [
        (facts("U0ANA"), ["U0ANA"]),
        (facts("U0BEN"), ["U0BEN"]),
        (facts("U0SAM"), []),
        (facts("U0SAM", asked=("S0LEADS",)), ["U0ANA", "U0BEN"]),
    ],
)
async def test_a_card_that_is_drawn_draws_the_open_homes_of_those_it_concerns(replies, town, homes, about, drawn):
    for user in ("U0ANA", "U0BEN"):
        replies.opened_home(user)
    await replies.drain(WITHIN_S)
    homes.asked.clear()
    await replies.drawn(about)
    await replies.drain(WITHIN_S)
    assert sorted(homes.asked) == drawn


async def test_homes_that_were_opened_long_ago_are_let_go(replies, homes, monkeypatch):
    monkeypatch.setattr(replying, "HOMES", 2)
    for user in ("U0ANA", "U0BEN", "U0ANA", "U0GIL"):
        replies.opened_home(user)
    await replies.drain(WITHIN_S)
    homes.asked.clear()
    await replies.drawn(facts("U0SAM", asked=("S0LEADS",)))
    await replies.drain(WITHIN_S)
    assert sorted(homes.asked) == ["U0ANA", "U0GIL"]


async def test_a_home_that_slack_does_not_take_is_drawn_the_next_time(replies, town: Workspace):
    town.faults.error("views.publish", "internal_error")
    replies.opened_home("U0ANA")
    await replies.drain(WITHIN_S)
    assert town.home("U0ANA") is None
    await replies.drawn(facts("U0ANA"))
    await town.wait_for(lambda: town.home("U0ANA"))


async def test_what_comes_while_a_home_is_drawn_draws_it_once_more(replies, town: Workspace, homes: Homes):
    homes.gate = asyncio.Event()
    for _ in range(9):
        await replies.drawn(facts("U0ANA"))
        replies.opened_home("U0ANA")
        await asyncio.sleep(0)
    homes.gate.set()
    await replies.drain(WITHIN_S)
    assert homes.asked == ["U0ANA"] * 2
    assert "drawn 2 times" in str(town.home("U0ANA"))


async def test_a_home_that_lacks_a_fact_is_drawn_again_when_slack_has_told_it(
    replies, town: Workspace, homes, monkeypatch
):
    monkeypatch.setattr(replying, "LEARN_PAUSE_S", 0.001)
    homes.unknown, homes.silent = Wanted(users=frozenset({"U0BEN"})), 2
    replies.opened_home("U0ANA")
    await town.wait_for(lambda: "drawn 2 times" in str(town.home("U0ANA")))
    await replies.drain(WITHIN_S)
    assert len(homes.asked) == 2


async def test_slack_is_not_asked_for_ever(replies, homes, monkeypatch):
    monkeypatch.setattr(replying, "LEARN_PAUSE_S", 0.001)
    homes.unknown, homes.silent = Wanted(users=frozenset({"U0BEN"})), 1_000
    replies.opened_home("U0ANA")
    async with asyncio.timeout(WITHIN_S):
        while homes.silent > 1_000 - replying.LEARNT_TIMES or replies._learning:
            await asyncio.sleep(0.005)
    assert (len(homes.asked), homes.silent) == (1, 1_000 - replying.LEARNT_TIMES)


async def test_a_stop_does_not_wait_for_slack_to_tell_something(replies, homes, town):
    homes.unknown, homes.silent = Wanted(users=frozenset({"U0BEN"})), 1
    replies.opened_home("U0ANA")
    async with asyncio.timeout(WITHIN_S):
        while not replies._learning:
            await asyncio.sleep(0.005)
    async with asyncio.timeout(1.0):
        await replies.drain(WITHIN_S)
