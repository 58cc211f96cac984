"""Request: what is asked, what has been said of it, and where it stands."""

import hashlib
import re
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from store.model.errors import Invalid
from store.model.grant import Lease, Membership
from store.model.identity import RequestId, Target, TargetId, UserId, canonical, shown
from store.model.record import Part, Record
from store.model.roster import Address
from store.model.sealed import Fingerprint, Held, HolderName, Sha256, length_prefixed
from store.model.token import LIFETIME_LEAST_MS, LIFETIME_MOST_MS, Action, MachineName, TokenId, machine_actor

Kind = Literal["open", "access", "change", "deploy", "policy"]
Door = Literal["slack", "terminal", "machine", "github"]
State = Literal[
    "pending", "approved", "stale", "granting", "active", "revoking", "running",
    "denied", "withdrawn", "expired", "merged", "extended", "ended", "failed",
    "succeeded", "cancelled", "superseded",
]  # fmt: skip
Timer = Literal["deadline", "warning", "remind", "escalate"]

TERMINAL: Final[frozenset[State]] = frozenset(
    {
        *("denied", "withdrawn", "expired", "merged", "extended", "ended", "failed"),
        *("succeeded", "cancelled", "superseded"),
    }
)
LIVE: Final[frozenset[State]] = frozenset({"granting", "active", "revoking"})  # something is held, or may be

CLOCK: Final = "clock"  # the actor of what time does by itself
RELAY: Final = "relay"  # the actor of what an outside system reported

REASON_MOST: Final = 2_000  # characters
HELD: Final[frozenset[Kind]] = frozenset({"open", "access"})  # for a time, by somebody
MERGED: Final[frozenset[Kind]] = frozenset({"change", "policy"})  # what lasts: it is merged, and nobody holds it


class Opening(Part):
    """To read an environment's secrets for `duration_ms` from the first use. `use_within_ms`: of the approval, where the rule allows longer."""

    type: Literal["open"] = "open"
    environment_id: str
    duration_ms: Annotated[int, Field(gt=0)]
    use_within_ms: Annotated[int, Field(gt=0)] | None = None


class Joining(Part):
    """To be a member of an outside group for `duration_ms`. `use_within_ms`: of the approval, where the rule allows longer."""

    type: Literal["access"] = "access"
    membership: Membership
    duration_ms: Annotated[int, Field(gt=0)]
    use_within_ms: Annotated[int, Field(gt=0)] | None = None


class Touch(Part):
    """One name of a change. `base` is the entry it was made against, None where there was none; no `entry` removes it."""

    name: str
    base: str | None = None
    entry: Held | None = None
    same: bool = False  # sealed again with the value it had

    @property
    def word(self) -> Literal["new", "changed", "unchanged", "removed"]:
        if self.entry is None:
            return "removed"
        if self.base is None:
            return "new"
        return "unchanged" if self.same else "changed"


class Change(Part):
    """To set or remove secrets. The sealed values lie in a payload of their own, also those of an earlier version."""

    type: Literal["change"] = "change"
    environment_id: str
    touches: Annotated[tuple[Touch, ...], Field(min_length=1, max_length=100)]
    back_to: Annotated[int, Field(ge=1)] | None = None  # the version whose entries it uses again


class Amendment(Part):
    """To put other policies into force instead of version `base`. The whole new set lies in a payload of its own."""

    type: Literal["policy"] = "policy"
    base: Annotated[int, Field(ge=1)]
    content: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # SHA-256 of the set, as it is stored

    @property
    def number(self) -> int:
        """Of the version that it becomes."""
        return self.base + 1


class Enrolling(Part):
    """To let a key holder be given every key, or no key any more."""

    type: Literal["enrolling"] = "enrolling"
    what: Literal["add", "remove"]
    name: HolderName
    address: Address
    fingerprint: Fingerprint


class Minting(Part):
    """To let a machine in: for these actions on these targets, for `lifetime_ms` from its approval.

    Who asks has minted the secret; only its hash is here.
    """

    type: Literal["minting"] = "minting"
    token: TokenId
    hash: Sha256
    name: MachineName
    targets: Annotated[tuple[TargetId, ...], Field(min_length=1, max_length=20)]
    actions: Annotated[tuple[Action, ...], Field(min_length=1, max_length=3)]
    lifetime_ms: Annotated[int, Field(ge=LIFETIME_LEAST_MS, le=LIFETIME_MOST_MS)]


