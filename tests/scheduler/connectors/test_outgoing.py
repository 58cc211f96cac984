import asyncio
import gzip
import socket
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from scheduler.connectors.contract import Refused
from scheduler.connectors.hook import deliver, seal
from scheduler.connectors.outgoing import ANSWER_BYTES, Answer, Outgoing, retry_after_ms
from store.model.errors import AccessError, Invalid, Unavailable
from store.model.secret import Secret
from tests.scheduler.connectors.conftest import Certificate, Serve

PORT = "{port}"
NOW_MS = 1_767_225_600_000

# Every way somebody has tried to write "this machine", or a neighbour, or the metadata service. {port}: a listener that must see nothing.
FORBIDDEN_URLS = [
    # loopback and its spellings
    "https://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/hook?x=1#f",
    "https://127.1:{port}/",
    "https://127.0.1:{port}/",
    "https://127.255.255.254:{port}/",
    "https://2130706433:{port}/",
    "https://017700000001:{port}/",
    "https://0x7f000001:{port}/",
    "https://0x7f.0.0.1:{port}/",
    "https://0x7f.1:{port}/",
    "https://0X7F.0X0.0X0.0X1:{port}/",
    "https://0177.0.0.1:{port}/",
    "https://0177.0.0.01:{port}/",
    "https://127.0.0.01:{port}/",
    "https://127.000.000.001:{port}/",
    "https://127.0.0.1.:{port}/",
    "https://127.0.0.0x1:{port}/",
    "https://256.256.256.256:{port}/",
    "https://4294967296:{port}/",
    "https://0:{port}/",
    "https://0.0.0.0:{port}/",
    "https://localhost:{port}/",
    "https://LOCALHOST:{port}/",
    "https://localhost.:{port}/",
    "https://a.localhost:{port}/",
    "https://１２７.0.0.1:{port}/",
    "https://①②⑦.⓪.⓪.①:{port}/",
    "https://127。0。0。1:{port}/",
    "https://ⓛocalhost:{port}/",
    "https://%6c%6f%63alhost:{port}/",
    "https://127.0.0.1%2f@example.com:{port}/",
    "https://127%2e0%2e0%2e1:{port}/",
    # IPv6
    "https://[::1]:{port}/",
    "https://[0:0:0:0:0:0:0:1]:{port}/",
    "https://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/",
    "https://[::]:{port}/",
    "https://[::127.0.0.1]:{port}/",
    "https://[::7f00:1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "https://[::FFFF:7F00:0001]:{port}/",
    "https://[::ffff:0:127.0.0.1]:{port}/",
    "https://[::1%25lo]:{port}/",
    "https://[::1%lo]:{port}/",
    "https://[fe80::1%25eth0]:{port}/",
    "https://[fe80::1]:{port}/",
    "https://[2606:4700::1111%25lo]:{port}/",
    "https://[64:ff9b::127.0.0.1]:{port}/",
    "https://[64:ff9b::a9fe:a9fe]:{port}/",
    "https://[64:ff9b:1::7f00:1]:{port}/",
    "https://[2002:7f00:1::]:{port}/",
    "https://[2001:0:7f00:1::1]:{port}/",
    "https://[fc00::1]:{port}/",
    "https://[fd00:ec2::254]:{port}/",
    "https://[ff02::1]:{port}/",
    "https://[127.0.0.1]:{port}/",
    "https://[v1.127]:{port}/",
    "https://[::1:{port}/",
    "https://[localhost]:{port}/",
    "https://[example.com]:{port}/",
    "https://[v1.example]:{port}/",
    # neighbours
    "https://10.0.0.1:{port}/",
    "https://172.16.0.1:{port}/",
    "https://192.168.0.1:{port}/",
    "https://100.64.0.1:{port}/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://169.254.43518/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    # who, how, where
    "http://127.0.0.1:{port}/",
    "http://example.com:{port}/",
    "http://93.184.216.34:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "unix:///var/run/docker.sock",
    "gopher://127.0.0.1:{port}/_x",
    "ws://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "https:127.0.0.1:{port}",
    "https:/127.0.0.1:{port}/",
    "https:///127.0.0.1:{port}/",
    "https://:{port}/",
    "https://",
    "",
    "https://user@127.0.0.1:{port}/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://example.com@127.0.0.1:{port}/",
    "https://example.com:443@127.0.0.1:{port}/",
    "https://example.com%40127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@example.com/",
    "https:\\\\127.0.0.1:{port}/",
    "https://example.com\\.127.0.0.1:{port}/",
    "https://127.0.0.1:{port}#@example.com/",
    "https://127.0.0.1:{port}?@example.com/",
    "https://127.0.0.1:{port};@example.com/",
    "https://127.0.0.1 .example.com:{port}/",
    "https://127.0.0.1\t:{port}/",
    " https://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/\r\nHost: x",
    "https://127.0.0.1\x00.example.com:{port}/",
    "https://exam\u202eple.com/",
    "https://ex\u00admple.com/",
    "https://a..b/",
    "https://.example.com/",
    "https://example.com../",
    "https://-x.example.com/",
    "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 130 + "com/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:8x/",
    "https://example.com/" + "a" * 2000,
]


