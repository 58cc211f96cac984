"""Who and what: one canonical form for each, checked at the door."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from store.model.errors import Invalid

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
REQUEST_ID_LENGTH: Final = 10
_LOOK_ALIKES: Final = str.maketrans("ILO", "110")

UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,20}$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,20}$")]
RequestId = Annotated[str, StringConstraints(pattern=rf"^[{ALPHABET}]{{{REQUEST_ID_LENGTH}}}$")]
TargetId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9/:#-]{0,150}$")]

WORD: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ENVIRONMENT: Final = re.compile(rf"^(?:(?P<org>{WORD})/)?(?P<project>{WORD})/(?P<env>{WORD})(?:#(?P<app>{WORD}))?\Z")
_NAMED: Final = re.compile(rf"^(?P<kind>role|policy):(?P<name>{WORD})\Z")

TargetKind = Literal["environment", "application", "role", "policy"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for, in its one canonical spelling.

    `payments/prod` an environment, `payments/prod#api` an application in it, `role:aws-admin`, `policy:main`.
    """

    id: str
    kind: TargetKind

    @classmethod
    def parse(cls, text: str, *, organization: str | None = None) -> "Target":
        """Raises `Invalid`. A leading segment is accepted and dropped when it is `organization`."""
        if match := _NAMED.match(text):
            return cls(text, "role" if match["kind"] == "role" else "policy")
        match = _ENVIRONMENT.match(text)
        if match is None or (match["org"] is not None and match["org"] != organization):
            raise Invalid(
                f"{shown(text)} is not a target. Targets look like payments/prod, payments/prod#api or role:aws-admin, "
                "in lower-case letters, digits and hyphens.",
                code="bad_target",
            )
        environment = f"{match['project']}/{match['env']}"
        if match["app"]:
            return cls(f"{environment}#{match['app']}", "application")
        return cls(environment, "environment")

    @property
    def environment(self) -> str | None:
        """`payments/prod` of `payments/prod` and of `payments/prod#api`; None for a role or a policy."""
        return self.id.partition("#")[0] if self.kind in ("environment", "application") else None

    def __str__(self) -> str:
        return self.id


POLICIES: Final = Target("policy:main", "policy")  # what a change of the policies is asked for


@lru_cache(maxsize=4096)
def canonical(text: str) -> Target:
    """A target that was checked at the door, read again: the same few over and over."""
    return Target.parse(text)


def shown(text: str, most: int = 60) -> str:
    """What somebody typed, safe to repeat inside a sentence: printable, on one line, cut at `most` characters."""
    clean = "".join(ch if ch.isprintable() else "�" for ch in text[: most + 1])
    return f"“{clean[:most]}…”" if len(clean) > most else f"“{clean}”"


def request_id(randomness: bytes) -> str:
    """Ten Crockford characters out of at least seven random bytes."""
    return crockford(randomness[:7], REQUEST_ID_LENGTH)


def crockford(randomness: bytes, length: int) -> str:
    """Five bits a character, the lowest first."""
    number = int.from_bytes(randomness, "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(length))


def as_crockford(typed: str) -> str:
    """As people type it: in any case, I, L and O as they look."""
    return typed.upper().translate(_LOOK_ALIKES)


def parse_request_id(text: str) -> str:
    """Accepts lower case and the look-alikes I, L and O. Raises `Invalid`."""
    canonical = as_crockford(text.strip())
    if len(canonical) != REQUEST_ID_LENGTH or any(ch not in ALPHABET for ch in canonical):
        raise Invalid(
            f"{shown(text)} is not a request id. Ids have ten letters and digits, like 7Q2M4XK9TB.", code="bad_id"
        )
    return canonical
