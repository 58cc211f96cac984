"""The keyring: several holders, any one of which is enough, and two of which must work for what is secure."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest

from store.keys import ring as ring_module
from store.keys.file import KeyFile
from store.keys.holder import Holder
from store.keys.ring import KEPT_KEYS, KEPT_S, Keyring
from store.model.errors import Invalid, Unavailable
from store.model.sealed import Epoch, Manifest, SealedEntry
from store.model.secret import Secret
from tests.store.keys.holders import Draws, Memory, everything_shown, shows

VALUE = Secret(b"CANARY-postgres://payments")


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def ring(
    *holders: Holder, clock: Clock | None = None, draws: Draws | None = None, installation: str = "inst-1", **patience
) -> Keyring:
    return Keyring(holders, installation, draws or Draws("ring"), clock or Clock(), **patience)


async def opens(epoch: Epoch, entry: SealedEntry, *holders: Holder) -> bool:
    return (await ring(*holders).open(epoch)).open("A", entry) == VALUE


async def test_the_story_of_five_key_files(tmp_path):
    """A and B; B dies; all goes on; C learns from A; A dies; D learns from C; C and D die; E cannot; with F, new data works."""
    files = {one: tmp_path / f"{one}.key" for one in "ABCDEF"}

    async def start(one: str) -> KeyFile:
        return await KeyFile.load_or_make(files[one], random=Draws(one))

    a, b = await start("A"), await start("B")
    epoch, key = await ring(a, b).mint("env-1", secure=True)
    entry = key.seal("A", "e1", VALUE)
    assert (await ring(a, b).coverage(epoch)).holding == ("A.key", "B.key")

    files["B"].unlink()
    assert await opens(epoch, entry, a, b)
    coverage = await ring(a, b).coverage(epoch)
    assert coverage.holding == ("A.key",)
    assert coverage.under_replicated
    assert "does not exist" in coverage.failing["B.key"]

    c = await start("C")
    learned = await ring(a, b, c).heal(epoch)
    assert learned is not None
    assert set(learned.wraps) == {a.fingerprint, b.fingerprint, c.fingerprint}
    assert await opens(learned, entry, c)
    assert not (await ring(a, b, c).coverage(learned)).under_replicated

    files["A"].unlink()
    d = await start("D")
    learned = await ring(a, b, c, d).heal(learned)
    assert learned is not None
    assert await opens(learned, entry, d)

    files["C"].unlink()
    files["D"].unlink()
    e = await start("E")
    with pytest.raises(Unavailable) as caught:
        await ring(e).open(learned)
    assert caught.value.detail == "keys_missing"
    for name in ("A.key", "B.key", "C.key", "D.key"):
        assert name in caught.value.sentence
    with pytest.raises(Unavailable, match=r"C\.key: The key file .* does not exist"):
        await ring(a, b, c, d, e).heal(learned)

    f = await start("F")
    fresh, new_key = await ring(e, f).mint("env-1", 2, secure=True)
    sealed = new_key.seal("A", "e2", VALUE)
    files["E"].unlink()
    assert await opens(fresh, sealed, e, f)
    assert Epoch.from_json(fresh.to_json()) == fresh


def break_by(holder: Memory, how: str) -> None:
    holder.off, holder.lies = how == "off", how == "lies"
    if how == "silent":
        holder.running.clear()


@pytest.mark.parametrize("how", ["off", "silent", "lies"])
async def test_secure_with_one_that_works_is_refused_though_two_are_configured(how):
    a, b = Memory("a"), Memory("b")
    break_by(b, how)
    with pytest.raises(Unavailable, match=r"needs two working key holders, and only a works\. b: ") as caught:
        await ring(a, b, patience_s=0.05).mint("env-1", secure=True)
    assert caught.value.detail == "holders_missing"
    epoch, _ = await ring(a, b, patience_s=0.05).mint("env-1")
    assert set(epoch.wraps) == {a.fingerprint}


async def test_secure_counts_a_holder_that_can_wrap_no_more_after_its_challenge_as_missing():
    class Once(Memory):
        async def challenge(self) -> None:
            self.off = True

    with pytest.raises(Unavailable, match="only a works"):
        await ring(Memory("a"), Once("b")).mint("env-1", secure=True)


async def test_secure_challenges():
    class Sealed(Memory):
        async def challenge(self) -> None:
            raise Unavailable(f"{self.name} is sealed.")

    with pytest.raises(Unavailable, match=r"only a works\. b: b is sealed"):
        await ring(Memory("a"), Sealed("b")).mint("env-1", secure=True)


async def test_a_wrapped_key_beyond_the_contract_is_not_stored():
    class Wordy(Memory):
        async def wrap(self, key: bytes, context: bytes) -> bytes:
            return await super().wrap(key, context) + bytes(8 * 1024)

        async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
            return await super().unwrap(wrapped[: -8 * 1024], context)

    with pytest.raises(Unavailable, match="none works"):
        await ring(Wordy("a")).mint("env-1")


async def test_no_key_is_minted_without_a_holder():
    with pytest.raises(Unavailable, match="needs a working key holder, and none works"):
        await ring().mint("env-1")
    a = Memory("a")
    a.off = True
    with pytest.raises(Unavailable, match="a: a is switched off"):
        await ring(a).mint("env-1")


async def test_one_key_twice_counts_once(tmp_path):
    one = await KeyFile.load_or_make(tmp_path / "a.key", random=Draws())
    (tmp_path / "copy.key").write_bytes((tmp_path / "a.key").read_bytes())
    (tmp_path / "copy.key").chmod(0o600)
    copy = await KeyFile.load(tmp_path / "copy.key", random=Draws())
    with pytest.raises(Invalid, match="one and the same key"):
        ring(one, copy)
    with pytest.raises(Invalid, match="same name"):
        ring(one, Memory("a.key"))


@pytest.mark.parametrize("name", ["", "ä", "a\nb", "a" * 101])
def test_a_holder_has_a_name_that_can_be_written_down(name):
    with pytest.raises(Invalid, match="not a name for a key holder"):
        ring(Memory(name))


async def test_every_holder_gives_the_same_key():
    holders = [Memory(name) for name in "abc"]
    epoch, key = await ring(*holders).mint("env-1")
    entry = key.seal("A", "e1", VALUE)
    for holder in holders:
        assert await opens(epoch, entry, holder)


async def test_a_silent_holder_is_waited_for_no_longer_than_its_head_start():
    a, b = Memory("a"), Memory("b")
    epoch, _ = await ring(a, b).mint("env-1")
    a.running.clear()
    keyring = ring(a, b, patience_s=60, head_start_s=0.01)
    async with asyncio.timeout(5):
        await keyring.open(epoch)
    if left := asyncio.all_tasks() - {asyncio.current_task()}:  # nobody goes on waiting for it
        _, pending = await asyncio.wait(left, timeout=5)
        assert not pending


async def test_a_working_holder_is_asked_first():
    clock, a, b = Clock(), Memory("a"), Memory("b")
    epoch, _ = await ring(a, b).mint("env-1")
    a.off = True
    keyring = ring(a, b, clock=clock)
    await keyring.open(epoch)
    clock.seconds += KEPT_S
    a.asked = b.asked = 0
    await keyring.open(epoch)
    assert (a.asked, b.asked) == (0, 1)
    a.off = False
    await keyring.challenge_all()
    clock.seconds += KEPT_S
    a.asked = b.asked = 0
    await keyring.open(epoch)
    assert (a.asked, b.asked) == (1, 0)


async def test_when_all_are_silent_the_answer_still_comes():
    a, b = Memory("a"), Memory("b")
    epoch, _ = await ring(a, b).mint("env-1")
    a.running.clear()
    b.running.clear()
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match=r"a: a did not answer within 0\.05 s\. b: b did not"):
            await ring(a, b, patience_s=0.05).open(epoch)


async def test_a_lying_holder_is_found_out_by_the_commitment():
    a, b = Memory("a"), Memory("b")
    epoch, key = await ring(a, b).mint("env-1")
    a.lies = True
    assert await opens(epoch, key.seal("A", "e1", VALUE), a, b)
    with pytest.raises(Unavailable) as caught:
        await ring(a).open(epoch)
    assert caught.value.detail == "keys_missing"
    assert "cannot be trusted" in caught.value.sentence


def flips(blob: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(blob)):
        changed = bytearray(blob)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


async def test_every_flipped_bit_of_a_stored_epoch_is_seen_but_in_the_name_for_people():
    a = Memory("a")
    epoch, _ = await ring(a).mint("env-1")
    renamed = 0
    for changed in flips(epoch.to_json().encode()):
        try:
            read = Epoch.from_json(changed)
            await ring(a).open(read)
        except Unavailable:
            continue
        assert read.wraps[a.fingerprint].wrapped == epoch.wraps[a.fingerprint].wrapped
        assert read.wraps[a.fingerprint].holder != "a"
        renamed += 1
        assert read.model_copy(update={"wraps": epoch.wraps}) == epoch
    assert 0 < renamed <= 8


async def test_epochs_do_not_mix():
    a = Memory("a")
    first, _ = await ring(a, draws=Draws("1")).mint("env-1")
    others = [
        (await ring(a, draws=Draws("2")).mint("env-1", 2))[0],
        (await ring(a, draws=Draws("3")).mint("env-2"))[0],
        (await ring(a, draws=Draws("4"), installation="inst-2").mint("env-1"))[0],
        (await ring(a, draws=Draws("5")).mint("env-1"))[0],
    ]
    for other in others:
        changes: list[dict[str, Any]] = [
            {"wraps": other.wraps},
            {"commitment": other.commitment},
            {"wraps": other.wraps, "commitment": other.commitment, "number": other.number + 1},
        ]
        if other.environment_id != first.environment_id:
            changes += [
                {"environment_id": other.environment_id},
                {"wraps": other.wraps, "commitment": other.commitment},
            ]
        if other.number != first.number:
            changes += [{"number": other.number}, {"wraps": other.wraps, "commitment": other.commitment}]
        for change in changes:
            with pytest.raises(Unavailable):
                await ring(a).open(first.model_copy(update=change))
    with pytest.raises(Unavailable):
        await ring(a, installation="inst-2").open(first)


async def test_the_wraps_of_two_holders_do_not_mix():
    a, b = Memory("a"), Memory("b")
    epoch, _ = await ring(a, b).mint("env-1")
    one, other = epoch.wraps[a.fingerprint], epoch.wraps[b.fingerprint]
    swapped = epoch.model_copy(update={"wraps": {a.fingerprint: other, b.fingerprint: one}})
    with pytest.raises(Unavailable):
        await ring(a, b).open(swapped)


async def test_a_damaged_wrap_is_healed_from_the_other_holder():
    a, b = Memory("a"), Memory("b")
    epoch, key = await ring(a, b).mint("env-1")
    entry = key.seal("A", "e1", VALUE)
    broken = epoch.wraps[b.fingerprint].model_copy(update={"wrapped": b"?"})
    healed = await ring(a, b).heal(epoch.model_copy(update={"wraps": epoch.wraps | {b.fingerprint: broken}}))
    assert healed is not None
    assert healed.wraps[a.fingerprint] == epoch.wraps[a.fingerprint]
    assert await opens(healed, entry, b)


async def test_a_silent_holder_keeps_its_wrap_and_nothing_changes():
    a, b = Memory("a"), Memory("b")
    epoch, _ = await ring(a, b).mint("env-1")
    assert await ring(a, b).heal(epoch) is None
    b.off = True
    assert await ring(a, b).heal(epoch) is None
    late = Memory("c")
    late.off = True
    assert await ring(a, b, late).heal(epoch) is None


async def test_only_configured_holders_learn():
    """A forged record names a holder that was never approved; nobody asks it, nobody gives it anything."""
    a, rogue = Memory("a"), Memory("rogue")
    epoch, _ = await ring(a).mint("env-1")
    forged = epoch.model_copy(update={"wraps": epoch.wraps | {rogue.fingerprint: epoch.wraps[a.fingerprint]}})
    keyring = ring(a)
    await keyring.open(forged)
    assert await keyring.heal(forged) is None
    coverage = await keyring.coverage(forged)
    assert coverage.holding == ("a",)
    assert len(coverage.unknown) == 1
    assert rogue.asked == 0


async def test_a_key_in_memory_saves_what_every_holder_lost():
    a, b = Memory("a"), Memory("b")
    keyring = ring(a, b)
    epoch, key = await keyring.mint("env-1")
    entry = key.seal("A", "e1", VALUE)
    a.off = True
    b.running.clear()
    broken = {one: wrap.model_copy(update={"wrapped": b"?"}) for one, wrap in epoch.wraps.items()}
    a.off = False
    b.running.set()
    healed = await keyring.heal(epoch.model_copy(update={"wraps": broken}))
    assert healed is not None
    assert await opens(healed, entry, b)


async def test_a_warm_key_asks_nobody_and_is_dropped_in_minutes():
    clock, a = Clock(), Memory("a")
    epoch, _ = await ring(a).mint("env-1")
    keyring = ring(a, clock=clock)
    key = await keyring.open(epoch)
    asked = a.asked
    clock.seconds += KEPT_S - 1
    assert await keyring.open(epoch) is key
    assert a.asked == asked
    clock.seconds += 1
    assert await keyring.open(epoch) is not key
    assert a.asked == asked + 1
    assert KEPT_S <= 600


async def test_a_key_does_not_lie_in_memory_because_it_is_quiet(monkeypatch):
    monkeypatch.setattr(ring_module, "KEPT_S", -1.0)
    keyring = ring(Memory("a"))
    await keyring.mint("env-1")
    assert keyring._kept
    dropped = asyncio.Event()
    asyncio.get_running_loop().call_later(0, dropped.set)
    await dropped.wait()
    assert not keyring._kept


async def test_a_key_that_is_dropped_is_wiped_once_whoever_was_given_it_is_done(monkeypatch):
    clock, a = Clock(), Memory("a")
    keyring = ring(a, clock=clock)
    epoch, key = await keyring.mint("env-1")
    entry = key.seal("A", "e1", VALUE)
    monkeypatch.setattr(ring_module, "WIPED_S", 0.0)
    clock.seconds += KEPT_S
    keyring.drop_expired()
    assert key.open("A", entry) == VALUE, "in the moment after, it may be in use still"
    wiped = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, wiped.set)
    await wiped.wait()
    for part in ("key", "wrap_key", "mac_key"):
        assert not any(getattr(key, f"_EnvironmentKey__{part}"))
    assert (await keyring.open(epoch)).open("A", entry) == VALUE


async def test_nothing_is_sealed_opened_signed_or_entrusted_with_a_wiped_key():
    """Under zeros everybody could open it."""
    a = Memory("a")
    keyring = ring(a)
    epoch, key = await keyring.mint("env-1")
    entry, manifest = key.seal("A", "e1", VALUE), key.sign(Manifest(environment_id="env-1", number=1, entries={}))
    keyring.forget()
    for use in (
        lambda: key.seal("A", "e2", VALUE),
        lambda: key.open("A", entry),
        lambda: key.verify(manifest),
        lambda: key.check("A", entry),
    ):
        with pytest.raises(Unavailable) as caught:
            use()
        assert caught.value.detail == "wiped"
    with pytest.raises(Unavailable, match="wiped"):
        await key.entrust(a)
    assert (await keyring.open(epoch)).open("A", entry) == VALUE


async def test_the_memory_for_keys_is_bounded():
    keyring = ring(Memory("a"))
    for number in range(1, KEPT_KEYS + 10):
        await keyring.mint("env-1", number)
    assert len(keyring._kept) == KEPT_KEYS


async def test_challenges_by_fingerprint():
    a, b, c = Memory("a"), Memory("b"), Memory("c")
    b.off = True
    c.running.clear()
    answers = await ring(a, b, c, patience_s=0.05).challenge_all()
    assert answers[a.fingerprint] is None
    assert [error.sentence for error in answers.values() if error] == [
        "b is switched off.",
        "c did not answer within 0.05 s.",
    ]


async def test_nothing_shows_a_key():
    draws = Draws("ring")
    a, b = Memory("a"), Memory("b")
    keyring = ring(a, b, draws=draws, patience_s=0.05)
    epoch, key = await keyring.mint("env-1")
    text = f"{keyring!r} {key!r} {epoch!r} {epoch.to_json()} {vars(keyring)!r} {await keyring.coverage(epoch)!r}"
    b.lies = True
    a.off = True
    for call in (
        ring(a, b).open(epoch),
        ring(b).mint("env-1", 2, secure=True),
        ring(b).heal(epoch),
        key.entrust(a),
        key.entrust(b),
    ):
        with pytest.raises(Unavailable) as caught:
            await call
        text += everything_shown(caught.value)
    keys = [*draws.keys, *a.random.keys, *b.random.keys]
    assert len(keys) >= 3
    assert shows(text, keys) == []
    assert shows(base64.b64encode(draws.keys[0]).decode(), keys)  # the search finds what is there
