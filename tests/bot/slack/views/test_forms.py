"""What a form offers, what it says before one asks, and what is read out of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import ids, samples
from bot.slack.views import answers, forms
from bot.slack.views.answers import Asked, AskedChange, Edited
from bot.slack.views.facts import Prefill, Terms, View, WhoIsAsked
from bot.slack.views.reading import BadForm
from store.model.explain import Question, explain
from store.model.identity import Target
from store.model.people import People
from store.model.policy import HOUR, MINUTE, Ticket
from store.model.secret import Secret
from tests.bot.slack.pieces import walk, words

QUESTION = Question(samples.DEV, "open", Target.parse("payments/prod"), HOUR)
RULES = samples.policies(samples.policy(thresholds=2))
WHO = WhoIsAsked(explain(QUESTION, RULES, samples.people()))
TERMS = Terms(WHO, enters=True, names=("A", "B"))
CANARY = "c4nary-hunter2"


def element(view: View, action_id: str) -> Any:
    return next((node for node in walk(view) if node.get("action_id") == action_id), None)


def block(view: View, action_id: str) -> dict[str, Any]:
    return next(one for one in view["blocks"] if one.get("element", {}).get("action_id") == action_id)


def lengths(view: View) -> list[int]:
    select = element(view, ids.DURATION)
    assert select is not None
    return [int(option["value"]) for option in select["options"]]


def filled(**fields: Any) -> dict[str, Any]:
    """State as Slack sends it: texts, chosen values, lists of chosen values."""

    def state(value: Any) -> dict[str, Any]:
        if isinstance(value, list):
            return {"type": "multi_static_select", "selected_options": [{"value": one} for one in value]}
        return {"type": "plain_text_input", "value": value}

    values = {name: {name: state(value)} for name, value in fields.items()}
    for name in ("target", "duration"):
        if name in fields:
            chosen = {"value": fields[name]} if fields[name] is not None else None
            values[name] = {name: {"type": "static_select", "selected_option": chosen}}
    return values


def test_it_says_who_is_asked_and_how_many_must_agree() -> None:
    view = forms.ask_open(["payments/prod"], Prefill("payments/prod"), TERMS)
    said = words(view["blocks"])
    for line in ("Who is asked", "“payments production” decides", "2 approvals are needed, all different.", "enough."):
        assert line in said
    for line in ("1 h; 4 h at most", "An approval waits 8 h for its first use", "A reason and a ticket like"):
        assert line in said
    named = [node for node in walk(view) if node.get("type") in ("user", "usergroup", "channel")]
    assert {"type": "usergroup", "usergroup_id": samples.LEADS} in named
    assert {"type": "user", "user_id": samples.BEN} in named
    assert {"type": "channel", "channel_id": samples.CHANNEL} in named


def test_what_slack_has_not_told_yet_is_said() -> None:
    def said(who: WhoIsAsked) -> str:
        return words(forms.ask_open(["payments/prod"], Prefill("payments/prod"), Terms(who))["blocks"])

    unknown = WhoIsAsked(explain(QUESTION, RULES, People(samples.NOW_MS)), asking=True)
    assert "Asking Slack who could approve it now" in said(unknown)
    assert "Slack has not told us in time" in said(replace(unknown, asking=False))
    assert "Slack" not in said(WHO)


def test_what_one_may_ask_for_is_a_choice_where_there_is_one() -> None:
    one = forms.ask_open(["a/b"], Prefill("a/b", kinds=("open",)), TERMS)
    assert element(one, ids.KIND) is None
    for draw, kind in ((forms.ask_open, "open"), (forms.ask_change, "change"), (forms.ask_access, "access")):
        select = element(draw(["a/b"], Prefill("a/b", kinds=("open", "access", "change")), TERMS), ids.KIND)
        assert select is not None
        assert select["initial_option"]["value"] == kind
        assert [option["value"] for option in select["options"]] == ["open", "access", "change"]


def test_what_cannot_be_asked_cannot_be_sent() -> None:
    refused = Terms(WhoIsAsked(refusal="Nobody <!channel> could approve this."))
    for draw in (forms.ask_open, forms.ask_access, forms.ask_change):
        view = draw(["payments/prod", "payments/staging"], Prefill("payments/prod"), refused)
        assert "submit" not in view
        assert "This cannot be asked for. Nobody <!channel> could approve this." in words(view["blocks"])
        assert not [node for node in walk(view) if node.get("type") == "mrkdwn" and "channel" in node["text"]]
        assert element(view, ids.TARGET) is not None  # another one can be chosen


def test_lengths_stay_within_the_rule_and_the_default_is_chosen() -> None:
    terms = Terms(WHO, default_ms=HOUR, max_ms=100 * MINUTE)
    view = forms.ask_open(["payments/prod"], Prefill("payments/prod"), terms)
    assert max(lengths(view)) == 100 * MINUTE
    assert element(view, ids.DURATION)["initial_option"]["text"]["text"] == "1 h"


@pytest.mark.parametrize(
    ("wanted", "chosen", "says"),
    [
        (37 * MINUTE, "37 min", "It runs from the first use."),
        (8 * HOUR, "4 h", "You wanted 8 h: 4 h is the most there is."),
    ],
)
def test_a_length_that_was_typed_is_chosen_or_cut_to_the_most(wanted: int, chosen: str, says: str) -> None:
    view = forms.ask_open(["payments/prod"], Prefill("payments/prod", wanted), TERMS)
    assert element(view, ids.DURATION)["initial_option"]["text"]["text"] == chosen
    assert block(view, ids.DURATION)["hint"]["text"] == says


@given(most=st.integers(1, 10**12), default=st.integers(1, 10**12), wanted=st.none() | st.integers(1, 10**12))
def test_the_chosen_length_is_always_one_of_those_offered(most: int, default: int, wanted: int | None) -> None:
    view = forms.ask_open(["a/b"], Prefill("a/b", wanted), Terms(WHO, default_ms=default, max_ms=most))
    select = element(view, ids.DURATION)
    assert select is not None
    assert select["initial_option"] in select["options"]
    assert all(0 < length <= most for length in lengths(view))


def test_a_ticket_is_asked_for_where_the_rule_wants_one() -> None:
    def drawn(ticket: Ticket | None) -> View:
        return forms.ask_open(["a/b"], Prefill("a/b"), Terms(WHO, ticket=ticket))

    assert element(drawn(None), ids.TICKET) is None
    assert "optional" not in block(drawn(Ticket(pattern="^A-[0-9]+$")), ids.TICKET)
    assert (
        block(drawn(Ticket(pattern="^A-[0-9]+$")), ids.TICKET)["hint"]["text"] == "It must match the pattern ^A-[0-9]+$"
    )
    assert block(drawn(Ticket(pattern="x", required=False)), ids.TICKET)["optional"] is True


def test_a_reason_is_optional_only_where_the_rule_says_so() -> None:
    def drawn(*, required: bool) -> View:
        return forms.ask_open(["a/b"], Prefill("a/b"), Terms(WHO, reason_required=required))

    assert "optional" not in block(drawn(required=True), ids.REASON)
    assert block(drawn(required=False), ids.REASON)["optional"] is True


def test_a_choice_is_announced_so_that_the_form_can_say_who_is_asked() -> None:
    view = forms.ask_open(["a/b", "c/d"], Prefill(), None)
    assert block(view, ids.TARGET)["dispatch_action"] is True
    assert "then this form says who is asked" in words(view["blocks"])


def test_what_was_typed_keeps_its_field_and_what_depends_on_the_target_does_not() -> None:
    one, two = (forms.ask_change(["a/b", "c/d"], Prefill(name), TERMS) for name in ("a/b", "c/d"))
    assert block(one, ids.REASON)["block_id"] == block(two, ids.REASON)["block_id"] == ids.REASON
    for field in (ids.SET, ids.REMOVE):
        assert block(one, field)["block_id"] != block(two, field)["block_id"]
        assert block(one, field)["block_id"].startswith(f"{field}:")


def test_more_targets_than_a_list_holds_are_searched_for() -> None:
    crowd = [f"team-{number}/prod" for number in range(101)]
    plain, searched = (forms.ask_open(names, Prefill(names[0]), TERMS) for names in (crowd[:100], crowd))
    assert block(plain, ids.TARGET)["element"]["type"] == "static_select"
    assert block(searched, ids.TARGET)["element"]["type"] == "external_select"
    assert block(searched, ids.TARGET)["element"]["initial_option"]["value"] == "team-0/prod"
    assert len(forms.target_options(crowd, "")) == 100
    assert [option["value"] for option in forms.target_options(crowd, " TEAM-99 ")] == ["team-99/prod"]


def test_the_change_form_says_what_slack_is_not() -> None:
    said = words(forms.ask_change(["a/b"], Prefill("a/b"), TERMS)["blocks"])
    assert "Slack has no password field" in said
    assert "passes through Slack" in said
    assert "3,000 characters in all are the limit" in said


def test_values_are_entered_only_where_the_target_says_so() -> None:
    view = forms.ask_change(["a/b"], Prefill("a/b"), Terms(WHO, enters=False, names=("A",)))
    assert "this takes references only: `countersign seal a/b` at your terminal" in words(view["blocks"])
    assert element(view, ids.SET)["placeholder"]["text"].startswith("NAME=sealed:")
    assert element(view, ids.REMOVE) is not None
    takes = forms.ask_change(["a/b"], Prefill("a/b"), Terms(WHO, enters=True))
    assert element(takes, ids.SET)["placeholder"]["text"] == "NAME=value"


def test_names_that_no_list_holds_are_typed() -> None:
    def remove(*names: str) -> Any:
        return element(forms.ask_change(["a/b"], Prefill("a/b"), Terms(WHO, enters=True, names=names)), ids.REMOVE)

    assert remove() is None
    assert remove("A")["type"] == "multi_static_select"
    assert remove(*(f"N{number}" for number in range(101)))["type"] == "plain_text_input"
    assert remove("x/" * 80 + "y")["type"] == "plain_text_input"


def test_reading_what_was_asked() -> None:
    values = filled(target="payments/prod", duration="7200000", reason="  because  ", ticket=" PAY-1 ")
    assert answers.read_open(values) == Asked("payments/prod", 7_200_000, "because", "PAY-1")
    assert answers.read_open(filled(target="a/b", reason=None)) == Asked("a/b")
    assert forms.chosen_target(values) == "payments/prod"
    assert answers.so_far(values, "C1") == Prefill("payments/prod", 7_200_000, "because", "PAY-1", "C1")


@pytest.mark.parametrize("length", ["", "x", "-1", "0", "1e9", "٣", "9" * 30])
def test_a_length_that_no_form_offers_is_none(length: str) -> None:
    assert answers.read_open(filled(target="a/b", duration=length)).duration_ms is None


def test_a_form_without_a_target_says_so_at_its_field() -> None:
    values = {"target": {"target": {"type": "static_select", "selected_option": None}}}
    with pytest.raises(BadForm) as caught:
        answers.read_open(values)
    assert caught.value.errors == {"target": "Choose what you ask for."}


def test_values_come_out_as_secrets_exactly_as_typed() -> None:
    typed = f"A={CANARY}\r\n\n B = spaced \nC=\nD=a=b=c"
    asked = answers.read_change({**filled(target="a/b", reason="why"), "set:a/b": {"set": {"value": typed}}})
    assert asked == AskedChange(
        "a/b",
        {"A": Secret(CANARY.encode()), "B": Secret(b" spaced "), "C": Secret(b""), "D": Secret(b"a=b=c")},
        (),
        "why",
    )
    assert CANARY not in repr(asked)


@pytest.mark.parametrize("remove", [["A", "B", "A"], "A\n\n B \nA"])
def test_names_to_remove_are_picked_or_typed(remove: Any) -> None:
    assert answers.read_change(filled(target="a/b", remove=remove)).remove == ("A", "B")


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"set": ""}, "set", "Set a value"),
        ({}, "set", "Set a value"),
        ({"set": f"A=1\n{CANARY}"}, "set", "Line 2 has no “=”"),
        ({"set": f"{CANARY}!=x"}, "set", "Line 1: before"),
        ({"set": f"=={CANARY}"}, "set", "Line 1: before"),
        ({"set": f"A=1\nA={CANARY}"}, "set", "Line 2 sets a name that was set above"),
        ({"set": f"A={CANARY}", "remove": ["A"]}, "remove", "set above and removed here"),
        ({"set": "\n".join(f"A{number}={CANARY}" for number in range(101))}, "set", "at most 100"),
        ({"remove": [f"A{number}" for number in range(101)]}, "remove", "at most 100"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_without_a_value(fields: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(BadForm) as caught:
        answers.read_change(filled(target="a/b", **fields))
    [(where, sentence)] = caught.value.errors.items()
    assert where == field
    assert says in sentence
    assert CANARY not in f"{caught.value!r}{caught.value.errors}{caught.value.sentence}"


@given(st.text(max_size=3_000))
def test_no_text_in_the_field_gets_into_an_error(text: str) -> None:
    typed = text.replace("=", CANARY) + CANARY
    with pytest.raises(BadForm) as caught:
        answers.read_change(filled(target="a/b", set=typed))
    assert CANARY not in str(caught.value.errors)


ORIGIN = ids.Origin(ids.parse_reference(samples.request("open").reference), samples.CHANNEL, "1.2")


def test_to_edit_begins_with_what_was_asked() -> None:
    terms = Terms(WHO, max_ms=4 * HOUR, ticket=Ticket(pattern="^[A-Z]+-[0-9]+$"))
    view = forms.edit(samples.facts(samples.request("open")), terms, ORIGIN)
    assert block(view, ids.REASON)["element"]["initial_value"] == samples.REASON
    assert block(view, ids.TICKET)["element"]["initial_value"] == "PAY-41"
    assert block(view, ids.DURATION)["element"]["initial_option"]["value"] == str(2 * HOUR)
    assert ids.parse_metadata(view["private_metadata"]) == ORIGIN
    assert "Nobody has voted yet." in words(view["blocks"])


@pytest.mark.parametrize("state", ["pending", "stale"])
def test_of_a_change_other_values_are_typed_only_where_slack_takes_them(state: Any) -> None:
    facts = samples.facts(samples.request("change", state))
    view = forms.edit(facts, TERMS, ORIGIN)
    assert [node["action_id"] for node in walk(view) if "action_id" in node] == [ids.SET, ids.REMOVE, ids.REASON]
    select = element(view, ids.REMOVE)
    assert select is not None
    assert [option["value"] for option in select["options"]] == ["PROCESSOR_KEY_1", "PROCESSOR_KEY_2"]
    assert block(view, ids.REMOVE)["label"]["text"] == "Leave out of this request"
    assert element(forms.edit(facts, Terms(WHO), ORIGIN), ids.SET)["placeholder"]["text"].startswith("NAME=sealed:")
    one = samples.facts(samples.request("change", state, names=1))
    assert element(forms.edit(one, TERMS, ORIGIN), ids.REMOVE) is None
    said = words(view["blocks"])
    assert "PROCESSOR_KEY_1" in said
    assert "nothing has to be typed again" in said
    assert ("on top of what is there now" in said) is (state == "stale")
    assert view["submit"]["text"] == ("Ask again" if state == "stale" else "Save")


def test_what_may_not_be_asked_any_more_cannot_be_edited() -> None:
    refused = Terms(WhoIsAsked(refusal="Nobody could approve this."))
    view = forms.edit(samples.facts(samples.request("open")), refused, ORIGIN)
    assert "submit" not in view
    assert "Nobody could approve this." in words(view["blocks"])


def test_what_was_edited_is_read() -> None:
    assert answers.read_edit(filled(reason=" why ", ticket="A-1", duration=str(HOUR))) == Edited("why", "A-1", HOUR)
    assert answers.read_edit(filled(reason=None)) == Edited("", None, None)
    both = answers.read_edit(filled(reason="why", set=f"A={CANARY}", remove=["B"]))
    assert both == Edited("why", None, None, {"A": Secret(CANARY.encode())}, ("B",))
    for wrong in (filled(set=f"A={CANARY}", remove=["A"]), filled(set=CANARY)):
        with pytest.raises(BadForm) as refusal:
            answers.read_edit(wrong)
        assert CANARY not in refusal.value.sentence
