"""The JSON Schema: what an editor is told agrees with what the reader does."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from bot.policy_file import json_schema
from bot.policy_file.schema import at

HERE = Path(__file__).parent
SOUND = (HERE / "sound.yml").read_text(encoding="utf-8")
EXAMPLE = (HERE.parents[2] / "policies.example.yml").read_text(encoding="utf-8")


def mistakes(text: str) -> list[str]:
    value = YAML(typ="safe", pure=True).load(text)
    return [error.json_path for error in Draft202012Validator(json_schema()).iter_errors(value)]


def test_is_a_schema():
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("text", [SOUND, EXAMPLE])
def test_accepts_what_the_reader_accepts(text):
    assert mistakes(text) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("version: 1", "version: 2", "$.version"),
        ("version: 1\n", "", "$"),
        ("organization: acme", "organisation: acme", "$"),
        ("secure: true", "secure: on", "$.targets['payments/prod'].secure"),
        ("secure: true", "values_in_slack: show", "$.targets['payments/prod'].values_in_slack"),
        ("channel: C024BE91L", "channel: payments", "$.targets['payments/prod'].channel"),
        ("channel: C024BE91L", "channel:", "$.targets['payments/prod'].channel"),
        ("request_ttl: 8h", "request_ttl: 22:30", "$.policies[0].request_ttl"),
        ("request_ttl: 8h", "request_ttl: 8", "$.policies[0].request_ttl"),
        ("request_ttl: 8h", "request_ttl: 1h90m", "$.policies[0].request_ttl"),
        ("request_ttl: 8h", "deployers:", "$.policies[0].deployers"),
        ("count: 1,", "count: 0,", "$.policies[0].approvals[0].count"),
        ("approvals: [{from: {groups: [leads]}}]", "approvals: []", "$.policies[1].approvals"),
        ("approvals: [{from: {groups: [leads]}}]", "approvals: [{from: {}}]", "$.policies[1].approvals[0].from"),
        ("[access]", "[acces]", "$.policies[1].actions[0]"),
        ("targets: [payments/prod]", 'targets: ["*"]', "$.policies[0].targets[0]"),
        ("users: [ana@example.com, ben@example.com]", "users: [ana]", "$.policies[0].approvals[1].from.users[0]"),
        ("type: scim", "type: ldap", "$.connectors.okta.type"),
        ("https://deploy.example.com/api", "ftp://x", "$.targets['payments/prod'].hooks[0].url"),
    ],
)
def test_refuses_what_the_reader_refuses(old, new, place):
    assert SOUND.count(old) == 1
    found = mistakes(SOUND.replace(old, new))
    assert [path.replace("['from']", ".from") for path in found] == [place]


def test_every_key_says_what_it_means():
    schema = json_schema()
    for name, part in {"": schema, **schema["$defs"]}.items():
        for key, value in part["properties"].items():
            assert value.get("description", "").endswith("."), (name, key)


def test_no_key_takes_null():
    assert "null" not in str(json_schema())


def test_every_default_and_example_fits_its_own_schema():
    schema = json_schema()
    for part in (schema, *schema["$defs"].values()):
        for key, value in part["properties"].items():
            own: dict[str, Any] = {"$defs": schema["$defs"], **value}
            for example in [*value.get("examples", []), *([value["default"]] if "default" in value else [])]:
                assert list(Draft202012Validator(own).iter_errors(example)) == [], key


def test_tells_what_belongs_at_a_place():
    assert at(("policies", 3, "approvals", 0, "from", "users", 0))["type"] == "string"
    assert at(("targets", "a/b", "secure"))["type"] == "boolean"
    assert at(("nothing", "of", 3, "this")) == {}
