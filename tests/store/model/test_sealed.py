"""Sealed records: names, limits, and one spelling each."""

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from store.model.errors import AccessError, Invalid, Unavailable
from store.model.sealed import (
    MAX_ENTRIES,
    MAX_FILE_BYTES,
    MAX_REQUEST_BYTES,
    MAX_REQUEST_ENTRIES,
    MAX_VALUE_BYTES,
    Epoch,
    Held,
    Manifest,
    Sealed,
    SealedEntry,
    Wrap,
    check_name,
    check_names,
    check_request,
    check_size,
    fields_of,
    length_prefixed,
)

HASH = "ab" * 32
ENTRY = SealedEntry(entry_id="e1", ciphertext=b"\1\xff\xfe", wrap=b"\1\0\0\0\7rest")
MANIFEST = Manifest(
    environment_id="env-1",
    number=2,
    previous_mac=HASH,
    entries={"B": Held(entry_id="e1", ciphertext_hash=HASH), "a/b": Held(entry_id="e2", ciphertext_hash=HASH, mode=0)},
    epoch=1,
    mac=HASH,
)
EPOCH = Epoch(
    environment_id="env-1", number=1, commitment=HASH, wraps={"ab" * 16: Wrap(holder="a key", wrapped=b"\0\1\2")}
)
RECORDS = [ENTRY, MANIFEST, EPOCH]


@pytest.mark.parametrize("record", RECORDS)
def test_the_json_of_a_record_reads_back_the_same(record: Sealed):
    assert type(record).from_json(record.to_json()) == record
    assert type(record).from_json(record.to_json().encode()).to_json() == record.to_json()


def test_what_is_on_disk():
    assert ENTRY.to_json() == '{"schema":1,"entry_id":"e1","ciphertext":"Af/+","wrap":"AQAAAAdyZXN0"}'
    assert MANIFEST.to_json() == (
        f'{{"schema":1,"environment_id":"env-1","number":2,"previous_mac":"{HASH}","entries":{{'
        f'"B":{{"entry_id":"e1","ciphertext_hash":"{HASH}"}},'
        f'"a/b":{{"entry_id":"e2","ciphertext_hash":"{HASH}","mode":0}}}},"epoch":1,"mac":"{HASH}"}}'
    )
    assert EPOCH.to_json() == (
        f'{{"schema":1,"environment_id":"env-1","number":1,"commitment":"{HASH}",'
        f'"wraps":{{"{"ab" * 16}":{{"holder":"a key","wrapped":"AAEC"}}}}}}'
    )


@pytest.mark.parametrize("record", RECORDS)
def test_a_newer_schema_is_refused(record: Sealed):
    with pytest.raises(Unavailable, match="newer Countersign") as caught:
        type(record).from_json(record.to_json().replace('"schema":1', '"schema":2'))
    assert caught.value.detail == "newer_schema"


OTHER_SPELLINGS: list[Callable[[str], str | bytes]] = [
    lambda text: text.replace('"schema":1', '"schema":1,"more":1'),
    lambda text: text.replace('"schema":1', '"schema":true'),
    lambda text: text.replace('"schema":1', '"schema":"1"'),
    lambda text: text.replace('"schema":1', '"schema":0'),
    lambda text: text.replace('{"schema":1,', "{"),
    lambda text: text.replace(":", ": ", 1),
    lambda text: text + " ",
    lambda text: text[:-1],
    lambda text: text.replace('"number":', '"number":9,"number":'),
    lambda text: text.replace("Af/+", "Af_-").replace("AAEC", "AAED=").replace('"mode":0', '"mode":false'),
    lambda text: (
        text.replace("AQAAAAdyZXN0", "AQAAAAdyZXN=").replace("AAEC", "AAE C").replace('"mode":0', '"mode":512')
    ),
    lambda text: text.replace('"e1"', '"e 1"').replace('"a key"', '"a\\nkey"'),
    lambda text: text.replace('"e1"', '""').replace("abab", "ABAB"),
    lambda text: text.replace('"e1"', "1").replace(HASH, HASH[1:]),
    lambda text: "[" * 100_000,
    lambda text: b"\xff\xfe",
    lambda text: text.encode("utf-16"),
    lambda text: "[]",
    lambda text: "null",
]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (record, text)
        for record in RECORDS
        for change in OTHER_SPELLINGS
        if (text := change(record.to_json())) != record.to_json()
    ],
)
def test_any_other_spelling_is_refused(record: Sealed, text: str | bytes):
    with pytest.raises(Unavailable):
        type(record).from_json(text)


