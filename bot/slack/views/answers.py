"""Answers: what people filled into the forms, as typed values. No sentence here repeats what was typed: it may be a secret."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.slack import ids
from bot.slack.views import lengths
from bot.slack.views.facts import Prefill
from bot.slack.views.reading import BadForm, block_of, chosen, person, typed
from store.model.blob import Pasted, parse
from store.model.errors import Invalid
from store.model.sealed import MAX_REQUEST_ENTRIES, check_name
from store.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Asked:
    """`duration_ms` None: the rule's default. `whom` None: for who asks."""

    target: str
    duration_ms: int | None = None
    reason: str = ""
    ticket: str | None = None
    whom: str | None = None


@dataclass(frozen=True, slots=True)
class AskedChange:
    target: str
    set: dict[str, Secret | Pasted] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    reason: str = ""
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class AskedDeploy:
    target: str
    version: str
    ref: str | None = None
    reason: str = ""
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """`duration_ms` None: the form has no such field, so it stays as it was."""

    reason: str = ""
    ticket: str | None = None
    duration_ms: int | None = None
    set: dict[str, Secret | Pasted] = field(default_factory=dict)
    left: tuple[str, ...] = ()  # names that the change touches no more


def read_edit(values: Mapping[str, Any]) -> Edited:
    """From `view["state"]["values"]`. Raises `BadForm`."""
    reason, ticket = _words(values)
    entries, left = _entries(values), _removed(values)
    if any(name in entries for name in left):
        raise BadForm({block_of(values, ids.REMOVE): "One of these is set above and left out here. Do one of the two."})
    return Edited(reason, ticket, lengths.read(typed(values, ids.DURATION)), entries, left)


def read_open(values: Mapping[str, Any]) -> Asked:
    """For access to a role too. Raises `BadForm`."""
    reason, ticket = _words(values)
    return Asked(_target(values), lengths.read(typed(values, ids.DURATION)), reason, ticket, person(values, ids.WHOM))


def read_change(values: Mapping[str, Any]) -> AskedChange:
    """Raises `BadForm`."""
    target = _target(values)
    entries = _entries(values)
    remove = _removed(values)
    at = block_of(values, ids.SET if entries or not remove else ids.REMOVE)
    if not entries and not remove:
        raise BadForm({at: "Set a value, or choose a name to remove."})
    if any(name in entries for name in remove):
        raise BadForm({block_of(values, ids.REMOVE): "One of these is set above and removed here. Do one of the two."})
    if len(entries) + len(remove) > MAX_REQUEST_ENTRIES:
        raise BadForm({at: f"One request changes at most {MAX_REQUEST_ENTRIES} secrets. Make it two."})
    reason, ticket = _words(values)
    return AskedChange(target, entries, remove, reason, ticket)


def read_deploy(values: Mapping[str, Any]) -> AskedDeploy:
    """Raises `BadForm`."""
    target, version = _target(values), typed(values, ids.VERSION).strip()
    if not version:
        raise BadForm({block_of(values, ids.VERSION): "Say which version."})
    return AskedDeploy(target, version, typed(values, ids.REF).strip() or None, *_words(values))


def so_far(values: Mapping[str, Any], channel: str | None = None) -> Prefill:
    """What a form that is still open holds, but for values: for drawing it again."""
    reason, ticket = _words(values)
    length = lengths.read(typed(values, ids.DURATION))
    whom = person(values, ids.WHOM)
    version, ref = typed(values, ids.VERSION).strip(), typed(values, ids.REF).strip()
    return Prefill(
        typed(values, ids.TARGET) or None, length, reason, ticket or "", channel, whom, version=version, ref=ref
    )


def _target(values: Mapping[str, Any]) -> str:
    if target := typed(values, ids.TARGET):
        return target
    raise BadForm({block_of(values, ids.TARGET): "Choose what you ask for."})


def _words(values: Mapping[str, Any]) -> tuple[str, str | None]:
    return typed(values, ids.REASON).strip(), typed(values, ids.TICKET).strip() or None


def _entries(values: Mapping[str, Any]) -> dict[str, Secret | Pasted]:
    """`NAME=value` a line, the value as it was typed, or a reference to one that was sealed. Empty lines are nothing."""
    block = block_of(values, ids.SET)
    found: dict[str, Secret | Pasted] = {}
    for number, line in _lines(typed(values, ids.SET)):
        name, equals, value = line.partition("=")
        if not equals:
            raise BadForm(
                {block: f"Line {number} has no “=”. Write NAME=value. A value of several lines cannot be set here."}
            )
        pasted = parse(value) is not None
        if not _named(name.strip(), path=pasted):
            raise BadForm(
                {block: f"Line {number}: before the “=” stands a name of letters, digits and _, no digit first."}
            )
        if name.strip() in found:
            raise BadForm({block: f"Line {number} sets a name that was set above."})
        found[name.strip()] = Pasted(value.strip()) if pasted else Secret(value.encode())
    return found


def _removed(values: Mapping[str, Any]) -> tuple[str, ...]:
    picked = chosen(values, ids.REMOVE) or tuple(line.strip() for _, line in _lines(typed(values, ids.REMOVE)))
    return tuple(dict.fromkeys(picked))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Line ends of any system; the number that a person counts."""
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line.strip():
            yield number, line


def _named(name: str, *, path: bool) -> bool:
    """`path`: what is sealed may be a file."""
    try:
        check_name(name, 0 if path else None)
    except Invalid:
        return False
    return True
