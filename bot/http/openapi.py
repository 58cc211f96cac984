"""OpenAPI: the description of the API, made from the table of its operations and the shapes they name."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.http.answers import JSON, Fault
from bot.http.asked import IDEMPOTENCY
from store.model.identity import ALPHABET, REQUEST_ID_LENGTH, WORD

if TYPE_CHECKING:
    from bot.http.api import Operation

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]
References = Mapping[tuple[Any, Mode], Json]

TAKEN: Final[Mode] = "validation"
GIVEN: Final[Mode] = "serialization"

ID: Final = rf"^[{ALPHABET}]{{{REQUEST_ID_LENGTH}}}$"
# What stands in a path, by its name there.
IN_PATH: Final = {"project": f"^{WORD}$", "env": f"^{WORD}$", "id": ID, "token": ID, "login": ID}
ANY: Final = "^[^/]+$"
SCHEMA: Final = "#/components/schemas/{model}"
FAULTS: Final = {
    400: "The question makes no sense; the sentence says why.",
    401: "No token was shown, or no proof, or one that is not valid.",
    403: "Whoever asks may not.",
    404: "It is not there, or not for whoever asks to see.",
    409: "It was so a moment ago and is not now, or was asked before under the same key with another content.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too often. `Retry-After` says when to come again.",
    500: "It failed, and should not have: the log of the server says how.",
    503: "A part that is needed does not answer. Nothing is lost; `Retry-After` says when to come again.",
}
WITHOUT_BODY: Final = frozenset({413, 415})


def described(operations: Iterable["Operation"]) -> Json:
    listed = list(operations)
    taken: set[tuple[type[BaseModel], Mode]] = {(one.body, TAKEN) for one in listed if one.body is not None}
    given: set[tuple[type[BaseModel], Mode]] = {(one.answer, GIVEN) for one in listed if one.answer is not None}
    shapes = taken | given | {(Fault, GIVEN)}
    listed_shapes = sorted(shapes, key=lambda shape: (shape[0].__name__, shape[1]))
    references, schemas = models_json_schema(listed_shapes, ref_template=SCHEMA)
    paths: Json = {}
    for one in listed:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": "1",
            "description": "Ask for what must not happen on one person's word alone, and use what was approved. Times are milliseconds since 1970, UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Of a person, by `countersign login`, or of a machine.",
                }
            },
        },
    }


def _operation(one: "Operation", references: References) -> Json:
    said: Json = {
        "operationId": one.name,
        "summary": one.summary,
        "parameters": [*_in_path(one.path), *_in_query(one.query), *_in_headers(one)],
        "responses": _responses(one, references),
    }
    if one.open_to_all:
        said["security"] = []
    if one.body is not None:
        said["requestBody"] = {"required": one.wants_body, "content": {JSON: {"schema": references[one.body, TAKEN]}}}
    return said


def _in_path(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": IN_PATH.get(name, ANY)}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _in_query(shape: type[BaseModel]) -> list[Json]:
    schema = shape.model_json_schema(by_alias=True)
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(field)}
        for name, field in schema.get("properties", {}).items()
    ]


def _plain(field: Json) -> Json:
    """A part of a query is there or not: it is never null."""
    choices = [each for each in field.get("anyOf", ()) if each.get("type") != "null"]
    plain = {**field, **(choices[0] if len(choices) == 1 else {})}
    return {key: value for key, value in plain.items() if key not in ("anyOf", "title") and value is not None}


def _in_headers(one: "Operation") -> list[Json]:
    said = []
    if one.keyed:
        key = {"type": "string", "pattern": "^[!-~]{1,100}$"}
        said.append(
            {
                "name": IDEMPOTENCY,
                "in": "header",
                "schema": key,
                "description": "Makes a wish that is sent twice one wish, for a day.",
            }
        )
    if one.unchanged:
        said.append(
            {
                "name": "If-None-Match",
                "in": "header",
                "schema": {"type": "string", "pattern": "^[ -~]*$"},
                "description": "The `ETag` of what is known already.",
            }
        )
    return said


def _responses(one: "Operation", references: References) -> Json:
    content: Json = {JSON: {"schema": references[one.answer, GIVEN]}} if one.answer is not None else {}
    content |= {kind: {"schema": {"type": "string"}} for kind in one.types}
    if one.answer is None and not one.types:
        content = {JSON: {"schema": {"type": "object"}}}
    told: Json = {str(one.status): {"description": "As asked.", "content": content}}
    if one.unchanged:
        told["304"] = {"description": "There is nothing newer than what is known already."}
    for status, what in FAULTS.items():
        if status in WITHOUT_BODY and one.method != "POST":
            continue
        told[str(status)] = {"description": what, "content": {JSON: {"schema": references[Fault, GIVEN]}}}
    return told
