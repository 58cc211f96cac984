"""`serve` as an operator meets it: bad settings, tokens that will not do, signals, and no server left behind."""

import asyncio
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.cli.serve import FAILED, serve
from bot.main import build
from bot.settings import Settings
from bot.slack.sockets import Sockets
from playground.house import House
from playground.slack.methods import METHODS
from playground.slack.sight import text_of
from store.model.errors import Invalid
from store.redis.embedded import running
from tests.bot.cli.conftest import WITHIN_S, Run, Start, nobody_left
from tests.servers import Server, valkey_binary

READY = '"event": "ready"'


def data(house: House) -> Path:
    return Path(house.environ()["COUNTERSIGN_DATA"])


async def test_bad_settings_are_one_line_each_and_start_nothing(run: Run, tmp_path: Path):
    ran = await run("serve", SLACK_BOT_TOKEN="xoxp-of-a-person", REDIS_URL="localhost", COUNTERSIGN_HTPP="x:1")
    assert ran.code == 2
    assert ran.out == ""
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "SLACK_BOT_TOKEN",
        "REDIS_URL",
        "SLACK_APP_TOKEN",
        "COUNTERSIGN_HTPP",
    ]
    assert list(tmp_path.iterdir()) == []


async def test_errors_are_an_object_where_json_is_asked_for(run: Run):
    ran = await run("serve", "-o", "json")
    error = json.loads(ran.out)["error"]
    assert (ran.code, error["code"], ran.err) == (2, "bad_settings", "")
    assert error["message"].startswith("SLACK_BOT_TOKEN: ")


async def test_ctrl_c_stops_it_and_leaves_no_server(start: Start, house: House):
    serve = await start("serve", **house.environ())
    await serve.says(READY)
    assert await running(data(house) / "redis") is not None
    serve.send(signal.SIGINT)
    ran = await serve.ended()
    assert (ran.code, ran.out) == (0, "")
    assert '"event": "stopped"' in ran.err
    assert await running(data(house) / "redis") is None
    await nobody_left(data(house))


async def test_what_it_has_begun_is_ended_before_it_stops(start: Start, house: House):
    serve = await start("serve", **house.environ())
    await serve.says(READY)
    await house.workspace.wait_for(lambda: house.workspace.bot_connected)
    house.workspace.faults.error("chat.postEphemeral", "user_not_in_channel")  # then by message
    house.workspace.faults.delay("conversations.open", 0.5)
    await house.workspace.slash("U0ROSA", "C0APPROVALS", "/countersign", "help")
    serve.send(signal.SIGTERM)
    assert (await serve.ended()).code == 0
    await nobody_left(data(house))
    assert "/countersign" in text_of(house.workspace.dm("U0ROSA")[-1])


async def test_killed_it_leaves_no_server_and_starts_again(start: Start, house: House):
    serve = await start("serve", **house.environ())
    await serve.says(READY)
    children = _children(serve.pid)
    assert children
    assert not any(b"xoxb-" in environ or b"xapp-" in environ for environ in children), "a token went on"
    serve.send(signal.SIGKILL)
    assert (await serve.ended()).code == -signal.SIGKILL
    await nobody_left(data(house))
    again = await start("serve", **house.environ())
    assert "policies taken in" not in await again.says(READY)


async def test_a_second_signal_ends_it_at_once(start: Start, house: House):
    serve = await start("serve", **house.environ())
    await serve.says(READY)
    await house.workspace.wait_for(lambda: house.workspace.bot_connected)
    house.workspace.faults.hang("chat.postEphemeral")
    await house.workspace.slash("U0ROSA", "C0APPROVALS", "/countersign", "help")
    serve.send(signal.SIGTERM)
    await serve.says('"event": "stopping"')
    serve.send(signal.SIGTERM)
    ran = await serve.ended()
    assert ran.code == -signal.SIGTERM
    assert '"event": "stopped"' not in ran.err, "it waited for Slack"
    await nobody_left(data(house))


async def test_a_signal_during_the_start_is_heard(start: Start, house: House):
    called = asyncio.Event()

    async def answer_never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        called.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer_never, "127.0.0.1") as slack:
        port = slack.sockets[0].getsockname()[1]
        serve = await start("serve", **house.environ() | {"SLACK_API_URL": f"http://127.0.0.1:{port}/api/"})
        await asyncio.wait_for(called.wait(), WITHIN_S)
        serve.send(signal.SIGTERM)
        ran = await serve.ended()
    assert ran.code == 0
    assert "not ready yet" not in ran.err, "it waited for Slack"
    await nobody_left(data(house))


@pytest.mark.parametrize(
    ("method", "code", "setting"),
    [("auth.test", "invalid_auth", "SLACK_BOT_TOKEN"), ("apps.connections.open", "token_revoked", "SLACK_APP_TOKEN")],
)
async def test_a_token_that_slack_refuses_is_named(run: Run, house: House, method: str, code: str, setting: str):
    house.workspace.faults.error(method, code, times=10)
    ran = await run("serve", **house.environ())
    last = ran.err.splitlines()[-1]
    assert ran.code == 2
    assert last.startswith(f"{setting}: Slack refuses it")
    assert code in last
    assert "Traceback" not in ran.err
    await nobody_left(data(house))


