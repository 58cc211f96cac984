"""The envelope: what is sealed opens where it belongs, and nowhere else."""

import copy
import hashlib
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.keys.envelope import EnvironmentKey, open_version
from store.model.errors import AccessError, Invalid, Unavailable
from store.model.sealed import MAX_FILE_BYTES, MAX_VALUE_BYTES, Epoch, Held, Manifest, SealedEntry, Wrap
from store.model.secret import Secret
from tests.store.keys.holders import Draws, Memory, everything_shown, shows
from tests.store.keys.reference import fields, gcm_decrypt, gcm_encrypt, hkdf_expand

VALUE = b"postgres://payments:CANARY-7f3a@db.internal/prod"

# Written once by format 1, with the key 00 01 … 1f of epoch 3.
GOLDEN_ENTRY = (
    '{"schema":1,"entry_id":"entry-1","ciphertext":"AXLBgLcxzqufTlVN0BEibW3qw+aLBOn2OtFKPYJ0c4S96LwWPILu4'
    "YczKIx9WGhYxur2kUnhMF4LjSG1gQVraMfjxcdV6tV8veh/RkCZXsmjtq6n4f8r2W3RmiYlqhZ18EcZT45N0BG+YUp2l55nFqF/r"
    "KgfdJBIuIwlaozkvYQl8halOkwxM+5ZEnfn5vfxlGAOkE5XfvIJg84DXYQNPAQ/5ZnmBf05rm5tvKmtih8xzZm/ZzCwX2sW9Yiw8"
    "XK7a1FM5M3fSrVzmRHeVy9Qy2xrW9R2+eFcf2+UAUwp9sQYPh0y3vrhraU26DjhNsXlQrlCPZuSkD4IZgPWadiF/4VMWilbOLZjk"
    'DpKJiMGcIaMrNCLqvUAxSZILhN/j3NGIW6fg5aPb00kdHHkvBY1IXK/OsFK1sg85vrHBXc=","wrap":"AQAAAAOtMohGqhizKjN'
    'YFjeawm7DpWtFHJ6aBbv1wm90RJDGQJFAcvRb82qLnIrbR5TLSHIyevpLPlqbk4iVbGQ="}'
)
GOLDEN_MANIFEST = (
    '{"schema":1,"environment_id":"env-1","number":2,"previous_mac":"ff970b4dad6e518fc020ac18c1b062a8ff85'
    '20f60018db0b5d1e323404ad0bb0","entries":{"DATABASE_URL":{"entry_id":"entry-1","ciphertext_hash":"ab2'
    '7af508edcb0132ff2cbcac552440f5768fd3bfa7b5e0dae0da2d5736ba245"},"tls/key.pem":{"entry_id":"entry-2",'
    '"ciphertext_hash":"5ada6535f7cc77edf1f0bbedc5a0cbe1ca292dc1ebde265b256b9f1dbf28e0b4","mode":256}},"e'
    'poch":3,"mac":"74b77d6304bfb6d46d39666aa256918aa1faeaa65f4e2eecb9071971c811bec7"}'
)
GOLDEN_COMMITMENT = "a8a26bf07fb16f5d14028cd1647a75be6cf82b5d1283100a13176d5160983127"


def key_of(
    environment_id: str = "env-1", epoch: int = 1, installation: str = "inst-1", seed: str = ""
) -> EnvironmentKey:
    return EnvironmentKey.mint(
        installation=installation, environment_id=environment_id, epoch=epoch, random=Draws(seed)
    )


def same_key(key: bytes, environment_id: str = "env-1", epoch: int = 1, installation: str = "inst-1") -> EnvironmentKey:
    return EnvironmentKey(
        Secret(key), installation=installation, environment_id=environment_id, epoch=epoch, random=Draws("s")
    )


def held(entry: SealedEntry, mode: int | None = None) -> Held:
    return Held(entry_id=entry.entry_id, ciphertext_hash=entry.ciphertext_hash, mode=mode)


def flips(blob: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(blob)):
        changed = bytearray(blob)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def refused(call: Callable[..., object], *args: object) -> None:
    with pytest.raises(Unavailable) as caught:
        call(*args)
    assert caught.value.detail == "tampered"


