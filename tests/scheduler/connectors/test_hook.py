import asyncio
import base64
import json
import unicodedata
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from scheduler.connectors.hook import DELAYS_MS, EXCERPT_LENGTH, Receipt, deliver, excerpt, next_attempt_ms, seal, sign
from scheduler.connectors.outgoing import Answer, Outgoing
from store.model.errors import Invalid
from store.model.secret import Secret
from tests.scheduler.connectors.conftest import Serve

NOW_MS = 1_772_366_400_999
KEY = b"a key of thirty-two bytes length"
SECRET = Secret(b"whsec_" + base64.b64encode(KEY))
OTHER = Secret(b"whsec_" + base64.b64encode(KEY[::-1]))
BODY = b'{"type":"environment.changed","data":{"environment":"payments/prod","version":7}}'


def oracle(secret: Secret) -> Webhook:
    return Webhook(secret.reveal().decode())


@given(
    key=st.binary(min_size=24, max_size=64),
    message_id=st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True),
    timestamp_s=st.integers(0, 4_000_000_000),
    body=st.text(),
)
def test_the_reference_package_signs_the_same(key: bytes, message_id: str, timestamp_s: int, body: str) -> None:
    secret = Secret(b"whsec_" + base64.b64encode(key))
    # UTC: the package replaces any other zone instead of converting it.
    theirs = oracle(secret).sign(message_id, datetime.fromtimestamp(timestamp_s, UTC), body)
    assert sign(secret, message_id, timestamp_s, body.encode()) == theirs


def test_two_secrets_give_two_signatures_and_each_owner_accepts() -> None:
    signature = sign([SECRET, OTHER], "msg_1", 5, BODY)
    assert signature.split(" ") == [sign(SECRET, "msg_1", 5, BODY), sign(OTHER, "msg_1", 5, BODY)]


def test_an_unpadded_secret_is_the_same_secret() -> None:
    assert sign(Secret(SECRET.reveal().rstrip(b"=") + b"\n"), "m", 1, b"") == sign(SECRET, "m", 1, b"")


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        b"whsec_",
        base64.b64encode(KEY),
        b"whsec_" + base64.b64encode(KEY[:23]),
        b"whsec_" + base64.b64encode(KEY * 3),
        b"whsec_" + b"!" * 44,
        b"whsec_" + base64.b64encode(KEY + b"x") + b"!!!!",
        b"whsec_" + base64.urlsafe_b64encode(b"\xff" * 32),
        b"whsec_" + base64.b64encode(KEY)[:41],
        b"whsk_" + base64.b64encode(KEY),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_shown(secret: bytes) -> None:
    with pytest.raises(Invalid, match="whsec_ followed by the base64") as refusal:
        sign(Secret(secret), "m", 1, b"")
    assert len(secret) < 10 or secret.decode() not in refusal.value.sentence


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\n", "é", "x" * 201])
def test_an_id_that_could_blur_what_is_signed_is_refused(message_id: str) -> None:
    with pytest.raises(Invalid, match="id"):
        sign(SECRET, message_id, 1, b"")


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(Invalid, match="without a secret"):
        sign([], "m", 1, b"")


async def attempt(
    url: str, *, allow: str = "127.0.0.0/8", total_ms: int = 10_000, secrets: list[Secret] | None = None
) -> Receipt:
    async with Outgoing(allow=[allow], total_ms=total_ms) as outgoing:
        letter = seal(secrets or [SECRET], "msg_7Q2M4XK9TB", NOW_MS, BODY)
        return await deliver(outgoing, url, letter, now_ms=NOW_MS)


async def answering(serve: Serve, status: int, **headers: str) -> str:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return await serve(answer)


