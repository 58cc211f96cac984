"""Signed HTTP delivery: the same envelopes as POSTs to a request URL."""

import asyncio
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import aiohttp

from playground.slack.records import Ack, Envelope
from playground.slack.state import State


class SignedHttp:
    """`url`: where the app listens; None until it is configured. `skew_s` is added to the timestamp header."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._session: aiohttp.ClientSession | None = None
        self.url: str | None = None
        self.skew_s = 0

    async def verify_url(self) -> bool:
        """Slack's handshake when a request URL is saved: the challenge must come back."""
        challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
        status, text = await self.post(
            json.dumps({"token": "playground", "challenge": challenge, "type": "url_verification"}),
            "application/json",
            3.0,
        )
        return status == 200 and challenge in text

    async def send(self, envelope: Envelope, within_s: float) -> Ack:
        body, content_type = encoded(envelope)
        retry = (
            {"X-Slack-Retry-Num": str(envelope.retry_attempt), "X-Slack-Retry-Reason": envelope.retry_reason}
            if envelope.retry_attempt
            else {}
        )
        try:
            status, text = await self.post(body, content_type, within_s, retry)
        except TimeoutError:
            return Ack(ok=False, reason="http_timeout")
        except aiohttp.ClientError:
            return Ack(ok=False, reason="connection_failed")
        if status != 200:
            return Ack(ok=False, reason="http_error")
        try:
            payload = json.loads(text) if text.strip() else {}
        except ValueError:
            payload = {"text": text}
        return Ack(ok=True, payload=payload if isinstance(payload, dict) else {"text": text})

    async def post(
        self, body: str, content_type: str, within_s: float, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """One signed POST: status and body of the answer. Signed anew each time, so a retry carries a new timestamp, as Slack's do."""
        if self.url is None:
            raise aiohttp.ClientConnectionError("No request URL is configured.")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with (
            asyncio.timeout(within_s),
            self._session.post(
                self.url, data=body.encode(), headers=self.signed(body, content_type) | (headers or {})
            ) as response,
        ):
            return response.status, await response.text()

    def signed(self, body: str, content_type: str) -> dict[str, str]:
        timestamp = str(int(time.time()) + self.skew_s)
        signature = hmac.new(
            self._state.signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256
        ).hexdigest()
        return {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature}",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def encoded(envelope: Envelope) -> tuple[str, str]:
    """The body and its content type."""
    if envelope.type == "events_api":
        return json.dumps(envelope.payload), "application/json"
    form = {"payload": json.dumps(envelope.payload)} if envelope.type == "interactive" else envelope.payload
    return urlencode(form), "application/x-www-form-urlencoded"
