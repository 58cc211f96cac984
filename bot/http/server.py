"""The HTTP server: one small site for health, metrics and, in HTTP mode, Slack."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from bot.http.slack_events import MOST_BYTES
from bot.settings import Address
from store.model.errors import Unavailable

ENDS_S: Final = 3.0  # for a request that runs when the server stops; Slack waits no longer either


class HttpServer:
    def __init__(self, address: Address, routes: Iterable[web.RouteDef]) -> None:
        self._address = address
        app = web.Application(client_max_size=MOST_BYTES)
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=ENDS_S)
        self.port = address.port

    async def start(self) -> None:
        """Raises `Unavailable` when the address is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address.host, self._address.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise Unavailable(
                f"Cannot listen on {self._address}: {error.strerror}. Set COUNTERSIGN_HTTP to another host:port.",
                code="address_taken",
            ) from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()
