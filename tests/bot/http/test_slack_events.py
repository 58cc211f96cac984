"""`/slack/events`: nothing unsigned gets in, whatever it looks like, and nothing of it is ever logged."""

import asyncio
import hashlib
import hmac
import io
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.http.asked import MOST_BYTES
from bot.http.server import HttpServer
from bot.http.slack_events import PATH, WINDOW_S, SlackEvents
from bot.main import _hearing
from bot.settings import Address, Settings
from bot.slack.app import Identity, Running, bolt
from bot.slack.wire import Slack
from store.model.errors import Invalid, Unavailable
from store.model.secret import Secret

SECRET: Final = Secret(b"8f742231b10e8888abcd99yyyzzz85a5")
NOW_S: Final = 1_772_366_400
BODY: Final = b'{"type":"url_verification","challenge":"kanarienvogel-7"}'
FORM: Final = b"command=%2Fcountersign&text=kanarienvogel-7&user_id=U0ANA&trigger_id=1&channel_id=C0PAY"


def signature(body: bytes, timestamp: str | int = NOW_S, secret: bytes | None = None) -> str:
    signed = b"v0:%b:%b" % (str(timestamp).encode(), body)
    return "v0=" + hmac.new(secret or SECRET.reveal(), signed, hashlib.sha256).hexdigest()


class Known(Identity):
    """Somebody who needs not ask Slack who they are."""

    @property
    def authorized(self) -> Any:
        from slack_bolt.authorization import AuthorizeResult

        return AuthorizeResult(enterprise_id=None, team_id="T0", bot_token="xoxb-1", bot_id="B0", bot_user_id="U0BOT")


class Door:
    """The program's own server with a Bolt app behind it; `heard`: the bodies that got through."""

    def __init__(self) -> None:
        client = AsyncWebClient(token="xoxb-1", base_url="http://127.0.0.1:1/api/")
        self.heard: list[dict[str, Any]] = []
        app = bolt(client, Known(Slack(client), "xoxb-1"), Running())
        app.command("/countersign")(self._on_command)
        self.events = SlackEvents(app, SECRET, lambda: NOW_S)
        self.server = HttpServer(Address("127.0.0.1", 0), [web.post(PATH, self.events.handle)])
        self.session = aiohttp.ClientSession(skip_auto_headers=["User-Agent"])

    async def _on_command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        self.heard.append(body)
        await ack()

    async def post(
        self, body: bytes, headers: dict[str, str] | None = None, kind: str = "application/json", **more: Any
    ) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.server.port}{PATH}"
        async with self.session.post(
            url, data=more.pop("data", io.BytesIO(body)), headers={"Content-Type": kind, **(headers or {})}, **more
        ) as response:
            return response.status, await response.text()

    async def signed(self, body: bytes, kind: str = "application/json") -> tuple[int, str]:
        headers = {"X-Slack-Request-Timestamp": str(NOW_S), "X-Slack-Signature": signature(body)}
        return await self.post(body, headers, kind)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.server.start()
    yield door
    await door.session.close()
    await door.server.stop()


async def test_what_slack_signed_gets_in(door):
    status, text = await door.signed(BODY)
    assert (status, json.loads(text)["challenge"]) == (200, "kanarienvogel-7")
    assert (await door.signed(FORM, "application/x-www-form-urlencoded"))[0] == 200
    assert door.heard[0]["text"] == "kanarienvogel-7"


async def test_it_is_the_raw_bytes_that_are_verified(door):
    """The same meaning in other bytes is not what was signed."""
    other = json.dumps(json.loads(BODY), indent=1).encode()
    headers = {"X-Slack-Request-Timestamp": str(NOW_S), "X-Slack-Signature": signature(BODY)}
    assert (await door.post(other, headers))[0] == 401
    odd = FORM + b"&text=%ff\xc3\xa9"
    assert (await door.signed(odd, "application/x-www-form-urlencoded"))[0] == 200


