"""What people do in stories, in their own words: ask, find the card, decide, use."""

import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from playground import seed
from playground.house import House
from playground.slack import payloads
from playground.slack.elements import find
from playground.slack.records import Envelope, Message, Seen, View
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


async def asks(house: House, user: str, words: str, values: Mapping[str, Any] | None = None) -> Message:
    """The same, sent off without a complaint: its card."""
    before = {message.ts for message in _cards(house, seed.APPROVALS, ())}
    sent = await ask(house, user, words, values)
    assert sent.ok, sent.errors

    def new() -> list[Message]:
        waiting = _cards(house, seed.APPROVALS, ("Waiting for approval", f"<@{user}>"))
        return [message for message in waiting if message.ts not in before and "first secrets" not in text_of(message)]

    return (await house.workspace.wait_for(new))[0]


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


async def end_now(house: House, user: str, message: Message, reason: str = "") -> Seen:
    """*End now* on the card of what somebody else has, and its form sent off."""
    await press(house, user, message, "end_now")
    return await house.workspace.submit(user, modal(house, user).id, {"reason": {"reason": reason}})


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


async def form(house: House, user: str, *words: str) -> View:
    """Waits until the modal on top says so."""

    def now() -> list[View]:
        view = house.workspace.modals(user)[-1:]
        return [each for each in view if all(word in text_of(each) for word in words)]

    return (await house.workspace.wait_for(now))[0]


async def command(house: House, user: str, words: str = "") -> str:
    """`/countersign …` in the approvers' channel, and what only this person is answered there."""
    before = len(ephemerals(house, user))
    await house.workspace.slash(user, seed.APPROVALS, "/countersign", words)
    return (await house.workspace.wait_for(lambda: ephemerals(house, user)[before:]))[0]


async def after(house: House, user: str, act: Awaitable[Seen]) -> str:
    """The sentence that this person, and nobody else, gets for what they do."""
    before = len(ephemerals(house, user))
    await act
    return (await house.workspace.wait_for(lambda: house.workspace.ephemerals(user)[before:]))[0].text


def seen(message: Message) -> Message:
    """The message as it is now, for a client that is about to lose its connection."""
    return copy.deepcopy(message)


async def late(house: House, user: str, shown: Message, action: str, *, value: str | None = None) -> Seen:
    """A click on what this client still shows, whatever the message says by now; `user` may be anybody at all."""
    workspace = house.workspace
    block, element = find(shown.blocks, action)
    acted, _ = payloads.action(workspace, block, element, value, None)
    where = workspace.channels.get(shown.channel) or workspace.im(user)
    url = workspace.response_urls.new(where.id, user, shown)
    return await workspace.interact(
        payloads.message_action_payload(workspace, workspace.people[user], where, shown, acted, url, {})
    )


def forged(envelope: Envelope | None, change: Callable[[dict[str, Any]], None]) -> Envelope:
    """The same envelope with something else in it, under an id of its own."""
    assert envelope is not None
    other = copy.deepcopy(envelope.payload)
    change(other)
    return Envelope(f"{envelope.id}F", envelope.type, other, envelope.accepts_response_payload)


async def home(house: House, user: str, *words: str) -> View:
    """Waits until this person's App Home says so. Opens it when it is not open."""
    if house.workspace.home(user) is None:
        await house.workspace.open_home(user)

    def now() -> list[View]:
        view = house.workspace.home(user)
        return [view] if view is not None and all(word in text_of(view) for word in words) else []

    return (await house.workspace.wait_for(now))[0]


async def page(house: House, user: str, name: str, *words: str) -> View:
    """Goes to this page of App Home, and waits until it says so."""
    await home(house, user)
    await house.workspace.home_action(user, f"home_go_{name}")

    def there() -> list[View]:
        view = house.workspace.home(user)
        here = view is not None and any(one["action_id"] == f"home_go_{name}" for one in _here(view))
        return [view] if view is not None and here and all(word in text_of(view) for word in words) else []

    return (await house.workspace.wait_for(there))[0]


def _here(view: View) -> list[dict[str, Any]]:
    """The button of the page that is shown."""
    return [
        one
        for block in view.blocks
        for one in block.get("elements", ())
        if "you are here" in one.get("accessibility_label", "")
    ]


async def approved(house: House, message: Message, *by: str) -> Message:
    for user in by:
        await press(house, user, message, "approve")
    return await says(house, message, "Approved")


async def quiet(house: House, within_s: float = 5.0) -> None:
    """Nothing is left to be told, done or answered."""
    await house.quiet(within_s)
    for app in house.apps:
        await app.replies.drain(within_s)


async def audited(house: House, event: str, user: str) -> dict[str, Any]:
    """The newest audit entry of this name that this person caused: its details."""
    entries = [entry for _, entry in await house.app.audit.newest(most=200)]
    return next(dict(entry.details) for entry in entries if (entry.event, entry.actor) == (event, user))


def request_of(message: Message) -> str:
    """The id at the bottom of a card."""
    return text_of(message).split("Request `")[1].partition("`")[0]


def _cards(house: House, channel: str, words: tuple[str, ...]) -> list[Message]:
    return [
        message
        for message in house.workspace.messages(channel)
        if message.thread_ts is None and message.to is None and all(word in text_of(message) for word in words)
    ]
