"""A receiver of deploy webhooks: it checks Standard Webhooks signatures, keeps what came, and fails when told to."""

import asyncio
import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from standardwebhooks import Webhook

from playground.slack.records import Json
from playground.slack.state import wall_clock_ms

TOLERANCE_MS: Final = 300_000  # Standard Webhooks
KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class HookDelivery:
    """One POST as it came. `status` is what was answered, 0 for a broken connection; `event` is the body's `type`."""

    at_ms: int
    name: str
    id: str
    event: str
    status: int
    verified: bool
    body: bytes
    headers: Mapping[str, str]

    def row(self) -> Json:
        """As the page's panel shows it."""
        return {
            "time_ms": self.at_ms,
            "name": self.name,
            "event": self.event,
            "status": self.status,
            "verified": self.verified,
            "body": self.body.decode(errors="replace"),
        }


@dataclass(slots=True)
class _Told:
    status: int
    seconds: float
    times: int
    headers: dict[str, str] = field(default_factory=dict)


class HookReceiver:
    """`known`: hook name → `whsec_…`. `now_ms`: the sender's clock, against which the timestamp is checked.

    A delivery that does not verify is answered 401, one to an unknown name 404; both are kept.
    """

    def __init__(
        self,
        known: Mapping[str, str],
        *,
        now_ms: Callable[[], int] = wall_clock_ms,
        changed: Callable[[], None] = lambda: None,
        taken: Callable[[HookDelivery], None] = lambda _: None,
    ) -> None:
        self.secrets = dict(known)
        self.deliveries: list[HookDelivery] = []
        self._now_ms, self._changed = now_ms, changed
        self.taken = taken  # hears of each delivery
        self._told: dict[str, list[_Told]] = {}

    def answer(
        self, name: str, status: int, *, times: int = 1, after_s: float = 0.0, headers: dict[str, str] | None = None
    ) -> None:
        """What the next deliveries to this hook are answered; status 0 breaks the connection."""
        self._told.setdefault(name, []).append(_Told(status, after_s, times, headers or {}))

    def signed(
        self, name: str, body: bytes, *, message_id: str | None = None, at_ms: int | None = None
    ) -> dict[str, str]:
        """The headers under which a receiver of this hook answers: signed as it is spoken to."""
        sent = datetime.fromtimestamp((at_ms if at_ms is not None else self._now_ms()) // 1000, UTC)
        message = message_id or f"report_{secrets.token_hex(8)}"
        return {
            "Content-Type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": Webhook(self.secrets[name]).sign(message, sent, body.decode()),
        }

    def rows(self) -> list[Any]:
        """For the page: the latest first."""
        return [delivery.row() for delivery in reversed(self.deliveries)]

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hooks/{name}", self._receive)]

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        name, body = request.match_info["name"], await request.read()
        at_ms = self._now_ms()
        verified = self._verified(name, body, request.headers, at_ms)
        told = self._next(name)
        if told is not None and told.seconds:
            await asyncio.sleep(told.seconds)
        status = 404 if name not in self.secrets else 401 if not verified else told.status if told is not None else 204
        self.deliveries.append(
            HookDelivery(
                at_ms,
                name,
                request.headers.get("webhook-id", ""),
                _event(body),
                status,
                verified,
                body,
                dict(request.headers),
            )
        )
        del self.deliveries[:-KEPT]
        self._changed()
        self.taken(self.deliveries[-1])
        if status == 0:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError
        return web.Response(status=status, headers=told.headers if told is not None else None)

    def _next(self, name: str) -> _Told | None:
        waiting = self._told.get(name)
        if not waiting:
            return None
        told = waiting[0]
        told.times -= 1
        if told.times <= 0:
            waiting.pop(0)
        return told

    def _verified(self, name: str, body: bytes, headers: Mapping[str, str], now_ms: int) -> bool:
        """As `Webhook.verify`, which cannot be told the time; the signature itself is that package's."""
        secret, message_id, signatures = (
            self.secrets.get(name),
            headers.get("webhook-id"),
            headers.get("webhook-signature", ""),
        )
        try:
            sent = datetime.fromtimestamp(int(headers.get("webhook-timestamp", "")), UTC)
            text = body.decode()
            given = [base64.b64decode(one[3:]) for one in signatures.split(" ") if one.startswith("v1,")]
        except (ValueError, OverflowError, OSError, binascii.Error):
            return False
        if not secret or not message_id or abs(sent.timestamp() * 1000 - now_ms) > TOLERANCE_MS:
            return False
        expected = base64.b64decode(Webhook(secret).sign(message_id, sent, text)[3:])
        return any(hmac.compare_digest(expected, one) for one in given)


def _event(body: bytes) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    return str(content.get("type", "")) if isinstance(content, dict) else ""
