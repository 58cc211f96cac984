"""Transit: a key holder that is a key of Vault's or OpenBao's transit engine."""

import asyncio
import base64
import binascii
import hashlib
import re
from pathlib import Path
from typing import Any, Final

import aiohttp
from pydantic import TypeAdapter, ValidationError
from yarl import URL

from store.keys.holder import KEY_BYTES, MAX_WRAPPED_BYTES, Random, prove
from store.model.errors import Invalid, Unavailable
from store.model.sealed import length_prefixed, tampered
from store.model.secret import Secret

ANSWER_BYTES: Final = 64 * 1024
TOKEN_BYTES: Final = 8 * 1024
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
# What the engine says of a blob or a context that is not right; all else is trouble of another kind.
UNTRUSTED: Final = ("message authentication failed", "invalid ciphertext", "invalid key version", "illegal base64")

_WRAPPED: Final = re.compile(rb"vault:v[0-9]{1,9}:[A-Za-z0-9+/]+={0,2}")
_PATH: Final = re.compile(r"/(?P<mount>[A-Za-z0-9_][A-Za-z0-9_/-]*)/(?P<key>[A-Za-z0-9_][A-Za-z0-9_.-]*)")
_ANSWER: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(dict[str, Any])


class Transit:
    """`address` as in `transit+https://vault.internal:8200/transit/countersign`: the engine's mount, then its key.

    The token is read from its file at each use, as whatever renews it leaves it there. It needs `update` on `encrypt/KEY` and `decrypt/KEY`, and nothing
    else: with `create` the engine would make a key that is gone anew, under the same name.
    """

    def __init__(self, address: str, token: Path, *, random: Random, namespace: str = "") -> None:
        self._url, self._mount, self._key = parse_address(address)
        self.name = f"{self._url.host}:{self._url.port}/{self._mount}/{self._key}"
        place = length_prefixed("countersign/transit/1", str(self._url), namespace, self._mount, self._key)
        self.fingerprint = hashlib.sha256(place).hexdigest()[:32]
        self._token = token
        self._random = random
        self._namespace = namespace
        self._session: aiohttp.ClientSession | None = None

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        answer = await self._ask("encrypt", plaintext=_text(key), associated_data=_text(context))
        wrapped = str(answer.get("ciphertext", "")).encode()
        if not _WRAPPED.fullmatch(wrapped) or len(wrapped) > MAX_WRAPPED_BYTES:
            raise self._refused("answers what is not a wrapped key.", "holder_lies")
        return wrapped

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        if not _WRAPPED.fullmatch(wrapped):
            raise tampered(f"A key that {self.name} is asked to unwrap")
        answer = await self._ask("decrypt", ciphertext=wrapped.decode(), associated_data=_text(context))
        try:
            key = base64.b64decode(str(answer.get("plaintext", "")), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise self._refused("answers what is not a key.", "holder_lies")
        return key

    async def challenge(self) -> None:
        await prove(self, Secret(self._random(KEY_BYTES)), b"challenge")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, what: str, **body: str) -> dict[str, Any]:
        url = self._url / "v1" / self._mount / what / self._key
        headers = {"X-Vault-Token": await asyncio.to_thread(self._read_token), "X-Vault-Request": "true"}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False, raise_for_status=False)
        try:
            async with self._session.post(url, json=body, headers=headers, allow_redirects=False) as reply:
                status, raw = reply.status, await reply.content.read(ANSWER_BYTES)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._refused(f"does not answer ({type(error).__name__}).", "no_answer") from None
        try:
            answer = _ANSWER.validate_json(raw)
        except ValidationError:
            answer = {}
        if status == 200 and isinstance(answer.get("data"), dict):
            data: dict[str, Any] = answer["data"]
            return data
        raise self._told(what, status, answer)

    def _told(self, what: str, status: int, answer: dict[str, Any]) -> Unavailable:
        said = [str(each) for each in answer.get("errors", ())] if isinstance(answer.get("errors"), list) else []
        if status == 400 and what == "decrypt" and any(word in line for line in said for word in UNTRUSTED):
            return tampered(f"A key that {self.name} is asked to unwrap")
        match status:
            case 403:
                return self._refused(
                    "refuses the token. Renew it, and let it use encrypt and decrypt of this key.", "token"
                )
            case 404:
                return self._refused("has no such engine. Look at the mount in its address.", "transit")
            case 429 | 472 | 473:
                return self._refused("is a standby. Give the address of the one that is active.", "standby")
            case 503:
                return self._refused("is sealed or in maintenance.", "sealed")
            case _:
                because = f": {said[0][:200]}" if said else ""
                return self._refused(f"refuses ({status}){because}.", "transit")

    def _read_token(self) -> str:
        try:
            with self._token.open("rb") as file:
                token = file.read(TOKEN_BYTES).strip()
        except OSError as error:
            raise self._refused(
                f"needs a token, and {self._token} cannot be read ({error.strerror}).", "token"
            ) from None
        if not token or not token.isascii() or not token.decode().isprintable():
            raise self._refused(f"needs a token, and {self._token} holds none.", "token")
        return token.decode()

    def _refused(self, why: str, code: str) -> Unavailable:
        return Unavailable(f"The key holder {self.name} {why}", code=code)

    def __repr__(self) -> str:
        return f"Transit({self.name}, {self.fingerprint})"


def parse_address(address: str) -> tuple[URL, str, str]:
    """(where, the mount, the key). Raises `Invalid`."""
    try:
        url = URL(address.removeprefix("transit+"))
    except ValueError:
        raise _bad(address) from None
    path = _PATH.fullmatch(url.path)
    secure = url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK)
    if (
        not address.startswith("transit+")
        or path is None
        or not (secure and url.host)
        or url.user
        or url.query
        or url.fragment
    ):
        raise _bad(address)
    return url.origin(), path["mount"], path["key"]


def _bad(address: str) -> Invalid:
    return Invalid(
        f"“{address[:100]}” is not a key of a transit engine. Write its address, its mount and its name, like "
        "transit+https://vault.internal:8200/transit/countersign."
    )


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
