"""docs/policy.md against the form: every key stands there with its default, and its YAML is sound."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from bot.policy_file import json_schema, parse

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| `(?:[a-z_]+: )?([a-z_]+)` \|.*?\| ([^|]*) \|[^|]*\| `([^`]*)`[^|]*\|")


def keys() -> Iterator[tuple[str, str]]:
    """Each key with its default as the page writes it; nothing where the default takes words."""
    schema = json_schema()
    for part in (schema, *schema["$defs"].values()):
        for key, value in part["properties"].items():
            default = value.get("default")
            if key in part.get("required", ()):
                yield key, "**required**"
            elif isinstance(default, bool):
                yield key, f"`{str(default).lower()}`"
            elif isinstance(default, str | int):
                yield key, f"`{default}`"
            else:
                yield key, ""


@pytest.mark.parametrize(("key", "default"), sorted(set(keys())))
def test_every_key_stands_in_the_reference_with_its_default(key, default):
    rows = [found[2].strip() for line in PAGE.splitlines() if (found := ROW.match(line)) and found[1] == key]
    assert any(default in row for row in rows)


def test_the_first_example_is_sound():
    example = re.search(r"## In a minute\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    assert [warning.sentence[:30] for warning in parse(example[1].encode()).warnings] == [
        "no rule has the action policy,"
    ]


@pytest.mark.parametrize("line", [line for line in PAGE.splitlines() if ROW.match(line)])
def test_every_example_fits_its_key(line):
    found = ROW.match(line)
    assert found
    schema = json_schema()
    ((key, value),) = YAML(typ="safe", pure=True).load(found[3]).items()
    parts = [part["properties"] for part in (schema, *schema["$defs"].values()) if key in part["properties"]]
    assert key == found[1]
    assert any(Draft202012Validator({"$defs": schema["$defs"], **part[key]}).is_valid(value) for part in parts)
