"""Reading: what a submitted form holds, found by action id. Whatever is missing is empty."""

from collections.abc import Mapping
from typing import Any

from store.model.errors import Invalid


class BadForm(Invalid):
    """`errors`: block id -> a sentence. None of them repeats what was typed."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()), code="bad_form")
        self.errors = errors


def typed(values: Mapping[str, Any], action_id: str) -> str:
    """The text of an input, or the value that was chosen."""
    state = _state(values, action_id)[1]
    chosen = state.get("selected_option")
    if isinstance(chosen, Mapping):
        return str(chosen.get("value") or "")
    return str(state.get("value") or "")


def chosen(values: Mapping[str, Any], action_id: str) -> tuple[str, ...]:
    """The values of a multi-select."""
    options = _state(values, action_id)[1].get("selected_options")
    return tuple(str(one.get("value") or "") for one in options) if isinstance(options, list) else ()


def person(values: Mapping[str, Any], action_id: str) -> str | None:
    """Who was chosen in a list of people."""
    picked = _state(values, action_id)[1].get("selected_user")
    return picked if isinstance(picked, str) and picked else None


def block_of(values: Mapping[str, Any], action_id: str) -> str:
    """Where a sentence about this field belongs; the action id itself where the field is not on the form."""
    return _state(values, action_id)[0]


def _state(values: Mapping[str, Any], action_id: str) -> tuple[str, Mapping[str, Any]]:
    for block_id, fields in values.items():
        if isinstance(fields, Mapping) and isinstance(fields.get(action_id), Mapping):
            return block_id, fields[action_id]
    return action_id, {}
