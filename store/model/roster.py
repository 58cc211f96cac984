"""Roster: who was approved to hold the keys of environments. Numbered, each bound to the one before it, and authenticated."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from store.model.errors import Invalid
from store.model.identity import RequestId
from store.model.record import Part
from store.model.sealed import Fingerprint, HolderName, Number, Sealed, Sha256, length_prefixed

ROSTER: Final = "roster"  # stands where an environment's id does, in the records of the keys that authenticate rosters
MEMBERS_MOST: Final = 16
ADDRESS_MOST: Final = 500

Address = Annotated[str, StringConstraints(pattern=rf"^[\x21-\x7e]{{1,{ADDRESS_MOST}}}$")]


class Member(Part):
    """One holder. `address`: where it was when it was approved, for people; `request`: by which, None for the first ones."""

    name: HolderName
    address: Address
    fingerprint: Fingerprint
    since_ms: int
    request: RequestId | None = None


class Roster(Sealed):
    """`mac` is made with a key that every member holds: epoch `number` of the environment that is called `ROSTER`. None until it is signed."""

    number: Number
    previous_mac: Sha256 | None = None
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=MEMBERS_MOST)]
    how: Literal["first", "request", "recovered"]
    at_ms: int
    mac: Sha256 | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for of in ("fingerprint", "name"):
            if len({getattr(member, of) for member in self.members}) < len(self.members):
                raise Invalid(f"Two key holders of one roster have the same {of}.", code="same_holder")
        return self

    @property
    def fingerprints(self) -> frozenset[str]:
        return frozenset(member.fingerprint for member in self.members)

    def named(self, name: str) -> Member | None:
        """By name or by fingerprint."""
        return next((member for member in self.members if name in (member.name, member.fingerprint)), None)

    def canonical(self, installation: str) -> bytes:
        """What the MAC covers: everything but the MAC."""
        fields: list[str | int | bytes] = [
            "countersign/roster/1", installation, self.number, self.previous_mac or "", self.how, self.at_ms, len(self.members),
        ]  # fmt: skip
        for member in self.members:
            fields += [member.name, member.address, member.fingerprint, member.since_ms, member.request or ""]
        return length_prefixed(*fields)


def spaced(fingerprint: str) -> str:
    """In groups of four, as the console of a holder and the card show it, for people to compare."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))
