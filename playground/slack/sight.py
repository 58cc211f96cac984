"""What a person sees."""

from playground.slack.block_rules import elements
from playground.slack.records import Channel, Json, Message, NotPossible, Person, View
from playground.slack.state import State


class Sight(State):
    def viewer(self, user: str) -> Person:
        """Raises `NotPossible` for who cannot sign in."""
        person = self.people.get(user)
        if person is None or person.kind in ("bot", "deactivated"):
            raise NotPossible(f"{user} cannot sign in here.")
        return person

    def channel_for(self, user: str, channel: str) -> Channel:
        """By id or name, if this person is in it. Raises `NotPossible`."""
        person = self.viewer(user)
        found = self.channels.get(channel) or next(
            (one for one in self.channels.values() if one.kind != "im" and one.name == channel.removeprefix("#")), None
        )
        if found is None and channel == self.im(user).id:
            found = self.im(user)
        if found is None or person.id not in self.members(found):
            raise NotPossible(f"{person.name} is not in {channel}.")
        return found

    def channels_of(self, user: str) -> list[Channel]:
        """With the IM with the bot last."""
        own_im = self.im(self.viewer(user).id)
        return [
            channel for channel in self.channels.values() if channel.kind != "im" and user in self.members(channel)
        ] + [own_im]

    def messages(self, channel: str) -> list[Message]:
        """Everything in a channel, by id or name, oldest first, replies included; ephemerals are not in a channel."""
        found = self.channels.get(channel) or next(
            (one for one in self.channels.values() if one.name == channel.removeprefix("#")), None
        )
        return list(self.messages_by_channel.get(found.id if found else channel, []))

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The message and its replies."""
        return [message for message in self.messages(channel) if ts in (message.ts, message.thread_ts)]

    def dm(self, user: str) -> list[Message]:
        """What lies in this person's IM with the bot."""
        return self.messages(self.im(user).id)

    def ephemerals(self, user: str) -> list[Message]:
        return [message for message in self.ephemeral if message.to == user]

    def home(self, user: str) -> View | None:
        return self.homes.get(user)

    def modals(self, user: str) -> list[View]:
        """The stack, top last."""
        return list(self.stacks.get(user, []))

    def modal(self, user: str) -> View:
        """The one on top. Raises `NotPossible`."""
        if not (stack := self.stacks.get(user)):
            raise NotPossible(f"{user} has no modal open.")
        return stack[-1]

    def read(self, user: str, channel: str) -> None:
        """This person has looked at the channel."""
        self.read_to[user, self.channel_for(user, channel).id] = self.next_ts()
        self.changed()

    def unread(self, user: str, channel: str) -> int:
        """Messages of others since this person looked, or since the workspace was opened."""
        since = self.read_to.get((user, channel), self.opened_ts)
        return sum(message.ts > since and message.user != user for message in self.messages(channel))

    def message_for(self, user: str, channel: str, ts: str) -> tuple[Channel, Message]:
        """As this person has it now. Raises `NotPossible`."""
        where = self.channel_for(user, channel)
        shown = self.find_message(where.id, ts) or next(
            (one for one in self.ephemerals(user) if one.channel == where.id and one.ts == ts), None
        )
        if shown is None:
            raise NotPossible(f"{user} sees no message {ts} in {channel}.")
        return where, shown


def text_of(shown: Message | View) -> str:
    """All words of a message or view, a line for each text, the notification text first."""
    lines: list[str] = []
    if isinstance(shown, Message):
        lines.append(shown.text)
    else:
        lines += [
            part["text"] for key in ("title", "submit", "close") if isinstance(part := shown.payload.get(key), dict)
        ]
    _gather(shown.blocks, lines)
    return "\n".join(lines)


def actions_of(shown: Message | View) -> list[str]:
    """The action ids that can be used, in order."""
    return [element["action_id"] for block in shown.blocks for _, element in elements(block) if "action_id" in element]


def _gather(part: object, lines: list[str]) -> None:
    if isinstance(part, list):
        for item in part:
            _gather(item, lines)
    elif isinstance(part, dict):
        shape: Json = part
        if isinstance(shape.get("text"), str):
            lines.append(shape["text"])
        for key, value in shape.items():
            if key in ("initial_value", "alt_text") and isinstance(value, str):
                lines.append(value)
            elif key != "confirm":
                _gather(value, lines)
