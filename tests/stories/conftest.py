"""A house for each story: the very program that production builds, real Bolt, real sockets, a real server.

house        open, with the program in it, over Socket Mode
any_house    the same story over Socket Mode and, in `make slow`, over signed HTTP
heard        all that its log says, as JSON and as text
open_house   a function that opens one: with several processes of the program or none, under policies or settings of its own

Where a test is marked `seeded`, the playground's first secrets lie there. Asking for them costs more than the house itself.
"""

import io
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot import logs
from bot.settings import Log
from playground.house import SEEDED, House

OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> AsyncIterator[OpenHouse]:
    async with opening(redis_url, tmp_path, seeded=request.node.get_closest_marker("seeded") is not None) as open_one:
        yield open_one


@asynccontextmanager
async def opening(redis_url: str, tmp_path: Path, *, seeded: bool) -> AsyncIterator[OpenHouse]:
    """What it opened is closed at its end."""
    async with AsyncExitStack() as opened:

        async def open_one(
            *,
            processes: int = 1,
            http: bool = False,
            policies: str | None = None,
            environ: Mapping[str, str] | None = None,
            **workspace: Any,
        ) -> House:
            quick: dict[str, Any] = {"ack_within_s": 3.0, "retries_after_s": (0, 0, 0), **workspace}
            folder = tmp_path / "house"
            if policies is not None or not seeded:  # the first secrets are asked for under the seed's policies
                bare(folder, policies)
            house = House(folder, environ={"REDIS_URL": redis_url, **(environ or {})}, http=http, workspace=quick)
            await house.open()
            opened.push_async_callback(house.close)
            for _ in range(processes):
                await house.move_in()
            return house

        yield open_one


def bare(folder: Path, policies: str | None) -> None:
    """A house without the first secrets, and with policies of its own where there are some."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / SEEDED).touch()
    if policies is not None:
        (folder / "policies.yml").write_text(policies, encoding="utf-8")


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[House]:
    """At its end nothing must have happened that Slack would not have accepted."""
    opened = await open_house()
    yield opened
    assert opened.workspace.troubles == []


@pytest.fixture(params=["socket", pytest.param("http", marks=pytest.mark.slow)])
async def any_house(request: pytest.FixtureRequest, open_house: OpenHouse) -> AsyncIterator[House]:
    opened = await open_house(http=request.param == "http")
    yield opened
    assert opened.workspace.troubles == []


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
