"""Logs with canaries in them, through the loggers of the real libraries: none may come out."""

import asyncio
import hashlib
import hmac
import io
import json
import logging
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp.web
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import logs
from bot.settings import Log
from store.model.errors import Forbidden
from store.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

CANARY = "cAnArY"
ROOT = Path(__file__).parent.parent.parent


class Heard(io.StringIO):
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture(params=["json", "text"])
def heard(request: pytest.FixtureRequest):
    """What the log says at its most talkative level, in both formats."""
    stream = Heard()
    root = logging.getLogger()
    before = (root.level, root.handlers[:], sys.excepthook, structlog.get_config())
    logs.configure(Log("debug", request.param), stream)
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    sys.excepthook = before[2]
    logging.captureWarnings(capture=False)
    structlog.configure(**before[3])


log = structlog.stdlib.get_logger("bot.test")


def refused(code: str) -> SlackApiError:
    return SlackApiError(f"The request failed: {CANARY}", {"ok": False, "error": code, "text": CANARY})  # type: ignore[no-untyped-call]  # slack_sdk's


def test_our_own_and_everybody_elses_lines_look_the_same(heard: Heard):
    log.info("request approved", request="R1", took_ms=3)
    logging.getLogger("store.redis").warning("The server in %s ended.", "/data")
    assert "request approved" in heard.getvalue()
    assert "The server in /data ended." in heard.getvalue()
    if heard.getvalue().startswith("{"):
        ours, theirs = heard.lines()
        assert ours["request"] == "R1"
        assert ours["took_ms"] == 3
        assert set(ours) - set(theirs) == {"request", "took_ms"}
        assert theirs["level"] == "warning"
        assert theirs["timestamp"].endswith("Z")


class Model(BaseModel):
    number: int


@pytest.mark.parametrize(
    "said",
    [
        {"token": CANARY},
        {"x-slack-signature": CANARY},
        {"botToken": CANARY},
        {"new_value": CANARY},
        {"values": {"a": [CANARY]}},
        {"body": CANARY.encode()},
        {"nested": {"deep": [{"Authorization": CANARY}]}},
        {"private_metadata": CANARY},
        {"held": Secret(CANARY.encode())},
        {"held": [Secret(CANARY.encode())]},
        {"raw": CANARY.encode()},
        {"headline": f"xoxb-12-{CANARY}"},
        {"headline": f"xapp-1-A0-{CANARY}"},
        {"headline": f"xoxe.xoxp-1-{CANARY}"},
        {"headline": f"Authorization: Bearer {CANARY}.x"},
        {"headline": f"bearer {CANARY}"},
        {"headline": f"whsec_{CANARY}="},
        {"headline": f"rediss://user:{CANARY}@redis:6379"},
        {"headline": f"wss://wss-primary.slack.com/link/?ticket={CANARY}&app_id=1"},
        {"headline": f"https://hooks.slack.com/actions/T/1/{CANARY}"},
        {"headline": f"password = '{CANARY}'"},
        {"headline": json.dumps({"client_secret": CANARY})},
        {"error": ValueError(CANARY)},
        {"deep": [[[[[[[[CANARY]]]]]]]]},
        {f"xoxb-{CANARY}": 1},
    ],
)
def test_a_secret_does_not_come_out(heard: Heard, said: dict[str, Any]):
    log.error("it happened", **said)
    assert "it happened" in heard.getvalue()
    assert CANARY not in heard.getvalue()
    assert logs.HIDDEN in heard.getvalue() or json.dumps(logs.HIDDEN)[1:-1] in heard.getvalue() or "error" in said


def test_what_is_not_secret_stays(heard: Heard):
    log.info(
        "bot.started",
        key="countersign:{i}:req:1",
        target="payments/prod#api",
        url="https://example.com/a?b=c",
        at=("x", 2),
    )
    for part in ("countersign:{i}:req:1", "payments/prod#api", "https://example.com/a?b=c"):
        assert part in heard.getvalue()


def test_what_a_person_typed_cannot_forge_a_line(heard: Heard):
    log.info("asked", reason="please\n2026 [info] approved\u202e")
    logging.getLogger("bot.test").info("asked because please\r\nor else")
    assert len(heard.getvalue().splitlines()) == 2
    assert "\u202e" not in heard.getvalue()


def test_an_error_is_its_type_our_sentence_and_its_places(heard: Heard):
    def inner(value: str) -> None:
        raise KeyError(value)

    try:
        try:
            inner(CANARY)
        except KeyError as error:
            raise Forbidden("You cannot review your own request.") from error
    except Forbidden:
        log.exception("refused")
    said = heard.getvalue()
    assert "You cannot review your own request." in said
    assert "Forbidden" in said
    assert "builtins.KeyError" in said
    assert "bot/test_logs.py:" in said
    assert "inner" in said
    assert CANARY not in said


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError(CANARY), "builtins.ValueError"),
        (FileNotFoundError(2, "No such file or directory", CANARY), "No such file or directory"),
        (refused("channel_not_found"), "channel_not_found"),
        (refused(CANARY), "SlackApiError"),
        (ExceptionGroup(CANARY, [TypeError(CANARY), OSError(CANARY)]), "builtins.TypeError"),
    ],
)
def test_the_words_of_other_peoples_errors_stay_inside(heard: Heard, error: Exception, says: str):
    log.error("failed", exc_info=error)
    logging.getLogger("bot.test").error("failed", exc_info=error)
    assert heard.getvalue().count(says) >= 2
    assert CANARY not in heard.getvalue()


