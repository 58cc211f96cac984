"""The client: one answer or one error, whatever happens on the way, and the token goes nowhere else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bot.cli.client import connected
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, Unavailable

TOKEN = "csp_0123456789_" + 43 * "a"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("COUNTERSIGN_URL", raising=False)
    monkeypatch.setenv("COUNTERSIGN_TOKEN", TOKEN)


def fault(status: int, code: str, sentence: str = "So it is.", **headers: str) -> web.Response:
    return web.json_response({"code": code, "sentence": sentence}, status=status, headers=headers)


async def test_a_wish_is_said_again_under_the_same_key_until_it_is_answered():
    keys = []

    async def handle(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) < 3:
            return fault(503, "unknown")
        return web.json_response({"ok": await request.json()}, status=201)

    async with serving(handle) as url, connected(url) as client:
        assert (await client.post("/v1/requests", {"a": 1})).body == {"ok": {"a": 1}}
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


async def test_whoever_stays_away_is_told_and_whoever_asks_for_patience_gets_it():
    asked = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/broken":
            return fault(500, "internal")
        return fault(503, "unavailable", "A moment.", **{"Retry-After": "1"})

    async with serving(handle) as url, connected(url) as client:
        with pytest.raises(Unavailable, match="A moment"):
            await client.get("/x", patient=False)
        assert len(asked) == 1
        with pytest.raises(Unavailable, match="So it is"):
            await client.get("/broken")  # as it would be the next time
        assert len(asked) == 2
    async with connected("http://127.0.0.1:1") as client:
        with pytest.raises(Unavailable, match=r"does not answer\. Is it running"):
            await client.get("/x", patient=False)


async def test_a_token_follows_no_redirect():
    seen = []

    async def other(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({})

    async with serving(other) as elsewhere:

        async def handle(_: web.Request) -> web.Response:
            raise web.HTTPFound(elsewhere)

        async with serving(handle) as url, connected(url) as client:
            with pytest.raises(Unavailable, match="does not answer as Countersign does"):
                await client.get("/x")
    assert seen == []


async def test_a_token_goes_unencrypted_to_no_other_computer():
    with pytest.raises(Invalid, match="unencrypted"):
        async with connected("http://countersign.example.com"):
            pass


async def test_a_token_that_is_refused_twice_is_not_shown_for_ever(monkeypatch: pytest.MonkeyPatch):
    asked = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return fault(401, "bad_token")

    async with serving(handle) as url, connected(url) as client:
        with pytest.raises(Forbidden):
            await client.get("/x")
    assert asked == [f"Bearer {TOKEN}"]


REFUSED: list[tuple[int, str, type[AccessError]]] = [
    (400, "invalid", Invalid),
    (403, "forbidden", Forbidden),
    (409, "conflict", Conflict),
    (413, "body_too_large", Invalid),
    (415, "wrong_type", Invalid),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSED)
async def test_what_it_refuses_is_told_without_what_moves_a_cursor(status: int, code: str, kind: type[AccessError]):
    async def handle(_: web.Request) -> web.Response:
        return fault(status, code, "No \x1b[31mway\u202e.")

    async with serving(handle) as url, connected(url) as client:
        with pytest.raises(kind) as refused:
            await client.get("/x")
    assert refused.value.sentence == "No [31mway."
    assert refused.value.detail == code


async def test_what_is_no_answer_of_ours_is_told_so():
    async def handle(request: web.Request) -> web.Response:
        return web.Response(
            text="<html>", status=200 if request.path == "/ok" else 502, content_type="application/json"
        )

    async with serving(handle) as url, connected(url) as client:
        with pytest.raises(Unavailable, match="does not answer as Countersign does"):
            await client.get("/ok")
        with pytest.raises(Unavailable, match="not ready"):
            await client.get("/x", patient=False)


async def test_the_time_is_the_servers():
    async def handle(_: web.Request) -> web.Response:
        return web.json_response({}, headers={"Countersign-Now": "5000000000000"})

    async with serving(handle) as url, connected(url) as client:
        await client.get("/x")
        assert 0 <= client.now_ms() - 5_000_000_000_000 < 60_000
