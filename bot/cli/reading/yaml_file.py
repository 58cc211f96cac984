"""YAML: one mapping of names and values. What is written without quotes is taken as it is written: `on` stays `on`, `010` stays `010`."""

from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from bot.cli.reading.entry import At, Entry, once
from bot.cli.reading.json_file import entry

WRONG = "It is a mapping like NAME: value; a file is path: {base64: …, mode: '0600'}."


def read(text: str, file: str) -> list[Entry]:
    """Raises `Invalid`."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise At(file, line, column).wrong("This is not YAML from here on.") from None  # its own words repeat the line
    except (YAMLError, RecursionError):
        raise At(file, 1, 1).wrong("This is not YAML.") from None
    return once(_entries(root, file))


def _entries(root: Node | None, file: str) -> Iterator[tuple[Entry, At]]:
    if not isinstance(root, MappingNode):
        raise At(file, 1, 1).wrong(WRONG)
    for name, value in root.value:
        here = _at(name, file)
        if not isinstance(name, ScalarNode):
            raise here.wrong(f"Here the name of a value is missing. {WRONG}")
        yield entry(name.value, _value(value, file), _at(value, file)), here


def _value(node: Node, file: str) -> object:
    if isinstance(node, MappingNode):
        pairs = [(name.value, each.value) for name, each in node.value]
        if all(isinstance(name, str) and isinstance(each, str) for name, each in pairs):
            return dict(pairs)
    if not isinstance(node, ScalarNode):
        raise _at(node, file).wrong(f"This is no value. {WRONG}")
    return str(node.value)


def _at(node: Node, file: str) -> At:
    return At(file, node.start_mark.line + 1, node.start_mark.column + 1)
