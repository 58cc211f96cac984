"""Environments over HTTP: their values for whoever may read them, their names and versions for whoever may know."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.cli.client import UNTIL, Client
from bot.cli.reading.entry import Entry
from store.model.errors import Unavailable
from store.model.identity import Target
from store.model.secret import Secret

PATH: Final = "/v1/environments"


@dataclass(frozen=True, slots=True)
class Values:
    """`files`: content and mode. `until_ms`: when this access ends, by the server's clock."""

    target: str
    version: int
    values: Mapping[str, Secret]
    files: Mapping[str, tuple[Secret, int]]
    until_ms: int | None

    @property
    def all(self) -> list[Secret]:
        return [*self.values.values(), *(content for content, _ in self.files.values())]


class Environments:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def values(self, target: str) -> Values:
        """Raises `AccessError`."""
        answer = await self._client.get(f"{_path(target)}/secrets")
        values: dict[str, Secret] = {}
        files: dict[str, tuple[Secret, int]] = {}
        try:
            for entry in answer.body["entries"]:
                name, secret = str(entry["name"]), _secret(entry)
                if entry.get("mode") is not None:
                    files[name] = (secret, int(entry["mode"]))
                else:
                    values[name] = secret
            version = int(answer.body["version"])
        except (KeyError, TypeError, ValueError):
            raise self._strange() from None
        return Values(target, version, values, files, answer.number(UNTIL))

    async def listed(self) -> list[dict[str, Any]]:
        return await self._list(PATH, "environments")

    async def names(self, target: str) -> dict[str, Any]:
        return self._object((await self._client.get(_path(target))).body)

    async def versions(self, target: str, most: int) -> list[dict[str, Any]]:
        return await self._list(f"{_path(target)}/versions", "versions", limit=most)

    async def difference(self, target: str, first: int, to: int | None) -> dict[str, Any]:
        query = {"from": first, **({"to": to} if to is not None else {})}
        return self._object((await self._client.get(f"{_path(target)}/diff", query)).body)

    async def seal(self, target: str, entry: Entry, *, named: bool = True) -> tuple[str, int]:
        """Its reference, and until when it can be used. `named` False: it may become whatever it is pasted for."""
        body: dict[str, Any] = {**carried(entry)}
        if not named:
            body.pop("name")
        found = self._object((await self._client.post(f"{_path(target)}/blobs", body)).body)
        try:
            return str(found["reference"]), int(found["expires_ms"])
        except (KeyError, ValueError):
            raise self._strange() from None

    async def _list(self, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
        found = self._object((await self._client.get(path, query)).body).get(name)
        if not isinstance(found, list):
            raise self._strange()
        return found

    def _object(self, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise self._strange()
        return body

    def _strange(self) -> Unavailable:
        return Unavailable(f"{self._client.url} does not answer as Countersign does.", code="bad_answer")


def carried(entry: Entry) -> dict[str, Any]:
    """As the API takes it."""
    raw = entry.value.reveal()
    mode = {"mode": entry.mode} if entry.mode is not None else {}
    try:
        return {"name": entry.name, "value": raw.decode(), **mode}
    except UnicodeDecodeError:
        return {"name": entry.name, "base64": base64.b64encode(raw).decode(), **mode}


def environment(text: str) -> str:
    """Of `org/project/env` the server knows whether the organisation is its own. Raises `Invalid`."""
    from store.model.errors import Invalid

    if text.count("/") == 2:
        text = text.partition("/")[2]
    target = Target.parse(text)
    if target.kind != "environment":
        raise Invalid(f"{target} is not an environment: those look like payments/prod.", code="not_an_environment")
    return target.id


def _path(target: str) -> str:
    return f"{PATH}/{target}"


def _secret(entry: Mapping[str, Any]) -> Secret:
    """Raises `KeyError`, `ValueError`."""
    encoded = entry.get("base64")
    if encoded is not None:
        return Secret(base64.b64decode(str(encoded), validate=True))
    return Secret(str(entry["value"]).encode())
