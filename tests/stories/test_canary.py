"""A secret value on its way through the program: where it lies, and everywhere else, where it must not."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import aiohttp
import pytest
import structlog
from redis.asyncio import Redis

from bot import logs
from bot.settings import Log
from playground import seed
from playground.house import House
from playground.slack.sight import text_of
from store.model.policy import MINUTE
from store.model.secret import Secret
from tests.servers import Server
from tests.stories import evidence
from tests.stories.people import again, approved, asks, command, modal, own_card, press, quiet, request_of, says

CANARY: Final = "c4naRy-7Yq=\"zw1tschert9\" läut & 'hell'"
NAME: Final = "BIRD"
ENTERED, SHOWN = "submitted form", "views.open of the values"


@pytest.fixture(params=["json", "text"])
def heard(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """All that the program's log says when everybody, slack_sdk and Bolt included, may say everything."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.level, root.handlers[:], sys.excepthook, structlog.get_config())
    logs.configure(Log("debug", request.param), stream)
    talkative = [logging.getLogger(name) for name in ("slack_sdk", "slack_bolt", "aiohttp", "redis", "asyncio")]
    for logger in talkative:
        logger.setLevel(logging.DEBUG)
    yield stream
    for logger in talkative:
        logger.setLevel(logging.NOTSET)
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    sys.excepthook = before[2]
    logging.captureWarnings(capture=False)
    structlog.configure(**before[3])


async def test_a_secret_value_is_nowhere_but_where_it_was_typed_and_where_it_is_shown(
    heard: io.StringIO,
    house: House,
    real_redis: Redis,
    real_server: Server,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await typed_wrongly(house)
    await broken_in_the_middle(house, monkeypatch)
    await asked_merged_and_shown(house)
    await quiet(house)

    places = await searched(house, heard, real_redis, real_server, capfd)
    for name, content in places.items():
        print(f"searched: {name}, {len(content):,} bytes")  # noqa: T201 - what was looked at is a part of the answer
    found = sorted(name for name, content in places.items() if evidence.holds(content, CANARY))
    assert found == [ENTERED, SHOWN]
    assert all(places.values()), "an empty place was not searched"
    for place, certain in CERTAIN.items():  # the search itself finds what is known to be there
        assert certain in places[place], place


CERTAIN: Final = {
    "log": b"listener failed",
    "append-only file": b"ZADD",
    "Redis": b"INC-7",
    "calls to Slack": b"chat.postMessage",
    "what Slack sent": b"block_actions",
    "messages": b"Merged as version 3",
    "hook deliveries": b'"environment_version":3',
    "files of the program": b"countersign-key",
    "metrics": b"countersign_commands_total",
}


async def typed_wrongly(house: House) -> None:
    """In the wrong field's shape, so that every complaint has it at hand."""
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request change payments/prod")
    for lines in (CANARY.replace("=", "-"), f"1{NAME}={CANARY}", f"{NAME}={CANARY}\n{NAME}={CANARY}"):
        seen = await submitted(house, lines)
        assert seen.errors
        assert "c4naRy" not in str(seen.errors)


async def submitted(house: House, lines: str) -> Any:
    values: dict[str, dict[str, Any]] = {"set:payments/prod": {"set": lines}, "reason": {"reason": "INC-7"}}
    return await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, values)


