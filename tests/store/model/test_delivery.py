"""Delivery: what tells one from the others of its request."""

from typing import get_args

import pytest

from store.model.delivery import Delivery
from store.model.policy import HookEvent

PLACES = {
    "change": "api",  # a hook hears only of the newest version, whether it came by a change or by going back
    "rollback": "api",
    "deploy": "api:deploy",
    "access.granted": "api:access.granted",
    "access.ended": "api:access.ended",
}


@pytest.mark.parametrize("event", get_args(HookEvent))
def test_versions_have_one_place_and_every_other_event_its_own(event: HookEvent) -> None:
    told = Delivery(
        request="REQVEST001", environment="payments/prod", hook="api", event=event, version=1, message_id="msg_1"
    )
    assert told.place == PLACES[event]
