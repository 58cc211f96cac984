"""Tell: one piece of news, in a message of its own."""

from bot.slack.views.facts import CardFacts, Message
from store.model.delivery import Delivery
from store.model.effect import News


def tell(facts: CardFacts, news: News, *, link: str | None = None, to: str | None = None) -> Message:
    """The DM to the requester or the beneficiary. `to`: who reads it; `link`: where the card is."""
    raise NotImplementedError


def announce(facts: CardFacts, news: News, *, link: str | None = None) -> Message:
    """For everybody concerned: approvers, owners, the channel. Broken, countersigned, disputed, overdue, no_rule, trouble."""
    raise NotImplementedError


def hook_line(delivery: Delivery) -> Message:
    """A hook's result, in the card's thread."""
    raise NotImplementedError
