"""What people do in stories, in their own words: ask, find the card, decide, use."""

from collections.abc import Mapping
from typing import Any

from playground import seed
from playground.house import House
from playground.slack.records import Message, Seen, View
from playground.slack.sight import actions_of, text_of


async def ask(house: House, user: str, words: str, values: Mapping[str, Any] | None = None) -> Seen:
    """`/countersign request …`, and the form sent off with what it was opened with, and `values`."""
    before = len(house.workspace.modals(user))
    await house.workspace.slash(user, seed.APPROVALS, "/countersign", f"request {words}")
    assert len(house.workspace.modals(user)) > before, ephemerals(house, user)
    return await house.workspace.submit(user, house.workspace.modals(user)[-1].id, dict(values or {}))


async def card(house: House, *words: str) -> Message:
    """The newest card in the approvers' channel that says all of these words."""
    found = await house.workspace.wait_for(lambda: _cards(house, seed.APPROVALS, words))
    return found[-1]


async def own_card(house: House, user: str, *words: str, button: str | None = None) -> Message:
    """In the person's DM with the bot."""

    def found() -> list[Message]:
        return [
            message
            for message in house.workspace.dm(user)
            if all(word in text_of(message) for word in words) and (button is None or button in actions_of(message))
        ]

    return (await house.workspace.wait_for(found))[-1]


async def press(house: House, user: str, message: Message, action: str, **more: Any) -> Seen:
    return await house.workspace.click(user, message.channel, message.ts, action, **more)


async def says(house: House, message: Message, *words: str) -> Message:
    """Waits until this very message says so."""

    def now() -> list[Message]:
        current = again(house, message)
        return [current] if all(word in text_of(current) for word in words) else []

    return (await house.workspace.wait_for(now))[0]


def again(house: House, message: Message) -> Message:
    """The message as it is now."""
    return next(each for each in house.workspace.messages(message.channel) if each.ts == message.ts)


def ephemerals(house: House, user: str) -> list[str]:
    return [text_of(message) for message in house.workspace.ephemerals(user)]


async def told(house: House, user: str, *words: str) -> str:
    """A sentence only this person sees."""

    def found() -> list[str]:
        return [text for text in ephemerals(house, user) if all(word in text for word in words)]

    return (await house.workspace.wait_for(found))[0]


def modal(house: House, user: str) -> View:
    return house.workspace.modal(user)


def _cards(house: House, channel: str, words: tuple[str, ...]) -> list[Message]:
    return [
        message
        for message in house.workspace.messages(channel)
        if message.thread_ts is None and message.to is None and all(word in text_of(message) for word in words)
    ]