REFUSED: Final[dict[str, dict[str, str | None]]] = {
    "no headers at all": {"timestamp": None, "signature": None},
    "no signature": {"signature": None},
    "no timestamp": {"timestamp": None},
    "empty signature": {"signature": ""},
    "empty timestamp": {"timestamp": ""},
    "no version": {"signature": signature(BODY).removeprefix("v0=")},
    "another version": {"signature": signature(BODY).replace("v0=", "v1=")},
    "cut short": {"signature": signature(BODY)[:-1]},
    "something behind": {"signature": signature(BODY) + "0"},
    "capitals": {"signature": signature(BODY).upper()},
    "two signatures": {"signature": f"{signature(BODY)},{signature(BODY)}"},
    "not a signature": {"signature": "v0=kanarienvogel"},
    "not ASCII": {"signature": "v0=é" + "0" * 63},
    "not ASCII digits in the signature": {"signature": "v0=" + "٣" * 64},
    "another secret": {"signature": signature(BODY, secret=b"another secret of thirty-two b..")},
    "an empty secret": {"signature": signature(BODY, secret=b"\0")},
    "another body": {"signature": signature(BODY + b" ")},
    "another time": {"signature": signature(BODY, NOW_S - 1)},
    "a word for a time": {"timestamp": "now", "signature": signature(BODY, "now")},
    "a fraction": {"timestamp": f"{NOW_S}.5", "signature": signature(BODY, f"{NOW_S}.5")},
    "a sign": {"timestamp": f"+{NOW_S}", "signature": signature(BODY, f"+{NOW_S}")},
    "negative": {"timestamp": "-1", "signature": signature(BODY, "-1")},
    "not ASCII digits": {"timestamp": "٣٣٣", "signature": signature(BODY, "٣٣٣")},
    "a superscript": {"timestamp": "²", "signature": signature(BODY, "²")},
    "a time of five thousand digits": {"timestamp": "9" * 5_000, "signature": signature(BODY, "9" * 5_000)},
    "old": {"timestamp": str(NOW_S - WINDOW_S - 1), "signature": signature(BODY, NOW_S - WINDOW_S - 1)},
    "from the future": {"timestamp": str(NOW_S + WINDOW_S + 1), "signature": signature(BODY, NOW_S + WINDOW_S + 1)},
    "in milliseconds": {"timestamp": str(NOW_S * 1000), "signature": signature(BODY, NOW_S * 1000)},
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_slack_has_not_signed_is_401_and_never_an_error_of_ours(door, name, caplog):
    caplog.set_level(logging.DEBUG)
    given_headers = {"timestamp": str(NOW_S), "signature": signature(BODY), **REFUSED[name]}
    names = {"timestamp": "X-Slack-Request-Timestamp", "signature": "X-Slack-Signature"}
    headers = {names[each]: value for each, value in given_headers.items() if value is not None}
    with capture_logs() as logs:
        status, text = await door.post(BODY, headers)
    assert status == 401
    assert [entry["event"] for entry in logs] == ["slack signature refused"]
    assert "kanarienvogel-7" not in f"{text}{logs}{caplog.text}"
    assert door.heard == []


@pytest.mark.parametrize("at_s", [NOW_S - WINDOW_S, NOW_S + WINDOW_S])
async def test_five_minutes_either_way_are_still_good(door, at_s):
    headers = {"X-Slack-Request-Timestamp": str(at_s), "X-Slack-Signature": signature(BODY, at_s)}
    assert (await door.post(BODY, headers))[0] == 200


async def test_bytes_in_the_headers_that_are_no_text_are_401(door):
    """Sent by hand: a client would not."""
    for line in (b"X-Slack-Signature: v0=\xff\xfe", b"X-Slack-Request-Timestamp: \xff"):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
        writer.write(
            b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n%b\r\n\r\n%b"
            % (PATH.encode(), len(BODY), line, BODY)
        )
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.split(b" ", 2)[1] in (b"401", b"400"), answer


async def test_what_is_too_large_is_refused_before_it_is_read(door, caplog):
    big = b'{"value":"kanarienvogel-7' + b"x" * MOST_BYTES + b'"}'
    assert (await door.signed(big))[0] == 413

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 65_536):
            yield big[start : start + 65_536]

    headers = {"X-Slack-Request-Timestamp": str(NOW_S), "X-Slack-Signature": signature(big)}
    assert (await door.post(b"", headers, data=chunks()))[0] == 413  # without a length, too
    assert "kanarienvogel-7" not in caplog.text


async def test_signed_bytes_that_are_no_text_are_the_senders_fault(door):
    assert (await door.signed(b"\xff\xfe\xfd"))[0] == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"payload=%7B", b"\0", b'{"type":"heard_of_by_nobody"}'])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
async def test_signed_nonsense_is_answered_and_hurts_nobody(door, body, kind, caplog):
    status, _ = await door.signed(body, kind)
    assert status in (200, 400, 404)
    assert (await door.signed(BODY))[0] == 200


async def test_get_is_not_there(door):
    async with door.session.get(f"http://127.0.0.1:{door.server.port}{PATH}") as response:
        assert response.status == 405


# -- the verifier itself ----------------------------------------------------------------------------------------------


def events(secret: Secret = SECRET) -> SlackEvents:
    return SlackEvents(unused(), secret, lambda: NOW_S)


def unused() -> AsyncApp:
    """The name: else Bolt looks for it through every module, for longer than all these tests together."""
    return AsyncApp(name="unused", client=AsyncWebClient(token="xoxb-1"), signing_secret="x")


@given(body=st.binary(max_size=64), timestamp=st.text(max_size=20), given_signature=st.text(max_size=80))
def test_no_forgery_passes_and_none_raises(body, timestamp, given_signature):
    assert events().genuine(body, timestamp, given_signature) is False


@given(body=st.binary(max_size=256), at_s=st.integers(NOW_S - WINDOW_S, NOW_S + WINDOW_S))
def test_what_is_signed_with_our_secret_and_fresh_passes(body, at_s):
    assert events().genuine(body, str(at_s), signature(body, at_s)) is True


def test_it_proves_at_start_that_a_forgery_does_not_pass():
    events().prove()


def test_without_a_secret_nobody_is_heard(tmp_path):
    with pytest.raises(Invalid, match="SLACK_SIGNING_SECRET"):
        _hearing(Settings(data=tmp_path, keys=()), unused(), asyncio.Event())


def test_a_verifier_that_accepts_all_does_not_start():
    class Credulous(SlackEvents):
        def genuine(self, body: bytes, timestamp: str, signature: str) -> bool:
            return True

    class Absent(SlackEvents):
        def genuine(self, body: bytes, timestamp: str, signature: str) -> bool:
            return not signature

    for kind in (Credulous, Absent):
        with pytest.raises(Unavailable, match="forged"):
            kind(unused(), SECRET, lambda: NOW_S).prove()
