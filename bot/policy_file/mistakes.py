"""What pydantic found wrong, said in the words of the file."""

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bot.policy_file import schema
from bot.policy_file.problems import Finding, Path
from store.model.identity import shown


def findings(error: ValidationError, tree: Any) -> Iterator[Finding]:
    for detail in error.errors(include_url=False):
        path = tuple(step for step in detail["loc"] if step != "[key]")
        at_key = detail["loc"][-1:] == ("[key]",) or detail["type"] == "extra_forbidden"
        yield Finding(path, _sentence(detail, path, _value(tree, path)), at_key=at_key)


def _sentence(detail: ErrorDetails, path: Path, value: Any) -> str:
    name = path[-1] if path else "the file"
    match detail["type"]:
        case "missing":
            return f"“{name}” is missing; add {_example(path)}."
        case "extra_forbidden":
            known = sorted(schema.at(path[:-1]).get("properties", {}))
            return f"{shown(str(name))} is not a key here; {_nearest(str(name), known, 'the keys here are')}"
        case "literal_error":
            if not isinstance(value, str):
                return f"here stands {_shape(value)}; write a single value."
            options = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            return f"{shown(value)} is not one of the choices; {_nearest(value, options, 'write one of')}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"here stands {_shape(value)}, not a mapping; write {_example(path)}."
        case "tuple_type":
            return f"here stands {_shape(value)}, not a list; write {_example(path)}."
        case "too_long":
            return (
                f"there are {detail['ctx']['actual_length']} items here; write at most {detail['ctx']['max_length']}."
            )
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return f"{detail['msg'].rstrip('.')}; write {_example(path)}."


def _nearest(word: str, known: list[str], otherwise: str) -> str:
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"did you mean “{near[0]}”?" if near else f"{otherwise} {', '.join(known)}."


def _example(path: Path) -> str:
    """How the value at this path is written, on one line of YAML, under its key."""
    node = schema.at(path)
    examples = node.get("examples")
    if not examples:
        return _outline(node, path)
    value = examples[0]
    written = (
        value
        if isinstance(value, str)
        else json.dumps(value).replace('"', "")
        if "#" not in str(value)
        else json.dumps(value)
    )
    if path and isinstance(path[-1], str):
        return f"{path[-1]}: {written}"
    return str(written)


def _outline(node: dict[str, Any], path: Path) -> str:
    if node.get("type") == "array":
        return f"a list of {path[-1]}" if path else "a list"
    required = node.get("required", [])
    return f"a mapping with {', '.join(required)}" if required else "a mapping"


def _shape(value: Any) -> str:
    return (
        "a mapping"
        if isinstance(value, dict)
        else "a list"
        if isinstance(value, list)
        else "text"
        if value
        else "nothing"
    )


def _value(tree: Any, path: Path) -> Any:
    for step in path:
        if isinstance(tree, dict):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
        else:
            return None
    return tree
