"""Signed: whoever is told by a hook answers with its secret, as Standard Webhooks say: over the bytes as they came, once, and in time.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from bot.http.asked import once
from scheduler.connectors.hook import sign
from store.model.errors import Forbidden, Invalid, NotFound
from store.model.identity import parse_request_id
from store.redis.hooks import Hooks
from store.redis.requests import Requests

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
TOLERANCE_MS: Final = 300_000
SIGNATURES_MOST: Final = 10

_ID: Final = re.compile(r"[A-Za-z0-9_:/#-]{1,200}")
_OURS: Final = re.compile(r"msg_[0-9A-Z]{10}_.*")  # what we send is signed with the same secret, and reports nothing
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Signer:
    """The receiver of one hook. `message`: what it calls what it sends, the same for no other of this hook."""

    request: str
    target: str
    hook: str
    message: str


class Signatures:
    """`now_ms`: the one clock."""

    def __init__(self, requests: Requests, hooks: Hooks, now_ms: Callable[[], int]) -> None:
        self._requests = requests
        self._hooks = hooks
        self._now_ms = now_ms

    async def verify(self, request: web.Request, raw: bytes) -> Signer:
        """By the secret of any hook that was told of this deploy. Raises `Forbidden` (`bad_signature`), always the same."""
        message, timestamp = once(request, ID) or "", once(request, TIMESTAMP) or ""
        given = (once(request, SIGNATURE) or "").split(" ")[:SIGNATURES_MOST]
        if not _ID.fullmatch(message) or _OURS.fullmatch(message) or not _SECONDS.fullmatch(timestamp):
            raise _unsigned()
        if abs(int(timestamp) * 1000 - self._now_ms()) > TOLERANCE_MS:
            raise _unsigned()
        try:
            told = (await self._requests.get(parse_request_id(request.match_info["id"]))).request
        except (Invalid, NotFound):
            raise _unsigned() from None
        for hook in told.hooks if told.run is not None else ():
            for secret in await self._hooks.secrets(told.target, hook):
                right = sign(secret, message, int(timestamp), raw).encode()
                if any(hmac.compare_digest(right, one.encode(errors="surrogateescape")) for one in given):
                    return Signer(told.id, told.target, hook, message)
        raise _unsigned()


def _unsigned() -> Forbidden:
    """The one answer for a wrong signature, an old one, and a deploy that is not there: none tells more."""
    return Forbidden(
        "The signature is not that of a hook that was told of this deploy, or it is older than five minutes.",
        code="bad_signature",
    )
