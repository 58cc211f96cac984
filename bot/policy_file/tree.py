"""YAML into mappings, lists and text, each with its place. Nothing is guessed: every scalar stays the text it was.

Taken from the parser's events, so that `on`, `no` and `22:30` stay text, and an alias is seen before it can multiply.
"""

from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from bot.policy_file.problems import Finding, Path, Place, Places, PolicyFileInvalid, Problem
from store.model.identity import shown

MOST_BYTES: Final = 1024 * 1024
DEEPEST: Final = 20  # the language itself goes 6 deep
_NULL: Final = ("", "~", "null", "Null", "NULL")

Tree = dict[str, Any] | list[Any] | str | None


def read_tree(data: bytes, file: str) -> tuple[Tree, Places, list[Finding]]:
    """Raises `PolicyFileInvalid` where reading cannot go on; what can be read around comes back as findings.

    A value that was refused is None in the tree and has its finding.
    """
    if len(data) > MOST_BYTES:
        raise PolicyFileInvalid([Problem(file, None, "is larger than 1 MiB; split off what is not policy.")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        sentence = "is not UTF-8 here; save the file with the encoding UTF-8."
        raise PolicyFileInvalid([Problem(file, Place(line, column), sentence)]) from None
    builder = _Builder(file)
    try:
        return builder.document(YAML(typ="safe", pure=True).parse(text)), builder.places, builder.findings
    except YAMLError as error:
        raise PolicyFileInvalid([*builder.places.problems(builder.findings), _syntax(error, file, text)]) from None


class _Builder:
    def __init__(self, file: str) -> None:
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}
        self.places = Places(file, self.values, self.keys)
        self.findings: list[Finding] = []

    def document(self, events: Iterator[Event]) -> Tree:
        tree: Tree = None
        started = False
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if started:
                    mark = Place(event.start_mark.line + 1, event.start_mark.column + 1)
                    sentence = "a second document begins here; put everything into one, without ---."
                    raise PolicyFileInvalid(
                        [*self.places.problems(self.findings), Problem(self.places.file, mark, sentence)]
                    )
                started = True
                tree = self.node(next(events), events, ())
        if tree is None and not self.findings:
            raise PolicyFileInvalid([Problem(self.places.file, None, "says nothing; begin with version: 1.")])
        return tree

    def node(self, event: Event, events: Iterator[Event], path: Path) -> Tree:
        self.values[path] = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        if len(path) > DEEPEST:
            sentence = f"is nested more than {DEEPEST} deep; nothing in a policy file is."
            raise PolicyFileInvalid([self.places.problem(Finding(path, sentence))])
        usable = self._plain(event, path)
        match event:
            case MappingStartEvent():
                mapping = self._mapping(events, path)
                return mapping if usable else None
            case SequenceStartEvent():
                items: list[Tree] = []
                while not isinstance(event := next(events), SequenceEndEvent):
                    items.append(self.node(event, events, (*path, len(items))))
                return items if usable else None
            case ScalarEvent() if usable:
                return self._scalar(event, path)
            case _:
                return None

    def _mapping(self, events: Iterator[Event], path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = str(event.value) if isinstance(event, ScalarEvent) else "?"
            place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
            inside = (*path, key)
            if not isinstance(event, ScalarEvent):
                self.node(event, events, inside)
                self.keys[inside] = place
                self._refuse(inside, "a key must be a single word or name; write one in place of this.", at_key=True)
                self.node(next(events), events, inside)
            elif key in mapping:
                again = (*path, f"{key} again at {place.line}:{place.column}")  # a path of its own, for its place
                self.keys[again] = place
                first = self.keys[inside].line
                self._refuse(
                    again,
                    f"{shown(key)} is here a second time (first on line {first}); keep one of the two.",
                    at_key=True,
                )
                self.node(next(events), events, again)
            else:
                self.keys[inside] = place
                self._plain(event, inside)
                mapping[key] = self.node(next(events), events, inside)
        return mapping

    def _scalar(self, event: ScalarEvent, path: Path) -> str | None:
        text = str(event.value)
        if event.style is None and text in _NULL:
            if path:
                name = shown(path[-1]) if isinstance(path[-1], str) else "this item"
                sentence = f"{name} has no value; write one, or remove it. A # after a space begins a comment: put it in quotes."
                self._refuse(path, sentence, at_key=True)
            return None
        return text

    def _plain(self, event: Event, path: Path) -> bool:
        """Neither alias, nor anchor, nor tag."""
        if isinstance(event, AliasEvent):
            self._refuse(
                path,
                f"{shown(f'*{event.anchor}')} is an alias, and aliases are not read here; "
                "write the value out, or put quotes around a name that begins with *.",
            )
            return False
        if getattr(event, "anchor", None):
            self._refuse(path, f"{shown(f'&{event.anchor}')} is an anchor, and anchors are not read here; remove it.")  # type: ignore[attr-defined]  # seen by getattr
        if getattr(event, "tag", None):
            self._refuse(path, "a tag (!) is not read here; remove it, or put quotes around the text.")
        return True

    def _refuse(self, path: Path, sentence: str, *, at_key: bool = False) -> None:
        self.findings.append(Finding(path, sentence, at_key=at_key))


def _syntax(error: YAMLError, file: str, text: str) -> Problem:
    if isinstance(error, ReaderError):
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        return Problem(file, place, "a control character stands here; remove it.")
    if not isinstance(error, MarkedYAMLError):
        return Problem(file, None, "is not YAML; check it with an editor that knows YAML.")
    reason = str(error.problem or "unexpected text").replace("'\\t'", "tab")
    mark = error.problem_mark or error.context_mark
    if str(error.context).startswith("while parsing a flow"):
        mark = error.context_mark or mark
        reason = "a [ or { here is not closed"
    elif "end of stream" in reason:
        mark = error.context_mark or mark
        reason = "a quote here is not closed"
    elif "could not find expected" in reason:
        mark = error.context_mark or mark
        reason = "a : is missing"
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    return Problem(file, place, f"this is not YAML ({reason}); {_advice(reason)}")


def _advice(reason: str) -> str:
    if "character tab" in reason:
        return "indent with spaces, never with tabs."
    if "not closed" in reason:
        return 'close it, and put quotes around text with a # in it, such as "#channel".'
    if "cannot start any token" in reason or "alphabetic or numeric" in reason:
        return "put quotes around text that begins with @, *, &, %, ! or `."
    if "mapping values are not allowed" in reason:
        return "put quotes around text with a colon in it, and check the indentation."
    return "check the indentation of this line and the one before it."
