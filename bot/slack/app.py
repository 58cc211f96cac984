"""The Bolt app: who we are, what runs before each listener, and how many listeners are running."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.wire import Slack


class Identity:
    """Who the bot token says we are. `learn` raises `Unavailable`, or `SlackRefused` for a token that is none."""

    def __init__(self, slack: Slack, token: str) -> None:
        self._slack = slack
        self._token = token
        self.team_id = ""
        self._result: AuthorizeResult | None = None

    async def learn(self) -> None:
        answer = await self._slack.call("auth.test")
        self.team_id = answer["team_id"]
        self._result = AuthorizeResult(
            enterprise_id=answer.get("enterprise_id"),
            team_id=answer["team_id"],
            bot_token=self._token,
            bot_id=answer.get("bot_id"),
            bot_user_id=answer.get("user_id"),
        )

    @property
    def known(self) -> bool:
        return self._result is not None

    @property
    def authorized(self) -> AuthorizeResult | None:
        return self._result


class Running:
    """Deliveries that are being answered, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        self._count += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def ended(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), within_s)


class _Counted(AsyncApp):
    """Bolt's middleware has returned before a listener begins, so what runs is counted around the whole of it."""

    def __init__(self, counted: Running, **options: Any) -> None:
        super().__init__(**options)
        self._counted = counted

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        with self._counted.one():
            return await super().async_dispatch(req)


def bolt(client: AsyncWebClient, identity: Identity, running: Running) -> AsyncApp:
    """`client` carries no token: the one that `identity` gives is used. `process_before_response`: the acknowledgement leaves when the listener returns, without Bolt's polling for it.

    Signatures are verified in front of it, on the raw bytes (`bot.http.slack_events`).
    """

    async def authorize() -> AuthorizeResult | None:
        """For Bolt, at every request: given, so that it asks Slack nothing inside a click's acknowledgement."""
        return identity.authorized

    return _Counted(
        running,
        name="countersign",  # else Bolt looks through every module for the file that called it
        client=client,
        authorize=authorize,  # None is how Bolt is told that nobody is known
        process_before_response=True,
        request_verification_enabled=False,
        ignoring_self_events_enabled=True,
        raise_error_for_unhandled_request=False,
    )
