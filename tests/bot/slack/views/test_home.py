"""What App Home shows to whom, and that it always fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import samples as s
from bot.slack.storybook import cards
from bot.slack.views.facts import CardFacts, HomeFacts, Offer
from bot.slack.views.home import home
from bot.slack.views.replies import COMMANDS, help_text, listing, sentence, why
from playground.slack.blocks import check_view
from store.model.debt import Debt
from store.model.request import Change
from tests.bot.slack.pieces import buttons, menu, words

CARDS = [facts for _, facts in cards()]
PENDING = s.facts(s.request("open"), thresholds=2, soft=True)


def test_an_empty_home_says_what_to_do() -> None:
    said = words(home(HomeFacts(s.DEV))["blocks"])
    for line in (
        "Nothing waits for your decision.",
        "You have no access right now.",
        "type `/countersign help`",
        "An owner can add you",
    ):
        assert line in said
    assert "Health" not in said


def test_what_waits_is_decided_here() -> None:
    view = home(HomeFacts(s.BEN, waiting=(PENDING,)))
    assert buttons(view)[:4] == ["approve", "deny", "break_glass", "more"]
    said = words(view["blocks"])
    assert "Waiting for you (1)" in said
    assert "<@U0DEV> asks to open `payments/prod` for 2 h." in said
    assert s.REASON in said
    assert "0 of 2 approvals" in said
    assert "Show all of it" in menu(view)


def test_nobody_approves_a_change_without_seeing_its_names() -> None:
    said = words(home(HomeFacts(s.BEN, waiting=(s.facts(s.request("change", names=9)),)))["blocks"])
    assert "PROCESSOR_KEY_2" in said
    assert "and 4 more: 2 removed, 2 unchanged" in said


def test_a_debt_waits_for_somebody_else() -> None:
    owed = s.facts(s.request("access", "ended", broken=True), debt=s.debt("open"))
    view = home(HomeFacts(s.BEN, waiting=(owed,)))
    assert buttons(view)[:2] == ["countersign", "dispute"]
    assert "must countersign or dispute it before" in words(view["blocks"])


def test_a_grant_shows_its_clock_and_how_to_end_it() -> None:
    view = home(HomeFacts(s.DEV, grants=(s.facts(s.request("open", "active"), shows=True),)))
    assert buttons(view)[:3] == ["show_values", "extend", "end"]
    assert "You have it until <!date^" in words(view["blocks"])


def test_a_request_of_mine_shows_its_next_step() -> None:
    view = home(HomeFacts(s.DEV, mine=(s.facts(s.request("open", "approved")),)))
    assert buttons(view)[:2] == ["activate", "withdraw"]


def test_what_may_be_asked_for_has_a_button_each() -> None:
    offers = (Offer("open", "payments/prod"), Offer("access", "role:aws-admin"))
    view = home(HomeFacts(s.DEV, offers=offers))
    assert buttons(view) == ["home_ask_open", "home_ask_access", "home_ask_open", "home_ask_access"]
    assert "Join role:aws-admin" in words(view["blocks"])


def test_health_is_for_owners() -> None:
    assert "Nothing to report." in words(home(HomeFacts(s.ANA, health=()))["blocks"])
    assert "Redis forgets." in words(home(HomeFacts(s.ANA, health=("Redis forgets.",)))["blocks"])


def test_owners_see_who_is_locked_and_unlock_others_only() -> None:
    locks = (s.lock(user=s.EVE), s.lock(user=s.ANA, causes=2))
    view = home(HomeFacts(s.ANA, health=(), locks=locks, more={"locks": 4}))
    said = words(view["blocks"])
    assert buttons(view) == ["home_unlock"]
    assert f"{s.ID}` was disputed." in said
    assert "the newest of 2 such requests. Another owner must unlock it." in said
    assert "and 4 more whose break-glass is locked" in said
    assert "Nothing to report" not in said
    other = home(HomeFacts(s.DEV, locks=locks))
    assert "break the glass since" not in words(other["blocks"])


def test_what_does_not_fit_is_counted() -> None:
    view = home(HomeFacts(s.DEV, (PENDING,) * 30, more={"waiting": 70}))
    assert "and 90 more: `/countersign pending` lists them." in words(view["blocks"])
    assert "Waiting for you (100)" in words(view["blocks"])


@given(
    st.lists(st.sampled_from(CARDS), max_size=40), st.lists(st.sampled_from(CARDS), max_size=40),
    st.lists(st.sampled_from(CARDS), max_size=40), st.integers(0, 100), st.none() | st.integers(0, 40),
)  # fmt: skip
def test_it_always_fits(
    waiting: list[CardFacts], mine: list[CardFacts], grants: list[CardFacts], offers: int, health: int | None
) -> None:
    lines = None if health is None else ("x" * 5_000,) * health
    offered = tuple(Offer("open", f"team-{number}/prod") for number in range(offers))
    check_view(home(HomeFacts(s.DEV, tuple(waiting), tuple(mine), tuple(grants), offered, lines)))


def test_a_list_says_what_is_there_and_what_is_not() -> None:
    assert listing("Yours", [], empty="Nothing.").text == "Nothing."
    message = listing("Yours", [PENDING] * 20, empty="", more=5)
    assert message.text == "Yours: 25."
    assert "and 10 more." in words(message.blocks)
    assert f"`/countersign show {s.ID}`" in words(message.blocks)


def test_why_names_who_must_agree_and_what_is_missing() -> None:
    said = words(why(PENDING, you="You may decide this.").blocks)
    for line in (
        "You may decide this.", "payments production", "*Must agree:* 1 of <!subteam^S0LEADS>, and 1 of ",
        "*Still needed:*", "*Not counted:* <@U0DEV>", "*Denied by:* 1 of", "*Breaking the glass:* <!subteam^S0ONCALL>, for 1 h at most",
    ):  # fmt: skip
        assert line in said
    hard = words(why(s.facts(s.request("open"))).blocks)
    assert "*Breaking the glass:* nobody may. The rule is hard." in hard


def test_help_names_every_command() -> None:
    said = words(help_text().blocks)
    assert all(f"`/countersign {command}`" in said for command, _ in COMMANDS)


@pytest.mark.parametrize("text", ["", "\u202e", "You cannot.", "<!channel> & co"])
def test_a_sentence_is_plain_and_never_empty(text: str) -> None:
    message = sentence(text)
    assert message.blocks[0]["text"]["type"] == "plain_text"
    assert message.blocks[0]["text"]["text"]
    assert message.text
    assert "<" not in message.text


def test_samples_are_what_they_seem() -> None:
    assert isinstance(s.debt("open"), Debt)
    assert isinstance(s.request("change").payload, Change)
