"""Sealed data as records: entries, manifests, epochs, and the names and sizes they may have.

The bytes are written down in docs/decisions/0003-envelope.md. They are final.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from store.model.errors import Invalid, Unavailable
from store.model.identity import shown
from store.model.record import NEWER, Part, Record

KIB: Final = 1024
MAX_VALUE_BYTES: Final = 64 * KIB
MAX_FILE_BYTES: Final = 1024 * KIB
MAX_ENTRIES: Final = 500  # in an environment
MAX_REQUEST_ENTRIES: Final = 100
MAX_REQUEST_BYTES: Final = 1024 * KIB  # of values, before sealing
MAX_NAME: Final = 128
MAX_PATH: Final = 255

FINGERPRINT: Final = r"^[0-9a-f]{32}$"
HOLDER_NAME: Final = r"^[A-Za-z0-9_.:/@+ -]{1,100}$"
TAMPERED: Final = "tampered"  # the code of every failure to authenticate

_NAME: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_NAME - 1}}}")
_STEP: Final = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.@+][A-Za-z0-9_.@+-]*"
_PATH: Final = re.compile(rf"(?=.{{1,{MAX_PATH}}}\Z){_STEP}(?:/{_STEP})*")


def tampered(what: str) -> Unavailable:
    """The one error for whatever does not authenticate. `what` begins the sentence and holds no bytes of it."""
    return Unavailable(
        f"{what} cannot be trusted: it was altered, belongs elsewhere or was written by a newer Countersign. Nothing of it is used.",
        code=TAMPERED,
    )


def length_prefixed(*fields: str | int | bytes) -> bytes:
    """Each field behind its length in four bytes; text as UTF-8, a number in eight bytes; all big endian."""
    packed = []
    for field in fields:
        raw = (
            field.to_bytes(8, "big") if isinstance(field, int) else field.encode() if isinstance(field, str) else field
        )
        packed += [len(raw).to_bytes(4, "big"), raw]
    return b"".join(packed)


def fields_of(packed: bytes) -> list[bytes] | None:
    """What `length_prefixed` was given; None for what it would not have made."""
    found: list[bytes] = []
    while packed:
        length = int.from_bytes(packed[:4], "big")
        if len(packed) < 4 + length:
            return None
        found.append(packed[4 : 4 + length])
        packed = packed[4 + length :]
    return found


def check_name(name: str, mode: int | None = None) -> str:
    """A variable's name, or with a mode a file's path. Raises `Invalid`."""
    if mode is None and not _NAME.fullmatch(name):
        raise Invalid(
            f"{shown(name)} is not a name for a value: use letters, digits and _, no digit first, at most {MAX_NAME} characters. "
            "For a file, give its mode too.",
            code="bad_name",
        )
    if not _PATH.fullmatch(name):
        raise Invalid(
            f"{shown(name)} is not a path for a file: it is relative, without . or .. as a step, in letters, digits and _ . @ + -, "
            f"no - first, at most {MAX_PATH} characters.",
            code="bad_name",
        )
    return name


def check_names(kinds: Mapping[str, int | None]) -> None:
    """What an environment would hold: name → file mode, None for a value. Raises `Invalid`."""
    if len(kinds) > MAX_ENTRIES:
        raise Invalid(
            f"An environment holds at most {MAX_ENTRIES} entries, and this would make {len(kinds)}. "
            "Remove what is no longer used, or split it into two environments.",
            code="too_many_entries",
        )
    for name, mode in kinds.items():
        check_name(name, mode)
        for at in (place.start() for place in re.finditer("/", name)):
            if name[:at] in kinds:
                raise Invalid(
                    f"{shown(name)} cannot stand beside {shown(name[:at])}: a file is no folder. Rename one.",
                    code="bad_name",
                )


def check_size(name: str, size: int, mode: int | None = None) -> None:
    """`size` in bytes, before sealing. Raises `Invalid`."""
    if mode is None and size > MAX_VALUE_BYTES:
        raise Invalid(
            f"{name} has {size:,} bytes, and a value has at most {MAX_VALUE_BYTES // KIB} KiB. Store it as a file, or keep it elsewhere.",
            code="too_large",
        )
    if size > MAX_FILE_BYTES:
        raise Invalid(
            f"{name} has {size:,} bytes, and a file has at most {MAX_FILE_BYTES // KIB // KIB} MiB. Split it, or keep it elsewhere.",
            code="too_large",
        )


def check_request(sizes: Collection[int]) -> None:
    """`sizes` of the values one request brings, in bytes, before sealing. Raises `Invalid`."""
    if len(sizes) > MAX_REQUEST_ENTRIES:
        raise Invalid(
            f"A request changes at most {MAX_REQUEST_ENTRIES} entries, and this one has {len(sizes)}. Split it into several requests.",
            code="too_many_entries",
        )
    if sum(sizes) > MAX_REQUEST_BYTES:
        raise Invalid(
            f"A request carries at most {MAX_REQUEST_BYTES // KIB // KIB} MiB, and this one has {sum(sizes):,} bytes. "
            "Split it into several requests.",
            code="too_large",
        )


def _from_base64(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Base64 = Annotated[
    bytes, BeforeValidator(_from_base64), PlainSerializer(lambda raw: base64.b64encode(raw).decode(), when_used="json")
]
MintedId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, StringConstraints(pattern=FINGERPRINT)]
HolderName = Annotated[str, StringConstraints(pattern=HOLDER_NAME)]
Number = Annotated[int, Field(ge=1, lt=2**32)]


class Sealed(Record):
    """A record with one spelling: what is read must be, byte for byte, what would be written."""

    @classmethod
    def from_json(cls, body: str | bytes) -> Self:
        """Raises `Unavailable` for a newer schema, for anything unknown inside, and for any other spelling."""
        try:
            record = super().from_json(body)
            text = body if isinstance(body, str) else body.decode()
        except (Invalid, UnicodeDecodeError, RecursionError):
            raise tampered(f"A stored {cls.__name__}") from None
        except Unavailable as error:
            if error.detail == NEWER:
                raise
            raise tampered(f"A stored {cls.__name__}") from None
        if record.to_json() != text:
            raise tampered(f"A stored {cls.__name__}")
        return record


class SealedEntry(Sealed):
    """One sealed value. The ciphertext never changes; rotation replaces the wrap: the data key, under the key of an epoch."""

    entry_id: MintedId
    ciphertext: Annotated[Base64, Field(repr=False)]
    wrap: Annotated[Base64, Field(repr=False)]

    @property
    def ciphertext_hash(self) -> str:
        """SHA-256, hex."""
        return hashlib.sha256(self.ciphertext).hexdigest()

    @property
    def epoch(self) -> int:
        """The number of the epoch whose key opens the wrap: a hint, authenticated when it is opened."""
        return int.from_bytes(self.wrap[1:5], "big")


class Held(Part):
    """What a manifest says of one name. `mode` is a file's permission bits, None for a value."""

    entry_id: MintedId
    ciphertext_hash: Sha256
    mode: Annotated[int, Field(ge=0, le=0o777)] | None = None


