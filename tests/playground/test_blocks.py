"""Blocks and views that Slack refuses are refused, with a pointer to the place."""

import pytest

from playground.slack.blocks import check_blocks, check_view
from playground.slack.records import Json, SlackError
from tests.playground.small import actions, button, field, home, modal, option, section, text_input

CONFIRM = {"title": {"type": "plain_text", "text": "Sure?"}, "text": {"type": "plain_text", "text": "Really"}}
CONFIRM |= {"confirm": {"type": "plain_text", "text": "Yes"}, "deny": {"type": "plain_text", "text": "No"}}


def select(**more) -> Json:
    return {"type": "static_select", "action_id": "pick", "options": [option("a"), option("b")]} | more


def plain(length: int) -> Json:
    return {"type": "plain_text", "text": "x" * length}


BAD_BLOCKS = {
    "unknown type": ([{"type": "sektion"}], "/blocks/0/type"),
    "unknown key": ([section() | {"colour": "red"}], "/blocks/0"),
    "no type": ([{"text": "x"}], "/blocks/0"),
    "fifty-one": ([section(block_id=str(n)) for n in range(51)], "/blocks"),
    "same block_id": ([section(), section()], "/blocks/1/block_id"),
    "long block_id": ([section(block_id="x" * 256)], "/blocks/0/block_id"),
    "header 151": ([{"type": "header", "text": plain(151)}], "/blocks/0/text/text"),
    "header in mrkdwn": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "/blocks/0/text/type"),
    "section 3001": ([section("x" * 3001)], "/blocks/0/text/text"),
    "section empty": ([{"type": "section", "block_id": "s"}], "/blocks/0"),
    "eleven fields": ([{"type": "section", "fields": [plain(1)] * 11}], "/blocks/0/fields"),
    "field 2001": ([{"type": "section", "fields": [plain(2001)]}], "/blocks/0/fields/0/text"),
    "context of eleven": ([{"type": "context", "elements": [plain(1)] * 11}], "/blocks/0/elements"),
    "no elements": ([actions()], "/blocks/0/elements"),
    "twenty-six elements": ([actions(*(button(str(n)) for n in range(26)))], "/blocks/0/elements"),
    "same action_id": ([actions(button(), button())], "/blocks/0"),
    "button text 76": ([actions(button(text=plain(76)))], "/blocks/0/elements/0/text/text"),
    "button value 2001": ([actions(button(value="x" * 2001))], "/blocks/0/elements/0/value"),
    "button style": ([actions(button(style="blue"))], "/blocks/0/elements/0/style"),
    "confirm title 101": (
        [actions(button(confirm=CONFIRM | {"title": plain(101)}))],
        "/blocks/0/elements/0/confirm/title/text",
    ),
    "options twice": ([actions(select(options=[option("a"), option("a")]))], "/blocks/0/elements/0"),
    "no options": ([actions(select(options=[]))], "/blocks/0/elements/0"),
    "both kinds of options": (
        [actions(select(option_groups=[{"label": plain(1), "options": [option("c")]}]))],
        "/blocks/0/elements/0",
    ),
    "a hundred and one options": (
        [actions(select(options=[option(str(n)) for n in range(101)]))],
        "/blocks/0/elements/0/options",
    ),
    "foreign initial option": ([actions(select(initial_option=option("z")))], "/blocks/0/elements/0"),
    "option value 151": (
        [actions(select(options=[option("x" * 151) | {"text": plain(1)}]))],
        "/blocks/0/elements/0/options/0/value",
    ),
    "six in an overflow": (
        [actions({"type": "overflow", "action_id": "o", "options": [option(str(n)) for n in range(6)]})],
        "/blocks/0/elements/0/options",
    ),
    "empty overflow": ([actions({"type": "overflow", "action_id": "o", "options": []})], "/blocks/0/elements/0"),
    "confirm without title": ([actions(button(confirm={"text": plain(1)}))], "/blocks/0/elements/0"),
    "option without value": ([actions(select(options=[{"text": plain(1)}]))], "/blocks/0/elements/0"),
    "a date in words": (
        [actions({"type": "datepicker", "action_id": "d", "initial_date": "today"})],
        "/blocks/0/elements/0",
    ),
    "two with focus": ([actions(select(focus_on_load=True), select(action_id="other", focus_on_load=True))], "/blocks"),
}