class Extending(Part):
    """To keep what request `parent` gave for `duration_ms` longer than until `until_ms`, when it would end."""

    type: Literal["extension"] = "extension"
    parent: RequestId
    until_ms: int
    duration_ms: Annotated[int, Field(gt=0)]


VERSION_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._+/@:-]{0,127}$"
REF_PATTERN: Final = r"^(?:[a-z0-9]{1,20}:)?[0-9a-f]{7,128}$"
Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]
Ref = Annotated[str, StringConstraints(pattern=REF_PATTERN)]


class Deployment(Part):
    """To deploy `version`, as people call it. `ref` names the same for ever: a commit, the digest of an image."""

    type: Literal["deploy"] = "deploy"
    version: Version
    ref: Ref | None = None


def deployment(version: str, ref: str | None = None) -> Deployment:
    """Of what somebody typed. Raises `Invalid`."""
    if re.fullmatch(VERSION_PATTERN, version) is None:
        raise Invalid(
            f"{shown(version)} is not a version: up to 128 letters, digits and . _ + / @ : -, like v1.2.3.",
            code="bad_version",
        )
    if ref is not None and re.fullmatch(REF_PATTERN, ref) is None:
        raise Invalid(
            f"{shown(ref)} is neither a commit nor a digest: those look like 9f2c41d or sha256:9f2c41d….",
            code="bad_ref",
        )
    return Deployment(version=version, ref=ref)


Payload = Annotated[
    Opening | Joining | Change | Deployment | Amendment | Enrolling | Minting | Extending, Field(discriminator="type")
]


class Review(Part):
    """One person's verdict on one revision. `cap_ms` is the longest access they agree to."""

    by: UserId
    verdict: Literal["approve", "deny"]
    at_ms: int
    reason: str | None = None
    cap_ms: int | None = None


class Decision(Part):
    """How it was decided, by whom and when. Break-glass carries its reason."""

    basis: Literal["quorum", "break-glass", "denial"]
    by: tuple[UserId, ...]
    at_ms: int
    reason: str | None = None


class Ending(Part):
    """`by` is a person, a machine, `clock` or `relay`."""

    by: str
    at_ms: int
    reason: str | None = None


class Editing(Part):
    """Who asked something else under the same id, and when. `dropped`: there were votes, and they no longer hold."""

    by: UserId
    at_ms: int
    dropped: bool


class Extension(Part):
    """By how much the request `by` has moved the end of this one, and when it did."""

    by: RequestId
    longer_ms: int
    at_ms: int


class Run(Part):
    """How a deploy goes: who started it, and what its receiver has said of it since. `log` is where more can be read."""

    by: UserId
    at_ms: int
    report_by_ms: int | None = None  # when the time to report is over
    environment_version: int | None = None  # the newest of the environment when it was started; the job reads that one
    stage: str | None = None
    log: str | None = None
    said: str | None = None
    said_ms: int | None = None


class Machine(Part):
    """A machine that asked by itself, with the token it showed. Its requester is who asked for that token."""

    token: TokenId
    name: MachineName

    @property
    def actor(self) -> str:
        return machine_actor(self.token)

    @property
    def digested(self) -> list[str]:
        return ["machine", self.token, self.name]


Repository = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}$")]
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}(?:\[bot\])?$")]
Number = Annotated[int, Field(ge=1, lt=2**63)]


class Gate(Part):
    """A job at GitHub that waits until it is let into an environment. Its requester is whom the policies name to answer for it.

    `by`: who started it, as GitHub calls them. `page`: where it can be looked at.
    """

    repository: Repository
    environment: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    run: Number
    installation: Number  # of our App, by which it is answered
    deployment: Number
    by: Login
    page: str

    @property
    def name(self) -> str:
        return self.repository

    @property
    def actor(self) -> str:
        return f"github:{self.repository}"

    @property
    def digested(self) -> list[str]:
        return ["github", self.repository, self.environment, str(self.run), str(self.deployment), self.by]


