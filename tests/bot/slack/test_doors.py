"""Doors: what arrives is read once, and what is no click or form of ours is said to be none."""

import copy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.doors import click, line, shortcut, speaker, submission
from store.model.errors import Invalid

REFERENCE: Final = "REQVEST001:1:" + "a" * 64
ON_MESSAGE: Final[dict[str, Any]] = {
    "type": "block_actions",
    "user": {"id": "U0BEN"},
    "trigger_id": "1.2.3",
    "channel": {"id": "C0PAY"},
    "message": {"ts": "17.1"},
    "actions": [{"action_id": "approve", "action_ts": "18.1", "value": REFERENCE}],
}
AT_HOME: Final[dict[str, Any]] = {
    **{name: value for name, value in ON_MESSAGE.items() if name not in ("channel", "message")},
    "view": {"id": "V1", "type": "home"},
}
ONLY_MINE: Final[dict[str, Any]] = {
    **{name: value for name, value in ON_MESSAGE.items() if name != "message"},
    "container": {"type": "message", "message_ts": "17.2", "channel_id": "C0PAY", "is_ephemeral": True},
}
FORM: Final[dict[str, Any]] = {
    "user": {"id": "U0BEN"},
    "view": {"id": "V1", "callback_id": "ask_open", "state": {"values": {"a": {"b": 1}}}, "private_metadata": "- - -"},
}


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same body with another value at this dotted path; `...` takes it away."""
    other: Any = copy.deepcopy(body)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    at = other
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return other  # type: ignore[no-any-return]  # it is what it was


def test_a_click_on_a_message():
    pressed = click(ON_MESSAGE)
    assert (pressed.user, pressed.action, pressed.value) == ("U0BEN", "approve", REFERENCE)
    assert (pressed.channel, pressed.ts, pressed.view, pressed.trigger) == ("C0PAY", "17.1", None, "1.2.3")
    assert not pressed.at_home
    assert not pressed.in_passing
    assert str(pressed.reference) == REFERENCE


def test_a_click_at_home():
    pressed = click(AT_HOME)
    assert (pressed.channel, pressed.ts, pressed.view) == (None, None, "V1")
    assert pressed.at_home


def test_a_click_on_what_only_one_person_sees():
    pressed = click(ONLY_MINE)
    assert (pressed.ts, pressed.channel) == (None, "C0PAY")
    assert pressed.in_passing


def test_a_choice_in_a_menu_has_the_value_of_its_option():
    action = {"action_id": "more", "action_ts": "18.1", "selected_option": {"value": f"why|{REFERENCE}"}}
    assert click(changed(ON_MESSAGE, "actions.0", action)).value == f"why|{REFERENCE}"
    assert click(changed(ON_MESSAGE, "actions.0", {**action, "selected_option": None})).value == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user.id", "U0INES"),
        ("message.ts", "17.9"),
        ("actions.0.action_id", "deny"),
        ("actions.0.action_ts", "18.2"),
    ],
)
def test_the_same_click_has_the_same_id_and_another_has_another(path, value):
    assert click(copy.deepcopy(ON_MESSAGE)).command_id == click(ON_MESSAGE).command_id
    assert click(changed(ON_MESSAGE, "trigger_id", "another delivery")).command_id == click(ON_MESSAGE).command_id
    assert click(changed(ON_MESSAGE, path, value)).command_id != click(ON_MESSAGE).command_id


NO_CLICKS: Final = [
    ("actions", ...),
    ("actions", []),
    ("actions", None),
    ("actions", {}),
    ("actions.0", "approve"),
    ("actions.0", None),
    ("actions.0.action_id", ...),
    ("actions.0.action_ts", ...),
    ("actions.0.selected_option", "why"),
    ("user", ...),
    ("user", "U0BEN"),
    ("user.id", ...),
    ("trigger_id", ...),
    ("message", ...),
    ("message", None),
    ("message", "17.1"),
    ("message.ts", ...),
    ("channel", "C0PAY"),
    ("view", "V1"),
    ("view", {"type": "home"}),
]


@pytest.mark.parametrize(("path", "value"), NO_CLICKS)
def test_what_is_no_click_of_ours(path, value):
    body = changed(ON_MESSAGE, path, value)
    if path == "actions.0.selected_option":
        body = changed(body, "actions.0.value", ...)
    with pytest.raises(Invalid) as raised:
        click(body)
    assert raised.value.detail == "bad_payload"


@pytest.mark.parametrize(
    "value", ["", "approve", "REQVEST001", "REQVEST001:1", "REQVEST001:x:aa", "REQVEST001:1:zz", "::"]
)
def test_a_value_that_is_no_reference_is_refused_when_it_is_asked_for(value):
    pressed = click(changed(ON_MESSAGE, "actions.0.value", value))
    with pytest.raises(Invalid):
        _ = pressed.reference


def test_a_form():
    sent = submission(FORM)
    assert (sent.user, sent.view, sent.callback, sent.metadata) == ("U0BEN", "V1", "ask_open", "- - -")
    assert sent.values == {"a": {"b": 1}}
    assert sent.command_id == "view:V1"
    assert submission(changed(FORM, "view.private_metadata", ...)).metadata == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user", ...),
        ("user", "U0BEN"),
        ("view", ...),
        ("view", None),
        ("view", "V1"),
        ("view.id", ...),
        ("view.callback_id", ...),
        ("view.state", ...),
        ("view.state", None),
        ("view.state.values", ...),
    ],
)
def test_what_is_no_form_of_ours(path, value):
    with pytest.raises(Invalid) as raised:
        submission(changed(FORM, path, value))
    assert raised.value.detail == "bad_payload"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "ts", "value", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES: Final = (
    "actions", "user", "message", "view", "channel", "container", "trigger_id", "user_id", "channel_id", "text", "callback_id",
)  # fmt: skip


@given(body=st.dictionaries(st.sampled_from(NAMES), JSON))
def test_nothing_that_arrives_is_more_than_invalid(body):
    for read in (click, submission, line, shortcut):
        try:
            read(body)
        except Invalid:
            continue
    assert all(known is None or isinstance(known, str) for known in speaker(body))
