"""Token: what a program shows to speak for a person, or for itself as a machine that was let in."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NoReturn

from pydantic import Field, StringConstraints

from store.model.errors import Forbidden
from store.model.identity import ALPHABET, REQUEST_ID_LENGTH, TargetId, UserId
from store.model.record import Record
from store.model.sealed import Sha256
from store.model.secret import Secret

TokenKind = Literal["person", "machine"]
TokenId = Annotated[str, StringConstraints(pattern=rf"^[{ALPHABET}]{{{REQUEST_ID_LENGTH}}}$")]
Action = Literal[
    "read", "deploy", "report"
]  # what a machine may be let do: read secrets, ask for a deploy, say how one went
PublicKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]  # 32 bytes, base64url without padding

MachineName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
MachineActor = Annotated[str, StringConstraints(pattern=rf"^machine:[{ALPHABET}]{{{REQUEST_ID_LENGTH}}}$")]

SECRET_BYTES: Final = 32
DAY_MS: Final = 24 * 3_600_000
LIFETIME_LEAST_MS: Final = 3_600_000
LIFETIME_MOST_MS: Final = 366 * DAY_MS
WARNED_MOST_MS: Final = 7 * DAY_MS  # before its end
MACHINE: Final = "machine:"  # before the id of its token, where the audit log names who acted
MACHINES: Final = "machines"  # where the tokens of machines are listed together
PREFIXES: Final[dict[TokenKind, str]] = {
    "person": "csp",
    "machine": "csm",
}  # so that scanners of leaked secrets know it

_BEARER: Final = re.compile(
    rf"(?P<prefix>csp|csm)_(?P<id>[{ALPHABET}]{{{REQUEST_ID_LENGTH}}})_(?P<secret>[A-Za-z0-9_-]{{43}})"
)


class Token(Record):
    """`hash` is the SHA-256, hex, of the secret part. A person's is renewed by proof of `signs`; a machine's lives until `expires_ms`.

    `epoch` is that of all sessions of the person when it was made: a later one ends them all at once. A machine was let in by
    approval, and does not end with the session of who asked for it.
    """

    id: TokenId
    kind: TokenKind
    holder: UserId  # the person, or the owner who asked for the machine's
    name: str  # the host, or what the machine is called
    hash: Sha256
    created_ms: int
    expires_ms: int  # of this secret
    epoch: Annotated[int, Field(ge=0)] = 0
    targets: tuple[TargetId, ...] = ()  # a machine's; exact names
    actions: tuple[Action, ...] = ()  # a machine's
    seals: PublicKey | None = None  # X25519: what a person's new secrets are sealed to
    signs: PublicKey | None = None  # Ed25519: what proves that the same computer asks
    address: str | None = None  # from where it was asked for
    until_ms: int | None = None  # when a person's can be renewed no more
    proved_ms: int | None = None  # what the newest proof of its computer said the time was; none is taken twice
    request: str | None = None  # the request by which a machine's was approved
    revoked_ms: int | None = None
    version: Annotated[int, Field(ge=1)] | None = None  # of the environment: no other is read with it
    deploy: str | None = None  # the request whose job it was lent to: it reads while that runs

    @property
    def actor(self) -> str:
        """As the audit log names who acted."""
        return self.holder if self.kind == "person" else machine_actor(self.id)

    @property
    def shelf(self) -> str:
        """Among whose tokens it is listed."""
        if self.deploy is not None:
            return f"deploy:{self.deploy}"
        return self.holder if self.kind == "person" else MACHINES

    @property
    def ends_ms(self) -> int:
        """When it is over for good: no renewal goes beyond."""
        return self.expires_ms if self.until_ms is None else self.until_ms

    @property
    def warns_ms(self) -> int | None:
        """When who asked for a machine's hears that it ends: a week before, or with a quarter of its life left."""
        if self.kind != "machine" or self.revoked_ms is not None or self.deploy is not None:
            return None
        return self.expires_ms - min(WARNED_MOST_MS, (self.expires_ms - self.created_ms) // 4)

    @property
    def kept_ms(self) -> int:
        """How long after each writing the record stays at the least: its whole life, and a day to be looked at."""
        return self.ends_ms - self.created_ms + DAY_MS

    def lives(self, now_ms: int, epoch: int) -> bool:
        """`epoch`: of all tokens of its actor, now."""
        return self.revoked_ms is None and now_ms < self.expires_ms and self.epoch == epoch

    def may(self, action: Action, target: str) -> bool:
        """Whether a machine was let do this. What a person may, the policies say."""
        return self.kind == "machine" and action in self.actions and target in self.targets


@dataclass(frozen=True, slots=True)
class Use:
    """When a token was last shown, to the minute, and from where."""

    at_ms: int
    address: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token as it is shown: which one, and the hash of the secret in it."""

    id: str
    kind: TokenKind
    hash: str

    def fits(self, token: Token) -> bool:
        return token.kind == self.kind and hmac.compare_digest(token.hash, self.hash)

    @classmethod
    def read(cls, shown: str) -> "Bearer":
        """Raises `Forbidden` for what is no token of ours."""
        match = _BEARER.fullmatch(shown)
        if match is None:
            raise unknown_token()
        kind: TokenKind = "person" if match["prefix"] == PREFIXES["person"] else "machine"
        return cls(match["id"], kind, hash_of(match["secret"]))

    def __reduce__(self) -> NoReturn:
        raise TypeError("A token does not travel by pickle.")


def machine_actor(token_id: str) -> str:
    return f"{MACHINE}{token_id}"


def is_machine(actor: str) -> bool:
    return actor.startswith(MACHINE)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def write_token(kind: TokenKind, token_id: str, randomness: bytes) -> tuple[Secret, str]:
    """The token as it is shown, and the hash that is kept of it. `randomness`: 32 bytes."""
    secret = base64.urlsafe_b64encode(randomness[:SECRET_BYTES]).rstrip(b"=").decode()
    return Secret(f"{PREFIXES[kind]}_{token_id}_{secret}".encode()), hash_of(secret)


def unknown_token() -> Forbidden:
    """The one answer for a token that never was, was renewed, was revoked or is over: none tells more."""
    return Forbidden("This token is not valid, or no longer. Log in again: countersign login", code="bad_token")
