"""What a workspace holds. Nothing here speaks to the app."""

import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from playground.slack.changes import Changes
from playground.slack.manifest import Manifest
from playground.slack.records import Call, Channel, Envelope, Group, Json, Message, Person, SlackError, Trigger, View
from playground.slack.transcript import Transcript

TRIGGER_LIVES_MS: Final = 3_000
DEEPEST: Final = 3
KEPT: Final = 10_000  # calls, envelopes and triggers: a playground may run for weeks


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class State(Changes):
    """People, groups, channels, messages, views. Names and ids are the caller's; nothing is seeded.

    `clock`: milliseconds since 1970. `transcript`: a file that messages and homes are kept in; None keeps nothing.
    `paid` False: user groups answer plan_upgrade_required.
    """

    def __init__(
        self,
        *,
        people: Iterable[Person] = (),
        groups: Iterable[Group] = (),
        channels: Iterable[Channel] = (),
        manifest: Path | Json | Manifest,
        bot_token: str = "xoxb-playground",  # noqa: S107  # opens this workspace only
        app_token: str = "xapp-playground",  # noqa: S107  # the same
        signing_secret: str = "playground-signing-secret-0123456789",  # noqa: S107  # the same
        clock: Callable[[], int] = wall_clock_ms,
        transcript: Path | None = None,
        paid: bool = True,
        team_id: str = "T0PLAYGND",
        team_name: str = "Playground",
        app_id: str = "A0PLAYGND",
        bot_user_id: str = "U0BOTUSER",
        bot_id: str = "B0PLAYGND",
    ) -> None:
        super().__init__()
        match manifest:
            case Manifest():
                self.manifest = manifest
            case Path():
                self.manifest = Manifest.read(manifest)
            case _:
                self.manifest = Manifest.parse(manifest)
        self.bot_token, self.app_token, self.signing_secret = bot_token, app_token, signing_secret
        self.clock, self.paid = clock, paid
        self.team_id, self.team_name, self.app_id, self.bot_user_id, self.bot_id = (
            team_id,
            team_name,
            app_id,
            bot_user_id,
            bot_id,
        )
        bot = Person(
            bot_user_id, self.manifest.name.lower(), self.manifest.name, f"{bot_user_id.lower()}@bots.invalid", "bot"
        )
        self.people = {person.id: person for person in [*people, bot]}
        self.groups = {group.id: group for group in groups}
        self.channels = {channel.id: channel for channel in channels}
        self.messages_by_channel: dict[str, list[Message]] = {}
        self.ephemeral: list[Message] = []
        self.homes: dict[str, View] = {}
        self.stacks: dict[str, list[View]] = {}
        self.triggers: dict[str, Trigger] = {}
        self.chosen: dict[tuple[str, str], dict[str, Json]] = {}
        self.read_to: dict[tuple[str, str], str] = {}
        self.offered: dict[tuple[str, str], list[Json]] = {}
        self.calls: list[Call] = []
        self.envelopes: list[Envelope] = []
        self.troubles: list[str] = []
        self.base_url = ""
        self.notice: str | None = None
        self._last_us = 0
        self.transcript = Transcript(transcript, self) if transcript else None
        if self.transcript:
            self.transcript.load()
            self.on_change(self.transcript.soon)
        self.opened_ts = self.next_ts()

    # -- numbers --------------------------------------------------------------------------------------------------------------

    def next_ts(self) -> str:
        self._last_us = max(self._last_us + 1, self.clock() * 1000)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def new_id(self, letter: str) -> str:
        return f"{letter}{secrets.token_hex(5).upper()}"

    # -- who and where --------------------------------------------------------------------------------------------------------

    def person(self, user: str) -> Person:
        try:
            return self.people[user]
        except KeyError:
            raise SlackError("user_not_found") from None

    def team_of(self, person: Person) -> str:
        return person.team_id or self.team_id

    def members(self, channel: Channel) -> list[str]:
        """User ids, the bot's included where it is a member, in the order of the workspace."""
        if channel.kind == "im":
            return [channel.user or "", self.bot_user_id]
        explicit = channel.members
        return [
            person.id
            for person in self.people.values()
            if (
                channel.bot_is_member
                if person.id == self.bot_user_id
                else person.kind != "deactivated"
                and (person.id in explicit if explicit is not None else person.kind == "member")
            )
        ]

    def im(self, user: str) -> Channel:
        """The IM of this person with the bot, made when it is not there."""
        channel_id = f"D{self.person(user).id[1:]}"
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(
                channel_id, "directmessage", "im", user=user, created=self.clock() // 1000
            )
        return self.channels[channel_id]

    # -- messages -------------------------------------------------------------------------------------------------------------

    def post(self, message: Message) -> Message:
        self.number(message.blocks)
        if message.to is not None:
            self.ephemeral.append(message)
        else:
            self.messages_by_channel.setdefault(message.channel, []).append(message)
        self.changed()
        return message

    def remove(self, message: Message) -> None:
        kept = self.ephemeral if message.to is not None else self.messages_by_channel[message.channel]
        kept.remove(message)
        self.changed()

    def find_message(self, channel: str, ts: str) -> Message | None:
        return next((message for message in self.messages_by_channel.get(channel, []) if message.ts == ts), None)

    def number(self, blocks: list[Json]) -> None:
        """Slack gives a block_id or action_id where the app gave none."""
        for block in blocks:
            block.setdefault("block_id", secrets.token_urlsafe(4))
            inside = [*(block.get("elements") or []), block.get("accessory"), block.get("element")]
            for element in inside if block.get("type") in ("actions", "section", "input") else []:
                if isinstance(element, dict) and element.get("type") != "image":
                    element.setdefault("action_id", secrets.token_urlsafe(4))

    # -- views ----------------------------------------------------------------------------------------------------------------

    def new_trigger(self, user: str, view_id: str | None = None) -> str:
        trigger_id = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**13)}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user, self.clock(), view_id)
        while len(self.triggers) > KEPT:
            del self.triggers[next(iter(self.triggers))]
        return trigger_id

    def take_trigger(self, trigger_id: str) -> Trigger:
        """Raises `SlackError`: a trigger works once, within three seconds."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.clock() - trigger.issued_ms > TRIGGER_LIVES_MS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def find_view(self, view_id: str) -> View | None:
        candidates = [*self.homes.values(), *(view for stack in self.stacks.values() for view in stack)]
        return next((view for view in candidates if view.id == view_id), None)

    def place_view(self, user: str, payload: Json, *, push: bool) -> View:
        """A modal on top of this person's stack, or instead of it."""
        stack = self.stacks.setdefault(user, [])
        if push and len(stack) >= DEEPEST:
            raise SlackError("push_limit_reached")
        self.number(payload["blocks"])
        below = stack[-1] if push and stack else None
        view_id = self.new_id("V")
        view = View(
            view_id, user, payload, self.new_hash(), below.root_id if below else view_id, below.id if below else None
        )
        if not push:
            stack.clear()
        stack.append(view)
        self.changed()
        return view

    def replace_view(self, view: View, payload: Json) -> None:
        """What was typed stays where block_id and action_id stay, as in Slack."""
        self.number(payload["blocks"])
        view.payload, view.hash, view.errors = payload, self.new_hash(), {}
        kept = {block["block_id"] for block in payload["blocks"]}
        view.values = {block_id: values for block_id, values in view.values.items() if block_id in kept}
        self.changed()

    def publish_home(self, user: str, payload: Json) -> View:
        if (home := self.homes.get(user)) is not None:
            self.replace_view(home, payload)
            return home
        self.number(payload["blocks"])
        view_id = self.new_id("V")
        home = self.homes[user] = View(view_id, user, payload, self.new_hash(), view_id)
        self.changed()
        return home

    def new_hash(self) -> str:
        return f"{self.clock() // 1000}.{secrets.token_hex(4)}"
