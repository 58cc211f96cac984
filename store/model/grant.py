"""What an approval gives: an interval of access, and the way to find it again outside."""

from store.model.identity import UserId
from store.model.policy import MINUTE
from store.model.record import Part


class Lease(Part):
    """An interval of access, half-open: it covers `starts_ms` and excludes `until_ms`. UTC milliseconds."""

    starts_ms: int
    until_ms: int

    def covers(self, at_ms: int) -> bool:
        return self.starts_ms <= at_ms < self.until_ms

    @property
    def warning_ms(self) -> int:
        """Ten minutes before the end, or a fifth of a lease too short for that."""
        return self.until_ms - min(10 * MINUTE, (self.until_ms - self.starts_ms) // 5)


class Membership(Part):
    """One person in one group of an outside system. `account` is how that system knows the person."""

    connector: str
    group: str
    user: UserId
    account: str

    @property
    def key(self) -> str:
        return f"{self.connector}/{self.group}/{self.user}"
