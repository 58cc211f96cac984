"""The HTTP server: where it listens, and what it says where it cannot."""

import socket

import aiohttp
import pytest
from aiohttp import web

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


async def test_a_server_that_never_started_stops_quietly():
    await HttpServer(Address("127.0.0.1", 0), []).stop()
