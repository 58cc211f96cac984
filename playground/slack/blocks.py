"""The form of blocks and views: structure, enums, unknown keys and sizes, against a schema made from Slack's published types."""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

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
            found[f"{_sentence(leaf)} [json-pointer:{root}{''.join(f'/{step}' for step in leaf.absolute_path)}]"] = None
    return list(found)


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """The faults themselves, not the unions around them; of a union, the branch that came closest."""
    if not error.context:
        yield error
        return
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0] if error.validator == "anyOf" else None, []).append(inner)
    for inner in min(branches.values(), key=len):
        yield from _leaves(inner)


def _sentence(error: ValidationError) -> str:
    limit: Any = error.validator_value
    match error.validator:
        case "maxLength":
            return f"must be less than {limit + 1} characters"
        case "minLength":
            return f"must be more than {limit - 1} characters"
        case "maxItems":
            return f"no more than {limit} items allowed"
        case "minItems":
            return f"no less than {limit} items allowed"
        case "required":
            return f"missing required field: {error.message.split(' ')[0].strip(chr(39))}"
        case "enum" | "const" | "byType":
            return f"unsupported value: {json.dumps(error.instance)[:60]}"
        case "type":
            return f"must provide {limit}"
        case _:
            return error.message[:200]


def _follow(validator: Validator, reference: str, instance: Any, _schema: Json) -> Iterator[ValidationError]:
    yield from validator.descend(instance, _definitions()[reference.rpartition("/")[2]])  # type: ignore[attr-defined]  # not in the protocol


def _by_type(validator: Validator, branches: Json, instance: Any, _schema: Json) -> Iterable[ValidationError]:
    if isinstance(instance, dict) and (branch := branches.get(str(instance.get("type")))) is not None:
        yield from validator.descend(instance, branch)  # type: ignore[attr-defined]  # not in the protocol


@cache
def _definitions() -> Json:
    definitions: Json = _indexed(json.loads(_SCHEMA.read_bytes())["definitions"])
    return definitions


def _descend(
    validator: Validator, instance: Any, schema: Any, path: Any = None, schema_path: Any = None, resolver: None = None
) -> Iterator[ValidationError]:
    """As jsonschema's own, but with one validator all the way down: it makes a new one at each step, to follow
    references relative to where they stand, and ours are not. More than half of its time went into that."""
    if not isinstance(schema, dict):
        yield from Draft7Validator.descend(validator, instance, schema, path, schema_path, resolver)  # type: ignore[arg-type]  # not in the protocol
        return
    for keyword, value in [("$ref", schema["$ref"])] if "$ref" in schema else schema.items():
        check = validator.VALIDATORS.get(keyword)
        for error in () if check is None else check(validator, value, instance, schema) or ():
            error._set(  # noqa: SLF001  # what it tells of itself, if who found it has not said so yet
                validator=keyword,
                validator_value=value,
                instance=instance,
                schema=schema,
                type_checker=validator.TYPE_CHECKER,
            )
            if keyword not in {"if", "$ref"}:
                error.schema_path.appendleft(keyword)
            if path is not None:
                error.path.appendleft(path)
            if schema_path is not None:
                error.schema_path.appendleft(schema_path)
            yield error


@cache
def _validators() -> dict[str, Validator]:
    names = ("ModalView", "HomeView", "SlackMessageBlocks", "SlackAttachments")
    by_look_up = extend(Draft7Validator, {"$ref": _follow, "byType": _by_type})  # type: ignore[no-untyped-call]  # the stubs leave it bare
    by_look_up.descend = _descend
    return {name: by_look_up(_definitions()[name]) for name in names}


def _indexed(schema: Any) -> Any:
    """A union told apart by `type` is looked up instead of tried: about twenty times faster."""
    if isinstance(schema, list):
        return [_indexed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    branches = {}
    rest = []
    for branch in schema.get("allOf") or []:
        condition = branch.get("if", {}).get("properties", {}).get("type", {}) if "else" not in branch else {}
        if set(branch.get("if", {}).get("properties", {})) == {"type"} and "const" in condition:
            branches[condition["const"]] = _indexed(branch["then"])
        else:
            rest.append(_indexed(branch))
    indexed = {key: _indexed(value) for key, value in schema.items() if key != "allOf"}
    return indexed | ({"allOf": rest} if rest else {}) | ({"byType": branches} if branches else {})
