"""KeyServer: a key holder that is a process on another host, reached over TLS with both certificates pinned."""

import base64
import binascii
import ssl
from typing import Final

import aiohttp
from pydantic import TypeAdapter, ValidationError
from yarl import URL

from store.keys.holder import KEY_BYTES, MAX_WRAPPED_BYTES, UNKNOWN_ROSTER, Random, prove
from store.keys.identity import Identity
from store.model.errors import Invalid, Unavailable
from store.model.roster import Roster
from store.model.sealed import TAMPERED, tampered
from store.model.secret import Secret

PORT: Final = 8490
ANSWER_BYTES: Final = 64 * 1024
PIN_DIGITS: Final = 64
FINGERPRINT_DIGITS: Final = 32

_ANSWER: Final[TypeAdapter[dict[str, str]]] = TypeAdapter(dict[str, str])


class KeyServer:
    """`address` as in `https://keys-1.internal:8490#PIN`, where PIN is what the key server's console shows."""

    def __init__(self, address: str, identity: Identity, *, random: Random) -> None:
        self._url, self._pin = parse_address(address)
        self.name = f"{self._url.host}:{self._url.port}"
        self.fingerprint = self._pin[:FINGERPRINT_DIGITS]
        self._identity = identity
        self._random = random
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._roster: dict[str, str] = {}  # what is said of it with each key
        self._introduction: dict[str, str] = {}  # and with what it is told of it

    def meet(self, roster: Roster, wrapped: bytes, installation: str) -> None:
        self._roster = {"roster": f"{roster.number}:{roster.mac}"}
        self._introduction = {
            "installation": installation,
            "roster": roster.to_json(),
            "wrapped": base64.b64encode(wrapped).decode(),
        }

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        return await self._ask("wrap", "wrapped", context=context, key=key)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return await self._ask("unwrap", "key", context=context, wrapped=wrapped)

    async def challenge(self) -> None:
        await prove(self, Secret(self._random(KEY_BYTES)), b"challenge")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, what: str, field: str, **fields: bytes) -> bytes:
        body = {name: base64.b64encode(value).decode() for name, value in fields.items()} | self._roster
        try:
            status, answer = await self._post(what, body)
            if answer.get("code") == UNKNOWN_ROSTER and self._introduction:
                status, answer = await self._post("roster", self._introduction)
                if status == 200:
                    status, answer = await self._post(what, body)
        except aiohttp.ServerFingerprintMismatch:
            raise self._refused("shows another certificate than it was pinned to. Nothing was said to it.") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            why = type(error).__name__
            raise self._refused(f"does not answer ({why}), or does not know this Countersign.", "no_answer") from None
        if status == 200 and field in answer:
            return self._decoded(answer[field])
        if answer.get("code") == TAMPERED:
            raise tampered(f"A key that {self.name} is asked to {what}")
        code = answer.get("code", "holder_lies")
        raise self._refused(f"refuses ({status}): {answer.get('sentence', 'no reason given.')}", code)

    async def _post(self, what: str, body: dict[str, str]) -> tuple[int, dict[str, str]]:
        session = self._opened()
        async with session.post(self._url / "v1" / what, json=body, ssl=self._shown(), allow_redirects=False) as reply:
            raw = await reply.content.read(ANSWER_BYTES)
        try:
            return reply.status, _ANSWER.validate_json(raw)
        except ValidationError:
            return reply.status, {}

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The pin is looked at before the first byte of a request leaves.
            connector = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(bytes.fromhex(self._pin)))
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False, raise_for_status=False)
        return self._session

    def _shown(self) -> ssl.SSLContext:
        self._tls = self._tls or self._identity.calling()
        return self._tls

    def _decoded(self, text: str) -> bytes:
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self._refused("answers what cannot be read.", "holder_lies") from None
        if len(value) > MAX_WRAPPED_BYTES:
            raise self._refused("answers more than a wrapped key can be.", "holder_lies")
        return value

    def _refused(self, why: str, code: str = "key_server") -> Unavailable:
        return Unavailable(f"The key server {self.name} {why}", code=code)

    def __repr__(self) -> str:
        return f"KeyServer({self.name}, {self.fingerprint})"


def parse_address(text: str) -> tuple[URL, str]:
    """(its URL, the pin). Raises `Invalid`."""
    try:
        url = URL(text)
    except ValueError:
        raise _bad(text) from None
    pin = url.fragment.lower()
    plain = url.with_fragment(None)
    right = url.scheme == "https" and url.host and url.user is None and url.path == "/" and not url.query_string
    if not right or len(pin) != PIN_DIGITS or set(pin) - set("0123456789abcdef"):
        raise _bad(text)
    return (plain if url.explicit_port else plain.with_port(PORT)), pin


def _bad(text: str) -> Invalid:
    return Invalid(
        f"“{text[:100]}” is not a key server. Write its address with the pin its console shows, like "
        f"https://keys-1.internal:{PORT}#{'0123456789abcdef' * 4}."
    )
