"""What App Home shows to whom, on which page, and that it always fits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import samples as s
from bot.slack.ids import Place, parse_place
from bot.slack.storybook import cards
from bot.slack.views import approvals, environments, health
from bot.slack.views.approvals import ApprovalsFacts
from bot.slack.views.environments import EnvironmentsFacts, Offered
from bot.slack.views.facts import Block, CardFacts, Offer
from bot.slack.views.health import HealthFacts, Line
from bot.slack.views.home import HomeFacts, Tab, broken, closed, home
from bot.slack.views.parts import Part, pager
from bot.slack.views.replies import COMMANDS, help_text, listing, sentence, why
from playground.slack.blocks import check_view
from store.model.debt import Debt
from store.model.errors import Invalid
from store.model.people import Wanted
from store.model.request import Change
from tests.bot.slack.pieces import buttons, menu, walk, words

CARDS = [facts for _, facts in cards()]
PENDING = s.facts(s.request("open"), thresholds=2, soft=True)
TABS = (Tab("approvals", "Approvals"), Tab("environments", "Environments"))
NOTHING = Wanted()


def one(*cards: CardFacts) -> Part[CardFacts]:
    return Part(cards, 0, len(cards))


def framed(
    page: list[Block], place: Place | None = None, *, waits: str = "", lacking: Wanted = NOTHING
) -> dict[str, object]:
    return home(HomeFacts(s.DEV, place or Place("approvals"), TABS, waits, lacking), page)


def labels(blocks: object) -> list[str]:
    return [node["text"]["text"] for node in walk(blocks) if node.get("type") == "button"]


def test_each_page_is_one_press_away_and_one_sees_where_one_is() -> None:
    view = framed([], Place("environments", (3,)), waits="12")
    check_view(view)
    pressed = [node for node in walk(view) if node.get("type") == "button"]
    assert [(one["text"]["text"], one["action_id"], one["value"]) for one in pressed] == [
        ("Approvals (12)", "home_go_approvals", "approvals"),
        ("Environments", "home_go_environments", "environments"),
    ]
    assert ["you are here" in one["accessibility_label"] for one in pressed] == [False, True]


@pytest.mark.parametrize(
    ("users", "groups", "named"),
    [
        ({s.DEV}, set(), "about you."),
        ({s.DEV, s.BEN}, {s.LEADS}, "about you, <!subteam^S0LEADS> and <@U0BEN>."),
        (set(), {f"S0{number}" for number in range(100, 140)}, "about 40 user groups."),
        ({f"U0{number}" for number in range(100, 140)}, set(), "about 40 people."),
    ],
)
def test_what_slack_has_not_told_yet_is_said(users: set[str], groups: set[str], named: str) -> None:
    said = words(framed([], lacking=Wanted(frozenset(users), frozenset(groups)))["blocks"])
    assert f"Still asking Slack {named}" in said
    assert "drawn again" in said
    assert "Still asking" not in words(framed([])["blocks"])


def test_who_may_do_nothing_and_what_cannot_be_read_is_said_in_words() -> None:
    shut = closed("a guest in this workspace")
    check_view(shut)
    assert words(shut["blocks"]).startswith("You are a guest in this workspace.")
    view = broken(Place("environments", (2,)), "Redis does not answer.")
    check_view(view)
    assert "Redis does not answer." in words(view["blocks"])
    assert [node["value"] for node in walk(view) if node.get("type") == "button"] == ["environments:2"]


@pytest.mark.parametrize("value", ["approvals", "approvals:0:2:14", "health:99999"])
def test_a_place_comes_back_as_it_went(value: str) -> None:
    assert str(parse_place(value)) == value


@pytest.mark.parametrize(
    "value", ["", "A", "approvals:", "approvals:-1", "approvals:1.5", "a:1:2:3:4:5", "health:999999", "x\n"]
)
def test_what_is_no_place_of_ours_is_refused(value: str) -> None:
    with pytest.raises(Invalid):
        parse_place(value)


def test_a_place_keeps_the_other_lists_where_they_are() -> None:
    assert Place("approvals", (1, 2)).at(2, 4) == Place("approvals", (1, 2, 4))
    assert Place("approvals").at(1, 3) == Place("approvals", (0, 3))
    assert Place("approvals").part(2) == 0


@pytest.mark.parametrize(
    ("first", "shown", "total", "more", "said", "ways"),
    [
        (0, 3, 3, False, None, {}),
        (0, 10, 37, False, "Showing 1–10 of 37.", {"Next": "approvals:0:1"}),
        (10, 10, 37, False, "Showing 11–20 of 37.", {"Previous": "approvals:0:0", "Next": "approvals:0:2"}),
        (30, 7, 37, False, "Showing 31–37 of 37.", {"Previous": "approvals:0:2"}),
        (0, 10, 10, True, "Showing 1–10 of more than 10.", {"Next": "approvals:0:1"}),
        (0, 10, 1_500, False, "Showing 1–10 of 1,500.", {"Next": "approvals:0:1"}),
    ],
)
def test_a_part_says_which_it_is_and_leads_to_the_others(
    first: int, shown: int, total: int, more: object, said: str | None, ways: dict[str, str]
) -> None:
    part = Part(("x",) * shown, first, total, bool(more))
    blocks = pager(part, Place("approvals", (0, first // 10)), 1, 10, "Waiting for you")
    assert ([said] if said else []) == [words(block) for block in blocks if block["type"] == "context"]
    assert {node["text"]["text"]: node["value"] for node in walk(blocks) if node.get("type") == "button"} == ways


def test_empty_approvals_say_what_to_do() -> None:
    said = words(approvals.page(ApprovalsFacts(s.DEV)))
    for line in (
        "Nothing waits for your decision.",
        "You have no access right now.",
        "type `/countersign help`",
        "An owner can add you",
    ):
        assert line in said


def test_what_waits_is_decided_here_and_says_until_when() -> None:
    page = approvals.page(ApprovalsFacts(s.BEN, waiting=one(PENDING)))
    assert buttons(page)[:4] == ["approve", "deny", "break_glass", "more"]
    said = words(page)
    assert "Waiting for you (1)" in said
    assert "<@U0DEV> asks to open `payments/prod` for 2 h." in said
    assert "decide before <!date^" in said
    assert s.REASON in said
    assert "0 of 2 approvals" in said
    assert "Show all of it" in menu(page)


def test_what_may_wait_is_not_kept_quiet() -> None:
    said = words(approvals.page(ApprovalsFacts(s.BEN, unsure=2)))
    assert "2 more requests may wait for you: Slack has not told yet who decides." in said
    assert "may wait for you" not in words(approvals.page(ApprovalsFacts(s.BEN)))


def test_what_is_not_known_yet_is_not_said_to_be_nothing() -> None:
    said = words(approvals.page(ApprovalsFacts(s.BEN, sure=False)))
    assert "Whether something waits for your decision is not known yet." in said
    assert "Nothing waits" not in said
    for page in (approvals.page(ApprovalsFacts(s.BEN, sure=False)), environments.page(EnvironmentsFacts(sure=False))):
        assert "What you may ask for is not known yet." in words(page)
        assert "No rule names you" not in words(page)


def test_nobody_approves_a_change_without_seeing_its_names() -> None:
    said = words(approvals.page(ApprovalsFacts(s.BEN, waiting=one(s.facts(s.request("change", names=9))))))
    assert "PROCESSOR_KEY_2" in said
    assert "and 4 more: 2 removed, 2 unchanged" in said


def test_a_debt_waits_for_somebody_else() -> None:
    owed = s.facts(s.request("access", "ended", broken=True), debt=s.debt("open"))
    page = approvals.page(ApprovalsFacts(s.BEN, waiting=one(owed)))
    assert buttons(page)[:2] == ["countersign", "dispute"]
    assert "must countersign or dispute it before" in words(page)


def test_a_grant_shows_its_clock_and_how_to_end_it() -> None:
    grant = s.facts(s.request("open", "active"), shows=True)
    page = approvals.page(ApprovalsFacts(s.DEV, grants=one(grant)))
    assert buttons(page)[:3] == ["show_values", "extend", "end"]
    assert "You have it until <!date^" in words(page)


def test_a_request_of_mine_shows_its_next_step() -> None:
    page = approvals.page(ApprovalsFacts(s.DEV, mine=one(s.facts(s.request("open", "approved")))))
    assert buttons(page)[:2] == ["activate", "withdraw"]


def test_what_may_be_asked_for_has_a_form_each() -> None:
    page = approvals.page(ApprovalsFacts(s.DEV, kinds=frozenset({"open", "access"})))
    assert buttons(page) == ["home_ask_open", "home_ask_access"]


def test_each_environment_has_a_button_for_each_thing_one_may_ask_for() -> None:
    offered = (
        Offered("payments/prod", (Offer("change", "payments/prod"), Offer("open", "payments/prod"))),
        Offered("role:aws-admin", (Offer("access", "role:aws-admin"),)),
    )
    page = environments.page(EnvironmentsFacts(offered=Part(offered, 0, 2)))
    pressed = [(node["action_id"], node["value"]) for node in walk(page) if node.get("type") == "button"]
    assert pressed == [
        ("home_ask_open", "payments/prod"),
        ("home_ask_change", "payments/prod"),
        ("home_go_environment", "environment@payments/prod"),
        ("home_ask_access", "role:aws-admin"),
    ]
    assert "What you may ask for (2)" in words(page)
    assert "An owner can add you" in words(environments.page(EnvironmentsFacts()))


def lines(*words: health.Word) -> tuple[Line, ...]:
    return tuple(Line(word, "redis", f"It is {word}.") for word in words)


def healthy(*given: Line, **facts: Any) -> list[Block]:
    return health.page(HealthFacts(s.ANA, "0.1.0", s.NOW_MS, given, **facts))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lines("ok"), "*All is well.* 1 thing looked at."),
        (lines("ok", "warn", "ok"), "*It works, and 1 thing should be looked at.* 3 things looked at."),
        (lines("fail", "warn"), "*1 thing does not work.* 2 things looked at."),
        (lines("fail", "fail"), "*2 things do not work.* 2 things looked at."),
    ],
)
def test_health_is_summed_up_in_words(given: tuple[Line, ...], said: str) -> None:
    assert said in words(healthy(*given))


def test_what_does_not_work_stands_above_what_does() -> None:
    titles = [block["text"]["text"] for block in healthy(*lines("ok", "warn", "fail")) if block["type"] == "header"]
    assert titles == ["Health", "Does not work (1)", "Should be looked at (1)", "In order (1)"]
    locked = [
        block["text"]["text"] for block in healthy(*lines("ok", "fail"), locks=(s.lock(),)) if block["type"] == "header"
    ]
    assert locked == ["Health", "Does not work (1)", "Locked (1)", "In order (1)"]
    assert "and 5 more: countersign doctor lists them." in words(healthy(*lines(*("fail",) * 20)))


def test_owners_see_who_is_locked_and_unlock_others_only() -> None:
    page = healthy(locks=(s.lock(user=s.EVE), s.lock(user=s.ANA, causes=2)), more_locks=4)
    said = words(page)
    assert buttons(page) == ["home_unlock"]
    assert f"{s.ID}` was disputed." in said
    assert "the newest of 2 such requests. Another owner must unlock it." in said
    assert "and 4 more whose break-glass is locked" in said
    assert "Locked (6)" in said
    assert "*It works, and 6 things should be looked at.* 6 things looked at." in said


@given(
    st.lists(st.sampled_from(CARDS), max_size=10), st.lists(st.sampled_from(CARDS), max_size=8),
    st.lists(st.sampled_from(CARDS), max_size=10), st.integers(0, 9), st.booleans(),
)  # fmt: skip
def test_full_approvals_always_fit(
    waiting: list[CardFacts], grants: list[CardFacts], mine: list[CardFacts], unsure: int, lacking: object
) -> None:
    assert approvals.SIZES == (10, 8, 10)  # what is given here is as much as is ever shown
    parts = [Part(tuple(cards), 1_000, 9_999, True) for cards in (waiting, grants, mine)]
    kinds = frozenset(approvals.FORMS)
    facts = ApprovalsFacts(s.DEV, Place("approvals", (100, 125, 100)), parts[0], unsure, parts[1], parts[2], kinds)
    missing = Wanted(frozenset({s.DEV}), frozenset({s.LEADS})) if lacking else NOTHING
    check_view(framed(approvals.page(facts), facts.place, waits="9,999", lacking=missing))


@given(st.integers(0, environments.SIZE), st.integers(0, 100), st.integers(0, 40))
def test_the_other_pages_always_fit(offers: int, told: int, locks: int) -> None:
    offered = tuple(
        Offered("a" * 60, tuple(Offer(kind, "a" * 60) for kind in environments.ASKS)) for _ in range(offers)
    )
    facts = EnvironmentsFacts(Place("environments", (50,)), Part(offered, 1_000, 2_000))
    check_view(framed(environments.page(facts), facts.place))
    eves = (s.lock(user=s.EVE, causes=9),) * locks
    long = tuple(Line(word, "x", "x" * 5_000) for word in health.TITLES for _ in range(told))
    check_view(framed(healthy(*long, locks=eves, more_locks=3), Place("health")))


def test_a_list_says_what_is_there_and_what_is_not() -> None:
    assert listing("Yours", [], empty="Nothing.").text == "Nothing."
    message = listing("Yours", [PENDING] * 20, empty="", more=5)
    assert message.text == "Yours: 25."
    assert "and 10 more." in words(message.blocks)
    assert f"`/countersign show {s.ID}`" in words(message.blocks)


def test_why_names_who_must_agree_and_what_is_missing() -> None:
    said = words(why(PENDING, you="You may decide this.").blocks)
    for line in (
        "You may decide this.", "payments production", "*Must agree:* 1 of <!subteam^S0LEADS>, and 1 of ", ", all different people.",
        "*Still needed:*", "*Not counted:* <@U0DEV>", "*Would end it:* 1 denial by", "*Breaking the glass:* <!subteam^S0ONCALL>, for 1 h at most",
    ):  # fmt: skip
        assert line in said
    hard = words(why(s.facts(s.request("open"))).blocks)
    assert "all different people" not in hard
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


@pytest.mark.parametrize(("passes", "offered"), [(True, True), (None, True), (False, False)])
def test_the_glass_is_not_offered_to_who_may_not_break_it(passes: bool | None, offered: bool) -> None:  # noqa: FBT001 - a row
    waits = s.facts(s.request("open"), soft=True, passes=passes)
    page = approvals.page(ApprovalsFacts(s.BEN, waiting=one(waits)))
    assert ("break_glass" in buttons(page)) is offered
