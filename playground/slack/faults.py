"""Faults that a test switches on: what the network, Slack and its sockets do on bad days."""

from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal["error", "rate_limit", "status", "reset", "delay", "hang"]


@dataclass(slots=True)
class Fault:
    """`method` "*" is any. `after_effect`: the call does its work and its answer is lost. `seconds`: of delay, or of Retry-After."""

    method: str
    kind: FaultKind
    times: int = 1
    after_effect: bool = False
    code: str = "internal_error"
    status: int = 503
    seconds: float = 0.0


@dataclass(slots=True)
class Faults:
    """The faults that still wait for their call; each method here adds one. All of them strike in the order they were added."""

    waiting: list[Fault] = field(default_factory=list)
    ignored_acks: int = 0
    duplicates: int = 0
    struck: list[Fault] = field(default_factory=list)

    def error(self, method: str, code: str, *, times: int = 1, after_effect: bool = False) -> None:
        """`ok: false` with this code."""
        self.waiting.append(Fault(method, "error", times, after_effect, code=code))

    def rate_limit(self, method: str, *, times: int = 1, retry_after: int = 1) -> None:
        """HTTP 429 with Retry-After, in whole seconds."""
        self.waiting.append(Fault(method, "rate_limit", times, seconds=retry_after))

    def status(self, method: str, status: int = 503, *, times: int = 1, after_effect: bool = False) -> None:
        """An HTTP status and a page that is not JSON."""
        self.waiting.append(Fault(method, "status", times, after_effect, status=status))

    def reset(self, method: str, *, times: int = 1, after_effect: bool = False) -> None:
        """The connection breaks; with `after_effect` the message was posted all the same."""
        self.waiting.append(Fault(method, "reset", times, after_effect))

    def delay(self, method: str, seconds: float, *, times: int = 1) -> None:
        """The answer comes late."""
        self.waiting.append(Fault(method, "delay", times, seconds=seconds))

    def hang(self, method: str, *, times: int = 1) -> None:
        """No answer at all, until the caller gives up or `clear()`."""
        self.waiting.append(Fault(method, "hang", times))

    def ignore_acks(self, times: int = 1) -> None:
        """The app's answers to the next envelopes do not arrive."""
        self.ignored_acks += times

    def duplicate(self, times: int = 1) -> None:
        """Each of the next envelopes is delivered twice."""
        self.duplicates += times

    def clear(self) -> None:
        self.waiting.clear()
        self.ignored_acks = self.duplicates = 0

    def take(self, method: str) -> Fault | None:
        for fault in self.waiting:
            if fault.method in ("*", method):
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                self.struck.append(fault)
                return fault
        return None

    def take_ignored_ack(self) -> bool:
        self.ignored_acks = max(0, (before := self.ignored_acks) - 1)
        return before > 0

    def take_duplicate(self) -> bool:
        self.duplicates = max(0, (before := self.duplicates) - 1)
        return before > 0
