"""The one HTTP client for the outside: it goes only where it may, waits and reads only so long."""

import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from scheduler.connectors.addresses import Address, Allowed, parse_address, public
from scheduler.connectors.contract import Refused
from store.model.errors import AccessError, Invalid, Unavailable
from store.model.identity import shown

TOTAL_MS: Final = 10_000  # from the name's look-up to the last byte
ANSWER_BYTES: Final = 64 * 1024
URLS_KEPT: Final = 512
URL_LENGTH: Final = 2_000
NAME_LENGTH: Final = 253
SOCKETS_PER_HOST: Final = 10  # one slow receiver holds no more than these
RETRY_AFTER_MOST: Final = timedelta(days=1)  # a receiver may ask for a pause, not for oblivion
LOOPBACK: Final = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_WRITTEN: Final = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+", re.ASCII | re.IGNORECASE)  # what RFC 3986 lets stand bare
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)  # a last label like this makes the host a number

Fault = Literal["too_large", "broken_off"]


class Answer(NamedTuple):
    """`headers` have lower-case names, the last of several. `fault`: why `body` is not the whole of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    fault: Fault | None = None

    def retry_after_ms(self, now: datetime | None = None) -> int | None:
        """How long we were asked to wait, a day at most. A date counts from the answer's own clock, else from `now`."""
        return retry_after_ms(self.headers.get("retry-after"), _http_date(self.headers.get("date")) or now)


class _DeniedError(OSError):
    """Raised where a socket would be made. An OSError, so that a name's other addresses still get their turn."""


