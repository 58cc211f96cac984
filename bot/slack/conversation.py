"""Conversation: what whoever listens in Slack looks things up with, answers with, and has things done with."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.asking import Asking
from bot.slack.directory import SlackDirectory
from bot.slack.pictures import Pictures
from bot.slack.replies import Replies
from bot.slack.wire import Slack
from store.redis.locks import Locks
from store.redis.policies import Policies
from store.redis.requests import Requests


@dataclass(frozen=True, slots=True)
class Conversation:
    """`counted` hears of each command and its answer."""

    slack: Slack
    requests: Requests
    policies: Policies
    locks: Locks
    directory: SlackDirectory
    asking: Asking
    pictures: Pictures
    replies: Replies
    counted: Callable[[str, str], None]
