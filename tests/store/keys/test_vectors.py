"""Known answers: bytes that were written once, opened by `openssl` and a reader of the page; and written again by the program, byte for byte."""

import base64
import itertools
import json
from pathlib import Path
from typing import Any, Final

import pytest

from store.keys.envelope import EnvironmentKey
from store.keys.file import KeyFile
from store.model.sealed import Epoch, Held, Manifest, Wrap
from store.model.secret import Secret
from tests.store.keys import opener

VECTORS: Final = Path(__file__).with_name("vectors.json")
VALUES: Final = {"DATABASE_URL": b"postgres://payments:hunter2@db/prod", "EMPTY": b"", "tls/key.pem": bytes(range(256))}
MODES: Final = {"tls/key.pem": 0o400}


class Counted:
    """Randomness that can be written down: the number of the draw in every byte."""

    def __init__(self) -> None:
        self._draws = itertools.count(1)

    def __call__(self, size: int) -> bytes:
        return bytes([next(self._draws)]) * size


async def made(folder: Path) -> dict[str, Any]:
    """What the program writes with this randomness: two holders, two epochs, three versions, a file, a hook's secret."""
    random = Counted()
    holders = [await KeyFile.load_or_make(folder / name, random=random) for name in ("a.key", "b.key")]
    epochs, keys = {}, {}
    for number in (1, 2):
        key = keys[number] = EnvironmentKey.mint(
            installation="inst-1", environment_id="env-1", epoch=number, random=random
        )
        wraps = {one.fingerprint: Wrap(holder=one.name, wrapped=await key.entrust(one)) for one in holders}
        epochs[number] = Epoch(environment_id="env-1", number=number, commitment=key.commitment, wraps=wraps)
    entries = {name: keys[1].seal(name, f"entry-{name[0]}", Secret(value), mode=MODES.get(name)) for name, value in VALUES.items()}  # fmt: skip
    hook = keys[1].seal("hooks/api", "entry-h", Secret(b"whsec_" + base64.b64encode(random(24))), mode=0o600)
    first = keys[1].sign(Manifest(environment_id="env-1", number=1, entries={}))
    held = {
        name: Held(entry_id=entry.entry_id, ciphertext_hash=entry.ciphertext_hash, mode=MODES.get(name))
        for name, entry in entries.items()
    }
    second = keys[1].sign(first.successor(held))
    moved = keys[2].rewrap("DATABASE_URL", entries["DATABASE_URL"], keys[1])
    third = keys[2].sign(second.successor({name: held[name] for name in ("DATABASE_URL", "tls/key.pem")}))
    return {
        "installation": "inst-1",
        "key files": [(folder / name).read_text() for name in ("a.key", "b.key")],
        "epochs": {str(number): epoch.to_json() for number, epoch in epochs.items()},
        "manifests": [one.to_json() for one in (first, second, third)],
        "entries": [entry.to_json() for entry in entries.values()],
        "moved to epoch 2": moved.to_json(),
        "hook": hook.to_json(),
    }


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


async def test_the_program_writes_these_bytes(vectors: dict[str, Any], tmp_path: Path) -> None:
    assert await made(tmp_path) == vectors


@pytest.mark.parametrize("holder", [0, 1])
def test_openssl_opens_them_by_what_the_page_says(vectors: dict[str, Any], holder: int) -> None:
    epochs = {int(number): epoch for number, epoch in vectors["epochs"].items()}
    entries = {json.loads(entry)["entry_id"]: entry for entry in vectors["entries"]}
    file = vectors["key files"][holder].encode()
    opened = [opener.version(file, "inst-1", epochs, manifest, entries) for manifest in vectors["manifests"]]
    assert opened == [{}, VALUES, {name: VALUES[name] for name in ("DATABASE_URL", "tls/key.pem")}]
    versions = [json.loads(manifest) for manifest in vectors["manifests"]]
    assert [one["number"] for one in versions] == [1, 2, 3]
    assert [one.get("previous_mac") for one in versions] == [None, versions[0]["mac"], versions[1]["mac"]]
    assert versions[1]["entries"]["tls/key.pem"]["mode"] == 0o400


def test_openssl_opens_what_rotation_moved_and_what_signs_deliveries(vectors: dict[str, Any]) -> None:
    key_file = opener.key_in(vectors["key files"][0].encode())
    keys = {number: opener.environment_key(key_file, "inst-1", epoch) for number, epoch in vectors["epochs"].items()}
    moved = vectors["moved to epoch 2"]
    assert opener.value(keys["2"], "inst-1", "env-1", "DATABASE_URL", moved) == VALUES["DATABASE_URL"]
    hook = opener.value(keys["1"], "inst-1", "env-1", "hooks/api", vectors["hook"])
    assert len(base64.b64decode(hook.removeprefix(b"whsec_"), validate=True)) == 24
    before, after = (json.loads(one) for one in (vectors["entries"][0], moved))
    assert (before["ciphertext"], before["entry_id"]) == (after["ciphertext"], after["entry_id"])


def test_the_opener_refuses_what_is_altered(vectors: dict[str, Any]) -> None:
    """One bit of each kind: else it would prove nothing that it opens what is whole."""
    file = vectors["key files"][0].encode()
    epochs = {int(number): epoch for number, epoch in vectors["epochs"].items()}
    entries = {json.loads(entry)["entry_id"]: entry for entry in vectors["entries"]}
    manifest = vectors["manifests"][1]
    with pytest.raises(opener.Altered, match="key file"):
        opener.key_in(file.replace(b"0202", b"0302"))
    with pytest.raises(opener.Altered, match="MAC"):
        opener.version(file, "inst-1", epochs, manifest.replace('"mode":256', '"mode":257'), entries)
    with pytest.raises(opener.Altered, match="tag"):
        opener.version(file, "inst-2", epochs, manifest, entries)
    for what, entry_id in itertools.product(("ciphertext", "wrap"), entries):
        for at in (0, 5, 20, 40, -1):
            raw = bytearray(base64.b64decode(json.loads(entries[entry_id])[what]))
            raw[at] ^= 1
            record = {**json.loads(entries[entry_id]), what: base64.b64encode(raw).decode()}
            key = opener.environment_key(opener.key_in(file), "inst-1", epochs[1])
            name = next(name for name in VALUES if entry_id.endswith(name[0]))
            with pytest.raises(opener.Altered):
                opener.value(key, "inst-1", "env-1", name, json.dumps(record))
