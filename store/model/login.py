"""Login: a computer has asked to speak for somebody, and nobody has said yet for whom."""

import hashlib
from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from store.model.errors import Invalid
from store.model.identity import ALPHABET, UserId, as_crockford, crockford, shown
from store.model.record import Record
from store.model.sealed import Sha256
from store.model.token import PublicKey, TokenId

CODE_LENGTH: Final = 8
Code = Annotated[str, StringConstraints(pattern=rf"^[{ALPHABET}]{{{CODE_LENGTH}}}$")]


class Attempt(Record):
    """`poll` is the SHA-256, hex, of what only the computer has that asked. Once somebody has typed the code it is theirs (`by`).

    Confirmed, it holds the token sealed to that computer until it is fetched, once.
    """

    id: TokenId
    code: Code
    poll: Sha256
    host: str  # what the computer calls itself; anybody may have typed it
    address: str  # from where it asked
    seals: PublicKey
    signs: PublicKey
    created_ms: int
    expires_ms: int
    state: Literal["waiting", "confirmed", "denied"] = "waiting"
    by: UserId | None = None
    sealed: str | None = None
    token_expires_ms: int | None = None
    until_ms: int | None = None


def login_code(randomness: bytes) -> str:
    """Eight Crockford characters out of five random bytes."""
    return crockford(randomness[:5], CODE_LENGTH)


def parse_login_code(text: str) -> str:
    """As people type it: in any case, with or without the hyphen, I, L and O as they look. Raises `Invalid`."""
    canonical = as_crockford(text.strip("` ").replace("-", "").replace(" ", ""))
    if len(canonical) != CODE_LENGTH or any(letter not in ALPHABET for letter in canonical):
        raise Invalid(
            f"{shown(text)} is not a login code. Codes have eight letters and digits, like 7Q2M-4XK9.", code="bad_code"
        )
    return canonical


def spelled(code: str) -> str:
    """`7Q2M-4XK9`."""
    return f"{code[:4]}-{code[4:]}"


def poll_hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
