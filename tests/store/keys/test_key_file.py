"""Key files: made once, guarded, and plain about what is wrong."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from store.keys.file import KeyFile
from store.model.errors import Unavailable
from tests.store.keys.holders import Draws, everything_shown, shows
from tests.store.keys.reference import fields, gcm_encrypt, hkdf_expand

KEY = bytes(range(32))
TEXT = (
    b"countersign-key 1\n"
    b"key 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    b"check 135250eeb9d75bfc\n"
)  # fmt: skip


def written(path: Path, text: bytes = TEXT, mode: int = 0o600) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


async def refusal(path: Path) -> str:
    with pytest.raises(Unavailable) as caught:
        await KeyFile.load(path, random=Draws())
    assert caught.value.detail == "key_file"
    assert str(path) in caught.value.sentence
    assert shows(everything_shown(caught.value), [KEY]) == []
    return caught.value.sentence


async def test_the_layout_is_as_the_decision_record_says(tmp_path):
    draws = Draws()
    holder = await KeyFile.load(written(tmp_path / "a.key"), random=draws)
    assert holder.name == "a.key"
    assert holder.fingerprint == hkdf_expand(KEY, fields(b"countersign/key-file/1/fingerprint"), 16).hex()
    wrapped = await holder.wrap(b"k" * 32, b"context")
    wrap_key = hkdf_expand(KEY, fields(b"countersign/key-file/1/wrap"), 32)
    aad = fields(b"countersign/key-file/1", b"context")
    assert wrapped == b"\1" + draws.drawn[0] + gcm_encrypt(wrap_key, draws.drawn[0], b"k" * 32, aad)
    assert await holder.unwrap(wrapped, b"context") == b"k" * 32


async def test_it_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "keys" / "a.key"
    umask = os.umask(0o077)
    try:
        made = await KeyFile.load_or_make(path, random=Draws("one"))
    finally:
        os.umask(umask)
    text = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["a.key"]
    again = await KeyFile.load_or_make(path, random=Draws("two"))
    assert (again.fingerprint, path.read_bytes()) == (made.fingerprint, text)
    await again.challenge()


async def test_beside_a_file_that_is_there_nothing_is_written(tmp_path):
    """Its folder may be read-only."""

    def no_randomness(size: int) -> bytes:
        raise AssertionError(size)

    await KeyFile.load_or_make(written(tmp_path / "a.key"), random=no_randomness)


@pytest.mark.parametrize("umask", [0o000, 0o777])
async def test_its_mode_does_not_hang_on_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        await KeyFile.load_or_make(tmp_path / "a.key", random=Draws())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600


async def test_many_that_start_at_once_use_one_key(tmp_path):
    path = tmp_path / "a.key"
    holders = await asyncio.gather(*(KeyFile.load_or_make(path, random=Draws(str(at))) for at in range(20)))
    assert len({holder.fingerprint for holder in holders}) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.key"]


async def test_one_that_comes_second_takes_the_key_of_the_first(tmp_path):
    """The other process makes its file between the look and the link."""
    path = tmp_path / "a.key"

    def slow(size: int) -> bytes:
        if size == 32:
            written(path)
        return bytes(size)

    second = await KeyFile.load_or_make(path, random=slow)
    assert path.read_bytes() == TEXT
    assert second.fingerprint == (await KeyFile.load(path, random=Draws())).fingerprint


async def test_both_the_file_and_its_folder_reach_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(stat.S_ISDIR(os.fstat(file).st_mode)))
    await KeyFile.load_or_make(tmp_path / "a.key", random=Draws())
    assert synced == [False, True]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o200])
async def test_modes_that_are_narrow_enough(tmp_path, mode):
    path = written(tmp_path / "a.key", mode=mode)
    if os.access(path, os.R_OK):
        await KeyFile.load(path, random=Draws())
    else:
        assert "cannot be read" in await refusal(path)


@pytest.mark.parametrize("mode", [0o601, 0o602, 0o604, 0o610, 0o620, 0o640, 0o644, 0o660, 0o700, 0o777, 0o4600, 0o1600])
async def test_modes_that_are_too_wide(tmp_path, mode):
    sentence = await refusal(written(tmp_path / "a.key", mode=mode))
    assert f"is open to others (mode {mode:04o}). Run: chmod 600" in sentence


async def test_another_owner_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path / "a.key")
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"belongs to another user (uid {owner})" in await refusal(path)


async def test_a_symbolic_link_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(written(tmp_path / "a.key"))
    assert "is a symbolic link" in await refusal(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(Unavailable, match="is a symbolic link"):
        await KeyFile.load_or_make(tmp_path / "dangling", random=Draws())


async def test_what_is_no_file_is_refused(tmp_path):
    assert "is not a file" in await refusal(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    try:
        async with asyncio.timeout(5):
            assert "is not a file" in await refusal(pipe)
    finally:
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # lets a reader go that waits for a writer


async def test_a_missing_file_is_refused_and_not_made(tmp_path):
    assert "does not exist. Put it back" in await refusal(tmp_path / "a.key")
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be made"):
        await KeyFile.load_or_make(tmp_path / "file" / "a.key", random=Draws())


async def test_every_cut_and_every_flipped_bit_is_refused(tmp_path):
    path = tmp_path / "a.key"
    for end in range(len(TEXT)):
        assert "damaged or cut short" in await refusal(written(path, TEXT[:end]))
    for bit in range(8 * len(TEXT)):
        changed = bytearray(TEXT)
        changed[bit // 8] ^= 1 << bit % 8
        sentence = await refusal(written(path, bytes(changed)))
        assert "damaged or cut short" in sentence or "newer Countersign" in sentence
    for more in (TEXT + b"\n", TEXT.replace(b"\n", b"\r\n"), TEXT * 20, b"\n" + TEXT):
        assert "damaged or cut short" in await refusal(written(path, more))


async def test_a_newer_format_is_refused(tmp_path):
    assert "newer Countersign" in await refusal(
        written(tmp_path / "a.key", TEXT.replace(b"countersign-key 1", b"countersign-key 2"))
    )


async def test_what_it_wrapped_opens_unchanged_and_in_its_context_only(tmp_path):
    holder = await KeyFile.load(written(tmp_path / "a.key"), random=Draws())
    wrapped = await holder.wrap(b"k" * 32, b"context")
    changed = [wrapped[:end] for end in range(len(wrapped))] + [wrapped + b"\0"]
    for bit in range(8 * len(wrapped)):
        flipped = bytearray(wrapped)
        flipped[bit // 8] ^= 1 << bit % 8
        changed.append(bytes(flipped))
    for blob, context in [*((blob, b"context") for blob in changed), (wrapped, b"contexT"), (wrapped, b"")]:
        with pytest.raises(Unavailable) as caught:
            await holder.unwrap(blob, context)
        assert caught.value.detail == "tampered"


async def test_it_stops_working_when_its_file_does(tmp_path):
    path = written(tmp_path / "a.key")
    holder = await KeyFile.load(path, random=Draws())
    await holder.challenge()
    path.chmod(0o644)
    with pytest.raises(Unavailable, match="open to others"):
        await holder.challenge()
    path.unlink()
    with pytest.raises(Unavailable, match="does not exist"):
        await holder.challenge()
    await KeyFile.load_or_make(path, random=Draws())
    with pytest.raises(Unavailable, match="another key than before"):
        await holder.challenge()


async def test_it_keeps_the_contract(tmp_path):
    holder = await KeyFile.load_or_make(tmp_path / "odd näme.key", random=Draws())
    assert holder.name == "odd_n_me.key"
    assert "0x" not in repr(holder)
    assert len(await holder.wrap(bytes(32), bytes(512))) <= 8 * 1024


async def test_a_slow_disk_does_not_stop_the_loop(tmp_path, monkeypatch):
    """The read waits for the loop to go round: it ends only if the loop is free meanwhile."""
    import threading

    path, turned, real = written(tmp_path / "a.key"), threading.Event(), os.read

    def read(file: int, size: int) -> bytes:
        assert turned.wait(5), "the loop stood still"
        return real(file, size)

    monkeypatch.setattr(os, "read", read)
    loading = asyncio.create_task(KeyFile.load(path, random=Draws()))
    asyncio.get_running_loop().call_later(0.01, turned.set)
    await loading
