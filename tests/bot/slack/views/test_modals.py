"""The other modals: reasons, less time, values, notices."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import ids, samples
from bot.slack.ids import Origin, parse_metadata, parse_reference
from bot.slack.views import modals
from bot.slack.views.card import for_approvers
from bot.slack.views.reading import BadForm
from playground.slack.blocks import check_view
from store.model.policy import HOUR, MINUTE
from store.model.secret import Secret
from tests.bot.slack.pieces import buttons, walk, words

REQUEST = samples.request("open")
ORIGIN = Origin(parse_reference(REQUEST.reference), samples.CHANNEL, "1.2")


@pytest.mark.parametrize(
    ("view", "callback", "says"),
    [
        (modals.deny_reason(REQUEST, ORIGIN), ids.DENY_REASON, "They are told that you denied it, and why."),
        (modals.break_reason(samples.facts(REQUEST, soft=True), ORIGIN), ids.BREAK_REASON, "It holds for 1 h at most."),
        (
            modals.break_reason(samples.facts(REQUEST, soft=True), ORIGIN),
            ids.BREAK_REASON,
            "must countersign within 24 h",
        ),
        (
            modals.break_reason(samples.facts(REQUEST, soft=True), ORIGIN),
            ids.BREAK_REASON,
            "told at once, with your reason",
        ),
        (modals.dispute_reason(REQUEST, ORIGIN), ids.DISPUTE_REASON, "Access that still runs ends at once"),
        (modals.approve_less(REQUEST, ORIGIN), ids.APPROVE_LESS, "The shortest time that any approver agrees to"),
    ],
)
def test_it_says_what_follows_and_remembers_what_was_seen(view: dict[str, Any], callback: str, says: str) -> None:
    assert view["callback_id"] == callback
    assert says in words(view["blocks"])
    assert parse_metadata(view["private_metadata"]) == ORIGIN


@pytest.mark.parametrize(("typed", "reason"), [(" no ", "no"), ("x" * 2_000, "x" * 2_000)])
def test_a_reason_is_read(typed: str, reason: str) -> None:
    assert modals.read_reason({"reason": {"reason": {"value": typed}}}) == reason


@pytest.mark.parametrize("typed", ["", "  \n", None, "x" * 2_001])
def test_no_reason_or_too_much_of_it_is_refused_at_its_field(typed: str | None) -> None:
    with pytest.raises(BadForm) as caught:
        modals.read_reason({"reason": {"reason": {"value": typed}}})
    assert list(caught.value.errors) == ["reason"]


@pytest.mark.parametrize("duration_ms", [1, 1_000, MINUTE, 2 * MINUTE, 61 * MINUTE, 2 * HOUR, 30 * 24 * HOUR])
def test_less_is_less(duration_ms: int) -> None:
    payload = samples.payload("open", duration_ms=duration_ms)
    view = modals.approve_less(samples.request("open", payload=payload), ORIGIN)
    offered = [int(node["value"]) for node in walk(view) if isinstance(node.get("value"), str)]
    assert offered
    assert all(length > 0 for length in offered)
    assert all(length < max(duration_ms, 1_001) for length in offered)
    check_view(view)


def test_a_cap_is_read_or_refused() -> None:
    assert modals.read_cap({"duration": {"duration": {"selected_option": {"value": "60000"}}}}) == 60_000
    for value in (None, {"value": "x"}, {"value": "0"}):
        with pytest.raises(BadForm):
            modals.read_cap({"duration": {"duration": {"selected_option": value}}})


@pytest.mark.parametrize(
    ("value", "shown", "note"),
    [
        (b"hunter2", "hunter2", None),
        (b"two\nlines\t!", "two\nlines\t!", None),
        (b"", None, "empty"),
        (b"\xff\x00\x01", None, "binary, 3 bytes: not shown here"),
        ("pass\u202eword".encode(), None, "characters that do not print"),
        ("zero\u200bwidth".encode(), None, "characters that do not print"),
        (b"x " , "x ", "begins or ends with white space"),
        (b"x" * 2_001, "x" * 2_000, "the first 2,000 of 2,001 characters"),
        (b"<!channel> *bold* :tada:", "<!channel> *bold* :tada:", None),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_it_is_or_said_not_to_be(value: bytes, shown: str | None, note: str | None) -> None:
    view = modals.values("a/b", 7, {"NAME": Secret(value)}, samples.NOW_MS)
    preformatted = [node for node in walk(view) if node.get("type") == "rich_text_preformatted"]
    assert [node["elements"][0]["text"] for node in preformatted] == ([] if shown is None else [shown])
    said = words(view["blocks"])
    assert "`a/b`, version 7. Your access ends <!date^" in said
    if note:
        assert note in said


def test_what_does_not_fit_is_counted() -> None:
    many = {f"NAME_{number:03}": Secret(b"x" * 100) for number in range(500)}
    view = modals.values("a/b", 7, many, samples.NOW_MS)
    assert "420 secrets more: there is no room for them here." in words(view["blocks"])
    assert "There is nothing" in words(modals.values("a/b", 0, {}, samples.NOW_MS)["blocks"])


@given(
    st.dictionaries(
        st.from_regex(r"\A[A-Z]{1,100}\Z"),
        st.binary(max_size=3_000) | st.text(max_size=3_000).map(str.encode),
        max_size=90,
    )
)
def test_slack_takes_whatever_the_values_are(entries: dict[str, bytes]) -> None:
    check_view(modals.values("a/b", 7, {name: Secret(value) for name, value in entries.items()}, samples.NOW_MS))


def test_what_is_only_to_be_read_has_no_buttons() -> None:
    facts = samples.facts(samples.request("change", names=100, reason="x" * 2_000))
    view = modals.details(for_approvers(facts, whole=True))
    assert not buttons(view)
    assert "x" * 2_000 in words(view["blocks"])
    check_view(view)
    check_view(modals.notice("Not done", "You cannot review your own request."))