def test_the_layout_is_as_the_decision_record_says():
    draws = Draws()
    key = EnvironmentKey.mint(installation="inst-1", environment_id="env-1", epoch=7, random=draws)
    entry = key.seal("DATABASE_URL", "entry-1", Secret(VALUE))
    environment_key, data_key, nonce, wrap_nonce = draws.drawn

    context = fields(b"countersign/value/1", b"inst-1", b"env-1", b"DATABASE_URL", b"entry-1")
    expanded = hkdf_expand(data_key, context, 64)
    padded = len(VALUE).to_bytes(4, "big") + VALUE
    padded += bytes(256 - len(padded))
    assert entry.ciphertext == b"\1" + expanded[32:] + nonce + gcm_encrypt(expanded[:32], nonce, padded, context)

    place = (b"inst-1", b"env-1", (7).to_bytes(8, "big"))
    subkey = {
        use: hkdf_expand(environment_key, fields(b"countersign/environment-key/1/" + use, *place), 32)
        for use in (b"wrap", b"manifest", b"commitment")
    }
    wrap_context = fields(
        b"countersign/data-key/1", b"inst-1", b"env-1", b"DATABASE_URL", b"entry-1", (7).to_bytes(8, "big")
    )
    assert entry.wrap[:17] == b"\1" + (7).to_bytes(4, "big") + wrap_nonce
    assert gcm_decrypt(subkey[b"wrap"], wrap_nonce, entry.wrap[17:], wrap_context) == data_key
    assert entry.epoch == 7
    assert key.commitment == subkey[b"commitment"].hex()
    assert entry.ciphertext_hash == hashlib.sha256(entry.ciphertext).hexdigest()

    manifest = Manifest(
        environment_id="env-1", number=1, entries={"DATABASE_URL": held(entry), "Caddyfile": held(entry, 0o640)}
    )
    signed = key.sign(manifest)
    sha = entry.ciphertext_hash.encode()
    covered = fields(
        b"countersign/manifest/1", b"env-1", (7).to_bytes(8, "big"), (1).to_bytes(8, "big"), b"", (2).to_bytes(8, "big"),
        b"Caddyfile", b"entry-1", sha, (0o640).to_bytes(8, "big"),
        b"DATABASE_URL", b"entry-1", sha, b"",
    )  # fmt: skip
    assert signed.canonical() == covered
    assert signed.mac == hashlib.sha256(_hmac_outer(subkey[b"manifest"], covered)).hexdigest()


def _hmac_outer(key: bytes, message: bytes) -> bytes:
    """RFC 2104, as far as its last hash."""
    block = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return bytes(byte ^ 0x5C for byte in block) + inner


def test_what_was_sealed_by_the_first_version_opens_for_ever():
    """Bytes of format 1 as they were written once; a change that breaks them breaks every installation."""
    entry = SealedEntry.from_json(GOLDEN_ENTRY)
    key = same_key(bytes(range(32)), epoch=3)
    assert key.open("DATABASE_URL", entry) == Secret(VALUE)
    manifest = Manifest.from_json(GOLDEN_MANIFEST)
    key.verify(manifest)
    assert key.commitment == GOLDEN_COMMITMENT


@given(value=st.binary(max_size=2000), name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,127}", fullmatch=True))
def test_every_value_comes_back(value, name):
    key = key_of()
    entry = key.seal(name, "e1", Secret(value))
    assert key.open(name, SealedEntry.from_json(entry.to_json())) == Secret(value)
    assert (len(entry.ciphertext) - 61) % 256 == 0
    assert len(entry.ciphertext) - 61 - 256 < len(value) + 4 <= len(entry.ciphertext) - 61


@pytest.mark.parametrize("size", [0, 1, 251, 252, 253, 508, 509, MAX_VALUE_BYTES])
def test_the_edges_of_padding(size):
    key = key_of()
    assert len(key.open("A", key.seal("A", "e1", Secret(b"x" * size)))) == size


def test_limits_are_refused_with_what_to_do():
    key = key_of()
    with pytest.raises(Invalid, match="at most 64 KiB"):
        key.seal("A", "e1", Secret(bytes(MAX_VALUE_BYTES + 1)))
    with pytest.raises(Invalid, match="at most 1 MiB"):
        key.seal("a/b.pem", "e1", Secret(bytes(MAX_FILE_BYTES + 1)), mode=0o600)
    with pytest.raises(Invalid, match="give its mode"):
        key.seal("a/b.pem", "e1", Secret(b""))
    file = key.seal("a/b.pem", "e1", Secret(bytes(MAX_FILE_BYTES)), mode=0o600)
    assert len(key.open("a/b.pem", file)) == MAX_FILE_BYTES


