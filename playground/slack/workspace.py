"""Workspace: the state, what people see and do in it, its administration, and its line to the app."""

from typing import Any

from playground.slack.acts import Acts
from playground.slack.administration import Administration
from playground.slack.delivery import RETRIES_AFTER_S, Delivery
from playground.slack.faults import Faults
from playground.slack.response_urls import ResponseUrls
from playground.slack.sockets import Sockets


class Workspace(Acts, Administration):
    """See `State` for the arguments, and `Delivery` for `ack_within_s` and `retries_after_s` (seconds)."""

    def __init__(
        self, *, ack_within_s: float = 3.0, retries_after_s: tuple[float, ...] = RETRIES_AFTER_S, **state: Any
    ) -> None:
        super().__init__(**state)
        self.faults = Faults()
        self.delivery = Delivery(self, self.faults, ack_within_s=ack_within_s, retries_after_s=retries_after_s)
        self.response_urls = ResponseUrls(self)

    @property
    def sockets(self) -> Sockets:
        return self.delivery.sockets

    @property
    def bot_connected(self) -> bool:
        return bool(self.delivery.sockets.connected) or self.delivery.http.url is not None
