"""The form of blocks and views: structure, enums, unknown keys and sizes, against a schema made from Slack's published types."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema_rs import Draft7Validator, ValidationError, Validator
from jsonschema_rs import ValidationErrorKind as Kind

from playground.slack.block_rules import message_rules, view_rules
from playground.slack.records import Json, SlackError

MAX_SHOWN: Final = 10
MAX_VIEW_BYTES: Final = 250_000  # views.open, view_too_large

_SCHEMA: Final = Path(__file__).with_name("blocks.schema.json")


def check_view(view: Any) -> None:
    """Raises `SlackError`: view_too_large, or invalid_arguments with one message for each fault."""
    if not isinstance(view, dict):
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": ["[ERROR] must be a JSON object [json-pointer:/view]"]}
        )
    if len(json.dumps(view, ensure_ascii=False).encode()) > MAX_VIEW_BYTES:
        raise SlackError("view_too_large")
    definition = {"modal": "ModalView", "home": "HomeView"}.get(str(view.get("type")))
    if definition is None:
        faults = ["must be one of modal, home [json-pointer:/view/type]"]
    else:
        faults = _schema_faults(definition, view, "/view") or view_rules(view)
    if faults:
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": [f"[ERROR] {fault}" for fault in faults[:MAX_SHOWN]]}
        )


def check_blocks(blocks: Any) -> list[Json]:
    """Raises `SlackError`: invalid_blocks_format, or invalid_blocks with one message for each fault."""
    if isinstance(blocks, str):
        blocks = parsed(blocks, "invalid_blocks_format")
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    faults = _schema_faults("SlackMessageBlocks", {"blocks": blocks}, "") or message_rules(blocks)
    if faults:
        raise SlackError(
            "invalid_blocks",
            errors=faults[:MAX_SHOWN],
            response_metadata={"messages": [f"[ERROR] {fault}" for fault in faults[:MAX_SHOWN]]},
        )
    return blocks


def check_attachments(attachments: Any) -> list[Json]:
    if isinstance(attachments, str):
        attachments = parsed(attachments, "invalid_attachments")
    faults = _schema_faults("SlackAttachments", {"attachments": attachments}, "")
    if faults:
        raise SlackError(
            "invalid_attachments", response_metadata={"messages": [f"[ERROR] {fault}" for fault in faults[:MAX_SHOWN]]}
        )
    return list(attachments)


def parsed(text: str, code: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise SlackError(code) from None


def _schema_faults(definition: str, instance: Json, root: str) -> list[str]:
    found: dict[str, None] = {}
    for error in _validators()[definition].iter_errors(instance):
        for leaf in _leaves(error):
            found[f"{_sentence(leaf)} [json-pointer:{root}{''.join(f'/{step}' for step in leaf.instance_path)}]"] = None
    return list(found)


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """The faults themselves, not the unions around them; of a union, the branch that came closest."""
    if not isinstance(error.kind, Kind.AnyOf):
        yield error
        return
    for inner in min(error.kind.context, key=len):
        yield from _leaves(inner)


def _sentence(error: ValidationError) -> str:
    match error.kind:
        case Kind.MaxLength(limit):
            return f"must be less than {limit + 1} characters"
        case Kind.MinLength(limit):
            return f"must be more than {limit - 1} characters"
        case Kind.MaxItems(limit):
            return f"no more than {limit} items allowed"
        case Kind.MinItems(limit):
            return f"no less than {limit} items allowed"
        case Kind.Required(name):
            return f"missing required field: {name}"
        case Kind.Enum() | Kind.Constant():
            return f"unsupported value: {json.dumps(error.instance)[:60]}"
        case Kind.Type(types):
            return f"must provide {' or '.join(types)}"
        case _:
            return error.message[:200]


@cache
def _validators() -> dict[str, Validator]:
    schema = json.loads(_SCHEMA.read_bytes())
    names = ("ModalView", "HomeView", "SlackMessageBlocks", "SlackAttachments")
    return {name: Draft7Validator(schema | {"$ref": f"#/definitions/{name}"}) for name in names}
