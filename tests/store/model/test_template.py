"""Template: what may stand in one, where it is wrong, and what comes of it when it is filled."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.errors import Invalid
from store.model.template import LONGEST, PLACES, Fault, faults, fill

NO_JSON: Final = "it is no JSON once it is filled"
THERE_IS: Final = (
    "data.access.for, data.access.kind, data.access.until_ms, data.decided_by, data.deploy.ref, "
    "data.deploy.report_before_ms, data.deploy.started_by, data.deploy.status_url, data.deploy.version, data.environment, "
    "data.environment_version, data.hook, data.request, data.requested_by, data.target, schema, timestamp, type"
)
CONTENT: Final[dict[str, Any]] = {
    "type": "deploy",
    "schema": 1,
    "data": {
        "target": 'a "b" \\ c\nd',
        "environment_version": 7,
        "decided_by": ["UANA", "UBOB"],
        "deploy": {"version": "v1.2.3"},
        "access": None,
        "hook": "api",
    },
}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{"a": "{{ data.target }}"}', []),
        ('{"a": {{ data.access }}}', [(1, 7, "nothing is called “data.access”")]),
        (
            '{\n "a": "{{ os.environ }}",\n "b": "{{ type }"}',
            [(2, 8, "nothing is called “os.environ”"), (3, 8, "{{ has no }} after it")],
        ),
        ('{"a": {{ type }}', [(1, 1, NO_JSON)]),
        ("{{ type.__class__ }}", [(1, 1, "nothing is called “type.__class__”")]),
        ("{{ }}", [(1, 1, "nothing is called “”")]),
        ("{{}}", [(1, 1, "nothing is called “”")]),
        ("{{", [(1, 1, "{{ has no }} after it")]),
        ("\n{{ it }}", [(2, 1, "nothing is called “it”")]),
        ("[{{ type }},\n\n{{ it }}, {{ that }}]\n", [(3, 1, "nothing is called “it”"), (3, 11, "nothing is called “that”")]),
        ('["\\"", "a",\n "{{ that }}"]', [(2, 3, "nothing is called “that”")]),
        ("", [(1, 1, NO_JSON)]),
        pytest.param("1" * 5_000, [(1, 1, NO_JSON)], id="more digits than Python reads"),
        pytest.param("[" * 5_000, [(1, 1, NO_JSON)], id="deeper than Python reads"),
        ('{"a":\n 1,\n "b": {{ type }} x}', [(3, 1, NO_JSON)]),  # the line is told, the column is of what was filled
    ],
)  # fmt: skip
def test_a_template_is_read_before_anything_is_sent(written: str, said: list[tuple[int, int, str]]) -> None:
    found = faults(written)
    assert [(each.line, each.column) for each in found] == [(line, column) for line, column, _ in said]
    assert all(each.sentence.startswith(words) for each, (_, _, words) in zip(found, said, strict=True))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{{ it }}", f"nothing is called “it”; there is {THERE_IS}"),
        ("{{ it", "{{ has no }} after it"),
        ("[1", "it is no JSON once it is filled (Expecting ',' delimiter)"),
        ("[[", "it is no JSON once it is filled (Expecting value)"),
        pytest.param(" " * 8_001, "it is longer than 8,000 characters", id="too long"),
    ],
)
def test_a_fault_says_what_is_wrong(written: str, sentence: str) -> None:
    assert faults(written) == [Fault(1, 1, sentence)]


def test_a_template_has_an_end() -> None:
    assert LONGEST == 8_000
    assert faults(f"[{' ' * 7_998}]") == []
    assert faults(f"[{' ' * 7_985}{{{{ it }}}}]{' ' * 6}")[0] == Fault(1, 1, "it is longer than 8,000 characters")
    assert len(faults(f"[{' ' * 8_000}{{{{ it }}}}]")) == 2


@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_place_may_stand_with_quotes_and_without_also_where_nothing_is_told_of_it(place: str) -> None:
    written = f'[{{{{{place}}}}}, "<{{{{\n {place} }}}}>"]'
    assert faults(written) == []
    assert json.loads(fill(written, {})) == [None, "<>"]


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("{{ type }}", b'"deploy"'),
        (' "{{ type }}" ', b' "deploy" '),
        ('"it is {{type}}{{ schema }}"', b'"it is deploy1"'),
        ("[{{ data.environment_version }}, {{ data.hook }}]", b'[7, "api"]'),
        ('"{{ data.decided_by }}"', b'"[\\"UANA\\", \\"UBOB\\"]"'),
        ("{{ data.decided_by }}", b'["UANA", "UBOB"]'),
        ('"{{ data.target }}"', b'"a \\"b\\" \\\\ c\\nd"'),
        ("{{ data.target }}", b'"a \\"b\\" \\\\ c\\nd"'),
        ("{{ data.deploy.version }}", b'"v1.2.3"'),
        ("{{ data.deploy.ref }}", b"null"),  # this event does not tell it
        ("{{ data.access.kind }}", b"null"),  # nor what it would be in
        ('"{{ data.access.kind }}"', b'""'),
        ('["\\" {{ type }}", {{ type }}]', b'["\\" deploy", "deploy"]'),  # a quote within quotes ends nothing
        ('["\\\\", {{ type }}, "{{ type }}"]', b'["\\\\", "deploy", "deploy"]'),
        ('"é"', '"é"'.encode()),
    ],
)
def test_a_template_is_filled_with_what_is_told(written: str, filled: bytes) -> None:
    assert faults(written) == []
    assert fill(written, CONTENT) == filled


def test_a_way_that_ends_early_leads_nowhere() -> None:
    assert fill("[{{ data.target }}, {{ data.deploy.ref }}]", {"data": "no more"}) == b"[null, null]"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{{ it }} {{", f"The template of this hook is not sound: nothing is called “it”; there is {THERE_IS}."),
        pytest.param(
            " " * 8_001, "The template of this hook is not sound: it is longer than 8,000 characters.", id="too long"
        ),
    ],
)
def test_nothing_is_filled_that_is_not_sound(written: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        fill(written, CONTENT)
    assert (caught.value.sentence, caught.value.detail) == (sentence, "bad_template")


@given(st.text(), st.text())
def test_whatever_is_filled_in_stays_within_its_place(target: str, request: str) -> None:
    written = '{"t": "a {{ data.target }} b", "r": {{ data.request }}, "n": {{ data.environment_version }}, "m": "{{ data.hook }}"}'
    filled = fill(written, {"data": {"target": target, "request": request}})
    assert json.loads(filled) == {"t": f"a {target} b", "r": request, "n": None, "m": ""}