class Outgoing:
    """Make it anywhere, use it in one event loop, close it there.

    `allow`: what may be reached although it is not public, see `Allowed.parse`; only there is plain http allowed, too.
    `tls`: where certificates of the owner's own authority are to be trusted.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
        total_ms: int = TOTAL_MS,
    ) -> None:
        self._allowed = Allowed.parse(allow)
        self._tls = tls
        self._resolver = resolver
        self._timeout = aiohttp.ClientTimeout(total=total_ms / 1000)
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._urls: dict[str, URL] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()

    def check_url(self, url: str) -> None:
        """Raises `Invalid` for what can be known without asking a name server; the socket checks the rest."""
        self._parse(url)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NOTHING,
        body: bytes | None = None,
        most: int = ANSWER_BYTES,
    ) -> Answer:
        """Any status is an answer, a redirect too. `most`: bytes of the answer that are read.

        Raises `Invalid` for the URL, `Refused` for a denied address, `Unavailable` for everything that may pass: with
        `code` "timeout" or "broken_off" the request may have had its effect.
        """
        where = self._known(url)
        try:
            return await self._exchange(method, where, headers, body, most)
        except (aiohttp.ClientError, OSError) as fault:
            # Without the cause: aiohttp's errors carry the request, and it carries credentials.
            raise self._said(shown(where.host or ""), fault) from None

    def _said(self, host: str, fault: Exception) -> AccessError:
        match fault:
            case TimeoutError():
                return Unavailable(f"{host} did not answer within {self._timeout.total:g} seconds.", code="timeout")
            case aiohttp.ClientConnectorDNSError():
                return Unavailable(f"The name {host} could not be looked up.", code="dns")
            case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
                return Unavailable(f"{host} did not show a certificate that we trust.", code="tls")
            case aiohttp.ClientSSLError() | ssl.SSLError():
                return Unavailable(f"{host} and we could not agree on a secure connection.", code="tls")
            case aiohttp.ClientConnectorError(os_error=_DeniedError()):
                return Refused(
                    f"{host} stands for an address inside, where nothing is sent unless the owner allows it.",
                    code="address_denied",
                )
            case aiohttp.ClientConnectorError():
                return Unavailable(f"{host} could not be reached.", code="unreachable")
            case _:
                return Unavailable(f"{host} broke off the conversation.", code="broken_off")

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, most: int
    ) -> Answer:
        session = self._session(url.scheme)
        async with session.request(method, url, headers=headers, data=body, allow_redirects=False) as response:
            received = bytearray()
            fault: Fault | None
            try:
                while len(received) <= most and (chunk := await response.content.readany()):
                    received += chunk
                fault = "too_large" if len(received) > most else None
            except (aiohttp.ClientError, OSError):  # the status is known, and worth more than the rest
                fault = "broken_off"
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, MappingProxyType(names), bytes(received[:most]), fault)

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        """One for each scheme: a socket does not know whether it will be encrypted, so plain ones get another door."""
        if scheme not in self._sessions:
            self._sessions[scheme] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    socket_factory=self._encrypted if scheme == "https" else self._plain,
                    ssl=self._tls or True,
                    resolver=self._resolver,
                    use_dns_cache=False,
                    limit=0,
                    limit_per_host=SOCKETS_PER_HOST,
                ),
                timeout=self._timeout,
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "countersign", "Accept-Encoding": "identity"},
            )
        return self._sessions[scheme]

    def _encrypted(self, info: aiohttp.AddrInfoType) -> socket.socket:
        return self._socket(info, anywhere_public=True)

    def _plain(self, info: aiohttp.AddrInfoType) -> socket.socket:
        return self._socket(info, anywhere_public=False)

    def _socket(self, info: aiohttp.AddrInfoType, *, anywhere_public: bool) -> socket.socket:
        """The last place before the wire: aiohttp asks no resolver about literals, but nothing connects without this."""
        family, kind, protocol, _, sockaddr = info
        address = parse_address(str(sockaddr[0]))
        may = address is not None and ((anywhere_public and public(address)) or (address, sockaddr[1]) in self._allowed)
        if not may:
            raise _DeniedError("denied")
        return socket.socket(family, kind, protocol)

    def _known(self, url: str) -> URL:
        """Read once: the same few are reached again and again, and what may be reached does not change here."""
        if url not in self._urls:
            while len(self._urls) >= URLS_KEPT:
                del self._urls[next(iter(self._urls))]
            self._urls[url] = self._parse(url)
        return self._urls[url]

    def _parse(self, url: str) -> URL:
        """The very object that is connected to, so that no second parser can read it differently."""
        if len(url) > URL_LENGTH or not _WRITTEN.fullmatch(url):
            raise Invalid(
                "That is not a URL we can use. It begins with https://, has no spaces, and everything unusual in it is "
                f"percent-encoded; it is at most {URL_LENGTH} characters long.",
                code="bad_url",
            )
        authority = re.split(r"[/?#]", url.split("://", 1)[1], maxsplit=1)[0]
        if "@" in authority:
            raise Invalid("A URL must not hold a user name or a password.", code="bad_url")
        try:
            parsed = URL(url)
        except ValueError:
            parsed = URL()
        host, port = parsed.raw_host or "", parsed.port or 0
        literal = parse_address(host)
        if port == 0 or (literal is None and ("[" in authority or not _is_name(host))):
            raise Invalid(
                f"{shown(authority)} is neither the name of a host nor an address in its usual form.", code="bad_url"
            )
        inside, allowed = self._judge(literal, host.rstrip("."), port)
        if inside and not allowed:
            raise Invalid(
                f"{shown(host)} is an address inside, where nothing is sent unless the owner allows it.",
                code="address_denied",
            )
        if parsed.scheme == "http" and not allowed:
            raise Invalid(
                "Only https is allowed, except towards addresses inside that the owner allows.", code="not_https"
            )
        return parsed

    def _judge(self, literal: Address | None, name: str, port: int) -> tuple[bool, bool]:
        """Is this certainly inside, and may it be allowed? Of most names only the look-up can tell."""
        if literal is not None:
            return not public(literal), (literal, port) in self._allowed
        if name == "localhost" or name.endswith(".localhost"):
            return True, any((loopback, port) in self._allowed for loopback in LOOPBACK)
        return False, bool(self._allowed)


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    return len(host) <= NAME_LENGTH and all(map(_LABEL.fullmatch, labels)) and not _NUMBER.fullmatch(labels[-1])


def retry_after_ms(value: str | None, now: datetime | None) -> int | None:
    """Reads `Retry-After`: seconds, or an HTTP date counted from `now`. None where it says nothing usable."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal():
        pause = timedelta(seconds=min(int(value[:9]), 10**6))
    else:
        until = _http_date(value)
        if until is None or now is None:
            return None
        pause = max(until - now, timedelta())
    return min(pause, RETRY_AFTER_MOST) // timedelta(milliseconds=1)


def _http_date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else None