def test_what_is_no_base64_is_refused_where_a_record_is_made_too():
    with pytest.raises(ValidationError):
        SealedEntry.model_validate({"entry_id": "e1", "ciphertext": "Af/+?", "wrap": "AQAA"})


@pytest.mark.parametrize("name", ["../x", "a/", "1", "a b", "a" * 256])
def test_a_stored_manifest_with_an_impossible_name_is_refused(name):
    body = json.loads(MANIFEST.to_json())
    body["entries"][name] = {"entry_id": "e1", "ciphertext_hash": HASH}
    with pytest.raises(Unavailable) as caught:
        Manifest.from_json(json.dumps(body, separators=(",", ":")))
    assert caught.value.detail == "tampered"


@pytest.mark.parametrize("name", ["A", "_", "a1_B", "DATABASE_URL", "x" * 128])
def test_names_of_values(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A.B", "a/b", " A", "A ", "A\n", "Ä", "А", "x" * 129, "A\0", "A=B"]
)  # А is Cyrillic
def test_what_is_no_name_of_a_value(name):
    with pytest.raises(Invalid, match="is not a name"):
        check_name(name)


@pytest.mark.parametrize("path", ["a", ".env", "tls/key.pem", "a/..b/c..", "...", "a+b@c-1/_x", "x" * 255, ".config/a"])
def test_paths_of_files(path):
    assert check_name(path, 0o600) == path


@pytest.mark.parametrize(
    "path",
    [
        *[
            "",
            "/",
            "/etc/passwd",
            "..",
            ".",
            "../a",
            "a/..",
            "a/../b",
            "a/./b",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "a b",
            "a\n",
        ],
        *["a\0b", "-rf", "a/-x", "~/a", "C:/a", "ä", "a/..\n", "x" * 256],
    ],
)
def test_what_is_no_path_of_a_file(path):
    with pytest.raises(Invalid, match="is not a path"):
        check_name(path, 0o600)


@given(st.text(max_size=300))
def test_no_path_leaves_its_folder(path):
    try:
        check_name(path, 0o600)
    except Invalid:
        return
    assert path.isascii()
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))


def test_a_file_is_no_folder():
    check_names({"a/b": 0o600, "a/c": 0o600, "ab": 0o600})
    with pytest.raises(Invalid, match="a file is no folder"):
        check_names({"a/b/c": 0o600, "a": 0o600})


LIMITS = [
    (lambda n: check_size("A", n), MAX_VALUE_BYTES, 64 * 1024, "at most 64 KiB. Store it as a file"),
    (lambda n: check_size("a", n, 0o600), MAX_FILE_BYTES, 1024 * 1024, "at most 1 MiB. Split it"),
    (
        lambda n: check_names({f"A{at}": None for at in range(n)}),
        MAX_ENTRIES,
        500,
        "at most 500 entries.*two environments",
    ),
    (lambda n: check_request([0] * n), MAX_REQUEST_ENTRIES, 100, "at most 100 entries.*several requests"),
    (lambda n: check_request([n - 1, 1]), MAX_REQUEST_BYTES, 1024 * 1024, "at most 1 MiB.*several requests"),
]


@pytest.mark.parametrize(("check", "limit", "documented", "sentence"), LIMITS)
def test_limits(check, limit, documented, sentence):
    assert limit == documented
    check(limit)
    with pytest.raises(Invalid, match=sentence):
        check(limit + 1)


