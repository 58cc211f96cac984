"""The playground's server: the Web API, the sockets and the page of one workspace, on loopback."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from playground.page_api import PageApi
from playground.slack.web_api import WebApi
from playground.slack.workspace import Workspace

LOOPBACK: Final = {"127.0.0.1", "localhost"}
CLOSES_WITHIN_S: Final = 1.0
MOST_BYTES: Final = 4 * 1024 * 1024  # a view of 250 kB grows threefold in a form


class PlaygroundServer:
    """`routes`: what else this server answers, such as `HookReceiver.routes()`."""

    def __init__(self, workspace: Workspace, *, routes: Iterable[web.RouteDef] = ()) -> None:
        self.workspace = workspace
        self._routes = list(routes)
        self._api = WebApi(workspace, workspace.faults, workspace.delivery.sockets)
        self.page = PageApi(workspace)
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at its end."""
        return self.workspace.base_url

    @property
    def api_url(self) -> str:
        """What slack_sdk takes as `base_url`, and the program as SLACK_API_URL."""
        return f"{self.base_url}/api/"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """`port` 0: any free one. Raises `OSError` when it is taken, `ValueError` for a host that is not loopback."""
        if host not in LOOPBACK:
            raise ValueError("The playground listens on loopback only: it has no passwords.")
        app = web.Application(middlewares=[_only_from_here], client_max_size=MOST_BYTES)
        app.router.add_route("*", "/api/{method}", self._api.handle)
        app.router.add_get("/link/", self.workspace.sockets.handle)
        app.router.add_post("/response/{token}", self.workspace.response_urls.handle)
        app.add_routes([*self._routes, *self.page.routes()])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSES_WITHIN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0][1]
        self.workspace.base_url = f"http://127.0.0.1:{bound}"

    async def stop(self) -> None:
        if self._runner is not None:
            for site in tuple(self._runner.sites):
                # First of all: a bot that loses its socket connects again at once, and nobody would close that any more.
                await site.stop()
        self._api.release()
        self.page.close()
        await self.workspace.delivery.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self.workspace.transcript is not None:
            self.workspace.transcript.write()


@web.middleware
async def _only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page elsewhere must not act here, not by a name that it rebinds to loopback, nor by a form."""
    host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    if host not in LOOPBACK:
        return web.Response(status=403, text="This playground answers to localhost only.")
    origin = request.headers.get("Origin")
    if origin is not None and request.method != "GET" and origin != f"{request.scheme}://{request.headers['Host']}":
        return web.Response(status=403, text="This playground takes nothing from other pages.")
    return await handler(request)
