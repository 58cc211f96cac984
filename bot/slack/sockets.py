"""Sockets: Socket Mode, watched, because a connection that hears nothing looks like one on which nothing happens."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.wire import Slack
from store.model.errors import Unavailable

PING_S: Final = 10.0
DEAF_S: Final = 60.0  # connected, says the library, and has heard nothing for so long
LOOKS: Final = 6  # in that time
CONNECT_S: Final = 20.0  # the library would try for ever

log = structlog.stdlib.get_logger(__name__)


class Sockets:
    """`check` raises `SlackRefused` for an app token that is none; the library would try for ever with it.

    `deaf` is called when connecting anew did not help either: then the process had better be started again.
    """

    def __init__(
        self, app: AsyncApp, app_token: str, api_url: str, deaf: Callable[[], None], *, deaf_s: float = DEAF_S
    ) -> None:
        self._web = AsyncWebClient(token=app_token, base_url=api_url)
        self._handler = AsyncSocketModeHandler(app, app_token, web_client=self._web, ping_interval=PING_S)
        self._deaf = deaf
        self._deaf_s = deaf_s
        self._messages = 0
        self._watch: asyncio.Task[None] | None = None
        self.client.message_listeners.append(self._on_message)

    async def check(self) -> None:
        await Slack(self._web).call("apps.connections.open")

    async def connect(self) -> None:
        """Raises `Unavailable`, and may be called again then."""
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._handler.connect_async()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise Unavailable("Slack does not let us open a socket.", code="slack_silent") from None
        self._watch = asyncio.create_task(self._watched())

    @property
    def client(self) -> SocketModeClient:
        client: SocketModeClient = self._handler.client
        return client

    async def connected(self) -> bool:
        return bool(await self.client.is_connected())

    async def close(self) -> None:
        if self._watch is not None:
            await end(self._watch)
        await self._handler.close_async()  # type: ignore[no-untyped-call]

    async def _on_message(self, _: object, message: dict[str, Any], *__: object) -> None:
        if message.get("type") != "hello":  # which every connection says, and a deaf one nothing after it
            self._messages += 1

    async def _watched(self) -> None:
        """Where neither a message nor the answer to a ping comes: connects anew, and if that is deaf as well, says so."""
        mark, quiet = self._mark, 0
        while True:
            await asyncio.sleep(self._deaf_s / LOOKS)
            mark, before = self._mark, mark
            quiet = 0 if _heard(before, mark) else quiet + 1
            if quiet == 0 or quiet % LOOKS:
                continue
            log.warning("socket hears nothing", times=quiet // LOOKS)
            if quiet > LOOKS:
                self._deaf()
            try:
                async with asyncio.timeout(CONNECT_S):
                    await self.client.connect_to_new_endpoint(force=True)
            except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("slack does not let us connect", why=type(error).__name__)

    @property
    def _mark(self) -> "_Mark":
        return self._messages, self.client.current_session, self.client.last_ping_pong_time


async def end(task: asyncio.Task[None]) -> None:
    """To cancel it once is not enough: `wait_for`, in the library, loses one now and then before Python 3.12."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)


_Mark = tuple[int, object, float | None]


def _heard(before: _Mark, now: _Mark) -> bool:
    """The library sets a session's first time of an answer when it asks; only a later one was answered."""
    (messages, session, answered), (messages_now, session_now, answered_now) = before, now
    pinged = session is session_now and answered is not None and answered_now is not None
    return messages != messages_now or (pinged and answered != answered_now)