class Manifest(Sealed):
    """One version of an environment. `epoch` and `mac` are 0 and empty until it is signed."""

    environment_id: MintedId
    number: Number
    previous_mac: Sha256 | None = None
    entries: dict[str, Held]
    epoch: Annotated[int, Field(ge=0, lt=2**32)] = 0
    mac: Sha256 | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_names({name: held.mode for name, held in self.entries.items()})
        if (self.previous_mac is None) != (self.number == 1):
            raise Invalid(
                "The first version of an environment has none before it, and every later one names it.",
                code="bad_manifest",
            )
        return self

    def canonical(self) -> bytes:
        """What the MAC covers: everything but the MAC, entries in the order of their names."""
        fields: list[str | int | bytes] = [
            "countersign/manifest/1", self.environment_id, self.epoch, self.number, self.previous_mac or "", len(self.entries),
        ]  # fmt: skip
        for name, held in sorted(self.entries.items()):
            fields += [name, held.entry_id, held.ciphertext_hash, b"" if held.mode is None else held.mode]
        return length_prefixed(*fields)

    def successor(self, entries: Mapping[str, Held]) -> "Manifest":
        """The version after this one, not signed yet. Raises `Invalid` for names or numbers beyond the limits."""
        return Manifest(
            environment_id=self.environment_id, number=self.number + 1, previous_mac=self.mac, entries=dict(entries)
        )

    def follows(self, previous: "Manifest | None") -> bool:
        """Whether this is the version right after `previous`; after None, the first."""
        if previous is None:
            return self.number == 1 and self.previous_mac is None
        return (self.environment_id, self.number, self.previous_mac) == (
            previous.environment_id, previous.number + 1, previous.mac,
        )  # fmt: skip

    def entry_id(self, name: str) -> str | None:
        """None for a name that this version does not hold."""
        held = self.entries.get(name)
        return held.entry_id if held else None

    def admit(self, name: str, entry: SealedEntry) -> None:
        """Raises `Unavailable` (tampered) unless this version holds that very ciphertext under that name."""
        held = self.entries.get(name)
        if held is None or (held.entry_id, held.ciphertext_hash) != (entry.entry_id, entry.ciphertext_hash):
            raise tampered(f"The sealed value of {shown(name)}")


class Wrap(Part):
    """An environment key as one holder wrapped it. `holder` is its name for people, nothing relies on it."""

    holder: HolderName
    wrapped: Annotated[Base64, Field(repr=False, max_length=8 * KIB)]


class Epoch(Sealed):
    """One environment key: what it is committed to, and its wraps by fingerprint of the holder."""

    environment_id: MintedId
    number: Number
    commitment: Sha256
    wraps: Annotated[dict[Fingerprint, Wrap], Field(min_length=1)]
