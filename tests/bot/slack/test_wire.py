"""The wire: what Slack answers, as the rest of the program knows it."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.wire import WAIT_MOST_S, Slack, SlackRefused
from playground.slack.faults import Faults
from playground.slack.workspace import Workspace
from store.model.errors import Unavailable


async def test_an_answer_is_what_slack_says(slack: Slack, town: Workspace):
    assert (await slack.call("users.info", user="U0ANA", include_locale=None))["user"]["name"] == "ana"
    assert town.calls[-1].args == {"user": "U0ANA"}  # what is not given is not sent


async def test_blocks_and_views_go_as_json(slack: Slack, town: Workspace):
    blocks = [{"type": "section", "block_id": "b", "text": {"type": "plain_text", "text": "Ada & Eve <b> ✓"}}]
    answer = await slack.call("chat.postMessage", channel="C0PAY", text="Hello", blocks=blocks)
    assert town.messages("C0PAY")[0].ts == answer["ts"]
    assert town.messages("C0PAY")[0].blocks == blocks


@pytest.mark.parametrize(
    "word", ["user_not_found", "channel_not_found", "invalid_auth", "missing_scope", "heard_of_by_nobody"]
)
async def test_a_no_is_refused_in_slacks_own_word(slack, town, word):
    town.faults.error("users.info", word)
    with pytest.raises(SlackRefused) as raised:
        await slack.call("users.info", user="U0ANA")
    assert (raised.value.error, raised.value.detail) == (word, word)
    assert raised.value.sentence == f"Slack refused users.info: {word}."


def _rate_limit(faults: Faults) -> None:
    faults.rate_limit("users.info", retry_after=7)


TROUBLES: Final = [
    (_rate_limit, "ratelimited", 7_000),
    (lambda faults: faults.error("users.info", "ratelimited"), "ratelimited", 1_000),
    (lambda faults: faults.error("users.info", "internal_error"), "internal_error", None),
    (lambda faults: faults.error("users.info", "fatal_error"), "fatal_error", None),
    (lambda faults: faults.error("users.info", "service_unavailable"), "service_unavailable", None),
    (lambda faults: faults.status("users.info", 503), "slack_silent", None),
    (lambda faults: faults.status("users.info", 500), "slack_silent", None),
    (lambda faults: faults.reset("users.info", times=9), "slack_silent", None),
    (lambda faults: faults.hang("users.info"), "slack_silent", None),
]


@pytest.mark.parametrize(("trouble", "code", "retry_after_ms"), TROUBLES)
async def test_what_may_pass_is_unavailable(town, trouble, code, retry_after_ms):
    slack = Slack(AsyncWebClient(token=town.bot_token, base_url=f"{town.base_url}/api/", timeout=1))
    trouble(town.faults)
    with pytest.raises(Unavailable) as raised:
        await slack.call("users.info", user="U0ANA")
    assert (raised.value.detail, raised.value.retry_after_ms) == (code, retry_after_ms)


async def test_a_slack_that_is_not_there_is_unavailable(unused_tcp_port):
    slack = Slack(AsyncWebClient(token="xoxb-1", base_url=f"http://127.0.0.1:{unused_tcp_port}/api/"))
    with pytest.raises(Unavailable) as raised:
        await slack.call("auth.test")
    assert raised.value.detail == "slack_silent"


@pytest.fixture
async def odd() -> AsyncIterator[tuple[Slack, list[web.Response]]]:
    """A Slack that answers what it is told to."""
    answers: list[web.Response] = []

    async def answer(_: web.Request) -> web.Response:
        return answers.pop(0)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    yield Slack(AsyncWebClient(token="xoxb-1", base_url=base)), answers
    await runner.cleanup()


@pytest.mark.parametrize(
    ("asked", "wait_ms"),
    [
        ("30", 30_000),
        ("0", 0),
        ("", 1_000),
        ("soon", 1_000),
        ("-5", 1_000),
        ("1.5", 1_000),
        ("nan", 1_000),
        ("inf", 1_000),
        ("9" * 5_000, WAIT_MOST_S * 1_000),
        ("²", 1_000),
    ],
)
async def test_however_slack_asks_us_to_wait_we_wait(odd, asked, wait_ms):
    slack, answers = odd
    answers.append(web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": asked}))
    with pytest.raises(Unavailable) as raised:
        await slack.call("users.info", user="U0ANA")
    assert raised.value.retry_after_ms == wait_ms


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(text="<html>", content_type="text/html"),
        lambda: web.Response(text="{", content_type="application/json"),
        lambda: web.Response(text="[]", content_type="application/json"),
        lambda: web.Response(text="null", content_type="application/json"),
        lambda: web.Response(body=b"", content_type="application/json"),
        lambda: web.Response(text="nothing", content_type="text/plain"),
        lambda: web.json_response({"ok": False}),
    ],
)
async def test_what_is_no_answer_at_all_is_a_slack_that_is_silent(odd, answer):
    slack, answers = odd
    answers += [answer() for _ in range(3)]
    with pytest.raises(Unavailable) as raised:
        await slack.call("users.info", user="U0ANA")
    assert raised.value.detail == "slack_silent"


async def test_no_token_and_no_argument_is_in_an_error(slack, town):
    town.faults.error("chat.postMessage", "invalid_blocks")
    blocks = [{"type": "section", "block_id": "b", "text": {"type": "plain_text", "text": "kanarienvogel-7"}}]
    with pytest.raises(SlackRefused) as raised:
        await slack.call("chat.postMessage", channel="C0PAY", text="kanarienvogel-7", blocks=blocks)
    said = f"{raised.value!r} {raised.value.__dict__} {raised.value.__cause__} {raised.value.__suppress_context__}"
    assert "kanarienvogel" not in said
    assert town.bot_token not in said
