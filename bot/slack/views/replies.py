"""Replies: what the slash command and a refused click answer, seen by one person only."""

from collections.abc import Sequence

from bot.slack.views.facts import CardFacts, Message


def sentence(text: str) -> Message:
    """One sentence, such as an error's."""
    raise NotImplementedError


def help_text() -> Message:
    raise NotImplementedError


def listing(title: str, cards: Sequence[CardFacts], *, empty: str, more: int = 0) -> Message:
    """One line a request, for `pending` and `mine`."""
    raise NotImplementedError


def why(facts: CardFacts, *, you: str | None = None) -> Message:
    """Who may decide, who is asked, what is missing. `you`: a sentence about the reader."""
    raise NotImplementedError
