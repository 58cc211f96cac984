"""Home: the tab where everything that concerns one person stands."""

from bot.slack.views.facts import HomeFacts, Offer, View

__all__ = ["HomeFacts", "Offer", "home"]


def home(facts: HomeFacts) -> View:
    raise NotImplementedError
