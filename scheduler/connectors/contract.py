"""What a connector must do: keep people in, and out of, the groups of an outside system.

AccessError
├── Unavailable   try again, later if `retry_after_ms` says so
├── Refused       the outside will never do this: a person must look
└── Quarantined   the outside did what nobody asked for: stop touching this group, and alarm
"""

from collections.abc import Set as AbstractSet
from typing import Protocol

from store.model.errors import AccessError


class Refused(AccessError):
    """Trying again is of no use: an unknown person or group, a token that may not, an address that is denied."""

    code = "refused"


class Quarantined(AccessError):
    """The group changed in more than the one member that was asked for. What could be put back was put back."""

    code = "quarantined"


class Connector(Protocol):
    """Memberships in one outside system.

    `group` is spelled as in the policy. `account` is an e-mail address; case does not matter.

    *Done* is what a read from the outside shows, now. A success answer proves nothing, and a time-out proves nothing
    either. So `add` and `remove` return only when a read after the write shows the change, and raise `Unavailable`
    where it does not show yet; all may be called again at any time: adding a present member or removing an absent one
    is no error. Every method raises `Unavailable`, `Refused` or `Quarantined`, with a sentence that holds neither
    bodies nor credentials.

    Two calls about one group should not run at the same time in two processes: a member who left by the other call
    looks like one lost by ours.
    """

    async def has(self, group: str, account: str) -> bool:
        """Read from the outside, never from a cache. A group that cannot be read is an error, never False."""

    async def add(self, group: str, account: str) -> None: ...

    async def remove(self, group: str, account: str) -> None: ...

    async def members(self, group: str, known: AbstractSet[str] = frozenset()) -> frozenset[str]:
        """Accounts, in lower case. A member who has several addresses appears as those that are in `known`.

        Pass the accounts of all live grants as `known`; what is in the answer and not in `known` is a stranger.
        """

    async def check(self, group: str | None = None) -> None:
        """For doctor: the credentials work, and the group, where one is named, can be read."""
