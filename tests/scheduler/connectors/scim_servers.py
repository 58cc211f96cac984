"""SCIM servers for tests: the real one of the package scim2-server, and one of our own that can be made to lie."""

import asyncio
import copy
import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from aiohttp import web
from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication

from playground.scim import description

TOKEN: Final = "canary-token-5f1d"
Json = dict[str, Any]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


class RealScim:
    """scim2-server on a loopback port, in a thread."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/v2"

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
        connection.request(method, f"/v2{path}", json.dumps(body) if body else None, headers)
        with connection.getresponse() as response:
            text = response.read()
        connection.close()
        assert response.status < 300, text
        answer: Json = json.loads(text) if text else {}
        return answer

    def user(self, user_name: str, *emails: str, active: bool = True) -> str:
        record = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": user_name,
            "active": active,
            "emails": [{"value": email, "primary": place == 0} for place, email in enumerate(emails)],
        }
        return str(self.call("POST", "/Users", record)["id"])

    def group(self, name: str, *members: str) -> str:
        record = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name,
            "members": [{"value": each} for each in members],
        }
        return str(self.call("POST", "/Groups", record)["id"])

    def rename(self, user_id: str, user_name: str) -> None:
        record = self.call("GET", f"/Users/{user_id}")
        self.call("PUT", f"/Users/{user_id}", record | {"userName": user_name})

    def members_of(self, group_id: str) -> set[str]:
        return {member["value"] for member in self.call("GET", f"/Groups/{group_id}").get("members", [])}


@contextmanager
def real_scim() -> Iterator[RealScim]:
    app = BearerTokenApplication(InMemoryStorage(), description(), bearer_tokens=[TOKEN])
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield RealScim(server.server_port)
        server.shutdown()
        thread.join()


class FakeScim:
    """An honest server, as far as our connector can tell. Subclasses lie by overriding `apply`, `shown` or `handle`."""

    etags = True

    def __init__(self) -> None:
        self.users: dict[str, Json] = {}
        self.members: list[str] = []
        self.version = 1
        self.patches = 0
        self.asked: list[str] = []
        for name in ("ana", "ben", "cleo", "dan"):
            self.users[f"u-{name}"] = {"id": f"u-{name}", "userName": f"{name}@example.com"}

    def apply(self, operation: Json) -> None:
        match operation:
            case {"op": "add", "path": "members", "value": list(added)}:
                new = [each["value"] for each in added if each["value"] not in self.members]
                self.members = self.members + new
            case {"op": "remove", "path": str(path)} if match := re.fullmatch(r'members\[value eq "([^"]+)"\]', path):
                self.members = [each for each in self.members if each != match[1]]
            case _:
                raise web.HTTPBadRequest(text="what a real server would do to everybody")

    def shown(self) -> tuple[list[str], int]:
        return self.members, self.version

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.error(401)
        if request.headers.get("Cache-Control") != "no-cache":
            return self.error(400)  # a cache in between would answer for us
        path = request.path.removeprefix("/scim/v2")
        if path == "/Groups":
            return self.listing(
                request,
                [{"id": "g-0", "displayName": "all"}, {"id": "g-1", "displayName": "aws-admins"}],
                ("displayName",),
            )
        if path == "/Users":
            return self.listing(request, list(self.users.values()), ("userName", "emails.value"))
        if path.startswith("/Users/"):
            user = self.users.get(path.removeprefix("/Users/"))
            return self.error(404) if user is None else self.answer(user)
        if path != "/Groups/g-1":
            return self.error(404)
        if request.method == "PATCH":
            return await self.patch(request)
        members, version = self.shown()
        record = {"id": "g-1", "displayName": "aws-admins", "members": [{"value": each} for each in members]}
        return self.answer(record, version)

    async def patch(self, request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/scim+json"
        self.patches += 1
        tag = request.headers.get("If-Match")
        if self.etags and tag != f'W/"{self.version}"':
            return self.error(412)
        body = await request.json()
        assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        before = list(self.members)
        for operation in body["Operations"]:
            self.apply(operation)
        if self.members != before:
            self.version += 1
        return web.Response(status=204, headers=self.tag(self.version))

    def listing(self, request: web.Request, records: list[Json], attributes: tuple[str, ...]) -> web.Response:
        if expression := request.query.get("filter"):
            attribute, _, value = expression.partition(" eq ")
            if attribute not in attributes:
                return self.error(400)
            wanted = json.loads(value).lower()
            records = [record for record in records if wanted in _spoken(record, attribute)]
        start, count = int(request.query.get("startIndex", "1")), int(request.query.get("count", "100"))
        page = records[start - 1 : start - 1 + count]
        return self.answer({"totalResults": len(records), "startIndex": start, "Resources": page})

    def tag(self, version: int | None) -> dict[str, str]:
        return {"ETag": f'W/"{version}"'} if self.etags and version is not None else {}

    def answer(self, record: Json, version: int | None = None) -> web.Response:
        text = json.dumps(record)
        return web.Response(text=text, content_type="application/scim+json", headers=self.tag(version))

    def error(self, status: int, **headers: str) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=f'{{"detail": "about {TOKEN}"}}', headers=named)


def _spoken(record: Json, attribute: str) -> set[str]:
    if attribute == "emails.value":
        return {email["value"].lower() for email in record.get("emails", [])}
    return {str(record[attribute]).lower()}


class LyingYes(FakeScim):
    """Says 204 and does nothing."""

    def apply(self, operation: Json) -> None: ...


class RemovesEverybody(FakeScim):
    """Takes an addition for the new list of members, and a filtered removal for one of all."""

    def apply(self, operation: Json) -> None:
        self.members = [each["value"] for each in operation.get("value", [])]


class EmptiesForGood(FakeScim):
    def apply(self, operation: Json) -> None:
        self.members = []


class LetsOthersIn(FakeScim):
    def apply(self, operation: Json) -> None:
        super().apply(operation)
        self.members = [*self.members, "u-dan"]


class StaleRead(FakeScim):
    """Reads show how it was, until `catch_up`."""

    def __init__(self) -> None:
        super().__init__()
        self.catch_up()

    def catch_up(self) -> None:
        self.old = (copy.copy(self.members), self.version)

    def shown(self) -> tuple[list[str], int]:
        return self.old


class SilentAfterEffect(FakeScim):
    """Does it, and never says so."""

    async def patch(self, request: web.Request) -> web.StreamResponse:
        await super().patch(request)
        await asyncio.Event().wait()
        raise AssertionError


class Failing(FakeScim):
    """Answers `status` to everything, until it is None."""

    status: int | None = 503

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await super().handle(request) if self.status is None else self.error(self.status, Retry_After="17")


class FailingAfterEffect(FakeScim):
    async def patch(self, request: web.Request) -> web.StreamResponse:
        await super().patch(request)
        return self.error(500)


class Vanished(FakeScim):
    """Has lost the group, for now."""

    gone = True

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.gone and request.path.startswith("/scim/v2/Groups/"):
            return self.error(404)
        return await super().handle(request)