SENTENCES = [
    (
        lambda: check_name("1 A"),
        "bad_name",
        "“1 A” is not a name for a value: use letters, digits and _, no digit first, at most 128 characters. For a file, give its mode too.",
    ),
    (
        lambda: check_name("../a", 0o600),
        "bad_name",
        "“../a” is not a path for a file: it is relative, without . or .. as a step, in letters, digits and _ . @ + -, no - first, at most 255 characters.",
    ),
    (
        lambda: check_names({f"A{at}": None for at in range(501)}),
        "too_many_entries",
        "An environment holds at most 500 entries, and this would make 501. Remove what is no longer used, or split it into two environments.",
    ),
    (
        lambda: check_names({"a/b/c": 0o600, "a/b": 0o600}),
        "bad_name",
        "“a/b/c” cannot stand beside “a/b”: a file is no folder. Rename one.",
    ),
    (
        lambda: check_size("A", 65_537),
        "too_large",
        "A has 65,537 bytes, and a value has at most 64 KiB. Store it as a file, or keep it elsewhere.",
    ),
    (
        lambda: check_size("a", 1_048_577, 0o600),
        "too_large",
        "a has 1,048,577 bytes, and a file has at most 1 MiB. Split it, or keep it elsewhere.",
    ),
    (
        lambda: check_request([0] * 101),
        "too_many_entries",
        "A request changes at most 100 entries, and this one has 101. Split it into several requests.",
    ),
    (
        lambda: check_request([1_048_576, 1]),
        "too_large",
        "A request carries at most 1 MiB, and this one has 1,048,577 bytes. Split it into several requests.",
    ),
    (
        lambda: Manifest(environment_id="env-1", number=1, previous_mac=HASH, entries={}),
        "bad_manifest",
        "The first version of an environment has none before it, and every later one names it.",
    ),
    (
        lambda: MANIFEST.admit("C", ENTRY),
        "tampered",
        "The sealed value of “C” cannot be trusted: it was altered, belongs elsewhere or was written by a newer Countersign. Nothing of it is used.",
    ),
    (
        lambda: SealedEntry.from_json(ENTRY.to_json() + " "),
        "tampered",
        "A stored SealedEntry cannot be trusted: it was altered, belongs elsewhere or was written by a newer Countersign. Nothing of it is used.",
    ),
    (
        lambda: SealedEntry.from_json("[]"),
        "tampered",
        "A stored SealedEntry cannot be trusted: it was altered, belongs elsewhere or was written by a newer Countersign. Nothing of it is used.",
    ),
    (
        lambda: Manifest.from_json(MANIFEST.to_json().replace("a/b", "../")),
        "tampered",
        "A stored Manifest cannot be trusted: it was altered, belongs elsewhere or was written by a newer Countersign. Nothing of it is used.",
    ),
]


@pytest.mark.parametrize(("refused", "code", "sentence"), SENTENCES)
def test_a_refusal_says_what_is_wrong_and_what_would_be_right(refused, code, sentence):
    with pytest.raises(AccessError) as caught:
        refused()
    assert (caught.value.detail, caught.value.sentence) == (code, sentence)


def test_the_bytes_are_these():
    """Known answers: they are final."""
    assert length_prefixed("é", 258, b"\xff", "") == bytes.fromhex(
        "00000002c3a900000008000000000000010200000001ff00000000"
    )
    assert (
        hashlib.sha256(MANIFEST.canonical()).hexdigest()
        == "eacd1058b9ed21e768d68810b30dcc2524e9711f04af33c87eb87411c04e3f04"
    )
    first = Manifest(environment_id="env-1", number=1, entries={})
    assert first.canonical() == length_prefixed("countersign/manifest/1", "env-1", 0, 1, "", 0)
    assert SealedEntry(entry_id="e1", ciphertext=b"AAAA", wrap=b"\1\1\2\3\4rest").epoch == 0x01020304
    assert SealedEntry(entry_id="e1", ciphertext=b"AAAA", wrap=b"").ciphertext == b"AAAA"  # bytes are no base64
    assert (ENTRY.epoch, ENTRY.ciphertext_hash) == (7, hashlib.sha256(b"\1\xff\xfe").hexdigest())


