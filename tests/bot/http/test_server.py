"""The HTTP server: where it listens, and what it says where it cannot."""

import json
import socket

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bot.http.answers import HEADERS
from bot.http.asked import read
from bot.http.server import HttpServer
from bot.settings import Address
from store.model.errors import Unavailable


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def test_it_listens_where_it_is_told_and_says_on_which_port():
    server = HttpServer(Address("127.0.0.1", 0), [web.get("/", hello)])
    await server.start()
    assert server.port != 0
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{server.port}/") as response:
        assert await response.text() == "hello"
    await server.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", server.port))  # it is given back


async def test_a_port_that_is_taken_is_said_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"Cannot listen on 127.0.0.1:{port}.*COUNTERSIGN_HTTP") as raised:
            await HttpServer(Address("127.0.0.1", port), []).start()
        assert raised.value.detail == "address_taken"


async def test_only_loopback_hears_it_when_it_is_told_so():
    server = HttpServer(Address("127.0.0.1", 0), [web.get("/", hello)])
    await server.start()
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", server.port)) != 0
    await server.stop()


async def test_what_a_route_fails_to_answer_is_told_as_everything_else_is():
    async def fails(_: web.Request) -> web.Response:
        raise KeyError("canary")

    async def reads(request: web.Request) -> web.Response:
        return web.Response(body=await read(request, 10))

    server = HttpServer(Address("127.0.0.1", 0), [web.post("/fails", fails), web.post("/reads", reads)])
    await server.start()
    packed = {"Content-Encoding": "gzip"}
    with capture_logs() as logs:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers={"Connection": "close"}) as session:
            for path, data, headers, expected in (
                ("/fails", b"", {}, (500, "internal")),
                ("/reads", b"canary", packed, (400, "bad_body")),
                ("/reads", b"canary canary", {}, (413, "body_too_large")),
            ):
                async with session.post(path, data=data, headers=headers) as response:
                    said = await response.text()
                    assert (response.status, json.loads(said)["code"]) == expected
                    assert response.headers.keys() >= HEADERS.keys()
                    assert "canary" not in said
    await server.stop()
    assert [(entry["event"], type(entry["exc_info"])) for entry in logs] == [("http failed", KeyError)]


async def test_a_server_that_never_started_stops_quietly():
    await HttpServer(Address("127.0.0.1", 0), []).stop()