def test_a_pydantic_error_quotes_its_input_and_we_do_not(heard: Heard):
    try:
        Model(number=CANARY)
    except ValueError:
        log.exception("unreadable")
    assert "ValidationError" in heard.getvalue()
    assert CANARY not in heard.getvalue()


async def test_bolt_logs_no_body_when_a_signature_is_wrong(heard: Heard):
    app = bolt()
    body = urllib.parse.urlencode(
        {"payload": json.dumps({"type": "view_submission", "view": {"state": {"values": CANARY}}})}
    )
    answer = await app.async_dispatch(request(body, secret="another secret of some length"))
    assert answer.status == 401
    assert CANARY not in urllib.parse.unquote(heard.getvalue())


async def test_bolt_warns_of_an_unhandled_request_without_its_content(heard: Heard):
    payload = {
        "type": "block_actions",
        "team": {"id": "T"},
        "user": {"id": "U"},
        "actions": [{"action_id": CANARY, "block_id": CANARY}],
    }
    answer = await bolt().async_dispatch(request(urllib.parse.urlencode({"payload": json.dumps(payload)})))
    assert answer.status == 404
    assert "Unhandled request" in heard.getvalue()
    assert CANARY not in urllib.parse.unquote(heard.getvalue())


async def test_bolt_reports_a_failing_listener_without_its_words(heard: Heard):
    app = bolt()

    @app.action("approve")
    async def listener(ack):
        raise ValueError(CANARY)

    payload = {
        "type": "block_actions",
        "team": {"id": "T"},
        "user": {"id": "U"},
        "actions": [{"action_id": "approve", "value": CANARY}],
    }
    answer = await app.async_dispatch(request(urllib.parse.urlencode({"payload": json.dumps(payload)})))
    assert answer.status == 500
    assert "Failed to run listener function" in heard.getvalue()
    assert "builtins.ValueError" in heard.getvalue()
    assert CANARY not in heard.getvalue()


SECRET = "a signing secret of some length"


def bolt() -> AsyncApp:
    async def authorize(**_):
        return AuthorizeResult(
            enterprise_id=None, team_id="T", bot_token=f"xoxb-{CANARY}", bot_user_id="UB", bot_id="B"
        )

    return AsyncApp(signing_secret=SECRET, authorize=authorize, process_before_response=True)


def request(body: str, secret: str = SECRET) -> AsyncBoltRequest:
    import time

    now = str(int(time.time()))  # noqa: TID251  # Bolt reads the same clock
    signature = "v0=" + hmac.new(secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    headers: dict[str, str | Sequence[str]] = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": now,
        "x-slack-signature": signature,
    }
    return AsyncBoltRequest(body=body, headers=headers)


async def test_slack_sdk_prints_no_payload_and_no_answer(heard: Heard):
    async def answer(_):
        return aiohttp.web.json_response(
            {"ok": False, "error": "invalid_auth", "text": CANARY}, headers={"x-canary": CANARY}
        )

    server = aiohttp.web.Application()
    server.router.add_post("/api/views.open", answer)
    runner = aiohttp.web.AppRunner(server)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        client = AsyncWebClient(token=f"xoxb-{CANARY}", base_url=f"http://127.0.0.1:{port}/api/")
        with pytest.raises(SlackApiError) as raised:
            await client.views_open(trigger_id="1", view={"type": "modal", "private_metadata": CANARY})
        log.error("not opened", exc_info=raised.value)
        gone = AsyncWebClient(token=f"xoxb-{CANARY}", base_url=f"http://127.0.0.1:1/{CANARY}/", retry_handlers=[])
        with pytest.raises(aiohttp.ClientConnectorError):
            await gone.chat_postMessage(channel="C", text=CANARY)
    finally:
        await runner.cleanup()
    assert "invalid_auth" in heard.getvalue()
    assert CANARY not in heard.getvalue()


async def test_a_task_that_nobody_awaits_keeps_its_words(heard: Heard):
    async def fail() -> None:
        raise ValueError(CANARY)

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
    )
    assert "Task exception was never retrieved" in heard.getvalue()
    assert "builtins.ValueError" in heard.getvalue()
    assert CANARY not in heard.getvalue()


@pytest.mark.parametrize("path", [__file__, "/lib/slack_sdk/web/client.py"])
def test_a_line_that_cannot_be_formatted_does_not_print_its_arguments(
    path: str, heard: Heard, capsys: pytest.CaptureFixture[str]
):
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, logs._Handler)]
    logging.getLogger("bot.test").handle(logging.LogRecord("bot.test", logging.ERROR, path, 1, "%d", (CANARY,), None))
    out, err = capsys.readouterr()
    assert "could not be written" in err
    assert CANARY not in out + err + heard.getvalue()


def test_an_error_that_nobody_handles_keeps_its_words():
    program = f"from bot import logs; from bot.settings import Log; logs.configure(Log('info', 'json')); raise ValueError('{CANARY}')"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert json.loads(run.stderr)["raised"][0]["type"] == "builtins.ValueError"
    assert CANARY not in run.stdout + run.stderr


def test_the_level_is_kept_for_us_and_raised_for_the_talkative(heard: Heard):
    logs.configure(Log("info", "json"), heard)
    log.debug("unheard")
    log.info("heard once")
    assert [line["event"] for line in heard.lines()] == ["heard once"]


@given(
    st.recursive(
        st.none() | st.text() | st.binary() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_logged_can_be_written(value):
    assert json.loads(json.dumps(logs.redact(None, "", {"event": "e", "given": value})))["event"] == "e"
