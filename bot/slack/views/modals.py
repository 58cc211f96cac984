"""Modals: a reason, less time, values, a notice."""

from collections.abc import Mapping
from typing import Any

from bot.slack.ids import Origin
from bot.slack.views.facts import CardFacts, Message, View
from store.model.request import Request
from store.model.secret import Secret


def deny_reason(request: Request, origin: Origin) -> View:
    """`origin.reference` is what the person saw, not what the request is by now."""
    raise NotImplementedError


def break_reason(facts: CardFacts, origin: Origin) -> View:
    raise NotImplementedError


def dispute_reason(request: Request, origin: Origin) -> View:
    raise NotImplementedError


def read_reason(values: Mapping[str, Any]) -> str:
    """Raises `BadForm`."""
    raise NotImplementedError


def approve_less(request: Request, origin: Origin) -> View:
    raise NotImplementedError


def read_cap(values: Mapping[str, Any]) -> int:
    """Milliseconds. Raises `BadForm`."""
    raise NotImplementedError


def values(target: str, version: int, entries: Mapping[str, Secret], until_ms: int) -> View:
    """The only place in Slack where values are shown. What is binary or long is said to be so, with the command that gives it."""
    raise NotImplementedError


def notice(title: str, sentence: str) -> View:
    raise NotImplementedError


def details(message: Message, title: str = "Request") -> View:
    """A card in full, as a modal."""
    raise NotImplementedError
