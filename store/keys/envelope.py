"""The envelope: value ← data key ← environment key. Bytes in, bytes out; layouts in docs/decisions/0003-envelope.md."""

from collections.abc import Mapping
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from store.keys.holder import KEY_BYTES, Holder, Random, prove
from store.model.errors import Invalid, Unavailable
from store.model.identity import shown
from store.model.sealed import Epoch, Manifest, SealedEntry, check_name, check_size, length_prefixed, tampered
from store.model.secret import Secret

FORMAT: Final = b"\x01"
COMMITMENT_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
PADDED_TO: Final = 256  # a stored length says which multiple of this, not which password
LENGTH_BYTES: Final = 4
EPOCH: Final = b"countersign/epoch/1"  # so begins the context under which holders wrap an environment key

_HEAD: Final = len(FORMAT) + COMMITMENT_BYTES
_BODY: Final = _HEAD + NONCE_BYTES
_WRAP_HEAD: Final = len(FORMAT) + 4
_WRAP_BYTES: Final = _WRAP_HEAD + NONCE_BYTES + KEY_BYTES + TAG_BYTES


class EnvironmentKey:
    """The key of one environment in one epoch. Its bytes leave only into a key holder, until it is wiped."""

    __slots__ = (
        "__key",
        "__mac_key",
        "__random",
        "__wrap_key",
        "commitment",
        "environment_id",
        "epoch",
        "installation",
    )

    def __init__(self, key: Secret, *, installation: str, environment_id: str, epoch: int, random: Random) -> None:
        self.installation = installation
        self.environment_id = environment_id
        self.epoch = epoch
        if len(key) != KEY_BYTES:
            raise tampered(f"The key of environment {environment_id}, epoch {epoch},")
        self.__key = bytearray(key.reveal())
        self.__random = random
        self.__wrap_key = bytearray(self.__subkey("wrap"))
        self.__mac_key = bytearray(self.__subkey("manifest"))
        self.commitment = self.__subkey("commitment").hex()

    @classmethod
    def mint(cls, *, installation: str, environment_id: str, epoch: int, random: Random) -> "EnvironmentKey":
        key = Secret(random(KEY_BYTES))
        return cls(key, installation=installation, environment_id=environment_id, epoch=epoch, random=random)

    @classmethod
    async def recover(cls, holder: Holder, epoch: Epoch, *, installation: str, random: Random) -> "EnvironmentKey":
        """The key of `epoch` as `holder` gives it. Raises `Unavailable`, with the code `tampered` for any other key."""
        context = epoch_context(installation, epoch.environment_id, epoch.number)
        key = Secret(await holder.unwrap(epoch.wraps[holder.fingerprint].wrapped, context))
        found = cls(
            key, installation=installation, environment_id=epoch.environment_id, epoch=epoch.number, random=random
        )
        if found.commitment != epoch.commitment:
            raise tampered(
                f"The key that {holder.name} gives for environment {epoch.environment_id}, epoch {epoch.number},"
            )
        return found

    async def entrust(self, holder: Holder) -> bytes:
        """This key wrapped by `holder`, seen to come back. Raises `Unavailable`."""
        key = Secret(bytes(self.__live(self.__key)))
        return await prove(holder, key, epoch_context(self.installation, self.environment_id, self.epoch))

    def wipe(self) -> None:
        """Zeros where its bytes lay. Whoever still has it is refused: nothing must ever be sealed under zeros."""
        for part in (self.__key, self.__wrap_key, self.__mac_key):
            part[:] = bytes(len(part))

    def seal(self, name: str, entry_id: str, secret: Secret, *, mode: int | None = None) -> SealedEntry:
        """`entry_id` is new, for ever. With `mode` the name is a file's path. Raises `Invalid`."""
        check_name(name, mode)
        check_size(name, len(secret), mode)
        context = self.__context("value", name, entry_id)
        data_key = Secret(self.__random(KEY_BYTES))
        cipher, commitment = _expand(data_key, context)
        nonce = self.__random(NONCE_BYTES)
        sealed = cipher.encrypt(nonce, _padded(secret), context)
        return SealedEntry(
            entry_id=entry_id,
            ciphertext=FORMAT + commitment + nonce + sealed,
            wrap=self.__wrap(data_key, name, entry_id),
        )

    def open(self, name: str, entry: SealedEntry) -> Secret:
        """Raises `Unavailable` (tampered). Whether a version holds the entry is another question: see `open_version`."""
        cipher = self.__cipher(name, entry, self.__unwrap(name, entry))
        context = self.__context("value", name, entry.entry_id)
        try:
            padded = Secret(cipher.decrypt(entry.ciphertext[_HEAD:_BODY], entry.ciphertext[_BODY:], context))
        except (InvalidTag, ValueError):  # ValueError: cut off within the nonce
            raise _untrusted(name) from None
        value = _unpadded(padded)
        if value is None:
            raise _untrusted(name)
        return value

    def rewrap(self, name: str, entry: SealedEntry, old: "EnvironmentKey") -> SealedEntry:
        """The same ciphertext, its data key moved from `old` to this key. Raises `Unavailable` (tampered)."""
        data_key = old.__unwrap(name, entry)  # noqa: SLF001 - the same class
        self.__cipher(name, entry, data_key)
        return entry.model_copy(update={"wrap": self.__wrap(data_key, name, entry.entry_id)})

    def check(self, name: str, entry: SealedEntry) -> None:
        """That this key opens the data key, and that one is the entry's; the value stays closed. Raises `Unavailable` (tampered)."""
        self.__cipher(name, entry, self.__unwrap(name, entry))

    def sign(self, manifest: Manifest) -> Manifest:
        """The manifest with this epoch and its MAC. Raises `Invalid` for another environment's."""
        if manifest.environment_id != self.environment_id:
            raise Invalid(
                f"A version of environment {manifest.environment_id} is not signed by the key of {self.environment_id}."
            )
        placed = manifest.model_copy(update={"epoch": self.epoch})
        return placed.model_copy(update={"mac": self.__mac(placed)})

    def verify(self, manifest: Manifest) -> None:
        """Raises `Unavailable` (tampered). That it is the newest version, the caller knows by `Manifest.follows`."""
        if not bytes_eq(self.__mac(manifest).encode(), (manifest.mac or "").encode()):
            raise tampered(f"Version {manifest.number} of environment {manifest.environment_id}")

    def authenticate(self, canonical: bytes) -> str:
        """The MAC over canonical bytes, whose first field names their use. Hex."""
        mac = HMAC(bytes(self.__live(self.__mac_key)), SHA256())
        mac.update(canonical)
        return mac.finalize().hex()

    def __subkey(self, use: str) -> bytes:
        info = length_prefixed(
            f"countersign/environment-key/1/{use}", self.installation, self.environment_id, self.epoch
        )
        # The key is uniform already, so HKDF begins at its second step: RFC 5869, section 3.3.
        return HKDFExpand(SHA256(), KEY_BYTES, info).derive(bytes(self.__key))

    def __mac(self, manifest: Manifest) -> str:
        return self.authenticate(manifest.canonical())

    def __live(self, part: bytearray) -> bytearray:
        if not any(part):
            raise Unavailable("A key was wiped while it was in use. Try again.", code="wiped")
        return part

    @property
    def __wrapping(self) -> AESGCM:
        return AESGCM(bytes(self.__live(self.__wrap_key)))

    def __context(self, what: str, name: str, entry_id: str, *more: int) -> bytes:
        return length_prefixed(f"countersign/{what}/1", self.installation, self.environment_id, name, entry_id, *more)

    def __wrap(self, data_key: Secret, name: str, entry_id: str) -> bytes:
        nonce = self.__random(NONCE_BYTES)
        context = self.__context("data-key", name, entry_id, self.epoch)
        return (
            FORMAT + self.epoch.to_bytes(4, "big") + nonce + self.__wrapping.encrypt(nonce, data_key.reveal(), context)
        )

    def __unwrap(self, name: str, entry: SealedEntry) -> Secret:
        wrap = entry.wrap
        if len(wrap) != _WRAP_BYTES or wrap[:_WRAP_HEAD] != FORMAT + self.epoch.to_bytes(4, "big"):
            raise _untrusted(name)
        nonce, body = wrap[_WRAP_HEAD : _WRAP_HEAD + NONCE_BYTES], wrap[_WRAP_HEAD + NONCE_BYTES :]
        try:
            return Secret(
                self.__wrapping.decrypt(nonce, body, self.__context("data-key", name, entry.entry_id, self.epoch))
            )
        except InvalidTag:
            raise _untrusted(name) from None

    def __cipher(self, name: str, entry: SealedEntry, data_key: Secret) -> AESGCM:
        """Refuses any data key but the one the ciphertext is committed to, in this environment, under this name."""
        cipher, commitment = _expand(data_key, self.__context("value", name, entry.entry_id))
        if not bytes_eq(entry.ciphertext[:_HEAD], FORMAT + commitment):
            raise _untrusted(name)
        return cipher

    def __repr__(self) -> str:
        return f"EnvironmentKey({self.environment_id}, epoch {self.epoch})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A key does not travel by pickle.")


