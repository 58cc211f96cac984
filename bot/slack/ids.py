"""Ids: the names that buttons, modals and shortcuts go by, and what they carry back to us."""

import re
from dataclasses import dataclass
from typing import Final

from store.model.errors import Invalid
from store.model.identity import Target, parse_request_id
from store.model.lock import Lock
from store.model.request import Request

# Buttons. An action id is the same on a card, in a message and in App Home.
APPROVE: Final = "approve"
DENY: Final = "deny"
BREAK_GLASS: Final = "break_glass"
COUNTERSIGN: Final = "countersign"
DISPUTE: Final = "dispute"
ACTIVATE: Final = "activate"
EXTEND: Final = "extend"
END: Final = "end"
END_NOW: Final = "end_now"  # of what somebody else has: with a reason
RETRY_HOOK: Final = "retry_hook"
ROLL_BACK: Final = "roll_back"
MERGE: Final = "merge"
APPROVE_AND_DEPLOY: Final = "approve_and_deploy"
DEPLOY: Final = "deploy"
CANCEL: Final = "cancel"
DEPLOY_AGAIN: Final = "deploy_again"  # the last that succeeded, before or since
WITHDRAW: Final = "withdraw"
EDIT: Final = "edit"
SHOW_VALUES: Final = "show_values"

# The overflow menu of a card; the value of an option is `choice|reference`.
MORE: Final = "more"
MORE_APPROVE_LESS: Final = "approve_less"
MORE_DETAILS: Final = "details"
MORE_WHY: Final = "why"

# Modals, by callback id.
ASK_OPEN: Final = "ask_open"
ASK_ACCESS: Final = "ask_access"
ASK_CHANGE: Final = "ask_change"
ASK_DEPLOY: Final = "ask_deploy"
EDIT_REQUEST: Final = "edit_request"
DENY_REASON: Final = "deny_reason"
BREAK_REASON: Final = "break_reason"
DISPUTE_REASON: Final = "dispute_reason"
END_REASON: Final = "end_reason"
CANCEL_REASON: Final = "cancel_reason"
APPROVE_LESS: Final = "approve_less"
UNLOCK_REASON: Final = "unlock_reason"
EXTEND_TIME: Final = "extend_time"
LOGIN: Final = "login"
DELETE_ENVIRONMENT: Final = "delete_environment"
VALUES: Final = "values"
NOTICE: Final = "notice"

# In the modal of a login. The value is its id.
LOGIN_DENY: Final = "login_deny"

# Fields of modals: the action id is fixed; the block id is the same, or begins with it and a colon.
KIND: Final = "kind"
TARGET: Final = "target"
DURATION: Final = "duration"
VERSION: Final = "version"
REF: Final = "ref"
REASON: Final = "reason"
TICKET: Final = "ticket"
WHOM: Final = "whom"
SET: Final = "set"
REMOVE: Final = "remove"
CONFIRM: Final = "confirm"

# Global shortcuts.
SHORTCUT_OPEN: Final = "open_environment"
SHORTCUT_ACCESS: Final = "request_access"
SHORTCUT_CHANGE: Final = "change_secrets"
SHORTCUT_DEPLOY: Final = "request_deploy"

# A shortcut of messages.
SHORTCUT_ABOUT: Final = "ask_about"

# App Home: ask for something. The value is a target, or "-" for none yet.
HOME_ASK_OPEN: Final = "home_ask_open"
HOME_ASK_ACCESS: Final = "home_ask_access"
HOME_ASK_CHANGE: Final = "home_ask_change"
HOME_ASK_DEPLOY: Final = "home_ask_deploy"
NO_TARGET: Final = "-"

# App Home, for owners: let somebody break the glass again. The value is `USER:newest cause, ms`.
HOME_UNLOCK: Final = "home_unlock"

# App Home, for owners: send a test to a hook. The value is `TARGET HOOK`.
HOME_TEST_HOOK: Final = "home_test_hook"

# App Home, for owners: what a version of the policies changed. The value is its number.
HOME_POLICY_CHANGES: Final = "home_policy_changes"

# App Home: end a session of one's own, or as an owner the token of a machine (the value is its id); and all sessions of one's own.
HOME_REVOKE: Final = "home_revoke"
HOME_SIGN_OUT: Final = "home_sign_out"

# App Home: back to a version of an environment. The value, and the form's metadata, is `TARGET@NUMBER`.
HOME_ROLL_BACK: Final = "home_roll_back"
ROLL_BACK_TO: Final = "roll_back_to"

# App Home: to a page, or to another part of a list on it. What follows tells the buttons of one row apart; the value is a `Place`.
HOME_GO: Final = "home_go_"


_LOCKED: Final = re.compile(r"(?P<user>[UW][A-Z0-9]{2,20}):(?P<seen>[0-9]{1,15})")
_PLACE: Final = re.compile(r"(?P<place>[a-z]{2,20}(?::[0-9]{1,5}){0,4})(?:@(?P<about>[a-z0-9][a-z0-9/-]{0,150}))?")
_VERSION: Final = re.compile(r"(?P<target>[a-z0-9][a-z0-9/-]{0,150})@(?P<number>[0-9]{1,9})")
_REFERENCE: Final = re.compile(r"(?P<request>[^:]*):(?P<revision>[0-9]{1,9}):(?P<digest>[0-9a-f]{1,64})")