def test_every_flipped_bit_of_a_ciphertext_or_a_wrap_is_seen():
    key = key_of()
    entry = key.seal("A", "e1", Secret(VALUE))
    for changed in flips(entry.ciphertext):
        refused(key.open, "A", entry.model_copy(update={"ciphertext": changed}))
    for changed in flips(entry.wrap):
        refused(key.open, "A", entry.model_copy(update={"wrap": changed}))


def test_every_cut_and_every_addition_is_seen():
    key = key_of()
    entry = key.seal("A", "e1", Secret(VALUE))
    for field, blob in (("ciphertext", entry.ciphertext), ("wrap", entry.wrap)):
        for end in range(len(blob)):
            refused(key.open, "A", entry.model_copy(update={field: blob[:end]}))
        refused(key.open, "A", entry.model_copy(update={field: blob + b"\0"}))


def test_a_sealed_entry_opens_in_its_own_place_only():
    """All installations, environments, epochs, names and ids against each other, with one and the same key bytes."""
    raw = bytes(range(32))
    places = list(itertools.product(("i1", "i2"), ("e1", "e2"), (1, 2), ("A", "B"), ("x1", "x2")))
    sealed = {
        (i, e, n, name, entry_id): same_key(raw, e, n, i).seal(name, entry_id, Secret(VALUE))
        for i, e, n, name, entry_id in places
    }
    for here, there in itertools.product(places, places):
        installation, environment_id, epoch, name, entry_id = there
        key = same_key(raw, environment_id, epoch, installation)
        moved = sealed[here].model_copy(update={"entry_id": entry_id})
        if here == there:
            assert key.open(name, moved) == Secret(VALUE)
        else:
            refused(key.open, name, moved)
            if here[2] != epoch:  # the epoch's number in the head of the wrap is changed as well
                head = b"\1" + epoch.to_bytes(4, "big")
                refused(key.open, name, moved.model_copy(update={"wrap": head + moved.wrap[5:]}))


def test_length_prefixes_keep_fields_apart():
    raw = bytes(range(32))
    entry = same_key(raw, "bc", installation="a").seal("NAME", "e1", Secret(VALUE))
    refused(same_key(raw, "c", installation="ab").open, "NAME", entry)


def test_parts_of_two_entries_do_not_mix():
    key = key_of()
    entries = [
        key.seal(name, entry_id, Secret(value))
        for name in ("A", "B")
        for entry_id in ("e1", "e2")
        for value in (b"1", b"2")
    ]
    names = ["A"] * 4 + ["B"] * 4
    for (at, one), (other_at, other) in itertools.product(enumerate(entries), enumerate(entries)):
        mixed = one.model_copy(update={"wrap": other.wrap})
        if at == other_at:
            key.open(names[at], mixed)
        else:
            refused(key.open, names[at], mixed)


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        b"\0\0\0",
        (2).to_bytes(4, "big") + b"ab",
        bytes(512),
        (0).to_bytes(4, "big") + bytes(251) + b"x",
        b"\xff" * 256,
    ],
)
def test_a_value_has_one_padding(padded):
    """Made by somebody who has the data key: authentic, and not what `seal` would write."""
    draws = Draws()
    key = EnvironmentKey.mint(installation="inst-1", environment_id="env-1", epoch=1, random=draws)
    entry = key.seal("A", "e1", Secret(VALUE))
    context = fields(b"countersign/value/1", b"inst-1", b"env-1", b"A", b"e1")
    encryption_key, nonce = hkdf_expand(draws.drawn[1], context, 32), draws.drawn[2]
    made = entry.ciphertext[:45] + gcm_encrypt(encryption_key, nonce, padded, context)
    refused(key.open, "A", entry.model_copy(update={"ciphertext": made}))


def test_another_key_opens_nothing():
    entry = key_of().seal("A", "e1", Secret(VALUE))
    refused(key_of(seed="other").open, "A", entry)


def test_the_commitment_covers_key_and_place():
    raw = bytes(range(32))
    commitments = {
        same_key(key, e, n, i).commitment
        for key in (raw, raw[::-1])
        for i in ("i1", "i2")
        for e in ("e1", "e2")
        for n in (1, 2)
    }
    assert len(commitments) == 16