class Request(Record):
    """`version` counts commits and lives beside the body; `revision` counts what is asked, and votes hold for one of them."""

    id: RequestId
    kind: Kind
    target: TargetId
    requester: UserId
    beneficiary: UserId
    payload: Payload
    reason: str = ""
    ticket: str | None = None
    revision: int = 1
    digest: str
    policy: int  # number of the policy set it was made under
    rule: str
    created_ms: int
    state: State = "pending"
    since_ms: int
    reviews: tuple[Review, ...] = ()
    decision: Decision | None = None
    granted_ms: int | None = None  # duration that was agreed
    lease: Lease | None = None
    extended: tuple[Extension, ...] = ()  # each has moved the end of the lease
    extension: RequestId | None = None  # the newest that was asked for, unless it was used
    ending: Ending | None = None
    edited: Editing | None = None  # what made the present revision
    note: str | None = None  # what an outside system said, where it refused or differs
    merged: int | None = None  # number of the version, of the environment or of the policies, that holds the change
    hooks: tuple[str, ...] = ()  # that are told of it
    run: Run | None = None  # of a deploy that was started
    timers: dict[Timer, int] = {}
    door: Door = "slack"  # through which it was asked
    machine: Machine | Gate | None = None  # what asked, where that was no person

    @property
    def asker(self) -> str:
        """Who or what asked, as the audit log names it."""
        return self.requester if self.machine is None else self.machine.actor

    @property
    def gate(self) -> Gate | None:
        """The job at GitHub that waits for the word on it."""
        return self.machine if isinstance(self.machine, Gate) else None

    @property
    def asked(self) -> Target:
        return canonical(self.target)

    @property
    def duration_ms(self) -> int | None:
        return self.payload.duration_ms if isinstance(self.payload, Opening | Joining | Extending) else None

    @property
    def use_within_ms(self) -> int | None:
        """How long an approval waits for its first use at the most, as it was asked."""
        return self.payload.use_within_ms if isinstance(self.payload, Opening | Joining) else None

    @property
    def environment_id(self) -> str | None:
        return self.payload.environment_id if isinstance(self.payload, Opening | Change) else None

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    def votes(self, verdict: Literal["approve", "deny"]) -> tuple[Review, ...]:
        return tuple(review for review in self.reviews if review.verdict == verdict)

    @property
    def reference(self) -> str:
        """What a button carries: which request, which content."""
        return f"{self.id}:{self.revision}:{self.digest}"


def startable(request: Request) -> bool:
    """A deploy that waits for somebody to press Deploy."""
    return request.kind == "deploy" and request.state == "approved"


def _used_within(payload: Opening | Joining) -> list[str]:
    return [] if payload.use_within_ms is None else ["use within", str(payload.use_within_ms)]


def digest(installation: str, request: Request) -> str:
    """SHA-256, hex, over what is asked: never who may decide, never a plaintext."""
    fields: list[str] = [
        "countersign request 1", installation, request.id, str(request.revision), request.kind, request.target,
        request.requester, request.beneficiary,
    ]  # fmt: skip
    match request.payload:
        case Opening() as opening:
            fields += [opening.environment_id, str(opening.duration_ms), *_used_within(opening)]
        case Joining() as joining:
            of = joining.membership
            fields += [of.connector, of.group, of.user, of.account, str(joining.duration_ms), *_used_within(joining)]
        case Extending() as longer:
            fields += ["extension", longer.parent, str(longer.until_ms), str(longer.duration_ms)]
        case Change() as change:
            fields.append(change.environment_id)
            for touch in sorted(change.touches, key=lambda touch: touch.name):
                held = touch.entry
                fields += [
                    touch.name,
                    touch.base or "",
                    held.entry_id if held else "",
                    held.ciphertext_hash if held else "",
                    "" if held is None or held.mode is None else str(held.mode),
                ]
            fields += [] if change.back_to is None else ["back", str(change.back_to)]
        case Deployment() as deployment:
            fields += ["deploy", deployment.version, deployment.ref or ""]
            fields += [] if request.machine is None else request.machine.digested
        case Amendment() as amendment:
            fields += [str(amendment.base), amendment.content]
        case Enrolling() as holder:
            fields += ["enrolling", holder.what, holder.name, holder.address, holder.fingerprint]
        case Minting() as machine:
            fields += ["minting", machine.token, machine.hash, machine.name, str(machine.lifetime_ms)]
            fields += [str(len(machine.targets)), *machine.targets, *machine.actions]
    return hashlib.sha256(length_prefixed(*fields)).hexdigest()
