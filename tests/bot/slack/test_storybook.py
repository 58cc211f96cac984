"""Every story is something Slack takes, and there is one for every state."""

from typing import Any, get_args

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.slack import samples
from bot.slack.ids import parse_lock_reference
from bot.slack.storybook import stories
from playground.slack.blocks import check_blocks, check_view
from store.model.effect import News
from store.model.request import Kind, State
from tests.bot.slack.pieces import walk

STORIES = list(stories())
ON_HOME = (
    "home_ask_",
    "home_unlock",
    "home_test_hook",
    "home_policy_changes",
    "home_go_",
    "home_roll_back",
    "home_revoke",
    "home_sign_out",
    "login_",
)  # about a target, a person or a page, not about a request


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
def test_slack_takes_it(story: dict[str, Any]) -> None:
    payload = story["payload"]
    if story["kind"] == "view":
        check_view(payload)
        View(**payload).validate_json()
        return
    check_blocks(payload["blocks"])
    assert len(payload["blocks"]) <= 50
    assert 0 < len(payload["text"]) <= 4_000  # chat.update
    assert sum(len(node["text"]) for node in walk(payload["blocks"]) if isinstance(node.get("text"), str)) < 13_000
    for block in payload["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()


def test_names_are_told_apart() -> None:
    names = [story["name"] for story in STORIES]
    assert len(names) == len(set(names))


def test_every_kind_and_state_and_news_has_its_story() -> None:
    names = {story["name"] for story in STORIES}
    for kind in get_args(Kind):
        for state in samples.STATES[kind]:
            assert {f"card/{kind}-{state}", f"copy/{kind}-{state}"} <= names
    assert {state for states in samples.STATES.values() for state in states} == set(get_args(State))
    assert {f"tell/{news}" for news in get_args(News)} <= names


def test_a_button_carries_a_reference_or_a_target_and_nothing_else() -> None:
    for story in STORIES:
        for node in walk(story["payload"]):
            if node.get("type") == "button" and not node["action_id"].startswith(ON_HOME):
                assert node["value"] == samples.request("open").reference


def test_what_unlocks_carries_whom_and_what_was_seen() -> None:
    carried = {
        node["value"] for story in STORIES for node in walk(story["payload"]) if node.get("action_id") == "home_unlock"
    }
    assert f"U0EVE:{samples.NOW_MS}" in carried
    assert all(parse_lock_reference(value)[0] in ("U0EVE", "U0CHO") for value in carried)


def test_a_button_says_what_it_is_about_to_who_does_not_see_the_card() -> None:
    for story in STORIES:
        for node in walk(story["payload"]):
            if node.get("type") == "button" and not node["action_id"].startswith(ON_HOME):
                heard = node["accessibility_label"]
                assert heard.startswith(f"{node['text']['text']}: ")
                assert any(
                    word in heard
                    for word in ("payments/prod", "role:aws-admin", "policy:main", "keys-3", "machine", "aaaa")
                )


def test_a_message_that_changed_has_other_block_ids_and_the_same_one_the_same() -> None:
    cards = {story["name"]: story["payload"]["blocks"] for story in STORIES if story["name"].startswith("card/open")}
    again = {story["name"]: story["payload"]["blocks"] for story in stories() if story["name"].startswith("card/open")}
    assert cards == again
    none, one = (
        {block["block_id"] for block in cards[name]}
        for name in ("card/open-pending-0-of-2", "card/open-pending-1-of-2")
    )
    assert not none & one


def test_a_date_has_a_fallback_in_utc() -> None:
    dates = [part for story in STORIES for part in str(story["payload"]).split("<!date^")[1:]]
    assert dates
    assert all(date.split(">")[0].endswith(" UTC") for date in dates)
    rich = [node for story in STORIES for node in walk(story["payload"]) if node.get("type") == "date"]
    assert rich
    assert all(node["fallback"].endswith(" UTC") for node in rich)


def test_nothing_is_told_by_an_emoji() -> None:
    for story in STORIES:
        assert not [node for node in walk(story["payload"]) if node.get("type") == "emoji" or node.get("emoji") is True]