async def test_a_receiver_verifies_what_it_gets(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[object] = []
    current = datetime.fromtimestamp(NOW_MS / 1000, UTC)

    class Then(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # the receiver lives in the test's year
            return current

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Then)

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        verified.extend(oracle(secret).verify(body, dict(request.headers)) for secret in (SECRET, OTHER))
        with pytest.raises(WebhookVerificationError):
            oracle(SECRET).verify(body + b" ", dict(request.headers))
        with pytest.raises(WebhookVerificationError):
            oracle(SECRET).verify(body, {**request.headers, "webhook-id": "msg_other"})
        assert request.content_type == "application/json"
        return web.json_response({"queued": True}, status=202)

    receipt = await attempt(await serve(receive), secrets=[SECRET, OTHER])
    assert verified == [json.loads(BODY)] * 2
    assert (receipt.outcome, receipt.status, receipt.excerpt, receipt.error) == (
        "delivered",
        202,
        '{"queued": true}',
        None,
    )
    assert 0 <= receipt.latency_ms < 10_000


async def test_the_id_stays_and_the_time_moves_from_try_to_try(serve: Serve) -> None:
    seen: list[tuple[str, str]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append((request.headers["webhook-id"], request.headers["webhook-timestamp"]))
        return web.Response(status=500)

    url = await serve(receive)
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        for now_ms in (1_000_999, 6_000_000):
            await deliver(outgoing, url, seal(SECRET, "m1", now_ms, BODY), now_ms=now_ms)
    assert seen == [("m1", "1000"), ("m1", "6000")]


@pytest.mark.parametrize(
    ("status", "outcome", "sentence"),
    [
        (200, "delivered", None),
        (204, "delivered", None),
        (299, "delivered", None),
        (301, "retry", "redirects are not followed"),
        (307, "retry", "redirects are not followed"),
        (400, "retry", "did not accept"),
        (401, "retry", "did not accept"),
        (404, "retry", "did not accept"),
        (410, "gone", "wants no more"),
        (429, "retry", "too many"),
        (500, "retry", "fault of its own"),
        (503, "retry", "fault of its own"),
    ],
)
async def test_each_status_has_its_outcome(serve: Serve, status: int, outcome: str, sentence: str | None) -> None:
    receipt = await attempt(await answering(serve, status))
    assert (receipt.status, receipt.outcome) == (status, outcome)
    assert (receipt.error is None) if sentence is None else sentence in (receipt.error or "")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "expected"), [("120", 120_000), ("Sun, 01 Mar 2026 12:01:00 GMT", 59_001), ("tomorrow", None)]
)
async def test_a_receiver_may_ask_for_a_pause(serve: Serve, status: int, value: str, expected: int | None) -> None:
    async def busy(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None  # by hand: aiohttp's own answers carry a Date
        request.transport.write(f"HTTP/1.1 {status} Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode())
        request.transport.close()
        return web.Response()

    assert (await attempt(await serve(busy))).retry_after_ms == expected


async def test_a_delivered_hook_asks_for_no_pause(serve: Serve) -> None:
    assert (await attempt(await answering(serve, 200, Retry_After="60"))).retry_after_ms is None


async def test_silence_tls_and_denied_addresses_each_have_a_sentence(serve: Serve) -> None:
    async def sleep(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    url = await serve(sleep)
    silent = await attempt(url, total_ms=200)
    assert (silent.outcome, silent.status) == ("retry", None)
    assert "did not answer" in (silent.error or "")
    assert silent.latency_ms >= 150
    untrusted = await attempt(url.replace("http:", "https:"))
    assert untrusted.outcome == "retry"
    assert "secure connection" in (untrusted.error or "")
    denied = await attempt(url.replace("http:", "https:"), allow="10.0.0.0/8")
    assert denied.outcome == "refused"
    assert "address inside" in (denied.error or "")


async def test_an_endless_yes_is_a_yes(serve: Serve) -> None:
    async def much(_: web.Request) -> web.Response:
        return web.Response(text="y" * 1_000_000)

    receipt = await attempt(await serve(much))
    assert receipt.outcome == "delivered"
    assert receipt.excerpt == "y" * EXCERPT_LENGTH


def answer_of(body: bytes, **headers: str) -> Answer:
    return Answer(200, {"content-type": "text/plain"} | {k.replace("_", "-"): v for k, v in headers.items()}, body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answer_of(b"ok\r\n\tdone \x00\x1b[31mred\x7f"), "ok done [31mred"),
        (answer_of("a\u202eb\u2066c\u200bd\ufeffe\u2028f".encode()), "abcde f"),
        (answer_of(b"\xff\xfe ok"), "\ufffd\ufffd ok"),
        (answer_of(b"{}", content_type="application/json; charset=utf-8"), "{}"),
        (answer_of(b"{}", content_type="application/problem+json"), "{}"),
        (answer_of(b"<a/>", content_type="TEXT/HTML"), "<a/>"),
        (answer_of(b"PK", content_type="application/zip"), ""),
        (answer_of(b"PK", content_type=""), ""),
        (answer_of(b"zz", content_encoding="gzip"), ""),
    ],
)
def test_an_excerpt_is_text_on_one_line(answer: Answer, expected: str) -> None:
    assert excerpt(answer) == expected


@given(st.binary(max_size=2_000) | st.text(max_size=1_000).map(str.encode))
def test_no_answer_smuggles_a_control_into_a_card(body: bytes) -> None:
    text = excerpt(answer_of(body))
    assert len(text) <= EXCERPT_LENGTH
    assert all(ch == " " or unicodedata.category(ch)[0] not in "CZ" for ch in text)


def test_the_schedule_is_the_one_of_the_design() -> None:
    now, seen = 0, []
    for attempts in range(len(DELAYS_MS)):
        due = next_attempt_ms(attempts, now_ms=now, jitter=0)
        assert due is not None
        seen.append((due - now) // 1000)
        now = due
    assert seen == [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert 3 * 86_400_000 < now < 4 * 86_400_000
    assert next_attempt_ms(10, now_ms=now, jitter=0) is None
    assert next_attempt_ms(99, now_ms=now, jitter=0, retry_after_ms=1) is None


@given(st.integers(0, 9), st.floats(0, 1), st.none() | st.integers(0, 86_400_000))
def test_jitter_only_delays_and_a_pause_is_only_ever_longer(attempts: int, jitter: float, pause: int | None) -> None:
    due = next_attempt_ms(attempts, now_ms=1_000, jitter=jitter, retry_after_ms=pause)
    assert due is not None
    assert due - 1_000 >= max(DELAYS_MS[attempts], pause or 0)
    assert due - 1_000 <= max(DELAYS_MS[attempts] * 11 // 10 + 1, pause or 0)
