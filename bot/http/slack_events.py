"""`/slack/events`: what Slack delivers over HTTP, verified on its raw bytes before anything reads them."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.http.asked import MOST_BYTES, read
from store.model.errors import Unavailable
from store.model.secret import Secret

PATH: Final = "/slack/events"
WINDOW_S: Final = 300

log = structlog.stdlib.get_logger(__name__)


class SlackEvents:
    """`now_s`: Unix time of this machine, which is what Slack signs."""

    def __init__(self, app: AsyncApp, secret: Secret, now_s: Callable[[], float]) -> None:
        self._app = app
        self._secret = secret
        self._now_s = now_s

    async def handle(self, request: web.Request) -> web.Response:
        body = await read(request, MOST_BYTES)
        if not self.genuine(
            body, request.headers.get("X-Slack-Request-Timestamp", ""), request.headers.get("X-Slack-Signature", "")
        ):
            log.warning("slack signature refused")
            return web.Response(status=401, text="The signature does not fit.")
        try:
            asked = AsyncBoltRequest(body=body.decode(), query=request.query_string, headers=dict(request.headers))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("slack sent what is no payload", error=type(error).__name__)
            return web.Response(status=400, text="This is no payload.")
        answer = await self._app.async_dispatch(asked)
        headers = {name: values[0] for name, values in answer.headers.items() if name.lower() != "content-type"}
        kind = answer.headers.get("content-type", ["text/plain;charset=utf-8"])[0].partition(";")[0]
        return web.Response(status=answer.status, text=answer.body, headers=headers, content_type=kind)

    def genuine(self, body: bytes, timestamp: str, signature: str) -> bool:
        """Signed with our secret, and no more than five minutes ago. Anything odd is a no, never an error."""
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 15 and signature.isascii()):
            return False
        if abs(self._now_s() - int(timestamp)) > WINDOW_S:
            return False
        mac = hmac.new(self._secret.reveal(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
        return hmac.compare_digest(f"v0={mac.hexdigest()}", signature)

    def prove(self) -> None:
        """A forged request must not pass: seen at each start, because a verifier that accepts all looks like one that works."""
        now = str(int(self._now_s()))
        forged = hmac.new(b"not the secret of this app", b"v0:" + now.encode() + b":{}", hashlib.sha256).hexdigest()
        if self.genuine(b"{}", now, f"v0={forged}") or self.genuine(b"{}", now, ""):
            raise Unavailable("The verifier of Slack's signatures accepts a forged request. Nothing is started.")
