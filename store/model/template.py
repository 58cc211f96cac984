"""Template: JSON with places in braces, `{{ data.deploy.version }}`, that are filled with what is told. There is no code in it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from store.model.errors import Invalid
from store.model.identity import shown

PLACES: Final = frozenset(
    {
        *("type", "schema", "timestamp"),
        *("data.target", "data.environment", "data.environment_version", "data.hook", "data.request"),
        *("data.requested_by", "data.decided_by"),
        *(f"data.deploy.{name}" for name in ("version", "ref", "started_by", "status_url", "report_before_ms")),
        *(f"data.access.{name}" for name in ("kind", "for", "until_ms")),
    }
)
LONGEST: Final = 8_000  # characters

_BRACES: Final = re.compile(r"\{\{(.*?)\}\}|\{\{|(\\.)|(\")", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """`line` and `column` count from 1 within the template."""

    line: int
    column: int
    sentence: str


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    quoted: bool  # it stands inside a string


def faults(text: str) -> list[Fault]:
    """What is wrong with it, all at once."""
    parts, found = _read(text)
    if not found:
        try:
            json.loads(_fill(parts, {}))
        except (ValueError, RecursionError) as error:
            at = error if isinstance(error, json.JSONDecodeError) else None
            # The filling may have moved what follows it on its line; lines stay.
            line = at.lineno if at is not None else 1
            found.append(Fault(line, 1, f"it is no JSON once it is filled ({at.msg if at is not None else error})"))
    return found


def fill(text: str, content: Mapping[str, Any]) -> bytes:
    """JSON. What is not told of this event is null, and nothing inside a string. Raises `Invalid`."""
    parts, found = _read(text)
    if found:
        raise Invalid(f"The template of this hook is not sound: {found[0].sentence}.", code="bad_template")
    return _fill(parts, content).encode()


def _read(text: str) -> tuple[list[str | _Slot], list[Fault]]:
    parts: list[str | _Slot] = []
    found: list[Fault] = []
    quoted, at = False, 0
    if len(text) > LONGEST:
        found.append(Fault(1, 1, f"it is longer than {LONGEST:,} characters"))
    for match in _BRACES.finditer(text):
        if match[3] is not None:
            quoted = not quoted
            continue
        if match[2] is not None:
            continue
        line, column = text.count("\n", 0, match.start()) + 1, match.start() - text.rfind("\n", 0, match.start())
        name = (match[1] or "").strip()
        if match[1] is None:
            found.append(Fault(line, column, "{{ has no }} after it"))
        elif name not in PLACES:
            found.append(Fault(line, column, f"nothing is called {shown(name)}; there is {', '.join(sorted(PLACES))}"))
        parts += [text[at : match.start()], _Slot(name, quoted)]
        at = match.end()
    return [*parts, text[at:]], found


def _fill(parts: list[str | _Slot], content: Mapping[str, Any]) -> str:
    return "".join(part if isinstance(part, str) else _written(_found(content, part.name), part) for part in parts)


def _written(value: Any, slot: _Slot) -> str:
    if not slot.quoted:
        return json.dumps(value)
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]


def _found(content: Any, name: str) -> Any:
    for key in name.split("."):
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
