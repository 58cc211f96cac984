"""The table of operations: what each asks for before it is handled, and how its time is counted."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.http.answers import FAILED, HEADERS, Nothing, Shape, answer
from bot.http.api import NOW, Api, Call, Operation
from bot.http.auth import Auth
from bot.http.pace import Pace
from bot.http.server import HttpServer
from bot.settings import Address
from scheduler.metrics import Metrics
from store.model.errors import Conflict, Unavailable

SHOWN = {"Authorization": f"Bearer csm_0123456789_{'a' * 43}"}


class Said(Shape):
    said: str


class Wish(Shape):
    said: str


class Optional(Shape):
    said: str = "nothing"


async def echo(call: Call) -> web.StreamResponse:
    if call.body.said == "canary":
        raise KeyError(call.body.said)
    if call.body.said == "conflict":
        raise Conflict("It was so.", code="moved")
    if call.body.said == "later":
        raise Unavailable("Not now.", retry_after_ms=1_001)
    return answer(Said(said=call.command_id if call.body.said == "key" else call.body.said), 201)


def operation(path: str, body: type[Shape] | None, **more: Any) -> Operation:
    return Operation(
        method="POST", path=path, name=path.strip("/"), summary="Says it.", handle=echo, body=body, status=201, **more
    )


OPERATIONS = (
    operation("/shown", Wish, looks_itself=True),
    operation("/all", Wish, open_to_all=True, most_bytes=100),
    operation("/optional", Optional, open_to_all=True, wants_body=False),
    operation("/without", None, open_to_all=True),
)


@pytest.fixture
async def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def session(metrics: Metrics) -> AsyncIterator[aiohttp.ClientSession]:
    auth = Auth(None, lambda: 1_700_000_000_000)  # type: ignore[arg-type]  # no token is looked up here
    api = Api(OPERATIONS, auth, metrics, Pace(lambda: 0.0, at_once=2))
    server = HttpServer(Address("127.0.0.1", 0), api.routes())
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as one:
        yield one
    await server.stop()


async def told(session: aiohttp.ClientSession, path: str, **more: Any) -> tuple[int, Any]:
    async with session.post(path, **more) as response:
        return response.status, await response.json()


async def test_a_token_is_shown_and_no_oftener_than_it_may(session):
    wish = {"json": {"said": "x"}}
    assert (await told(session, "/shown", **wish))[0] == 401
    assert await told(session, "/shown", **wish, headers=SHOWN) == (201, {"said": "x"})
    assert await told(session, "/shown", **wish, headers=SHOWN) == (201, {"said": "x"})
    status, said = await told(session, "/shown", **wish, headers=SHOWN)
    assert (status, said["code"]) == (429, "too_many")


async def test_a_body_may_be_left_out_where_it_is_said_so(session):
    assert await told(session, "/optional") == (201, {"said": "nothing"})
    assert await told(session, "/optional", json={"said": "x"}) == (201, {"said": "x"})
    status, said = await told(session, "/without", json={})
    assert (status, said["code"]) == (400, "bad_body")


async def test_who_shows_no_token_has_no_key_that_anybody_else_could_have(session):
    wish = {"json": {"said": "key"}, "headers": {"Idempotency-Key": "KEY"}}
    assert len({(await told(session, "/all", **wish))[1]["said"] for _ in range(2)}) == 2


async def test_each_operation_takes_as_much_as_it_needs(session):
    assert (await told(session, "/all", json={"said": "x" * 80}))[0] == 201
    status, said = await told(session, "/all", json={"said": "x" * 101})
    assert (status, said["code"]) == (413, "body_too_large")


async def test_an_error_is_told_by_its_class_and_counted_by_its_code(session, metrics):
    assert await told(session, "/all", json={"said": "conflict"}) == (409, {"code": "moved", "sentence": "It was so."})
    async with session.post("/all", json={"said": "later"}) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
    await told(session, "/all", json={"said": "x"})

    def counted(name: str, **labels: str) -> float | None:
        value: float | None = metrics.registry.get_sample_value(name, labels)
        return value

    async with session.post("/all", json={"said": "canary"}) as response:
        assert (response.status, await response.json()) == (500, {"code": "internal", "sentence": FAILED})
        assert {NOW, *HEADERS} <= response.headers.keys()
    for code in ("moved", "unavailable", "ok", "internal"):
        assert counted("countersign_commands_total", door="http", command="all", answer=code) == 1
    assert counted("countersign_http_seconds_count", operation="all") == 4


def test_nothing_is_a_body_without_fields():
    assert Nothing().model_dump() == {}
