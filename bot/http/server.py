"""The HTTP server: one small site for health, metrics, the API and, in HTTP mode, Slack."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import web

from bot.http.answers import foreseen, refused
from bot.settings import Address
from store.model.errors import Invalid, NotFound, Unavailable

ENDS_S: Final = 3.0  # for a request that runs when the server stops; Slack waits no longer either


class HttpServer:
    def __init__(self, address: Address, routes: Iterable[web.RouteDef]) -> None:
        self._address = address
        app = web.Application(middlewares=[_in_our_words])
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


@web.middleware
async def _in_our_words(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What no route answers, or fails to, is told as everything else is."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return refused(NotFound("There is nothing here. The API is described at /openapi.json.", code="no_route"))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return refused(Invalid(f"This takes {allowed}.", code="wrong_method"), {"Allow": allowed})
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - aiohttp would answer with a page of its own
        return refused(foreseen(error))