def open_version(
    manifest: Manifest, entries: Mapping[str, SealedEntry], keys: Mapping[int, EnvironmentKey]
) -> dict[str, Secret]:
    """Every value of `entries`, once the manifest is verified and holds each of them.

    `keys` by epoch number: the one the manifest is signed in, and those of the wraps (`SealedEntry.epoch`), which rotation
    moves on. Raises `Unavailable`: `tampered`, or `epoch_missing` for a key that was not given.
    """
    for number in sorted({manifest.epoch, *(entry.epoch for entry in entries.values())} - set(keys)):
        raise Unavailable(
            f"The key of environment {manifest.environment_id}, epoch {number}, is needed and was not opened.",
            code="epoch_missing",
        )
    keys[manifest.epoch].verify(manifest)
    for name, entry in entries.items():
        manifest.admit(name, entry)
    return {name: keys[entry.epoch].open(name, entry) for name, entry in entries.items()}


def epoch_context(installation: str, environment_id: str, epoch: int) -> bytes:
    """Under which holders wrap an environment key."""
    return length_prefixed(EPOCH, installation, environment_id, epoch)


def _expand(data_key: Secret, context: bytes) -> tuple[AESGCM, bytes]:
    """The key that encrypts, and a commitment to data key and context: a ciphertext has one meaning only."""
    both = HKDFExpand(SHA256(), KEY_BYTES + COMMITMENT_BYTES, context).derive(data_key.reveal())
    return AESGCM(both[:KEY_BYTES]), both[KEY_BYTES:]


def _padded(secret: Secret) -> bytes:
    value = secret.reveal()
    return len(value).to_bytes(LENGTH_BYTES, "big") + value + bytes(-(LENGTH_BYTES + len(value)) % PADDED_TO)


def _unpadded(padded: Secret) -> Secret | None:
    """None for what `_padded` would not have written."""
    raw = padded.reveal()
    end = LENGTH_BYTES + int.from_bytes(raw[:LENGTH_BYTES], "big")
    value = Secret(raw[LENGTH_BYTES:end])
    return value if bytes_eq(_padded(value), raw) else None


def _untrusted(name: str) -> Unavailable:
    return tampered(f"The sealed value of {shown(name)}")
