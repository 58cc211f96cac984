"""Sockets: Socket Mode, watched, because a connection that hears nothing looks like one on which nothing happens."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.wire import Slack

PING_S: Final = 10.0
DEAF_S: Final = 60.0  # connected, says the library, and has heard nothing for so long

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

    async def check(self) -> None:
        await Slack(self._web).call("apps.connections.open")

    async def connect(self) -> None:
        self.client.message_listeners.append(self._on_message)
        await self._handler.connect_async()  # type: ignore[no-untyped-call]
        self._watch = asyncio.create_task(self._watched())

    @property
    def client(self) -> SocketModeClient:
        client: SocketModeClient = self._handler.client
        return client

    async def connected(self) -> bool:
        return bool(await self.client.is_connected())

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._handler.close_async()  # type: ignore[no-untyped-call]

    async def _on_message(self, *_: object) -> None:
        self._messages += 1

    async def _watched(self) -> None:
        """Every answer to a ping and every message moves the mark; one that stands still is a connection that is deaf."""
        mark, silent = self._mark, 0
        while True:
            await asyncio.sleep(self._deaf_s)
            mark, before = self._mark, mark
            if mark != before:
                silent = 0
                continue
            silent += 1
            log.warning("socket hears nothing", times=silent)
            if silent > 1:
                self._deaf()
            try:
                await self.client.connect_to_new_endpoint(force=True)
            except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("slack does not let us connect", why=type(error).__name__)

    @property
    def _mark(self) -> tuple[int, float | None]:
        return self._messages, self.client.last_ping_pong_time
