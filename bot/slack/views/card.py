"""Card: one request as a message, for those who decide and for the person who asked."""

from bot.slack.views.facts import CardFacts, Message

__all__ = ["CardFacts", "Message", "for_approvers", "for_requester"]


def for_approvers(facts: CardFacts, *, whole: bool = False) -> Message:
    """The card in the channel. `whole`: with the reason in full, for who asks to see it."""
    raise NotImplementedError


def for_requester(facts: CardFacts, *, whole: bool = False) -> Message:
    """The copy in the requester's DM: the same truth, with their own next step."""
    raise NotImplementedError
