"""The rules about blocks that Slack's documentation states and no schema can: across fields, across blocks, by surface.

They are asked of what the schema has accepted, so they may trust its form.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from playground.slack.records import Json

NOT_ON: Final = {  # docs.slack.dev/reference/block-kit/blocks, "available in surfaces"
    "message": {"file"},
    "modal": {
        "card",
        "carousel",
        "context_actions",
        "data_visualization",
        "data_table",
        "file",
        "markdown",
        "plan",
        "table",
        "task_card",
    },
    "home": {
        "alert",
        "context_actions",
        "data_visualization",
        "data_table",
        "file",
        "markdown",
        "plan",
        "table",
        "task_card",
    },
}
LONGEST_INPUT: Final = 3000  # plain_text_input


def message_rules(blocks: list[Any]) -> list[str]:
    return list(_rules(blocks, "message", ""))


def view_rules(view: Json) -> list[str]:
    blocks = view.get("blocks")
    if not isinstance(blocks, list):
        return []
    found = list(_rules(blocks, str(view["type"]), "/view"))
    if not blocks:
        found.append("no less than 1 items allowed [json-pointer:/view/blocks]")
    if view["type"] == "modal" and not view.get("submit") and any(_type(block) == "input" for block in blocks):
        found.append("submit is required when an input block is present [json-pointer:/view/submit]")
    return found


def elements(block: Json) -> Iterator[tuple[str, Json]]:
    """The interactive elements of a block, each with its place in it."""
    match block.get("type"):
        case "actions" | "context_actions":
            candidates = [(f"/elements/{place}", element) for place, element in enumerate(block.get("elements") or [])]
        case "section":
            candidates = [("/accessory", block.get("accessory"))]
        case "input":
            candidates = [("/element", block.get("element"))]
        case _:
            candidates = []
    for place, element in candidates:
        if isinstance(element, dict) and element.get("type") != "image":
            yield place, element


def options_of(element: Json) -> list[Json]:
    groups = [group for group in element.get("option_groups") or [] if isinstance(group, dict)]
    offered = [*(element.get("options") or []), *(option for group in groups for option in group.get("options") or [])]
    return [option for option in offered if isinstance(option, dict)]


def _type(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None


def _rules(blocks: list[Any], surface: str, root: str) -> Iterator[str]:
    seen: set[str] = set()
    focused = 0
    for place, block in enumerate(blocks):
        at = f"{root}/blocks/{place}"
        if not isinstance(block, dict):
            continue
        block_id = block.get("block_id")
        if block_id in seen:
            yield f"`block_id` {block_id} already exists [json-pointer:{at}/block_id]"
        seen |= {block_id} if isinstance(block_id, str) else set()
        if block.get("type") in NOT_ON[surface]:
            yield f"unsupported type: {block['type']} [json-pointer:{at}/type]"
        if block.get("type") == "section" and not block.get("text") and not block.get("fields"):
            yield f"missing required field: text or fields [json-pointer:{at}]"
        inside = list(elements(block))
        for action_id, times in Counter(element.get("action_id") for _, element in inside).items():
            if times > 1 and action_id is not None:
                yield f"`action_id` {action_id} already exists [json-pointer:{at}]"
        for where, element in inside:
            focused += bool(element.get("focus_on_load"))
            yield from (f"{rule} [json-pointer:{at}{where}]" for rule in _element_rules(element, surface))
    if focused > 1:
        yield f"only one element can have focus_on_load [json-pointer:{root}/blocks]"


def _element_rules(element: Json, surface: str) -> Iterator[str]:
    kind = element.get("type")
    if kind == "plain_text_input":
        low, high, initial = (
            element.get("min_length") or 0,
            element.get("max_length") or LONGEST_INPUT,
            element.get("initial_value") or "",
        )
        if isinstance(low, int) and isinstance(high, int) and low > high:
            yield "min_length must not be over max_length"
        if isinstance(high, int) and isinstance(initial, str) and len(initial) > high:
            yield f"initial_value must be less than {high + 1} characters"
    if kind == "file_input" and surface != "modal":
        yield "unsupported type: file_input"
    if kind in ("static_select", "multi_static_select"):
        if (element.get("options") is None) == (element.get("option_groups") is None):
            yield "exactly one of options and option_groups is required"
        elif not element.get("options") and not element.get("option_groups"):
            yield "no less than 1 items allowed"
    if kind in ("overflow", "checkboxes", "radio_buttons") and not element.get("options"):
        yield "no less than 1 items allowed"
    if element.get("confirm") and not element["confirm"].get("title"):
        yield "missing required field: confirm.title"
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", element.get("initial_date", "2026-01-01")):
        yield "initial_date must be YYYY-MM-DD"
    if not re.fullmatch(r"\d{2}:\d{2}", element.get("initial_time", "00:00")):
        yield "initial_time must be HH:mm"
    offered = options_of(element)
    if any(not option.get("value") for option in offered if kind != "overflow" or not option.get("url")):
        yield "missing required field: option value"
    if len({str(option.get("value")) for option in offered}) < len(offered):
        yield "options must have distinct values"
    chosen = [
        *(element.get("initial_options") or []),
        *([element["initial_option"]] if element.get("initial_option") else []),
    ]
    if offered and any(option not in offered for option in chosen):
        yield "initial option must be one of the options"