class Names(AbstractResolver):
    """A name server that says what it is told to say; the last answer of a name stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): deque(turns) for name, turns in answers.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        turns = self.answers.get(host)
        if not turns:
            raise OSError(None, "no such name")
        addresses = turns.popleft() if len(turns) > 1 else turns[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None: ...


class Listener:
    """A port of both loopback addresses that keeps who knocks."""

    def __init__(self) -> None:
        self.sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self.sockets[0].getsockname()[1]
        if socket.has_dualstack_ipv6():
            self.sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for each in self.sockets:
            each.setblocking(False)

    def knocks(self) -> int:
        seen = 0
        for each in self.sockets:
            try:
                while True:
                    each.accept()[0].close()
                    seen += 1
            except BlockingIOError:
                continue
        return seen


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    for each in listener.sockets:
        each.close()


async def ok(_: web.Request) -> web.Response:
    return web.Response(text="fine")


def test_the_table_of_urls_is_long() -> None:
    assert len(set(FORBIDDEN_URLS)) == len(FORBIDDEN_URLS) >= 60


@pytest.mark.parametrize("form", FORBIDDEN_URLS)
async def test_no_form_of_url_reaches_inside(form: str, listener: Listener, connections: list[tuple[str, int]]) -> None:
    url = form.replace("{port}", str(listener.port))
    async with Outgoing(total_ms=3_000) as outgoing:
        with pytest.raises(Invalid):
            outgoing.check_url(url)
        with pytest.raises(AccessError) as refusal:
            await outgoing.request("GET", url)
    assert connections == []
    assert listener.knocks() == 0
    assert "password" not in refusal.value.sentence.replace("or a password", "")


@pytest.mark.parametrize("form", FORBIDDEN_URLS)
async def test_a_hook_of_no_form_of_url_reaches_inside(
    form: str, listener: Listener, connections: list[tuple[str, int]]
) -> None:
    """And it is given up at once: no waiting makes such a URL another one."""
    async with Outgoing(total_ms=3_000) as outgoing:
        letter = seal(Secret(b"whsec_" + b"A" * 32), "msg_1", NOW_MS, b"{}")
        receipt = await deliver(outgoing, form.replace("{port}", str(listener.port)), letter, now_ms=NOW_MS)
    assert (receipt.outcome, receipt.status, receipt.sent) == ("refused", None, False)
    assert connections == []
    assert listener.knocks() == 0


async def test_the_listener_and_the_eye_do_see_a_connection_that_is_made(
    listener: Listener, connections: list[tuple[str, int]]
) -> None:
    async with Outgoing(allow=[f"127.0.0.1:{listener.port}"], total_ms=300) as outgoing:
        with pytest.raises(Unavailable, match="did not answer"):
            await outgoing.request("GET", f"http://127.0.0.1:{listener.port}/")
    assert connections == [("127.0.0.1", listener.port)]
    assert listener.knocks() == 1


@pytest.mark.parametrize("form", FORBIDDEN_URLS[:32])
async def test_the_socket_refuses_loopback_even_where_the_url_was_not_understood(
    form: str, listener: Listener, connections: list[tuple[str, int]]
) -> None:
    """Past our own parser, straight to aiohttp: whatever it makes of the URL, the factory stands before the wire."""
    outgoing = Outgoing()
    session = outgoing._session("https")
    try:
        with pytest.raises((OSError, ValueError)):
            await session.get(form.replace("{port}", str(listener.port)), ssl=False)
    finally:
        await outgoing.close()
    assert connections == []
    assert listener.knocks() == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["127.0.0.1", "::1"],
        ["127.0.0.1", "10.0.0.1", "192.168.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["169.254.169.254"],
        ["fe80::1%lo"],
        ["127.1"],
        ["localhost"],
    ],
)
async def test_a_name_that_points_inside_is_refused(
    addresses: list[str], listener: Listener, connections: list[tuple[str, int]]
) -> None:
    names = Names(evil_test=[addresses])
    async with Outgoing(resolver=names, total_ms=3_000) as outgoing:
        outgoing.check_url(f"https://evil.test:{listener.port}/")
        with pytest.raises(Refused, match="stands for an address inside") as refusal:
            await outgoing.request("GET", f"https://evil.test:{listener.port}/")
    assert refusal.value.detail == "address_denied"
    assert connections == []
    assert listener.knocks() == 0


async def test_a_name_that_moves_inside_between_two_requests_is_refused(
    serve: Serve, certificate: Certificate, connections: list[tuple[str, int]]
) -> None:
    async def once(_: web.Request) -> web.Response:
        return web.Response(headers={"Connection": "close"})

    port = int((await serve(once, tls=certificate.server)).rpartition(":")[2])
    names = Names(receiver_test=[["127.0.0.1"], ["127.0.0.2"]])
    async with Outgoing(allow=[f"127.0.0.1:{port}"], tls=certificate.client, resolver=names) as outgoing:
        assert (await outgoing.request("GET", f"https://receiver.test:{port}/")).status == 200
        with pytest.raises(Refused):
            await outgoing.request("GET", f"https://receiver.test:{port}/")
    assert connections == [("127.0.0.1", port)]


async def test_a_name_with_one_address_inside_is_reached_by_the_other(
    serve: Serve, certificate: Certificate, connections: list[tuple[str, int]]
) -> None:
    port = int((await serve(ok, tls=certificate.server)).rpartition(":")[2])
    names = Names(receiver_test=[["127.0.0.9", "127.0.0.1"]])
    async with Outgoing(allow=[f"127.0.0.1:{port}"], tls=certificate.client, resolver=names) as outgoing:
        assert (await outgoing.request("GET", f"https://receiver.test:{port}/")).status == 200
    assert connections == [("127.0.0.1", port)]


async def test_plain_http_goes_only_to_what_is_allowed_even_by_a_name(connections: list[tuple[str, int]]) -> None:
    names = Names(out_test=[["93.184.216.34"]])
    async with Outgoing(allow=["10.0.0.0/8"], resolver=names) as outgoing:
        outgoing.check_url("http://out.test/")  # only the look-up can tell
        with pytest.raises(Refused):
            await outgoing.request("GET", "http://out.test/")
    assert connections == []


@pytest.mark.parametrize(
    "url",
    [
        "https://deploy.example.com/hooks/payments-api",
        "https://deploy.example.com:8443/hooks?a=%22b%22",
        "https://deploy.example.com.:22/",
        "https://xn--bcher-kva.example/",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
        "https://[64:ff9b::808:808]/",
        "https://a_b.example/",
        "https://123.example/",
        "HTTPS://EXAMPLE.COM/",
    ],
)
def test_a_url_of_the_outside_is_fine(url: str) -> None:
    Outgoing().check_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8484/", "http://localhost:8484/", "https://10.1.2.3/", "http://api.internal:8080/"]
)
def test_what_the_owner_allows_is_fine(url: str) -> None:
    Outgoing(allow=["127.0.0.1:8484", "10.1.0.0/16"]).check_url(url)


async def test_a_redirect_is_an_answer_and_not_followed(serve: Serve) -> None:
    asked: list[str] = []

    async def move(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    url = await serve(move)
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        assert (await outgoing.request("GET", f"{url}/start")).status == 302
    assert asked == ["/start"]


async def test_a_proxy_of_the_environment_is_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxied: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        proxied.append(str(request.url))
        return web.Response()

    there, detour = await serve(ok), await serve(proxy)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, detour)
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        assert (await outgoing.request("GET", there)).body == b"fine"
    assert proxied == []


@pytest.mark.parametrize("length", [ANSWER_BYTES - 1, ANSWER_BYTES, ANSWER_BYTES + 1, 40 * ANSWER_BYTES])
async def test_64_kib_are_read_and_no_more(serve: Serve, length: int) -> None:
    async def much(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * length)

    url = await serve(much)
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        answer = await outgoing.request("GET", url)
    assert len(answer.body) == min(length, ANSWER_BYTES)
    assert answer.fault == ("too_large" if length > ANSWER_BYTES else None)


async def test_an_endless_answer_is_left_after_64_kib(serve: Serve) -> None:
    gone = asyncio.Event()

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            gone.set()

    url = await serve(pour)
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        answer = await outgoing.request("GET", url)
        assert (answer.status, answer.fault, len(answer.body)) == (200, "too_large", ANSWER_BYTES)
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_compressed_bomb_stays_compressed(serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    asked: list[str | None] = []

    async def explode(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Accept-Encoding"))
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    url = await serve(explode)
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        answer = await outgoing.request("GET", url)
    assert asked == ["identity"]
    assert answer.body == bomb


async def test_silence_ends_after_the_total_time(serve: Serve) -> None:
    async def sleep(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    url = await serve(sleep)
    async with Outgoing(allow=["127.0.0.0/8"], total_ms=200) as outgoing:
        with pytest.raises(Unavailable, match="did not answer") as silence:
            await outgoing.request("GET", url)
    assert silence.value.detail == "timeout"


async def test_an_answer_that_drips_keeps_its_status(serve: Serve) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"slow")
        await asyncio.Event().wait()
        return response

    url = await serve(drip)
    async with Outgoing(allow=["127.0.0.0/8"], total_ms=300) as outgoing:
        answer = await outgoing.request("GET", url)
    assert (answer.status, answer.body, answer.fault) == (200, b"slow", "broken_off")


async def test_a_stranger_s_certificate_is_not_trusted(serve: Serve, certificate: Certificate) -> None:
    url = await serve(ok, tls=certificate.server)
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        with pytest.raises(Unavailable, match="did not show a certificate that we trust") as fault:
            await outgoing.request("GET", url)
    assert fault.value.detail == "tls"


async def test_a_certificate_for_another_name_is_not_trusted(serve: Serve, certificate: Certificate) -> None:
    port = (await serve(ok, tls=certificate.server)).rpartition(":")[2]
    names = Names(other_test=[["127.0.0.1"]])
    async with Outgoing(allow=["127.0.0.0/8"], tls=certificate.client, resolver=names) as outgoing:
        with pytest.raises(Unavailable, match="did not show a certificate that we trust"):
            await outgoing.request("GET", f"https://other.test:{port}/")


async def test_plain_text_where_tls_was_expected_is_said_so(serve: Serve) -> None:
    url = (await serve(ok)).replace("http://", "https://")
    async with Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        with pytest.raises(Unavailable, match="secure connection"):
            await outgoing.request("GET", url)


async def test_a_closed_port_and_an_unknown_name_are_said_so(listener: Listener) -> None:
    for each in listener.sockets:
        each.close()
    async with Outgoing(allow=["127.0.0.0/8"], resolver=Names()) as outgoing:
        with pytest.raises(Unavailable, match="could not be reached"):
            await outgoing.request("GET", f"http://127.0.0.1:{listener.port}/")
        with pytest.raises(Unavailable, match="could not be looked up"):
            await outgoing.request("GET", "https://nowhere.test/")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\x00\x01\x02",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5_000,
    ],
)
async def test_what_does_not_speak_http_breaks_off(nonsense: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(nonsense)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server, Outgoing(allow=["127.0.0.0/8"]) as outgoing:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match="broke off") as fault:
            await outgoing.request(
                "POST", f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer canary"}, body=b"canary"
            )
    assert "canary" not in repr(fault.value) + fault.value.sentence
    assert fault.value.__suppress_context__


async def test_no_cookie_is_kept(serve: Serve) -> None:
    cookies: list[str | None] = []

    async def bake(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b"})

    url = (await serve(bake)).replace("127.0.0.1", "localhost")
    async with Outgoing(allow=["127.0.0.0/8", "::1/128"]) as outgoing:
        for _ in range(2):
            await outgoing.request("GET", url)
    assert cookies == [None, None]


NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "now", "expected"),
    [
        (None, NOW, None),
        ("120", None, 120_000),
        ("0", None, 0),
        ("-5", NOW, None),
        ("1.5", NOW, None),
        ("", NOW, None),
        ("soon", NOW, None),
        ("٣", NOW, None),
        ("9" * 400, None, 86_400_000),
        ("86401", None, 86_400_000),
        ("Sun, 01 Mar 2026 12:00:30 GMT", NOW, 30_000),
        ("Sun, 01 Mar 2026 11:00:00 GMT", NOW, 0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", None, None),
        ("Fri, 01 Jan 2100 00:00:00 GMT", NOW, 86_400_000),
        ("Sun, 99 Mar 2026 12:00:30 GMT", NOW, None),
        ("Sun, 01 Mar 99999999999 12:00:30 GMT", NOW, None),
    ],
)
def test_retry_after_is_read(value: str | None, now: datetime | None, expected: int | None) -> None:
    assert retry_after_ms(value, now) == expected


def test_a_date_is_counted_from_the_answer_s_own_clock() -> None:
    headers = {"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": "Sun, 01 Mar 2026 12:00:10 GMT"}
    assert Answer(429, headers, b"").retry_after_ms() == 20_000
    assert Answer(429, headers, b"").retry_after_ms(NOW) == 20_000
