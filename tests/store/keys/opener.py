"""An opener of sealed records, from docs/decisions/0003-envelope.md alone: HKDF, HMAC and SHA-256 by the command `openssl`, AES-GCM by its library.

Nothing of `store` is imported here. Whoever has a key file and a copy of Redis could write this; it is also the way out if Countersign were gone.
"""

import base64
import ctypes
import ctypes.util
import json
import re
import shutil
import subprocess
from typing import Any, Final

from tests import servers

SET_TAG, SET_IV_LENGTH = 0x11, 0x9  # EVP_CTRL_AEAD_*: include/openssl/evp.h
TAG: Final = 16


class Altered(Exception):
    """It is not what the page says."""


def checked(holds: object, what: str) -> None:
    if not holds:
        raise Altered(what)


# -- what openssl does -------------------------------------------------------------------------------------------------


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    command = shutil.which("openssl")
    if command is None:
        servers.missing("The command openssl, 3.0 or newer,", "openssl")
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def sha256(content: bytes) -> bytes:
    return openssl("dgst", "-sha256", "-binary", given=content)


def hmac_sha256(key: bytes, content: bytes) -> bytes:
    return openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary", given=content)


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    options = {"digest": "SHA256", "mode": "EXPAND_ONLY", "hexkey": key.hex(), "hexinfo": info.hex()}
    given = [part for name, value in options.items() for part in ("-kdfopt", f"{name}:{value}")]
    return openssl("kdf", "-keylen", str(length), "-binary", *given, "HKDF")


def _library() -> Any:
    name = ctypes.util.find_library("crypto")
    if name is None:
        servers.missing("The library libcrypto", "openssl")
    library = ctypes.CDLL(name)
    for function in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
        getattr(library, function).restype = ctypes.c_void_p
    return library


def aes_256_gcm_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """`sealed`: ciphertext and tag. Raises `Altered`."""
    checked(len(key) == 32 and len(nonce) == 12 and len(sealed) >= TAG, "sizes")
    crypto = _library()
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    out, size = ctypes.create_string_buffer(len(sealed)), ctypes.c_int(0)
    body, tag = sealed[:-TAG], sealed[-TAG:]
    try:
        steps = [
            crypto.EVP_DecryptInit_ex(context, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, None, None),
            crypto.EVP_CIPHER_CTX_ctrl(context, SET_IV_LENGTH, len(nonce), None),
            crypto.EVP_DecryptInit_ex(context, None, None, key, nonce),
            crypto.EVP_DecryptUpdate(context, None, ctypes.byref(size), aad, len(aad)),
            crypto.EVP_DecryptUpdate(context, out, ctypes.byref(size), body, len(body)),
            crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, tag),
        ]
        checked(steps == [1] * len(steps), "libcrypto did not take it")
        checked(crypto.EVP_DecryptFinal_ex(context, None, ctypes.byref(ctypes.c_int(0))) == 1, "the tag does not fit")
    finally:
        crypto.EVP_CIPHER_CTX_free(context)
    return out.raw[: len(body)]


# -- what the page says ------------------------------------------------------------------------------------------------


def fields(*parts: str | int | bytes) -> bytes:
    """[a, b, …]: each field behind its length in four bytes; text in UTF-8, a number in eight bytes."""
    packed = b""
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part.to_bytes(8, "big") if isinstance(part, int) else part
        packed += len(raw).to_bytes(4, "big") + raw
    return packed


def key_in(file: bytes) -> bytes:
    """The key of a key file."""
    match = re.fullmatch(rb"(countersign-key 1\nkey ([0-9a-f]{64})\n)check ([0-9a-f]{16})\n", file)
    if match is None:
        raise Altered("the key file")
    checked(sha256(match[1]).hex()[:16].encode() == match[3], "the check of the key file")
    return bytes.fromhex(match[2].decode())


def fingerprint(holder: bytes) -> str:
    return hkdf_expand(holder, fields("countersign/key-file/1/fingerprint"), 16).hex()