GOOD_BLOCKS = [
    section("x" * 3000),
    {"type": "header", "block_id": "h", "text": plain(150)},
    {"type": "divider"},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "<!date^1^{date}|then>"}]},
    actions(button(confirm=CONFIRM, style="danger"), select(), block_id="a"),
    {
        "type": "section",
        "block_id": "with",
        "text": {"type": "mrkdwn", "text": "*x*"},
        "accessory": {"type": "overflow", "action_id": "o", "options": [option("a")]},
    },
    {
        "type": "rich_text",
        "elements": [
            {"type": "rich_text_section", "elements": [{"type": "text", "text": "typed", "style": {"code": True}}]}
        ],
    },
]


@pytest.mark.parametrize("case", BAD_BLOCKS)
def test_bad_blocks(case):
    blocks, pointer = BAD_BLOCKS[case]
    with pytest.raises(SlackError) as caught:
        check_blocks(blocks)
    assert caught.value.code == "invalid_blocks"
    assert any(
        f"[json-pointer:{pointer}]" in message for message in caught.value.more["response_metadata"]["messages"]
    ), caught.value.more


def test_good_blocks():
    assert check_blocks(GOOD_BLOCKS) == GOOD_BLOCKS


@pytest.mark.parametrize("blocks", ["[{", {"type": "section"}, 7])
def test_what_is_no_list_of_blocks(blocks):
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        check_blocks(blocks)


BAD_VIEWS = {
    "no title": ({"type": "modal", "blocks": [section()]}, "/view"),
    "title 25": (modal(title=plain(25)), "/view/title/text"),
    "submit 25": (modal(submit=plain(25)), "/view/submit/text"),
    "input without submit": ({key: value for key, value in modal().items() if key != "submit"}, "/view/submit"),
    "metadata 3001": (modal(private_metadata="x" * 3001), "/view/private_metadata"),
    "a hundred and one": (modal(*(section(block_id=str(n)) for n in range(101))), "/view/blocks"),
    "unknown key": (modal(colour="red"), "/view"),
    "no blocks": (home() | {"blocks": []}, "/view/blocks"),
    "submit on a home": (home() | {"submit": plain(1)}, "/view"),
    "no such type": ({"type": "dialog", "blocks": []}, "/view/type"),
    "a table in a modal": (
        modal({"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}),
        "/view/blocks/0/type",
    ),
    "label missing": (modal({"type": "input", "block_id": "x", "element": text_input()}), "/view/blocks/0"),
    "min over max": (modal(field(text_input(min_length=9, max_length=3))), "/view/blocks/0/element"),
    "initial over max": (modal(field(text_input(initial_value="long", max_length=3))), "/view/blocks/0/element"),
    "placeholder 151": (modal(field(text_input(placeholder=plain(151)))), "/view/blocks/0/element/placeholder/text"),
    "eleven boxes": (
        modal(field({"type": "checkboxes", "action_id": "c", "options": [option(str(n)) for n in range(11)]})),
        "/view/blocks/0/element/options",
    ),
    "a button as an input": (modal(field(button())), "/view/blocks/0/element/type"),
}


@pytest.mark.parametrize("case", BAD_VIEWS)
def test_bad_views(case):
    view, pointer = BAD_VIEWS[case]
    with pytest.raises(SlackError) as caught:
        check_view(view)
    assert caught.value.code == "invalid_arguments"
    assert any(
        f"[json-pointer:{pointer}]" in message for message in caught.value.more["response_metadata"]["messages"]
    ), caught.value.more


def test_good_views():
    check_view(modal())
    check_view(modal(*GOOD_BLOCKS, field(text_input(multiline=True, max_length=3000), hint=plain(10), optional=True)))
    check_view(home(*GOOD_BLOCKS))


def test_a_view_over_250_kilobytes():
    with pytest.raises(SlackError, match="view_too_large"):
        check_view(modal(*(section("é" * 2999, block_id=str(n)) for n in range(50))))
