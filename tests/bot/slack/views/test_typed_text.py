"""What people typed is only ever plain: blocks are parsed back, and no mrkdwn holds a piece of it."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import samples as s
from bot.slack.ids import Origin, Place
from bot.slack.views import approvals, forms, health, modals, replies
from bot.slack.views.approvals import ApprovalsFacts
from bot.slack.views.card import for_approvers, for_requester
from bot.slack.views.facts import Block, CardFacts, Message, Prefill, Terms, View, WhoIsAsked
from bot.slack.views.health import HealthFacts, Line
from bot.slack.views.home import HomeFacts, Tab, broken, home
from bot.slack.views.parts import Part
from bot.slack.views.tell import announce, hook_line, tell
from bot.slack.views.words import cleaned
from playground.slack.blocks import check_blocks, check_view
from store.model.delivery import Receipt
from store.model.grant import Membership
from store.model.policy import HOUR
from store.model.request import Decision, Ending, Joining, Kind, State
from store.model.standing import Rules
from tests.bot.slack.pieces import walk

MARK = "zqXjw"  # in nothing that we say ourselves
HOSTILE = [
    "<!channel>",
    "<https://evil.example|Approve>",
    "\nApproved by <@U0BEN>",
    "\u202egnihton",
    "*bold*",
    ":tada:",
    "&lt;!here&gt;",
    "\x00\x07",
    "\u200b\u2060\ufeff",
]
TYPED = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=30), max_size=6).map(
    lambda parts: MARK + MARK.join(parts) + MARK
)
EVERY = [(kind, state) for kind, states in s.STATES.items() for state in states]


def typed_everywhere(kind: Kind, state: State, text: str) -> CardFacts:
    """Wherever words of people, of the policy file or of an outside system can stand."""
    rule = s.policy(thresholds=2, soft=True).model_copy(update={"name": text})
    fields: dict[str, Any] = {
        "reason": text, "ticket": text, "rule": text, "note": text,
        "ending": Ending(by=s.DEV, at_ms=s.NOW_MS, reason=f"e{text}"),
        "decision": Decision(basis="break-glass", by=(s.EVE,), at_ms=s.NOW_MS, reason=text),
    }  # fmt: skip
    if kind == "access":
        group = Membership(connector="okta", group=text, user=s.DEV, account=text)
        fields["payload"] = Joining(membership=group, duration_ms=HOUR)
    receipt = Receipt(at_ms=s.NOW_MS, status=500, said=text)
    told = tuple(one.model_copy(update={"receipts": (receipt,)}) for one in s.deliveries())
    debt = s.debt("disputed").model_copy(update={"reason": f"d{text}"})
    made = s.request(kind, state, broken=True, **fields)
    return s.facts(
        made,
        rules=Rules(rule, rule.model_copy(update={"name": f"n{text}"}), s.rules().owners),
        debt=debt,
        deliveries=told,
        shows=True,
    )


def messages(facts: CardFacts) -> Iterator[Message]:
    for whole in (False, True):
        yield for_approvers(facts, whole=whole)
        yield for_requester(facts, whole=whole)
    for news in ("requested", "denied", "stale", "ended", "failed", "broken", "disputed", "trouble"):
        yield tell(facts, news)
        yield announce(facts, news)
    yield from (hook_line(delivery, facts.request) for delivery in facts.deliveries)
    yield replies.why(facts)
    yield replies.listing("Yours", [facts], empty="")


def shown(page: list[Block]) -> View:
    return home(HomeFacts(s.DEV, Place("approvals"), (Tab("approvals", "Approvals"),)), page)


def views(facts: CardFacts, text: str) -> Iterator[dict[str, Any]]:
    one = Part((facts,), 0, 1)
    yield shown(approvals.page(ApprovalsFacts(s.DEV, waiting=one, grants=one, mine=one)))
    yield shown(health.page(HealthFacts(s.DEV, "0.1.0", s.NOW_MS, (Line("fail", "hooks", text),))))
    yield broken(Place("approvals"), text or "x")
    yield modals.notice("Not done", text or "x")
    yield modals.details(for_approvers(facts, whole=True))
    for made in (modals.deny_reason, modals.dispute_reason, modals.approve_less):
        yield made(facts.request, Origin())
    yield modals.break_reason(facts, Origin())
    prefill = Prefill("a/b", HOUR, text, text)
    for terms in (Terms(), Terms(WhoIsAsked(refusal=text))):
        yield forms.ask_open(["a/b"], prefill, terms)


def assert_plain(blocks: Any) -> None:
    for node in walk(blocks):
        if node.get("type") == "mrkdwn":
            assert MARK not in node["text"]
        if node.get("type") == "plain_text":
            assert node["emoji"] is False
        if node.get("type") in ("link", "user", "usergroup", "broadcast", "emoji", "channel"):
            raise AssertionError(node)


def assert_unforgeable(blocks: Any) -> None:
    """Nothing unseen, nothing turned around, and no line of its own."""
    for node in walk(blocks):
        if node.get("type") in ("text", "plain_text") and MARK in node["text"]:
            assert not [
                letter for letter in node["text"] if unicodedata.category(letter)[0] == "C" or letter in "\u2028\u2029"
            ]


def assert_messages_keep_it_plain(kind: Kind, state: State, text: str) -> None:
    for message in messages(typed_everywhere(kind, state, text)):
        assert MARK not in message.text
        assert_plain(message.blocks)
        assert_unforgeable(message.blocks)
        check_blocks(message.blocks)


@pytest.mark.parametrize(("kind", "state"), EVERY)
def test_messages_of_every_state_keep_it_plain(kind: Kind, state: State) -> None:
    assert_messages_keep_it_plain(kind, state, MARK + MARK.join(HOSTILE))


@given(text=TYPED, which=st.sampled_from(EVERY))
def test_messages_keep_any_text_plain(text: str, which: tuple[Kind, State]) -> None:
    assert_messages_keep_it_plain(*which, text)


@given(text=TYPED, which=st.sampled_from(EVERY))
def test_views_keep_it_plain(text: str, which: tuple[Kind, State]) -> None:
    for view in views(typed_everywhere(*which, text), text):
        assert_plain(view)
        check_view(view)


@given(st.text() | TYPED)
def test_cleaned_text_is_one_line_that_is_all_seen(text: str) -> None:
    clean = cleaned(text)
    assert len(clean.splitlines()) <= 1
    assert clean == " ".join(clean.split())
    assert not [letter for letter in clean if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert cleaned(clean) == clean


@given(st.text(), st.integers(1, 50))
def test_cut_text_is_no_longer_than_it_may_be(text: str, most: int) -> None:
    assert len(cleaned(text, most)) <= most


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("plain words, ümläuts, 日本語, 👍", "plain words, ümläuts, 日本語, 👍"),
        ("a\nApproved by Ana", "a Approved by Ana"),
        ("a\u2028b\u2029c\x0bd\x85e", "a b c d e"),
        ("a\u202eb\u2066c\u200bd\ufeffe", "abcde"),
        ("a\u00adb\u034fc\u3164d\u2800e", "abcde"),
        ("a\U000e0041b\ufe0f", "ab"),
        ("a" + "\u0301" * 50, "a" + "\u0301" * 4),
        ("\u00a0 \u3000", ""),
    ],
)
def test_what_is_taken_out(typed: str, shown: str) -> None:
    assert cleaned(typed) == shown


@given(st.text())
def test_a_sentence_of_ours_that_repeats_it_is_escaped(text: str) -> None:
    message = replies.sentence(f"{MARK} {text}")
    assert not re.search(r"[<>]", message.text)
    assert_plain(message.blocks)
    assert_unforgeable(message.blocks)
