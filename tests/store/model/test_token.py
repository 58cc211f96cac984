"""Token: how one is written and read, whose it is, how long it lives, and what a machine may with it."""

import copy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.errors import Forbidden
from store.model.identity import ALPHABET
from store.model.token import DAY_MS, Bearer, Token, hash_of, is_machine, machine_actor, unknown_token, write_token
from tests.builders import ANA, NOW, OWNER

HOUR_MS: Final = 3_600_000
ID: Final = "7Q2M4XK9TB"
SECRET: Final = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_"


def persons(**changed: Any) -> Token:
    """Fifteen minutes that can be renewed for twelve hours."""
    fields: dict[str, Any] = {
        "id": ID,
        "kind": "person",
        "holder": ANA,
        "name": "laptop",
        "hash": hash_of(SECRET),
        "created_ms": NOW,
        "expires_ms": NOW + HOUR_MS // 4,
        "until_ms": NOW + 12 * HOUR_MS,
        "epoch": 3,
    }
    return Token(**{**fields, **changed})


def machines(**changed: Any) -> Token:
    """Ninety days."""
    fields = {
        "kind": "machine",
        "holder": OWNER,
        "name": "ci",
        "expires_ms": NOW + 90 * DAY_MS,
        "until_ms": None,
        "targets": ("payments/prod", "payments/prod#api"),
        "actions": ("read", "deploy"),
    }
    return persons(**{**fields, **changed})


@pytest.mark.parametrize(
    ("token", "actor", "shelf"),
    [
        (persons(), ANA, ANA),
        (machines(), f"machine:{ID}", "machines"),
        (machines(deploy="REQVEST001"), f"machine:{ID}", "deploy:REQVEST001"),
    ],
)
def test_whose_it_is(token: Token, actor: str, shelf: str) -> None:
    assert (token.actor, token.shelf) == (actor, shelf)
    assert is_machine(token.actor) is (token.kind == "machine")


