"""The form of a policy file as JSON Schema, for editors; and the same schema asked what belongs at a place."""

from functools import lru_cache
from typing import Any

from bot.policy_file.form import Document
from bot.policy_file.problems import Path


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 with a description on every key."""
    schema: dict[str, Any] = _tidy(Document.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Countersign policies", **schema}


@lru_cache(maxsize=1)
def _known() -> dict[str, Any]:
    return json_schema()


def at(path: Path) -> dict[str, Any]:
    """The schema of the value at a path; empty where nothing is known."""
    node: dict[str, Any] = _known()
    for step in path:
        if isinstance(step, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(step) or node.get("additionalProperties") or {}
        if "$ref" in node:
            node = {**_known()["$defs"][node["$ref"].rpartition("/")[2]], **node}
    return node


def _tidy(node: Any, *, named: bool = False) -> Any:
    """Without generated titles, and without null, which the file never takes. `named`: the keys of `node` are the file's."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    if named:
        return {name: _tidy(value) for name, value in node.items()}
    kept = {name: value for name, value in node.items() if name != "title" and (name, value) != ("default", None)}
    options = kept.get("anyOf", [])
    if {"type": "null"} in options:
        (kept_option,) = [option for option in options if option != {"type": "null"}]
        kept = {**kept_option, **{name: value for name, value in kept.items() if name != "anyOf"}}
    return {
        name: value if name in ("default", "examples") else _tidy(value, named=name in ("properties", "$defs"))
        for name, value in kept.items()
    }
