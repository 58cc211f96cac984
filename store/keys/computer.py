"""Computers: the two keys by which a computer that has logged in is known. One is sealed to, with the other it proves itself.

The bytes are written down in docs/decisions/0008-tokens-and-login.md. They are final.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from store.model.errors import Invalid
from store.model.sealed import length_prefixed, tampered
from store.model.secret import Secret

Random = Callable[[int], bytes]

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
# Points of small order: with one of them as the key, a signature can be made that fits everything.
_SMALL: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)


class Computer:
    """Both private keys. They leave only into the credentials file of the person whose computer it is."""

    __slots__ = ("__sealing", "__signing", "seals", "signs")

    def __init__(self, sealing: Secret, signing: Secret) -> None:
        """32 bytes each."""
        self.__sealing = X25519PrivateKey.from_private_bytes(sealing.reveal())
        self.__signing = Ed25519PrivateKey.from_private_bytes(signing.reveal())
        self.seals = encode(self.__sealing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        self.signs = encode(self.__signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def mint(cls, random: Random) -> "Computer":
        return cls(Secret(random(KEY_BYTES)), Secret(random(KEY_BYTES)))

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.seals, self.signs)

    def kept(self) -> tuple[str, str]:
        """Both private keys as text, for the credentials file and nothing else."""
        raw = (Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return encode(self.__sealing.private_bytes(*raw)), encode(self.__signing.private_bytes(*raw))

    @classmethod
    def of(cls, sealing: str, signing: str) -> "Computer":
        """What `kept` gave. Raises `Invalid`."""
        return cls(Secret(decode(sealing, KEY_BYTES)), Secret(decode(signing, KEY_BYTES)))

    def sign(self, message: bytes) -> str:
        return encode(self.__signing.sign(message))

    def open(self, sealed: str, token: str, expires_ms: int) -> Secret:
        """The token that was sealed to this computer. Raises `Unavailable`, code `tampered`."""
        try:
            raw = decode(sealed, None)
            ephemeral = X25519PublicKey.from_public_bytes(raw[:KEY_BYTES])
            shared = self.__sealing.exchange(ephemeral)
            key, nonce = _keys(shared, raw[:KEY_BYTES], decode(self.seals, KEY_BYTES))
            return Secret(AESGCM(key).decrypt(nonce, raw[KEY_BYTES:], _place(token, expires_ms)))
        except (Invalid, InvalidTag, ValueError):
            raise tampered("The token that the server sent") from None

    def __reduce__(self) -> NoReturn:
        raise TypeError("A computer's keys do not travel by pickle.")


def seal(token: Secret, to: str, token_id: str, expires_ms: int, random: Random) -> str:
    """For the computer whose public key `to` is, and for no other. Raises `Invalid` for a key of small order."""
    recipient = decode(to, KEY_BYTES)
    ephemeral = X25519PrivateKey.from_private_bytes(random(KEY_BYTES))
    public = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key, nonce = _keys(_exchange(ephemeral, recipient), public, recipient)
    return encode(public + AESGCM(key).encrypt(nonce, token.reveal(), _place(token_id, expires_ms)))


def check_keys(seals: str, signs: str) -> None:
    """Raises `Invalid` for what is no key, or one of small order."""
    probe = X25519PrivateKey.from_private_bytes(bytes(range(KEY_BYTES)))
    _exchange(probe, decode(seals, KEY_BYTES))
    y = int.from_bytes(decode(signs, KEY_BYTES), "little") & (2**255 - 1)
    if y >= _P or y in _SMALL:
        raise _no_key()


def proves(signs: str, message: bytes, signature: str) -> bool:
    """Whether the computer whose public key this is has signed that. Anything odd is a no."""
    try:
        key = Ed25519PublicKey.from_public_bytes(decode(signs, KEY_BYTES))
        key.verify(decode(signature, SIGNATURE_BYTES), message)
    except (Invalid, InvalidSignature, ValueError):
        return False
    return True


def renewal(token: str, at_ms: int, nonce: str) -> bytes:
    """What is signed to renew a token."""
    return length_prefixed("countersign renewal 1", token, at_ms, nonce)


def fingerprint(seals: str, signs: str) -> str:
    """Four words for both public keys, 64 bits, that two people can compare: `lusab-babad-gutih-tugad`."""
    digest = hashlib.sha256(length_prefixed("countersign computer 1", seals, signs)).digest()
    return "-".join(_word(int.from_bytes(digest[at : at + 2], "big")) for at in range(0, 8, 2))


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str, size: int | None) -> bytes:
    """Only what `encode` writes, of `size` bytes. Raises `Invalid`."""
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _no_key() from None
    if (size is not None and len(raw) != size) or encode(raw) != text:
        raise _no_key()
    return raw


def _exchange(ours: X25519PrivateKey, theirs: bytes) -> bytes:
    try:
        return ours.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:  # of small order: what comes of it is known to everybody
        raise _no_key() from None


def _keys(shared: bytes, ephemeral: bytes, recipient: bytes) -> tuple[bytes, bytes]:
    """A key and a nonce that are used once, because the ephemeral key is."""
    info = length_prefixed("countersign sealed token 1", ephemeral, recipient)
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES + NONCE_BYTES, salt=None, info=info).derive(shared)
    return derived[:KEY_BYTES], derived[KEY_BYTES:]


def _place(token: str, expires_ms: int) -> bytes:
    return length_prefixed("countersign sealed token 1", token, expires_ms)


def _word(number: int) -> str:
    """Sixteen bits as consonant, vowel, consonant, vowel, consonant (https://arxiv.org/html/0901.4016)."""
    consonants, vowels = "bdfghjklmnprstvz", "aiou"
    return (
        consonants[number >> 12] + vowels[number >> 10 & 3] + consonants[number >> 6 & 15]
        + vowels[number >> 4 & 3] + consonants[number & 15]
    )  # fmt: skip


def _no_key() -> Invalid:
    return Invalid("This is no public key that can be used.", code="bad_key")
