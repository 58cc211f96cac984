"""What a person does in a modal or a home, and how their client takes the app's answer."""

from typing import Any, Final

from playground.slack import payloads
from playground.slack.delivery import Delivery
from playground.slack.elements import chosen, complaints, find, state_values
from playground.slack.methods.views import checked
from playground.slack.records import Ack, Envelope, Json, NotPossible, Seen, SlackError, View
from playground.slack.sight import Sight

TROUBLE: Final = "We had some trouble connecting. Try again?"


class ViewActs(Sight):
    delivery: Delivery

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
        return await self.act_on(view, action_id, block_id, value, confirmed=confirmed)

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
                await self.interact(payloads.closed_payload(self, self.viewer(user), one, cleared=cleared))
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
        """What an external select offers for what was typed, asked of the app: in a modal, in a message, or else at home.

        An empty list when the app does not answer. Raises `NotPossible`.
        """
        view = next((one for one in self.modals(user) if one.id == view_id), None) if view_id else self.home(user)
        message = self.message_for(user, channel, ts)[1] if ts else None
        shown = message or view
        block, _ = find(shown.blocks if shown else [], action_id, block_id)
        payload = payloads.suggestion_payload(
            self, self.viewer(user), None if message else view, message, block["block_id"], action_id, query
        )
        ack = await self.delivery.send(
            Envelope(self.new_id("E"), "interactive", payload, accepts_response_payload=True)
        )
        groups = [option for group in ack.payload.get("option_groups") or [] for option in group["options"]]
        offered: list[Json] = [*(ack.payload.get("options") or []), *groups]
        self.offered.setdefault((user, action_id), []).extend(offered)
        return offered

    async def interact(self, payload: Json) -> Seen:
        """Sends an interaction and says what its person then sees."""
        envelope = Envelope(self.new_id("E"), "interactive", payload, accepts_response_payload=False)
        ack = await self.delivery.send(envelope)
        if not ack.ok:
            return Seen(ok=False, sentence=f"{self.manifest.name} did not respond in time.", envelope=envelope)
        return Seen(ok=True, acked=True, envelope=envelope)

    async def act_on(self, view: View, action_id: str, block_id: str | None, value: Any, *, confirmed: bool) -> Seen:
        """Uses one element of a modal or a home."""
        block, element = find(view.blocks, action_id, block_id)
        if block["type"] == "input" and not block.get("dispatch_action"):
            self._fill(view, action_id, block["block_id"], value)
            self.changed()
            return Seen(ok=True)
        confirm(element, confirmed=confirmed)
        acted, held = payloads.action(self, block, element, value, self.offered.get((view.user, action_id)))
        if held is not None:
            view.values.setdefault(block["block_id"], {})[action_id] = held
        return await self.interact(payloads.view_action_payload(self, self.viewer(view.user), view, acted))

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


def confirm(element: Json, *, confirmed: bool) -> None:
    """Raises `NotPossible`."""
    if element.get("confirm") and not confirmed:
        raise NotPossible(f"{element['action_id']} asks for confirmation first.")
