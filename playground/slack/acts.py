"""What a person does: clicks, commands, shortcuts, modals. Each act waits for the app's acknowledgement, as a client does."""

import asyncio
import re
from collections.abc import Awaitable
from typing import Any

from playground.slack import payloads
from playground.slack.blocks import parsed
from playground.slack.delivery import Delivery
from playground.slack.elements import chosen, complaints, find, state_values
from playground.slack.faults import Faults
from playground.slack.methods.views import checked
from playground.slack.records import Ack, Envelope, Json, Message, NotPossible, Seen, SlackError, View
from playground.slack.response_urls import ResponseUrls
from playground.slack.shapes import view_object
from playground.slack.sight import Sight

TROUBLE = "We had some trouble connecting. Try again?"


class Acts(Sight):
    delivery: Delivery
    faults: Faults
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
        _confirm(element, confirmed=confirmed)
        acted, held = payloads.action(self, block, element, value, self.offered.get((user, action_id)))
        values = self.chosen.setdefault((message.ts, user), {})
        if held is not None:
            values.setdefault(block["block_id"], {})[action_id] = held
        url = self.response_urls.new(where.id, user, message)
        payload = payloads.message_action_payload(self, self.viewer(user), where, message, acted, url, values)
        return await self._interact(payload)

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
        ack = await self.delivery.send_event(payloads.event_payload(self, event))
        return Seen(ack.ok, ack.ok, None if ack.ok else TROUBLE)

    async def home_action(
        self, user: str, action_id: str, *, block_id: str | None = None, value: Any = None, confirmed: bool = True
    ) -> Seen:
        self.viewer(user)
        if (home := self.homes.get(user)) is None:
            raise NotPossible(f"{user} has an empty App Home.")
        return await self._act_on(home, action_id, block_id, value, confirmed=confirmed)

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
        return await self._interact(payloads.shortcut_payload(self, self.viewer(user), callback_id))

    async def message_shortcut(self, user: str, callback_id: str, channel: str, ts: str) -> Seen:
        self._known_shortcut(callback_id, "message")
        where, message = self.message_for(user, channel, ts)
        url = self.response_urls.new(where.id, user, message)
        return await self._interact(
            payloads.message_shortcut_payload(self, self.viewer(user), callback_id, where, message, url)
        )

    # -- modals ---------------------------------------------------------------------------------------------------------------

    async def view_action(
        self,
        user: str,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Any = None,
        confirmed: bool = True,
        values: dict[str, dict[str, Any]] | None = None,
    ) -> Seen:
        """Uses an element of the modal on top; `values`: what else was typed so far, as for `submit`.

        An input that does not dispatch is filled in, and the app hears nothing yet.
        """
        view = self._top(user, view_id)
        self._fill_all(view, values)
        return await self._act_on(view, action_id, block_id, value, confirmed=confirmed)

    async def submit(self, user: str, view_id: str, values: dict[str, dict[str, Any]] | None = None) -> Seen:
        """`values`: block id → action id → what was given, over what is there. A client's own complaints come back as `errors`."""
        view = self._top(user, view_id)
        if not view.payload.get("submit"):
            raise NotPossible("This modal has nothing to submit.")
        self._fill_all(view, values)
        view.errors = complaints(view.blocks, state_values(view.blocks, view.values))
        if view.errors:
            self.changed()
            return Seen(ok=False, errors=dict(view.errors))
        envelope = Envelope(
            self.new_id("E"),
            "interactive",
            payloads.submission_payload(self, self.viewer(user), view),
            accepts_response_payload=True,
        )
        ack = await self.delivery.send(envelope)
        return self._after_submit(view, ack, envelope)

    async def close(self, user: str, view_id: str) -> Seen:
        view = self._top(user, view_id)
        cleared = bool(view.payload.get("clear_on_close"))
        stack = self.stacks[user]
        gone = list(reversed(stack)) if cleared else [view]
        for one in gone:
            stack.remove(one)
        self.changed()
        for one in gone:
            if one.payload.get("notify_on_close"):
                await self._interact(payloads.closed_payload(self, self.viewer(user), one, cleared=cleared))
        return Seen(ok=True)

    async def options(
        self,
        user: str,
        action_id: str,
        query: str = "",
        *,
        view_id: str | None = None,
        channel: str = "",
        ts: str = "",
        block_id: str | None = None,
    ) -> list[Json]:
        """What an external select offers for what was typed, asked of the app. An empty list when it does not answer."""
        view = self.find_view(view_id) if view_id else None
        message = None if view else self.message_for(user, channel, ts)[1]
        shown = view or message
        block, _ = find(shown.blocks if shown else [], action_id, block_id)
        payload = payloads.suggestion_payload(
            self, self.viewer(user), view, message, block["block_id"], action_id, query
        )
        ack = await self.delivery.send(
            Envelope(self.new_id("E"), "interactive", payload, accepts_response_payload=True)
        )
        groups = [option for group in ack.payload.get("option_groups") or [] for option in group["options"]]
        offered: list[Json] = [*(ack.payload.get("options") or []), *groups]
        self.offered.setdefault((user, action_id), []).extend(offered)
        return offered

    # -- again ----------------------------------------------------------------------------------------------------------------

    async def deliver(self, envelope: Envelope) -> Ack:
        """The same envelope once more, or one that somebody forged."""
        return await self.delivery.send(envelope)

    async def concurrently(self, *acts: Awaitable[Seen]) -> list[Seen | BaseException]:
        """All of them at once: what each saw, or what was raised for it. Each is checked against what is shown before any is sent."""
        return list(await asyncio.gather(*acts, return_exceptions=True))

    # -- inside ---------------------------------------------------------------------------------------------------------------

    async def _interact(self, payload: Json) -> Seen:
        envelope = Envelope(self.new_id("E"), "interactive", payload, accepts_response_payload=False)
        ack = await self.delivery.send(envelope)
        if not ack.ok:
            return Seen(ok=False, sentence=f"{self.manifest.name} did not respond in time.", envelope=envelope)
        return Seen(ok=True, acked=True, envelope=envelope)

    async def _act_on(self, view: View, action_id: str, block_id: str | None, value: Any, *, confirmed: bool) -> Seen:
        block, element = find(view.blocks, action_id, block_id)
        if block["type"] == "input" and not block.get("dispatch_action"):
            self._fill(view, action_id, block["block_id"], value)
            self.changed()
            return Seen(ok=True)
        _confirm(element, confirmed=confirmed)
        acted, held = payloads.action(self, block, element, value, self.offered.get((view.user, action_id)))
        if held is not None:
            view.values.setdefault(block["block_id"], {})[action_id] = held
        return await self._interact(payloads.view_action_payload(self, self.viewer(view.user), view, acted))

    def _fill_all(self, view: View, values: dict[str, dict[str, Any]] | None) -> None:
        for block_id, inputs in (values or {}).items():
            for action_id, given in inputs.items():
                self._fill(view, action_id, block_id, given)

    def _fill(self, view: View, action_id: str, block_id: str, given: Any) -> None:
        _, element = find(view.blocks, action_id, block_id)
        view.values.setdefault(block_id, {})[action_id] = chosen(
            element, given, self.offered.get((view.user, action_id))
        )

    def _top(self, user: str, view_id: str) -> View:
        self.viewer(user)
        view = self.modal(user)
        if view.id != view_id:
            raise NotPossible(f"{view_id} is not the modal on top for {user}.")
        return view

    def _after_submit(self, view: View, ack: Ack, envelope: Envelope) -> Seen:
        action = ack.payload.get("response_action") if ack.ok else None
        try:
            if not ack.ok:
                return Seen(ok=False, sentence=TROUBLE, envelope=envelope)
            errors = self._respond(view, action, ack.payload)
        except SlackError as error:
            self.troubles.append(f"view_submission answered with {action}: {error.code} {error.more}")
            return Seen(ok=False, acked=True, sentence=TROUBLE, action=action, envelope=envelope)
        finally:
            self.changed()
        return Seen(not errors, acked=True, action=action, errors=errors, envelope=envelope)

    def _respond(self, view: View, action: str | None, answer: Json) -> dict[str, str]:
        """Does what the app answered to a submission; the errors to show under fields. Raises `SlackError`."""
        stack = self.stacks.get(view.user, [])
        here = view in stack
        match action:
            case None if not answer:
                if here:
                    stack.remove(view)
            case "clear":
                stack.clear()
            case "errors":
                inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
                errors = answer.get("errors")
                if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
                    raise SlackError("invalid_errors", errors=errors)
                view.errors = errors
                return dict(errors)
            case "update":
                payload = checked(answer.get("view"))
                if here:
                    self.replace_view(view, payload)
            case "push":
                self.place_view(view.user, checked(answer.get("view")), push=True)
            case _:
                raise SlackError("invalid_response", answer=answer)
        return {}

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


def _confirm(element: Json, *, confirmed: bool) -> None:
    if element.get("confirm") and not confirmed:
        raise NotPossible(f"{element['action_id']} asks for confirmation first.")