def test_rotation_changes_the_wrap_and_nothing_else():
    old, new = key_of(epoch=1), key_of(epoch=2, seed="new")
    entry = old.seal("A", "e1", Secret(VALUE))
    moved = new.rewrap("A", entry, old)
    assert (moved.entry_id, moved.ciphertext) == (entry.entry_id, entry.ciphertext)
    assert (entry.epoch, moved.epoch) == (1, 2)
    assert new.open("A", moved) == Secret(VALUE)
    refused(old.open, "A", moved)
    refused(new.open, "A", entry)
    refused(new.rewrap, "A", entry, new)


def test_rotation_does_not_launder_what_was_swapped():
    """The wrap of another sealing of the same name and id holds a data key that this ciphertext is not committed to."""
    old, new = key_of(epoch=1), key_of(epoch=2, seed="new")
    one, two = old.seal("A", "e1", Secret(b"1")), old.seal("A", "e1", Secret(b"2"))
    refused(new.rewrap, "A", one.model_copy(update={"wrap": two.wrap}), old)


def test_rotation_does_not_carry_an_entry_into_another_environment():
    old, elsewhere = key_of(epoch=1), key_of("env-2", seed="new")
    refused(elsewhere.rewrap, "A", old.seal("A", "e1", Secret(VALUE)), old)


def versions(key: EnvironmentKey) -> tuple[Manifest, dict[str, SealedEntry]]:
    entries = {
        "A": key.seal("A", "e1", Secret(VALUE)),
        "B": key.seal("B", "e2", Secret(b"b")),
        "c.pem": key.seal("c.pem", "e3", Secret(b"c"), mode=0o600),
    }
    first = key.sign(Manifest(environment_id="env-1", number=1, entries={"A": held(entries["A"])}))
    second = first.successor({"A": held(entries["A"]), "B": held(entries["B"]), "c.pem": held(entries["c.pem"], 0o600)})
    return key.sign(second), entries


def test_every_flipped_bit_of_a_stored_manifest_is_seen():
    key = key_of()
    manifest, _ = versions(key)
    key.verify(Manifest.from_json(manifest.to_json()))
    for changed in flips(manifest.to_json().encode()):
        with pytest.raises(Unavailable):
            key.verify(Manifest.from_json(changed))


def test_every_change_of_a_manifest_is_seen():
    key = key_of()
    manifest, _ = versions(key)
    a, b, c = (manifest.entries[name] for name in ("A", "B", "c.pem"))
    changes: list[dict[str, Any]] = [
        {"number": 3},
        {"previous_mac": manifest.mac},
        {"previous_mac": None},
        {"environment_id": "env-2"},
        {"epoch": 2},
        {"mac": None},
        {"mac": manifest.previous_mac},
        {"entries": {"A": b, "B": a, "c.pem": c}},
        {"entries": {"A": a, "B": b}},
        {"entries": {}},
        {"entries": {"A": a, "B": b, "c.pem": c, "D": a}},
        {"entries": {"A": a, "B": b, "c.pem": c.model_copy(update={"mode": 0o644})}},
        {"entries": {"A": a, "B": b, "c.pem": c.model_copy(update={"mode": None})}},
        {"entries": {"A": a, "B": b.model_copy(update={"mode": 0}), "c.pem": c}},
        {"entries": {"A": a.model_copy(update={"entry_id": "e2"}), "B": b, "c.pem": c}},
        {"entries": {"A": a.model_copy(update={"ciphertext_hash": b.ciphertext_hash}), "B": b, "c.pem": c}},
    ]
    for change in changes:
        refused(key.verify, manifest.model_copy(update=change))
    for other in (key_of(seed="other"), key_of(epoch=2), key_of("env-2"), key_of(installation="inst-2")):
        refused(other.verify, manifest)


def test_the_mac_does_not_depend_on_the_order_of_names():
    key = key_of()
    manifest, _ = versions(key)
    key.verify(manifest.model_copy(update={"entries": dict(reversed(manifest.entries.items()))}))


def test_a_version_of_another_environment_is_not_signed():
    with pytest.raises(Invalid):
        key_of("env-2").sign(Manifest(environment_id="env-1", number=1, entries={}))