@dataclass(frozen=True, slots=True)
class Reference:
    """Which request, and which content of it. It says nothing about what the person may do."""

    request: str
    revision: int
    digest: str

    def __str__(self) -> str:
        return f"{self.request}:{self.revision}:{self.digest}"


def _parts(pattern: re.Pattern[str], value: str) -> re.Match[str]:
    """Raises `Invalid`: it comes back from a client."""
    found = pattern.fullmatch(value)
    if found is None:
        raise Invalid("This button is not one of ours.", code="bad_reference")
    return found


def parse_reference(value: str) -> Reference:
    """Raises `Invalid`: it comes back from a client."""
    parts = _parts(_REFERENCE, value)
    return Reference(parse_request_id(parts["request"]), int(parts["revision"]), parts["digest"])


def retry_block(place: str, attempts: int) -> str:
    """The id of the block in which a Retry stands: of which hook, and another one after each try."""
    return f"retry/{place}/{attempts}"


def parse_retry_block(value: str) -> str:
    """Which hook. Raises `Invalid`: it comes back from a client."""
    parts = value.split("/")
    if len(parts) != 3 or parts[0] != "retry":
        raise Invalid("This button is not one of ours.", code="bad_reference")
    return parts[1]


def hook_reference(target: str, hook: str) -> str:
    """Which hook of the policies."""
    return f"{target} {hook}"


def parse_hook_reference(value: str) -> tuple[str, str]:
    """Target and name. Raises `Invalid`: it comes back from a client."""
    target, apart, hook = value.partition(" ")
    if not apart:
        raise Invalid("This button is not one of ours.", code="bad_reference")
    return target, hook


def lock_reference(lock: Lock) -> str:
    """Whose lock, and the newest cause of it that the owner saw."""
    return f"{lock.user}:{lock.newest.at_ms}"


def parse_lock_reference(value: str) -> tuple[str, int]:
    """Raises `Invalid`."""
    parts = _parts(_LOCKED, value)
    return parts["user"], int(parts["seen"])


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is on App Home: a page, for each list on it which part, from 0, and which thing it is about. It gives no right to see the page."""

    page: str
    parts: tuple[int, ...] = ()
    about: str = ""

    def __str__(self) -> str:
        return ":".join((self.page, *map(str, self.parts))) + (f"@{self.about}" if self.about else "")

    def part(self, of: int) -> int:
        """Of the list with this number."""
        return self.parts[of] if of < len(self.parts) else 0

    def at(self, of: int, part: int) -> "Place":
        """The same page, with that list elsewhere."""
        parts = [*self.parts, *[0] * (of + 1 - len(self.parts))]
        parts[of] = part
        return Place(self.page, tuple(parts), self.about)


def parse_place(value: str) -> Place:
    """Raises `Invalid`: it comes back from a client."""
    found = _parts(_PLACE, value)
    page, *parts = found["place"].split(":")
    return Place(page, tuple(map(int, parts)), found["about"] or "")


def version_reference(target: str, number: int) -> str:
    """Which version of which environment."""
    return f"{target}@{number}"


def parse_version_reference(value: str) -> tuple[Target, int]:
    """Raises `Invalid`: it comes back from a client."""
    parts = _parts(_VERSION, value)
    return Target.parse(parts["target"]), int(parts["number"])


def choice(name: str, request: Request) -> str:
    """The value of an option of the overflow menu."""
    return f"{name}|{request.reference}"


def parse_choice(value: str) -> tuple[str, Reference]:
    """`MORE_…` and what it is about. Raises `Invalid`."""
    name, _, about = value.partition("|")
    if name not in (MORE_APPROVE_LESS, MORE_DETAILS, MORE_WHY):
        raise Invalid("This menu is not one of ours.", code="bad_reference")
    return name, parse_reference(about)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a modal is about and where it was opened from. It comes back from the client: look it up, trust nothing in it."""

    reference: Reference | None = None
    channel: str | None = None
    ts: str | None = None

    @property
    def about(self) -> Reference:
        """Raises `Invalid` where it is about no request."""
        if self.reference is None:
            raise Invalid("This form is not one of ours.", code="bad_payload")
        return self.reference


def metadata(origin: Origin) -> str:
    """`private_metadata` of a modal: reference, channel and ts, "-" for what is not there."""
    return " ".join(str(part or "-") for part in (origin.reference, origin.channel, origin.ts))


def parse_metadata(text: str) -> Origin:
    """Raises `Invalid`."""
    parts = text.split(" ")
    if len(parts) != 3:
        raise Invalid("This form is not one of ours.", code="bad_reference")
    about, channel, ts = (None if part == "-" else part for part in parts)
    return Origin(None if about is None else parse_reference(about), channel, ts)
