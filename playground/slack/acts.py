"""What a person does with messages, commands and shortcuts. Each act waits for the app's acknowledgement, as a client does."""

import asyncio
import re
from collections.abc import Awaitable
from typing import Any

from playground.slack import payloads
from playground.slack.blocks import parsed
from playground.slack.elements import find
from playground.slack.records import Ack, Envelope, Json, Message, NotPossible, Seen, SlackError
from playground.slack.response_urls import ResponseUrls
from playground.slack.shapes import view_object
from playground.slack.view_acts import TROUBLE, ViewActs, confirm


class Acts(ViewActs):
    response_urls: ResponseUrls

    # -- messages and home ----------------------------------------------------------------------------------------------------

    async def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Any = None,
        confirmed: bool = True,
    ) -> Seen:
        """`value`: what was chosen in a select, date picker, overflow or checkboxes. Raises `NotPossible`."""
        where, message = self.message_for(user, channel, ts)
        block, element = find(message.blocks, action_id, block_id)
        confirm(element, confirmed=confirmed)
        acted, held = payloads.action(self, block, element, value, self.offered.get((user, action_id)))
        values = self.chosen.setdefault((message.ts, user), {})
        if held is not None:
            values.setdefault(block["block_id"], {})[action_id] = held
        url = self.response_urls.new(where.id, user, message)
        payload = payloads.message_action_payload(self, self.viewer(user), where, message, acted, url, values)
        return await self.interact(payload)

    async def open_home(self, user: str) -> Seen:
        """Tells the app, and comes back when the app has heard it; the view may come later."""
        person = self.viewer(user)
        event: Json = {
            "type": "app_home_opened",
            "user": person.id,
            "channel": self.im(user).id,
            "tab": "home",
            "event_ts": self.next_ts(),
        }
        if (home := self.homes.get(user)) is not None:
            event["view"] = view_object(self, home)
        if event["type"] not in self.manifest.events:
            return Seen(ok=True)
        heard = self.delivery.send_event(payloads.event_payload(self, event))
        try:
            async with asyncio.timeout(self.delivery.ack_within_s):
                ack = await asyncio.shield(heard)  # it is repeated for minutes; nobody looks at an empty home that long
        except TimeoutError:
            ack = Ack(ok=False)
        return Seen(ack.ok, ack.ok, None if ack.ok else TROUBLE)

    async def home_action(
        self, user: str, action_id: str, *, block_id: str | None = None, value: Any = None, confirmed: bool = True
    ) -> Seen:
        self.viewer(user)
        if (home := self.homes.get(user)) is None:
            raise NotPossible(f"{user} has an empty App Home.")
        return await self.act_on(home, action_id, block_id, value, confirmed=confirmed)

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        where = self.channel_for(user, channel)
        if where.archived:
            raise NotPossible(f"{where.name} is archived.")
        message = self.post(Message(where.id, self.next_ts(), user, text, thread_ts=thread_ts))
        event: Json = {
            "type": "message",
            "channel": where.id,
            "user": user,
            "text": text,
            "ts": message.ts,
            "event_ts": message.ts,
            "team": self.team_id,
        }
        event["channel_type"], subscription = {
            "public": ("channel", "message.channels"),
            "private": ("group", "message.groups"),
            "im": ("im", "message.im"),
        }[where.kind]
        if where.bot_is_member and subscription in self.manifest.events:
            self.delivery.send_event(
                payloads.event_payload(self, event | ({"thread_ts": thread_ts} if thread_ts else {}))
            )
        return message

    # -- commands and shortcuts -----------------------------------------------------------------------------------------------

    async def slash(self, user: str, channel: str, command: str, text: str = "") -> Seen:
        """`command` with its slash. Raises `NotPossible` for one that the manifest does not have."""
        where = self.channel_for(user, channel)
        known = next((one for one in self.manifest.commands if one["command"] == command), None)
        if known is None:
            raise NotPossible(f"{command} is not a valid command.")
        if known.get("should_escape"):
            text = self._escaped(text)
        payload = payloads.slash_payload(
            self, self.viewer(user), where, command, text, self.response_urls.new(where.id, user)
        )
        envelope = Envelope(self.new_id("E"), "slash_commands", payload, accepts_response_payload=True)
        ack = await self.delivery.send(envelope)
        if not ack.ok:
            what = "operation_timeout" if "timeout" in ack.reason else "dispatch_failed"
            return Seen(ok=False, sentence=f"{command} failed with the error “{what}”.", envelope=envelope)
        if ack.payload:
            self._answered(payload["response_url"], ack.payload)
        return Seen(ok=True, acked=True, envelope=envelope)

    async def shortcut(self, user: str, callback_id: str) -> Seen:
        self._known_shortcut(callback_id, "global")
        return await self.interact(payloads.shortcut_payload(self, self.viewer(user), callback_id))

    async def message_shortcut(self, user: str, callback_id: str, channel: str, ts: str) -> Seen:
        self._known_shortcut(callback_id, "message")
        where, message = self.message_for(user, channel, ts)
        url = self.response_urls.new(where.id, user, message)
        return await self.interact(
            payloads.message_shortcut_payload(self, self.viewer(user), callback_id, where, message, url)
        )

    # -- again ----------------------------------------------------------------------------------------------------------------

    async def deliver(self, envelope: Envelope) -> Ack:
        """The same envelope once more, or one that somebody forged."""
        return await self.delivery.send(envelope)

    async def concurrently(self, *acts: Awaitable[Seen]) -> list[Seen | BaseException]:
        """All of them at once: what each saw, or what was raised for it. Each is checked against what is shown before any is sent."""
        return list(await asyncio.gather(*acts, return_exceptions=True))

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _answered(self, response_url: str, answer: Json) -> None:
        """A slash command's own answer is a first message, ephemeral where it does not say otherwise."""
        try:
            self.response_urls.answer(
                response_url.rpartition("/")[2],
                {
                    key: parsed(value, "x") if key == "blocks" and isinstance(value, str) else value
                    for key, value in answer.items()
                },
            )
        except SlackError as error:
            self.troubles.append(f"slash command answered with {error.code} {error.more}")

    def _known_shortcut(self, callback_id: str, kind: str) -> None:
        if not any(one["callback_id"] == callback_id and one["type"] == kind for one in self.manifest.shortcuts):
            raise NotPossible(f"There is no {kind} shortcut {callback_id}.")

    def _escaped(self, text: str) -> str:
        """`should_escape`: people, groups and channels arrive as ids."""
        names = {f"@{person.name}": f"<@{person.id}|{person.name}>" for person in self.people.values()}
        names |= {f"@{group.handle}": f"<!subteam^{group.id}|@{group.handle}>" for group in self.groups.values()}
        names |= {
            f"#{channel.name}": f"<#{channel.id}|{channel.name}>"
            for channel in self.channels.values()
            if channel.kind != "im"
        }
        return re.sub(r"(?<!\S)[@#][\w.-]+", lambda match: names.get(match[0], match[0]), text)