def test_a_machine_is_named_by_its_token() -> None:
    assert machine_actor(ID) == f"machine:{ID}"
    assert [is_machine(actor) for actor in (machine_actor(ID), ANA, "MACHINE:X", "a machine:", "machine")] == [
        True, False, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("token", "ends_ms", "kept_ms"),
    [
        (persons(), NOW + 12 * HOUR_MS, 12 * HOUR_MS + DAY_MS),
        (persons(until_ms=None), NOW + HOUR_MS // 4, HOUR_MS // 4 + DAY_MS),
        (machines(), NOW + 90 * DAY_MS, 91 * DAY_MS),
    ],
)
def test_its_record_stays_for_its_whole_life_and_a_day(token: Token, ends_ms: int, kept_ms: int) -> None:
    assert (token.ends_ms, token.kept_ms) == (ends_ms, kept_ms)


@pytest.mark.parametrize(
    ("token", "before_ms"),
    [
        (machines(), 7 * DAY_MS),
        (machines(expires_ms=NOW + 28 * DAY_MS), 7 * DAY_MS),
        (machines(expires_ms=NOW + 28 * DAY_MS - 4), 7 * DAY_MS - 1),
        (machines(expires_ms=NOW + 4 * DAY_MS), DAY_MS),
        (machines(expires_ms=NOW + HOUR_MS), HOUR_MS // 4),
        (machines(expires_ms=NOW + 11), 2),  # a number of milliseconds
        (machines(revoked_ms=NOW), None),
        (machines(revoked_ms=0), None),
        (machines(deploy="REQVEST001"), None),
        (persons(), None),
    ],
)
def test_the_end_of_a_machines_is_told_a_week_before_or_with_a_quarter_of_its_life_left(
    token: Token, before_ms: int | None
) -> None:
    warned = token.warns_ms
    assert warned == (None if before_ms is None else token.expires_ms - before_ms)
    assert warned is None or isinstance(warned, int)


@pytest.mark.parametrize(
    ("changed", "at_ms", "epoch", "lives"),
    [
        ({}, NOW, 3, True),
        ({}, NOW + HOUR_MS // 4 - 1, 3, True),
        ({}, NOW + HOUR_MS // 4, 3, False),  # also where it could be renewed
        ({"revoked_ms": NOW}, NOW, 3, False),
        ({"revoked_ms": 0}, NOW, 3, False),
        ({}, NOW, 4, False),  # all sessions were ended since
        ({}, NOW, 2, False),
    ],
)
def test_it_lives_until_it_ends_is_revoked_or_all_are_ended(changed, at_ms, epoch, lives):
    assert persons(**changed).lives(at_ms, epoch) is lives


@pytest.mark.parametrize(
    ("token", "action", "target", "may"),
    [
        (machines(), "read", "payments/prod", True),
        (machines(), "deploy", "payments/prod#api", True),
        (machines(), "report", "payments/prod", False),
        (machines(), "read", "payments/staging", False),
        (machines(), "read", "payments/pro", False),
        (machines(targets=()), "read", "payments/prod", False),
        (machines(actions=()), "read", "payments/prod", False),
        (machines(kind="person"), "read", "payments/prod", False),
        (persons(), "read", "payments/prod", False),
    ],
)
def test_a_machine_may_what_was_approved_of_what_was_approved(token, action, target, may):
    assert token.may(action, target) is may


@pytest.mark.parametrize(("kind", "prefix"), [("person", "csp"), ("machine", "csm")])
def test_how_it_is_written(kind: Any, prefix: str) -> None:
    secret, kept = write_token(kind, ID, bytes(range(32)))
    assert secret.reveal() == f"{prefix}_{ID}_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".encode()
    assert kept == "ea866a757e4c38babfa8127cbe9a409d3e1f93a00ff1488ff735fcf917afffd0"
    assert write_token(kind, ID, bytes(range(40))) == (secret, kept)  # of more bytes, the first 32


@given(
    st.sampled_from(["person", "machine"]),
    st.text(ALPHABET, min_size=10, max_size=10),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_written_is_read_and_fits_the_hash_that_is_kept(kind: Any, identity: str, randomness: bytes) -> None:
    secret, kept = write_token(kind, identity, randomness)
    bearer = Bearer.read(secret.reveal().decode())
    assert bearer == Bearer(identity, kind, kept)
    assert bearer.fits(persons(kind=kind, hash=kept))


@pytest.mark.parametrize(
    "shown",
    [
        "",
        f"csp_{ID}_{SECRET[1:]}",
        f"csp_{ID}_{SECRET}A",
        f"csp_{ID}_{SECRET[1:]}=",
        f"csp_{ID}_{SECRET}\n",
        f" csp_{ID}_{SECRET}",
        f"csx_{ID}_{SECRET}",
        f"CSP_{ID}_{SECRET}",
        f"csp_{ID.lower()}_{SECRET}",
        f"csp_{ID[1:]}_{SECRET}",
        f"csp-{ID}-{SECRET}",
        f"{ID}_{SECRET}",
    ],
)
def test_what_is_no_token_is_answered_like_one_that_is_over(shown: str) -> None:
    with pytest.raises(Forbidden) as caught:
        Bearer.read(shown)
    assert (caught.value.sentence, caught.value.detail) == (
        "This token is not valid, or no longer. Log in again: countersign login", "bad_token",
    )  # fmt: skip
    assert (caught.value.sentence, caught.value.detail) == (unknown_token().sentence, unknown_token().detail)


def test_one_of_the_other_kind_or_of_another_secret_does_not_fit() -> None:
    person, machine = (Bearer.read(f"{prefix}_{ID}_{SECRET}") for prefix in ("csp", "csm"))
    assert [person.fits(persons()), machine.fits(machines())] == [True, True]
    assert [person.fits(machines()), machine.fits(persons())] == [False, False]
    assert not person.fits(persons(hash=hash_of(f"{SECRET[:-1]}B")))


def test_what_is_shown_stays_in_this_process() -> None:
    with pytest.raises(TypeError, match=r"^A token does not travel by pickle\.$"):
        copy.copy(Bearer.read(f"csp_{ID}_{SECRET}"))