def test_a_version_opens_whole_and_not_otherwise():
    key = key_of()
    manifest, entries = versions(key)
    assert open_version(manifest, entries, {1: key}) == {"A": Secret(VALUE), "B": Secret(b"b"), "c.pem": Secret(b"c")}
    assert open_version(manifest, {"B": entries["B"]}, {1: key}) == {"B": Secret(b"b")}
    again = key.seal("A", "e9", Secret(b"older value of the same name"))
    refused(open_version, manifest, entries | {"A": again}, {1: key})
    same_id = key.seal("A", "e1", Secret(b"sealed twice under one id"))
    refused(open_version, manifest, entries | {"A": same_id}, {1: key})
    refused(open_version, manifest, entries | {"D": entries["A"]}, {1: key})
    refused(open_version, manifest.model_copy(update={"number": 3}), entries, {1: key})
    with pytest.raises(Unavailable, match="epoch 1, is needed"):
        open_version(manifest, entries, {2: key})


def test_an_old_version_opens_after_a_rotation():
    old, new = key_of(epoch=1), key_of(epoch=2, seed="new")
    manifest, entries = versions(old)
    entries["A"] = new.rewrap("A", entries["A"], old)
    assert open_version(manifest, entries, {1: old, 2: new})["A"] == Secret(VALUE)


async def test_a_holder_gives_the_key_the_epoch_is_committed_to_or_none():
    holder, key, other = Memory("a"), key_of(), key_of(seed="other")
    wrong = Wrap(holder="a", wrapped=await other.entrust(holder))
    epoch = Epoch(environment_id="env-1", number=1, commitment=key.commitment, wraps={holder.fingerprint: wrong})
    with pytest.raises(Unavailable) as caught:
        await EnvironmentKey.recover(holder, epoch, installation="inst-1", random=Draws())
    assert caught.value.detail == "tampered"


async def test_a_holder_that_gives_something_shorter_is_refused():
    holder = Memory("a")
    wrapped = await holder.wrap(b"short", fields(b"countersign/epoch/1", b"inst-1", b"env-1", (1).to_bytes(8, "big")))
    epoch = Epoch(
        environment_id="env-1",
        number=1,
        commitment="0" * 64,
        wraps={holder.fingerprint: Wrap(holder="a", wrapped=wrapped)},
    )
    with pytest.raises(Unavailable) as caught:
        await EnvironmentKey.recover(holder, epoch, installation="inst-1", random=Draws())
    assert caught.value.detail == "tampered"


def failures(draws: Draws) -> Iterator[Callable[[], object]]:
    """Every way the envelope refuses, as calls."""
    key = EnvironmentKey.mint(installation="i", environment_id="e", epoch=1, random=draws)
    other = EnvironmentKey.mint(installation="i", environment_id="e", epoch=2, random=draws)
    entry = key.seal("A", "e1", Secret(VALUE))
    manifest = key.sign(Manifest(environment_id="e", number=1, entries={"A": held(entry)}))
    for at in (0, 5, 40, 70, -1):
        changed = bytearray(entry.ciphertext)
        changed[at] ^= 1
        yield partial(key.open, "A", entry.model_copy(update={"ciphertext": bytes(changed)}))
    yield lambda: key.open("A", entry.model_copy(update={"wrap": entry.wrap[:-1] + b"?"}))
    yield lambda: key.open("B", entry)
    yield lambda: other.open("A", entry)
    yield lambda: other.rewrap("A", entry.model_copy(update={"ciphertext": b""}), key)
    yield lambda: other.verify(manifest)
    yield lambda: key.seal("no name", "e1", Secret(VALUE))
    yield lambda: key.seal("A", "e1", Secret(VALUE * 10_000))
    yield lambda: EnvironmentKey(Secret(VALUE), installation="i", environment_id="e", epoch=1, random=draws)
    yield lambda: open_version(manifest, {"B": entry}, {1: key})


def test_nothing_that_fails_shows_a_key_or_a_value():
    draws = Draws()
    seen = 0
    for fails in failures(draws):
        with pytest.raises(AccessError) as caught:
            fails()
        text = everything_shown(caught.value)
        assert shows(text, [VALUE, *draws.keys]) == []
        seen += 1
    assert seen == 14


def test_nothing_prints_a_key_or_a_value():
    draws = Draws()
    key = EnvironmentKey.mint(installation="i", environment_id="e", epoch=1, random=draws)
    entry = key.seal("A", "e1", Secret(VALUE))
    text = f"{key} {key!r} {entry} {entry!r} {entry.to_json()} {key.sign(Manifest(environment_id='e', number=1, entries={}))!r}"
    assert shows(text, [VALUE, *draws.keys]) == []
    for travel in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            travel(key)
