"""Roster: who is on it, and the bytes that its MAC covers."""

from typing import Any, Final

import pytest
from pydantic import ValidationError

from store.model.errors import Invalid, Unavailable
from store.model.roster import MEMBERS_MOST, Member, Roster, spaced
from store.model.sealed import length_prefixed

FIRST: Final = Member(name="local", address="/keys/local.key", fingerprint="a" * 32, since_ms=7)
SECOND: Final = Member(
    name="hsm", address="https://keys:8443#pin", fingerprint="b" * 32, since_ms=9, request="REQVEST001"
)
MAC: Final = "cd" * 32


def roster(*members: Member, **changed: Any) -> Roster:
    fields: dict[str, Any] = {"number": 2, "previous_mac": MAC, "how": "request", "at_ms": 9, "mac": "ef" * 32}
    return Roster(members=members or (FIRST, SECOND), **{**fields, **changed})


@pytest.mark.parametrize("of", ["name", "fingerprint"])
def test_no_two_on_it_have_the_same(of: str) -> None:
    like = SECOND.model_copy(update={of: getattr(FIRST, of)})
    with pytest.raises(Invalid) as caught:
        roster(FIRST, like)
    assert (caught.value.sentence, caught.value.detail) == (
        f"Two key holders of one roster have the same {of}.", "same_holder",
    )  # fmt: skip


def test_two_may_have_been_at_one_address() -> None:
    assert len(roster(FIRST, SECOND.model_copy(update={"address": FIRST.address})).members) == 2


def test_it_has_one_member_to_sixteen() -> None:
    many = [FIRST.model_copy(update={"name": f"n{at}", "fingerprint": f"{at:032x}"}) for at in range(17)]
    assert MEMBERS_MOST == len(roster(*many[:16]).members) == 16
    for members in ((), tuple(many)):
        with pytest.raises(ValidationError):
            Roster(number=1, members=members, how="first", at_ms=0)


def test_one_is_found_by_name_or_by_fingerprint() -> None:
    found = roster()
    assert found.fingerprints == {"a" * 32, "b" * 32}
    assert [found.named(name) for name in ("local", "a" * 32, "hsm", "b" * 32)] == [FIRST, FIRST, SECOND, SECOND]
    assert [found.named(name) for name in ("", "LOCAL", "a" * 31, FIRST.address, "c" * 32)] == [None] * 5


def test_the_mac_covers_all_but_itself() -> None:
    signed = roster()
    assert signed.canonical("T1") == length_prefixed(
        *("countersign/roster/1", "T1", 2, MAC, "request", 9, 2),
        *("local", "/keys/local.key", "a" * 32, 7, ""),
        *("hsm", "https://keys:8443#pin", "b" * 32, 9, "REQVEST001"),
    )
    assert signed.canonical("T1") == signed.model_copy(update={"mac": None}).canonical("T1")
    first = Roster(number=1, members=(FIRST,), how="first", at_ms=7)
    assert first.canonical("T1") == length_prefixed(
        *("countersign/roster/1", "T1", 1, "", "first", 7, 1), *("local", "/keys/local.key", "a" * 32, 7, "")
    )


OTHERS: Final = [
    roster(number=3),
    roster(previous_mac="ab" * 32),
    roster(how="recovered"),
    roster(at_ms=10),
    roster(FIRST),
    roster(SECOND, FIRST),
    *(
        roster(FIRST, SECOND.model_copy(update=changed))
        for changed in (
            {"name": "hsn"}, {"address": "https://keys:8443"}, {"fingerprint": "c" * 32}, {"since_ms": 8}, {"request": None},
        )
    ),
]  # fmt: skip


def test_what_differs_in_anything_has_another_mac() -> None:
    bodies = [each.canonical("T1") for each in (roster(), *OTHERS)] + [roster().canonical("T2")]
    assert len(set(bodies)) == len(OTHERS) + 2


def test_one_that_is_read_is_the_one_that_was_written() -> None:
    assert Roster.from_json(roster().to_json()) == roster()
    with pytest.raises(Unavailable) as caught:
        Roster.from_json(roster().to_json().replace("b" * 32, "a" * 32))  # twice the same
    assert caught.value.detail == "tampered"


@pytest.mark.parametrize(
    ("fingerprint", "shown"),
    [
        ("0123456789abcdef0123456789abcdef", "0123 4567 89ab cdef 0123 4567 89ab cdef"),
        ("0123456", "0123 456"),
        ("0123", "0123"),
        ("", ""),
    ],
)
def test_people_compare_four_at_a_time(fingerprint: str, shown: str) -> None:
    assert spaced(fingerprint) == shown