def test_a_folder_may_hold_files_beside_a_name_that_begins_alike():
    check_names({"a": None, "ab/c": 0o600})


def test_a_manifest_beyond_the_limits_cannot_be_made():
    held = Held(entry_id="e1", ciphertext_hash=HASH)
    with pytest.raises(Invalid, match="at most 500"):
        Manifest(environment_id="env-1", number=1, entries={f"A{at}": held for at in range(501)})
    with pytest.raises(Invalid, match="is not a name"):
        Manifest(environment_id="env-1", number=1, entries={"a/b": held})


def test_the_chain_of_versions():
    first = Manifest(environment_id="env-1", number=1, entries={}, epoch=1, mac=HASH)
    second = first.successor({"A": Held(entry_id="e1", ciphertext_hash=HASH)})
    assert (second.number, second.previous_mac, second.epoch, second.mac) == (2, HASH, 0, None)
    assert first.follows(None)
    assert second.follows(first)
    assert not second.follows(None)
    assert not second.model_copy(update={"number": 1}).follows(None)  # the first names none before it
    assert not first.follows(first)
    assert not second.follows(first.model_copy(update={"mac": "cd" * 32}))
    assert not second.follows(first.model_copy(update={"environment_id": "env-2"}))
    with pytest.raises(Invalid, match="every later one names it"):
        Manifest(environment_id="env-1", number=1, entries={}).successor({})


def test_a_manifest_admits_its_own_entries_only():
    held = Held(entry_id=ENTRY.entry_id, ciphertext_hash=ENTRY.ciphertext_hash)
    manifest = Manifest(environment_id="env-1", number=1, entries={"A": held})
    manifest.admit("A", ENTRY)
    manifest.admit("A", ENTRY.model_copy(update={"wrap": b"rotated"}))
    for name, entry in [
        ("B", ENTRY),
        ("A", ENTRY.model_copy(update={"entry_id": "e2"})),
        ("A", ENTRY.model_copy(update={"ciphertext": b"other"})),
    ]:
        with pytest.raises(Unavailable) as caught:
            manifest.admit(name, entry)
        assert caught.value.detail == "tampered"


@given(
    st.lists(st.text() | st.integers(0, 2**64 - 1) | st.binary()),
    st.lists(st.text() | st.integers(0, 2**64 - 1) | st.binary()),
)
def test_length_prefixes_are_unambiguous(one, other):
    def raw(fields: list[str | int | bytes]) -> list[bytes]:
        return [f.to_bytes(8, "big") if isinstance(f, int) else f.encode() if isinstance(f, str) else f for f in fields]

    assert (length_prefixed(*one) == length_prefixed(*other)) == (raw(one) == raw(other))
    assert fields_of(length_prefixed(*one)) == raw(one)


@pytest.mark.parametrize(
    ("packed", "fields"),
    [
        ("", []),
        ("00000000", [b""]),
        ("00000001ff00000000", [b"\xff", b""]),
        ("00000002c3a9" + "00000100" + "ab" * 256, ["é".encode(), b"\xab" * 256]),
        ("00", None),  # no whole length
        ("000000", None),
        ("00000001", None),  # less than it says
        ("00000003c3a9", None),
        ("00000001ff00", None),
        ("00000002c3a9ff", None),  # more than they say
    ],
)
def test_fields_are_read_as_they_were_packed(packed: str, fields: list[bytes] | None) -> None:
    assert fields_of(bytes.fromhex(packed)) == fields


@given(st.binary(max_size=30))
def test_what_is_read_is_what_would_be_packed(packed: bytes) -> None:
    fields = fields_of(packed)
    assert fields is None or length_prefixed(*fields) == packed