async def test_everything_wrong_in_the_policies_is_told(run: Run, house: House):
    file = house.folder / "policies.yml"
    file.write_text(file.read_text().replace("payments-dev]", "nobodys]").replace("payments-leads]", "payments-leeds]"))
    ran = await run("serve", **house.environ())
    told = [line for line in ran.err.splitlines() if line.startswith(f"{file}:")]
    assert ran.code == 2
    assert {"@nobodys" in line or "@payments-leeds" in line for line in told} == {True}


async def test_two_do_not_share_a_folder_or_an_address(start: Start, run: Run, house: House, tmp_path: Path):
    first = await start("serve", **house.environ())
    said = await first.says(READY)
    second = await run("serve", **house.environ())
    assert second.code == 6
    assert second.err.splitlines()[-1].startswith(f"Another Countersign (process {first.pid}) is using ")
    port = next(json.loads(line)["http"] for line in said.splitlines() if READY in line)
    other = {"COUNTERSIGN_DATA": str(tmp_path / "other"), "COUNTERSIGN_HTTP": f"127.0.0.1:{port}"}
    third = await run("serve", **house.environ() | other)
    assert third.code == 6
    assert "Set COUNTERSIGN_HTTP to another" in third.err.splitlines()[-1]
    await nobody_left(tmp_path / "other")


async def test_a_redis_that_forgets_is_refused(run: Run, house: House):
    server = Server(valkey_binary(), "--appendonly", "no").start()
    try:
        ran = await run("serve", **house.environ(), REDIS_URL=server.url)
    finally:
        server.remove()
    assert ran.code == 6
    assert "appendonly yes" in ran.err.splitlines()[-1]


@pytest.fixture
def silent(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Slack does not answer the first time."""
    monkeypatch.setattr("bot.app.SLACK_AGAIN_S", 0.05)
    house.workspace.faults.status("auth.test", 503)
    return house


def no_answer_that_we_know(house: House, patch: pytest.MonkeyPatch) -> None:
    patch.setitem(METHODS, "auth.test", lambda *_: {})


def no_policies(house: House, _: pytest.MonkeyPatch) -> None:
    (house.folder / "policies.yml").write_text("version: 1\nowners: {}\n")


def a_token_that_is_none(house: House, _: pytest.MonkeyPatch) -> None:
    house.workspace.faults.error("auth.test", "account_inactive")


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        (a_token_that_is_none, Invalid, "SLACK_BOT_TOKEN: Slack refuses it, the app was removed"),
        (no_policies, Invalid, "policies.yml:2:9: this names nobody"),
        (no_answer_that_we_know, KeyError, "team_id"),
    ],
    ids=["token", "policies", "answer"],
)
async def test_what_would_have_been_no_start_is_none_once_slack_answers(
    silent: House, monkeypatch: pytest.MonkeyPatch, what: Callable[..., None], error: type[Exception], said: str
):
    what(silent, monkeypatch)
    with capture_logs() as logs, pytest.raises(error, match=re.escape(said)):
        await asyncio.wait_for(serve(Settings.read(silent.environ())), WITHIN_S)
    assert [entry["event"] for entry in logs if entry["log_level"] != "info"] == ["not ready yet"]
    await nobody_left(data(silent))


async def test_when_slack_cannot_be_heard_any_more_it_ends_to_be_started_again(
    silent: House, monkeypatch: pytest.MonkeyPatch
):
    async def connect(sockets: Sockets) -> None:
        sockets._deaf()

    monkeypatch.setattr(Sockets, "connect", connect)
    assert await asyncio.wait_for(serve(Settings.read(silent.environ())), WITHIN_S) == FAILED
    await nobody_left(data(silent))


async def test_told_to_stop_it_closes_no_socket_that_is_being_opened(silent: House, monkeypatch: pytest.MonkeyPatch):
    happened, begun, close = [], asyncio.Event(), Sockets.close

    async def connecting(_: Sockets) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            happened.append("connected no more")

    async def closing(sockets: Sockets) -> None:
        happened.append("closed")
        await close(sockets)

    monkeypatch.setattr(Sockets, "connect", connecting)
    monkeypatch.setattr(Sockets, "close", closing)
    app = await build(Settings.read(silent.environ()))
    await app.start()
    await asyncio.wait_for(begun.wait(), WITHIN_S)
    await app.stop()
    assert happened == ["connected no more", "closed"]


def _children(parent: int) -> list[bytes]:
    """The environment of each."""
    return [path.with_name("environ").read_bytes() for path in Path("/proc").glob("[0-9]*/stat") if _of(path) == parent]


def _of(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