def environment_key(holder: bytes, installation: str, epoch: str) -> bytes:
    """Out of the record of an epoch, by the key of one key file. Raises `Altered`."""
    record = json.loads(epoch)
    place = (installation, record["environment_id"], record["number"])
    wrapped = base64.b64decode(record["wraps"][fingerprint(holder)]["wrapped"], validate=True)
    checked(wrapped[:1] == b"\1", "the format of a wrapped key")
    wrap_key = hkdf_expand(holder, fields("countersign/key-file/1/wrap"), 32)
    aad = fields("countersign/key-file/1", fields("countersign/epoch/1", *place))
    key = aes_256_gcm_open(wrap_key, wrapped[1:13], wrapped[13:], aad)
    checked(subkey(key, "commitment", *place).hex() == record["commitment"], "another environment key")
    return key


def subkey(key: bytes, use: str, installation: str, environment_id: str, epoch: int) -> bytes:
    return hkdf_expand(key, fields(f"countersign/environment-key/1/{use}", installation, environment_id, epoch), 32)


def verify(key: bytes, installation: str, manifest: str) -> None:
    """Raises `Altered`."""
    record = json.loads(manifest)
    entries = record["entries"]
    canonical = fields(
        "countersign/manifest/1", record["environment_id"], record["epoch"], record["number"],
        record.get("previous_mac", ""), len(entries),
    )  # fmt: skip
    for name, held in sorted(entries.items()):
        canonical += fields(name, held["entry_id"], held["ciphertext_hash"], held.get("mode", b""))
    mac_key = subkey(key, "manifest", installation, record["environment_id"], record["epoch"])
    checked(hmac_sha256(mac_key, canonical).hex() == record["mac"], "the MAC of a version")


def value(key: bytes, installation: str, environment_id: str, name: str, entry: str) -> bytes:
    """Raises `Altered`."""
    record = json.loads(entry)
    wrap, sealed = (base64.b64decode(record[part], validate=True) for part in ("wrap", "ciphertext"))
    epoch = int.from_bytes(wrap[1:5], "big")
    checked(len(wrap) == 65 and wrap[:1] == sealed[:1] == b"\1", "the format of an entry")
    place = (installation, environment_id, name, record["entry_id"])
    wrap_key = subkey(key, "wrap", installation, environment_id, epoch)
    data_key = aes_256_gcm_open(wrap_key, wrap[5:17], wrap[17:], fields("countersign/data-key/1", *place, epoch))
    context = fields("countersign/value/1", *place)
    expanded = hkdf_expand(data_key, context, 64)
    checked(expanded[32:] == sealed[1:33], "the commitment of a ciphertext")
    padded = aes_256_gcm_open(expanded[:32], sealed[33:45], sealed[45:], context)
    end = 4 + int.from_bytes(padded[:4], "big")
    checked(len(padded) % 256 == 0 and 0 <= len(padded) - end < 256 and not any(padded[end:]), "the padding")
    return padded[4:end]


def version(
    holder_file: bytes, installation: str, epochs: dict[int, str], manifest: str, entries: dict[str, str]
) -> dict[str, bytes]:
    """All values of one version. `epochs` by number, `entries` by id. Raises `Altered`."""
    record = json.loads(manifest)
    keys = {number: environment_key(key_in(holder_file), installation, epoch) for number, epoch in epochs.items()}
    verify(keys[record["epoch"]], installation, manifest)
    found = {}
    for name, held in record["entries"].items():
        entry = json.loads(entries[held["entry_id"]])
        sealed = base64.b64decode(entry["ciphertext"])
        checked(sha256(sealed).hex() == held["ciphertext_hash"], "another ciphertext than the version's")
        number = int.from_bytes(base64.b64decode(entry["wrap"])[1:5], "big")
        found[name] = value(keys[number], installation, record["environment_id"], name, entries[held["entry_id"]])
    return found
