"""Each piece of news says what happened, who did it, why, and what to do next."""

from dataclasses import replace

import pytest

from bot.slack import samples as s
from bot.slack.views.facts import CardFacts
from bot.slack.views.tell import announce, hook_line, passed, tell
from store.model.effect import News
from store.model.policy import HOUR
from store.model.request import Editing, State
from tests.bot.slack.pieces import buttons, quotes, words

LINK = "https://example.slack.com/archives/C0PAYMENTS/p1"


def broken(state: str) -> CardFacts:
    return s.facts(s.request("open", "active", broken=True), soft=True, debt=s.debt(state))


TOLD: list[tuple[News, CardFacts, list[str], list[str]]] = [
    ("requested", s.facts(s.request("open")), ["You are asked to decide", "Approve or deny it before", s.REASON], []),
    ("approved", s.facts(s.request("open", "approved")),
     ["*Approved:* your request to open `payments/prod` for 2 h, by <@U0BEN> and <@U0CHO>", "Activate it when you are ready"],
     ["activate", "withdraw"]),
    ("denied", s.facts(s.request("open", "denied")),
     ["*Denied:* your request to open `payments/prod` for 2 h, by <@U0BEN>", "Use the replay tool instead", "Talk to the person who denied it"], []),
    ("expired", s.facts(s.request("open", "expired")), ["*Expired:*", "Nobody decided in time.", "Ask again"], []),
    ("stale", s.facts(s.request("change", "stale")), ["*Out of date:*", "PROCESSOR_KEY_1", "Ask again on what is there now"], []),
    ("merged", s.facts(s.request("change", "merged")), ["*Merged as version 42:*", "the change is in"], []),
    ("active", s.facts(s.request("open", "active"), shows=True), ["*Active:* you may open", "You have it until "], ["show_values", "extend", "end"]),
    ("warning", s.facts(s.request("open", "active")), ["*Ends soon:* your access to `payments/prod`", "or extend it"], ["extend", "end"]),
    ("ended", s.facts(s.request("open", "ended")), ["*Ended:* your access to `payments/prod`, by itself ", "its time was over"], []),
    ("failed", s.facts(s.request("access", "failed")), ["*Failed:*", "okta answered 403", "Show an owner"], []),
    ("no_rule", s.facts(s.request("open"), rules=None), ["*Nobody can decide:*", "An owner must add a rule"], []),
    ("trouble", s.facts(s.request("access", "revoking", note="It lies.")), ["*Trouble outside:*", "It lies.", "An owner must look at the outside system. You may still be a member there."], []),
    ("broken", broken("open"), ["*The glass was broken:* <@U0EVE>", "none of the leads answers", "other than <@U0EVE>, looks at what was done"], []),
    ("countersigned", broken("countersigned"), ["*Countersigned:*", ", by <@U0BEN>"], []),
    ("disputed", broken("disputed"), ["*Disputed:*", ", by <@U0BEN>", "was not called"], []),
    ("overdue", broken("overdue"), ["*Nobody countersigned:* <@U0EVE> broke the glass for your request", "An owner must look at what was done"], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("news", "facts", "sentences", "pressed"), TOLD, ids=lambda part: part if isinstance(part, str) else ""
)
def test_what_the_requester_is_told(news: News, facts: CardFacts, sentences: list[str], pressed: list[str]) -> None:
    message = tell(facts, news, link=LINK)
    said = words(message.blocks)
    for sentence in sentences:
        assert sentence in said
    assert buttons(message.blocks) == pressed
    assert f"<{LINK}|Open the card>" in said
    assert s.ID in said


@pytest.mark.parametrize("news", ["broken", "countersigned", "disputed", "overdue"])
def test_everybody_is_told_of_a_broken_glass(news: News) -> None:
    message = announce(broken({"broken": "open"}.get(news, news)), news)
    assert "<@U0EVE>" in message.text
    assert "the request of <@U0DEV>" in message.text
    assert buttons(message.blocks) == (["countersign", "dispute"] if news == "broken" else [])


@pytest.mark.parametrize(("reader", "pressed"), [(s.BEN, ["countersign", "dispute"]), (s.EVE, []), (s.DEV, [])])
def test_who_broke_it_or_asked_for_it_is_told_and_offered_nothing(reader: str, pressed: list[str]) -> None:
    message = announce(broken("open"), "broken", to=reader)
    assert buttons(message.blocks) == pressed
    assert ("your request" in message.text) is (reader == s.DEV)
    assert ("Look at what was done." in message.text) is (reader == s.BEN)


def test_a_glass_that_was_settled_meanwhile_is_not_offered_again() -> None:
    assert buttons(announce(broken("countersigned"), "broken").blocks) == []


def test_old_news_offers_nothing_that_is_over() -> None:
    ended = s.facts(s.request("open", "ended"), shows=True)
    for news in ("approved", "active", "warning"):
        message = tell(ended, news)
        assert buttons(message.blocks) == []
        assert "Activate it" not in message.text


def test_one_who_asked_for_another_is_told_whose_it_is() -> None:
    facts = s.facts(s.request("open", "approved", beneficiary=s.EVE))
    theirs, mine = tell(facts, "approved", to=s.DEV), tell(facts, "approved", to=s.EVE)
    assert "your request" in theirs.text
    assert "<@U0EVE> can activate it" in theirs.text
    assert buttons(theirs.blocks) == ["withdraw"]
    assert "the request of <@U0DEV>" in mine.text
    assert "activate" in buttons(mine.blocks)


def test_a_link_that_is_none_is_left_out() -> None:
    for link in (None, "javascript:alert(1)", "https://x|Approve> <!channel", "https://x y"):
        assert "Open the card" not in words(tell(s.facts(s.request("open")), "requested", link=link).blocks)


def test_a_short_lease_says_its_length_because_a_date_shows_no_seconds() -> None:
    lease = s.request("open", "active").lease
    assert lease is not None
    short = lease.model_copy(update={"until_ms": lease.starts_ms + 90_000})
    assert "1 min 30 s after it began" in tell(s.facts(s.request("open", "active", lease=short)), "active").text


def test_a_hook_says_what_the_receiver_said_in_plain_text() -> None:
    fine, busy, silent, old, new = (hook_line(delivery, s.request("change", "merged")) for delivery in s.deliveries())
    assert "delivered in 183 ms, status 204, 1 attempt" in fine.text
    assert "not delivered yet, status 503, 3 attempts. Next try <!date^" in busy.text
    assert quotes(busy.blocks) == ["The deploy queue is full. Try again later."]
    assert "What happened" in words(busy.blocks)  # our own sentence, too
    answered = s.deliveries()[0].receipts[0].model_copy(update={"said": "queued"})
    taken = hook_line(s.deliveries()[0].model_copy(update={"receipts": (answered,)}), s.request("change", "merged"))
    assert ("The receiver said" in words(taken.blocks), quotes(taken.blocks)) == (True, ["queued"])
    assert "failed, no answer, 10 attempts. It is not tried again" in silent.text
    assert "What happened" in words(silent.blocks)
    assert "a newer version" in old.text
    assert "waiting to be sent" in new.text


def test_what_a_receiver_says_is_cut() -> None:
    one = s.deliveries()[1]
    long = one.model_copy(update={"receipts": (one.receipts[0].model_copy(update={"said": "x" * 9_000}),)})
    [said] = quotes(hook_line(long, s.request("change", "merged")).blocks)
    assert len(said) == 300


def test_who_broke_the_glass_reads_what_comes_next_for_them() -> None:
    own = s.facts(s.request("open", "approved", broken=True, requester=s.EVE, beneficiary=s.EVE), debt=s.debt("open"))
    hers, theirs = announce(own, "broken", to=s.EVE), announce(own, "broken", to=s.BEN)
    assert "you let your own request to open `payments/prod`" in hers.text
    assert "Be ready to tell them what you did." in hers.text
    assert "<@U0EVE> let their own request to open `payments/prod`" in theirs.text
    assert "Look at what was done." in theirs.text


def test_news_that_is_over_is_one_line_without_buttons() -> None:
    message = passed(s.facts(s.request("open", "ended")), LINK)
    assert [block["type"] for block in message.blocks] == ["context"]
    assert "*Ended* by now: open `payments/prod` for 2 h" in words(message.blocks)
    assert f"<{LINK}|Open the card>" in words(message.blocks)


@pytest.mark.parametrize(("news", "word"), [("reminder", "Still waiting"), ("escalated", "Escalated")])
def test_a_call_to_decide_says_what_waits_since_when_and_until_when(news: News, word: str) -> None:
    facts = s.facts(s.request("open", since_ms=s.NOW_MS - HOUR), thresholds=2)
    for decides, step in ((True, "Approve or deny it before"), (False, "Find somebody who may decide it before")):
        message = tell(replace(facts, decides=decides), news, link=LINK, to=s.BEN)
        assert (
            f"*{word}:* the request of <@U0DEV> to open `payments/prod` for 2 h. Asked <!date^1772546400^"
            in message.text
        )
        assert f"{step} <!date^1772578800^" in message.text
        assert "Still needed: 1 of <!subteam^S0LEADS>" in message.text
        assert s.REASON in quotes(message.blocks)
        assert f"<{LINK}|Open the card>" in words(message.blocks)
        assert buttons(message.blocks) == []
    assert "nobody can decide it" in tell(replace(facts, rules=None, needed=()), news, to=s.CHO).text


def test_who_is_locked_reads_for_what_and_who_is_unlocked_reads_by_whom() -> None:
    for state, why in (("disputed", "was disputed"), ("overdue", "was not countersigned in time")):
        locked = announce(replace(broken(state), lock=s.lock()), "locked", link=LINK, to=s.EVE)
        assert f"*Locked:* your break-glass is locked, because what you did for request `{s.ID}` {why}." in locked.text
        assert "only an owner can unlock it, and nobody their own" in locked.text
    unlocked = announce(replace(broken("disputed"), lock=s.lock(opened=True)), "unlocked", link=LINK, to=s.EVE)
    assert "*Unlocked:* <@U0ANA> unlocked your break-glass." in unlocked.text
    assert "next time the lead on duty is called first" in " ".join(quotes(unlocked.blocks))


@pytest.mark.parametrize(
    ("state", "step"),
    [("pending", "Look at what is asked now, and decide again before "), ("denied", "it went on without your vote")],
)
def test_who_had_voted_hears_that_it_is_asked_anew(state: State, step: str) -> None:
    edited = Editing(by=s.DEV, at_ms=s.NOW_MS, dropped=True)
    message = tell(s.facts(s.request("open", state, edited=edited)), "edited", link=LINK, to=s.BEN)
    said = words(message.blocks)
    assert "*Edited:* the request of <@U0DEV> to open `payments/prod` for 2 h. Your vote was for what was asked" in said
    assert step in said
    assert not buttons(message.blocks)
    assert f"<{LINK}|Open the card>" in said


def test_access_that_a_dispute_ended_is_something_to_talk_about() -> None:
    ended = s.facts(s.request("open", "ended", broken=True), debt=s.debt("disputed"))
    assert "Talk to whoever disputed it, and to an owner." in tell(ended, "ended").text
