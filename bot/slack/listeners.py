"""Listeners: a click, a form or a command becomes one command of the corridor, before the acknowledgement.

Each does only that: read, load, commit, and open a view where one opens. What may be slow is an effect or a reply.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.response import BoltResponse

from bot.slack import doors, ids
from bot.slack.conversation import Conversation
from bot.slack.deleting import Deleting
from bot.slack.delivery import Delivery
from bot.slack.doors import Click, click, speaker
from bot.slack.extending import Extending
from bot.slack.forms import FROM_HOME, KINDS, SHORTCUTS, Forms
from bot.slack.homes import Homes
from bot.slack.rollbacks import Rollbacks
from bot.slack.rulebook import Rulebook
from bot.slack.sight import Sight
from bot.slack.signing_in import SigningIn
from bot.slack.slash import Slash
from bot.slack.trying import Trying
from bot.slack.unlocking import Unlocking
from bot.slack.views import modals
from store.model.command import Activate, Approve, Command, Countersign, Deploy, End, Merge, Withdraw
from store.model.errors import AccessError, Invalid
from store.redis.hooks import Hooks
from store.redis.requests import Outcome

log = structlog.stdlib.get_logger(__name__)


class Listeners:
    """`left` is called where Slack says that somebody is gone."""

    def __init__(
        self,
        talk: Conversation,
        *,
        delivery: Delivery,
        forms: Forms,
        unlocking: Unlocking,
        extending: Extending,
        rollbacks: Rollbacks,
        deleting: Deleting,
        slash: Slash,
        signing_in: SigningIn,
        homes: Homes,
        rulebook: Rulebook,
        sight: Sight,
        hooks: Hooks,
        trying: Trying,
        left: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._requests = talk.requests
        self._replies = talk.replies
        self._delivery = delivery
        self._directory = talk.directory
        self._forms = forms
        self._unlocking = unlocking
        self._extending = extending
        self._rollbacks = rollbacks
        self._deleting = deleting
        self._slash = slash
        self._signing_in = signing_in
        self._homes = homes
        self._rulebook = rulebook
        self._sight = sight
        self._hooks = hooks
        self._trying = trying
        self._left = left
        self._counted = talk.counted

    def register(self, app: AsyncApp) -> None:
        for actions, act in (
            (COMMANDS, self._run),
            (VIEWS, self._forms.open_for),
            (FROM_HOME, self._forms.ask_from_home),
            ((ids.EXTEND,), self._extending.open_for),
            ((ids.DEPLOY_AGAIN,), self._forms.deploy_again),
            ((ids.ROLL_BACK, ids.HOME_ROLL_BACK), self._rollbacks.open_for),
            ((ids.RETRY_HOOK,), self._retry),
            ((ids.HOME_UNLOCK,), self._unlocking.open_for),
            ((ids.HOME_TEST_HOOK,), self._trying.test),
            ((GOING,), self._go),
            ((ids.HOME_POLICY_CHANGES,), self._rulebook.open_changes),
            ((ids.LOGIN_DENY,), self._signing_in.denied),
            ((ids.HOME_REVOKE,), self._signing_in.revoke),
            ((ids.HOME_SIGN_OUT,), self._signing_in.sign_out),
        ):
            for action in actions:
                app.action(action)(self._pressed(act))
        for callback in KINDS:
            app.view(callback)(self._forms.asked)
        for callback in DECIDING:
            app.view(callback)(self._forms.decided)
        app.view(ids.EDIT_REQUEST)(self._forms.edited)
        app.view(ids.EXTEND_TIME)(self._extending.sent)
        app.view(ids.ROLL_BACK_TO)(self._rollbacks.sent)
        app.view(ids.DELETE_ENVIRONMENT)(self._deleting.sent)
        app.view(ids.UNLOCK_REASON)(self._unlocking.decided)
        app.view(ids.LOGIN)(self._signing_in.confirmed)
        for choice in (ids.TARGET, ids.KIND, ids.DURATION, ids.WHOM):
            app.action(choice)(self._on_choice)
        app.options(ids.TARGET)(self._forms.targets)
        for shortcut in SHORTCUTS:
            app.shortcut(shortcut)(self._on_shortcut)
        app.shortcut(ids.SHORTCUT_ABOUT)(self._on_about)
        app.command("/countersign")(self._slash.command)
        app.event("app_home_opened")(self._on_home)
        for event in ("user_change", "subteam_updated", "subteam_members_changed"):
            app.event(event)(self._on_people)
        for event in ("app_uninstalled", "tokens_revoked", "member_left_channel"):
            app.event(event)(self._on_trouble)
        app.action(ANYTHING)(self._on_unknown)
        app.error(self._on_error)

    def _pressed(self, act: Callable[[Click], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Listens to a button. A click is never silently ignored: who may not act learns why."""

        async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
            pressed = click(body)
            try:
                await act(pressed)
            except AccessError as error:
                self._counted(pressed.action, error.code)
                self._replies.sentence(pressed.user, pressed.channel, error.sentence)
                if pressed.at_home:
                    self._replies.opened_home(pressed.user)
                else:
                    await self._adopt(pressed)
            await ack()

        return listener

    async def _run(self, pressed: Click) -> None:
        about = pressed.reference
        outcome = await self._requests.apply(about.request, COMMANDS[pressed.action](pressed))
        self._after(pressed, about.request, outcome)

    async def _retry(self, pressed: Click) -> None:
        """A hook that was given up, or that waits for its next try, is told at once."""
        place, about = ids.parse_retry_block(pressed.block), pressed.reference
        await self._hooks.retry(about.request, place, actor=pressed.user, command_id=pressed.command_id)
        self._counted(pressed.action, "ok")

    async def _go(self, pressed: Click) -> None:
        """To another page of App Home, or another part of a list on it."""
        await self._homes.go(pressed.user, pressed.value)
        self._replies.opened_home(pressed.user)

    async def _on_choice(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Something was chosen in a form that is open: it is drawn again with what follows from that, and nobody waits for it."""
        self._replies.later(self._choose(body))
        await ack()

    async def _choose(self, body: dict[str, Any]) -> None:
        try:
            await self._forms.chosen(body)
        except AccessError as error:
            user, _ = speaker(body)
            if user is not None:
                self._replies.sentence(user, None, error.sentence)

    async def _on_shortcut(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        taken = doors.shortcut(body)
        try:
            await self._forms.ask_from_shortcut(taken.user, taken.text, taken.trigger)
        except AccessError as error:
            self._replies.sentence(taken.user, None, error.sentence)
        await ack()

    async def _on_about(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The shortcut of a message."""
        taken = doors.about(body)
        try:
            await self._forms.ask_about(taken.user, taken.channel, taken.ts, taken.trigger)
        except AccessError as error:
            self._replies.sentence(taken.user, taken.channel, error.sentence)
        await ack()

    async def _on_home(self, event: dict[str, Any]) -> None:
        if event.get("tab", "home") == "home" and isinstance(user := event.get("user"), str):
            self._replies.opened_home(user)

    async def _on_people(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """What we know of this person or group may be wrong from now on."""
        changed = event.get("user") if event["type"] == "user_change" else event.get("subteam")
        named = changed.get("id") if isinstance(changed, dict) else None
        principal = named or event.get("subteam_id")
        if not isinstance(principal, str):
            return
        await self._directory.drop(principal)
        if event["type"] == "user_change" and isinstance(changed, dict) and self._directory.bars(changed):
            await self._left(principal, str(body.get("event_id")))

    async def _on_trouble(self, event: dict[str, Any]) -> None:
        log.error("slack takes something away", event_type=event["type"], channel=event.get("channel"))

    async def _on_unknown(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Links have an action too. Anything else is a button of another version of ours."""
        pressed, action = click(body), body["actions"][0]
        if not action.get("url") and action.get("type") == "button" and not pressed.action.startswith("link"):
            self._replies.sentence(
                pressed.user,
                pressed.channel,
                "This button does nothing any more. Open App Home to see where things stand.",
            )
        await ack()

    def _after(self, pressed: Click, request: str, outcome: Outcome) -> None:
        self._counted(pressed.action, "ok" if outcome.news else "again")
        says = pressed.action in SAYING or pressed.in_passing
        if outcome.request is None or outcome.request.state == "pending" or says:
            self._replies.sentence(pressed.user, pressed.channel, outcome.answer)
        if pressed.at_home:
            self._replies.opened_home(pressed.user)
        elif pressed.channel and pressed.ts and not self._delivery.knows(pressed.channel, pressed.ts):
            self._replies.later(self._delivery.adopt(request, pressed.channel, pressed.ts))

    async def _adopt(self, pressed: Click) -> None:
        """A late click is answered by its card as well: it shows the truth from now on."""
        if pressed.channel and pressed.ts:
            try:
                request = pressed.reference.request
            except Invalid:
                return
            self._replies.later(self._refresh(request, pressed, pressed.channel, pressed.ts))

    async def _refresh(self, request: str, pressed: Click, channel: str, ts: str) -> None:
        """Nowhere but where its card may be seen: whatever message was clicked is drawn over."""
        await self._sight.demand_here(pressed, await self._requests.get(request))
        await self._delivery.refresh(request, channel, ts, pressed.command_id)

    async def _on_error(self, error: Exception, body: dict[str, Any]) -> BoltResponse:
        """Answered 200 whatever happened, or Slack would deliver it again and show a warning sign."""
        sentence = error.sentence if isinstance(error, AccessError) else SORRY
        if not isinstance(error, AccessError):
            log.error("listener failed", error=type(error).__name__, exc_info=error)
        user, channel = speaker(body)
        if user is not None:
            self._replies.sentence(user, channel, sentence)
        if body.get("type") == "view_submission":
            return BoltResponse(
                status=200, body={"response_action": "update", "view": modals.notice("Not done", sentence)}
            )
        return BoltResponse(status=200)


SORRY: Final = "Something went wrong on our side. Nothing was decided by this; look at the card, and try again."
ANYTHING: Final = re.compile(r".*")
GOING: Final = re.compile(rf"{ids.HOME_GO}[a-z0-9_]+")


# The buttons that open a form, and the forms that decide.
VIEWS: Final = (
    ids.DENY, ids.BREAK_GLASS, ids.DISPUTE, ids.END_NOW, ids.CANCEL, ids.SHOW_VALUES, ids.EDIT, ids.MORE,
)  # fmt: skip
DECIDING: Final = (
    ids.DENY_REASON, ids.BREAK_REASON, ids.DISPUTE_REASON, ids.END_REASON, ids.CANCEL_REASON, ids.APPROVE_LESS,
)  # fmt: skip
SAYING: Final = frozenset({ids.APPROVE_AND_DEPLOY, ids.DEPLOY})  # what they came to depends on more than the click


def _approve(pressed: Click, *, deploys: bool = False) -> Approve:
    about = pressed.reference
    return Approve(
        id=pressed.command_id, actor=pressed.user, revision=about.revision, digest=about.digest, deploys=deploys
    )


# The buttons that need nothing but themselves.
COMMANDS: Final[dict[str, Callable[[Click], Command]]] = {
    ids.APPROVE: _approve,
    ids.APPROVE_AND_DEPLOY: partial(_approve, deploys=True),
    ids.DEPLOY: lambda pressed: Deploy(id=pressed.command_id, actor=pressed.user),
    ids.ACTIVATE: lambda pressed: Activate(id=pressed.command_id, actor=pressed.user),
    ids.END: lambda pressed: End(id=pressed.command_id, actor=pressed.user),
    ids.WITHDRAW: lambda pressed: Withdraw(id=pressed.command_id, actor=pressed.user),
    ids.MERGE: lambda pressed: Merge(id=pressed.command_id, actor=pressed.user),
    ids.COUNTERSIGN: lambda pressed: Countersign(id=pressed.command_id, actor=pressed.user),
}
