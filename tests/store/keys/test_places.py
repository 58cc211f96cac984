"""Places: each bit of what a sealed thing is bound to, though it is stored nowhere beside it, decides whether it opens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.keys.envelope import EnvironmentKey
from store.keys.file import KeyFile
from store.keys.ring import Keyring
from store.model.errors import Unavailable
from store.model.sealed import Held, Manifest
from store.model.secret import Secret
from tests.store.keys.holders import Draws

KEY = bytes(range(32))
PLACE: dict[str, Any] = {"installation": "inst-1", "environment_id": "b52acfb3899465535ecacdea", "epoch": 3}
NAME, ENTRY = "DATABASE_URL", "554ac09dcf9e49683611c36d"
VALUE = Secret(b"postgres://payments:hunter2@db.internal/prod")


def key_at(**place: Any) -> EnvironmentKey:
    """The same 32 bytes, in whatever place: nothing but the place tells the keys apart."""
    return EnvironmentKey(Secret(KEY), random=Draws("s"), **place)


def flipped(value: str | int) -> Iterator[Any]:
    """Each value that differs in one bit; of a text, in one bit of one of its letters."""
    if isinstance(value, int):
        yield from (value ^ 1 << bit for bit in range(32))
        return
    for at, letter in enumerate(value):
        for bit in range(8):
            yield value[:at] + chr(ord(letter) ^ 1 << bit) + value[at + 1 :]


def elsewhere() -> Iterator[tuple[str, dict[str, Any], str, str]]:
    """Field, place, name, entry id: one bit of one of them is another one."""
    for field, value in PLACE.items():
        for other in flipped(value):
            yield field, {**PLACE, field: other}, NAME, ENTRY
    for other in flipped(NAME):
        yield "name", PLACE, other, ENTRY
    for other in flipped(ENTRY):
        yield "entry id", PLACE, NAME, other


def test_every_bit_of_its_place_holds_a_value_there():
    entry = key_at(**PLACE).seal(NAME, ENTRY, VALUE)
    assert key_at(**PLACE).open(NAME, entry) == VALUE
    tried = set()
    for field, place, name, entry_id in elsewhere():
        moved = entry.model_copy(update={"entry_id": entry_id})
        wraps = [moved.wrap]
        if field == "epoch":  # the number in front of the wrap is changed as well
            wraps.append(moved.wrap[:1] + place["epoch"].to_bytes(4, "big") + moved.wrap[5:])
        for wrap in wraps:
            with pytest.raises(Unavailable) as caught:
                key_at(**place).open(name, moved.model_copy(update={"wrap": wrap}))
            assert caught.value.detail == "tampered"
        tried.add(field)
    assert tried == {*PLACE, "name", "entry id"}


def test_every_bit_of_its_place_holds_a_ciphertext_there_also_for_who_has_its_data_key():
    """A wrap that was made for the other place, with the same data key: the ciphertext is committed to its own."""
    draws = Draws()
    key = EnvironmentKey(Secret(KEY), random=draws, **PLACE)
    entry = key.seal(NAME, ENTRY, VALUE)
    data_key = draws.drawn[0]
    for field, place, name, entry_id in elsewhere():
        if field == "epoch":  # a ciphertext is in no epoch: rotation moves its wrap
            continue
        there = key_at(**place)
        wrap = there._EnvironmentKey__wrap(Secret(data_key), name, entry_id)  # type: ignore[attr-defined]
        with pytest.raises(Unavailable) as caught:
            there.open(name, entry.model_copy(update={"entry_id": entry_id, "wrap": wrap}))
        assert caught.value.detail == "tampered"


def test_every_bit_of_its_place_holds_a_version_there():
    key = key_at(**PLACE)
    held = Held(entry_id=ENTRY, ciphertext_hash="a" * 64, mode=None)
    manifest = Manifest(environment_id=PLACE["environment_id"], number=1, entries={NAME: held})
    signed = key.sign(manifest)
    key.verify(signed)
    for field, place, name, entry_id in elsewhere():
        entries = {name: held.model_copy(update={"entry_id": entry_id})}
        said = {"environment_id": place["environment_id"], "epoch": place["epoch"], "entries": entries}
        for moved in (signed.model_copy(update=said), signed) if field in PLACE else (signed.model_copy(update=said),):
            with pytest.raises(Unavailable) as caught:
                key_at(**place).verify(moved)
            assert caught.value.detail == "tampered"


async def test_every_bit_of_its_place_and_of_its_holder_holds_an_environment_key_there(tmp_path: Path):
    holder, other = [await KeyFile.load_or_make(tmp_path / name, random=Draws(name)) for name in "ab"]
    at = {name: value for name, value in PLACE.items() if name != "installation"}

    def ring(installation: str = PLACE["installation"], *holders: KeyFile) -> Keyring:
        return Keyring(holders or [holder], installation, Draws("ring"), lambda: 0.0)

    epoch, _ = await ring().mint(at["environment_id"], at["epoch"])
    await ring().open(epoch)
    tried = set()
    for field, place, *_ in elsewhere():
        if field not in PLACE or (field == "epoch" and place["epoch"] < 1):
            continue
        moved = epoch.model_copy(update={"environment_id": place["environment_id"], "number": place["epoch"]})
        with pytest.raises(Unavailable) as caught:
            await ring(place["installation"]).open(moved)
        assert caught.value.detail == "keys_missing"
        assert "cannot be trusted" in caught.value.sentence
        tried.add(field)
    assert tried == set(PLACE)
    wrap = epoch.wraps[holder.fingerprint]
    for fingerprint in flipped(holder.fingerprint):
        with pytest.raises(Unavailable, match="No key holder opens"):
            await ring().open(epoch.model_copy(update={"wraps": {fingerprint: wrap}}))
    with pytest.raises(Unavailable, match="b is asked to unwrap cannot be trusted"):  # the wrap of a, shown to b
        await ring(PLACE["installation"], holder, other).open(
            epoch.model_copy(update={"wraps": {other.fingerprint: wrap}})
        )
