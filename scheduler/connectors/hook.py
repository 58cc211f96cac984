"""One attempt of a deploy webhook, signed by Standard Webhooks, and when the next one is due.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import binascii
import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from scheduler.connectors.outgoing import NOTHING, Answer, Outgoing
from store.model import headers as header_names
from store.model.errors import AccessError, Invalid, Unavailable
from store.model.secret import Secret

PREFIX: Final = b"whsec_"
KEY_BYTES: Final = range(24, 65)
EXCERPT_LENGTH: Final = 300  # characters
HIDDEN: Final = b"[hidden]"
JITTER: Final = 0.1  # of a delay, at most

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
DELAYS_MS: Final = (  # before the first attempt, and after each one that failed: a little over three days
    0,
    5 * _SECOND,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)

_ID: Final = re.compile(r"[A-Za-z0-9_:/#-]{1,200}")  # no dot: it separates what is signed
_TEXTUAL: Final = re.compile(r"(text/[^;]*|application/([^;]*\+)?(json|xml))\s*(;.*)?", re.IGNORECASE)

Outcome = Literal["delivered", "retry", "gone", "refused"]


class Receipt(NamedTuple):
    """What came of one attempt. Safe to store and to show: it holds nothing that we sent.

    `outcome`: *delivered* (any 2xx); *retry*; *gone* (410: the receiver wants no more of these); *refused* (we will not
    send there until a person changes the URL, the secret or the allowed addresses).
    `error`: a sentence for the thread, None where delivered. `sent`: False where the receiver was not even addressed.
    """

    outcome: Outcome
    status: int | None
    latency_ms: int
    excerpt: str = ""
    retry_after_ms: int | None = None
    error: str | None = None
    sent: bool = True


def sign(secrets: Secret | Sequence[Secret], message_id: str, timestamp_s: int, body: bytes) -> str:
    """`v1,<base64>`, one for each secret, with spaces between: while a secret is replaced, both are given.

    Raises `Invalid` for a secret that is not `whsec_` and the base64 of 24 to 64 bytes, and for an id with a dot.
    """
    if not _ID.fullmatch(message_id):
        raise Invalid("A webhook's id is up to 200 letters, digits and _ : / # -.", code="bad_webhook_id")
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp_s, body)
    given = (secrets,) if isinstance(secrets, Secret) else secrets
    if not given:
        raise Invalid("A webhook without a secret cannot be signed.", code="bad_webhook_secret")
    macs = [hmac.digest(_key(secret), signed, "sha256") for secret in given]
    return " ".join([f"v1,{base64.b64encode(mac).decode()}" for mac in macs])


def _key(secret: Secret) -> bytes:
    text = secret.reveal().strip()
    try:
        encoded = text.removeprefix(PREFIX)
        key = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(PREFIX) or len(key) not in KEY_BYTES:
        raise Invalid(
            "A webhook's secret is whsec_ followed by the base64 of 24 to 64 random bytes.", code="bad_webhook_secret"
        )
    return key


class Letter(NamedTuple):
    """What is posted, signed."""

    headers: Mapping[str, str]
    body: bytes


def seal(secrets: Secret | Sequence[Secret], message_id: str, now_ms: int, body: bytes) -> Letter:
    """`message_id` stays the same over all tries, the signature is as old as `now_ms`. Raises `Invalid`, as `sign` does."""
    timestamp_s = now_ms // 1000
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": sign(secrets, message_id, timestamp_s, body),
    }
    return Letter(headers, body)


async def deliver(
    outgoing: Outgoing,
    url: str,
    letter: Letter,
    *,
    now_ms: int,
    extra: Mapping[str, str] = NOTHING,
    hide: Iterable[Secret] = (),
) -> Receipt:
    """Post it once.

    `extra`: headers that go along, none of which takes the place of ours. `hide`: what is left out of the receipt where
    the receiver repeats it.
    """
    clock = asyncio.get_running_loop().time
    started = clock()
    headers = {**{name: value for name, value in extra.items() if not header_names.ours(name)}, **letter.headers}
    try:
        answer = await outgoing.request("POST", url, headers=headers, body=letter.body)
    except AccessError as fault:
        passes = isinstance(fault, Unavailable)
        return Receipt(
            outcome="retry" if passes else "refused",
            status=None,
            latency_ms=round((clock() - started) * 1000),
            error=fault.sentence,
            sent=passes,
        )
    outcome, error = _judge(answer.status)
    return Receipt(
        outcome=outcome,
        status=answer.status,
        latency_ms=round((clock() - started) * 1000),
        excerpt=excerpt(answer, hide),
        retry_after_ms=answer.retry_after_ms(datetime.fromtimestamp(now_ms / 1000, UTC))
        if outcome == "retry"
        else None,
        error=error,
    )


def _judge(status: int) -> tuple[Outcome, str | None]:
    match status:
        case _ if 200 <= status < 300:
            return "delivered", None
        case 410:
            return "gone", "The receiver answered 410: it wants no more of these."
        case _ if 300 <= status < 400:
            return (
                "retry",
                f"The receiver answered {status}, and redirects are not followed: put the final URL into the policy.",
            )
        case 429:
            return "retry", "The receiver answered 429: too many at once."
        case _ if status >= 500:
            return "retry", f"The receiver answered {status}: it has a fault of its own."
        case _:
            return "retry", f"The receiver answered {status}: it did not accept this."


def excerpt(answer: Answer, hide: Iterable[Secret] = ()) -> str:
    """The first 300 characters of a textual answer, on one line, with nothing in it that steers a screen."""
    headers = answer.headers
    if "content-encoding" in headers or not _TEXTUAL.fullmatch(headers.get("content-type", "")):
        return ""
    body = answer.body
    for secret in hide:
        if secret.reveal().strip():
            body = body.replace(secret.reveal().strip(), HIDDEN)
    text = body.decode(errors="replace")
    spaced = "".join(" " if ch.isspace() else ch for ch in text)
    visible = "".join(ch for ch in spaced if unicodedata.category(ch)[0] != "C")  # controls, bidi and other formats
    return " ".join(visible.split())[:EXCERPT_LENGTH]


def next_attempt_ms(attempts: int, *, now_ms: int, jitter: float, retry_after_ms: int | None = None) -> int | None:
    """When to try next, after `attempts` tries of which the last ended at `now_ms`; None when there were enough.

    `jitter`: between 0 and 1, so that many hooks that failed together do not come back together. A receiver may ask
    for a longer pause, never for a shorter one, and not for an attempt more.
    """
    if attempts >= len(DELAYS_MS):
        return None
    delay = DELAYS_MS[attempts]
    return now_ms + max(round(delay * (1 + JITTER * jitter)), retry_after_ms or 0)
