"""Elements that hold something: what a person gave becomes Slack's state, checked as a client checks it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from playground.slack.block_rules import elements, options_of
from playground.slack.records import Json, NotPossible

_TEXTS: Final = {"plain_text_input", "email_text_input", "url_text_input", "number_input"}
_PLAIN: Final = {  # element type -> the key its one value has in the state
    **dict.fromkeys(_TEXTS, "value"),
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "users_select": "selected_user",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
    "multi_users_select": "selected_users",
    "multi_channels_select": "selected_channels",
    "multi_conversations_select": "selected_conversations",
    "rich_text_input": "rich_text_value",
}
_ONE_OPTION: Final = {"static_select", "external_select", "radio_buttons", "overflow"}
_MANY_OPTIONS: Final = {"multi_static_select", "multi_external_select", "checkboxes"}
_STATEFUL: Final = {*_PLAIN, *_ONE_OPTION, *_MANY_OPTIONS} - {"overflow"}

_REQUIRED: Final = "Please complete this required field."


def find(blocks: list[Json], action_id: str, block_id: str | None = None) -> tuple[Json, Json]:
    """The block and the element. Raises `NotPossible` when it is not there, or in several blocks and none is named."""
    found = [
        (block, element)
        for block in blocks
        if block_id in (None, block.get("block_id"))
        for _, element in elements(block)
        if element.get("action_id") == action_id
    ]
    if not found:
        there = (
            ", ".join(str(element.get("action_id")) for block in blocks for _, element in elements(block)) or "nothing"
        )
        raise NotPossible(f"There is no {action_id} to use here; there is {there}.")
    if len(found) > 1:
        raise NotPossible(f"{action_id} is in {len(found)} blocks: say which block_id.")
    return found[0]


def chosen(element: Json, given: Any, fetched: list[Json] | None = None) -> Json:
    """What a person gave, as Slack's state of that element.

    `given`: text, date, id, or the value of an option; a list of them for a multi-select and checkboxes; None for nothing.
    `fetched`: the options that an external select was offered. Raises `NotPossible`.
    """
    kind = element["type"]
    if kind in _PLAIN:
        empty: list[str] | None = [] if kind.startswith("multi_") else None
        text = str(given) if kind in _TEXTS and given not in (None, "") else given
        return {"type": kind, _PLAIN[kind]: empty if text in (None, "", []) else text}
    offered = [*options_of(element), *(fetched or [])]
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": None if given in (None, "") else _option(offered, given)}
    if kind in _MANY_OPTIONS:
        return {"type": kind, "selected_options": [_option(offered, value) for value in given or []]}
    raise NotPossible(f"A {kind} holds no value.")


def _option(offered: list[Json], value: Any) -> Json:
    if isinstance(value, dict) and "value" in value:
        value = value["value"]
    for option in offered:
        if option.get("value") == value:
            return option
    raise NotPossible(
        f"{value!r} is not offered; there is {', '.join(str(option.get('value')) for option in offered) or 'nothing'}."
    )


def initial(element: Json) -> Json:
    """What the app put in before the person touched it, as a state."""
    kind = element["type"]
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind in _MANY_OPTIONS:
        return {"type": kind, "selected_options": list(element.get("initial_options") or [])}
    key = _PLAIN[kind]
    return chosen(
        element, element.get("initial_value" if key.endswith("value") else key.replace("selected", "initial", 1))
    )


def stateful(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each block with each of its elements that the state has an entry for."""
    for block in blocks:
        for _, element in elements(block):
            if element.get("type") in _STATEFUL:
                yield block, element


def state_values(blocks: list[Json], given: Mapping[str, Json]) -> Json:
    """`view.state.values`: what was given over what was there at first."""
    values: dict[str, Json] = {}
    for block, element in stateful(blocks):
        block_id, action_id = block["block_id"], element["action_id"]
        held = given.get(block_id, {}).get(action_id)
        fits = held is not None and held["type"] == element["type"]  # an update may have put another element there
        values.setdefault(block_id, {})[action_id] = held if fits else initial(element)
    return values


def complaints(blocks: list[Json], values: Json) -> dict[str, str]:
    """What a client says under the fields before it would submit: block id → text."""
    said: dict[str, str] = {}
    for block, element in stateful(blocks):
        if block["type"] != "input":
            continue
        held = values[block["block_id"]][element["action_id"]]
        content = next((value for key, value in held.items() if key != "type"), None)
        if content in (None, "", []):
            if not block.get("optional"):
                said[block["block_id"]] = _REQUIRED
        elif (complaint := _unfit(element, content)) is not None:
            said[block["block_id"]] = complaint
    return said


def _unfit(element: Json, content: Any) -> str | None:
    match element["type"]:
        case "plain_text_input":
            low, high = element.get("min_length", 0), element.get("max_length", 3000)
            if len(content) > high:
                return f"Please enter no more than {high} characters."
            if len(content) < low:
                return f"Please enter at least {low} characters."
            if "\n" in content and not element.get("multiline"):
                return "Please enter one line."
        case "email_text_input" if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", content):
            return "Please enter an email address."
        case "url_text_input" if not re.match(r"https?://\S+$", content):
            return "Please enter a URL."
        case "number_input":
            try:
                number = float(content)
            except ValueError:
                return "Please enter a number."
            if "." in content and not element.get("is_decimal_allowed"):
                return "Please enter a whole number."
            if number < float(element.get("min_value") or "-inf") or number > float(element.get("max_value") or "inf"):
                return f"Please enter a number from {element.get('min_value', '…')} to {element.get('max_value', '…')}."
        case kind if str(kind).startswith("multi_") and len(content) > (
            element.get("max_selected_items") or len(content)
        ):
            return f"Please choose at most {element['max_selected_items']}."
    return None
