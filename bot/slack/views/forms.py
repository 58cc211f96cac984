"""Forms: the modals in which people ask for something, and what they typed into them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.views.facts import Prefill, Terms, View
from store.model.errors import Invalid
from store.model.secret import Secret


class BadForm(Invalid):
    """`errors`: block id -> a sentence. None of them repeats what was typed."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()), code="bad_form")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Asked:
    """`duration_ms` None: the rule's default."""

    target: str
    duration_ms: int | None = None
    reason: str = ""
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class AskedChange:
    target: str
    set: dict[str, Secret]
    remove: tuple[str, ...] = ()
    reason: str = ""
    ticket: str | None = None


def ask_open(targets: Sequence[str], prefill: Prefill, terms: Terms | None) -> View:
    """`terms` None: no target is chosen yet; the form asks for it first. A choice arrives as action `target`."""
    raise NotImplementedError


def ask_access(targets: Sequence[str], prefill: Prefill, terms: Terms | None) -> View:
    raise NotImplementedError


def ask_change(targets: Sequence[str], prefill: Prefill, terms: Terms | None) -> View:
    raise NotImplementedError


def target_options(targets: Sequence[str], query: str) -> list[dict[str, Any]]:
    """What the external select is offered, once there are more targets than a plain one holds."""
    raise NotImplementedError


def chosen_target(values: Mapping[str, Any]) -> str | None:
    """What the form says so far, for drawing it again with this target's terms."""
    raise NotImplementedError


def read_open(values: Mapping[str, Any]) -> Asked:
    """From `view["state"]["values"]`. Raises `BadForm`."""
    raise NotImplementedError


def read_access(values: Mapping[str, Any]) -> Asked:
    raise NotImplementedError


def read_change(values: Mapping[str, Any]) -> AskedChange:
    raise NotImplementedError