async def broken_in_the_middle(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors whose words, causes and local variables hold the value: before it is sealed, and after."""

    async def before(*_: object, **held: object) -> None:
        plain = CANARY
        raise ValueError(f"cannot seal {plain}: {held}")

    async def after(*arguments: Any, **_: object) -> None:
        try:
            json.loads(CANARY)
        except ValueError as error:
            raise RuntimeError(f"{CANARY} {arguments}") from error

    for broken, where in ((before, house.app.environments), (after, house.app.requests)):
        name = "seal" if where is house.app.environments else "submit"
        with monkeypatch.context() as patched:
            patched.setattr(where, name, broken)
            await submitted(house, f"{NAME}={CANARY}")
        assert "Something went wrong on our side." in text_of(modal(house, seed.ROSA))
        await house.workspace.close(seed.ROSA, modal(house, seed.ROSA).id)
        await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request change payments/prod")
    await house.workspace.close(seed.ROSA, modal(house, seed.ROSA).id)


async def asked_merged_and_shown(house: House) -> None:
    lines: dict[str, dict[str, Any]] = {
        "set:payments/prod": {"set": f"{NAME}={CANARY}"},
        "reason": {"reason": "INC-7"},
    }
    change = await asks(house, seed.ROSA, "change payments/prod", lines)
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, change), "approve")
    await says(house, change, "Merged as version 3")

    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    await approved(house, asked, seed.BEN)
    activate = await own_card(house, seed.ROSA, request_of(asked), button="activate")
    await press(house, seed.ROSA, activate, "activate")
    await says(house, asked, "has access now")
    active = await own_card(house, seed.ROSA, request_of(asked), "What next", button="show_values")
    for code in (
        "internal_error",
        "invalid_arguments",
        "expired_trigger_id",
    ):  # the view is at hand when Slack refuses it
        house.workspace.faults.error("views.open", code)
        await press(house, seed.ROSA, active, "show_values")
    house.workspace.faults.reset("views.open")
    await press(house, seed.ROSA, active, "show_values")
    await press(house, seed.ROSA, active, "show_values")
    assert CANARY in text_of(modal(house, seed.ROSA))
    await house.workspace.open_home(seed.ROSA)
    await command(house, seed.ROSA, f"show {request_of(change)}")
    await house.advance(15 * MINUTE)
    await says(house, asked, "Ended by itself")


async def searched(
    house: House, heard: io.StringIO, redis: Redis, server: Server, capfd: pytest.CaptureFixture[str]
) -> dict[str, bytes]:
    """Everything that the program or its surroundings have said, kept or sent: name → content."""
    workspace = house.workspace
    forms = [one.payload for one in workspace.envelopes if one.payload.get("type") == "view_submission"]
    others = [one.payload for one in workspace.envelopes if one.payload.get("type") != "view_submission"]
    values = [call for call in workspace.calls if call.method == "views.open" and "Values" in str(call.args)]
    calls = [call for call in workspace.calls if call not in values]
    messages = [asdict(one) for listed in workspace.messages_by_channel.values() for one in listed]
    printed = capfd.readouterr()
    url = f"http://127.0.0.1:{house.app.http.port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        metrics = await response.read()
    return {
        ENTERED: written(forms),
        SHOWN: written([dict(call.args) for call in values]),
        "what Slack sent": written(others),
        "calls to Slack": written([(call.method, dict(call.args), call.answer) for call in calls]),
        "messages": written(messages),
        "ephemeral messages": written([asdict(one) for one in workspace.ephemeral]),
        "homes": written([asdict(one) for one in workspace.homes.values()]),
        "log": heard.getvalue().encode(),
        "standard output and error": f"{printed.out}\n{printed.err}".encode(),
        "Redis": b"\n".join((await evidence.everything_in(redis)).values()),
        "append-only file": evidence.aof(server.folder),
        "audit log": written([entry.to_json() for _, entry in await house.app.audit.after(0, most=10_000)]),
        "hook deliveries": b"\n".join(one.body + str(dict(one.headers)).encode() for one in house.hooks.deliveries),
        "files of the program": b"\n".join(
            path.read_bytes() for path in house.folder.rglob("*") if path.is_file() and path.name != "s"
        ),
        "metrics": metrics,
    }


def written(content: Any) -> bytes:
    """As it is, and as Slack would carry it: `spellings` knows the JSON of it."""
    return json.dumps(content, ensure_ascii=False, default=str).encode()


def test_the_search_knows_a_value_in_every_dress_it_may_wear() -> None:
    secret = Secret(CANARY.encode())
    assert not evidence.holds(repr(secret).encode() + str(secret).encode(), CANARY)
    for dress in evidence.spellings(CANARY):
        assert evidence.holds(b"before " + dress + b" after", CANARY)
    assert evidence.holds(json.dumps([{"a": CANARY}]).encode(), CANARY)
    assert evidence.holds(json.dumps([{"a": CANARY}], ensure_ascii=False).encode(), CANARY)
    assert evidence.holds(json.dumps(repr({"a": CANARY})).encode(), CANARY)
    assert not evidence.holds(b"nothing of the kind", CANARY)
