"""What comes back from a client is a reference, or it is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import ids, samples
from store.model.errors import Invalid

REFERENCE = f"7Q2M4XK9TB:3:{'5a' * 32}"


def test_a_button_carries_request_revision_and_digest() -> None:
    made = samples.request("open")
    read = ids.parse_reference(made.reference)
    assert (read.request, read.revision, read.digest) == (made.id, made.revision, made.digest)
    assert str(read) == made.reference


@pytest.mark.parametrize(
    "value",
    [
        "", ":", "::", "7Q2M4XK9TB", "7Q2M4XK9TB:1", "7Q2M4XK9TB:1:", "7Q2M4XK9TB::ab", "7Q2M4XK9TB:-1:ab",
        "7Q2M4XK9TB:٣:ab", "7Q2M4XK9TB:1:XY", "7Q2M4XK9TB:1:ab:cd", "short:1:ab", f"7Q2M4XK9TB:1:{'a' * 65}",
        "7Q2M4XK9TB:99999999999:ab", f"{REFERENCE} ", f"{REFERENCE}\n",
    ],
)  # fmt: skip
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(Invalid):
        ids.parse_reference(value)


@given(st.text())
def test_no_text_makes_it_raise_anything_else(value: str) -> None:
    parsers = (ids.parse_reference, ids.parse_choice, ids.parse_metadata, ids.parse_lock_reference)
    for parse in (*parsers, ids.parse_version_reference, ids.parse_place):
        with contextlib.suppress(Invalid):
            parse(value)


def test_what_unlocks_says_whom_and_what_was_seen() -> None:
    lock = samples.lock(causes=2)
    assert ids.parse_lock_reference(ids.lock_reference(lock)) == (samples.EVE, lock.newest.at_ms)


@pytest.mark.parametrize("value", ["", "U0EVE", "U0EVE:", ":1", "S0LEADS:1", "U0EVE:-1", "U0EVE:1 ", "U0EVE:1:2"])
def test_what_names_no_lock_is_refused(value: str) -> None:
    with pytest.raises(Invalid):
        ids.parse_lock_reference(value)


def test_a_menu_says_what_was_chosen_and_about_what() -> None:
    made = samples.request("open")
    for name in (ids.MORE_APPROVE_LESS, ids.MORE_DETAILS, ids.MORE_WHY):
        value = ids.choice(name, made)
        assert ids.parse_choice(value) == (name, ids.parse_reference(made.reference))
        assert len(value) <= 150  # an option's value
    with pytest.raises(Invalid):
        ids.parse_choice(f"something|{REFERENCE}")


@pytest.mark.parametrize(
    "origin",
    [
        ids.Origin(),
        ids.Origin(ids.parse_reference(REFERENCE)),
        ids.Origin(ids.parse_reference(REFERENCE), "C0PAY", "1772550000.000100"),
        ids.Origin(None, "C0PAY"),
    ],
)
def test_a_modal_remembers_where_it_came_from(origin: ids.Origin) -> None:
    assert ids.parse_metadata(ids.metadata(origin)) == origin


def test_a_version_is_named_by_its_environment_and_number() -> None:
    target, number = ids.parse_version_reference(ids.version_reference("payments/prod", 12))
    assert (target.id, target.kind, number) == ("payments/prod", "environment", 12)


@pytest.mark.parametrize(
    "value",
    ["", "payments/prod", "payments/prod@", "@3", "payments/prod@x", "payments/prod@3 ", "Payments/prod@3", "a@1"],
)
def test_what_names_no_version_is_refused(value: str) -> None:
    with pytest.raises(Invalid):
        ids.parse_version_reference(value)


def test_a_place_may_be_about_something() -> None:
    place = ids.Place("environment", (2,), "payments/prod")
    assert str(place) == "environment:2@payments/prod"
    assert ids.parse_place(str(place)) == place
    assert ids.parse_place(str(place.at(0, 3))).about == "payments/prod"
